import { describe, expect } from "vitest";
import { assign, setup } from "xstate";
import { inBothJournals, inThreeModes } from "../../src/testing/index.ts";
import { faulty } from "./faulty.ts";
import { counter } from "./machines.ts";

describe("engine > failures of a machine", () => {
  const throwing = [
    ["THROW_IN_GUARD", "guard failed on purpose"],
    ["THROW_IN_ASSIGN", "assign failed on purpose"],
    ["THROW_IN_ENTRY", "assign failed on purpose"],
    ["THROW_IN_DELAY", "delay failed on purpose"],
    ["THROW_IN_NAN_DELAY", "not a number"],
    ["LEAVE_A_FUNCTION", "function"],
    ["LOOP_FOREVER", "infinite loop"],
  ] as const;

  for (const [type, message] of throwing) {
    inThreeModes(`${type}: the event is refused and kept as a dead letter, the actor stays as it was`, async (bench) => {
      const engine = await bench.engine({ machines: [faulty, counter] });
      await engine.start("faulty", "1");
      await engine.start("counter", "1");
      await engine.send("faulty/1", { type: "FINE" });
      await expect(engine.send("faulty/1", { type })).rejects.toMatchObject({ _tag: "ActorFailed", address: "faulty/1", event: type, code: "actor_failed", status: 422, retryable: false });
      expect(await engine.snapshot("faulty/1")).toMatchObject({ value: "fine", context: { fine: 1 }, seq: 3, status: "active" });
      const [letter, ...others] = await engine.taskwright.deadLetters();
      expect(letter).toMatchObject({ address: "faulty/1", event: { type }, from: "" });
      expect(letter?.error.message).toMatch(new RegExp(message, "i"));
      expect(others).toEqual([]);
      expect((await engine.taskwright.history("faulty/1")).map(({ outcome }) => outcome)).toEqual(["handled", "handled", "failed"]);
      expect(await engine.send("faulty/1", { type: "FINE" })).toMatchObject({ seq: 4, outcome: "handled" });
      expect(await engine.send("counter/1", { type: "ADD" })).toMatchObject({ outcome: "handled" });
      expect(engine.taskwright.status().state).toBe("running");
    });
  }

  inThreeModes("a transition that changed the context in place before it threw leaves no trace", async (bench) => {
    const careless = setup({ types: { context: {} as { list: Array<number> } } }).createMachine({
      id: "careless",
      context: { list: [] },
      on: {
        ADD: {
          actions: assign({
            list: ({ context }) => {
              context.list.push(1);
              throw new Error("too late");
            },
          }),
        },
        LOOK: { actions: assign({ list: ({ context }) => [...context.list, 2] }) },
      },
    });
    const engine = await bench.engine({ machines: [careless] });
    await engine.start("careless", "1");
    await expect(engine.send("careless/1", { type: "ADD" })).rejects.toMatchObject({ _tag: "ActorFailed" });
    await engine.send("careless/1", { type: "LOOK" });
    expect(await engine.snapshot("careless/1")).toMatchObject({ context: { list: [2] } });
  });

  inThreeModes("a throwing exit fails the event that leaves the state", async (bench) => {
    const engine = await bench.engine({ machines: [faulty] });
    await engine.start("faulty", "1");
    await engine.send("faulty/1", { type: "GO_EXITING" });
    await expect(engine.send("faulty/1", { type: "THROW_IN_EXIT" })).rejects.toMatchObject({ _tag: "ActorFailed" });
    expect(await engine.snapshot("faulty/1")).toMatchObject({ value: "exiting" });
  });

  inBothJournals("others in the same turn are untouched", async (bench) => {
    const engine = await bench.engine({ machines: [faulty, counter] });
    await engine.start("faulty", "1");
    await engine.start("counter", "1");
    const settled = await Promise.allSettled([
      engine.send("counter/1", { type: "ADD" }),
      engine.send("faulty/1", { type: "THROW_IN_ASSIGN" }),
      engine.send("faulty/1", { type: "FINE" }),
      engine.send("counter/1", { type: "ADD" }),
    ]);
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
    expect(await engine.snapshot("counter/1")).toMatchObject({ context: { count: 2 } });
    expect(await engine.snapshot("faulty/1")).toMatchObject({ context: { fine: 1 } });
  });

  inThreeModes("a deadline whose transition throws fails once, and does not come again", async (bench) => {
    const engine = await bench.engine({ machines: [faulty] });
    await engine.start("faulty", "1");
    await engine.send("faulty/1", { type: "BREAK_ON_TIMER" });
    await engine.advance("1 second");
    await engine.advance("1 hour");
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ address: "faulty/1", event: { type: "taskwright.timer" } }]);
    expect(await engine.snapshot("faulty/1")).toMatchObject({ value: "waiting", timers: {} });
    expect(engine.taskwright.status().turns).toBeLessThan(100);
    expect(await engine.send("faulty/1", { type: "FINE" })).toMatchObject({ outcome: "handled" });
  });

  inThreeModes("a start that throws makes no actor", async (bench) => {
    const engine = await bench.engine({ machines: [faulty] });
    await expect(engine.start("faulty", "1", { throws: "context" })).rejects.toMatchObject({
      _tag: "ActorFailed",
      address: "faulty/1",
      event: "taskwright.start",
      detail: "context failed on purpose",
    });
    await expect(engine.snapshot("faulty/1")).rejects.toMatchObject({ _tag: "UnknownActor" });
    expect(await engine.start("faulty", "1")).toMatchObject({ duplicate: false });
  });

  inThreeModes("a child whose start throws is an error to its parent", async (bench) => {
    const parent = setup({ types: { context: {} as { error: unknown } }, actors: { faulty } }).createMachine({
      id: "parent",
      context: { error: null },
      initial: "trying",
      states: { trying: { invoke: { src: "faulty", id: "kid", input: { throws: "context" }, onError: "failed", onDone: "done" } }, failed: {}, done: {} },
    });
    const engine = await bench.engine({ machines: [parent] });
    await engine.start("parent", "1");
    expect(await engine.snapshot("parent/1")).toMatchObject({ value: "failed" });
    await expect(engine.snapshot("parent/1/kid")).rejects.toMatchObject({ _tag: "UnknownActor" });
    expect((await engine.taskwright.history("parent/1")).at(-1)).toMatchObject({
      from: "parent/1/kid",
      event: { type: "taskwright.error", child: "kid", error: { message: "context failed on purpose" } },
    });
  });

  inThreeModes("a state over its limit is refused, to the byte, and the actor stays as it was", async (bench) => {
    const engine = await bench.engine({ machines: [faulty], limits: { stateBytesMax: 20_000, payloadBytesMax: 10_000 } });
    await engine.start("faulty", "1");
    const empty = Buffer.byteLength('{"status":"active","value":"fine","context":{"fine":0,"big":""}}');
    expect(await engine.send("faulty/1", { type: "GROW", to: 20_000 - empty })).toMatchObject({ outcome: "handled" });
    await expect(engine.send("faulty/1", { type: "GROW", to: 20_001 - empty })).rejects.toMatchObject({ _tag: "ActorFailed", detail: expect.stringContaining("stateBytesMax") });
    expect(await engine.snapshot("faulty/1")).toMatchObject({ seq: 3 });
    expect(await engine.send("faulty/1", { type: "GROW", to: 1 })).toMatchObject({ outcome: "handled" });
  });

  inBothJournals("the bytes of a state are counted, not its characters", async (bench) => {
    const machine = setup({
      types: { context: {} as { text: string }, events: {} as { type: "SET"; text: string } },
      actions: { set: assign({ text: ({ event }) => event.text }) },
    }).createMachine({ id: "wide", context: { text: "" }, on: { SET: { actions: "set" } } });
    const engine = await bench.engine({ machines: [machine], limits: { stateBytesMax: 3_000, payloadBytesMax: 3_000 } });
    await engine.start("wide", "1");
    expect(await engine.send("wide/1", { type: "SET", text: "任".repeat(900) })).toMatchObject({ outcome: "handled" });
    await expect(engine.send("wide/1", { type: "SET", text: "任".repeat(990) })).rejects.toMatchObject({ _tag: "ActorFailed" });
  });
});
