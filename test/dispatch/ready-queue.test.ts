import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ReadyQueue } from "../../src/dispatch/ready-queue.ts";

interface Waiting {
  readonly id: string;
  readonly priority: number;
  readonly born: number;
}

/** The same as a list that is searched: nothing that could be wrong. */
class SortedList {
  #waiting: Array<Waiting> = [];

  get size(): number {
    return this.#waiting.length;
  }
  add(id: string, priority: number, born: number): void {
    if (this.#waiting.some((waiting) => waiting.id === id)) return;
    this.#waiting.push({ id, priority, born });
    this.#waiting.sort((left, right) => right.priority - left.priority || left.born - right.born);
  }
  remove(id: string): void {
    this.#waiting = this.#waiting.filter((waiting) => waiting.id !== id);
  }
  take(): string | undefined {
    const [first] = this.#waiting;
    if (first !== undefined) this.remove(first.id);
    return first?.id;
  }
}

describe("dispatch > ready queue", () => {
  const id = fc.nat(12).map(String);
  const call = fc.oneof(
    { weight: 5, arbitrary: fc.record({ what: fc.constant("add" as const), id, priority: fc.integer({ min: -2, max: 2 }) }) },
    { weight: 2, arbitrary: fc.record({ what: fc.constant("remove" as const), id }) },
    { weight: 3, arbitrary: fc.record({ what: fc.constant("take" as const) }) },
  );

  test("gives out what a sorted list would, whatever is added and removed", () => {
    fc.assert(
      fc.property(fc.array(call, { maxLength: 200, size: "max" }), (calls) => {
        const queue = new ReadyQueue();
        const list = new SortedList();
        for (const given of calls) {
          if (given.what === "add") for (const either of [queue, list]) either.add(given.id, given.priority, Number(given.id));
          else if (given.what === "remove") for (const either of [queue, list]) either.remove(given.id);
          else expect(queue.take()).toBe(list.take());
          expect(queue.size).toBe(list.size);
        }
        while (list.size > 0) expect(queue.take()).toBe(list.take());
        expect(queue.take()).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  test("a task that waits keeps its place when it is added again", () => {
    const queue = new ReadyQueue();
    queue.add("a", 0, 1);
    queue.add("b", 1, 2);
    queue.add("a", 9, 0);
    expect([queue.take(), queue.take(), queue.take()]).toEqual(["b", "a", undefined]);
  });

  test("a task that comes back stands where its age puts it", () => {
    const queue = new ReadyQueue();
    for (const [born, id] of ["a", "b", "c"].entries()) queue.add(id, 0, born);
    expect(queue.take()).toBe("a");
    queue.remove("b");
    queue.add("a", 0, 0);
    queue.add("b", 0, 1);
    expect([queue.take(), queue.take(), queue.take()]).toEqual(["a", "b", "c"]);
  });

  test("forgets nobody among 100,000 and gives them out in order", () => {
    const queue = new ReadyQueue();
    for (let number = 0; number < 100_000; number++) queue.add(String(number), (number * 7919) % 11, number);
    const seen: Array<number> = [];
    for (let next = queue.take(); next !== undefined; next = queue.take()) seen.push(Number(next));
    expect(seen).toHaveLength(100_000);
    for (let at = 1; at < seen.length; at++) {
      const [before, after] = [seen[at - 1] as number, seen[at] as number];
      const [high, low] = [(before * 7919) % 11, (after * 7919) % 11];
      if (high < low || (high === low && before > after)) throw new Error(`${before} goes before ${after}`);
    }
  });
});
