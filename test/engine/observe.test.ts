import * as Effect from "effect/Effect";
import { describe, expect } from "vitest";
import type { Journal } from "../../src/journal/index.ts";
import { inBothJournals } from "../../src/testing/index.ts";
import { counter } from "./machines.ts";

/** A store in which commits wait while `isShut`. */
const gated = () => {
  let open = () => {};
  let arrived = () => {};
  const gate = { isShut: false, open: () => open(), reached: Promise.resolve() };
  const wrap = (journal: Journal): Journal => ({
    ...journal,
    commit: (turn) => {
      if (!gate.isShut) return journal.commit(turn);
      const opened = new Promise<void>((resolve) => {
        open = resolve;
      });
      arrived();
      return Effect.zipRight(
        Effect.promise(() => opened),
        journal.commit(turn),
      );
    },
  });
  return {
    wrap,
    shut: () => {
      gate.isShut = true;
      gate.reached = new Promise((resolve) => {
        arrived = resolve;
      });
      return gate.reached;
    },
    open: () => {
      gate.isShut = false;
      gate.open();
    },
  };
};

describe("engine > observe", () => {
  inBothJournals("who begins to listen while a turn is being stored, and reads then, misses nothing", async (bench) => {
    const store = gated();
    const engine = await bench.engine({ machines: [counter], wrap: store.wrap });
    await engine.start("counter", "1");
    const reached = store.shut();
    const told = Promise.all([1, 2].map((by) => engine.taskwright.send("counter/1", { type: "ADD", by })));
    await reached;
    const heard: Array<unknown> = [];
    engine.taskwright.observe(({ address, seq, event, outcome, state, status, step }) =>
      heard.push({ address, seq, event, outcome, status, context: state.snapshot.context, isStepped: step !== undefined }),
    );
    const read = await engine.taskwright.snapshot("counter/1");
    expect(read).toMatchObject({ seq: 1, context: { count: 0 } });
    store.open();
    await told;
    await engine.send("counter/1", { type: "ADD" });
    expect(heard).toEqual([
      { address: "counter/1", seq: 3, event: { type: "ADD", by: 2 }, outcome: "handled", status: "active", context: { count: 3, limit: 1_000_000 }, isStepped: false },
      { address: "counter/1", seq: 4, event: { type: "ADD" }, outcome: "handled", status: "active", context: { count: 4, limit: 1_000_000 }, isStepped: true },
    ]);
  });
});
