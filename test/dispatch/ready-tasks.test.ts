import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FreeWorkers } from "../../src/dispatch/free-workers.ts";
import { Matcher } from "../../src/dispatch/matcher.ts";
import { type Ready, type ReadyTask as Waiting, ReadyTasks } from "../../src/dispatch/ready-tasks.ts";

const waiting = (id: string, more: Partial<Waiting> = {}): Waiting => ({ id, kind: "k", queue: "q", key: "", slots: 1, order: 0, born: 0, ...more });

/** The same as a list that is searched: nothing that could be wrong. */
class SortedList {
  #tasks: Array<Waiting> = [];
  readonly shutQueues = new Set<string>();
  readonly fullKeys = new Set<string>();
  get size(): number {
    return this.#tasks.length;
  }
  add(task: Waiting): void {
    if (!this.#tasks.some(({ id }) => id === task.id)) this.#tasks.push(task);
  }
  remove(id: string): void {
    this.#tasks = this.#tasks.filter((task) => task.id !== id);
  }
  first(kind: string): string | undefined {
    const open = this.#tasks.filter((task) => task.kind === kind && !this.shutQueues.has(task.queue) && !this.fullKeys.has(`${task.queue} ${task.key}`));
    return open.sort((left, right) => left.order - right.order || left.born - right.born)[0]?.id;
  }
}

describe("dispatch > ready tasks", () => {
  const queue = fc.constantFrom("p", "q");
  const key = fc.constantFrom("", "x", "y");
  const call = fc.oneof(
    { weight: 6, arbitrary: fc.record({ what: fc.constant("add" as const), id: fc.nat(30), kind: fc.constantFrom("k", "l"), queue, key, order: fc.integer({ min: -3, max: 3 }) }) },
    { weight: 2, arbitrary: fc.record({ what: fc.constant("remove" as const), id: fc.nat(30) }) },
    { weight: 4, arbitrary: fc.record({ what: fc.constant("take" as const), kind: fc.constantFrom("k", "l") }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant("queue" as const), queue, isShut: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant("key" as const), queue, key, isFull: fc.boolean() }) },
  );
  test("what goes first is what a sorted list says, whatever is added, removed, shut and opened", () => {
    fc.assert(
      fc.property(fc.array(call, { maxLength: 200, size: "max" }), (calls) => {
        const tasks = new ReadyTasks();
        const list = new SortedList();
        const known = new Map<string, Ready>();
        for (const given of calls) {
          if (given.what === "add") {
            const id = String(given.id);
            const before = known.get(id);
            if (before?.line !== undefined) tasks.put(before);
            else known.set(id, tasks.add(waiting(id, { ...given, id, born: given.id })));
            list.add(waiting(id, { ...given, id, born: given.id }));
          } else if (given.what === "remove") {
            const ready = known.get(String(given.id));
            if (ready !== undefined) tasks.remove(ready);
            list.remove(String(given.id));
          } else if (given.what === "queue") {
            tasks.shutQueue(given.queue, given.isShut);
            list.shutQueues[given.isShut ? "add" : "delete"](given.queue);
          } else if (given.what === "key") {
            tasks.shutKey(given.queue, given.key, given.isFull);
            list.fullKeys[given.isFull ? "add" : "delete"](`${given.queue} ${given.key}`);
          } else {
            const first = tasks.first(given.kind);
            expect(first?.id).toBe(list.first(given.kind));
            if (first === undefined) continue;
            tasks.take(first);
            list.remove(first.id);
          }
          for (const kind of ["k", "l"]) expect(tasks.first(kind)?.id).toBe(list.first(kind));
          expect(tasks.size).toBe(list.size);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("a task that waits keeps its place when it is put back again", () => {
    const tasks = new ReadyTasks();
    const a = tasks.add(waiting("a", { order: 1 }));
    tasks.add(waiting("b", { order: 2 }));
    tasks.put(a);
    expect([tasks.first("k")?.id, tasks.size]).toEqual(["a", 2]);
    tasks.take(a);
    expect([tasks.first("k")?.id, tasks.size]).toEqual(["b", 1]);
    tasks.put(a);
    expect([tasks.first("k")?.id, tasks.size]).toEqual(["a", 2]);
  });

  test("keys take turns where the queue says so, whoever has more waiting", () => {
    const tasks = new ReadyTasks(() => true);
    for (let n = 0; n < 4; n++) tasks.add(waiting(`x${n}`, { key: "x", born: n }));
    for (let n = 0; n < 2; n++) tasks.add(waiting(`y${n}`, { key: "y", born: 10 + n }));
    const order: Array<string> = [];
    for (let next = tasks.first("k"); next !== undefined; next = tasks.first("k")) {
      order.push(next.id);
      tasks.take(next);
      // One that comes late does not get ahead of those whose turn it is.
      if (order.length === 3) tasks.add(waiting("z0", { key: "z", born: 20 }));
    }
    expect(order).toEqual(["x0", "y0", "x1", "y1", "x2", "z0", "x3"]);
  });

  test("forgets nobody among 100,000 and gives them out in order", () => {
    const tasks = new ReadyTasks();
    for (let number = 0; number < 100_000; number++) tasks.add(waiting(String(number), { order: (number * 7919) % 11, born: number, key: String(number % 17) }));
    const seen: Array<Ready> = [];
    for (let next = tasks.first("k"); next !== undefined; next = tasks.first("k")) {
      seen.push({ ...next });
      tasks.take(next);
    }
    expect(seen).toHaveLength(100_000);
    for (let at = 1; at < seen.length; at++) {
      const [before, after] = [seen[at - 1] as Ready, seen[at] as Ready];
      if (before.order > after.order || (before.order === after.order && before.born > after.born)) throw new Error(`${before.id} goes before ${after.id}`);
    }
  });
});

describe("dispatch > free workers", () => {
  test("work spreads to those with the most room, and one that is full gets none", () => {
    const workers = new FreeWorkers();
    workers.set("a", ["k"], 2, 2);
    workers.set("b", ["k", "l"], 3, 3);
    expect(Array.from({ length: 6 }, () => workers.take("k", 1))).toEqual(["b", "a", "b", "a", "b", undefined]);
    workers.set("b", ["k", "l"], 3, 1);
    expect([workers.take("l", 2), workers.take("l", 1), workers.most("k")]).toEqual([undefined, "b", 0]);
    workers.set("b", [], 0, 0);
    expect(workers.couldCarry("k", 3)).toBe(false);
    expect(workers.couldCarry("k", 2)).toBe(true);
  });
});

describe("dispatch > matcher", () => {
  const matcher = (slotsMax = Number.POSITIVE_INFINITY) => {
    const made = new Matcher(slotsMax);
    const given: Array<string> = [];
    return { made, given, match: (at = 0) => made.match(at, ({ id }, worker) => void given.push(`${id}@${worker}`)) };
  };
  test("a task that needs several slots is not overtaken by smaller ones of its kind for ever", () => {
    const { made, given, match } = matcher();
    made.setWorker("w", ["k"], 3, 2);
    made.ready.add(waiting("large", { slots: 3, born: 1 }));
    made.ready.add(waiting("small", { born: 2 }));
    match();
    expect(given).toEqual([]);
    made.setWorker("w", ["k"], 3, 3);
    match();
    expect(given).toEqual(["large@w"]);
  });
  test("one that no worker could ever carry holds nobody up, and goes when there is one", () => {
    const { made, given, match } = matcher();
    made.setWorker("w", ["k"], 1, 1);
    made.ready.add(waiting("large", { slots: 3, born: 1 }));
    made.ready.add(waiting("small", { born: 2 }));
    match();
    expect(given).toEqual(["small@w"]);
    made.setWorker("v", ["k"], 4, 4);
    match();
    expect(given).toEqual(["small@w", "large@v"]);
  });
  test("no bound is exceeded: of all, of a queue, of a key", () => {
    const { made, given, match } = matcher(5);
    made.setQueue("q", { state: "open", isPacing: false, policy: { slotsMax: 3, perKeyMax: 2 }, given: [] }, 0);
    made.setWorker("w", ["k"], 100, 100);
    for (let n = 0; n < 4; n++) made.ready.add(waiting(`x${n}`, { key: "x", born: n }));
    for (let n = 0; n < 4; n++) made.ready.add(waiting(`y${n}`, { key: "y", born: 10 + n }));
    for (let n = 0; n < 4; n++) made.ready.add(waiting(`p${n}`, { queue: "p", born: 20 + n }));
    match();
    expect(given).toEqual(["x0@w", "x1@w", "y0@w", "p0@w", "p1@w"]);
    made.unload("x0", 0);
    match();
    expect(given.slice(5)).toEqual(["x2@w"]);
    for (const id of ["x1", "x2", "y0", "p0", "p1"]) made.unload(id, 0);
    expect([made.used, made.usedIn("q")]).toEqual([0, 0]);
  });
  test("a queue gives out as much as its rate allows, and tells what it gave", () => {
    const { made, given, match } = matcher();
    const told: Array<string> = [];
    made.onGiven = (queue_, count) => told.push(`${queue_} ${count}`);
    const rate = { rate: { tasksMax: 2, perMs: 1_000 } };
    made.setQueue("q", { state: "open", isPacing: false, policy: rate, given: [] }, 0);
    made.setWorker("w", ["k"], 9, 9);
    for (let n = 0; n < 5; n++) made.ready.add(waiting(`t${n}`, { born: n }));
    match();
    expect([given.length, told]).toEqual([2, ["q 2"]]);
    made.counted("q", 2);
    made.setQueue("q", { state: "open", isPacing: true, policy: rate, given: [{ at: 0, count: 2 }] }, 0);
    match();
    made.setQueue("q", { state: "open", isPacing: false, policy: rate, given: [{ at: 0, count: 2 }] }, 1_000);
    match(1_000);
    expect(given).toHaveLength(4);
  });
  test("one step of priority is worth ten minutes of waiting, or what the queue says", () => {
    const { made } = matcher();
    const minute = 60_000;
    expect(made.orderOf("q", 0, 0)).toBeLessThan(made.orderOf("q", 11 * minute, 1));
    expect(made.orderOf("q", 0, 0)).toBeGreaterThan(made.orderOf("q", 9 * minute, 1));
    made.setQueue("p", { state: "open", isPacing: false, policy: { ageingMs: minute }, given: [] }, 0);
    expect(made.orderOf("p", 0, 0)).toBeLessThan(made.orderOf("p", 2 * minute, 1));
  });
});
