import { assign, emit, enqueueActions, sendTo, setup } from "xstate";
import { actorRef } from "../src/domain/reference.ts";
import { type Attempts, defaultOutboxPolicy, type EntryStatus, type NewEntry, type OutboxPolicy, settle } from "../src/domain/outbox.ts";

/**
 * One outbox: what is to be delivered to a destination, at least once, in order where order matters. Its entries are
 * rows; the machine decides over them, a batch at a time. What it does to rows happens in the transaction of the
 * transition that decided it.
 *
 *   idle ──ENQUEUE──▶ draining ──drained──▶ choosing ──▶ idle (nothing is left)
 *     ▲                  ▲                     ├──▶ draining (more is due)
 *     │                  │                     ├──▶ waiting ──untilDue──▶ draining
 *     │                  │                     ├──▶ pacing ──pace──▶ choosing
 *     └──────────────────┴──────cooldown───────┴──▶ broken: too many failures in a row
 *
 * A drain is one run of the destination's code over a batch. It is known by its number: what an earlier one reports
 * comes too late, because its process is gone. Where some of its attempts take long and other lanes could go on, it
 * reports what it has and looks for more beside them:
 *
 *   sending ──progressed──▶ looking ──▶ sending (more is due)
 *      ▲                       ├──▶ deferring ──untilNext──▶ looking
 *      └───────────────────────┘ (no moment is known)
 *
 * What ends a drain early (PAUSE, CLOSE, another outbox that takes over) waits in a state of its own until what is under
 * way was heard of: pausing, closing, leaving. Where nothing is sent, a drain that only looks at the bound is trimming.
 */
export interface OutboxInput {
  readonly destination: string;
  readonly policy?: Partial<OutboxPolicy>;
}

/** What is left in the store, as whoever drains saw it when it reported. */
export interface Rest {
  readonly pending: number;
  readonly poisoned: number;
  readonly unknown: number;
  /** When the next of those that were not tried, and could be, is due; null where there is none. */
  readonly nextDue: number | null;
  /** Entries with a higher number may have come after this was counted. */
  readonly lastSeq: number;
}

export interface OutboxContext {
  readonly destination: string;
  readonly policy: OutboxPolicy;
  /** The last number given to an entry. Invariant: it only grows. */
  readonly lastSeq: number;
  /** The last number given to a drain. */
  readonly drain: number;
  /** How often this drain looked for more beside what it has under way. */
  readonly looks: number;
  /** How often this drain reported and went on. */
  readonly reports: number;
  /** Entries up to this number may be under way while a drain runs: nothing takes their place. */
  readonly takenTo: number;
  /**
   * How many entries wait. Counted after each drain; in between never too few: an entry that took the place of another
   * is counted twice until then.
   */
  readonly pending: number;
  readonly poisoned: number;
  readonly unknown: number;
  readonly delivered: number;
  readonly refused: number;
  readonly dropped: number;
  /** Attempts in a row that failed. */
  readonly failures: number;
  /** When something is due, in milliseconds since 1970; null where nothing waits for a moment. While a drain runs: as far as it has reported since it looked. */
  readonly dueAt: number | null;
  /** The latest moment that this machine was told; its deadlines are counted from it. */
  readonly at: number;
  /** Nothing is sent before this moment, to keep the pace. */
  readonly pacedTo: number;
  /** The end of the cool-down. */
  readonly brokenTo: number;
  /** New entries came, or somebody asked for a drain, while one ran. */
  readonly again: boolean;
  /** Somebody asked for a drain of everything while one ran: back-offs may be over. */
  readonly isForced: boolean;
  /** Send one entry only, to see whether the destination is back. */
  readonly isProbe: boolean;
  /** The address of the outbox that takes over. */
  readonly heir: string | null;
}

