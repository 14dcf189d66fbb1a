import { type QueueContext, type QueuePolicy, rateLeft } from "../../machines/queue.ts";
import { FreeWorkers } from "./free-workers.ts";
import { type Ready, ReadyTasks } from "./ready-tasks.ts";

/** How a queue stands, as its actor was last heard of. */
export interface QueueStanding {
  readonly state: "open" | "paused" | "draining";
  readonly isPacing: boolean;
  readonly policy: QueuePolicy;
  readonly given: QueueContext["given"];
}
/** Slots in use of one queue, in all and by key. */
interface Use {
  all: number;
  readonly ofKey: Map<string, number>;
}
const unruled: QueueStanding = { state: "open", isPacing: false, policy: {}, given: [] };

/** What takes slots, from the moment at which it is given to a worker to the end of its attempt. */
export interface Load {
  readonly queue: string;
  readonly key: string;
  readonly slots: number;
}

/** One that is larger than the bound itself goes alone. */
const fits = (used: number, slots: number, max: number | undefined): boolean => max === undefined || used + Math.min(slots, max) <= max;

const defaultAgeingMs = 10 * 60 * 1000;

/**
 * Decides which task goes to which worker. It holds no truth: what it knows it was told, and can be told again. One
 * decision costs the same with a hundred tasks that wait and with a hundred thousand.
 */
export class Matcher {
  readonly ready = new ReadyTasks((queue) => this.queue(queue).policy.fairness === "turns");
  readonly workers = new FreeWorkers();
  readonly #slotsMax: number;
  readonly #queues = new Map<string, QueueStanding>();
  readonly #loads = new Map<string, Load>();
  /** Slots in use, by queue. */
  readonly #uses = new Map<string, Use>();
  /** Given out and not counted by their queue yet. */
  readonly #uncounted = new Map<string, number>();
  /** Tasks that no worker is large enough for, by kind. */
  readonly #tooLarge = new Map<string, Set<Ready>>();
  #used = 0;

  constructor(slotsMax: number) {
    this.#slotsMax = slotsMax;
  }

