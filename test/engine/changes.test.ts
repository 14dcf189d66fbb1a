import { describe, expect } from "vitest";
import { setup } from "xstate";
import type { Transition } from "../../src/engine/index.ts";
import { inBothJournals, inThreeModes } from "../../src/testing/index.ts";
import { counter } from "./machines.ts";

describe("engine > changes", () => {
  inThreeModes("of all actors come in the order in which they were stored, and can be read on from any of them", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    for (const id of ["1", "2"]) await engine.start("counter", id);
    for (const id of ["2", "1", "2"]) await engine.send(`counter/${id}`, { type: "ADD" });
    const all = await engine.taskwright.changes();
    expect(all.map(({ address, seq, event }) => `${address} ${seq} ${event.type}`)).toEqual([
      "counter/1 1 taskwright.start",
      "counter/2 1 taskwright.start",
      "counter/2 2 ADD",
      "counter/1 2 ADD",
      "counter/2 3 ADD",
    ]);
    expect(await engine.taskwright.changes({ after: all[1]!.id, limit: 2 })).toEqual(all.slice(2, 4));
    expect(await engine.taskwright.changes({ after: all[4]!.id })).toEqual([]);
  });

  inBothJournals("are told live under the ids that they have in the journal", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    const heard: Array<Transition> = [];
    engine.taskwright.observe((transition) => heard.push(transition));
    await engine.start("counter", "1");
    await engine.send("counter/1", { type: "ADD" });
    const stored = await engine.taskwright.changes();
    expect(heard.map(({ id, address, seq }) => ({ id, address, seq }))).toEqual(stored.map(({ id, address, seq }) => ({ id, address, seq })));
  });

  inBothJournals("are told with where the actor stands and what it took: of two transitions that leave the same states, one", async (bench) => {
    const region = { initial: "open", states: { open: { on: { LEAVE: "#visit.left" } } } };
    const visit = setup({}).createMachine({
      id: "visit",
      version: "1",
      initial: "inside",
      states: { inside: { type: "parallel", states: { hall: region, garden: region } }, left: { always: "gone" }, gone: {} },
    });
    const engine = await bench.engine({ machines: [visit] });
    const heard: Array<Transition> = [];
    engine.taskwright.observe((transition) => heard.push(transition));
    await engine.start("visit", "1");
    for (const type of ["LEAVE", "LEAVE"]) await engine.send("visit/1", { type });
    const { hash } = await engine.taskwright.snapshot("visit/1");
    expect(heard.map(({ value }) => value)).toEqual([{ hall: "open", garden: "open" }, "gone", "gone"].map((value) => (typeof value === "string" ? value : { inside: value })));
    expect(heard.slice(1).map(({ taken }) => taken.map(({ source }) => source.id))).toEqual([["visit.inside.hall.open", "visit.left"], []]);
    expect(new Set(heard.map((transition) => transition.hash))).toEqual(new Set([hash]));
  });
});

describe("engine > who did it", () => {
  inThreeModes("stands in the history where the host says so, and nowhere else", async (bench) => {
    const { taskwright } = await bench.engine({ machines: [counter] });
    await taskwright.start("counter", "1", undefined, { by: "anna" });
    await taskwright.startAll([{ machine: "counter", id: "2", by: "bert" }]);
    await taskwright.send("counter/1", { type: "ADD" }, { by: "carl" });
    await taskwright.send("counter/1", { type: "ADD" });
    expect((await taskwright.history("counter/1")).map(({ from }) => from)).toEqual(["anna", "carl", ""]);
    expect((await taskwright.history("counter/2")).map(({ from }) => from)).toEqual(["bert"]);
  });

  inBothJournals("is no address, and no text that can't be stored", async (bench) => {
    const { taskwright } = await bench.engine({ machines: [counter] });
    await taskwright.start("counter", "1");
    for (const by of ["counter/1", "", "a\u0000b", "x".repeat(201)]) {
      await expect(taskwright.send("counter/1", { type: "ADD" }, { by })).rejects.toMatchObject({ code: "invalid_event", path: "by" });
    }
    expect(await taskwright.history("counter/1")).toHaveLength(1);
  });
});
