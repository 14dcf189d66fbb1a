import { assignment } from "../../machines/assignment.ts";
import { task, type TaskInput } from "../../machines/task.ts";
import { worker, type WorkerContext } from "../../machines/worker.ts";
import type { ActorView, DurableMachine, Taskwright, Transition } from "../engine/index.ts";
import { type Dispatcher, endedStates, type TaskSpec, type TaskView } from "./dispatcher.ts";
import { ReadyQueue } from "./ready-queue.ts";
import { makeSubprocesses, type Report, type Subprocesses } from "./subprocess.ts";
import { dependentsFirst, dependentsOf } from "./task-order.ts";
import { isTaskContext, taskAddress, taskIdOf, taskView } from "./task-view.ts";
import type { Work } from "./worker-protocol.ts";

export interface DispatchOptions {
  /** Commands that run at the same time: one worker process each. */
  readonly slots: number;
  /** How long a worker may take to accept. Default 30 s. */
  readonly acceptanceTimeoutMs?: number;
}

/** The machines that a dispatcher needs, bound to the worker processes that carry out what they ask for. */
export interface DispatchMachines {
  readonly machines: ReadonlyArray<DurableMachine>;
  readonly subprocesses: Subprocesses;
}

export const dispatchMachines = (subprocesses: Subprocesses = makeSubprocesses()): DispatchMachines => ({
  machines: [
    { machine: task, keptBy },
    { machine: assignment, actions: subprocesses.actions.assignment },
    { machine: worker, actions: subprocesses.actions.worker },
  ],
  subprocesses,
});

/** A task stays while others wait for what becomes of it. */
const keptBy = ({ context }: ActorView): ReadonlyArray<string> => (context as { readonly dependents: ReadonlyArray<string> }).dependents.map(taskAddress);

const acceptanceTimeoutMs = 30_000;
const executionTimeoutMs = 60 * 60 * 1000;
const retryBackoff = { kind: "exponential", baseMs: 500, capMs: 30_000 } as const;
const retryJitter = { min: 0.5, max: 1 } as const;
const lossesMax = 5;
/** Tasks that are handed to the engine at a time: what waits in its intake is bounded. */
const startsMax = 1_000;

/** What the dispatcher knows of a task. */
interface Known {
  readonly view: TaskView;
  /** Counts the tasks in the order in which they were started: it is the same after a restart. */
  readonly born: number;
  readonly dependents: ReadonlyArray<string>;
}

/**
 * Matches queued tasks to free workers. It holds no truth: tasks, assignments and workers are actors of the engine,
 * and what stands here is read from their stored transitions (after a restart, from the journal).
 */
