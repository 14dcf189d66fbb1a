import { describe, expect } from "vitest";
import { assign, sendTo, setup, spawnChild } from "xstate";
import { inMemory, inThreeModes } from "../../src/testing/index.ts";
import { Held } from "./held.ts";

interface Shown {
  readonly value: unknown;
  readonly context: unknown;
  readonly matches: (state: string) => boolean;
  readonly hasTag: (tag: string) => boolean;
}
const shownIn = (event: unknown): Shown => (event as { snapshot: Shown }).snapshot;

const lamp = setup({
  types: { context: {} as { switched: number }, events: {} as { type: "SWITCH" } | { type: "NOISE" } | { type: "BREAK" } },
  actions: { count: assign({ switched: ({ context }) => context.switched + 1 }) },
}).createMachine({
  id: "lamp",
  context: { switched: 0 },
  initial: "dark",
  on: { BREAK: ".broken" },
  states: { dark: { on: { SWITCH: { target: "lit", actions: "count" } } }, lit: { tags: "bright", on: { SWITCH: { target: "dark", actions: "count" } } }, broken: { type: "final" } },
});

const room = setup({
  types: { context: {} as { seen: ReadonlyArray<unknown> }, events: {} as { type: "SWITCH" } | { type: "NOISE" } | { type: "BREAK" } | { type: "xstate.snapshot.lamp" } },
  actors: { lamp },
  guards: { isLit: ({ event }) => shownIn(event).matches("lit") && shownIn(event).hasTag("bright") },
  actions: { keep: assign({ seen: ({ context, event }) => [...context.seen, [shownIn(event).value, shownIn(event).context]] }), pass: sendTo("lamp", ({ event }) => event as { type: "SWITCH" }) },
}).createMachine({
  id: "room",
  context: { seen: [] },
  initial: "night",
  invoke: { src: "lamp", id: "lamp", onSnapshot: { actions: "keep" } },
  on: { SWITCH: { actions: "pass" }, NOISE: { actions: "pass" }, BREAK: { actions: "pass" } },
  states: {
    night: { on: { "xstate.snapshot.lamp": [{ guard: "isLit", target: "day", actions: "keep" }, { actions: "keep" }] } },
    day: {},
  },
});

describe("engine > snapshots of children", () => {
  inThreeModes("a parent that listens sees each snapshot of a child machine, from the first on", async (bench) => {
    const engine = await bench.engine({ machines: [room] });
    await engine.start("room", "1");
    expect((await engine.snapshot("room/1")).context).toEqual({ seen: [["dark", { switched: 0 }]] });
    await engine.send("room/1", { type: "SWITCH" });
    expect(await engine.snapshot("room/1")).toMatchObject({ value: "day" });
    await engine.send("room/1", { type: "SWITCH" });
    // As in XState, an event that changes nothing shows the snapshot again, and the last one is not shown: that is onDone.
    await engine.send("room/1", { type: "NOISE" });
    await engine.send("room/1", { type: "BREAK" });
    expect((await engine.snapshot("room/1")).context).toEqual({
      seen: [
        ["dark", { switched: 0 }],
        ["lit", { switched: 1 }],
        ["dark", { switched: 2 }],
        ["dark", { switched: 2 }],
      ],
    });
  });

  inThreeModes("one that was spawned with syncSnapshot shows itself, too", async (bench) => {
    const house = setup({
      types: { context: {} as { seen: number } },
      actors: { lamp },
      actions: { see: assign({ seen: ({ context }) => context.seen + 1 }), pass: sendTo("lamp", { type: "SWITCH" }) },
    }).createMachine({
      id: "house",
      context: { seen: 0 },
      entry: spawnChild("lamp", { id: "lamp", syncSnapshot: true }),
      on: { "xstate.snapshot.lamp": { actions: "see" }, SWITCH: { actions: "pass" } },
    });
    const engine = await bench.engine({ machines: [house] });
    await engine.start("house", "1");
    await engine.send("house/1", { type: "SWITCH" });
    expect((await engine.snapshot("house/1")).context).toEqual({ seen: 2 });
  });

  inThreeModes("of a promise only the first is shown, whatever its attempts go through", async (bench) => {
    const held = new Held();
    const waiter = setup({
      types: { context: {} as { seen: ReadonlyArray<unknown> } },
      actors: { work: held.logic },
      actions: { keep: assign({ seen: ({ context, event }) => [...context.seen, shownIn(event)] }) },
    }).createMachine({
      id: "waiter",
      context: { seen: [] },
      initial: "waiting",
      states: { waiting: { invoke: { src: "work", id: "work", input: 3, onSnapshot: { actions: "keep" }, onDone: "done" } }, done: {} },
    });
    const engine = await bench.engine({ machines: [{ machine: waiter, activities: { work: { retry: { attemptsMax: 2, backoff: { kind: "fixed", baseMs: 10 } } } } }] });
    await engine.start("waiter", "1");
    held.last.reject(new Error("once more"));
    await engine.advance("10 millis");
    held.last.resolve();
    await engine.settled();
    expect(await engine.snapshot("waiter/1")).toMatchObject({ value: "done", context: { seen: [{ status: "active", input: 3 }] } });
  });

  inMemory("a parent that does not listen is not told, and its history stays short", async (bench) => {
    const deaf = setup({ actors: { lamp }, actions: { pass: sendTo("lamp", { type: "SWITCH" }) } }).createMachine({
      id: "deaf",
      invoke: { src: "lamp", id: "lamp" },
      on: { SWITCH: { actions: "pass" } },
    });
    const engine = await bench.engine({ machines: [deaf] });
    await engine.start("deaf", "1");
    await engine.send("deaf/1", { type: "SWITCH" });
    await engine.settled();
    expect((await engine.taskwright.history("deaf/1")).map(({ event }) => event.type)).toEqual(["taskwright.start", "SWITCH"]);
  });
});
