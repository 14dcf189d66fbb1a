import { describe, expect, test } from "vitest";
import { assign, setup } from "xstate";
import { raceEverything, type TestEngine } from "../../src/testing/index.ts";

const seat = setup({
  types: { context: {} as { takenBy: string | null; refused: ReadonlyArray<string> }, events: {} as { type: "TAKE"; by: string } | { type: "GIVE_BACK" } },
  guards: { isFree: ({ context }) => context.takenBy === null },
  actions: {
    take: assign({ takenBy: ({ event }) => ("by" in event ? event.by : null) }),
    refuse: assign({ refused: ({ context, event }) => [...context.refused, "by" in event ? event.by : ""] }),
    free: assign({ takenBy: null }),
  },
}).createMachine({
  id: "seat",
  context: { takenBy: null, refused: [] },
  on: { TAKE: [{ guard: "isFree", actions: "take" }, { actions: "refuse" }], GIVE_BACK: { actions: "free" } },
  initial: "open",
  states: { open: { after: { 1000: "closed" } }, closed: {} },
});

const setup1 = async (open: (options: { machines: ReadonlyArray<typeof seat> }) => Promise<TestEngine>) => {
  const engine = await open({ machines: [seat] });
  await engine.start("seat", "1");
  return engine;
};
const take = (by: string) => (engine: TestEngine) => engine.send("seat/1", { type: "TAKE", by });
const contextOf = async (engine: TestEngine) => (await engine.snapshot("seat/1")).context as { takenBy: string | null; refused: ReadonlyArray<string> };

describe("testing > raceEverything", () => {
  test("every order is tried, one after the other and at once", async () => {
    const orders = new Set<string>();
    const report = await raceEverything({
      setup: setup1,
      racers: { anna: take("anna"), ben: take("ben"), time: (engine) => engine.advance("1 second") },
      check: async (engine, order) => {
        orders.add(order.join(" "));
        const { takenBy, refused } = await contextOf(engine);
        expect([takenBy, ...refused].sort()).toEqual(["anna", "ben"]);
        expect((await engine.snapshot("seat/1")).value).toBe("closed");
      },
    });
    expect(report.orders).toBe(6);
    expect(orders.size).toBe(6);
  });

  test("the order in which a check fails is told", async () => {
    const race = raceEverything({
      setup: setup1,
      racers: { anna: take("anna"), back: (engine) => engine.send("seat/1", { type: "GIVE_BACK" }), ben: take("ben") },
      check: async (engine) => expect((await contextOf(engine)).takenBy).not.toBe("ben"),
    });
    await expect(race).rejects.toThrow(/one after the other in the order anna, back, ben: /);
  });

  test("a racer that is refused is no failure by itself", async () => {
    const report = await raceEverything({
      setup: setup1,
      racers: { lost: (engine) => engine.send("seat/2", { type: "TAKE" }), anna: take("anna") },
      check: async (engine) => expect((await contextOf(engine)).takenBy).toBe("anna"),
    });
    expect(report.orders).toBe(2);
  });

  test("of many racers, some orders are taken from all of them", async () => {
    const firsts = new Set<string | undefined>();
    const racers = Object.fromEntries(["a", "b", "c", "d", "e", "f"].map((name) => [name, take(name)]));
    const report = await raceEverything({ setup: setup1, racers, check: (_, order) => firsts.add(order[0]), ordersMax: 12 });
    expect(report.orders).toBe(12);
    expect([...firsts].sort()).toEqual(["a", "b", "c", "d", "e", "f"]);
  });
});
