import { describe, expect } from "vitest";
import { assign, emit, type EventObject, fromTransition, sendTo, setup } from "xstate";
import { inMemory, inThreeModes } from "../../src/testing/index.ts";

type Change = { readonly type: "ADD"; readonly amount: number } | { readonly type: "BREAK" };

const total = fromTransition<number, Change, never, { from: number }, EventObject>(
  (sum, event, { emit }) => {
    if (event.type === "BREAK") throw new Error("it does not add up");
    emit({ type: "ADDED" });
    return sum + event.amount;
  },
  ({ input }) => input.from,
);

const shop = setup({
  types: { context: {} as { seen: ReadonlyArray<number> }, events: {} as { type: "BUY"; amount: number } | { type: "BREAK" } },
  actors: { total },
  actions: {
    keep: assign({ seen: ({ context, event }) => [...context.seen, (event as unknown as { snapshot: { context: number } }).snapshot.context] }),
    note: emit({ type: "NOTED" }),
  },
}).createMachine({
  id: "shop",
  context: { seen: [] },
  initial: "open",
  states: {
    open: {
      invoke: { src: "total", id: "total", input: { from: 100 }, onSnapshot: { actions: "keep" }, onError: "broken" },
      on: { BUY: { actions: sendTo("total", ({ event }) => ({ type: "ADD", amount: event.amount })) }, BREAK: { actions: sendTo("total", { type: "BREAK" }) } },
    },
    broken: {},
  },
});

describe("engine > transition actors", () => {
  inThreeModes("a reducer keeps its state, and shows each to a parent that listens", async (bench) => {
    const engine = await bench.engine({ machines: [shop] });
    await engine.start("shop", "1");
    await engine.send("shop/1", { type: "BUY", amount: 5 });
    await engine.send("shop/1", { type: "BUY", amount: 7 });
    await engine.settled();
    expect(await engine.snapshot("shop/1/total")).toMatchObject({ machine: "shop#total", status: "active", context: { state: 112 } });
    expect((await engine.snapshot("shop/1")).context).toEqual({ seen: [100, 105, 112] });
  });

  inThreeModes("one that throws is over, and its parent is told", async (bench) => {
    const engine = await bench.engine({ machines: [shop] });
    await engine.start("shop", "1");
    await engine.send("shop/1", { type: "BREAK" });
    await engine.settled();
    expect(await engine.snapshot("shop/1")).toMatchObject({ value: "broken" });
    expect(await engine.snapshot("shop/1/total")).toMatchObject({ status: "error", error: { message: "it does not add up" } });
  });

  inMemory("what it emits is heard", async (bench) => {
    const engine = await bench.engine({ machines: [shop] });
    const heard: Array<unknown> = [];
    engine.taskwright.onEmitted((address, event) => void heard.push([address, event]));
    await engine.start("shop", "1");
    await engine.send("shop/1", { type: "BUY", amount: 5 });
    await engine.settled();
    expect(heard).toEqual([["shop/1/total", { type: "ADDED" }]]);
  });

  inMemory("the host can't start one by itself", async (bench) => {
    const engine = await bench.engine({ machines: [shop] });
    await expect(engine.start("shop#total", "1")).rejects.toMatchObject({ _tag: "UnknownMachine", known: ["shop"] });
  });
});