export type OutboxEvent =
  /** `posted`: they waited in the store under this number, from which they go by the same transaction. */
  | { readonly type: "ENQUEUE"; readonly entries: ReadonlyArray<NewEntry>; readonly posted?: number }
  /** A drain has ended: nothing of it is under way any more. */
  | ({ readonly type: "taskwright.outbox.drained"; readonly at: number } & Report)
  /** A drain has attempts that take long, and could go on with other lanes. */
  | ({ readonly type: "taskwright.outbox.progressed"; readonly at: number } & Report)
  /** The destination is back, or an operator wants it now: back-offs are over. */
  | { readonly type: "FORCE"; readonly at: number }
  /** The engine was opened; the drain that ran with this number is gone with its process. */
  | { readonly type: "taskwright.outbox.opened"; readonly drain: number; readonly at: number }
  | { readonly type: "PAUSE" }
  | { readonly type: "CONTINUE"; readonly at: number }
  /** Poisoned or unknown entries are tried again from the beginning. */
  | { readonly type: "REQUEUE"; readonly seqs: ReadonlyArray<number>; readonly at: number }
  | { readonly type: "DROP"; readonly seqs: ReadonlyArray<number> }
  /** Take over everything that another outbox holds, behind one's own. All of it is one turn once its drain has ended. */
  | { readonly type: "ADOPT"; readonly from: string }
  /** Another outbox wants everything: its address. */
  | { readonly type: "SURRENDER"; readonly to: string }
  /** What the other one holds; its numbers, up to the last, are now kept free for them. */
  | { readonly type: "OFFERED"; readonly from: string; readonly lastSeq: number; readonly pending: number; readonly poisoned: number; readonly unknown: number }
  /** Behind which number the entries go: there is room for those up to `lastSeq`, and it is for the outbox `to`. */
  | { readonly type: "TAKE"; readonly seqOffset: number; readonly lastSeq?: number; readonly to?: string }
  | { readonly type: "SURRENDERED" }
  | { readonly type: "CLOSE" };

/** What a drain came to since it began, or since its last report: each attempt that ended, and what is left. */
export type Report = Attempts & {
  readonly drain: number;
  /** How many attempts began, those that have not ended included. */
  readonly begun: number;
  /** Something else could begin: it is worth a look. Of one that has ended, always. */
  readonly takesMore: boolean;
  readonly rest: Rest;
  /** Entries beyond the bound or their time. */
  readonly over: ReadonlyArray<Dropped>;
};

export interface Dropped {
  readonly seq: number;
  readonly key: string;
  readonly reason: "full" | "expired";
}

/** What the engine does to the rows, within the transaction of the transition; and after it. */
export const outboxActions = ["storeEntries", "changeEntries", "removeEntries", "clearBackoff", "requeueEntries", "moveEntries", "drainEntries"] as const;

type Emitted =
  | { readonly type: "outbox.drained"; readonly delivered: number; readonly refused: number; readonly failed: number }
  | { readonly type: "outbox.refused"; readonly key: string; readonly reason: string }
  | { readonly type: "outbox.poisoned"; readonly key: string; readonly attempts: number; readonly reason: string }
  | { readonly type: "outbox.unknown"; readonly key: string; readonly reason: string }
  | { readonly type: "outbox.dropped"; readonly key: string; readonly reason: string }
  | { readonly type: "outbox.broken"; readonly failures: number };

/** In the engine, an actor's session is its address. */
const addressOf = (self: { readonly sessionId: string }): string => self.sessionId;
const isDue = (context: OutboxContext): boolean => context.dueAt !== null && context.dueAt <= context.at;
const isTooEarly = (context: OutboxContext): boolean => context.pacedTo > context.at;
const isBroken = ({ policy, failures }: OutboxContext): boolean => policy.breaker !== undefined && failures >= policy.breaker.failuresMax;
/** The next moment at which a drain that goes on should look for more; null where it need not look. */
const nextOf = (context: OutboxContext): number | null =>
  isBroken(context) || context.isProbe || (context.dueAt === null && !context.again) ? null : Math.max(context.again ? context.at : (context.dueAt ?? context.at), context.pacedTo);
