import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import type * as Scope from "effect/Scope";
import * as Queue from "effect/Queue";
import * as Stream from "effect/Stream";
import type { AnyStateMachine } from "xstate";
import { ActorReference, parseJson, parseState, type Status } from "../actor/index.ts";
import { type Address, machineOf, rootAddress, wrongId } from "../domain/address.ts";
import { wrongKey } from "../domain/envelope.ts";
import { type EngineEvent, type Event, isReserved } from "../domain/event.ts";
import { type Failure, failureOf } from "../domain/json.ts";
import { checkLimits, defaultLimits, type Limits } from "../domain/limits.ts";
import type { JournalError, JournalOwned } from "../journal/index.ts";
import { type ActorRow, Journal } from "../journal/index.ts";
import { makeActivityPool } from "./activities.ts";
import { makeEffects } from "./effects.ts";
import { type ActorView, type AskOptions, Engine, type EngineStatus, type SentEvent } from "./engine.ts";
import { ActorParked, EngineClosed, InvalidAddress, InvalidEvent, InvalidOptions, type SendError, TimedOut, Unanswered, UnknownActor, UnknownMachine } from "./errors.ts";
import { failpoint } from "./failpoint.ts";
import { admit, admitEvent, type Creation, type Delivery, type Receipt } from "./intake.ts";
import { makeLifecycle } from "./lifecycle.ts";
import { Loop } from "./loop.ts";
import { makePump } from "./pump.ts";
import { type DurableMachine, makeRegistry } from "./registry.ts";
import { awaken, Resident, Residents } from "./resident.ts";
import { systemTime, Time } from "./time.ts";
import type { Transition, Turn, World } from "./turn.ts";

/** Snapshots that wait for a watcher that is slower than its actor; beyond it the oldest are skipped, never the latest. */
const watchedMax = 1_000;

export interface EngineOptions {
  /** The machines that may run: as XState made them, or with options. */
  readonly machines: ReadonlyArray<AnyStateMachine | DurableMachine>;
  readonly limits?: Partial<Limits>;
  /** What the engine has to say: failures of actions, what machines `log`. Default: errors to standard error. */
  readonly log?: (entry: LogEntry) => void;
  /** The clock; a test gives a virtual one. */
  readonly time?: Time;
}

export interface LogEntry {
  readonly level: "info" | "warning" | "error";
  readonly message: string;
  readonly address?: Address;
  readonly data?: unknown;
}

type Settle = NonNullable<Delivery["settle"]>;

/** The engine, and the few doors that only the Promise face (which settles by callback, without a fiber per event) and tests need. */
export interface EngineCore extends Engine {
  /** No turn is due or running; activities and actions may be. */
  readonly isQuiet: () => boolean;
  /** Drops all actors from memory, so that the next turn decodes what is stored. Between two turns only. */
  readonly forget: () => void;
  readonly post: {
    readonly send: (address: Address, event: SentEvent, key: string | undefined, settle: Settle) => void;
    readonly start: (machine: string, id: string, input: unknown, settle: Settle) => void;
  };
}