  /** Slots in use, of all and of one queue. */
  get used(): number {
    return this.#used;
  }
  usedIn(queue: string): number {
    return this.#uses.get(queue)?.all ?? 0;
  }
  /** Tasks of a queue that a worker has. */
  loadsIn(queue: string): number {
    let count = 0;
    for (const load of this.#loads.values()) if (load.queue === queue) count++;
    return count;
  }
  queue(name: string): QueueStanding {
    return this.#queues.get(name) ?? unruled;
  }
  get queueNames(): Iterable<string> {
    return new Set([...this.#queues.keys(), ...this.#uses.keys()]);
  }

  orderOf(queue: string, since: number, priority: number): number {
    return since - priority * (this.queue(queue).policy.ageingMs ?? defaultAgeingMs);
  }

  setQueue(name: string, standing: QueueStanding, at: number): void {
    const before = this.queue(name);
    this.#queues.set(name, standing);
    if (before.policy.fairness !== standing.policy.fairness) this.ready.reorder(name);
    this.#gate(name, at);
    for (const [key, used] of this.#uses.get(name)?.ofKey ?? []) this.#gateKey(name, key, used);
  }
  /** The queue has counted what was given out. */
  counted(name: string, count: number): void {
    this.#uncounted.set(name, Math.max(0, (this.#uncounted.get(name) ?? 0) - count));
  }

  setWorker(address: string, kinds: ReadonlyArray<string>, slots: number, free: number): void {
    this.workers.set(address, kinds, slots, free);
    if (this.#tooLarge.size === 0) return;
    for (const kind of kinds) for (const task of this.#tooLarge.get(kind) ?? []) if (this.workers.couldCarry(kind, task.slots)) this.#putBack(task);
  }
  #putBack(task: Ready): void {
    this.#leave(task);
    this.ready.put(task);
  }

  /** The task takes slots from now on; it is counted once. */
  load(id: string, load: Load, at: number): void {
    if (this.#loads.has(id)) return;
    this.#loads.set(id, load);
    this.#count(load, load.slots, at);
  }
  unload(id: string, at: number): void {
    const load = this.#loads.get(id);
    if (load === undefined) return;
    this.#loads.delete(id);
    this.#count(load, -load.slots, at);
  }
  /** It waits no more. */
  forget(task: Ready): void {
    this.ready.remove(task);
    this.#leave(task);
  }
  #leave(task: Ready): void {
    const tasks = this.#tooLarge.get(task.kind);
    if (tasks?.delete(task) === true && tasks.size === 0) this.#tooLarge.delete(task.kind);
  }

  /** Gives out what can be given out. `give` is told of each task with its worker. */
  match(at: number, give: (task: Ready, worker: string) => void): void {
    if (this.ready.size === 0) return;
    let given: Map<string, number> | undefined;
    let stuck: Set<string> | undefined;
    for (;;) {
      let best: Ready | undefined;
      for (const kind of this.ready.kinds) {
        const first = stuck?.has(kind) === true || this.workers.most(kind) === 0 ? undefined : this.ready.first(kind);
        if (first !== undefined && (best === undefined || first.order < best.order || (first.order === best.order && first.born < best.born))) best = first;
      }
      // What goes first waits for as many slots as it needs: it must not starve behind smaller ones.
      if (best === undefined || !fits(this.#used, best.slots, this.#slotsMax)) break;
      const { queue, key, kind, slots } = best;
      const { slotsMax, perKeyMax, rate } = this.queue(queue).policy;
      if (!fits(this.usedIn(queue), slots, slotsMax)) {
        this.ready.shutQueue(queue, true);
        continue;
      }
      if (key !== "" && !fits(this.#uses.get(queue)?.ofKey.get(key) ?? 0, slots, perKeyMax)) {
        this.ready.shutKey(queue, key, true);
        continue;
      }
      const worker = this.workers.take(kind, slots);
      if (worker === undefined) {
        if (this.workers.couldCarry(kind, slots)) stuck = (stuck ?? new Set()).add(kind);
        else {
          this.ready.remove(best);
          this.#tooLarge.set(kind, (this.#tooLarge.get(kind) ?? new Set()).add(best));
        }
        continue;
      }
      this.ready.take(best);
      if (rate !== undefined) {
        given = (given ?? new Map()).set(queue, (given?.get(queue) ?? 0) + 1);
        this.#uncounted.set(queue, (this.#uncounted.get(queue) ?? 0) + 1);
      }
      this.load(best.id, { queue, key, slots }, at);
      give(best, worker);
    }
    for (const [queue, count] of given ?? []) this.onGiven?.(queue, count);
  }
  /** Tells a queue with a rate what was given out of it. */
  onGiven: ((queue: string, count: number) => void) | undefined;

  #count({ queue, key }: Load, slots: number, at: number): void {
    this.#used += slots;
    let use = this.#uses.get(queue);
    if (use === undefined) {
      use = { all: 0, ofKey: new Map() };
      this.#uses.set(queue, use);
    }
    use.all += slots;
    if (key !== "") {
      const ofKey = (use.ofKey.get(key) ?? 0) + slots;
      if (ofKey === 0) use.ofKey.delete(key);
      else use.ofKey.set(key, ofKey);
      this.#gateKey(queue, key, ofKey);
    }
    if (use.all === 0) this.#uses.delete(queue);
    this.#gate(queue, at);
  }

  /** Whether the queue gives something out now. */
  #gate(name: string, at: number): void {
    const { state, isPacing, policy, given } = this.queue(name);
    const isFull = policy.slotsMax !== undefined && this.usedIn(name) >= policy.slotsMax;
    const isSpent = policy.rate !== undefined && rateLeft({ policy, given }, at) - (this.#uncounted.get(name) ?? 0) <= 0;
    this.ready.shutQueue(name, state === "paused" || isPacing || isFull || isSpent);
  }
  #gateKey(queue: string, key: string, used: number): void {
    const { perKeyMax } = this.queue(queue).policy;
    this.ready.shutKey(queue, key, perKeyMax !== undefined && used >= perKeyMax);
  }
}