const isReport = (event: OutboxEvent): event is Extract<OutboxEvent, Report> => event.type === "taskwright.outbox.drained" || event.type === "taskwright.outbox.progressed";
const roomFor = (context: OutboxContext, count: number): boolean => context.policy.whenFull === "dropOldest" || context.pending + count <= context.policy.entriesMax;
/** More is held than may be, and nobody sends anything that would make it less. */
const isOverBound = ({ policy, pending, poisoned }: OutboxContext, count: number): boolean => policy.whenFull === "dropOldest" && pending + poisoned + count > policy.entriesMax;
const momentOf = (context: OutboxContext, event: OutboxEvent): number => ("at" in event ? Math.max(event.at, context.at) : context.at);

/** What a drain that sends is told. */
const goingOn = {
  "taskwright.outbox.drained": { guard: "isThisDrain", target: "#outbox.open.choosing", actions: "recordReport" },
  "taskwright.outbox.progressed": [
    { guard: "isThisDrainAndTakesMore", target: "looking", actions: ["recordReport", "goOn"] },
    { guard: "isThisDrain", actions: ["recordReport", "goOn"] },
  ],
  ENQUEUE: { guard: "hasRoom", actions: "store" },
  // Its process is gone, and with it everything that it had under way.
  "taskwright.outbox.opened": [{ guard: "isThisDrain", target: "#outbox.draining", reenter: true, actions: "forgetIfAsked" }, { actions: "forgetIfAsked" }],
  PAUSE: "pausing",
  CLOSE: "closing",
  SURRENDER: { target: "leaving", actions: "recordHeir" },
} as const;

