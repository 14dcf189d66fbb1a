import { describe, expect } from "vitest";
import { assign, sendParent, setup } from "xstate";
import type { DurableMachine } from "../../src/engine/index.ts";
import { inThreeModes, inTwoModes, type TestEngine } from "../../src/testing/index.ts";
import { HeldCallback } from "./live-code.ts";

type Told = { type: "BEGIN"; input?: unknown } | { type: "LEAVE" } | { type: "SAID" } | { type: "TELL" };

/** A parent below a root that begins it anew at the same address whenever it is told to. */
const above = (child: DurableMachine): DurableMachine => ({
  machine: setup({
    types: { context: {} as { input: unknown; errors: number; said: number }, events: {} as Told },
    actors: { child: child.machine as never },
    actions: {
      note: assign({ input: ({ event }) => (event.type === "BEGIN" ? event.input : undefined) }),
      countError: assign({ errors: ({ context }) => context.errors + 1 }),
      count: assign({ said: ({ context }) => context.said + 1 }),
    },
  }).createMachine({
    id: "boss",
    context: { input: undefined, errors: 0, said: 0 },
    initial: "resting",
    on: { BEGIN: { target: ".working", actions: "note" }, LEAVE: ".resting", SAID: { actions: "count" } },
    states: { resting: {}, working: { invoke: { id: "child", src: "child", input: ({ context }: { context: { input: unknown } }) => context.input, onError: { actions: "countError" } } as never } },
  }),
});
const begin = async (engine: TestEngine) => {
  await engine.send("boss/1", { type: "BEGIN" });
  await engine.settled();
};
const eventsOf = async (engine: TestEngine, address: string) => (await engine.taskwright.history(address)).map(({ event }) => event.type);
const faults = { isBroken: true };
const breaking = () => {
  if (faults.isBroken) throw new Error("broken");
  return true;
};

