import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Queue from "effect/Queue";
import * as Stream from "effect/Stream";
import { ActorReference, step, type StoredState } from "../actor/index.ts";
import { type Address, rootAddress, wrongId } from "../domain/address.ts";
import { wrongKey } from "../domain/envelope.ts";
import { type Event, isReserved } from "../domain/event.ts";
import { failureOf } from "../domain/json.ts";
import type { Limits } from "../domain/limits.ts";
import type { ActorRow, Journal, JournalError } from "../journal/index.ts";
import type { AnyStateMachine } from "xstate";
import type { ActivityPool } from "./activities.ts";
import type { Audience } from "./audience.ts";
import type { ActorToStart, ActorView, AskOptions, Engine, EngineStatus, SendOptions, SentEvent, StartOptions } from "./engine.ts";
import { limitOf } from "./bounds.ts";
import { ActorParked, EngineBusy, EngineClosed, InvalidAddress, InvalidEvent, type SendError, TimedOut, Unanswered, UnknownActor, UnknownMachine } from "./errors.ts";
import { callNames, demandMigrateOptions, demandNames, timeoutOf } from "./given.ts";
import { demandRegistered, idOf, machineOf, type MachineOrEntry, makeHandle, type Mapping } from "./handle.ts";
import { admit, admitEvent, type Delivery, nameOf, type Receipt } from "./intake.ts";
import { keyed } from "./request.ts";
import { makeLetterCalls } from "./letter-calls.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Loop } from "./loop.ts";
import type { Refusals } from "./refusals.ts";
import type { Registry } from "./registry.ts";
import type { Sweep } from "./retention.ts";
import { awaken, Resident, type Residents } from "./resident.ts";
import type { Time } from "./time.ts";
import { findParked, migrateAll } from "./migration.ts";
import { read, writerOf } from "./versions.ts";
import { copyOf, viewOf, viewOfStored } from "./view.ts";

export type Settle = NonNullable<Delivery["settle"]>;

/** The engine, and the few doors that only the Promise face (which settles by callback, without a fiber per event) and tests need. */
export interface EngineCore extends Engine {
  /** No turn is due or running; activities and actions may be. */
  readonly isQuiet: () => boolean;
  /** Drops all actors from memory, so that the next turn decodes what is stored. Between two turns only. */
  readonly forget: () => void;
  readonly registry: Registry;
  readonly deadLetterCount: Effect.Effect<number, JournalError>;
  /** The engine's clock: milliseconds since 1970. */
  readonly now: () => number;
  /** Attempts of activities that begin from now on run under these spans; the last one that is given counts. Returns how to stop. */
  readonly traceAttempts: ActivityPool["trace"];
  readonly post: {
    /** `only`: to no other incarnation than this one; where that has ended, nobody is told, and nothing is settled. */
    readonly send: (address: Address, event: SentEvent, options: SendOptions | undefined, settle: Settle, replyTo?: ActorReference, only?: number) => void;
    readonly start: (machine: string, id: string, input: unknown, options: StartOptions | undefined, settle: Settle) => void;
    /** Settled with the first error, or once with all receipts. */
    readonly startAll: (actors: ReadonlyArray<ActorToStart>, settle: (error: unknown, receipts: ReadonlyArray<Receipt> | undefined) => void) => void;
  };
}

export interface Parts {
  readonly journal: Journal;
  readonly limits: Limits;
  readonly refusals: Refusals;
  readonly registry: Registry;
  readonly residents: Residents;
  readonly sweep: Sweep;
  readonly loop: Loop;
  readonly pool: ActivityPool;
  readonly lifecycle: Lifecycle;
  readonly audience: Audience;
  readonly time: Time;
  readonly owner: { readonly id: string; readonly epoch: number };
  /** Nothing is queued, due or running. */
  readonly idle: () => boolean;
}

