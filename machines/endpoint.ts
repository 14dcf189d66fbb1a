import { assign, enqueueActions, setup } from "xstate";
import { type ExchangeMode, type HoldReason, type IncomingMessage, joined } from "../src/domain/incoming.ts";
import type { RefusalCode } from "../src/domain/exchange.ts";
import { actorRef } from "../src/domain/reference.ts";

/**
 * A resident receiver of messages, behind a connection that comes and goes. What comes while it is away is kept in
 * order, and pushed when it is back.
 *
 *   starting ──ATTACH──▶ active.flushing ──PUSHED──▶ active.ready
 *   active ──CLOSED (its owner lives), DETACH, PUSH_FAILED, heartbeatTimeout, OPENED──▶ reconnecting
 *   reconnecting ──ATTACH──▶ active.flushing          reconnecting ──grace──▶ lost ──ATTACH──▶ active.flushing
 *   active ──CLOSED (its owner is dead)──▶ lost       any ──RETIRE──▶ retired
 *
 * An incarnation is one process: another owner begins another one, and what the earlier one had not accepted goes back.
 */
export interface EndpointInput {
  /** The address of the spawn that started its process; absent: it came by itself. */
  readonly spawn?: string;
  readonly policy: EndpointPolicy;
}

/** Times in milliseconds. */
export interface EndpointPolicy {
  /** How long it may be without a connection. */
  readonly graceMs: number;
  /** How long it may be silent on its connection. */
  readonly heartbeatTimeoutMs: number;
  /** From the beginning to the first connection. */
  readonly startTimeoutMs: number;
  /** How long it may take to write what was kept. */
  readonly flushTimeoutMs: number;
  /** Assignments that it may have at a time. */
  readonly slots: number;
  /** Offers that are kept while it is away. */
  readonly bufferMax: number;
  /** Conversations that it is known to take part in. */
  readonly conversationsMax: number;
}

/** What an endpoint says of itself when it attaches. */
export interface Declaration {
  /** Its process: whoever calls must name the same. */
  readonly owner: string;
  readonly capabilities: ReadonlyArray<string>;
  readonly mode: ExchangeMode;
  /** The session that it is in, for `adapter_managed_turn`. */
  readonly session?: string;
}

export interface Offer {
  readonly assignment: string;
  readonly message: IncomingMessage;
  readonly isDispatched: boolean;
}

export interface EndpointContext {
  readonly spawn: string | null;
  readonly policy: EndpointPolicy;
  readonly declared: Declaration | null;
  /** Counts the processes. Invariant: it only grows. */
  readonly incarnation: number;
  readonly connection: string | null;
  /** Assignments that hold a slot. Invariant: each once; more than `slots` only with one that it accepted after its slot was free. */
  readonly taken: ReadonlyArray<string>;
  /** Those among them that it has accepted: nobody else ever gets them. */
  readonly accepted: ReadonlyArray<string>;
  /** Offers that were kept, in order. Invariant: none is removed before all are pushed, unless it is withdrawn. */
  readonly buffer: ReadonlyArray<Offer>;
  /** Assignments of the buffer that were written to the present connection. */
  readonly pushed: ReadonlyArray<string>;
  /** Conversations that it takes part in, the latest last. */
  readonly conversations: ReadonlyArray<string>;
  readonly reason: HoldReason | null;
}

type Asked = {
  readonly replyTo?: unknown;
};

export type EndpointEvent =
  /** `ownerLives`: whether the process that owned it until now is there, where it is another one. */
  | ({ readonly type: "ATTACH"; readonly connection: string; readonly declared: Declaration; readonly ownerLives: boolean } & Asked)
  | ({ readonly type: "DETACH"; readonly owner: string; readonly connection: string } & Asked)
  | { readonly type: "CLOSED"; readonly connection: string; readonly ownerLives: boolean }
  | { readonly type: "HEARTBEAT"; readonly connection: string }
  /** What it says of one of its assignments. */
  | ({ readonly type: "CALL"; readonly owner: string; readonly connection: string; readonly assignment: string; readonly call: { readonly type: string } } & Asked)
  | { readonly type: "OFFER"; readonly assignment: string; readonly message: IncomingMessage; readonly isDispatched: boolean }
  | { readonly type: "WITHDRAW"; readonly assignment: string }
  | { readonly type: "RELEASE"; readonly assignment: string }
  /** The inbox has no room for it: it waits, and others may have its slot. */
  | { readonly type: "FREE_SLOT"; readonly assignment: string }
  /** It accepted an assignment, and takes part in its conversation. */
  | { readonly type: "JOINED"; readonly assignment: string; readonly conversation?: string }
  | { readonly type: "PUSHED"; readonly connection: string; readonly assignments: ReadonlyArray<string> }
  /** Something could not be written; without an assignment, it was the buffer. */
  | { readonly type: "PUSH_FAILED"; readonly connection: string; readonly assignment?: string }
  /** A new process was asked for: the address of its spawn. */
  | { readonly type: "EXPECT"; readonly spawn: string }
  | { readonly type: "START_FAILED"; readonly spawn?: string; readonly reason: string }
  /** The broker was opened: the connections of its earlier process are gone. */
  | { readonly type: "OPENED" }
  /** The broker is about to close: what was not accepted goes back. */
  | { readonly type: "SHUT_DOWN" }
  | ({ readonly type: "RETIRE" } & Asked);

