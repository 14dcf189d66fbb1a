import * as Effect from "effect/Effect";
import { describe, expect } from "vitest";
import { inBothJournals, inThreeModes } from "../../src/testing/index.ts";
import { counter } from "./machines.ts";

describe("engine > receipts", () => {
  inThreeModes("a receipt means stored: a second reader sees the state at once", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    const reader = await engine.reader();
    await engine.start("counter", "1");
    for (let count = 1; count <= 3; count++) {
      const receipt = await engine.send("counter/1", { type: "ADD" });
      expect(receipt).toEqual({ address: "counter/1", seq: count + 1, at: engine.time.now(), outcome: "handled", duplicate: false });
      const [row] = await Effect.runPromise(reader.actors(["counter/1"]));
      expect(row?.seq).toBe(count + 1);
      expect(JSON.parse(row?.state ?? "")).toMatchObject({ context: { count } });
      const history = await Effect.runPromise(reader.history("counter/1", count, 10));
      expect(history).toMatchObject([{ seq: count + 1, type: "ADD", outcome: "handled", from: "" }]);
    }
  });

  inThreeModes("the outcome tells whether the state took the event, ignored it, or had ended", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    await engine.start("counter", "1");
    expect(await engine.send("counter/1", { type: "RESET" })).toMatchObject({ seq: 2, outcome: "ignored" });
    expect(await engine.send("counter/1", { type: "NOBODY_KNOWS_THIS" })).toMatchObject({ seq: 3, outcome: "ignored" });
    expect(await engine.send("counter/1", { type: "CLOSE" })).toMatchObject({ seq: 4, outcome: "handled" });
    expect(await engine.send("counter/1", { type: "ADD" })).toMatchObject({ seq: 5, outcome: "ended" });
    const history = await engine.taskwright.history("counter/1");
    expect(history.map(({ outcome }) => outcome)).toEqual(["handled", "ignored", "ignored", "handled", "ended"]);
    expect(await engine.snapshot("counter/1")).toMatchObject({ status: "done", value: "closed", seq: 5, context: { count: 0 } });
  });

  inBothJournals("`at` is the moment of the turn", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    const began = engine.time.now();
    expect((await engine.start("counter", "1")).at).toBe(began);
    await engine.advance("5 minutes");
    expect((await engine.send("counter/1", { type: "ADD" })).at).toBe(began + 300_000);
  });
});