/** What a host can do with an engine: each call checks what it is given before anything is queued or read. */
export const makeCalls = ({ journal, limits, refusals, registry, residents, sweep, loop, pool, lifecycle, audience, time, owner, idle }: Parts): EngineCore => {
  /** What a call is refused with; a limit that was the reason is counted. */
  const refused = (error: unknown): unknown => {
    const limit = limitOf(error);
    if (limit !== undefined) refusals.reached(limit);
    return error;
  };
  /** One more call that waits, or too many. */
  const waiter: Effect.Effect<void, EngineBusy> = Effect.suspend(() => {
    const { waiting } = audience;
    if (waiting < limits.waitersMax) return Effect.void;
    refusals.reached("waitersMax");
    return new EngineBusy({ limit: "waitersMax", waiting, waitingMax: limits.waitersMax });
  });
  const startOf = (machine: string, id: string, input: unknown, by: string | undefined): Delivery => {
    const registered = registry.byId.get(machine);
    if (registered === undefined || registered.internal) {
      throw new UnknownMachine({ machine, known: [...registry.byId.values()].filter((known) => !known.internal).map((known) => known.definition.id) });
    }
    const wrong = wrongId(id);
    if (wrong !== undefined) throw new InvalidAddress({ address: `${machine}/${String(id)}`, detail: wrong });
    const address = rootAddress(machine, id);
    const from = nameOf(address, by);
    const { value, json } = admit(address, input === undefined ? { type: "taskwright.start" as const } : { type: "taskwright.start" as const, input: input as never }, limits);
    return { to: address, event: value, json, from, create: { machine, parentId: 0, parent: undefined, token: 0, replaces: false } };
  };
  const postStart = (machine: string, id: string, input: unknown, startOptions: StartOptions | undefined, settle: Settle): void => {
    try {
      if (startOptions !== undefined) demandNames(rootAddress(machine, id), startOptions, callNames.start);
      loop.post({ ...startOf(machine, id, input, startOptions?.by), settle });
    } catch (error) {
      settle(refused(error), undefined);
    }
  };
  /** All are checked before any is queued. */
  const postStarts: EngineCore["post"]["startAll"] = (actors, settle) => {
    const receipts = new Array<Receipt>(actors.length);
    let left = actors.length;
    if (left === 0) return settle(undefined, receipts);
    const settled =
      (index: number): Settle =>
      (error, receipt) => {
        if (error !== undefined) return settle(error, undefined);
        receipts[index] = receipt as Receipt;
        if (--left === 0) settle(undefined, receipts);
      };
    try {
      const starts = actors.map(({ machine, id, input, by }) => startOf(machine, id, input, by));
      for (let from = 0; from < starts.length; from += limits.startsTogetherMax) {
        const together = {};
        loop.postTogether(starts.slice(from, from + limits.startsTogetherMax).map((start, index) => ({ ...start, together, settle: settled(from + index) })));
      }
    } catch (error) {
      settle(refused(error), undefined);
    }
  };
  /** An event from outside, checked in every way that needs no look at the actor. */
  const admitted = (address: Address, event: SentEvent) => {
    checkAddress(address);
    return admitEvent(address, event, limits);
  };
  const postSend = (address: Address, event: SentEvent, sendOptions: SendOptions | undefined, settle: Settle, replyTo?: ActorReference, only?: number): void => {
    try {
      demandNames(address, sendOptions, replyTo === undefined ? callNames.send : callNames.ask);
      const { key, by, exact } = sendOptions ?? {};
      const from = nameOf(address, by);
      const wrong = key === undefined ? undefined : wrongKey(key);
      if (wrong !== undefined) throw new InvalidEvent({ address, path: "key", detail: wrong });
      const { value, json } = admitted(address, event);
      const request = key === undefined ? undefined : keyed(value, exact);
      if (replyTo === undefined) loop.post({ to: address, event: value, json, from, key, request, settle, only });
      else {
        const told = { ...value, replyTo };
        loop.post({ to: address, event: told, json: JSON.stringify(told), from, key, request, settle });
      }
    } catch (error) {
      settle(refused(error), undefined);
    }
  };
  const receive = (run: (settle: Settle) => void): Effect.Effect<Receipt, SendError> =>
    Effect.async((resume) => run((error, receipt) => resume(error === undefined ? Effect.succeed(receipt as Receipt) : Effect.fail(error as SendError))));

  const viewOfRow = (row: ActorRow): ActorView => {
    const reading = read(registry, row, time.now());
    if (reading.kind === "parked") throw new ActorParked({ ...reading.parked });
    // As it is stored: it moves to the other form of its machine when it is next told something.
    if (reading.kind === "move" || reading.registered.definition.hash !== row.hash) return viewOfStored(row, versionOf(row));
    return viewOf(new Resident(row, reading.registered, reading.state));
  };
  const versionOf = (row: ActorRow): string => writerOf(registry, row.hash)?.version ?? "";
  /** Steps a copy that nobody else has: what is read from its row. */
  const wouldHandle = (row: ActorRow, event: Event): boolean => {
    const actor = awaken(registry, row, time.now());
    if (!(actor instanceof Resident)) throw new ActorParked({ ...actor });
    const { definition, contract, internal } = actor.registered;
    if (internal) throw new InvalidAddress({ address: row.address, detail: "this actor is the engine's own; send to the actor that invoked it" });
    const told = contract?.event === undefined ? event : contract.event(row.address, event).value;
    const before: unknown = actor.state.snapshot.context;
    try {
      const next = step(definition, actor.state, told, time.now());
      contract?.step?.(before, next);
      return next.outcome === "handled";
    } catch {
      return false;
    }
  };
  const snapshot = (address: Address): Effect.Effect<ActorView, SendError | JournalError> =>
    Effect.gen(function* () {
      const [row] = yield* journal.actors([address]);
      if (row === undefined) return yield* new UnknownActor({ address });
      return yield* Effect.try({ try: () => viewOfRow(row), catch: (error) => error as ActorParked });
    });
  /** Fails after `ms` of the engine's own time. */
  const orTimedOut = <A, E, R>(effect: Effect.Effect<A, E, R>, address: Address, what: () => string, ms: number | undefined): Effect.Effect<A, E | TimedOut, R> => {
    if (ms === undefined || !Number.isFinite(ms)) return effect;
    const over = Effect.async<never, TimedOut>((resume) => {
      const cancel = time.wakeAt(time.now() + ms, () => resume(new TimedOut({ address, what: what(), ms })));
      return Effect.sync(cancel);
    });
    return Effect.raceFirst(effect, over);
  };
  /** Fails when the engine stops: nobody waits for what can't come any more. */
  const untilClosed = Effect.async<never, EngineClosed>((resume) => {
    const close = () => resume(new EngineClosed({ detail: "it was closed meanwhile" }));
    if (lifecycle.state() === "stopped") return close();
    audience.closed.add(close);
    return Effect.sync(() => audience.closed.delete(close));
  });
  let asked = 0;

  const core: EngineCore = {
    registry,
    now: () => time.now(),
    post: { send: postSend, start: postStart, startAll: postStarts },
    deadLetterCount: journal.deadLetterCount,
    traceAttempts: pool.trace,
    isQuiet: () => loop.isQuiet,
    forget: () => residents.clear(),
    start: (machine: string | MachineOrEntry<AnyStateMachine>, id: string, input?: unknown, startOptions?: StartOptions) =>
      receive((settle) => postStart(idOf(machine), id, input, startOptions, settle)),
    startAll: (actors) =>
      Effect.async((resume) => postStarts(actors, (error, receipts) => resume(error === undefined ? Effect.succeed(receipts as ReadonlyArray<Receipt>) : Effect.fail(error as SendError)))),
    send: (address, event, sendOptions) => receive((settle) => postSend(address, event, sendOptions, settle)),
    report: (address, event) => {
      try {
        const { value, json } = admitted(address, event);
        loop.post({ to: address, event: value, json, from: "", kept: true });
      } catch (error) {
        throw refused(error);
      }
    },
    ask: (address, event, askOptions: AskOptions = {}) =>
      Effect.flatMap(Effect.zipRight(waiter, timeoutOf(address, askOptions, callNames.ask, "30 seconds")), (ms) => {
        const replyTo = new ActorReference(`ask/${owner.id}.${++asked}`);
        const answer = Effect.async<SentEvent, SendError | Unanswered>((resume) => {
          audience.asking.set(replyTo.address, (reply) => resume(Effect.succeed(reply)));
          postSend(
            address,
            event,
            askOptions,
            (error, receipt) => {
              if (error !== undefined) resume(Effect.fail(error as SendError));
              else if (receipt?.duplicate === true) resume(new Unanswered({ address, event: event.type, outcome: "handled by an earlier call with the same key" }));
              else if (receipt !== undefined && receipt.outcome !== "handled" && receipt.outcome !== "kept") resume(new Unanswered({ address, event: event.type, outcome: receipt.outcome }));
            },
            replyTo,
          );
        });
        return orTimedOut(Effect.raceFirst(answer, untilClosed), address, () => `"${event.type}" was not answered`, ms).pipe(
          Effect.ensuring(Effect.sync(() => audience.asking.delete(replyTo.address))),
        );
      }),
    can: (address, event) =>
      Effect.gen(function* () {
        const { value } = yield* Effect.try({ try: () => admitted(address, event), catch: (error) => error as SendError });
        const [row] = yield* journal.actors([address]);
        if (row === undefined) return yield* new UnknownActor({ address });
        return yield* Effect.try({ try: () => wouldHandle(row, value), catch: (error) => error as SendError });
      }),
    actor: (given) =>
      Effect.try({
        try: () => {
          const machine = machineOf(given);
          demandRegistered(registry, machine);
          return makeHandle<typeof machine, "effect">(machine, core, inEffects);
        },
        catch: (error) => error as UnknownMachine,
      }),
    snapshot,
    waitFor: (address, predicate, waitOptions) =>
      Effect.flatMap(Effect.zipRight(waiter, timeoutOf(address, waitOptions, callNames.waitFor)), (ms) => {
        let stop = () => {};
        let last: ActorView | undefined;
        const satisfied = Effect.async<ActorView, SendError | JournalError>((resume) => {
          const look = (view: ActorView) => {
            last = view;
            try {
              if (predicate(view)) resume(Effect.succeed(view));
            } catch (error) {
              resume(Effect.die(readable(error)));
            }
          };
          stop = audience.watch(address, (actor) => look(copyOf(actor)));
          Effect.runCallback(snapshot(address), { onExit: (exit) => (exit._tag === "Success" ? look(exit.value) : resume(exit)) });
        });
        return orTimedOut(
          Effect.raceFirst(satisfied, untilClosed),
          address,
          () => `the awaited state was not reached${last === undefined ? "" : ` (it stands in ${JSON.stringify(last.value)})`}`,
          ms,
        ).pipe(Effect.ensuring(Effect.sync(() => stop())));
      }),
    history: (address, { after = 0, limit = 1_000 } = {}) =>
      Effect.gen(function* () {
        const rows = yield* journal.history(address, after, limit);
        if (rows.length === 0 && (yield* journal.actors([address])).length === 0) return yield* new UnknownActor({ address });
        return rows.map(({ seq, at, event, outcome, from, stateHash }) => ({ seq, at, event: JSON.parse(event) as SentEvent, outcome, from, stateHash }));
      }),
    changes: ({ after = 0, limit = 1_000 } = {}) =>
      Effect.map(journal.changes(after, limit), (rows) => rows.map(({ actor: _, type: _type, event, ...row }) => ({ ...row, event: JSON.parse(event) as SentEvent }))),
    historyStart: (address) =>
      Effect.map(journal.checkpoint(address), (row) => {
        if (row === undefined) return undefined;
        const { seq, at, hash, state, start } = row;
        return {
          seq,
          at,
          hash,
          version: writerOf(registry, hash)?.version ?? "",
          state: JSON.parse(state) as StoredState,
          input: start === "" ? undefined : (JSON.parse(start) as { input?: unknown }).input,
        };
      }),
    watch: (address) =>
      Stream.unwrapScoped(
        Effect.gen(function* () {
          yield* waiter;
          // Listens before it reads: a change in between is heard, and what the first read shows already is dropped.
          const changes = yield* Queue.sliding<ActorView>(limits.watchedMax);
          const stop = audience.watch(address, (actor) => {
            const view = copyOf(actor);
            // A full queue refuses an unsafe offer, whatever its strategy: only `offer` lets the oldest go.
            if (!changes.unsafeOffer(view)) Effect.runSync(changes.offer(view));
          });
          yield* Effect.addFinalizer(() => Effect.sync(stop));
          const first = yield* snapshot(address);
          const isNew = (view: ActorView) => view.id > first.id || (view.id === first.id && view.seq > first.seq);
          return Stream.concat(Stream.make(first), Stream.fromQueue(changes).pipe(Stream.filter(isNew), Stream.interruptWhen(Effect.ignore(untilClosed))));
        }),
      ),
    list: (filter = {}) => Effect.map(journal.list({ limit: 100, ...filter }), (rows) => rows.map((row) => viewOfStored(row, versionOf(row)))),
    counts: journal.counts,
    ...makeLetterCalls(journal, loop, limits),
    parked: ({ after = 0, limit = 100 } = {}) => findParked({ journal, registry, now: time.now }, after, limit),
    migrate: (machine, migrateOptions = {}) =>
      Effect.zipRight(demandMigrateOptions(migrateOptions), migrateAll({ journal, registry, now: time.now, post: (delivery) => loop.post(delivery) }, machine, migrateOptions)),
    buildOf: (address) => Effect.map(journal.buildOf(address), (row) => (row === undefined ? undefined : { build: row.build, epoch: row.epoch, since: row.at })),
    observe: (listener) => {
      audience.transitions.add(listener);
      return () => audience.transitions.delete(listener);
    },
    onEmitted: (listener) => {
      audience.emitted.add(listener);
      return () => audience.emitted.delete(listener);
    },
    status: (): EngineStatus => ({
      state: lifecycle.state(),
      cause: lifecycle.context().cause ?? undefined,
      waiting: loop.waiting,
      activities: pool.running(),
      residents: residents.size,
      turns: loop.turns,
      transitions: loop.transitions,
      refused: { ...refusals.counts },
      pruned: sweep.pruned,
      owner: owner,
    }),
    settled: Effect.async<void>((resume) => {
      const done = () => {
        audience.settled.delete(done);
        resume(Effect.void);
      };
      if (idle() || lifecycle.state() === "stopped") done();
      else {
        audience.settled.add(done);
        loop.request();
      }
    }),
    close: (closeOptions) =>
      Effect.async<void>((resume) => {
        const graceMs = Duration.toMillis(closeOptions?.grace ?? "5 seconds");
        if (lifecycle.state() === "stopped") return resume(Effect.void);
        audience.closed.add(() => resume(Effect.void));
        if (lifecycle.state() !== "draining" && lifecycle.state() !== "suspending") lifecycle.tell({ type: "CLOSE", graceMs });
      }).pipe(Effect.zipRight(Effect.ignore(journal.release))),
  };
  return core;
};

const inEffects: Mapping<"effect"> = { one: (call, change) => Effect.map(call, change), many: (calls, change) => Stream.map(calls, change) };

const checkAddress = (address: Address): void => {
  if (typeof address !== "string" || !/^[^/]+(?:\/[^/]+)+$/.test(address)) throw new InvalidAddress({ address: String(address), detail: "a machine's id, a slash and the actor's id are needed" });
  if (isReserved(address) || address.startsWith("ask/")) throw new InvalidAddress({ address, detail: "this address belongs to the engine" });
};

/** What a host's code threw, as it is; where it can't even be looked at, an error in its stead. */
const readable = (thrown: unknown): unknown => {
  try {
    if (typeof thrown === "object" && thrown !== null) Reflect.has(thrown, "stack");
    return thrown;
  } catch {
    return new Error(failureOf(thrown).message);
  }
};
