import * as Effect from "effect/Effect";
import { describe, expect } from "vitest";
import { inBothJournals, type TestEngine, testEngine } from "../../src/testing/index.ts";
import { Held } from "./held.ts";
import { job } from "./job.ts";
import { counter } from "./machines.ts";

const lease = { leaseMs: 10_000, heartbeatMs: 2_000 };

/** Another engine on the store, which takes the journal as if the first one's process was dead. */
const usurper = (engine: TestEngine, machines: Parameters<typeof testEngine>[0]["machines"]) =>
  testEngine({ machines, journal: engine.store, time: engine.time, limits: lease, wrap: (journal) => ({ ...journal, open: (info) => journal.open({ ...info, isAlive: () => false }) }) });

describe("engine > fencing", () => {
  inBothJournals("a second engine on the same journal is told who owns it, and since when", async (bench) => {
    const engine = await bench.engine({ machines: [counter], limits: lease });
    const since = engine.time.now();
    await engine.start("counter", "1");
    await engine.advance("1 minute");
    await expect(testEngine({ machines: [counter], journal: engine.store, time: engine.time, limits: lease })).rejects.toMatchObject({
      _tag: "JournalOwned",
      pid: process.pid,
      since,
      until: engine.time.now() + 10_000,
      code: "journal_owned",
      message: expect.stringContaining(String(process.pid)),
    });
    expect(await engine.send("counter/1", { type: "ADD" })).toMatchObject({ outcome: "handled" });
  });

  inBothJournals("the lease is renewed as long as the engine lives, and ends after it", async (bench) => {
    const engine = await bench.engine({ machines: [counter], limits: lease });
    const second = () => testEngine({ machines: [counter], journal: engine.store, time: engine.time, limits: lease });
    for (let minute = 0; minute < 3; minute++) {
      await engine.advance("1 minute");
      await expect(second()).rejects.toMatchObject({ _tag: "JournalOwned" });
    }
    engine.crash();
    engine.time.advance(9_000);
    await expect(second()).rejects.toMatchObject({ _tag: "JournalOwned" });
    engine.time.advance(2_000);
    const next = await second();
    expect(next.taskwright.status().owner.epoch).toBe(2);
    await next.end();
  });

  inBothJournals("an engine that was taken over stores nothing any more: its senders get EngineClosed", async (bench) => {
    const engine = await bench.engine({ machines: [counter], limits: lease });
    await engine.start("counter", "1");
    await engine.send("counter/1", { type: "ADD" });
    const second = await usurper(engine, [counter]);
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => engine.taskwright.send("counter/1", { type: "ADD" })));
    for (const result of results) expect(result).toMatchObject({ status: "rejected", reason: { _tag: "EngineClosed" } });
    await expect(engine.taskwright.send("counter/1", { type: "ADD" })).rejects.toMatchObject({ _tag: "EngineClosed" });
    await expect(engine.taskwright.start("counter", "2")).rejects.toMatchObject({ _tag: "EngineClosed" });
    expect(engine.taskwright.status()).toMatchObject({ state: "stopped", cause: { code: "journal_fenced" } });
    expect(await second.snapshot("counter/1")).toMatchObject({ seq: 2, context: { count: 1 } });
    expect(await second.send("counter/1", { type: "ADD" })).toMatchObject({ seq: 3 });
    await engine.taskwright.close();
    expect(await second.send("counter/1", { type: "ADD" })).toMatchObject({ seq: 4 });
    await second.end();
  });

  inBothJournals("it aborts its activities; what they say is stored by nobody but the new owner's own run", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held)], limits: lease });
    await engine.start("job", "1");
    const second = await usurper(engine, [job(held)]);
    await second.settled();
    expect(held.calls).toHaveLength(2);
    held.calls[0]?.resolve("the zombie's");
    await engine.settled();
    expect(await second.snapshot("job/1")).toMatchObject({ value: "working" });
    expect(engine.taskwright.status().state).toBe("stopped");
    held.calls[1]?.resolve("the owner's");
    await second.settled();
    expect(await second.snapshot("job/1")).toMatchObject({ value: "done", context: { output: "the owner's" } });
    await engine.taskwright.close();
    await second.end();
  });

  inBothJournals("it finds out by its next heartbeat, without any work", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held)], limits: lease });
    await engine.start("job", "1");
    const second = await usurper(engine, [job(new Held())]);
    await second.advance("2 seconds");
    await engine.settled();
    expect(engine.taskwright.status().state).toBe("stopped");
    expect(held.last.info.signal.aborted).toBe(true);
    await engine.taskwright.close();
    await second.end();
  });

  inBothJournals("epochs along a history never go back", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    await engine.start("counter", "1");
    for (let epoch = 1; epoch <= 4; epoch++) {
      expect((await Effect.runPromise((await engine.reader()).owner))?.epoch).toBe(epoch);
      await engine.send("counter/1", { type: "ADD" });
      await engine.restart();
    }
  });
});