/** Opens an engine over the journal in the context; it is closed with the scope. */
export const make = (options: EngineOptions): Effect.Effect<EngineCore, JournalOwned | JournalError | InvalidOptions, Journal | Scope.Scope> =>
  Effect.gen(function* () {
    const journal = yield* Journal;
    const limits: Limits = { ...defaultLimits, ...options.limits };
    const problems = checkLimits(limits);
    if (problems.length > 0) return yield* new InvalidOptions({ problems });
    const registry = yield* Effect.try({
      try: () => makeRegistry(options.machines, limits),
      catch: (error) => (error instanceof InvalidOptions ? error : new InvalidOptions({ problems: [String(error)] })),
    });
    const time = options.time ?? Option.getOrElse(yield* Effect.serviceOption(Time), systemTime);
    const log = (entry: LogEntry) => {
      try {
        (options.log ?? logToStandardError)(entry);
      } catch {
        // A log that fails has nobody left to tell; the engine goes on.
      }
    };
    const owner = { id: randomUUID(), pid: process.pid, host: hostname(), leaseMs: limits.leaseMs, isAlive };
    const opened = yield* journal.open({ ...owner, now: time.now() });
    // Also where the rest of the opening fails: the next engine need not wait for the lease.
    yield* Effect.addFinalizer(() => Effect.ignore(journal.release));
    time.advanceTo(opened.latestAt);

    // --- what the engine consists of -------------------------------------------------------------------------------
    const listeners = new Set<(transition: Transition) => void>();
    const emitListeners = new Set<(address: Address, event: SentEvent) => void>();
    const watchers = new Map<Address, Set<(actor: Resident) => void>>();
    const asking = new Map<Address, (event: SentEvent) => void>();
    const settledWaiters = new Set<() => void>();
    /** Who must hear that the engine stopped. */
    const closers = new Set<() => void>();
    const charts = new Set((yield* journal.machines).map((machine) => machine.hash));
    const world: World = {
      registry,
      limits,
      residents: new Residents(limits.residentActorsMax),
      ids: { ...opened.counters },
      charts,
      observed: () => listeners.size > 0,
    };
    const pump = makePump(time, () => loop.request());
    const post = (to: Address, event: Event | EngineEvent, only?: number) => loop.post({ to, event, json: JSON.stringify(event), from: "", internal: true, only });
    const pool = makeActivityPool(limits, (id) => registry.byId.get(id), time.now, post);
    const effects = makeEffects(
      time.now,
      (to, event) => postSend(to, event, undefined, () => {}),
      (id, deadLetter) => {
        if (deadLetter !== undefined) log({ level: "error", message: "a custom action failed; it is among the dead letters", address: deadLetter.address, data: deadLetter.error });
        loop.effectDone(id, deadLetter);
      },
    );
    const lifecycle = makeLifecycle(time, {
      recover: () => {},
      probe: () => loop.probe(),
      drain: () => loop.request(),
      suspend: () => {
        pool.suspendAll();
        loop.request();
      },
      shutDown: () => {
        pump.stop();
        cancelHeartbeat();
        pool.abortAll("the engine closed");
        loop.request();
        for (const settled of [...settledWaiters]) settled();
        for (const close of [...closers]) close();
      },
    });
    const idle = () => loop.isIdle && pool.running() === 0 && effects.running() === 0 && !pump.isDue();
    const onStored = (turn: Turn) => {
      for (const { delivery, error, receipt } of turn.settlements) delivery.settle?.(error, receipt);
      for (const { row, actor, event } of turn.owed) {
        effects.run({ row, address: actor.address, registered: actor.registered, event, context: () => contextOf(actor) });
      }
      for (const actor of turn.touched) {
        if (actor.registered === registry.activity) pool.follow(actor);
        if (watchers.size > 0) for (const watcher of watchers.get(actor.address) ?? []) watcher(actor);
      }
      for (const { to, event } of turn.answers) asking.get(to)?.(event as SentEvent);
      for (const { address, event } of turn.emitted) for (const listener of emitListeners) call(() => listener(address, event as SentEvent));
      for (const { address, label, value } of turn.logs) log({ level: "info", message: label ?? "log", address, data: value });
      for (const transition of turn.transitions) for (const listener of listeners) call(() => listener(transition));
    };
    const call = (listener: () => void) => {
      try {
        listener();
      } catch (error) {
        log({ level: "error", message: "a listener threw", data: failureOf(error) });
      }
    };
    const loop = new Loop({
      journal,
      world,
      charts,
      limits,
      time,
      pump,
      state: lifecycle.state,
      onStored,
      onCommitted: () => {
        log({ level: "warning", message: "the store takes writes again" });
        lifecycle.tell({ type: "COMMITTED" });
      },
      onCommitFailed: (cause: Failure) => {
        if (lifecycle.state() !== "degraded") log({ level: "error", message: `nothing can be stored: ${cause.message}` });
        lifecycle.tell({ type: "COMMIT_FAILED", cause });
      },
      onFenced: (cause: Failure) => {
        log({ level: "error", message: cause.message });
        lifecycle.tell({ type: "FENCED", cause });
      },
    });
    loop.onIdle = () => {
      // After its grace an action that does not end is not waited for: it is owed, and runs again at the next open.
      if (lifecycle.state() === "suspending" && loop.isIdle && pool.running() === 0) lifecycle.tell({ type: "DRAINED" });
      if (!idle()) return;
      for (const settled of [...settledWaiters]) settled();
      if (lifecycle.state() === "draining" || lifecycle.state() === "suspending") lifecycle.tell({ type: "DRAINED" });
    };

    // --- the lease -------------------------------------------------------------------------------------------------
    let cancelHeartbeat = () => {};
    const heartbeat = () => {
      cancelHeartbeat = time.wakeAt(time.now() + limits.heartbeatMs, () => {
        if (lifecycle.state() !== "stopped") heartbeat();
        loop.renew();
      });
    };
    heartbeat();

    // --- recovery: what was under way is taken up again --------------------------------------------------------------
    const page = 1_000;
    for (let after = 0; ; ) {
      const mail = yield* journal.mail(after, page);
      for (const { id, envelope } of mail) {
        const { to, event, from, create } = parseJson(envelope) as { to: Address; event: Event; from: Address; create?: Creation };
        loop.post({ to, event, json: JSON.stringify(event), from, create, mail: id, internal: true });
        after = id;
      }
      if (mail.length < page) break;
    }
    for (let after = 0; ; ) {
      const rows = yield* journal.list({ machine: "activity", status: "active", after, limit: page });
      failpoint("recovery.page");
      for (const row of rows) {
        if (row.state.startsWith('{"status":"active","value":{"running"')) post(row.address, { type: "INTERRUPTED", at: time.now() });
        else if (row.state.startsWith('{"status":"active","value":"suspended"')) post(row.address, { type: "RESUMED", at: time.now() });
        after = row.id;
      }
      if (rows.length < page) break;
    }
    for (let after = 0; ; ) {
      const rows = yield* journal.effects(after, page);
      const actors = new Map((yield* journal.actorsById([...new Set(rows.map((row) => row.actor))])).map((row) => [row.id, row]));
      for (const row of rows) {
        after = row.id;
        const stored = actors.get(row.actor);
        const actor = stored === undefined ? undefined : awaken(registry, stored);
        if (!(actor instanceof Resident)) continue;
        const [asked] = yield* journal.history(actor.address, row.seq - 1, 1);
        const event = asked === undefined ? { type: "taskwright.unknown" } : (parseJson(asked.event) as Event);
        effects.run({ row, address: actor.address, registered: actor.registered, event, context: () => contextOf(actor) });
      }
      if (rows.length < page) break;
    }
    const due = yield* journal.nextWakeAfter(0);
    if (due !== undefined) pump.arm(due);
    lifecycle.begin();
    lifecycle.tell({ type: "RECOVERED" });
    loop.request();

    // --- what a host can do ------------------------------------------------------------------------------------------
    const postStart = (machine: string, id: string, input: unknown, settle: Settle): void => {
      try {
        const registered = registry.byId.get(machine);
        if (registered === undefined || registered.internal) {
          throw new UnknownMachine({ machine, known: [...registry.byId.values()].filter((known) => !known.internal).map((known) => known.definition.id) });
        }
        const wrong = wrongId(id);
        if (wrong !== undefined) throw new InvalidAddress({ address: `${machine}/${String(id)}`, detail: wrong });
        const address = rootAddress(machine, id);
        const refused = registered.checkInput?.(input);
        if (refused !== undefined) throw new InvalidEvent({ address, path: "input", detail: refused });
        const { value, json } = admit(address, input === undefined ? { type: "taskwright.start" as const } : { type: "taskwright.start" as const, input: input as never }, limits);
        loop.post({ to: address, event: value, json, from: "", create: { machine, parentId: 0, parent: undefined, token: 0, replaces: false }, settle });
      } catch (error) {
        settle(error, undefined);
      }
    };
    /** An event from outside, checked in every way that needs no look at the actor. */
    const admitted = (address: Address, event: SentEvent) => {
      checkAddress(address);
      const checked = admitEvent(address, event, limits);
      const isRoot = address.indexOf("/") === address.lastIndexOf("/");
      const refused = isRoot ? registry.byId.get(machineOf(address))?.checkEvent?.(checked.value) : undefined;
      if (refused !== undefined) throw new InvalidEvent({ address, path: "", detail: refused });
      return checked;
    };
    const postSend = (address: Address, event: SentEvent, key: string | undefined, settle: Settle, replyTo?: ActorReference): void => {
      try {
        const wrong = key === undefined ? undefined : wrongKey(key);
        if (wrong !== undefined) throw new InvalidEvent({ address, path: "key", detail: wrong });
        const { value, json } = admitted(address, event);
        if (replyTo === undefined) loop.post({ to: address, event: value, json, from: "", key, settle });
        else {
          const told = { ...value, replyTo };
          loop.post({ to: address, event: told, json: JSON.stringify(told), from: "", key, settle });
        }
      } catch (error) {
        settle(error, undefined);
      }
    };
    const receive = (run: (settle: Settle) => void): Effect.Effect<Receipt, SendError> =>
      Effect.async((resume) => run((error, receipt) => resume(error === undefined ? Effect.succeed(receipt as Receipt) : Effect.fail(error as SendError))));

    const viewOfRow = (row: ActorRow): ActorView => {
      const actor = awaken(registry, row);
      if (actor instanceof Resident) return viewOf(actor);
      throw new ActorParked({ ...actor });
    };
    const snapshot = (address: Address): Effect.Effect<ActorView, SendError | JournalError> =>
      Effect.gen(function* () {
        const [row] = yield* journal.actors([address]);
        if (row === undefined) return yield* new UnknownActor({ address });
        return yield* Effect.try({ try: () => viewOfRow(row), catch: (error) => error as ActorParked });
      });
    const onChange = (address: Address, watcher: (actor: Resident) => void): (() => void) => {
      const set = watchers.get(address) ?? new Set();
      watchers.set(address, set.add(watcher));
      return () => {
        set.delete(watcher);
        if (set.size === 0) watchers.delete(address);
      };
    };
    /** Fails after `ms` of the engine's own time. */
    const orTimedOut = <A, E, R>(effect: Effect.Effect<A, E, R>, address: Address, what: string, timeout: Duration.DurationInput | undefined): Effect.Effect<A, E | TimedOut, R> => {
      if (timeout === undefined) return effect;
      const ms = Duration.toMillis(timeout);
      if (!Number.isFinite(ms)) return effect;
      const over = Effect.async<never, TimedOut>((resume) => {
        const cancel = time.wakeAt(time.now() + ms, () => resume(new TimedOut({ address, what, ms })));
        return Effect.sync(cancel);
      });
      return Effect.raceFirst(effect, over);
    };
    /** Fails when the engine stops: nobody waits for what can't come any more. */
    const untilClosed = Effect.async<never, EngineClosed>((resume) => {
      const close = () => resume(new EngineClosed({ detail: "it was closed meanwhile" }));
      if (lifecycle.state() === "stopped") return close();
      closers.add(close);
      return Effect.sync(() => closers.delete(close));
    });
    let asked = 0;

    const engine: EngineCore = {
      post: { send: postSend, start: postStart },
      isQuiet: () => loop.isQuiet,
      forget: () => world.residents.clear(),
      start: (machine, id, input) => receive((settle) => postStart(machine, id, input, settle)),
      startAll: (actors) => Effect.forEach(actors, ({ machine, id, input }) => receive((settle) => postStart(machine, id, input, settle)), { concurrency: "unbounded" }),
      send: (address, event, sendOptions) => receive((settle) => postSend(address, event, sendOptions?.key, settle)),
      report: (address, event) => {
        const { value, json } = admitted(address, event);
        loop.post({ to: address, event: value, json, from: "", kept: true });
      },
      ask: (address, event, askOptions: AskOptions = {}) =>
        Effect.suspend(() => {
          const replyTo = new ActorReference(`ask/${owner.id}.${++asked}`);
          const answer = Effect.async<SentEvent, SendError | Unanswered>((resume) => {
            asking.set(replyTo.address, (reply) => resume(Effect.succeed(reply)));
            postSend(
              address,
              event,
              askOptions.key,
              (error, receipt) => {
                if (error !== undefined) resume(Effect.fail(error as SendError));
                else if (receipt?.duplicate === true) resume(new Unanswered({ address, event: event.type, outcome: "handled by an earlier call with the same key" }));
                else if (receipt !== undefined && receipt.outcome !== "handled") resume(new Unanswered({ address, event: event.type, outcome: receipt.outcome }));
              },
              replyTo,
            );
          });
          return orTimedOut(Effect.raceFirst(answer, untilClosed), address, `"${event.type}" was not answered`, askOptions.timeout ?? "30 seconds").pipe(
            Effect.ensuring(Effect.sync(() => asking.delete(replyTo.address))),
          );
        }),
      snapshot,
      waitFor: (address, predicate, waitOptions) =>
        Effect.suspend(() => {
          let stop = () => {};
          const satisfied = Effect.async<ActorView, SendError | JournalError>((resume) => {
            const look = (view: ActorView) => {
              try {
                if (predicate(view)) resume(Effect.succeed(view));
              } catch (error) {
                resume(Effect.die(error));
              }
            };
            stop = onChange(address, (actor) => look(copyOf(actor)));
            Effect.runCallback(snapshot(address), { onExit: (exit) => (exit._tag === "Success" ? look(exit.value) : resume(exit)) });
          });
          return orTimedOut(Effect.raceFirst(satisfied, untilClosed), address, "the awaited state was not reached", waitOptions?.timeout).pipe(Effect.ensuring(Effect.sync(() => stop())));
        }),
      history: (address, { after = 0, limit = 1_000 } = {}) =>
        Effect.map(journal.history(address, after, limit), (rows) =>
          rows.map(({ seq, at, event, outcome, from, stateHash }) => ({ seq, at, event: JSON.parse(event) as SentEvent, outcome, from, stateHash })),
        ),
      watch: (address) =>
        Stream.unwrapScoped(
          Effect.gen(function* () {
            // Listens before it reads: a change in between is heard, and what the first read shows already is dropped.
            const changes = yield* Queue.sliding<ActorView>(watchedMax);
            const stop = onChange(address, (actor) => void changes.unsafeOffer(copyOf(actor)));
            yield* Effect.addFinalizer(() => Effect.sync(stop));
            const first = yield* snapshot(address);
            const isNew = (view: ActorView) => view.id > first.id || (view.id === first.id && view.seq > first.seq);
            return Stream.concat(Stream.make(first), Stream.fromQueue(changes).pipe(Stream.filter(isNew), Stream.interruptWhen(Effect.ignore(untilClosed))));
          }),
        ),
      list: (filter) => Effect.map(journal.list({ limit: 100, ...filter }), (rows) => rows.map((row) => viewOfStored(row, registry.byHash.get(row.hash)?.definition.version ?? ""))),
      counts: journal.counts,
      deadLetters: ({ after = 0, limit = 100 } = {}) =>
        Effect.map(journal.deadLetters(after, limit), (rows) =>
          rows.map(({ id, address, at, envelope, error }) => {
            const { event, from } = JSON.parse(envelope) as { event: SentEvent; from: Address };
            return { id, address, at, event, from, error: JSON.parse(error) as Failure };
          }),
        ),
      observe: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      onEmitted: (listener) => {
        emitListeners.add(listener);
        return () => emitListeners.delete(listener);
      },
      status: (): EngineStatus => ({
        state: lifecycle.state(),
        cause: lifecycle.context().cause ?? undefined,
        waiting: loop.waiting,
        activities: pool.running(),
        residents: world.residents.size,
        turns: loop.turns,
        transitions: loop.transitions,
        owner: { epoch: opened.epoch, id: owner.id },
      }),
      settled: Effect.async<void>((resume) => {
        const done = () => {
          settledWaiters.delete(done);
          resume(Effect.void);
        };
        if (idle() || lifecycle.state() === "stopped") done();
        else {
          settledWaiters.add(done);
          loop.request();
        }
      }),
      close: (closeOptions) =>
        Effect.async<void>((resume) => {
          const graceMs = Duration.toMillis(closeOptions?.grace ?? "5 seconds");
          if (lifecycle.state() === "stopped") return resume(Effect.void);
          closers.add(() => resume(Effect.void));
          if (lifecycle.state() !== "draining" && lifecycle.state() !== "suspending") lifecycle.tell({ type: "CLOSE", graceMs });
        }).pipe(Effect.zipRight(Effect.ignore(journal.release))),
    };
    yield* Effect.addFinalizer(() => engine.close());
    return engine;
  });