export const outbox = setup({
  types: { input: {} as OutboxInput, context: {} as OutboxContext, events: {} as OutboxEvent, emitted: {} as Emitted },
  guards: {
    // Without room no transition takes the event, and its sender is refused.
    hasRoom: ({ context, event }) => event.type !== "ENQUEUE" || roomFor(context, event.entries.length),
    exceedsBound: ({ context, event }) => event.type === "ENQUEUE" && isOverBound(context, event.entries.length),
    isThisDrain: ({ context, event }) => (isReport(event) || event.type === "taskwright.outbox.opened") && event.drain === context.drain,
    isThisDrainAndTakesMore: ({ context, event }) => isReport(event) && event.drain === context.drain && event.takesMore,
    isCooling: ({ context }) => isBroken(context) && context.brokenTo > context.at,
    failedTooOften: ({ context }) => isBroken(context),
    isTooEarly: ({ context }) => isTooEarly(context),
    mayLookNow: ({ context }) => (nextOf(context) ?? Number.POSITIVE_INFINITY) <= context.at,
    mayLookLater: ({ context }) => nextOf(context) !== null,
    moreIsDue: ({ context }) => context.again || isDue(context),
    startsPaused: ({ context }) => context.policy.startsPaused,
    // An answer to an earlier offer is of other numbers, or of another heir: entries would take the place of others.
    isRoomForThis: ({ context, event }) => event.type === "TAKE" && (event.to ?? context.heir) === context.heir && (event.lastSeq ?? context.lastSeq) === context.lastSeq,
    somethingWaits: ({ context }) => context.dueAt !== null,
  },
  actions: {
    store: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== "ENQUEUE") return;
      const { lastSeq } = context;
      const entries = event.entries.map((entry, index) => ({ ...entry, seq: lastSeq + index + 1, lane: context.policy.order === "fifo" ? "" : (entry.lane ?? entry.type) }));
      enqueue.assign({ lastSeq: lastSeq + entries.length, pending: context.pending + entries.length, again: true });
      enqueue({ type: "storeEntries", params: { entries, takenTo: context.takenTo, ...(event.posted === undefined ? {} : { posted: event.posted }) } });
    }),
    beginDrain: assign({ drain: ({ context }) => context.drain + 1, looks: 0, reports: 0, takenTo: ({ context }) => context.lastSeq, dueAt: null, again: false, isForced: false }),
    forgetDrain: assign({ takenTo: 0, isProbe: false }),
    lookAgain: assign({ looks: ({ context }) => context.looks + 1, takenTo: ({ context }) => context.lastSeq, dueAt: null, again: false, isForced: false }),
    goOn: assign({ reports: ({ context }) => context.reports + 1 }),
    probe: assign({ isProbe: true }),
    recordReport: enqueueActions(({ context, event, enqueue, self }) => {
      if (!isReport(event)) return;
      const { undelivered, begun, rest, over } = event;
      const isOver = event.type === "taskwright.outbox.drained";
      const at = momentOf(context, event);
      const settled = settle(self.id, context.policy, event, at, context.failures);
      const gone = new Set(over.map(({ seq }) => seq));
      const changed = settled.changed.filter(({ seq }) => !gone.has(seq));
      const removed = settled.removed.concat(...gone);
      if (changed.length > 0) enqueue({ type: "changeEntries", params: { changes: changed } });
      if (removed.length > 0) enqueue({ type: "removeEntries", params: { seqs: removed } });
      const count = (status: EntryStatus) => changed.filter((change) => change.status === status).length;
      const [poisoned, unknown] = [count("poisoned"), count("unknown")];
      // Those behind one that is given up, or that was dropped after it failed, are free to go.
      const again = context.again || poisoned + unknown > 0 || changed.length < settled.changed.length;
      const dues = [context.dueAt, rest.nextDue, settled.retryAt].filter((moment) => moment !== null);
      const { perSecondMax } = context.policy;
      enqueue.assign({
        at,
        ...(isOver ? { takenTo: 0, isProbe: false } : {}),
        pending: Math.max(0, rest.pending - poisoned - unknown) + Math.max(0, context.lastSeq - rest.lastSeq),
        poisoned: rest.poisoned + poisoned,
        unknown: rest.unknown + unknown,
        delivered: context.delivered + settled.delivered,
        refused: context.refused + settled.refused,
        dropped: context.dropped + over.length,
        failures: settled.failures,
        again,
        dueAt: dues.length === 0 ? null : Math.min(...dues),
        // The pace is kept by waiting after a batch, not within it.
        pacedTo: perSecondMax === undefined ? 0 : Math.max(context.pacedTo, at + Math.ceil((1_000 * begun) / perSecondMax)),
      });
      for (const tried of undelivered) {
        if (tried.verdict === "refused") enqueue.emit({ type: "outbox.refused", key: tried.key, reason: tried.reason });
      }
      const keys = new Map(undelivered.map(({ seq, key }) => [seq, key]));
      for (const { seq, status, attempts: tries, error } of changed) {
        const key = keys.get(seq) ?? "";
        if (status === "poisoned") enqueue.emit({ type: "outbox.poisoned", key, attempts: tries, reason: error });
        if (status === "unknown") enqueue.emit({ type: "outbox.unknown", key, reason: error });
      }
      for (const { key, reason } of over) enqueue.emit({ type: "outbox.dropped", key, reason });
      enqueue.emit({ type: "outbox.drained", delivered: settled.delivered, refused: settled.refused, failed: settled.changed.length });
    }),
    forget: enqueueActions(({ context, event, enqueue }) => {
      const at = momentOf(context, event);
      enqueue.assign({ at, failures: 0, isProbe: false, again: true, isForced: true });
      enqueue({ type: "clearBackoff", params: { at } });
    }),
    forgetIfAsked: enqueueActions(({ context, event, enqueue }) => {
      const at = momentOf(context, event);
      enqueue.assign({ at, again: true, isForced: true });
      if (context.policy.restartClearsBackoff) enqueue({ type: "clearBackoff", params: { at } });
    }),
    requeue: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== "REQUEUE") return;
      const at = momentOf(context, event);
      enqueue.assign({ at, again: true, isForced: true, pending: context.pending + event.seqs.length });
      enqueue({ type: "requeueEntries", params: { seqs: event.seqs, at } });
    }),
    drop: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== "DROP") return;
      enqueue.assign({ again: true, isForced: true, dropped: context.dropped + event.seqs.length });
      enqueue({ type: "removeEntries", params: { seqs: event.seqs } });
    }),
    askForAll: sendTo(
      ({ event }) => actorRef(event.type === "ADOPT" ? event.from : ""),
      ({ self }) => ({ type: "SURRENDER", to: addressOf(self) }),
    ),
    recordHeir: assign({ heir: ({ event }) => (event.type === "SURRENDER" ? event.to : null) }),
    offerAll: sendTo(
      ({ context }) => actorRef(context.heir ?? ""),
      ({ context: { lastSeq, pending, poisoned, unknown }, self }) => ({ type: "OFFERED", from: addressOf(self), lastSeq, pending, poisoned, unknown }),
    ),
    // Numbers are given out before the entries come, so that none of one's own takes them meanwhile.
    makeRoom: enqueueActions(({ context, event, enqueue, self }) => {
      if (event.type !== "OFFERED") return;
      enqueue.assign({ lastSeq: context.lastSeq + event.lastSeq, pending: context.pending + event.pending, poisoned: context.poisoned + event.poisoned, unknown: context.unknown + event.unknown });
      enqueue.sendTo(actorRef(event.from), { type: "TAKE", seqOffset: context.lastSeq, lastSeq: event.lastSeq, to: addressOf(self) });
    }),
    surrender: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== "TAKE" || context.heir === null) return;
      enqueue({ type: "moveEntries", params: { to: context.heir, seqOffset: event.seqOffset } });
      enqueue.sendTo(actorRef(context.heir), { type: "SURRENDERED" });
      enqueue.assign({ pending: 0, poisoned: 0, unknown: 0, dueAt: null, again: false });
    }),
    forgetHeir: assign({ heir: null, again: true }),
    // What came with a back-off is due at once: the new scope may reach whom the old one could not.
    adopt: enqueueActions(({ context, enqueue }) => {
      enqueue.assign({ again: true, isForced: true });
      enqueue({ type: "clearBackoff", params: { at: context.at } });
    }),
    recordMoment: assign({ at: ({ context }) => Math.max(context.at, context.dueAt ?? 0) }),
    recordNext: assign({ at: ({ context }) => Math.max(context.at, nextOf(context) ?? 0) }),
    recordPace: assign({ at: ({ context }) => Math.max(context.at, context.pacedTo) }),
    // Not counted from the latest moment: that may have moved on meanwhile, and a moment ahead of the clock makes everything due.
    recordCooldown: assign({ at: ({ context }) => Math.max(context.at, context.brokenTo), failures: ({ context }) => (context.policy.breaker?.failuresMax ?? 1) - 1, again: true }),
    breakUp: assign({ brokenTo: ({ context }) => context.at + (context.policy.breaker?.cooldownMs ?? 0) }),
    tellBroken: emit(({ context }) => ({ type: "outbox.broken", failures: context.failures })),
    storeEntries: (_, _params: unknown) => {},
    changeEntries: (_, _params: unknown) => {},
    removeEntries: (_, _params: unknown) => {},
    clearBackoff: (_, _params: unknown) => {},
    requeueEntries: (_, _params: unknown) => {},
    moveEntries: (_, _params: unknown) => {},
    // The engine runs the destination's code once this transition is stored, and aborts it when the state is left.
    drainEntries: () => {},
  },
  delays: {
    untilDue: ({ context }) => Math.max(0, (context.dueAt ?? context.at) - context.at),
    pace: ({ context }) => Math.max(0, context.pacedTo - context.at),
    // Its heir answers in the same turn, or a few turns later; one that was closed meanwhile never does.
    surrenderTimeout: 60_000,
    cooldown: ({ context }) => Math.max(0, context.brokenTo - context.at),
    untilNext: ({ context }) => Math.max(0, (nextOf(context) ?? context.at) - context.at),
  },
}).createMachine({
  id: "outbox",
  meta: {
    senders: {
      ENQUEUE: "whoever has something to deliver",
      "taskwright.outbox.drained": "its drain",
      "taskwright.outbox.progressed": "its drain",
      "taskwright.outbox.opened": "the engine",
      FORCE: "an operator",
      PAUSE: "an operator",
      CONTINUE: "an operator",
      REQUEUE: "an operator",
      DROP: "an operator",
      ADOPT: "its host",
      SURRENDER: "outbox",
      OFFERED: "outbox",
      TAKE: "outbox",
      SURRENDERED: "outbox",
      CLOSE: "its host",
    },
  },
  version: "1",
  description: "What is to be delivered to a destination, at least once.",
  context: ({ input }) => ({
    destination: input.destination,
    policy: { ...defaultOutboxPolicy, ...input.policy },
    lastSeq: 0,
    drain: 0,
    looks: 0,
    reports: 0,
    takenTo: 0,
    pending: 0,
    poisoned: 0,
    unknown: 0,
    delivered: 0,
    refused: 0,
    dropped: 0,
    failures: 0,
    dueAt: null,
    at: 0,
    pacedTo: 0,
    brokenTo: 0,
    again: false,
    isForced: false,
    isProbe: false,
    heir: null,
  }),
  initial: "made",
  states: {
    made: { description: "Does it begin to send by itself?", always: [{ guard: "startsPaused", target: "paused" }, { target: "open" }] },
    open: {
      description: "It sends by itself what is due.",
      initial: "choosing",
      on: {
        PAUSE: "paused",
        CLOSE: "closed",
        ENQUEUE: { guard: "hasRoom", target: ".choosing", actions: "store" },
        FORCE: { target: ".choosing", actions: "forget" },
        "taskwright.outbox.opened": { target: ".choosing", actions: "forgetIfAsked" },
        REQUEUE: { target: ".choosing", actions: "requeue" },
        DROP: { target: ".choosing", actions: "drop" },
        ADOPT: { actions: "askForAll" },
        OFFERED: { actions: "makeRoom" },
        SURRENDERED: { target: ".choosing", actions: "adopt" },
        SURRENDER: { target: "surrendering", actions: "recordHeir" },
      },
      states: {
        choosing: {
          description: "What is next?",
          always: [
            { guard: "isCooling", target: "broken" },
            { guard: "failedTooOften", target: "broken", actions: ["breakUp", "tellBroken"] },
            { guard: "isTooEarly", target: "pacing" },
            { guard: "moreIsDue", target: "#outbox.draining" },
            { guard: "somethingWaits", target: "waiting" },
            { target: "idle" },
          ],
        },
        idle: { description: "Nothing waits. No limit: a new entry ends it." },
        waiting: {
          description: "The earliest entry has its moment.",
          after: { untilDue: { target: "choosing", actions: "recordMoment" } },
        },
        pacing: {
          description: "As much was sent as the destination takes in its time. What comes is stored.",
          on: {
            ENQUEUE: [
              { guard: "exceedsBound", target: "#outbox.draining.trimming", actions: "store" },
              { guard: "hasRoom", actions: "store" },
            ],
            FORCE: { actions: "forget" },
            "taskwright.outbox.opened": { actions: "forgetIfAsked" },
            REQUEUE: { actions: "requeue" },
            DROP: { actions: "drop" },
            SURRENDERED: { actions: "adopt" },
          },
          after: { pace: { target: "choosing", actions: "recordPace" } },
        },
        broken: {
          description: "The destination failed too often in a row: it is left alone for a while, then one entry is tried.",
          on: {
            ENQUEUE: [
              { guard: "exceedsBound", target: "#outbox.draining.trimming", actions: "store" },
              { guard: "hasRoom", actions: "store" },
            ],
            "taskwright.outbox.opened": { actions: "forgetIfAsked" },
            REQUEUE: { actions: "requeue" },
            DROP: { actions: "drop" },
            SURRENDERED: { actions: "adopt" },
          },
          after: { cooldown: { target: "choosing", actions: ["recordCooldown", "probe"] } },
        },
      },
    },
    draining: {
      description: "A batch is under way. Each of its attempts is limited in time, and so is the batch.",
      entry: ["beginDrain", "drainEntries"],
      initial: "sending",
      on: {
        // One drain at a time: what comes meanwhile is looked at when it has ended.
        FORCE: { actions: "forget" },
        REQUEUE: { actions: "requeue" },
        DROP: { actions: "drop" },
        ADOPT: { actions: "askForAll" },
        OFFERED: { actions: "makeRoom" },
        SURRENDERED: { actions: "adopt" },
      },
      states: {
        sending: {
          description: "No limit but that of the batch: entry after entry.",
          on: goingOn,
        },
        looking: {
          description: "Some attempts take long. Is anything else due?",
          always: [{ guard: "mayLookNow", target: "sending", actions: "lookAgain" }, { guard: "mayLookLater", target: "deferring" }, { target: "sending" }],
        },
        deferring: {
          description: "Some attempts take long, and what else there is has its moment.",
          on: goingOn,
          after: { untilNext: { target: "looking", actions: "recordNext" } },
        },
        trimming: {
          description: "More is held than may be, and nothing may be sent now. No limit: the drain only looks what goes.",
          on: {
            "taskwright.outbox.drained": { guard: "isThisDrain", target: "#outbox.open.choosing", actions: "recordReport" },
            "taskwright.outbox.opened": { guard: "isThisDrain", target: "#outbox.open.choosing", actions: ["forgetDrain", "forgetIfAsked"] },
            ENQUEUE: { guard: "hasRoom", actions: "store" },
            PAUSE: "pausing",
            CLOSE: "closing",
            SURRENDER: { target: "leaving", actions: "recordHeir" },
          },
        },
        pausing: {
          description: "Nothing new is begun. No limit but that of an attempt: what is under way ends, and is recorded.",
          on: {
            "taskwright.outbox.drained": { guard: "isThisDrain", target: "#outbox.paused", actions: "recordReport" },
            "taskwright.outbox.progressed": { guard: "isThisDrain", actions: ["recordReport", "goOn"] },
            "taskwright.outbox.opened": { guard: "isThisDrain", target: "#outbox.paused", actions: "forgetDrain" },
            ENQUEUE: { guard: "hasRoom", actions: "store" },
            CONTINUE: { target: "sending", actions: "forgetIfAsked" },
            CLOSE: "closing",
            SURRENDER: { target: "leaving", actions: "recordHeir" },
          },
        },
        closing: {
          // ENQUEUE is not taken here: its sender is refused.
          description: "Nothing new is begun. No limit but that of an attempt: what is under way ends, and is recorded.",
          on: {
            "taskwright.outbox.drained": { guard: "isThisDrain", target: "#outbox.closed", actions: "recordReport" },
            "taskwright.outbox.progressed": { guard: "isThisDrain", actions: ["recordReport", "goOn"] },
            "taskwright.outbox.opened": { guard: "isThisDrain", target: "#outbox.closed" },
            SURRENDER: { target: "leaving", actions: "recordHeir" },
          },
        },
        leaving: {
          description: "Another outbox takes over. No limit but that of an attempt: what is under way ends, and is recorded.",
          on: {
            "taskwright.outbox.drained": { guard: "isThisDrain", target: "#outbox.surrendering", actions: "recordReport" },
            "taskwright.outbox.progressed": { guard: "isThisDrain", actions: ["recordReport", "goOn"] },
            "taskwright.outbox.opened": { guard: "isThisDrain", target: "#outbox.surrendering", actions: "forgetDrain" },
            ENQUEUE: { guard: "hasRoom", actions: "store" },
          },
        },
      },
    },
    paused: {
      description: "An operator stopped it. No limit: entries are stored, nothing is sent.",
      on: {
        CONTINUE: { target: "open.choosing", actions: "forgetIfAsked" },
        CLOSE: "closed",
        // A drain that sends nothing looks what is beyond the bound.
        ENQUEUE: [
          { guard: "exceedsBound", target: "draining.pausing", actions: "store" },
          { guard: "hasRoom", actions: "store" },
        ],
        REQUEUE: { actions: "requeue" },
        DROP: { actions: "drop" },
        FORCE: { actions: "forget" },
        ADOPT: { actions: "askForAll" },
        OFFERED: { actions: "makeRoom" },
        SURRENDERED: { actions: "adopt" },
        SURRENDER: { target: "surrendering", actions: "recordHeir" },
      },
    },
    surrendering: {
      // ENQUEUE is not taken here: numbers up to the last one were told to the heir.
      description: "Another outbox was told what is here, and says where it goes.",
      entry: "offerAll",
      on: { TAKE: { guard: "isRoomForThis", target: "closed", actions: "surrender" } },
      after: { surrenderTimeout: { target: "made", actions: "forgetHeir" } },
    },
    closed: { type: "final", description: "It takes nothing any more; what is in it stays for an operator." },
  },
});
