import { describe, expect } from "vitest";
import { assign, enqueueActions, sendTo, setup } from "xstate";
import { actorRef } from "../../src/actor/index.ts";
import { inBothJournals, inThreeModes } from "../../src/testing/index.ts";
import { Held } from "./held.ts";
import { echo, list } from "./machines.ts";

/** Makes as much of everything as it is told. */
const greedy = setup({
  types: { context: {} as { text: string }, events: {} as { type: "SPAWN" | "WAIT" | "SEND" | "START_KID" | "TELL_PARENT"; count: number } },
  actors: { echo, list },
}).createMachine({
  id: "greedy",
  context: { text: "" },
  on: {
    SPAWN: {
      actions: enqueueActions(({ enqueue, event }) => {
        for (let id = 0; id < event.count; id++) enqueue.spawnChild("echo", { id: `e${id}` });
      }),
    },
    WAIT: {
      actions: enqueueActions(({ enqueue, event }) => {
        for (let id = 0; id < event.count; id++) enqueue.raise({ type: "SEND", count: 0 }, { id: `t${id}`, delay: 60_000 });
      }),
    },
    SEND: {
      actions: sendTo(
        () => actorRef("list/1"),
        ({ event }) => ({ type: "SAY", word: "x".repeat(event.count) }),
      ),
    },
    START_KID: {
      actions: enqueueActions(({ enqueue, event }) => {
        enqueue.spawnChild("list", { id: "kid", input: { text: "x".repeat(event.count) } as never });
      }),
    },
  },
});

describe("engine > bounds of one actor", () => {
  const bounds = [
    ["SPAWN", 3, 4, "childrenMax"],
    ["WAIT", 5, 6, "timersMax"],
    ["SEND", 900, 1_001, "payloadBytesMax"],
    ["START_KID", 900, 1_001, "payloadBytesMax"],
  ] as const;
  for (const [type, fits, excess, limit] of bounds) {
    inThreeModes(`${type}: what is within ${limit} is carried out, what is beyond fails the event as a whole`, async (bench) => {
      const engine = await bench.engine({ machines: [greedy, list], limits: { childrenMax: 3, timersMax: 5, payloadBytesMax: 1_000 } });
      await engine.start("greedy", "1");
      await engine.start("list", "1");
      await expect(engine.send("greedy/1", { type, count: excess })).rejects.toMatchObject({ _tag: "ActorFailed", detail: expect.stringContaining(limit) });
      expect(await engine.snapshot("greedy/1")).toMatchObject({ seq: 2, children: {}, timers: {} });
      expect(await engine.snapshot("list/1")).toMatchObject({ seq: 1 });
      expect(await engine.taskwright.list()).toHaveLength(2);
      expect(await engine.send("greedy/1", { type, count: fits })).toMatchObject({ outcome: "handled" });
    });
  }

  inBothJournals("an output that its parent can't take fails the completion, and the parent stays as it was", async (bench) => {
    const held = new Held();
    const small = setup({ types: { context: {} as { all: ReadonlyArray<unknown> } }, actors: { work: held.logic } }).createMachine({
      id: "small",
      context: { all: [] },
      initial: "working",
      states: {
        working: { invoke: { src: "work", id: "work", onDone: { target: "working", reenter: true, actions: assign({ all: ({ context, event }) => [...context.all, event.output] }) } } },
      },
    });
    const engine = await bench.engine({ machines: [small], limits: { payloadBytesMax: 1_000, stateBytesMax: 2_500 } });
    await engine.start("small", "1");
    for (let round = 0; round < 3; round++) {
      held.last.resolve("x".repeat(900));
      await engine.settled();
    }
    const view = await engine.snapshot("small/1");
    expect((view.context as { all: ReadonlyArray<unknown> }).all).toHaveLength(2);
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ address: "small/1", event: { type: "taskwright.done", child: "work" } }]);
    expect(engine.taskwright.status().state).toBe("running");
  });
});
