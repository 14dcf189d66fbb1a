import { assignment } from "../../machines/assignment.ts";
import { task, type TaskContext, type TaskInput } from "../../machines/task.ts";
import { worker, type WorkerContext } from "../../machines/worker.ts";
import type { ActorView, DurableMachine, Taskwright, Transition } from "../engine/index.ts";
import { type CommandResult, type Dispatcher, endedStates, type TaskSpec, type TaskState, type TaskView } from "./dispatcher.ts";
import { ReadyQueue } from "./ready-queue.ts";
import { makeSubprocesses, type Subprocesses } from "./subprocess.ts";
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
  machines: [{ machine: task }, { machine: assignment, actions: subprocesses.actions.assignment }, { machine: worker, actions: subprocesses.actions.worker }],
  subprocesses,
});

const defaultTimeoutMs = 60 * 60 * 1000;
const retryBackoff = { kind: "exponential", baseMs: 500, capMs: 30_000 } as const;
const retryJitter = { min: 0.5, max: 1 } as const;
const lossesMax = 5;

/**
 * Matches queued tasks to free workers. It holds no truth: tasks, assignments and workers are actors of the engine,
 * and what stands here is read from their stored transitions (after a restart, from the journal).
 */
export const openDispatcher = async (engine: Taskwright, dispatch: DispatchMachines, options: DispatchOptions): Promise<Dispatcher> => {
  const views = new Map<string, TaskView>();
  const ready = new ReadyQueue();
  const workers = new Map<string, WorkerContext & { readonly state: string }>();
  /** Tasks that were told ASSIGN and have not moved yet, by worker. */
  const pending = new Map<string, number>();
  const listeners = new Set<(task: TaskView) => void>();
  const waiters = new Set<() => void>();
  let draining = false;
  let stopped = false;

  const send = async (address: string, event: { readonly type: string; readonly [key: string]: unknown }) => {
    try {
      return await engine.send(address, event);
    } catch (error) {
      // A closing engine refuses; what was not told is found again when the journal is next opened.
      if (!stopped && (error as { _tag?: string })._tag !== "EngineClosed") throw error;
      return undefined;
    }
  };
  const onTask = (view: TaskView) => {
    views.set(view.id, view);
    if (view.state === "queued") ready.add(view.id, view.spec.priority ?? 0);
    else ready.remove(view.id);
    for (const listener of listeners) listener(view);
    if (endedStates.has(view.state)) for (const waiter of [...waiters]) waiter();
  };
  const onTransition = (transition: Transition) => {
    if (transition.machine === "task") {
      onTask(taskView(transition.address, transition.state.snapshot as never, transition.state.timers, transition.at, views.get(idOf(transition.address))?.createdAt ?? transition.at));
      match();
    } else if (transition.machine === "worker") {
      workers.set(transition.address, { ...(transition.state.snapshot.context as WorkerContext), state: String(transition.state.snapshot.value) });
      match();
      for (const waiter of [...waiters]) waiter();
    }
  };
  const freeSlots = (address: string): number => {
    const known = workers.get(address);
    if (known === undefined || known.state !== "ready") return 0;
    return known.slots - known.taken.length - (pending.get(address) ?? 0);
  };
  const match = () => {
    if (draining || stopped || ready.size === 0) return;
    for (const address of workers.keys()) {
      while (freeSlots(address) > 0) {
        const id = ready.take();
        if (id === undefined) return;
        pending.set(address, (pending.get(address) ?? 0) + 1);
        const settled = () => {
          pending.set(address, Math.max(0, (pending.get(address) ?? 1) - 1));
          match();
        };
        send(`task/${id}`, { type: "ASSIGN", worker: address }).then(settled, () => {
          if (views.get(id)?.state === "queued") ready.add(id, views.get(id)?.spec.priority ?? 0);
          settled();
        });
      }
    }
  };

  const stopObserving = engine.observe(onTransition);
  for await (const actor of all(engine, "task")) onTask(taskView(actor.address, actor, actor.timers, actor.at, actor.createdAt));
  dispatch.subprocesses.attach(engine.report);
  const known = new Map<string, ActorView>();
  for await (const actor of all(engine, "worker")) if (actor.status === "active") known.set(actor.address, actor);
  for (let slot = 1; slot <= options.slots; slot++) {
    const address = `worker/${slot}`;
    if (known.delete(address)) await engine.send(address, { type: "ENGINE_STARTED" });
    else if ((await engine.start("worker", String(slot), { slots: 1 })).duplicate) throw new Error(`"${address}" was retired and can't work again; use another database`);
  }
  for (const address of known.keys()) await engine.send(address, { type: "RETIRE" });
  match();

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

  return {
    submit: async (specs) => {
      const fresh = specs.filter((spec) => !views.has(spec.id));
      const dependents = new Map<string, Array<string>>();
      for (const spec of fresh) for (const need of spec.needs ?? []) dependents.set(need, [...(dependents.get(need) ?? []), spec.id]);
      // Dependents first: whoever ends finds those that it must tell.
      const ordered = dependentsFirst(fresh);
      await engine.startAll(ordered.map((spec) => ({ machine: "task", id: spec.id, input: taskInput(spec, dependents.get(spec.id) ?? [], options) })));
      // Needs that were there before know nothing of their new dependents.
      for (const spec of fresh) {
        for (const need of spec.needs ?? []) if (!fresh.some((other) => other.id === need) && views.has(need)) await send(`task/${need}`, { type: "ADD_DEPENDENT", task: spec.id });
      }
      // A task that waits for one that has ended already (also one left so by a crash in the middle of this) is told now.
      for (const view of views.values()) {
        if (view.state !== "waiting") continue;
        for (const need of view.spec.needs ?? []) {
          const state = views.get(need)?.state;
          if (state !== undefined && endedStates.has(state)) await send(`task/${view.id}`, { type: state === "done" ? "NEED_DONE" : "NEED_FAILED", task: need });
        }
      }
      match();
    },
    tasks: async () => [...views.values()],
    observe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    whenEnded: async (ids) => {
      await whenAll(() => ids.every((id) => endedStates.has(views.get(id)?.state ?? "waiting")));
      return ids.map((id) => views.get(id) as TaskView);
    },
    cancel: async (id, reason) => {
      await engine.send(`task/${id}`, { type: "CANCEL", reason });
    },
    drain: async () => {
      draining = true;
      await whenAll(() => [...pending.values()].every((count) => count === 0) && [...workers.values()].every((known) => known.taken.length === 0));
    },
    stop: async () => {
      draining = true;
      stopped = true;
      stopObserving();
      await dispatch.subprocesses.endAll();
    },
  };
};

