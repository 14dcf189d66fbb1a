import { IndexedHeap, type Placed } from "./indexed-heap.ts";

/** A task that waits for a slot. */
export interface Ready extends Placed {
  readonly id: string;
  readonly kind: string;
  readonly queue: string;
  /** Its concurrency key; empty where it has none. */
  readonly key: string;
  readonly slots: number;
  /** Smaller goes first: when it began to wait, less what its priority is worth. It never changes while it waits, so ageing costs nothing. */
  readonly order: number;
  /** Counts the tasks as they were made. */
  readonly born: number;
}

/** The tasks of one concurrency key, within a queue and kind. */
class Line implements Placed {
  place = -1;
  readonly key: string;
  readonly tasks = new IndexedHeap<Ready>(goesBefore);
  /** When it had its last turn. */
  turn = 0;
  constructor(key: string) {
    this.key = key;
  }
}

/** The tasks of one queue and kind: lines that may go on, and lines whose key has as much as it may. */
class Group implements Placed {
  place = -1;
  readonly queue: string;
  readonly lines = new Map<string, Line>();
  readonly open: IndexedHeap<Line>;
  isShut = false;
  turns = 0;
  constructor(queue: string, takesTurns: () => boolean) {
    this.queue = queue;
    this.open = new IndexedHeap<Line>((left, right) => {
      if (takesTurns() && left.turn !== right.turn) return left.turn < right.turn;
      return goesBefore(left.tasks.top as Ready, right.tasks.top as Ready);
    });
  }
  /** What would go first. */
  get first(): Ready | undefined {
    return this.open.top?.tasks.top;
  }
}

const goesBefore = (left: Ready, right: Ready): boolean => left.order < right.order || (left.order === right.order && left.born < right.born);
const groupBefore = (left: Group, right: Group): boolean => goesBefore(left.first as Ready, right.first as Ready);

/**
 * Everything that waits for a slot, in one structure: by kind, there by queue, there by concurrency key, each of them a
 * heap. What goes first is found, taken, shut and opened without a look at the others.
 */
export class ReadyTasks {
  readonly #tasks = new Map<string, { readonly ready: Ready; readonly group: Group; readonly line: Line }>();
  readonly #kinds = new Map<string, { readonly groups: Map<string, Group>; readonly open: IndexedHeap<Group> }>();
  /** Groups of each queue. */
  readonly #queues = new Map<string, Set<{ readonly group: Group; readonly open: IndexedHeap<Group> }>>();
  readonly #waiting = new Map<string, number>();
  readonly #takesTurns: (queue: string) => boolean;
  /** Keys that have as much as they may, by queue. */
  readonly #full = new Map<string, Set<string>>();
  readonly #shut = new Set<string>();

  constructor(takesTurns: (queue: string) => boolean = () => false) {
    this.#takesTurns = takesTurns;
  }

  get size(): number {
    return this.#tasks.size;
  }
  has(id: string): boolean {
    return this.#tasks.has(id);
  }
  waitingIn(queue: string): number {
    return this.#waiting.get(queue) ?? 0;
  }
  get kinds(): IterableIterator<string> {
    return this.#kinds.keys();
  }

  /** A task that waits already keeps its place. */
  add(task: Omit<Ready, "place">): void {
    if (this.#tasks.has(task.id)) return;
    const ready: Ready = { ...task, place: -1 };
    const { group, open } = this.#groupOf(task.kind, task.queue);
    let line = group.lines.get(task.key);
    if (line === undefined) {
      line = new Line(task.key);
      line.turn = group.turns;
      group.lines.set(task.key, line);
    }
    line.tasks.put(ready);
    this.#tasks.set(task.id, { ready, group, line });
    this.#waiting.set(task.queue, this.waitingIn(task.queue) + 1);
    this.#settle(group, line, open);
  }

  remove(id: string): void {
    const known = this.#tasks.get(id);
    if (known === undefined) return;
    const { ready, group, line } = known;
    this.#tasks.delete(id);
    this.#waiting.set(ready.queue, this.waitingIn(ready.queue) - 1);
    line.tasks.remove(ready);
    this.#settle(group, line, this.#kindOf(ready.kind).open);
  }

  /** What goes first of a kind. */
  first(kind: string): Ready | undefined {
    return this.#kinds.get(kind)?.open.top?.first;
  }

  /** Takes it out, and its line has had its turn. */
  take({ id }: Ready): void {
    const known = this.#tasks.get(id);
    if (known === undefined) return;
    known.line.turn = ++known.group.turns;
    this.remove(id);
  }

  /** The queue gives nothing out for now, or does again. */
  shutQueue(queue: string, isShut: boolean): void {
    if (isShut === this.#shut.has(queue)) return;
    if (isShut) this.#shut.add(queue);
    else this.#shut.delete(queue);
    for (const { group, open } of this.#queues.get(queue) ?? []) {
      group.isShut = isShut;
      this.#settleGroup(group, open);
    }
  }

  /** The key has as much as it may in this queue, or has room again. */
  shutKey(queue: string, key: string, isFull: boolean): void {
    const full = this.#full.get(queue) ?? new Set();
    if (isFull === full.has(key)) return;
    if (isFull) full.add(key);
    else full.delete(key);
    this.#full.set(queue, full);
    for (const { group, open } of this.#queues.get(queue) ?? []) {
      const line = group.lines.get(key);
      if (line !== undefined) this.#settle(group, line, open);
    }
  }

  /** The rules of the queue have changed: who goes first is found out anew. */
  reorder(queue: string): void {
    for (const { group, open } of this.#queues.get(queue) ?? []) {
      for (const line of group.lines.values()) group.open.remove(line);
      for (const line of group.lines.values()) this.#settle(group, line, open);
    }
  }

  /** Puts a line, and its group, where they belong now. */
  #settle(group: Group, line: Line, open: IndexedHeap<Group>): void {
    if (line.tasks.size === 0) {
      group.open.remove(line);
      // One that comes back goes behind those that wait.
      group.lines.delete(line.key);
    } else if (this.#full.get(group.queue)?.has(line.key) === true) group.open.remove(line);
    else group.open.put(line);
    this.#settleGroup(group, open);
  }

  #settleGroup(group: Group, open: IndexedHeap<Group>): void {
    if (group.isShut || group.first === undefined) open.remove(group);
    else open.put(group);
  }

  #kindOf(kind: string) {
    let known = this.#kinds.get(kind);
    if (known === undefined) {
      known = { groups: new Map(), open: new IndexedHeap<Group>(groupBefore) };
      this.#kinds.set(kind, known);
    }
    return known;
  }

  #groupOf(kind: string, queue: string) {
    const { groups, open } = this.#kindOf(kind);
    let group = groups.get(queue);
    if (group === undefined) {
      group = new Group(queue, () => this.#takesTurns(queue));
      group.isShut = this.#shut.has(queue);
      groups.set(queue, group);
      const all = this.#queues.get(queue) ?? new Set();
      this.#queues.set(queue, all.add({ group, open }));
    }
    return { group, open };
  }
}