/** The engine as a layer over a journal. */
export const layer = (options: EngineOptions): Layer.Layer<Engine, JournalOwned | JournalError | InvalidOptions, Journal> => Layer.scoped(Engine, make(options));

const checkAddress = (address: Address): void => {
  if (typeof address !== "string" || !/^[^/]+(?:\/[^/]+)+$/.test(address)) throw new InvalidAddress({ address: String(address), detail: "a machine's id, a slash and the actor's id are needed" });
  if (isReserved(address) || address.startsWith("ask/")) throw new InvalidAddress({ address, detail: "this address belongs to the engine" });
};

/** An actor in memory as others may see it. */
export const viewOf = (actor: Resident): ActorView => {
  const { definition } = actor.registered;
  const { snapshot, children, timers } = actor.state;
  const { error } = snapshot as { error: unknown };
  return {
    id: actor.id,
    address: actor.address,
    machine: definition.id,
    version: definition.version,
    hash: definition.hash,
    status: snapshot.status,
    value: snapshot.value,
    context: snapshot.context,
    tags: [...snapshot.tags],
    output: snapshot.output,
    error: error === undefined ? undefined : failureOf(error),
    children,
    timers,
    seq: actor.seq,
    at: actor.at,
    createdAt: actor.createdAt,
  };
};

