import { endedStates, type TaskView } from "../dispatch/index.ts";
import { type TaskEvent, taskEvent } from "./task-event.ts";

/** How many tasks stand where. Invariant: the counts add up to `total`. */
export interface Tally {
  readonly total: number;
  readonly done: number;
  /** Dead, failed, expired. */
  readonly failed: number;
  readonly cancelled: number;
  readonly running: number;
  /** Everything that has not ended and that no worker has. */
  readonly waiting: number;
}

type Count = Exclude<keyof Tally, "total">;

const countOf = (task: TaskView | undefined): Count => {
  switch (task?.state) {
    case "done":
    case "cancelled":
      return task.state;
    case "dead":
    case "failed":
    case "expired":
      return "failed";
    case "assigned":
    case "running":
      return "running";
    default:
      return "waiting";
  }
};

/** The tasks of one run as they were last heard of. */
export class Progress {
  readonly #views = new Map<string, TaskView | undefined>();
  readonly #counts: Record<Count, number> = { done: 0, failed: 0, cancelled: 0, running: 0, waiting: 0 };

  constructor(ids: ReadonlyArray<string>) {
    for (const id of ids) this.#views.set(id, undefined);
    this.#counts.waiting = ids.length;
  }

  /** Takes a task as it is now; tells what happened to it. Tasks of other runs in the same journal are passed over. */
  update(task: TaskView): TaskEvent | undefined {
    if (!this.#views.has(task.id)) return undefined;
    const before = this.#views.get(task.id);
    this.#counts[countOf(before)] -= 1;
    this.#counts[countOf(task)] += 1;
    this.#views.set(task.id, task);
    return taskEvent(before, task);
  }

  /** The work of a task is under way as another one, which takes its place. */
  suppress(id: string, same: string): void {
    this.#counts[countOf(this.#views.get(id))] -= 1;
    this.#views.delete(id);
    if (this.#views.has(same)) return;
    this.#views.set(same, undefined);
    this.#counts.waiting += 1;
  }

  /** Takes what an earlier run left, without telling of it. */
  recall(tasks: ReadonlyArray<TaskView>): void {
    for (const task of tasks) this.update(task);
  }

  has(id: string): boolean {
    return this.#views.has(id);
  }

  get tally(): Tally {
    return { total: this.#views.size, ...this.#counts };
  }

  /** In the order of the ids; tasks that were not heard of are absent. */
  get tasks(): ReadonlyArray<TaskView> {
    return [...this.#views.values()].filter((task) => task !== undefined);
  }

  get endedCount(): number {
    return this.tasks.filter(({ state }) => endedStates.has(state)).length;
  }
}