describe("engine > incarnations", () => {
  inThreeModes("a requeued deadline of an earlier child is not that of the later one, whose deadline is not early", async (bench) => {
    faults.isBroken = true;
    const child = setup({}).createMachine({ id: "child", initial: "waiting", states: { waiting: { after: { 60000: { guard: breaking, target: "rung" } } }, rung: {} } });
    const engine = await bench.engine({ machines: [child, above({ machine: child })] });
    await engine.start("boss", "1");
    await begin(engine);
    await engine.advance("60 seconds");
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ address: "boss/1/child", event: { type: "taskwright.timer" } }]);
    faults.isBroken = false;
    await engine.send("boss/1", { type: "LEAVE" });
    await begin(engine);
    await engine.taskwright.requeue({});
    await engine.settled();
    expect(await engine.snapshot("boss/1/child")).toMatchObject({ value: "waiting" });
    expect(await engine.taskwright.deadLetters()).toEqual([]);
    await engine.advance("60 seconds");
    expect(await engine.snapshot("boss/1/child")).toMatchObject({ value: "rung" });
  });

  inThreeModes("the letter of a deadline of an earlier child is dropped without that of the later one", async (bench) => {
    faults.isBroken = true;
    const child = setup({}).createMachine({ id: "child", initial: "waiting", states: { waiting: { after: { 60000: { guard: breaking, target: "rung" } } }, rung: {} } });
    const engine = await bench.engine({ machines: [child, above({ machine: child })] });
    await engine.start("boss", "1");
    for (const _ of [1, 2]) {
      await engine.send("boss/1", { type: "LEAVE" });
      await begin(engine);
      await engine.advance("60 seconds");
    }
    const [first, second] = await engine.taskwright.deadLetters();
    await engine.taskwright.drop(first!.id);
    await engine.settled();
    faults.isBroken = false;
    await engine.taskwright.requeue(second!.id);
    await engine.settled();
    expect(await engine.snapshot("boss/1/child")).toMatchObject({ value: "rung" });
  });

  inThreeModes("a requeued message of a child to an earlier parent is not told to the later one, and stays a letter", async (bench) => {
    faults.isBroken = true;
    const kid = setup({ actions: { say: sendParent({ type: "SAID" }) } }).createMachine({ id: "kid", entry: "say" });
    const parent = setup({ types: { context: {} as { said: number }, events: {} as Told }, actors: { kid }, actions: { count: assign({ said: ({ context }) => context.said + 1 }) } }).createMachine({
      id: "parent",
      context: { said: 0 },
      invoke: { id: "kid", src: "kid" },
      on: { SAID: { guard: breaking, actions: "count" } },
    });
    const engine = await bench.engine({ machines: [kid, parent, above({ machine: parent })] });
    await engine.start("boss", "1");
    await begin(engine);
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ address: "boss/1/child", event: { type: "SAID" } }]);
    await engine.taskwright.requeue({});
    await engine.settled();
    faults.isBroken = false;
    await engine.send("boss/1", { type: "LEAVE" });
    await begin(engine);
    expect(await engine.snapshot("boss/1/child")).toMatchObject({ context: { said: 1 } });
    await engine.taskwright.requeue({});
    await engine.settled();
    expect(await engine.snapshot("boss/1/child")).toMatchObject({ context: { said: 1 } });
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ address: "boss/1/child", event: { type: "SAID" }, error: { code: "unknown_actor" } }]);
  });

  inTwoModes("a child that could not be started is told to the parent that asked for it, not to a later one", async (bench) => {
    const kid = setup({ types: { input: {} as { isGood: boolean } } }).createMachine({
      id: "kid",
      context: ({ input }) => {
        if (!input.isGood) throw new Error("a bad input");
        return {};
      },
    });
    const parent: DurableMachine = {
      machine: setup({
        types: { context: {} as { isGood: boolean; errors: number }, input: {} as { isGood: boolean } },
        actors: { kid },
        actions: { countError: assign({ errors: ({ context }) => context.errors + 1 }) },
      }).createMachine({
        id: "parent",
        context: ({ input }) => ({ ...input, errors: 0 }),
        invoke: { id: "kid", src: "kid", input: ({ context }) => ({ isGood: context.isGood }), onError: { actions: "countError" } },
      }),
    };
    const engine = await bench.engine({ machines: [kid, parent, above(parent)], limits: { turnMessagesMax: 1 } });
    await engine.start("boss", "1");
    await engine.start("boss", "2");
    // The message of the turn is spent.
    await Promise.all([
      engine.send("boss/2", { type: "BEGIN", input: { isGood: true } }),
      engine.send("boss/1", { type: "BEGIN", input: { isGood: false } }),
      engine.send("boss/1", { type: "BEGIN", input: { isGood: true } }),
    ]);
    await engine.settled();
    expect(await engine.snapshot("boss/1/child/kid")).toMatchObject({ status: "active" });
    expect(await engine.snapshot("boss/1/child")).toMatchObject({ context: { isGood: true, errors: 0 } });
  });

  for (const strategy of ["restart", "stop", "escalate"] as const)
    inTwoModes(`what a supervisor decides on an earlier child is not done to the later one: ${strategy}`, async (bench) => {
      const child: DurableMachine = {
        machine: setup({
          types: { events: {} as { type: "BREAK" } },
          actions: {
            break: assign(() => {
              throw new Error("broken");
            }),
          },
        }).createMachine({ id: "child", on: { BREAK: { actions: "break" } } }),
        supervision: { strategy },
      };
      const engine = await bench.engine({ machines: [child, above(child)], limits: { turnMessagesMax: 1 } });
      await engine.start("boss", "1");
      await begin(engine);
      const [first] = await engine.taskwright.list({ machine: "child" });
      // The messages of the turn are spent: what is decided waits, and the next child is begun before it.
      const broken = [engine.send("boss/1/child", { type: "BREAK" }), engine.send("boss/1/child", { type: "BREAK" })];
      const again = engine.send("boss/1", { type: "BEGIN" });
      for (const one of broken) await expect(one).rejects.toMatchObject({ _tag: "ActorFailed" });
      await again;
      await engine.settled();
      const now = await engine.snapshot("boss/1/child");
      expect(now.id).not.toBe(first?.id);
      expect(now).toMatchObject({ status: "active" });
      expect(await eventsOf(engine, "boss/1/child")).toEqual(["taskwright.start"]);
    });

  inThreeModes("what a callback sends to itself is not told to a later one at its address", async (bench) => {
    const held = new HeldCallback();
    const parent = setup({ types: { events: {} as Told }, actors: { code: held.logic } }).createMachine({
      id: "parent",
      initial: "resting",
      on: { BEGIN: ".working", LEAVE: ".resting" },
      states: { resting: {}, working: { invoke: { id: "code", src: "code" } } },
    });
    const engine = await bench.engine({ machines: [parent] });
    await engine.start("parent", "1");
    await engine.send("parent/1", { type: "BEGIN" });
    await engine.settled();
    const early = held.last;
    await engine.send("parent/1", { type: "LEAVE" });
    await engine.send("parent/1", { type: "BEGIN" });
    await engine.settled();
    early.self.send({ type: "LATE" });
    await engine.settled();
    expect(held.last.told).toEqual([]);
    held.last.self.send({ type: "OWN" });
    await engine.settled();
    expect(held.last.told).toEqual([{ type: "OWN" }]);
  });
});
