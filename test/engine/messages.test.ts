import * as Effect from "effect/Effect";
import { describe, expect } from "vitest";
import { assign, enqueueActions, sendTo, setup } from "xstate";
import { actorRef } from "../../src/actor/index.ts";
import { inBothJournals, inThreeModes } from "../../src/testing/index.ts";
import { echo, list, player, relay } from "./machines.ts";

/** Passes words to its two children, and keeps what they say back. */
const family = setup({
  types: { context: {} as { heard: ReadonlyArray<unknown> } },
  actors: { echo, relay },
}).createMachine({
  id: "family",
  context: { heard: [] },
  invoke: [
    { src: "echo", id: "left" },
    { src: "echo", id: "right" },
    { src: "relay", id: "post" },
  ],
  on: {
    TO_CHILD: { actions: sendTo("left", ({ event }) => ({ type: "SAY", word: (event as never as { word: unknown }).word })) },
    TO_SIBLING: {
      actions: sendTo("post", ({ event, self }) => ({ type: "PASS", to: `${(self as unknown as { address: string }).address}/right`, word: (event as never as { word: unknown }).word })),
    },
    TO_ITSELF: { actions: sendTo(({ self }) => self, { type: "HEARD", word: "from myself" }) },
    HEARD: { actions: assign({ heard: ({ context, event }) => [...context.heard, (event as never as { word: unknown }).word] }) },
  },
});

describe("engine > messages", () => {
  inThreeModes("parent and child talk within one turn", async (bench) => {
    const engine = await bench.engine({ machines: [family] });
    await engine.start("family", "1");
    const commits = await turnsOf(engine, () => engine.send("family/1", { type: "TO_CHILD", word: "hello" }));
    if (bench.mode !== "restart") expect(commits).toBe(1);
    expect(await engine.snapshot("family/1")).toMatchObject({ context: { heard: ["hello"] } });
    expect(await engine.snapshot("family/1/left")).toMatchObject({ machine: "echo", context: { said: 1 } });
    expect((await engine.taskwright.history("family/1")).map(({ event, from }) => [event.type, from])).toEqual([
      ["taskwright.start", ""],
      ["TO_CHILD", ""],
      ["HEARD", "family/1/left"],
    ]);
  });

  inThreeModes("a child reaches its sibling by address, and the sibling its parent", async (bench) => {
    const engine = await bench.engine({ machines: [family] });
    await engine.start("family", "1");
    await engine.send("family/1", { type: "TO_SIBLING", word: 7 });
    expect(await engine.snapshot("family/1/right")).toMatchObject({ context: { said: 1 } });
    expect(await engine.snapshot("family/1")).toMatchObject({ context: { heard: [7] } });
  });

  inThreeModes("an actor may send to itself", async (bench) => {
    const engine = await bench.engine({ machines: [family] });
    await engine.start("family", "1");
    await engine.send("family/1", { type: "TO_ITSELF" });
    expect(await engine.snapshot("family/1")).toMatchObject({ context: { heard: ["from myself"] } });
  });

  inThreeModes("actors without kinship reach each other by actorRef", async (bench) => {
    const engine = await bench.engine({ machines: [relay, list] });
    await engine.start("relay", "1");
    await engine.start("list", "1");
    const word = { deep: [1, "two", null, { three: true }] };
    await engine.send("relay/1", { type: "PASS", to: "list/1", word });
    expect(await engine.snapshot("list/1")).toMatchObject({ context: { words: [word] } });
    expect((await engine.taskwright.history("list/1"))[1]).toMatchObject({ from: "relay/1", outcome: "handled" });
  });

  inThreeModes("what is sent to nobody is a dead letter, and the sender goes on", async (bench) => {
    const engine = await bench.engine({ machines: [relay, list] });
    await engine.start("relay", "1");
    expect(await engine.send("relay/1", { type: "PASS", to: "list/none", word: 1 })).toMatchObject({ outcome: "handled" });
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ address: "list/none", from: "relay/1", event: { type: "SAY", word: 1 }, error: { code: "unknown_actor" } }]);
    await engine.start("list", "1");
    await engine.send("relay/1", { type: "PASS", to: "list/1", word: 2 });
    expect(await engine.snapshot("list/1")).toMatchObject({ context: { words: [2] } });
  });

  const ball = (left: number) => ({ type: "BALL", left, me: "player/1", other: "player/2" });
  const hits = async (engine: { snapshot: (address: string) => Promise<{ context: unknown }> }) =>
    Promise.all(["player/1", "player/2"].map(async (address) => ((await engine.snapshot(address)).context as { hits: number }).hits));

  inThreeModes("a long exchange goes on through the stored mailbox", async (bench) => {
    const engine = await bench.engine({ machines: [player], limits: { turnMessagesMax: 5 } });
    for (const id of ["1", "2"]) await engine.start("player", id);
    await engine.send("player/1", ball(50));
    await engine.settled();
    expect(await hits(engine)).toEqual([26, 25]);
    expect(await Effect.runPromise((await engine.reader()).mail(0, 100))).toEqual([]);
  });

  inBothJournals("a crash in the middle of a long exchange loses no message and repeats none", async (bench) => {
    for (let commits = 1; commits <= 9; commits++) {
      const engine = await bench.engine({ machines: [player], limits: { turnMessagesMax: 5 } });
      for (const id of ["1", "2"]) await engine.start("player", id);
      const crashed = engine.crashAfterCommits(commits);
      void engine.send("player/1", ball(50));
      await crashed;
      expect(await Effect.runPromise((await engine.reader()).mail(0, 100))).toHaveLength(commits === 9 ? 0 : 1);
      await engine.restart();
      expect(await hits(engine)).toEqual([26, 25]);
    }
  });

  inBothJournals("mail that waits goes before mail that is sent later", async (bench) => {
    // Each PASS is one message beyond the bound: all of them wait in the mailbox while the next turns add to it.
    const fan = setup({ types: { events: {} as { type: "FAN"; via: string; to: string } } }).createMachine({
      id: "fan",
      on: {
        FAN: {
          actions: enqueueActions(({ enqueue, event }) => {
            for (let word = 0; word < 30; word++) enqueue.sendTo(actorRef(event.via), { type: "PASS", to: event.to, word });
          }),
        },
      },
    });
    for (const crash of [false, true]) {
      const engine = await bench.engine({ machines: [fan, relay, list], limits: { turnMessagesMax: 1, turnEnvelopesMax: 4 } });
      await engine.start("fan", "1");
      await engine.start("relay", "1");
      await engine.start("list", "1");
      const crashed = crash ? engine.crashAfterCommits(3) : undefined;
      void engine.send("fan/1", { type: "FAN", via: "relay/1", to: "list/1" });
      if (crashed !== undefined) await crashed.then(() => engine.restart());
      await engine.settled();
      expect(await engine.snapshot("list/1")).toMatchObject({ context: { words: Array.from({ length: 30 }, (_, word) => word) } });
    }
  });
});

const turnsOf = async (engine: { taskwright: { status: () => { turns: number } } }, work: () => Promise<unknown>): Promise<number> => {
  const before = engine.taskwright.status().turns;
  await work();
  return engine.taskwright.status().turns - before;
};
