import { describe, expect, test } from "vitest";
import { assign, setup } from "xstate";
import { edgesTaken, graphOf, mermaidOf } from "../../src/analysis/index.ts";
import { inThreeModes } from "../../src/testing/index.ts";
import { everything } from "./machines.ts";

describe("analysis > edges taken", () => {
  inThreeModes("are those that the history took, in its order", async ({ engine }) => {
    const bench = await engine({ machines: [everything] });
    await bench.start(everything, "1");
    for (const type of ["GO", "GO", "GO", "BACK", "GO", "STOP"]) {
      await bench.send("everything/1", { type });
      await bench.settled();
    }
    const history = await bench.taskwright.history("everything/1");
    const taken = edgesTaken(everything, history, { address: "everything/1" });
    expect(taken.broken).toBeUndefined();
    expect(taken.steps.map(({ edges, states }) => `${edges.map((id) => id.replaceAll("everything", "")).join(", ")} → ${states.at(-1)}`)).toEqual([
      " → everything.idle",
      ".idle:event GO:0 → everything.working",
      ".working:done clerk:0, .checking:always:1 → everything.both.right.a",
      ".both.left.a:event GO:0, .both.right.a:event GO:0, .both:stateDone .both:0 → everything.over",
      ...["GO", "BACK", "GO", "STOP"].map(() => " → everything.over"),
    ]);
  });

  inThreeModes("are found by a deadline's name, and in regions that stay", async ({ engine }) => {
    const bench = await engine({ machines: [lamp] });
    await bench.start(lamp, "1");
    for (const type of ["PRESS", "PRESS"]) await bench.send("lamp/1", { type });
    await bench.advance(1_000);
    const { counts, steps } = edgesTaken(lamp, await bench.taskwright.history("lamp/1"));
    expect(counts).toEqual({ "lamp.off:event PRESS:0": 1, "lamp.on:event PRESS:0": 1, "lamp.on:after limit:0": 1 });
    expect(steps.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
    expect(mermaidOf(graphOf(lamp), edgesTaken(lamp, await bench.taskwright.history("lamp/1")))).toBe(`stateDiagram-v2
  [*] --> off
  off --> on: PRESS ×1
  on --> off: after limit ×1
  classDef taken fill:#dbeafe,stroke:#1d4ed8
  classDef here fill:#1d4ed8,color:#ffffff
  class on taken
  class off here
`);
  });

  test("say where a history does not follow from the machine", () => {
    const entry = (seq: number, event: { readonly type: string; readonly [key: string]: unknown }) => ({ seq, at: seq, event, outcome: "handled" as const });
    const { broken, steps } = edgesTaken(fragile, [entry(1, { type: "taskwright.start" }), entry(2, { type: "BREAK" }), entry(3, { type: "BREAK" })]);
    expect(steps.map(({ seq }) => seq)).toEqual([1]);
    expect(broken).toEqual({ seq: 2, reason: expect.stringContaining("it broke") });
  });

  test("leave out what failed, and what another form of the machine wrote", () => {
    const entry = (seq: number, event: { readonly type: string; readonly [key: string]: unknown }, outcome: "handled" | "failed" = "handled") => ({ seq, at: seq, event, outcome });
    const { version, hash } = graphOf(lamp);
    const state = { status: "active", value: "on", context: { pressed: 0 }, tokens: 1, timers: { "after.limit.lamp.on": { due: 9, token: 1 } } };
    const { counts, steps, elsewhere } = edgesTaken(lamp, [
      entry(1, { type: "taskwright.start" }),
      entry(2, { type: "TAP" }),
      entry(3, { type: "taskwright.migrate", from: { version: "0", hash: "another" }, to: { version, hash }, by: "structure", state }),
      entry(4, { type: "PRESS" }, "failed"),
      entry(5, { type: "PRESS" }),
    ]);
    expect(elsewhere).toBe(2);
    expect(steps.map(({ seq, states }) => [seq, states.at(-1)])).toEqual([3, 4, 5].map((seq) => [seq, "lamp.on"]));
    expect(counts).toEqual({ "lamp.on:event PRESS:0": 1 });
  });
});

const lamp = setup({
  types: { context: {} as { readonly pressed: number } },
  actions: { count: assign({ pressed: ({ context }) => context.pressed + 1 }) },
  delays: { limit: 1_000 },
}).createMachine({
  id: "lamp",
  version: "1",
  context: { pressed: 0 },
  initial: "off",
  states: { off: { on: { PRESS: "on" } }, on: { on: { PRESS: { actions: "count" } }, after: { limit: "off" } } },
});

const fragile = setup({
  actions: {
    break: assign(() => {
      throw new Error("it broke");
    }),
  },
}).createMachine({ id: "fragile", version: "1", on: { BREAK: { actions: "break" } } });
