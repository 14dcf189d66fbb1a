import { describe, expect, it } from "vitest";
import { assign, setup } from "xstate";
import { replayed, testEngine } from "../../src/testing/index.ts";
import { floors, shortOf } from "../replayed-reporter.ts";

/** Counts as long as it may; `limit` is outside of it, as code is that was changed between two deploys. */
let limit = 10;
const counter = setup({
  types: { context: {} as { readonly count: number; readonly at: number }, events: {} as { readonly type: "ADD" } | { readonly type: "STAMP" } },
  guards: { mayAdd: ({ context }) => context.count < limit },
  actions: { add: assign({ count: ({ context }) => context.count + 1 }), stamp: assign({ at: () => Date.now() }) },
}).createMachine({ id: "counter", version: "1", context: { count: 0, at: 0 }, on: { ADD: { guard: "mayAdd", actions: "add" }, STAMP: { actions: "stamp" } } });

const ended = async (events: ReadonlyArray<"ADD" | "STAMP">, before: () => void = () => {}): Promise<void> => {
  const engine = await testEngine({ machines: [counter] });
  for (const id of ["1", "2"]) {
    await engine.start(counter, id);
    for (const type of events) await engine.send(`counter/${id}`, { type });
  }
  before();
  await engine.end();
};

describe("testing > ends", () => {
  it("an engine that ends replays every history of its journal", async () => {
    const before = { ...replayed };
    await ended(["ADD", "ADD"]);
    expect([replayed.histories - before.histories, replayed.entries - before.entries]).toEqual([2, 6]);
  });

  it("names the machine that reads the clock", async () => {
    await expect(ended(["ADD", "STAMP"])).rejects.toThrow(/counter\/1, entry 3 \(STAMP\): .*; the machine reads the clock, and context\.at comes from there/);
  });

  it("names the guard that was changed, of every actor", async () => {
    const found = ended(["ADD"], () => void (limit = 0)).finally(() => void (limit = 10));
    await expect(found).rejects.toThrow(/counter\/1, entry 2 \(ADD\): .*; the guard "mayAdd" answers the other way[\s\S]*counter\/2, entry 2/);
  });

  it("a folder of suites whose engines end without that is found", () => {
    const enough = new Map(Object.entries(floors));
    expect(shortOf(enough)).toEqual([]);
    expect(Object.values(floors).reduce((sum, histories) => sum + histories)).toBeGreaterThan(5_000);
    expect(shortOf(new Map([...enough, ["scenarios", 0]]))).toEqual([expect.stringContaining("test/scenarios left 0 histories")]);
  });
});
