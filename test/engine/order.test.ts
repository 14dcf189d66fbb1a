import { describe, expect } from "vitest";
import { inBothJournals } from "../../src/testing/index.ts";
import { counter, list, relay } from "./machines.ts";

describe("engine > order", () => {
  inBothJournals("events of one actor are handled in the order of the calls, over many turns", async (bench) => {
    const engine = await bench.engine({ machines: [list], limits: { turnEnvelopesMax: 7 } });
    await engine.start("list", "1");
    const words = Array.from({ length: 100 }, (_, word) => word);
    const receipts = await Promise.all(words.map((word) => engine.send("list/1", { type: "SAY", word })));
    expect(receipts.map(({ seq }) => seq)).toEqual(words.map((word) => word + 2));
    expect(await engine.snapshot("list/1")).toMatchObject({ context: { words } });
  });

  inBothJournals("events of many actors are handled in order for each of them", async (bench) => {
    const engine = await bench.engine({ machines: [list], limits: { turnEnvelopesMax: 13 } });
    const ids = ["a", "b", "c", "d", "e"];
    await Promise.all(ids.map((id) => engine.start("list", id)));
    await Promise.all(Array.from({ length: 100 }, (_, word) => engine.send(`list/${ids[word % 5]}`, { type: "SAY", word })));
    for (const [index, id] of ids.entries()) expect(await engine.snapshot(`list/${id}`)).toMatchObject({ context: { words: Array.from({ length: 20 }, (_, turn) => turn * 5 + index) } });
  });

  inBothJournals("what one actor sends another arrives in the order in which it was sent, also when nobody is in memory", async (bench) => {
    for (const residentActorsMax of [1, 1_000]) {
      const engine = await bench.engine({ machines: [list, relay], limits: { residentActorsMax } });
      for (const id of ["1", "2", "3"]) {
        await engine.start("relay", id);
        await engine.start("list", id);
      }
      await Promise.all(Array.from({ length: 60 }, (_, word) => engine.send(`relay/${(word % 3) + 1}`, { type: "PASS", to: `list/${(word % 2) + 1}`, word })));
      expect(await engine.snapshot("list/1")).toMatchObject({ context: { words: Array.from({ length: 30 }, (_, word) => word * 2) } });
      expect(await engine.snapshot("list/2")).toMatchObject({ context: { words: Array.from({ length: 30 }, (_, word) => word * 2 + 1) } });
    }
  });

  inBothJournals("a start goes before the sends that follow it", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    const [, ...sent] = await Promise.all([engine.start("counter", "1"), engine.send("counter/1", { type: "ADD" }), engine.send("counter/1", { type: "ADD" })]);
    expect(sent.map(({ seq }) => seq)).toEqual([2, 3]);
  });
});

describe("engine > group commit", () => {
  inBothJournals("a hundred sends in one tick are one turn", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    await engine.taskwright.startAll(Array.from({ length: 10 }, (_, id) => ({ machine: "counter", id: String(id) })));
    const before = engine.taskwright.status();
    await Promise.all(Array.from({ length: 100 }, (_, index) => engine.send(`counter/${index % 10}`, { type: "ADD" })));
    const after = engine.taskwright.status();
    expect(after.transitions - before.transitions).toBe(100);
    expect(after.turns - before.turns).toBeLessThanOrEqual(2);
  });

  inBothJournals("a turn takes no more than its bound", async (bench) => {
    const engine = await bench.engine({ machines: [counter], limits: { turnEnvelopesMax: 10 } });
    await engine.start("counter", "1");
    const before = engine.taskwright.status().turns;
    await Promise.all(Array.from({ length: 100 }, () => engine.send("counter/1", { type: "ADD" })));
    expect(engine.taskwright.status().turns - before).toBeGreaterThanOrEqual(10);
  });
});
