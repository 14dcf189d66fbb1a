import type { TaskContext } from "../../machines/task.ts";
import type { Ready } from "./ready-tasks.ts";
import { endedStates, type TaskState } from "./task-spec.ts";

/** What the dispatcher keeps of a task that has not ended: what it decides by, and nothing more. */
export interface LiveTask {
  readonly id: string;
  readonly kind: string;
  readonly queue: string;
  readonly key: string | undefined;
  readonly concurrencyKey: string;
  readonly slots: number;
  readonly state: TaskState;
  readonly priority: number;
  /** When it began to wait, for its age. Milliseconds since 1970. */
  readonly since: number;
  /** Counts the tasks in the order in which they were started: it is the same after a restart. */
  readonly born: number;
  readonly createdAt: number;
  /** While it waits: what it still needs. */
  readonly needs: ReadonlyArray<string>;
  readonly dependents: ReadonlyArray<string>;
  /** By this the matcher knows it while it waits for a slot. */
  ready: Ready | undefined;
}

const none: ReadonlyArray<string> = [];

/** The tasks that have not ended, by id, by key, and by what they need. Tasks that have ended are in the journal alone. */
export class LiveTasks {
  readonly #tasks = new Map<string, LiveTask>();
  readonly #byKey = new Map<string, string>();
  readonly #wanted = new Map<string, Set<string>>();
  readonly #perQueue = new Map<string, number>();
  #born = 0;

  get size(): number {
    return this.#tasks.size;
  }
  get(id: string): LiveTask | undefined {
    return this.#tasks.get(id);
  }
  /** The task that does the work of this key. */
  byKey(key: string): string | undefined {
    return this.#byKey.get(key);
  }
  /** Tasks that wait for one. */
  wanting(need: string): ReadonlyArray<string> {
    return [...(this.#wanted.get(need) ?? [])];
  }
  countIn(queue: string): number {
    return this.#perQueue.get(queue) ?? 0;
  }
  values(): IterableIterator<LiveTask> {
    return this.#tasks.values();
  }

  /** Takes a task as it stands now. Answers what is known of it, or nothing where it has ended. */
  learn(id: string, state: TaskState, context: TaskContext, createdAt: number): LiveTask | undefined {
    const before = this.#tasks.get(id);
    if (endedStates.has(state)) {
      if (before !== undefined) this.#remove(before);
      return undefined;
    }
    const { spec, priority, needs, dependents } = context;
    const isWaiting = state === "waiting" || state === "paused";
    const task: LiveTask = {
      id,
      kind: spec.kind,
      queue: spec.queue,
      key: spec.key,
      concurrencyKey: spec.concurrencyKey ?? "",
      slots: spec.slots,
      state,
      priority,
      since: before?.since ?? Math.max(createdAt, spec.runAt ?? 0),
      born: before?.born ?? this.#born++,
      createdAt: before?.createdAt ?? createdAt,
      needs: isWaiting ? needs : none,
      dependents,
      ready: before?.ready,
    };
    this.#tasks.set(id, task);
    if (before === undefined) {
      if (spec.key !== undefined) this.#byKey.set(spec.key, id);
      this.#perQueue.set(spec.queue, this.countIn(spec.queue) + 1);
    }
    if (before?.needs !== task.needs) this.#want(id, before?.needs ?? none, task.needs);
    return task;
  }

  #want(id: string, before: ReadonlyArray<string>, after: ReadonlyArray<string>): void {
    for (const need of before) {
      const wanting = this.#wanted.get(need);
      wanting?.delete(id);
      if (wanting?.size === 0) this.#wanted.delete(need);
    }
    for (const need of after) this.#wanted.set(need, (this.#wanted.get(need) ?? new Set()).add(id));
  }

  #remove(task: LiveTask): void {
    this.#tasks.delete(task.id);
    if (task.key !== undefined && this.#byKey.get(task.key) === task.id) this.#byKey.delete(task.key);
    this.#want(task.id, task.needs, none);
    const left = this.countIn(task.queue) - 1;
    if (left > 0) this.#perQueue.set(task.queue, left);
    else this.#perQueue.delete(task.queue);
  }
}
