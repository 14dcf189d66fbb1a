import { describe, expect } from "vitest";
import { inBothJournals, inThreeModes } from "../../src/testing/index.ts";
import { counter, list } from "./machines.ts";

describe("engine > start", () => {
  inThreeModes("the same start again answers with a duplicate and changes nothing", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    expect(await engine.start("counter", "1", { limit: 5 })).toMatchObject({ address: "counter/1", seq: 1, duplicate: false });
    await engine.send("counter/1", { type: "ADD" });
    expect(await engine.start("counter", "1", { limit: 9 })).toMatchObject({ address: "counter/1", seq: 2, duplicate: true });
    expect(await engine.snapshot("counter/1")).toMatchObject({ seq: 2, context: { count: 1, limit: 5 } });
  });

  inBothJournals("of two starts in one turn the first one counts", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    const receipts = await Promise.all([engine.start("counter", "1", { limit: 1 }), engine.start("counter", "1", { limit: 2 })]);
    expect(receipts.map(({ duplicate }) => duplicate)).toEqual([false, true]);
    expect(await engine.snapshot("counter/1")).toMatchObject({ seq: 1, context: { limit: 1 } });
  });

  inThreeModes("an actor that has ended is not started again", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    await engine.start("counter", "1");
    await engine.send("counter/1", { type: "CLOSE" });
    expect(await engine.start("counter", "1")).toMatchObject({ duplicate: true });
    expect(await engine.snapshot("counter/1")).toMatchObject({ status: "done" });
  });

  inBothJournals("startAll starts many in few turns, with receipts in the order of the list", async (bench) => {
    const engine = await bench.engine({ machines: [counter, list] });
    await engine.start("counter", "7");
    const before = engine.taskwright.status().turns;
    const receipts = await engine.taskwright.startAll(Array.from({ length: 500 }, (_, index) => ({ machine: index % 2 === 0 ? "list" : "counter", id: String(index), input: {} })));
    expect(receipts.map(({ address }) => address)).toEqual(Array.from({ length: 500 }, (_, index) => `${index % 2 === 0 ? "list" : "counter"}/${index}`));
    expect(receipts.filter(({ duplicate }) => duplicate).map(({ address }) => address)).toEqual(["counter/7"]);
    expect(engine.taskwright.status().turns - before).toBeLessThanOrEqual(2);
    expect(await engine.taskwright.counts()).toEqual([
      { machine: "counter", status: "active", count: 250 },
      { machine: "list", status: "active", count: 250 },
    ]);
  });

  inBothJournals("startAll stores all of them in one transaction or, where one is refused, none", async (bench) => {
    const engine = await bench.engine({ machines: [counter], limits: { turnEnvelopesMax: 10, startsTogetherMax: 100 } });
    const many = (count: number) => Array.from({ length: count }, (_, n) => ({ machine: "counter", id: String(n) }));
    await expect(engine.taskwright.startAll([...many(30), { machine: "nobody", id: "1" }])).rejects.toMatchObject({ _tag: "UnknownMachine" });
    expect(await engine.taskwright.counts()).toEqual([]);
    let before = engine.taskwright.status().turns;
    // Those that were there before it are taken along with its first ones.
    const first = Array.from({ length: 5 }, (_, n) => engine.taskwright.start("counter", `first${n}`));
    await engine.taskwright.startAll(many(95));
    await Promise.all(first);
    expect(engine.taskwright.status().turns - before).toBe(1);
    before = engine.taskwright.status().turns;
    const receipts = await engine.taskwright.startAll(many(250));
    expect(engine.taskwright.status().turns - before).toBe(3);
    expect(receipts.filter(({ duplicate }) => !duplicate)).toHaveLength(155);
    expect(await engine.taskwright.startAll([])).toEqual([]);
  });

  inBothJournals("a machine may be given in place of its id", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    expect(await engine.start(counter, "1")).toMatchObject({ address: "counter/1" });
  });
});
