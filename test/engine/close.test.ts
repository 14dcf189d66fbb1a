import * as Effect from "effect/Effect";
import { describe, expect } from "vitest";
import { setup } from "xstate";
import { inBothJournals, inMemory, testEngine } from "../../src/testing/index.ts";
import { Held } from "./held.ts";
import { job } from "./job.ts";
import { counter, player } from "./machines.ts";

describe("engine > close", () => {
  inBothJournals("what was accepted is stored, and then the journal is given up", async (bench) => {
    const engine = await bench.engine({ machines: [counter], limits: { turnEnvelopesMax: 10 } });
    await engine.start("counter", "1");
    const sent = Array.from({ length: 95 }, () => engine.taskwright.send("counter/1", { type: "ADD" }));
    const closed = engine.taskwright.close();
    expect((await Promise.all(sent)).at(-1)).toMatchObject({ seq: 96, outcome: "handled" });
    await closed;
    expect(engine.taskwright.status().state).toBe("stopped");
    const owner = await Effect.runPromise((await engine.reader()).owner);
    expect(owner).toMatchObject({ until: 0 });
    // The next engine waits for no lease.
    const next = await testEngine({ machines: [counter], journal: engine.store, time: engine.time });
    expect(await next.snapshot("counter/1")).toMatchObject({ context: { count: 95 } });
    await next.end();
  });

  inBothJournals("while it closes, and afterwards, every call is EngineClosed", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [counter, job(held)] });
    await engine.start("counter", "1");
    await engine.start("job", "1");
    const { taskwright } = engine;
    const closed = taskwright.close({ grace: "1 minute" });
    const isClosed = { _tag: "EngineClosed", code: "engine_closed", status: 503 };
    expect(taskwright.status().state).toBe("draining");
    await expect(taskwright.send("counter/1", { type: "ADD" })).rejects.toMatchObject(isClosed);
    await expect(taskwright.start("counter", "2")).rejects.toMatchObject(isClosed);
    held.last.resolve("in time");
    await closed;
    const calls = [
      () => taskwright.send("counter/1", { type: "ADD" }),
      () => taskwright.start("counter", "2"),
      () => taskwright.startAll([{ machine: "counter", id: "2" }]),
      () => taskwright.ask("counter/1", { type: "ADD" }),
      () => taskwright.waitFor("counter/1", () => true),
      () => taskwright.snapshot("counter/1"),
      () => taskwright.history("counter/1"),
      () => taskwright.list(),
      () => taskwright.counts(),
      () => taskwright.deadLetters(),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject(isClosed);
    await taskwright.settled();
    await taskwright.close();
    expect(taskwright.status().state).toBe("stopped");
  });

  inBothJournals("activities may end within the grace, and their results are stored", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held)] });
    await engine.start("job", "1");
    const closed = engine.taskwright.close({ grace: "10 seconds" });
    await engine.advance("9 seconds");
    held.last.resolve("in time");
    await closed;
    await engine.restart();
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "done", context: { output: "in time" } });
    expect(held.calls).toHaveLength(1);
  });

  inBothJournals("after the grace activities are aborted", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held)] });
    await engine.start("job", "1");
    const closed = engine.taskwright.close({ grace: "10 seconds" });
    await engine.advance("9 seconds");
    expect(held.last.info.signal.aborted).toBe(false);
    await engine.advance("1 second");
    await closed;
    expect(held.last.info.signal.aborted).toBe(true);
    held.last.resolve("too late");
    await engine.restart();
    expect(held.calls).toHaveLength(2);
  });

  inBothJournals("without grace the sends that no turn has taken yet are interrupted with EngineClosed, and nobody waits for ever", async (bench) => {
    const engine = await bench.engine({ machines: [counter], limits: { turnEnvelopesMax: 10 } });
    await engine.start("counter", "1");
    const sent = Array.from({ length: 500 }, () => engine.taskwright.send("counter/1", { type: "ADD" }));
    const settled = Promise.allSettled(sent);
    await engine.taskwright.close({ grace: 0 });
    const stored = (await settled).filter(({ status }) => status === "fulfilled").length;
    for (const result of await settled) if (result.status === "rejected") expect(result.reason).toMatchObject({ _tag: "EngineClosed" });
    await engine.restart();
    expect(await engine.snapshot("counter/1")).toMatchObject({ context: { count: stored } });
  });

  inBothJournals("an exchange that goes on for ever does not hold up the end: the mailbox keeps it", async (bench) => {
    const engine = await bench.engine({ machines: [player, counter], limits: { turnMessagesMax: 5, turnEnvelopesMax: 1 } });
    for (const id of ["1", "2"]) await engine.start("player", id);
    await engine.start("counter", "1");
    await engine.send("player/1", { type: "BALL", left: 100_000_000, me: "player/1", other: "player/2" });
    // Others go on beside it.
    for (let count = 0; count < 5; count++) await engine.send("counter/1", { type: "ADD" });
    const sent = Promise.allSettled(Array.from({ length: 10_000 }, () => engine.taskwright.send("counter/1", { type: "ADD" })));
    const closed = engine.taskwright.close({ grace: 0 });
    // The exchange goes on while the clock stands still; the last of the engine's deadlines ends it.
    for (let second = 0; second < 10; second++) {
      await new Promise(setImmediate);
      engine.time.advance(1_000);
    }
    await closed;
    expect(new Set((await sent).map(({ status }) => status))).toEqual(new Set(["fulfilled", "rejected"]));
    expect(await Effect.runPromise((await engine.reader()).mail(0, 10))).toHaveLength(1);
  });

  inBothJournals("an action that never ends does not hold up the end", async (bench) => {
    const stuck = setup({ actions: { hang: () => new Promise(() => {}) as never } }).createMachine({ id: "stuck", entry: "hang" });
    const engine = await bench.engine({ machines: [stuck] });
    await engine.start("stuck", "1");
    await engine.taskwright.close({ grace: 0 });
    expect(await Effect.runPromise((await engine.reader()).effects(0, 10))).toHaveLength(1);
  });

  inBothJournals("close may be called many times at once", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    const { taskwright } = engine;
    await Promise.all([taskwright.close(), taskwright.close({ grace: 0 }), taskwright.close(), taskwright[Symbol.asyncDispose]()]);
    expect(taskwright.status().state).toBe("stopped");
  });

  inMemory("a closed engine wants to be woken for nothing", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    await engine.start("counter", "1");
    await engine.taskwright.close();
    expect(engine.time.next).toBeUndefined();
  });
});
