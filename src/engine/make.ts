import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import type * as Scope from "effect/Scope";
import type { AnyStateMachine } from "xstate";
import type { Address } from "../domain/address.ts";
import type { EngineEvent, Event } from "../domain/event.ts";
import { type Failure, failureOf } from "../domain/json.ts";
import { checkLimits, defaultLimits, type Limits } from "../domain/limits.ts";
import { type AllNames, checkNames, said } from "../domain/names.ts";
import { checkRetention, type Retention } from "../domain/retention.ts";
import type { JournalOwned } from "../journal/index.ts";
import { emptyTurn, Journal, JournalError } from "../journal/index.ts";
import { makeActivityPool } from "./activities.ts";
import { Audience } from "./audience.ts";
import { type EngineCore, makeCalls } from "./calls.ts";
import { Careful, crashMark } from "./careful.ts";
import { hintLines } from "./check-machines.ts";
import { makeEffects } from "./effects.ts";
import { Engine } from "./engine.ts";
import { InvalidOptions } from "./errors.ts";
import { makeFibers } from "./fibers.ts";
import type { Doors, Follower, Plugin } from "./plugin.ts";
import { makeLivePool } from "./live.ts";
import { makeLifecycle } from "./lifecycle.ts";
import { LetterRoom } from "./letters.ts";
import { Loop } from "./loop.ts";
import { makePump } from "./pump.ts";
import { parkedAtOpening } from "./migration.ts";
import { recover } from "./recover.ts";
import { Refusals } from "./refusals.ts";
import { type DurableMachine, makeRegistry, type Registered } from "./registry.ts";
import { Residents } from "./resident.ts";
import type { ServicesOf } from "./services.ts";
import { Sweep } from "./retention.ts";
import { systemTime, Time } from "./time.ts";
import type { Turn, World } from "./turn.ts";
import { contextOf } from "./view.ts";

export interface EngineOptions {
  /** The machines that may run: as XState made them, or with options. */
  readonly machines: ReadonlyArray<AnyStateMachine | DurableMachine>;
  readonly limits?: Partial<Limits>;
  /** How long ended actors and histories are kept. Default: for ever. A machine may say otherwise for its own. */
  readonly retention?: Retention;
  /** Names the program that embeds the engine (a commit, a release). Default: the environment variable TASKWRIGHT_BUILD, or nothing. */
  readonly build?: string;
  /** What the engine has to say: failures of actions, what machines `log`, hints about machines. Default: errors and warnings to standard error. */
  readonly log?: (entry: LogEntry) => void;
  /** Parts beside the engine with machines of their own, such as outboxes. */
  readonly plugins?: ReadonlyArray<Plugin>;
  /** The clock; a test gives a virtual one. */
  readonly time?: Time;
}

export interface LogEntry {
  readonly level: "info" | "warning" | "error";
  readonly message: string;
  readonly address?: Address;
  readonly data?: unknown;
}

type Machines = EngineOptions["machines"];

export const engineOptionNames: AllNames<EngineOptions> = { machines: true, limits: true, retention: true, build: true, log: true, plugins: true, time: true };

const checkOptions = (options: EngineOptions, limits: Limits): ReadonlyArray<string> => {
  const { machines, plugins = [], log = () => {}, retention = {} } = options;
  return [
    ...checkNames(options, engineOptionNames),
    ...(Array.isArray(machines) ? [] : [`machines must be a list of machines, got ${said(machines)}`]),
    ...(Array.isArray(plugins) ? [] : [`plugins must be a list, got ${said(plugins)}`]),
    ...(typeof log === "function" ? [] : [`log must be a function, got ${said(log)}`]),
    ...checkLimits(limits).map((problem) => `limits: ${problem}`),
    ...checkRetention(retention).map((problem) => `retention: ${problem}`),
  ];
};