/** What the broker does for this machine. */
export const endpointActions = ["push", "pushBuffer", "pushWithdrawal", "closeConnection"] as const;

const addressOf = (self: { readonly sessionId: string }): string => self.sessionId;
/** The address of the presence beside an endpoint. */
const presenceOf = (address: string): string => address.replace(/^endpoint\//, "presence/");
const without = (list: ReadonlyArray<string>, one: string) => list.filter((each) => each !== one);

/** An endpoint that talks in the background is not given a conversation that it did not begin. */
export const background = "background_exchange";

/** An action of the broker, asked for within another one. */
const act = (type: (typeof endpointActions)[number], params: object) => ({ type, params }) as never;

/** Why it can't have an offer, or nothing. */
const declineReason = (context: EndpointContext, { message, isDispatched }: Offer, isAway: boolean): HoldReason | undefined => {
  const { declared, policy } = context;
  if (context.taken.length >= policy.slots) return "no_slot";
  if (isAway && context.buffer.length >= policy.bufferMax) return "buffer_full";
  if (message.needs?.some((need) => !(declared?.capabilities ?? []).includes(need)) === true) return "lacks_capability";
  if (message.mode !== undefined && message.mode !== declared?.mode) return "other_session";
  if (message.session !== undefined && message.session !== declared?.session) return "other_session";
  const isKnown = message.conversation !== undefined && context.conversations.includes(message.conversation);
  if (declared?.capabilities.includes(background) === true && !isDispatched && !isKnown) return "new_conversation";
  return undefined;
};

export const endpoint = setup({
  types: {
    input: {} as EndpointInput,
    context: {} as EndpointContext,
    events: {} as EndpointEvent,
    emitted: {} as { readonly type: "endpoint.lost" | "endpoint.reconnecting" | "endpoint.attached"; readonly endpoint: string; readonly incarnation: number },
  },
  guards: {
    fits: ({ context, event }) => event.type === "OFFER" && declineReason(context, event, false) === undefined,
    fitsBuffer: ({ context, event }) => event.type === "OFFER" && declineReason(context, event, true) === undefined,
    isThisConnection: ({ context, event }) => "connection" in event && event.connection === context.connection,
    ownerIsDead: ({ context, event }) => event.type === "CLOSED" && event.connection === context.connection && !event.ownerLives,
    isOwner: ({ context, event }) => "owner" in event && event.owner === context.declared?.owner && event.connection === context.connection,
    isForeign: ({ context, event }) => "owner" in event && event.owner !== context.declared?.owner,
    // Two processes that both live can't own one endpoint.
    ownerIsAnother: ({ context, event }) => event.type === "ATTACH" && context.declared !== null && event.declared.owner !== context.declared.owner && event.ownerLives,
    ownerIsSame: ({ context, event }) => event.type === "ATTACH" && context.declared !== null && event.declared.owner === context.declared.owner,
    everythingIsPushed: ({ context, event }) =>
      event.type === "PUSHED" && event.connection === context.connection && context.buffer.every(({ assignment }) => context.pushed.includes(assignment) || event.assignments.includes(assignment)),
    // What an earlier request comes to says nothing of the present one.
    isExpected: ({ context, event }) => event.type === "START_FAILED" && (event.spawn === undefined || event.spawn === context.spawn),
    nothingIsKept: ({ context }) => context.buffer.length === 0,
  },
  actions: {
    closeEarlier: enqueueActions(({ context, event, enqueue }) => {
      if (event.type === "ATTACH" && context.connection !== null && context.connection !== event.connection) enqueue(act("closeConnection", { connection: context.connection }));
    }),
    closeThis: enqueueActions(({ context, enqueue }) => {
      if (context.connection !== null) enqueue(act("closeConnection", { connection: context.connection }));
    }),
    attach: assign(({ context, event }) =>
      event.type === "ATTACH" ? { connection: event.connection, declared: event.declared, pushed: [], reason: null, incarnation: Math.max(1, context.incarnation) } : {},
    ),
    expect: assign({ spawn: ({ context, event }) => (event.type === "EXPECT" ? event.spawn : context.spawn) }),
    beginIncarnation: assign({ incarnation: ({ context }) => context.incarnation + 1 }),
    confirm: enqueueActions(({ context, event, enqueue, self }) => {
      if (event.type !== "ATTACH") return;
      enqueue.emit({ type: "endpoint.attached", endpoint: addressOf(self), incarnation: context.incarnation });
      enqueue.sendTo(actorRef(presenceOf(addressOf(self))), { type: "ONLINE" });
      if (context.spawn !== null) {
        enqueue.sendTo(actorRef(context.spawn), { type: "ATTACHED" });
        enqueue.assign({ spawn: null });
      }
      if (event.replyTo !== undefined) enqueue.sendTo(event.replyTo as never, { type: "DONE", incarnation: context.incarnation, accepted: context.accepted } as never);
    }),
    answer: enqueueActions(({ event, enqueue }) => {
      if ("replyTo" in event && event.replyTo !== undefined) enqueue.sendTo(event.replyTo as never, { type: "DONE" } as never);
    }),
    refuse: enqueueActions(({ event, enqueue }, { code, detail }: { readonly code: RefusalCode; readonly detail: string }) => {
      if ("replyTo" in event && event.replyTo !== undefined) enqueue.sendTo(event.replyTo as never, { type: "REFUSED", code, detail } as never);
    }),
    pass: enqueueActions(({ event, enqueue }) => {
      if (event.type !== "CALL") return;
      const { assignment, call, replyTo } = event;
      enqueue.sendTo(actorRef(assignment), { ...call, ...(replyTo === undefined ? {} : { replyTo }) } as never);
    }),
    take: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== "OFFER") return;
      enqueue.assign({ taken: [...without(context.taken, event.assignment), event.assignment] });
      enqueue.sendTo(actorRef(event.assignment), { type: "TAKEN" });
    }),
    keep: assign(({ context, event }) => {
      if (event.type !== "OFFER") return {};
      const { assignment, message, isDispatched } = event;
      return { buffer: [...context.buffer.filter((offer) => offer.assignment !== assignment), { assignment, message, isDispatched }] };
    }),
    send: enqueueActions(({ context, event, enqueue }) => {
      if (event.type === "OFFER") enqueue(act("push", { connection: context.connection, assignment: event.assignment, message: event.message }));
    }),
    sendBuffer: enqueueActions(({ context, enqueue }) => {
      const offers = context.buffer.filter(({ assignment }) => !context.pushed.includes(assignment)).map(({ assignment, message }) => ({ assignment, message }));
      enqueue(act("pushBuffer", { connection: context.connection, offers }));
    }),
    recordPushed: assign({ pushed: ({ context, event }) => (event.type === "PUSHED" ? [...context.pushed, ...event.assignments] : context.pushed) }),
    clearBuffer: assign({ buffer: [], pushed: [] }),
    decline: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== "OFFER") return;
      enqueue.sendTo(actorRef(event.assignment), {
        type: "DECLINED",
        reason: declineReason(context, event, context.connection === null || context.buffer.length > 0) ?? context.reason ?? "target_lost",
      });
    }),
    declineAsLost: enqueueActions(({ event, enqueue }) => {
      if (event.type === "OFFER") enqueue.sendTo(actorRef(event.assignment), { type: "DECLINED", reason: "target_lost" });
    }),
    forget: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== "WITHDRAW" && event.type !== "RELEASE") return;
      const { assignment } = event;
      enqueue.assign({ taken: without(context.taken, assignment), accepted: without(context.accepted, assignment), buffer: context.buffer.filter((offer) => offer.assignment !== assignment) });
      // What it has already, it need not begin any more.
      if (event.type === "WITHDRAW" && context.connection !== null) enqueue(act("pushWithdrawal", { connection: context.connection, assignment }));
    }),
    /** What is kept is still to be pushed, and has its slot until then. */
    freeSlot: assign(({ context, event }) => {
      if (event.type !== "FREE_SLOT" || context.accepted.includes(event.assignment) || context.buffer.some(({ assignment }) => assignment === event.assignment)) return {};
      return { taken: without(context.taken, event.assignment) };
    }),
    join: assign(({ context, event }) => {
      if (event.type !== "JOINED") return {};
      const { assignment, conversation } = event;
      return {
        taken: [...without(context.taken, assignment), assignment],
        accepted: [...without(context.accepted, assignment), assignment],
        buffer: context.buffer.filter((offer) => offer.assignment !== assignment),
        ...(conversation === undefined ? {} : { conversations: joined(context.conversations, conversation, context.policy.conversationsMax) }),
      };
    }),
    /** It was offered to a process that is gone, or that can't be reached. */
    giveUpOffered: enqueueActions(({ context, enqueue }, { reason, also }: { readonly reason: HoldReason; readonly also: "kept" | "onlyPushed" }) => {
      const kept = also === "onlyPushed" ? context.buffer : [];
      const gone = context.taken.filter((assignment) => !context.accepted.includes(assignment) && !kept.some((offer) => offer.assignment === assignment));
      for (const assignment of gone) enqueue.sendTo(actorRef(assignment), { type: "LOST", reason });
      enqueue.assign({ taken: context.taken.filter((assignment) => !gone.includes(assignment)), buffer: kept, pushed: [] });
    }),
    giveUpOne: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== "PUSH_FAILED" || event.assignment === undefined || context.accepted.includes(event.assignment)) return;
      enqueue.sendTo(actorRef(event.assignment), { type: "LOST", reason: "connection_broken" });
      enqueue.assign({ taken: without(context.taken, event.assignment) });
    }),
    disconnect: enqueueActions(({ context, enqueue, self }) => {
      enqueue.assign({ connection: null, pushed: [] });
      enqueue.emit({ type: "endpoint.reconnecting", endpoint: addressOf(self), incarnation: context.incarnation });
      enqueue.sendTo(actorRef(presenceOf(addressOf(self))), { type: "OFFLINE" });
    }),
    recordLoss: enqueueActions(({ context, enqueue, self }) => {
      enqueue.assign({ connection: null, reason: "target_lost" });
      enqueue.emit({ type: "endpoint.lost", endpoint: addressOf(self), incarnation: context.incarnation });
      enqueue.sendTo(actorRef(presenceOf(addressOf(self))), { type: "OFFLINE" });
    }),
    tellRetired: enqueueActions(({ context, enqueue, self }) => {
      for (const assignment of context.taken) enqueue.sendTo(actorRef(assignment), { type: "RETIRED" });
      enqueue.sendTo(actorRef(presenceOf(addressOf(self))), { type: "GONE" });
      enqueue.assign({ taken: [], accepted: [], buffer: [], connection: null });
    }),
    push: (_, _params: unknown) => {},
    pushBuffer: (_, _params: unknown) => {},
    pushWithdrawal: (_, _params: unknown) => {},
    closeConnection: (_, _params: unknown) => {},
  },
  delays: {
    startTimeout: ({ context }) => context.policy.startTimeoutMs,
    heartbeatTimeout: ({ context }) => context.policy.heartbeatTimeoutMs,
    flushTimeout: ({ context }) => context.policy.flushTimeoutMs,
    grace: ({ context }) => context.policy.graceMs,
  },
}).createMachine({
  id: "endpoint",
  meta: {
    senders: {
      ATTACH: "its process",
      DETACH: "its process",
      CALL: "its process",
      HEARTBEAT: "its process",
      CLOSED: "its connection",
      PUSHED: "its connection",
      PUSH_FAILED: "its connection",
      OFFER: "exchange",
      WITHDRAW: "exchange",
      RELEASE: "exchange",
      JOINED: "exchange",
      EXPECT: "the broker",
      OPENED: "the broker",
      SHUT_DOWN: "the broker",
      START_FAILED: "spawn",
      RETIRE: "an operator",
    },
  },
  version: "1",
  description: "A resident receiver of messages, behind a connection that comes and goes.",
  context: ({ input }) => ({
    spawn: input.spawn ?? null,
    policy: input.policy,
    declared: null,
    incarnation: 0,
    connection: null,
    taken: [],
    accepted: [],
    buffer: [],
    pushed: [],
    conversations: [],
    reason: null,
  }),
  initial: "starting",
  on: {
    ATTACH: [
      { guard: "ownerIsAnother", actions: { type: "refuse", params: { code: "not_owner", detail: "another process owns this endpoint, and lives" } } },
      { guard: "ownerIsSame", target: ".active", actions: ["closeEarlier", "attach", "confirm"] },
      // Another process: what the earlier one had and did not accept goes back; what was kept was never pushed, and stays.
      {
        target: ".active",
        actions: ["closeEarlier", { type: "giveUpOffered", params: { reason: "target_lost", also: "onlyPushed" } }, "beginIncarnation", "attach", "confirm"],
      },
    ],
    OFFER: { actions: "decline" },
    WITHDRAW: { actions: "forget" },
    RELEASE: { actions: "forget" },
    FREE_SLOT: { actions: "freeSlot" },
    JOINED: { actions: "join" },
    CALL: [
      { guard: "isForeign", actions: { type: "refuse", params: { code: "not_owner", detail: "another process owns this endpoint" } } },
      { actions: { type: "refuse", params: { code: "not_attached", detail: "attach first" } } },
    ],
    DETACH: { actions: { type: "refuse", params: { code: "not_attached", detail: "it is not attached with this connection" } } },
    SHUT_DOWN: { actions: { type: "giveUpOffered", params: { reason: "broker_closing", also: "kept" } } },
    RETIRE: { target: ".retired", actions: ["closeThis", "answer"] },
  },
  states: {
    starting: {
      description: "Its process was asked for, or is about to attach. What comes is kept.",
      on: {
        OFFER: { guard: "fitsBuffer", actions: ["take", "keep"] },
        START_FAILED: { guard: "isExpected", target: "lost" },
      },
      after: { startTimeout: "lost" },
    },
    active: {
      description: "It has a connection.",
      initial: "flushing",
      on: {
        CALL: [
          { guard: "isOwner", actions: "pass" },
          { guard: "isForeign", actions: { type: "refuse", params: { code: "not_owner", detail: "another process owns this endpoint" } } },
          { actions: { type: "refuse", params: { code: "not_attached", detail: "it has another connection by now" } } },
        ],
        DETACH: { guard: "isOwner", target: "reconnecting", actions: "answer" },
        CLOSED: [
          { guard: "ownerIsDead", target: "lost" },
          { guard: "isThisConnection", target: "reconnecting" },
        ],
        PUSH_FAILED: { guard: "isThisConnection", target: "reconnecting", actions: ["giveUpOne", "closeThis"] },
        OPENED: "reconnecting",
        SHUT_DOWN: { target: "reconnecting", actions: ["closeThis", { type: "giveUpOffered", params: { reason: "broker_closing", also: "kept" } }] },
      },
      states: {
        flushing: {
          description: "What was kept is being written, in order.",
          always: { guard: "nothingIsKept", target: "ready", actions: "clearBuffer" },
          entry: "sendBuffer",
          on: {
            // Behind what is being written.
            OFFER: { guard: "fitsBuffer", actions: ["take", "keep"] },
            PUSHED: [
              { guard: "everythingIsPushed", target: "ready", actions: "clearBuffer" },
              { guard: "isThisConnection", target: "flushing", reenter: true, actions: "recordPushed" },
            ],
          },
          after: { flushTimeout: { target: "#endpoint.reconnecting", actions: "closeThis" } },
        },
        ready: {
          description: "What comes is written at once.",
          on: {
            OFFER: { guard: "fits", actions: ["take", "send"] },
            HEARTBEAT: { guard: "isThisConnection", target: "ready", reenter: true },
          },
          after: { heartbeatTimeout: { target: "#endpoint.reconnecting", actions: "closeThis" } },
        },
      },
    },
    reconnecting: {
      // CLOSED, HEARTBEAT and PUSHED are ignored: they are of a connection that is given up already.
      description: "Its connection is gone, its process may be back within the grace. What comes is kept.",
      entry: "disconnect",
      on: {
        OFFER: { guard: "fitsBuffer", actions: ["take", "keep"] },
        // It could not be written after all, and was not kept.
        PUSH_FAILED: { actions: "giveUpOne" },
      },
      after: { grace: "lost" },
    },
    lost: {
      description: "It is away. No limit: it may come back, with what it has accepted, or be retired.",
      entry: [{ type: "giveUpOffered", params: { reason: "target_lost", also: "kept" } }, "recordLoss"],
      on: {
        ATTACH: { target: "active", actions: ["beginIncarnation", "attach", "confirm"] },
        EXPECT: { target: "starting", actions: "expect" },
        OFFER: { actions: "declineAsLost" },
      },
    },
    retired: { type: "final", description: "It is not needed any more.", entry: "tellRetired" },
  },
});
