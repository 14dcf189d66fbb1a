import { describe, expect } from "vitest";
import { assign, sendTo, setup } from "xstate";
import { actorRef } from "../../src/actor/index.ts";
import { inBothJournals } from "../../src/testing/index.ts";
import { Held } from "./held.ts";
import { job } from "./job.ts";
import { counter, echo, list, player, relay } from "./machines.ts";

describe("engine > passivation", () => {
  inBothJournals("a thousand actors work with room for ten", async (bench) => {
    const engine = await bench.engine({ machines: [counter], limits: { residentActorsMax: 10 } });
    await engine.taskwright.startAll(Array.from({ length: 1_000 }, (_, id) => ({ machine: "counter", id: String(id) })));
    for (let round = 0; round < 3; round++) {
      await Promise.all(Array.from({ length: 1_000 }, (_, id) => engine.send(`counter/${(id * 617) % 1_000}`, { type: "ADD", by: round + 1 })));
    }
    expect(engine.taskwright.status().residents).toBeLessThanOrEqual(10);
    await engine.send("counter/0", { type: "ADD", by: 10 });
    await engine.send("counter/1", { type: "ADD", by: 10 });
    expect(engine.taskwright.status().residents).toBeLessThanOrEqual(10);
    const all = await engine.taskwright.list({ limit: 2_000 });
    expect(all.map(({ context }) => (context as { count: number }).count)).toEqual(Array.from({ length: 1_000 }, (_, id) => (id < 2 ? 16 : 6)));
  });

  inBothJournals("actors that are not in memory are reached by messages and deadlines", async (bench) => {
    const sleeper = setup({ types: { context: {} as { rings: number } } }).createMachine({
      id: "sleeper",
      context: { rings: 0 },
      initial: "asleep",
      states: { asleep: { after: { 1000: { target: "asleep", reenter: true, actions: assign({ rings: ({ context }) => context.rings + 1 }) } } } },
    });
    const engine = await bench.engine({ machines: [sleeper, relay, list], limits: { residentActorsMax: 2 } });
    await engine.taskwright.startAll(Array.from({ length: 50 }, (_, id) => ({ machine: "sleeper", id: String(id) })));
    for (const id of ["1", "2"]) await engine.start("list", id);
    await engine.start("relay", "1");
    await engine.advance("3 seconds");
    for (const view of await engine.taskwright.list({ machine: "sleeper" })) expect(view.context).toEqual({ rings: 3 });
    for (let word = 0; word < 6; word++) await engine.send("relay/1", { type: "PASS", to: `list/${(word % 2) + 1}`, word });
    expect(await engine.snapshot("list/2")).toMatchObject({ context: { words: [1, 3, 5] } });
  });

  inBothJournals("an exchange between actors that don't fit into memory together loses nothing", async (bench) => {
    const engine = await bench.engine({ machines: [player], limits: { residentActorsMax: 1, turnMessagesMax: 3 } });
    for (const id of ["1", "2"]) await engine.start("player", id);
    await engine.send("player/1", { type: "BALL", left: 30, me: "player/1", other: "player/2" });
    await engine.settled();
    expect(await engine.snapshot("player/1")).toMatchObject({ context: { hits: 16 } });
    expect(await engine.snapshot("player/2")).toMatchObject({ context: { hits: 15 } });
  });

  inBothJournals("parents, children and activities find each other again", async (bench) => {
    const held = new Held();
    const parent = setup({ types: { context: {} as { heard: number } }, actors: { echo } }).createMachine({
      id: "parent",
      context: { heard: 0 },
      invoke: { src: "echo", id: "kid" },
      on: { TELL: { actions: sendTo("kid", { type: "SAY", word: 1 }) }, HEARD: { actions: assign({ heard: ({ context }) => context.heard + 1 }) } },
    });
    const engine = await bench.engine({ machines: [parent, job(held)], limits: { residentActorsMax: 1 } });
    for (let id = 0; id < 20; id++) await engine.start("parent", String(id));
    for (let id = 0; id < 20; id++) await engine.start("job", String(id));
    for (let id = 0; id < 20; id++) await engine.send(`parent/${id}`, { type: "TELL" });
    for (const call of held.calls) call.resolve(call.info.address);
    await engine.settled();
    for (const view of await engine.taskwright.list({ machine: "parent" })) expect(view.context).toEqual({ heard: 1 });
    for (const view of await engine.taskwright.list({ machine: "job" })) expect(view).toMatchObject({ value: "done", context: { output: `${view.address}/work` } });
  });

  inBothJournals("what is sent in one turn arrives in order, whoever is in memory", async (bench) => {
    // a tells b, then c; b answers a, and a tells c again: c must hear a's words in the order in which a said them.
    const c = list;
    const b = setup({ types: { events: {} as { type: "ASK"; from: string } } }).createMachine({ id: "b", on: { ASK: { actions: sendTo(({ event }) => actorRef(event.from), { type: "ANSWER" }) } } });
    const a = setup({}).createMachine({
      id: "a",
      on: {
        GO: { actions: [sendTo(() => actorRef("b/1"), { type: "ASK", from: "a/1" }), sendTo(() => actorRef("list/1"), { type: "SAY", word: "first" })] },
        ANSWER: { actions: sendTo(() => actorRef("list/1"), { type: "SAY", word: "second" }) },
      },
    });
    for (const residentActorsMax of [1, 100]) {
      const engine = await bench.engine({ machines: [a, b, c], limits: { residentActorsMax } });
      for (const machine of ["a", "b", "list", "b"]) await engine.start(machine, "1");
      for (let other = 0; other < 5; other++) await engine.start("list", `other${other}`);
      await engine.send("a/1", { type: "GO" });
      expect(await engine.snapshot("list/1")).toMatchObject({ context: { words: ["first", "second"] } });
    }
  });
});