/** Opens an engine over the journal in the context; it is closed with the scope. Needs what the machines' effects need. */
export const make = <const Given extends Machines>(
  options: EngineOptions & { readonly machines: Given },
): Effect.Effect<EngineCore, JournalOwned | JournalError | InvalidOptions, Journal | Scope.Scope | ServicesOf<Given[number]>> =>
  Effect.gen(function* () {
    const journal = yield* Journal;
    const limits: Limits = { ...defaultLimits, ...options.limits };
    const problems = checkOptions(options, limits);
    if (problems.length > 0) return yield* new InvalidOptions({ problems });
    const plugins = options.plugins ?? [];
    const registry = yield* Effect.try({
      try: () => makeRegistry([...options.machines, ...plugins.flatMap(({ machines }) => machines)], limits),
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
    for (const message of hintLines(options.machines)) log({ level: "info", message });
    const owner = { id: randomUUID(), pid: process.pid, host: hostname(), build: options.build ?? process.env.TASKWRIGHT_BUILD ?? "", leaseMs: limits.leaseMs, isAlive };
    const opened = yield* journal.open({ ...owner, now: time.now() });
    // Also where the rest of the opening fails: the next engine need not wait for the lease.
    yield* Effect.addFinalizer(() => Effect.ignore(journal.release));
    time.advanceTo(opened.latestAt);
    const attempts = yield* journal.attempts;
    // The mark stands until the end of what was there: an opening that fails half-way must not pass for a proper end.
    if (!opened.released) yield* Effect.mapError(journal.commit({ ...emptyTurn, attempts: [crashMark(attempts)] }), (error) => (error._tag === "JournalFenced" ? lostAtOnce(error.where) : error));
    const careful =
      opened.released && attempts.length === 0
        ? undefined
        : new Careful({ journal, attempts, redeliveriesMax: limits.redeliveriesMax, togetherMax: limits.turnEnvelopesMax, mailUntil: opened.counters.mail, dueUntil: time.now() });

    // Ends after the engine was closed, and before the services that its effects use.
    const fibers = yield* makeFibers;

    // --- what the engine consists of -------------------------------------------------------------------------------
    const refusals = new Refusals();
    const audience = new Audience(log);
    for (const machine of yield* journal.machines) registry.stored.set(machine.hash, machine);
    const world: World = {
      registry,
      limits,
      residents: new Residents(limits.residentActorsMax),
      ids: { ...opened.counters },
      observed: () => audience.transitions.size > 0,
      mailbox: () => loop.mailbox,
      owing: () => effects.running(),
      reached: refusals.reached,
    };
    const sweep = new Sweep({ journal, registry, residents: world.residents, limits, retention: options.retention ?? {} });
    const pump = makePump(time, () => loop.request());
    const post = (to: Address, event: Event | EngineEvent, only?: number) => loop.post({ to, event, json: JSON.stringify(event), from: "", internal: true, only });
    const waits = (address: Address, { machine, src }: { readonly machine: string; readonly src: string }) =>
      log({ level: "warning", address, message: `this actor waits: no registered version of machine "${machine}" has the actor "${src}"` });
    const pool = makeActivityPool(limits, registry, time.now, post, fibers, waits);
    const live = makeLivePool({
      limits,
      registry,
      now: time.now,
      waiting: () => loop.waiting,
      reached: refusals.reached,
      post,
      onAbsent: waits,
      onError: (address, error) => log({ level: "error", message: "the clean-up of a live actor threw", address, data: failureOf(error) }),
    });
    const effects = makeEffects(
      time.now,
      (to, event, only) => {
        const settle = (error: unknown) => {
          if (error !== undefined) log({ level: "warning", address: to, message: "an event that a custom action sent to its own actor was not taken", data: failureOf(error) });
        };
        engine.post.send(to, event, undefined, settle, undefined, only);
      },
      (id, deadLetter) => {
        if (deadLetter !== undefined) log({ level: "error", message: "a custom action failed; it is among the dead letters", address: deadLetter.address, data: deadLetter.error });
        loop.effectDone(id, deadLetter);
      },
      fibers,
    );
    const lifecycle = makeLifecycle(time, {
      recover: () => {},
      probe: () => loop.probe(),
      drain: () => {
        live.suspendAll();
        careful?.putOff();
        for (const follower of followers.values()) follower.suspend();
        loop.request();
      },
      suspend: () => {
        pool.suspendAll();
        for (const follower of followers.values()) follower.end();
        loop.request();
      },
      shutDown: () => {
        pump.stop();
        cancelHeartbeat();
        pool.abortAll("the engine closed");
        live.endAll();
        for (const follower of followers.values()) follower.end();
        loop.request();
        audience.stopped();
      },
    });
    const doors: Doors = {
      journal,
      limits,
      time,
      log,
      report: (to, event, only) => loop.post({ to, event, json: JSON.stringify(event), from: "", internal: true, only }),
    };
    const followers = new Map<Registered, Follower>();
    for (const plugin of plugins)
      for (const [machine, make] of Object.entries(plugin.followers)) {
        const registered = registry.byId.get(machine);
        if (registered !== undefined) followers.set(registered, make(doors));
      }
    const followed = () => {
      let count = 0;
      for (const follower of followers.values()) count += follower.running();
      return count;
    };
    const isDraining = () => lifecycle.state() === "draining" || lifecycle.state() === "suspending";
    // Live actors run as long as they are wanted; only one that closes waits for them.
    const idle = () => (live.running() === 0 || !isDraining()) && loop.isIdle && pool.running() === 0 && followed() === 0 && effects.running() === 0 && !pump.isDue() && careful?.isWaiting !== true;
    const onStored = (turn: Turn) => {
      for (const { delivery, error, receipt } of turn.settlements) delivery.settle?.(error, receipt);
      for (const { row, actor, event } of turn.owed) {
        effects.run({ row, actor, event, context: () => contextOf(actor) });
      }
      for (const actor of turn.touched) {
        if (actor.registered === registry.activity) pool.follow(actor);
        else if (actor.registered === registry.live) live.follow(actor);
        else if (followers.size > 0) followers.get(actor.registered)?.follow(actor);
        audience.touched(actor);
      }
      for (const { actor, event } of turn.handed) live.handOver(actor, event);
      audience.tell(turn);
    };
    const loop = new Loop({
      journal,
      world,
      limits,
      time,
      pump,
      sweep,
      state: lifecycle.state,
      careful,
      runAction: effects.run,
      letterRoom: new LetterRoom(journal, limits.deadLettersMax, (limit, dropped) => {
        refusals.reached(limit, dropped);
        log({ level: "warning", message: `${dropped} of the oldest dead letters had to go: there are ${limits.deadLettersMax} (limit deadLettersMax); requeue or drop some` });
      }),
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
      if (lifecycle.state() === "suspending" && loop.isIdle && pool.running() === 0 && live.running() === 0 && followed() === 0) lifecycle.tell({ type: "DRAINED" });
      if (!idle()) return;
      audience.ended();
      if (isDraining()) lifecycle.tell({ type: "DRAINED" });
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

    yield* recover({ journal, registry, loop, effects, time, careful, log });
    const parked = yield* Effect.orElseSucceed(parkedAtOpening({ journal, registry, now: time.now }), () => undefined);
    if (parked !== undefined) log({ level: "warning", message: parked });
    const due = yield* journal.nextWakeAfter(Number.MIN_SAFE_INTEGER);
    if (due !== undefined) pump.arm(due);
    lifecycle.begin();
    lifecycle.tell({ type: "RECOVERED" });
    loop.request();

    const engine = makeCalls({ journal, limits, refusals, registry, residents: world.residents, sweep, loop, pool, lifecycle, audience, time, owner: { id: owner.id, epoch: opened.epoch }, idle });
    yield* Effect.addFinalizer(() => engine.close());
    yield* Effect.all(
      plugins.flatMap((plugin) => plugin.opened(engine, doors) ?? []),
      { concurrency: "unbounded", discard: true },
    );
    return engine;
  });

/** The engine as a layer over a journal. */
export const layer = <const Given extends Machines>(
  options: EngineOptions & { readonly machines: Given },
): Layer.Layer<Engine, JournalOwned | JournalError | InvalidOptions, Journal | ServicesOf<Given[number]>> => Layer.scoped(Engine, make(options)) as never;

/** Between the claim and the first word in the journal another engine took it: this one has never worked with it. */
const lostAtOnce = (where: string) => new JournalError({ reason: "failed", where, detail: "another engine took it while it was being opened" });

/** Tells whether a process of this host lives. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === "EPERM";
  }
};

const logToStandardError = (entry: LogEntry): void => {
  if (entry.level !== "info") console.error(`taskwright: ${entry.address === undefined ? "" : `${entry.address}: `}${entry.message}`, entry.data ?? "");
};
