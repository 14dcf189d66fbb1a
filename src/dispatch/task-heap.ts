import type { Placed } from "./indexed-heap.ts";

/** What a task heap orders by: `order`, then `born`. Neither changes while it is in the heap. */
export interface Ordered extends Placed {
  readonly order: number;
  readonly born: number;
}

/**
 * A heap of many tasks from which anything can be taken. What it compares lies in arrays of numbers beside the tasks,
 * four children next to each other: with 100,000 tasks, a look at each of them would be a miss of the processor's cache.
 */
export class TaskHeap<Task extends Ordered> {
  readonly #tasks: Array<Task> = [];
  readonly #orders: Array<number> = [];
  readonly #borns: Array<number> = [];

  get size(): number {
    return this.#tasks.length;
  }
  get top(): Task | undefined {
    return this.#tasks[0];
  }
  /** Whether its first task goes before the first one of another. Neither is empty. */
  goesBefore(other: TaskHeap<Task>): boolean {
    const [left, right] = [this.#orders[0] as number, other.#orders[0] as number];
    return left < right || (left === right && (this.#borns[0] as number) < (other.#borns[0] as number));
  }

  put(task: Task): void {
    if (task.place < 0) this.#up(this.#tasks.length, task);
  }

  remove(task: Task): void {
    const at = task.place;
    if (at < 0) return;
    task.place = -1;
    const last = this.#tasks.pop() as Task;
    this.#orders.pop();
    this.#borns.pop();
    if (last === task) return;
    this.#down(at, last);
    if (last.place === at) this.#up(at, last);
  }

  #set(at: number, task: Task, order: number, born: number): void {
    this.#tasks[at] = task;
    this.#orders[at] = order;
    this.#borns[at] = born;
    task.place = at;
  }

  #up(from: number, task: Task): void {
    const { order, born } = task;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 2;
      const above = this.#orders[parent] as number;
      if (above < order || (above === order && (this.#borns[parent] as number) <= born)) break;
      this.#set(at, this.#tasks[parent] as Task, above, this.#borns[parent] as number);
      at = parent;
    }
    this.#set(at, task, order, born);
  }

  #down(from: number, task: Task): void {
    const { order, born } = task;
    const [orders, borns] = [this.#orders, this.#borns];
    const size = orders.length;
    let at = from;
    for (;;) {
      const first = 4 * at + 1;
      if (first >= size) break;
      const end = Math.min(first + 4, size);
      let least = first;
      let [leastOrder, leastBorn] = [orders[first] as number, borns[first] as number];
      for (let child = first + 1; child < end; child++) {
        const childOrder = orders[child] as number;
        if (childOrder > leastOrder || (childOrder === leastOrder && (borns[child] as number) > leastBorn)) continue;
        least = child;
        leastOrder = childOrder;
        leastBorn = borns[child] as number;
      }
      if (order < leastOrder || (order === leastOrder && born < leastBorn)) break;
      this.#set(at, this.#tasks[least] as Task, leastOrder, leastBorn);
      at = least;
    }
    this.#set(at, task, order, born);
  }
}
