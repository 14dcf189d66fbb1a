import * as Effect from "effect/Effect";
import * as ParseResult from "effect/ParseResult";
import * as Schema from "effect/Schema";
import { type OutboxContext, outbox as outboxMachine } from "../../machines/outbox.ts";
import { type AllNames, checkNames, said, schemaProblems } from "../domain/names.ts";
import { actorRef } from "../domain/reference.ts";
import { type Address, rootAddress } from "../domain/address.ts";
import { failureOf } from "../domain/json.ts";
import { type Attempts, defaultOutboxPolicy, type NewEntry, OutboxPolicy, type Verdict } from "../domain/outbox.ts";
import {
  type Doors,
  type Engine,
  EngineClosed,
  EngineDegraded,
  type Follower,
  InvalidOptions,
  type Plugin,
  type Receipt,
  type SendError,
  type StartOptions,
  UnknownActor,
  pluginRetryMs,
  whenOpened,
  type ActorToStart,
  begun,
} from "../engine/index.ts";
import type { EntryCounts, EntryRow, Journal, JournalError } from "../journal/index.ts";
import { type EntryView, entryView, listOutboxes, type OutboxView } from "./operating.ts";
import { Cancellation } from "./cancellation.ts";
import { delivered, type Destination } from "./destination.ts";
import { Drain } from "./drain.ts";
import { DeliveryRefused, OutboxClosed, OutboxFull } from "./errors.ts";
import { derivedKey } from "./key.ts";
import { NewEntrySchema } from "./new-entry.ts";
import { type Collected, collectPosted } from "./posted.ts";
import { outboxRows } from "./rows.ts";

export interface OutboxOptions {
  readonly destination: Destination;
  readonly policy?: Partial<OutboxPolicy>;
}

export type DeliverError = SendError | OutboxFull | OutboxClosed | DeliveryRefused;

/** What an entry came to while its sender waited. */
export type Delivered = { readonly delivered: true } | { readonly delivered: false; readonly pending: true };

/** Who gives an order, as the history of the outbox will say: a name without a slash, at most 200 characters. */
type By = Pick<StartOptions, "by">;

/**
 * The outboxes of one engine: what is put into one is stored first and delivered at least once.
 * - An entry is stored before anything is sent, and sent until it is delivered, refused or poisoned.
 * - Its key is the same at every attempt: a receiver that knows repeated keys makes it exactly once.
 * - Entries of one lane are first sent in the order in which they were stored, one at a time.
 */
export interface Outboxes extends Plugin {
  /** Stores entries and answers at once. Without a key an entry gets one: where it says when it occurred, from that, its type and payload, so that the same again is the same entry; else one that no other has. */
  readonly enqueue: (name: string, entry: NewEntry | ReadonlyArray<NewEntry>) => Effect.Effect<Receipt, DeliverError>;
  /** Stores an entry and waits for its first attempt; `pending` where that failed, or where an earlier one of its lane waits. */
  readonly deliver: (name: string, entry: NewEntry) => Effect.Effect<Delivered, DeliverError>;
  /** Back-offs are over: the receiver is back. */
  readonly force: (name: string, given?: By) => Effect.Effect<Receipt, DeliverError>;
  /** Nothing is begun any more; what is under way ends, and is recorded. Entries are stored. */
  readonly pause: (name: string, given?: By) => Effect.Effect<Receipt, DeliverError>;
  readonly resume: (name: string, given?: By) => Effect.Effect<Receipt, DeliverError>;
  /** Tries poisoned or unknown entries again from the beginning. */
  readonly requeue: (name: string, seqs: ReadonlyArray<number>, given?: By) => Effect.Effect<Receipt, DeliverError>;
  readonly drop: (name: string, seqs: ReadonlyArray<number>, given?: By) => Effect.Effect<Receipt, DeliverError>;
  /**
   * Everything that another outbox holds goes behind what this one holds, in its order, in one transaction; the other
   * one is closed, and back-offs are over. Waits for what the other has under way to end first.
   */
  readonly adopt: (name: string, from: string) => Effect.Effect<Receipt, DeliverError>;
  /** Makes an outbox while the engine runs, if it is not there. `destination`: one of those that were given. */
  readonly open: (name: string, destination: string, policy?: Partial<OutboxPolicy>) => Effect.Effect<Receipt, DeliverError>;
  /** It takes nothing any more. What is under way ends, and is recorded; what is in it stays readable. */
  readonly close: (name: string) => Effect.Effect<Receipt, DeliverError>;
  readonly entries: (
    name: string,
    filter?: { readonly status?: EntryRow["status"]; readonly after?: number; readonly limit?: number },
  ) => Effect.Effect<ReadonlyArray<EntryView>, UnknownActor | JournalError | EngineClosed>;
  /** One entry by its number; undefined where it is gone, or never was. */
  readonly entry: (name: string, seq: number) => Effect.Effect<EntryView | undefined, UnknownActor | JournalError | EngineClosed>;
  readonly counts: (name: string) => Effect.Effect<EntryCounts, UnknownActor | JournalError | EngineClosed>;
  /** All outboxes, those that were closed included, by when they were made. */
  readonly list: () => Effect.Effect<ReadonlyArray<OutboxView>, JournalError | EngineClosed>;
  /** Takes what hosts stored with `postEntries` or `postStatement` in transactions of their own. So does every opening. */
  readonly collect: () => Effect.Effect<Collected, JournalError | EngineClosed>;
}