export const openDispatcher = async (engine: Taskwright, dispatch: DispatchMachines, options: DispatchOptions): Promise<Dispatcher> => {
  const tasks = new Map<string, Known>();
  const ready = new ReadyQueue();
  const workers = new Map<string, WorkerContext & { readonly state: string }>();
  /** Tasks that were told ASSIGN and have not moved yet, with the worker whose slot is kept for them. */
  const promised = new Map<string, string>();
  const listeners = new Set<(task: TaskView) => void>();
  const waiters = new Set<() => void>();
  let phase: "opening" | "open" | "draining" | "stopped" = "opening";
  let looking = false;

  const learn = (known: Omit<Known, "born">, isStuck = false) => {
    const { view } = known;
    const before = tasks.get(view.id);
    const born = before?.born ?? tasks.size;
    tasks.set(view.id, { ...known, born });
    // A task whose transition throws would throw again at once: it waits until something else moves it.
    if (view.state !== "queued") ready.remove(view.id);
    else if (!isStuck && !promised.has(view.id)) ready.add(view.id, view.spec.priority ?? 0, born);
    for (const listener of listeners) listener(view);
  };
  const hear = ({ address, machine, state, at, event, outcome }: Transition) => {
    if (machine === "worker") {
      const context = state.snapshot.context as WorkerContext;
      // What a damaged row held counts as no worker.
      if (Number.isSafeInteger(context.slots) && Array.isArray(context.taken)) workers.set(address, { ...context, state: String(state.snapshot.value) });
      look();
    } else if (machine === "task") {
      const id = taskIdOf(address);
      if (event.type === "ASSIGN") promised.delete(id);
      look();
      const { context } = state.snapshot;
      if (!isTaskContext(context)) return;
      const view = taskView(address, state.snapshot as never, state.timers, at, tasks.get(id)?.view.createdAt ?? at);
      learn({ view, dependents: context.dependents }, outcome === "failed");
    }
  };
  /** Looks at everything once the engine has told all that it stored together. */
  const look = () => {
    if (looking) return;
    looking = true;
    queueMicrotask(() => {
      looking = false;
      match();
      for (const waiter of [...waiters]) waiter();
    });
  };
  const match = () => {
    if (phase !== "open" || ready.size === 0 || closing.has(engine.status().state)) return;
    const kept = new Map<string, number>();
    for (const address of promised.values()) kept.set(address, (kept.get(address) ?? 0) + 1);
    for (const [address, { state, slots, taken }] of workers) {
      for (let free = state === "ready" ? slots - taken.length - (kept.get(address) ?? 0) : 0; free > 0; free--) {
        const id = ready.take();
        if (id === undefined) return;
        promised.set(id, address);
        // While the store refuses this waits in memory; the task's transition tells when it was heard.
        engine.report(taskAddress(id), { type: "ASSIGN", worker: address });
      }
    }
  };
  const report: Report = (address, event) => {
    try {
      engine.report(address, event);
    } catch (error) {
      // What a command printed must not stop the engine: more than its host takes is left out.
      if (event.type !== "ENDED") throw error;
      const { result: _, ...rest } = event;
      engine.report(address, rest);
    }
  };

  const hasEnded = (id: string): boolean => endedStates.has(tasks.get(id)?.view.state ?? "waiting");
  /** Makes sure that a waiting task hears of the end of one that it needs, whatever a crash left undone. */
  const connect = async (id: string, need: string): Promise<void> => {
    const needed = tasks.get(need);
    if (needed === undefined) return;
    if (!hasEnded(need)) {
      if (needed.dependents.includes(id)) return;
      await engine.send(taskAddress(need), { type: "ADD_DEPENDENT", task: id });
    }
    if (hasEnded(need)) await engine.send(taskAddress(id), { type: tasks.get(need)?.view.state === "done" ? "NEED_DONE" : "NEED_FAILED", task: need });
  };
  /** Needs that were there before know nothing of new dependents, nor do those that a crash or a stop cut off from theirs. */
  const connectAll = async (): Promise<void> => {
    const pairs = [...tasks.values()].filter(({ view }) => view.state === "waiting").flatMap(({ view }) => (view.spec.needs ?? []).map((need) => [view.id, need] as const));
    for (let from = 0; from < pairs.length; from += startsMax) await Promise.all(pairs.slice(from, from + startsMax).map(([id, need]) => connect(id, need)));
  };

  // What moves while the journal is being read is heard afterwards: it is newer than what was read, or the same.
  const early: Array<Transition> = [];
  const stopObserving = engine.observe((transition) => (phase === "opening" ? early.push(transition) : hear(transition)));
  try {
    for await (const actor of all(engine, "task")) {
      const { address, at, createdAt } = actor;
      // One whose row is damaged is nobody's task: whoever asks the engine for it is told so.
      if (isTaskContext(actor.context)) learn({ view: taskView(address, actor, actor.timers, at, createdAt), dependents: actor.context.dependents });
    }
    dispatch.subprocesses.attach(report);
    await takeOver(engine, options.slots);
    phase = "open";
    for (const transition of early) hear(transition);
    look();
    await connectAll();
  } catch (error) {
    phase = "stopped";
    stopObserving();
    await dispatch.subprocesses.endAll();
    throw error;
  }

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
  let stopping: Promise<void> | undefined;

  return {
    submit: async (specs) => {
      const fresh = dependentsFirst(specs.filter((spec) => !tasks.has(spec.id)));
      const dependents = dependentsOf(fresh);
      for (let from = 0; from < fresh.length; from += startsMax) {
        // Dependents first: whoever ends finds those that it must tell.
        await engine.startAll(fresh.slice(from, from + startsMax).map((spec) => ({ machine: "task", id: spec.id, input: taskInput(spec, dependents.get(spec.id) ?? [], options) })));
      }
      await connectAll();
    },
    tasks: async () => [...tasks.values()].map(({ view }) => view),
    observe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    whenEnded: async (ids) => {
      // Whoever has ended stays so: none is looked at twice.
      let ended = 0;
      await whenAll(() => {
        while (ended < ids.length && hasEnded(ids[ended] as string)) ended++;
        return ended === ids.length;
      });
      return ids.map((id) => (tasks.get(id) as Known).view);
    },
    cancel: async (id, reason) => {
      await engine.send(taskAddress(id), { type: "CANCEL", reason });
    },
    drain: async () => {
      if (phase === "open") phase = "draining";
      await whenAll(() => phase === "stopped" || (promised.size === 0 && [...workers.values()].every(({ taken }) => taken.length === 0)));
    },
    stop: () => {
      stopping ??= (async () => {
        phase = "stopped";
        stopObserving();
        await dispatch.subprocesses.endAll();
        const working = [...workers].filter(([, { state }]) => state !== "retired").map(([address]) => engine.send(address, { type: "ENGINE_STOPPED" }));
        // An engine that can't store it any more leaves it to the next one, which counts what ran as lost.
        await Promise.allSettled(working);
        look();
      })();
      return stopping;
    },
  };
};

