/** What waits for a slot: the highest priority first, within a priority the oldest, by the age that it is given. A binary heap, so both ends stay fast with 100,000 waiting. */
export class ReadyQueue {
  readonly #heap: Array<Ready> = [];
  readonly #known = new Map<string, Ready>();

  get size(): number {
    return this.#known.size;
  }

  /** `born` is smaller for an older task. A task that already waits keeps its place. */
  add(id: string, priority: number, born: number): void {
    if (this.#known.has(id)) return;
    const ready = { id, priority, born };
    this.#known.set(id, ready);
    this.#heap.push(ready);
    this.#up(this.#heap.length - 1);
  }

  /** Forgets a task; its place in the heap is skipped when it comes up. */
  remove(id: string): void {
    this.#known.delete(id);
  }

  take(): string | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined) return undefined;
      const last = this.#heap.pop() as Ready;
      if (this.#heap.length > 0) {
        this.#heap[0] = last;
        this.#down(0);
      }
      if (this.#known.get(first.id) !== first) continue;
      this.#known.delete(first.id);
      return first.id;
    }
  }

  #up(index: number): void {
    const heap = this.#heap;
    const item = heap[index] as Ready;
    let at = index;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!goesBefore(item, heap[parent] as Ready)) break;
      heap[at] = heap[parent] as Ready;
      at = parent;
    }
    heap[at] = item;
  }

  #down(index: number): void {
    const heap = this.#heap;
    const item = heap[index] as Ready;
    let at = index;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && goesBefore(heap[child + 1] as Ready, heap[child] as Ready)) child++;
      if (!goesBefore(heap[child] as Ready, item)) break;
      heap[at] = heap[child] as Ready;
      at = child;
    }
    heap[at] = item;
  }
}

interface Ready {
  readonly id: string;
  readonly priority: number;
  readonly born: number;
}

const goesBefore = (left: Ready, right: Ready): boolean => left.priority > right.priority || (left.priority === right.priority && left.born < right.born);
