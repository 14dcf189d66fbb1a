import type { AssignmentContext } from "../../machines/assignment.ts";
import type { QueueContext } from "../../machines/queue.ts";
import type { TaskContext } from "../../machines/task.ts";
import { usedSlots, type WorkerContext } from "../../machines/worker.ts";
import { treeOf } from "../domain/address.ts";
import type { Order } from "../domain/task.ts";
import type { ActorView, Taskwright, Transition } from "../engine/index.ts";
import type { DispatchMachines } from "./dispatch-machines.ts";
import type { Dispatcher, QueuePolicy, QueueView, TaskChoice, TaskPage, WorkerCard, WorkerView } from "./dispatcher.ts";
import { UnknownTask, WorkerOwned } from "./errors.ts";
import { demandChoice, demandDispatchOptions, demandListFilter, demandOrder, demandPolicy, demandWhenEnded } from "./given.ts";
import { commandKind } from "./kinds.ts";
import { LiveTasks } from "./live-tasks.ts";
import { all, type LocalWorkers, takeOver } from "./local-workers.ts";
import { Matcher } from "./matcher.ts";
import { makeOrders, matches, type OrderEvent, orderEvents, statusOf } from "./orders.ts";
import type { TaskDefaults } from "./resolve-task.ts";
import { makeSubmissions, type SubmitOptions, type Submitted } from "./submissions.ts";
import { endedStates, type TaskSpec, type TaskState, type TaskView } from "./task-spec.ts";
import { isGivenUp, isTaskContext, nextOf, taskAddress, taskIdOf, taskStateOf, taskView } from "./task-view.ts";
import type { Report } from "./worker-transport.ts";

export interface DispatchOptions {
  /** Commands that run at the same time: one worker process each. Default: none. */
  readonly slots?: number;
  /** Slots of the worker that runs the kinds' own functions in this process. Default: ten where there is one. */
  readonly functionSlots?: number;
  /** Slots in all, over all workers, remote ones included. Default: as many as they have. */
  readonly slotsMax?: number;
  /** What holds for tasks that don't say otherwise. */
  readonly defaults?: TaskDefaults;
  /** Rules of queues; they can be changed later. */
  readonly queues?: Readonly<Record<string, QueuePolicy>>;
}

interface KnownWorker {
  readonly context: WorkerContext;
  readonly state: WorkerView["state"];
  readonly at: number;
  readonly until: number | undefined;
}

/**
 * Matches tasks to workers. It holds no truth: tasks, assignments, workers and queues are actors of the engine, and
 * what stands here is read from their stored transitions (after a restart, from the journal).
 */