const closing: ReadonlySet<string> = new Set(["draining", "suspending", "stopped"]);

/** Starts as many workers as there are slots: those of an earlier engine first, further ones under new numbers. */
const takeOver = async (engine: Taskwright, slots: number): Promise<void> => {
  const active: Array<number> = [];
  let last = 0;
  for await (const { address, status } of all(engine, "worker")) {
    const number = Number(address.slice("worker/".length));
    if (!Number.isSafeInteger(number)) continue;
    last = Math.max(last, number);
    if (status === "active") active.push(number);
  }
  active.sort((left, right) => left - right);
  const tell = (numbers: ReadonlyArray<number>, type: string) => Promise.all(numbers.map((number) => engine.send(`worker/${number}`, { type }).then(() => true, orUnable)));
  const [kept] = await Promise.all([tell(active.slice(0, slots), "ENGINE_STARTED"), tell(active.slice(slots), "RETIRE")]);
  const fresh = Array.from({ length: slots - kept.filter(Boolean).length }, (_, index) => String(last + 1 + index));
  await engine.startAll(fresh.map((id) => ({ machine: "worker", id, input: { slots: 1 } })));
};

/** A worker whose row is damaged can't be told anything: another one takes its place. */
const orUnable = (error: unknown): false => {
  const tag = (error as { readonly _tag?: unknown })._tag;
  if (tag === "ActorParked" || tag === "ActorFailed") return false;
  throw error;
};

const taskInput = (spec: TaskSpec, dependents: ReadonlyArray<string>, options: DispatchOptions): TaskInput => ({
  id: spec.id,
  work: { id: spec.id, command: spec.command, cwd: spec.cwd ?? process.cwd(), env: spec.env ?? {} } satisfies Work,
  priority: spec.priority ?? 0,
  retry: { attemptsMax: 1 + (spec.retries ?? 0), backoff: retryBackoff, jitter: retryJitter },
  needs: [...new Set(spec.needs)],
  dependents,
  acceptanceTimeoutMs: options.acceptanceTimeoutMs ?? acceptanceTimeoutMs,
  executionTimeoutMs: spec.timeoutMs ?? executionTimeoutMs,
  lossesMax,
});

/** All actors of a machine, a page at a time. */
async function* all(engine: Taskwright, machine: string): AsyncGenerator<ActorView> {
  const limit = 1_000;
  for (let after = 0; ; ) {
    const page = await engine.list({ machine, after, limit });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < limit) return;
    after = last.id;
  }
}