/** The address of an outbox: `sendTo(outboxRef("orders"), { type: "ENQUEUE", entries: [...] })` stores entries with the transition. */
export const outboxAddress = (name: string): Address => rootAddress(outboxMachine.id, name);
export const outboxRef = (name: string) => actorRef(outboxAddress(name));

/** What a host may tell an outbox; the rest is its own. */
const HostEvents = Schema.Union(
  Schema.Struct({ type: Schema.Literal("ENQUEUE"), entries: Schema.Array(NewEntrySchema), posted: Schema.optional(Schema.Number) }),
  Schema.Struct({ type: Schema.Literal("FORCE", "CONTINUE"), at: Schema.Number }),
  Schema.Struct({ type: Schema.Literal("PAUSE", "CLOSE") }),
  Schema.Struct({ type: Schema.Literal("REQUEUE"), seqs: Schema.Array(Schema.Number), at: Schema.Number }),
  Schema.Struct({ type: Schema.Literal("DROP"), seqs: Schema.Array(Schema.Number) }),
  Schema.Struct({ type: Schema.Literal("ADOPT"), from: Schema.String }),
  // Between outboxes.
  Schema.Struct({ type: Schema.Literal("SURRENDER"), to: Schema.String }),
  Schema.Struct({ type: Schema.Literal("OFFERED"), from: Schema.String, lastSeq: Schema.Number, pending: Schema.Number, poisoned: Schema.Number, unknown: Schema.Number }),
  Schema.Struct({ type: Schema.Literal("TAKE"), seqOffset: Schema.Number, lastSeq: Schema.optional(Schema.Number), to: Schema.optional(Schema.String) }),
  Schema.Struct({ type: Schema.Literal("SURRENDERED") }),
);

interface Run {
  /** The row id of the outbox. */
  readonly incarnation: number;
  readonly number: number;
  readonly cancellation: Cancellation;
  drain: Drain | undefined;
  /** Nothing new is begun: the outbox is paused, closed or handed over. */
  isEnding: boolean;
}

/** Somebody who waits for the first attempt of an entry. */
interface Waiter {
  readonly key: string;
  readonly lane: string;
  isStored: boolean;
  readonly settle: (verdict: Verdict | undefined) => void;
}

const keyed = (outbox: Address, entry: NewEntry, at: number, nth: string) => {
  const occurredAt = entry.occurredAt ?? at;
  return { ...entry, occurredAt, key: entry.key ?? derivedKey(outbox, { ...entry, occurredAt }, entry.occurredAt === undefined ? nth : undefined) };
};

/** Where the outbox of one address stands, as far as this process knows. */
interface Standing {
  run: Run | undefined;
  isDraining: boolean;
  /** What the last look found, for the next one. */
  isCrowded: boolean;
  /** What a drain said, until that is stored. */
  report: { readonly drain: number; readonly reports: number; readonly attempts: Attempts } | undefined;
  readonly waiters: Set<Waiter>;
}

const optionNames: AllNames<OutboxOptions> = { destination: true, policy: true };
const readPolicy = Schema.decodeUnknownEither(OutboxPolicy, { onExcessProperty: "error", errors: "all" });