export const openDispatcher = async (engine: Taskwright, dispatch: DispatchMachines, options: DispatchOptions = {}): Promise<Dispatcher> => {
  demandDispatchOptions(options);
  const { time } = dispatch.doors();
  const live = new LiveTasks();
  const matcher = new Matcher(options.slotsMax ?? Number.POSITIVE_INFINITY);
  const workers = new Map<string, KnownWorker>();
  /** Tasks that were told ASSIGN and have not moved yet, with the worker whose slots are kept for them. */
  const promised = new Map<string, { readonly worker: string; readonly slots: number }>();
  const kept = new Map<string, number>();
  const listeners = new Set<(task: TaskView) => void>();
  const waiters = new Set<() => void>();
  /** Who waits for the end of single tasks. */
  const endings = new Map<string, Set<(view: TaskView) => void>>();
  let phase: "opening" | "open" | "draining" | "stopped" = "opening";
  let looking = false;

  // --- what it hears -----------------------------------------------------------------------------------------------
  const keep = (worker: string, slots: number) => {
    const all = (kept.get(worker) ?? 0) + slots;
    if (all === 0) kept.delete(worker);
    else kept.set(worker, all);
  };
  const place = (address: string) => {
    const known = workers.get(address);
    if (known === undefined) return;
    const { kinds, slots, isDraining } = known.context;
    const isTaking = known.state === "active" && !isDraining;
    matcher.setWorker(address, isTaking ? kinds : [], slots, slots - usedSlots(known.context) - (kept.get(address) ?? 0));
  };
  const breakPromise = (id: string) => {
    const promise = promised.get(id);
    if (promise === undefined) return;
    promised.delete(id);
    keep(promise.worker, -promise.slots);
    place(promise.worker);
  };
  const learn = (id: string, state: TaskState, context: TaskContext, createdAt: number, isStuck = false) => {
    const before = live.get(id);
    const task = live.learn(id, state, context, createdAt);
    const isHeld = state === "assigned" || state === "running";
    if (task !== undefined && isHeld) matcher.load(id, { queue: task.queue, key: task.concurrencyKey, slots: task.slots }, time.now());
    else if (!promised.has(id)) matcher.unload(id, time.now());
    // A task whose transition throws would throw again at once: it waits until something else moves it.
    const isWaiting = task !== undefined && state === "queued" && !promised.has(id);
    if (before?.ready !== undefined && (!isWaiting || before.priority !== task.priority)) {
      matcher.forget(before.ready);
      if (task !== undefined) task.ready = undefined;
    }
    if (!isWaiting || isStuck || task.ready !== undefined) return;
    const { kind, queue, concurrencyKey: key, slots, born } = task;
    // What lost its worker, by a crash of the engine too, had its turn already: it goes on before those that wait for theirs.
    const hadItsTurn = context.run?.outcome === "lost" || context.run?.outcome === "interrupted";
    const order = hadItsTurn ? Number.NEGATIVE_INFINITY : matcher.orderOf(queue, task.since, task.priority);
    task.ready = matcher.ready.add({ id, kind, queue, key, slots, born, order });
  };
  const hearTask = ({ address, state, status, at, event, outcome }: Transition) => {
    const id = taskIdOf(address);
    if (event.type === "ASSIGN") breakPromise(id);
    look();
    const { context } = state.snapshot;
    if (!isTaskContext(context)) return;
    const now = taskStateOf(state.snapshot as never);
    learn(id, now, context, at, outcome === "failed");
    // It can't say so itself any more. What a crash leaves untold is told at the next open.
    if (isGivenUp(status)) for (const dependent of context.dependents) engine.report(taskAddress(dependent), { type: "NEED_FAILED", task: id });
    const ending = endedStates.has(now) ? endings.get(id) : undefined;
    if (listeners.size === 0 && ending === undefined) return;
    const view = taskView(address, state.snapshot as never, state.timers, at, live.get(id)?.createdAt ?? at);
    if (ending !== undefined) endings.delete(id);
    for (const tell of ending ?? []) tell(view);
    for (const listener of listeners) listener(view);
  };
  const hearWorker = (address: string, value: unknown, context: WorkerContext, at: number, timers: ActorView["timers"]) => {
    // What a damaged row held counts as no worker.
    if (!Number.isSafeInteger(context?.slots) || !Array.isArray(context.kinds) || typeof context.taken !== "object" || context.taken === null) return;
    if (value === "retired") {
      matcher.setWorker(address, [], 0, 0);
      workers.delete(address);
    } else {
      workers.set(address, { context, state: String(value) as KnownWorker["state"], at, until: nextOf(timers) });
      place(address);
    }
    look();
  };
  const hearQueue = (address: string, value: unknown, context: QueueContext, counted?: number) => {
    const name = address.slice("queue/".length);
    const state = typeof value === "string" ? value : (Object.keys(value as object)[0] as string);
    const inner = typeof value === "string" ? "" : (value as Readonly<Record<string, string>>)[state];
    if (counted !== undefined) matcher.counted(name, counted);
    matcher.setQueue(name, { state: state as QueueView["state"], isPacing: inner === "pacing", policy: context.policy, given: context.given }, time.now());
    look();
  };
  const giveBack = (assignment: string, { worker, attempt, incarnation, transport }: AssignmentContext) => {
    if (incarnation !== null) dispatch.transports[transport ?? "command"]?.revoke({ worker, incarnation, assignment, attempt, force: true });
    if (workers.has(worker)) engine.report(worker, { type: "RELEASE", assignment });
  };
  /** A crash may have come before it was given back; a worker of this process has lost all it held anyway. */
  const releaseAbandoned = async (): Promise<void> => {
    const held = [...workers].flatMap(([address, { context }]) => (context.isRemote ? Object.keys(context.taken).map((assignment) => ({ address, assignment })) : []));
    if (held.length === 0) return;
    const active = new Set<string>();
    for await (const { address } of all(engine, "assignment", "active")) active.add(address);
    for (const { address, assignment } of held) if (!active.has(assignment)) await engine.send(address, { type: "RELEASE", assignment });
  };
  const hear = (transition: Transition) => {
    const { machine, address, state, event } = transition;
    if (machine === "task") hearTask(transition);
    else if (machine === "worker") hearWorker(address, state.snapshot.value, state.snapshot.context as WorkerContext, transition.at, state.timers);
    // One that was stopped, or gave up itself, has no exit: what it held is given back in its name.
    else if (machine === "assignment" && (transition.status === "stopped" || transition.status === "error")) giveBack(address, state.snapshot.context as AssignmentContext);
    else if (machine === "queue")
      hearQueue(address, state.snapshot.value, state.snapshot.context as QueueContext, event.type === "GAVE" ? (event as unknown as { readonly count: number }).count : undefined);
  };
  /** Looks at everything once the engine has told all that it stored together. */
  const look = () => {
    if (looking) return;
    looking = true;
    queueMicrotask(() => {
      looking = false;
      if (phase === "open" && !closing.has(engine.status().state)) matcher.match(time.now(), give);
      for (const waiter of [...waiters]) waiter();
    });
  };
  const give = ({ id, slots }: { readonly id: string; readonly slots: number }, worker: string) => {
    const task = live.get(id);
    if (task !== undefined) task.ready = undefined;
    promised.set(id, { worker, slots });
    keep(worker, slots);
    // While the store refuses this waits in memory; the task's transition tells when it was heard.
    engine.report(taskAddress(id), { type: "ASSIGN", worker });
  };
  matcher.onGiven = (queue, count) => engine.report(`queue/${queue}`, { type: "GAVE", count, at: time.now() });
  const report: Report = (address, said) => {
    const event = { ...said, at: time.now() };
    try {
      engine.report(address, event);
    } catch (error) {
      // What a command printed must not stop the engine: more than its host takes is left out.
      if (event.type !== "ENDED") throw error;
      const { result: _, ...rest } = event;
      engine.report(address, rest);
    }
  };

  const submissions = makeSubmissions({
    engine,
    live,
    resolution: { ...dispatch.resolution, defaults: options.defaults ?? {} },
    now: time.now,
    isDraining: (queue) => matcher.queue(queue).state === "draining",
  });
  const { order, preview } = makeOrders(engine);
  const ordered = async (which: TaskChoice, type: OrderEvent["type"], given: Order & { readonly [name: string]: unknown }) => {
    demandChoice(which);
    demandOrder(given);
    const { by, why, ...more } = given;
    return order(which, { type, by, why, at: time.now(), ...more });
  };

  // --- what is there already ---------------------------------------------------------------------------------------
  // What moves while the journal is being read is heard afterwards: it is newer than what was read, or the same.
  const early: Array<Transition> = [];
  const stopObserving = engine.observe((transition) => (phase === "opening" ? early.push(transition) : hear(transition)));
  const configure = async (name: string, policy: QueuePolicy, given: SubmitOptions = {}): Promise<void> => {
    demandPolicy(name, policy);
    const { duplicate } = await engine.start("queue", name, { policy }, given);
    if (duplicate) await engine.send(`queue/${name}`, { type: "CONFIGURE", policy, at: time.now() }, given);
  };
  const endAll = () => Promise.all(Object.values(dispatch.transports).map((transport) => transport.endAll()));
  const local: ReadonlyArray<LocalWorkers> = [
    { transport: "command", kinds: [commandKind], count: options.slots ?? 0, slots: 1 },
    ...(functionKinds(dispatch).length === 0 ? [] : [{ transport: "function", kinds: functionKinds(dispatch), count: 1, slots: options.functionSlots ?? 10 }]),
  ];
  try {
    for (const [name, policy] of Object.entries(options.queues ?? {})) await configure(name, policy);
    for await (const { address, value, context } of all(engine, "queue")) hearQueue(address, value, context as QueueContext);
    for await (const { address, value, context, at, timers } of all(engine, "worker", "active")) hearWorker(address, value, context as WorkerContext, at, timers);
    for await (const view of all(engine, "task", "active")) {
      const { address, context, createdAt } = view;
      // One whose row is damaged is nobody's task: whoever asks the engine for it is told so.
      if (isTaskContext(context)) learn(taskIdOf(address), taskStateOf(view), context, createdAt);
    }
    for (const transport of Object.values(dispatch.transports)) transport.attach(report);
    await takeOver(engine, local);
    await releaseAbandoned();
    phase = "open";
    for (const transition of early) hear(transition);
    look();
    // What a crash or a stop left undone: tasks that wait for one which does not know of them, or has ended.
    for await (const { address } of all(engine, "redelivery", "active")) await engine.send(address, { type: "SWEEP" });
    await submissions.connectAll([...live.values()].filter(({ needs }) => needs.length > 0));
  } catch (error) {
    phase = "stopped";
    stopObserving();
    await endAll();
    throw error;
  }

  // --- what it is asked --------------------------------------------------------------------------------------------
  const whenAll = (isDone: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const waiter = () => {
        if (!isDone()) return;
        waiters.delete(waiter);
        resolve();
      };
      waiters.add(waiter);
      waiter();
    });
  const viewOf = async (id: string): Promise<TaskView | undefined> => {
    const actor = await submissions.find(id);
    return actor === undefined || !isTaskContext(actor.context) ? undefined : taskView(actor.address, actor, actor.timers, actor.at, actor.createdAt);
  };
  const whenEnded: Dispatcher["whenEnded"] = async (ids, given = {}) => {
    demandWhenEnded(given);
    // Listened to before it is looked at: no end comes in between.
    const waits = ids.map((id) => {
      let tell = (_: TaskView) => {};
      const heard = new Promise<TaskView>((resolve) => {
        tell = resolve;
      });
      endings.set(id, (endings.get(id) ?? new Set()).add(tell));
      return { id, heard, tell };
    });
    try {
      const views = await Promise.all(ids.map(viewOf));
      const unknown = ids.filter((_, index) => views[index] === undefined);
      if (unknown.length > 0 && given.mayCome !== true) throw new UnknownTask({ ids: unknown });
      return await Promise.all(
        waits.map(({ heard }, index) => {
          const view = views[index];
          return view !== undefined && endedStates.has(view.state) ? view : heard;
        }),
      );
    } finally {
      for (const { id, tell } of waits) {
        const known = endings.get(id);
        known?.delete(tell);
        if (known?.size === 0) endings.delete(id);
      }
    }
  };
  const list: Dispatcher["list"] = async (given = {}): Promise<TaskPage> => {
    demandListFilter(given);
    const { cursor, limit = 100, descending = false, ...filter } = given;
    const status = statusOf(filter);
    const tasks: Array<TaskView> = [];
    const pageSize = Math.max(limit, 100);
    for (let after = cursor === undefined ? 0 : Number(cursor); ; ) {
      const page = await engine.list({ machine: "task", ...(status === undefined ? {} : { status }), after, descending, limit: pageSize });
      for (const actor of page) {
        after = actor.id;
        if (!matches(filter, actor)) continue;
        tasks.push(taskView(actor.address, actor, actor.timers, actor.at, actor.createdAt));
        if (tasks.length === limit) return { tasks, cursor: String(after) };
      }
      if (page.length < pageSize) return { tasks, cursor: undefined };
    }
  };
  const toldQueue = async (name: string, type: "PAUSE" | "RESUME" | "DRAIN", given: Order): Promise<void> => {
    demandOrder(given);
    const { by, why } = given;
    await engine.start("queue", name, { policy: {} });
    await engine.send(`queue/${name}`, { type, by, why });
  };
  const remoteOf = (name: string): string | undefined => [...workers].find(([, { context }]) => context.isRemote && context.name === name)?.[0];
  /** Whether the attempt that a worker names, as `assignment#attempt`, is there: the next one of its task has the same address. */
  const isPresent = async (one: string): Promise<boolean> => {
    try {
      const { machine, context } = await engine.snapshot(assignmentOf(one));
      return machine === "assignment" && (context as AssignmentContext).attempt === Number(one.slice(one.lastIndexOf("#") + 1));
    } catch (error) {
      if (isNobody(error)) return false;
      throw error;
    }
  };
  const connect = async ({ id, owner, transport, kinds, slots, heartbeatTimeoutMs, graceMs, incarnation, running = [] }: WorkerCard) => {
    const address = remoteOf(id) ?? (await freshWorker(id, { slots, transport, kinds, isRemote: true, name: id, ...(graceMs === undefined ? {} : { graceMs }) }));
    const optional = Object.entries({ heartbeatTimeoutMs, graceMs, incarnation }).filter(([, value]) => value !== undefined);
    const isThere = await Promise.all(running.map(isPresent));
    const present = running.filter((_, index) => isThere[index]);
    await engine.send(address, { type: "CONNECT", owner, slots, kinds, running: present.map(assignmentOf), ...Object.fromEntries(optional) });
    const { context } = await engine.snapshot(address);
    const now = context as WorkerContext;
    if (now.owner !== owner) throw new WorkerOwned({ worker: id, owner: now.owner });
    return { address, incarnation: now.incarnation, dropped: running.filter((one) => !present.includes(one) || !(assignmentOf(one) in now.taken)) };
  };
  /** A name that a retired worker had, or that is the number of one of our own, is taken under a further number. */
  const freshWorker = async (name: string, input: object): Promise<string> => {
    for (let number = 1; ; number++) {
      const id = number === 1 ? name : `${name}.${number}`;
      const { duplicate, address } = await engine.start("worker", id, input);
      if (!duplicate) return address;
      const { status, context } = await engine.snapshot(address);
      if (status === "active" && (context as WorkerContext).name === name) return address;
    }
  };
  const toldWorker = async (id: string, type: "DRAIN" | "RETIRE", given?: SubmitOptions): Promise<void> => {
    await engine.send(remoteOf(id) ?? `worker/${id}`, { type }, given);
  };
  let stopping: Promise<void> | undefined;

  return {
    submit: (async (given: TaskSpec | ReadonlyArray<TaskSpec>, options?: SubmitOptions) => {
      if (Array.isArray(given)) return submissions.submit(given as ReadonlyArray<TaskSpec>, options);
      return (await submissions.submit([given as TaskSpec], options))[0] as Submitted;
    }) as Dispatcher["submit"],
    get: viewOf,
    list,
    observe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    whenEnded,
    cancel: (which, given) => ordered(which, "CANCEL", given),
    pause: (which, given) => ordered(which, "PAUSE", given),
    resume: (which, given) => ordered(which, "RESUME", given),
    retryNow: (which, given) => ordered(which, "RETRY_NOW", given),
    reprioritise: (which, priority, given) => ordered(which, "REPRIORITISE", { ...given, priority }),
    expire: (which, given) => ordered(which, "EXPIRE", given),
    answer: (id, answer, given) => ordered(id, "ANSWER", { ...given, answer }),
    verify: (which, given) => ordered(which, "VERIFY", given),
    reject: (which, given) => ordered(which, "REJECT", given),
    preview: async (name, which, given = {}) => {
      demandChoice(which);
      return preview(which, { type: orderEvents[name], by: "", why: "", at: time.now(), ...given });
    },
    queues: {
      list: async () => {
        const names = new Set([...matcher.queueNames, ...[...live.values()].map(({ queue }) => queue)]);
        return [...names].map((name) => {
          const { state, policy } = matcher.queue(name);
          return { name, state, policy, waiting: live.countIn(name) - matcher.loadsIn(name), running: matcher.usedIn(name) };
        });
      },
      configure,
      pause: (name, given) => toldQueue(name, "PAUSE", given),
      resume: (name, given) => toldQueue(name, "RESUME", given),
      drain: async (name, given) => {
        await toldQueue(name, "DRAIN", given);
        await whenAll(() => phase === "stopped" || live.countIn(name) === 0 || matcher.queue(name).state !== "draining");
      },
    },
    workers: {
      list: async () =>
        [...workers].map(([address, { context, state, at, until }]) => {
          const { name, owner, kinds, slots, incarnation, taken, isDraining } = context;
          const tasks = Object.keys(taken).map((assignment) => taskIdOf(treeOf(assignment)));
          return { id: name === "" ? address.slice("worker/".length) : name, address, state, owner, kinds, slots, used: usedSlots(context), incarnation, tasks, isDraining, at, until };
        }),
      connect,
      drain: (id, given) => toldWorker(id, "DRAIN", given),
      retire: (id, given) => toldWorker(id, "RETIRE", given),
    },
    drain: async () => {
      if (phase === "open") phase = "draining";
      await whenAll(() => phase === "stopped" || (promised.size === 0 && [...workers.values()].every(({ context }) => usedSlots(context) === 0)));
    },
    stop: () => {
      stopping ??= (async () => {
        phase = "stopped";
        stopObserving();
        await endAll();
        const working = [...workers.keys()].map((address) => engine.send(address, { type: "ENGINE_STOPPED" }));
        // An engine that can't store it any more leaves it to the next one, which counts what ran as lost.
        await Promise.allSettled(working);
        look();
      })();
      return stopping;
    },
  };
};

const assignmentOf = (one: string): string => one.slice(0, Math.max(0, one.lastIndexOf("#")));
const isNobody = (error: unknown): boolean => ["UnknownActor", "InvalidAddress", "ActorParked"].includes((error as { readonly _tag: string })._tag);

const functionKinds = ({ kinds }: DispatchMachines): ReadonlyArray<string> => Object.entries(kinds).flatMap(([name, { run }]) => (run === undefined ? [] : [name]));

const closing: ReadonlySet<string> = new Set(["draining", "suspending", "stopped"]);
