import type { TaskSpec, TaskState, TaskView } from "../../src/dispatch/index.ts";
import type { TaskDesk } from "../../src/orchestration/index.ts";

type Task = Pick<TaskView, "id" | "state"> & { readonly spec: TaskSpec };

/** A dispatcher of which a test says what becomes of its tasks. It outlives the engine, as a journal does. */
export class Desk implements TaskDesk {
  /** In the order in which they were first submitted. */
  readonly tasks = new Map<string, Task>();
  /** Submissions that were answered, repeated ones too. */
  readonly calls: Array<string> = [];
  readonly cancelled: Array<string> = [];
  /** Off: it refuses what it is given. */
  takes = true;
  #listeners = new Set<(task: TaskView) => void>();

  readonly submit = (async (given: TaskSpec | ReadonlyArray<TaskSpec>) => {
    const specs = Array.isArray(given) ? given : [given];
    if (!this.takes) throw new Error("it takes no tasks");
    const answers = specs.map((spec) => {
      this.calls.push(spec.id);
      const duplicate = this.tasks.has(spec.id);
      if (!duplicate) this.tasks.set(spec.id, { id: spec.id, spec, state: "running" });
      return { id: spec.id, duplicate };
    });
    return Array.isArray(given) ? answers : answers[0];
  }) as TaskDesk["submit"];
  readonly get = async (id: string) => this.tasks.get(id) as TaskView | undefined;
  readonly observe = (listener: (task: TaskView) => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  readonly cancel = (async (id: string) => {
    this.cancelled.push(id);
    this.end(id, "cancelled");
    return { done: [id], refused: [] };
  }) as TaskDesk["cancel"];

  end(id: string, state: TaskState = "done"): void {
    const task = this.ends(id, state);
    for (const listener of [...this.#listeners]) listener(task as TaskView);
  }
  /** It ends while nobody listens. */
  ends(id: string, state: TaskState = "done"): Task {
    const task = { ...(this.tasks.get(id) as Task), state };
    this.tasks.set(id, task);
    return task;
  }
  get ids(): ReadonlyArray<string> {
    return [...this.tasks.keys()];
  }
  get running(): ReadonlyArray<string> {
    return [...this.tasks.values()].filter(({ state }) => state === "running").map(({ id }) => id);
  }
}