/** The same of an actor that stays in memory: read from its stored form, because a host may change what it is given. */
const copyOf = (actor: Resident): ActorView => {
  const { context, output, children = {}, timers = {} } = parseState(actor.json);
  return { ...viewOf(actor), context, output, children, timers };
};

const contextOf = (actor: Resident): unknown => parseState(actor.json).context;

/**
 * A stored actor as others may see it, without the machine that wrote it (so without tags). One whose state can't be
 * read is shown with what is known of it, and with the reason as its error.
 */
export const viewOfStored = (row: ActorRow, version: string): ActorView => {
  const { id, address, machine, hash, seq, at, createdAt } = row;
  const known = { id, address, machine, version, hash, tags: [], seq, at, createdAt };
  try {
    const { status, value, context, output, error, children, timers } = parseState(row.state);
    return { ...known, status, value, context, output, error, children: children ?? {}, timers: timers ?? {} };
  } catch (error) {
    return { ...known, status: row.status as Status, value: {}, context: undefined, output: undefined, error: failureOf(error), children: {}, timers: {} };
  }
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === "EPERM";
  }
};

const logToStandardError = (entry: LogEntry): void => {
  if (entry.level === "error") console.error(`taskwright: ${entry.address === undefined ? "" : `${entry.address}: `}${entry.message}`, entry.data ?? "");
};