const idOf = (address: string): string => address.slice("task/".length);

const taskInput = (spec: TaskSpec, dependents: ReadonlyArray<string>, options: DispatchOptions): TaskInput => ({
  id: spec.id,
  work: { id: spec.id, command: spec.command, cwd: spec.cwd ?? process.cwd(), env: spec.env ?? {} } satisfies Work,
  priority: spec.priority ?? 0,
  retry: { attemptsMax: 1 + (spec.retries ?? 0), backoff: retryBackoff, jitter: retryJitter },
  needs: spec.needs ?? [],
  dependents,
  acceptanceTimeoutMs: options.acceptanceTimeoutMs ?? 30_000,
  executionTimeoutMs: spec.timeoutMs ?? defaultTimeoutMs,
  lossesMax,
});

/** Orders tasks so that each comes before those that it needs. The graph has no cycles. */
const dependentsFirst = (specs: ReadonlyArray<TaskSpec>): ReadonlyArray<TaskSpec> => {
  const byId = new Map(specs.map((spec) => [spec.id, spec]));
  const seen = new Set<string>();
  const needsFirst: Array<TaskSpec> = [];
  for (const root of specs) {
    const path: Array<{ readonly spec: TaskSpec; next: number }> = [{ spec: root, next: 0 }];
    while (path.length > 0) {
      const at = path[path.length - 1] as { readonly spec: TaskSpec; next: number };
      if (at.next === 0 && seen.has(at.spec.id)) {
        path.pop();
        continue;
      }
      seen.add(at.spec.id);
      const need = (at.spec.needs ?? [])[at.next++];
      if (need === undefined) {
        needsFirst.push(at.spec);
        path.pop();
      } else {
        const spec = byId.get(need);
        if (spec !== undefined && !seen.has(need)) path.push({ spec, next: 0 });
      }
    }
  }
  return needsFirst.reverse();
};

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

/** A task as its actor shows it. */
export const taskView = (
  address: string,
  snapshot: { readonly value: unknown; readonly context: unknown },
  timers: ActorView["timers"],
  at: number,
  createdAt: number,
): TaskView => {
  const context = snapshot.context as TaskContext;
  const { work } = context as unknown as { work: Work };
  const value = snapshot.value;
  const state = (typeof value === "string" ? value : String((value as { active?: string }).active)) as TaskState;
  const until = Object.values(timers ?? {}).reduce<number | undefined>((least, timer) => (least === undefined || timer.due < least ? timer.due : least), undefined);
  return {
    id: idOf(address),
    spec: {
      id: context.id,
      command: work.command,
      cwd: work.cwd,
      env: work.env,
      retries: context.retry.attemptsMax - 1,
      timeoutMs: context.executionTimeoutMs,
      needs: context.needs,
      priority: context.priority,
    },
    state,
    attempts: context.assignments,
    worker: context.worker ?? undefined,
    failure: context.failure ?? undefined,
    result: (context.result as CommandResult | null) ?? undefined,
    until,
    createdAt,
    at,
  };
};