const problemsOf = (given: OutboxOptions): ReadonlyArray<string> => {
  if (typeof given === "function") return ["give { destination: … } in place of the function alone"];
  const wrong = checkNames(given, optionNames);
  if (typeof given !== "object" || given === null) return wrong;
  const { destination, policy } = given;
  const read = readPolicy({ ...defaultOutboxPolicy, ...policy });
  return [
    ...wrong,
    ...(typeof destination === "function" ? [] : [`destination must be a function, got ${said(destination)}`]),
    ...(read._tag === "Right" ? [] : schemaProblems(ParseResult.ArrayFormatter.formatErrorSync(read.left).map(({ path, message }) => ({ path: ["policy", ...path], message })))),
  ];
};

/** Outboxes by name, for `openEngine({ plugins: [outboxes] })`. Throws `InvalidOptions` for a policy that can't be. */
export const makeOutboxes = (options: Readonly<Record<string, OutboxOptions>>): Outboxes => {
  const problems = Object.entries(options).flatMap(([name, given]) => problemsOf(given).map((problem) => `outbox "${name}": ${problem}`));
  if (problems.length > 0) throw new InvalidOptions({ problems });
  let bound: { readonly engine: Engine; readonly doors: Doors } | undefined;
  let keysGiven = 0;
  const standings = new Map<Address, Standing>();
  const standingOf = (address: Address): Standing => {
    const known = standings.get(address);
    if (known !== undefined) return known;
    const standing: Standing = { run: undefined, isDraining: false, isCrowded: false, report: undefined, waiters: new Set() };
    standings.set(address, standing);
    return standing;
  };

  const use = Effect.suspend(() =>
    bound === undefined ? Effect.fail(new EngineClosed({ detail: "these outboxes are not part of an open engine: pass them in its plugins" })) : Effect.succeed(bound),
  );
  const actorOf = (name: string): ActorToStart | undefined => {
    const { policy } = options[name] ?? {};
    return options[name] === undefined ? undefined : { machine: outboxMachine.id, id: name, input: { destination: name, ...(policy === undefined ? {} : { policy }) } };
  };
  const tell = (name: string, event: (now: number) => { readonly type: string; readonly [key: string]: unknown }, by?: By): Effect.Effect<Receipt, DeliverError> =>
    Effect.gen(function* () {
      const { engine, doors } = yield* use;
      const receipt = yield* begun(engine, actorOf(name), engine.send(outboxAddress(name), event(doors.time.now()), by));
      return receipt.outcome === "ended" ? yield* new OutboxClosed({ outbox: name }) : receipt;
    }).pipe(Effect.catchTag("EventRefused", () => refusalOf(name)));
  /** Why it took no entry: there is no room, or it is about to close. */
  const refusalOf = (name: string): Effect.Effect<never, DeliverError> =>
    Effect.gen(function* () {
      const { engine } = yield* use;
      const { value, context } = yield* Effect.mapError(engine.snapshot(outboxAddress(name)), (error) =>
        error._tag === "JournalError" ? new EngineDegraded({ detail: error.message, reason: error.reason, cause: error }) : error,
      );
      const isTaking = typeof value === "string" ? value === "paused" : !(value as { readonly draining?: string }).draining?.startsWith("closing");
      return yield* isTaking ? new OutboxFull({ outbox: name, entriesMax: (context as OutboxContext).policy.entriesMax }) : new OutboxClosed({ outbox: name });
    });
  const enqueue = (name: string, entry: NewEntry | ReadonlyArray<NewEntry>) => tell(name, () => ({ type: "ENQUEUE", entries: Array.isArray(entry) ? entry : [entry] }));

  const deliver = (name: string, given: NewEntry): Effect.Effect<Delivered, DeliverError> =>
    Effect.suspend(() => {
      const entry = keyed(outboxAddress(name), given, bound?.doors.time.now() ?? 0, `${bound?.engine.status().owner.epoch}.${++keysGiven}`);
      const standing = standingOf(outboxAddress(name));
      let waiter: Waiter | undefined;
      const attempted = Effect.async<Verdict | undefined>((resume) => {
        waiter = { key: entry.key, lane: entry.lane ?? entry.type, isStored: false, settle: (verdict) => resume(Effect.succeed(verdict)) };
        standing.waiters.add(waiter);
      });
      const stored = Effect.map(enqueue(name, entry), () => {
        if (waiter === undefined) return;
        waiter.isStored = true;
        settleIdle(standing);
      });
      return Effect.zipRight(stored, attempted, { concurrent: true }).pipe(
        Effect.ensuring(Effect.sync(() => waiter !== undefined && standing.waiters.delete(waiter))),
        Effect.flatMap((ended): Effect.Effect<Delivered, DeliveryRefused> => {
          if (ended?.verdict === "delivered") return Effect.succeed({ delivered: true });
          if (ended?.verdict === "refused") return new DeliveryRefused({ outbox: name, key: entry.key, reason: ended.reason });
          return Effect.succeed({ delivered: false, pending: true });
        }),
      );
    });

  /** Who waits for what nobody is about to try: it is paused or broken, or an earlier entry of its lane waits. */
  const settleIdle = ({ isDraining, run, waiters }: Standing) => {
    for (const waiter of waiters) if (waiter.isStored && (!isDraining || run?.drain?.holdsUp(waiter) === true)) waiter.settle(undefined);
  };

  /** What the store holds of an outbox. Where that is nothing, it may be that there is none of this name. */
  const looking = <A>(name: string, read: (outbox: Address, journal: Journal) => Effect.Effect<A, JournalError>, isThere: (found: A) => boolean) =>
    Effect.gen(function* () {
      const { journal } = (yield* use).doors;
      const outbox = outboxAddress(name);
      const found = yield* read(outbox, journal);
      // Those that were given are there as soon as the engine is open, whether it has stored them yet or not.
      if (!isThere(found) && !Object.hasOwn(options, name) && (yield* journal.actors([outbox])).length === 0) return yield* new UnknownActor({ address: outbox });
      return found;
    });

  const oneAtATime = Effect.unsafeMakeSemaphore(1).withPermits(1);
  const collect = oneAtATime(
    Effect.gen(function* () {
      const { engine, doors } = yield* use;
      const { isTransient, ...collected } = yield* collectPosted(engine, doors);
      if (isTransient) doors.time.wakeAt(doors.time.now() + pluginRetryMs, () => Effect.runCallback(Effect.ignore(collect)));
      return collected;
    }),
  ) as Effect.Effect<Collected, JournalError | EngineClosed>;

  const makeFollower = ({ journal, time, report, log }: Doors): Follower => {
    let isClosing = false;
    const stop = (standing: Standing, why: string) => {
      const { run } = standing;
      standing.run = undefined;
      run?.cancellation.cancel(new Error(why));
    };
    // Of an engine that was before, on the same outboxes.
    for (const standing of standings.values()) {
      stop(standing, "another engine was opened");
      for (const waiter of standing.waiters) waiter.settle(undefined);
    }
    standings.clear();
    const begin = (address: Address, incarnation: number, context: OutboxContext, standing: Standing, isEnding: boolean) => {
      const run: Run = { incarnation, number: context.drain, cancellation: new Cancellation(), drain: undefined, isEnding };
      standing.run = run;
      const destination = options[context.destination]?.destination;
      if (destination === undefined)
        log({ level: "error", message: `nothing implements the destination "${context.destination}", its entries wait; pass it to makeOutboxes and open the engine again`, address });
      let reports = 0;
      const onUnreadable = (error: unknown) => log({ level: "error", message: "the entries of an outbox can't be read; it tries again", address, data: failureOf(error) });
      run.drain = new Drain({
        journal,
        time,
        outbox: address,
        context,
        destination,
        cancellation: run.cancellation,
        isEnding: () => isClosing || run.isEnding,
        awaited: () => standing.waiters,
        isCrowded: standing.isCrowded,
        onLooked: (isCrowded) => {
          standing.isCrowded = isCrowded;
          settleIdle(standing);
        },
        report: (kind, said) => {
          if (standing.run !== run) return;
          if (kind === "drained") standing.run = undefined;
          standing.report = { drain: run.number, reports: kind === "drained" ? Number.POSITIVE_INFINITY : ++reports, attempts: said };
          report(address, { type: `taskwright.outbox.${kind}`, at: time.now(), ...said }, incarnation);
        },
        onUnreadable,
      });
    };
    return {
      follow: (actor) => {
        const { address, id, state } = actor;
        const context = state.snapshot.context as unknown as OutboxContext;
        const { value, status } = state.snapshot as { readonly value: unknown; readonly status: string };
        const standing = standingOf(address);
        const drainState = status === "active" ? (value as { readonly draining?: string }).draining : undefined;
        const isDraining = drainState !== undefined;
        const isEnding = drainState !== "sending" && drainState !== "deferring";
        standing.isDraining = !isEnding;
        const said = standing.report;
        if (said !== undefined && (context.drain !== said.drain || !isDraining || context.reports >= said.reports)) {
          standing.report = undefined;
          if (standing.waiters.size > 0) {
            const { delivered: arrived, undelivered } = said.attempts;
            const verdicts = new Map<string, Verdict>([...arrived.map(([, key]) => [key, delivered] as const), ...undelivered.map((attempt) => [attempt.key, attempt] as const)]);
            for (const waiter of standing.waiters) if (verdicts.has(waiter.key)) waiter.settle(verdicts.get(waiter.key));
          }
        }
        const { run } = standing;
        if (run !== undefined && isEnding) run.isEnding = true;
        // Between its report and the turn that stores it, a drain is over and still the one that is asked for.
        const isGoingOn = run !== undefined && run.incarnation === id && run.number === context.drain;
        if (isGoingOn) run.drain?.follow(context);
        settleIdle(standing);
        if (isGoingOn || (run === undefined && said?.drain === context.drain && isDraining)) return;
        if (run !== undefined && context.drain > run.number) stop(standing, "another drain began");
        if (isDraining && !isClosing && standing.run === undefined) begin(address, id, context, standing, isEnding);
      },
      running: () => {
        let count = 0;
        for (const { run } of standings.values()) if (run !== undefined) count++;
        return count;
      },
      suspend: () => {
        isClosing = true;
      },
      end: () => {
        isClosing = true;
        for (const standing of standings.values()) {
          stop(standing, "the engine closed");
          for (const waiter of standing.waiters) waiter.settle(undefined);
        }
      },
    };
  };

  return {
    machines: [{ machine: outboxMachine, early: { ENQUEUE: "refuse", SURRENDER: "keep" }, events: HostEvents, within: outboxRows }],
    followers: { [outboxMachine.id]: makeFollower },
    opened: (engine, doors) => {
      bound = { engine, doors };
      const all = Object.keys(options).flatMap((name) => actorOf(name) ?? []);
      const openAll = Effect.gen(function* () {
        // All before the host's first call.
        yield* engine.startAll(all);
        // A drain that ran is gone with its process, and what waited may find its receiver back.
        for (let after = 0; ; ) {
          const page = yield* engine.list({ machine: outboxMachine.id, status: "active", after, limit: 1_000 });
          for (const { id, address, seq, context } of page) {
            after = id;
            if (seq === 1) continue;
            // One that this process began meanwhile goes on.
            const { run, report } = standingOf(address);
            const drain = run === undefined && report === undefined ? (context as OutboxContext).drain : 0;
            doors.report(address, { type: "taskwright.outbox.opened", drain, at: doors.time.now() });
          }
          if (page.length < 1_000) break;
        }
        yield* collect;
      });
      return whenOpened("the outboxes", doors, openAll);
    },
    enqueue,
    deliver,
    force: (name, by) => tell(name, (at) => ({ type: "FORCE", at }), by),
    pause: (name, by) => tell(name, () => ({ type: "PAUSE" }), by),
    resume: (name, by) => tell(name, (at) => ({ type: "CONTINUE", at }), by),
    requeue: (name, seqs, by) => tell(name, (at) => ({ type: "REQUEUE", seqs, at }), by),
    drop: (name, seqs, by) => tell(name, () => ({ type: "DROP", seqs }), by),
    adopt: (name, from) => tell(name, () => ({ type: "ADOPT", from: outboxAddress(from) })),
    open: (name, destination, policy) => Effect.flatMap(use, ({ engine }) => engine.start(outboxMachine.id, name, { destination, ...(policy === undefined ? {} : { policy }) })),
    close: (name) => tell(name, () => ({ type: "CLOSE" })),
    entries: (name, { status, after, limit = 100 } = {}) =>
      looking(
        name,
        (outbox, { entries }) => Effect.map(entries({ outbox, status, after, limit }), (rows) => rows.map(entryView)),
        (found) => found.length > 0,
      ),
    entry: (name, seq) =>
      looking(
        name,
        (outbox, { entries }) => Effect.map(entries({ outbox, after: seq - 1, upTo: seq, limit: 1 }), ([row]) => (row === undefined ? undefined : entryView(row))),
        (found) => found !== undefined,
      ),
    list: () => Effect.flatMap(use, ({ doors }) => listOutboxes(doors.journal)),
    collect: () => collect,
    counts: (name) =>
      looking(
        name,
        (outbox, { entryCounts }) => entryCounts(outbox),
        ({ pending, poisoned, unknown }) => pending + poisoned + unknown > 0,
      ),
  };
};
