import { IndexedHeap, type Placed } from "./indexed-heap.ts";
import { TaskHeap } from "./task-heap.ts";

/** What is said of a task that waits for a slot. */
export interface ReadyTask {
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

/** A task that waits, or waited, for a slot: by this it is taken out again. */
export interface Ready extends ReadyTask, Placed {
  /** Where it waits; absent: nowhere. */
  line: Line | undefined;
}

/** The tasks of one concurrency key, within a queue and kind. */
class Line implements Placed {
  place = -1;
  readonly key: string;
  readonly group: Group;
  readonly tasks = new TaskHeap<Ready>();
  /** When it had its last turn. */
  turn: number;
  /** Its key has as much as it may. */
  isFull: boolean;
  constructor(key: string, group: Group, isFull: boolean) {
    this.key = key;
    this.group = group;
    this.turn = group.turns;
    this.isFull = isFull;
  }
}

/** The tasks of one queue and kind: lines that may go on, and lines whose key has as much as it may. */
class Group implements Placed {
  place = -1;
  readonly queue: string;
  /** The groups of its kind that give something out. */
  readonly ofKind: IndexedHeap<Group>;
  readonly lines = new Map<string, Line>();
  readonly open: IndexedHeap<Line>;
  isShut: boolean;
  turns = 0;
  size = 0;
  constructor(queue: string, ofKind: IndexedHeap<Group>, isShut: boolean, takesTurns: () => boolean) {
    this.queue = queue;
    this.ofKind = ofKind;
    this.isShut = isShut;
    this.open = new IndexedHeap<Line>((left, right) => (takesTurns() && left.turn !== right.turn ? left.turn < right.turn : left.tasks.goesBefore(right.tasks)));
  }
}

const groupBefore = (left: Group, right: Group): boolean => (left.open.top as Line).tasks.goesBefore((right.open.top as Line).tasks);

/**
 * Everything that waits for a slot, in one structure: by kind, there by queue, there by concurrency key, each of them a
 * heap. What goes first is found, taken, shut and opened without a look at the others.
 */
export class ReadyTasks {
  readonly #kinds = new Map<string, { readonly groups: Map<string, Group>; readonly open: IndexedHeap<Group> }>();
  /** Groups of each queue. */
  readonly #queues = new Map<string, Array<Group>>();
  readonly #takesTurns: (queue: string) => boolean;
  /** Keys that have as much as they may, by queue. */
  readonly #full = new Map<string, Set<string>>();
  readonly #shut = new Set<string>();
  #size = 0;

  constructor(takesTurns: (queue: string) => boolean = () => false) {
    this.#takesTurns = takesTurns;
  }

  get size(): number {
    return this.#size;
  }
  waitingIn(queue: string): number {
    return (this.#queues.get(queue) ?? []).reduce((sum, group) => sum + group.size, 0);
  }
  get kinds(): IterableIterator<string> {
    return this.#kinds.keys();
  }

  add({ id, kind, queue, key, slots, order, born }: ReadyTask): Ready {
    const ready: Ready = { id, kind, queue, key, slots, order, born, place: -1, line: undefined };
    this.put(ready);
    return ready;
  }

  /** Puts back what was taken out. One that waits already keeps its place. */
  put(ready: Ready): void {
    if (ready.line !== undefined) return;
    const group = this.#groupOf(ready.kind, ready.queue);
    let line = group.lines.get(ready.key);
    if (line === undefined) {
      line = new Line(ready.key, group, this.#full.get(ready.queue)?.has(ready.key) === true);
      group.lines.set(ready.key, line);
    }
    ready.line = line;
    line.tasks.put(ready);
    group.size++;
    this.#size++;
    // Whoever stands behind others changes nothing for them.
    if (line.tasks.top === ready) this.#settle(line);
  }

  remove(ready: Ready): void {
    const { line } = ready;
    if (line === undefined) return;
    const wasFirst = line.tasks.top === ready;
    ready.line = undefined;
    line.tasks.remove(ready);
    line.group.size--;
    this.#size--;
    if (wasFirst) this.#settle(line);
  }

  /** What goes first of a kind. */
  first(kind: string): Ready | undefined {
    return this.#kinds.get(kind)?.open.top?.open.top?.tasks.top;
  }

  /** Takes it out, and its line has had its turn. */
  take(ready: Ready): void {
    const { line } = ready;
    if (line === undefined) return;
    line.turn = ++line.group.turns;
    this.remove(ready);
  }

  /** The queue gives nothing out for now, or does again. */
  shutQueue(queue: string, isShut: boolean): void {
    if (isShut === this.#shut.has(queue)) return;
    if (isShut) this.#shut.add(queue);
    else this.#shut.delete(queue);
    for (const group of this.#queues.get(queue) ?? []) {
      group.isShut = isShut;
      this.#settleGroup(group);
    }
  }

  /** The key has as much as it may in this queue, or has room again. */
  shutKey(queue: string, key: string, isFull: boolean): void {
    const full = this.#full.get(queue);
    if (isFull === (full?.has(key) === true)) return;
    if (isFull) this.#full.set(queue, (full ?? new Set()).add(key));
    else full?.delete(key);
    for (const group of this.#queues.get(queue) ?? []) {
      const line = group.lines.get(key);
      if (line === undefined) continue;
      line.isFull = isFull;
      this.#settle(line);
    }
  }

  /** The rules of the queue have changed: who goes first is found out anew. */
  reorder(queue: string): void {
    for (const { lines, open } of this.#queues.get(queue) ?? []) {
      for (const line of lines.values()) open.remove(line);
      for (const line of lines.values()) this.#settle(line);
    }
  }

  /** Puts a line, and its group, where they belong now. */
  #settle(line: Line): void {
    const { group } = line;
    if (line.tasks.size === 0) {
      group.open.remove(line);
      // One that comes back goes behind those that wait.
      group.lines.delete(line.key);
    } else if (line.isFull) group.open.remove(line);
    else group.open.put(line);
    this.#settleGroup(group);
  }

  #settleGroup(group: Group): void {
    if (group.isShut || group.open.size === 0) group.ofKind.remove(group);
    else group.ofKind.put(group);
  }

  #groupOf(kind: string, queue: string): Group {
    let known = this.#kinds.get(kind);
    if (known === undefined) {
      known = { groups: new Map(), open: new IndexedHeap<Group>(groupBefore) };
      this.#kinds.set(kind, known);
    }
    let group = known.groups.get(queue);
    if (group === undefined) {
      group = new Group(queue, known.open, this.#shut.has(queue), () => this.#takesTurns(queue));
      known.groups.set(queue, group);
      const all = this.#queues.get(queue);
      if (all === undefined) this.#queues.set(queue, [group]);
      else all.push(group);
    }
    return group;
  }
}
