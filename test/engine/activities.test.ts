import { describe, expect } from "vitest";
import { derivedRandom } from "../../src/domain/random.ts";
import { currentActivity } from "../../src/engine/index.ts";
import { inBothJournals, inMemory, inThreeModes, inTwoModes } from "../../src/testing/index.ts";
import { Held } from "./held.ts";
import { carefree, job } from "./job.ts";

const work = "job/1/work";

describe("engine > activities", () => {
  inThreeModes("a promise that is kept is told as onDone, with its output", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held)] });
    await engine.start("job", "1");
    expect(held.last.input).toEqual({ amount: 7 });
    expect(await engine.snapshot(work)).toMatchObject({ machine: "activity", status: "active", context: { src: "work", machine: "job", input: { amount: 7 } } });
    held.last.resolve({ total: [1, 2, 3] });
    await engine.settled();
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "done", context: { output: { total: [1, 2, 3] } } });
    expect(await engine.snapshot(work)).toMatchObject({ status: "done", value: "succeeded" });
  });

  inThreeModes("a promise without a value is done, too", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held)] });
    await engine.start("job", "1");
    held.last.resolve();
    await engine.settled();
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "done", context: { output: null } });
  });

  inThreeModes("a promise that is broken is told as onError, and the error is an error again", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held)] });
    await engine.start("job", "1");
    held.last.reject(Object.assign(new TypeError("no such thing", { cause: new Error("below") }), { code: "E_NONE", amount: 3 }));
    await engine.settled();
    expect(await engine.snapshot("job/1")).toMatchObject({
      value: "failed",
      context: { error: { name: "TypeError", message: "no such thing", code: "E_NONE", data: { amount: 3 }, cause: { message: "below" } } },
    });
  });

  for (const thrown of [null, undefined, "just a word", 42, { odd: true }, Object.create(null)]) {
    inMemory(`an activity may throw anything: ${JSON.stringify(thrown) ?? "undefined"}`, async (bench) => {
      const held = new Held();
      const engine = await bench.engine({ machines: [job(held)] });
      await engine.start("job", "1");
      held.last.reject(thrown);
      await engine.settled();
      expect(await engine.snapshot("job/1")).toMatchObject({ value: "failed", context: { error: { name: "Error" } } });
    });
  }

  inThreeModes("without onError the parent ends in error", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [carefree(held)] });
    await engine.start("carefree", "1");
    held.last.reject(new Error("broken"));
    await engine.settled();
    expect(await engine.snapshot("carefree/1")).toMatchObject({ status: "error", error: { message: "broken" } });
    expect(await engine.send("carefree/1", { type: "ANY" })).toMatchObject({ outcome: "ended" });
  });

  inBothJournals("its start is stored before it runs", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held)] });
    const crashed = engine.crashAfterCommits(1);
    void engine.taskwright.start("job", "1");
    await crashed;
    expect(held.calls).toHaveLength(0);
    await engine.restart();
    expect(held.calls).toHaveLength(1);
    held.last.resolve(1);
    await engine.settled();
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "done" });
  });

  inTwoModes("an attempt that has ended is not begun again by what is stored before its end", async (bench) => {
    const held = new Held();
    // One event per turn: the heartbeat is stored alone, before the end that came with it.
    const engine = await bench.engine({ machines: [job(held)], limits: { turnEnvelopesMax: 1 } });
    await engine.start("job", "1");
    held.last.info.heartbeat("nearly there");
    held.last.resolve("done");
    await engine.settled();
    expect(held.calls).toHaveLength(1);
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "done", context: { output: "done" } });
    expect((await engine.taskwright.history(work)).map(({ event }) => event.type)).toEqual(["taskwright.start", "HEARTBEAT", "SUCCEEDED"]);
  });

  for (const [what, output] of [
    ["NaN", Number.NaN],
    ["a Date", new Date(0)],
    ["a Map", new Map()],
    ["a function", () => {}],
    ["a BigInt", 1n],
  ] as const) {
    inMemory(`an output that is no JSON (${what}) fails the attempt, and says where`, async (bench) => {
      const held = new Held();
      const engine = await bench.engine({ machines: [job(held)] });
      await engine.start("job", "1");
      held.last.resolve({ deep: output });
      await engine.settled();
      expect(await engine.snapshot("job/1")).toMatchObject({ value: "failed", context: { error: { code: "invalid_event", message: expect.stringContaining("deep") } } });
    });
  }

  inBothJournals("an output over the payload limit fails the attempt", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held)] });
    await engine.start("job", "1");
    held.last.resolve("x".repeat(1024 * 1024));
    await engine.settled();
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "failed", context: { error: { code: "payload_too_large" } } });
  });

  inBothJournals("an error too large to be stored is cut, and still ends the activity", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held)] });
    await engine.start("job", "1");
    held.last.reject(Object.assign(new Error("m".repeat(5_000_000)), { data: "d".repeat(5_000_000) }));
    await engine.settled();
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "failed", context: { error: { message: expect.stringMatching(/^mmm/) } } });
  });

  inBothJournals("an activity whose state grows over its limit ends in error instead of staying for ever", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held)], limits: { payloadBytesMax: 3_000, stateBytesMax: 3_000 } });
    await engine.start("job", "1");
    held.last.resolve("x".repeat(2_900));
    await engine.settled();
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "failed", context: { error: { message: expect.stringContaining("stateBytesMax") } } });
    expect(await engine.snapshot(work)).toMatchObject({ status: "error" });
  });

  inTwoModes("leaving the state aborts the signal, and what it says afterwards is not heard", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held)] });
    await engine.start("job", "1");
    const { info, resolve } = held.last;
    expect(info.signal.aborted).toBe(false);
    await engine.send("job/1", { type: "CANCEL" });
    expect(info.signal.aborted).toBe(true);
    resolve("too late");
    await engine.settled();
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "cancelled", context: { output: null } });
    expect(await engine.snapshot(work)).toMatchObject({ status: "stopped" });
  });

  inTwoModes("a state entered anew runs its promise anew; the first one's result is stale", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held)] });
    await engine.start("job", "1");
    await engine.send("job/1", { type: "AGAIN" });
    expect(held.calls).toHaveLength(2);
    expect(held.calls.map(({ info }) => info.signal.aborted)).toEqual([true, false]);
    held.calls[0]?.resolve("first");
    await engine.settled();
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "working" });
    held.calls[1]?.resolve("second");
    await engine.settled();
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "done", context: { output: "second" } });
  });

  inBothJournals("no more run at once than the limit allows; the others wait in line", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held)], limits: { activitiesMax: 2 } });
    await engine.taskwright.startAll(Array.from({ length: 5 }, (_, id) => ({ machine: "job", id: String(id) })));
    await engine.settled();
    expect(held.calls.map(({ info }) => info.address)).toEqual(["job/0/work", "job/1/work"]);
    expect(engine.taskwright.status().activities).toBe(5);
    await engine.send("job/2", { type: "CANCEL" });
    held.calls[0]?.resolve();
    await engine.settled();
    expect(held.calls.map(({ info }) => info.address)).toEqual(["job/0/work", "job/1/work", "job/3/work"]);
    await engine.send("job/1", { type: "CANCEL" });
    await engine.settled();
    expect(held.calls).toHaveLength(4);
    for (const call of held.calls) call.resolve();
    await engine.settled();
    expect(await engine.taskwright.counts()).toMatchObject([
      { machine: "activity", status: "done", count: 3 },
      { machine: "activity", status: "stopped", count: 2 },
      { machine: "job", count: 5 },
    ]);
    expect(engine.taskwright.status().activities).toBe(0);
  });

  inMemory("what runs knows its address, attempt and signal; elsewhere there is no activity", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held)] });
    await engine.start("job", "1");
    expect(held.last.info).toMatchObject({ address: work, attempt: 1, details: null });
    expect(currentActivity()).toBeUndefined();
  });

  inTwoModes("a heartbeat's details are there for the next attempt", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held, { retry: { attemptsMax: 2, backoff: { kind: "fixed", baseMs: 100 } } })] });
    await engine.start("job", "1");
    held.last.info.heartbeat({ line: 40 });
    await engine.settled();
    held.last.reject(new Error("broken"));
    await engine.advance(100);
    expect(held.last.info).toMatchObject({ attempt: 2, details: { line: 40 } });
  });

  inMemory("jitter is derived from the actor and the attempt", async (bench) => {
    const held = new Held();
    const retry = { attemptsMax: 4, backoff: { kind: "exponential" as const, baseMs: 1_000 }, jitter: { min: 0.5, max: 1 } };
    const waits: Array<ReadonlyArray<number>> = [];
    for (let run = 0; run < 2; run++) {
      const engine = await bench.engine({ machines: [job(held, { retry })] });
      await engine.start("job", "1");
      const seen: Array<number> = [];
      for (let attempt = 1; attempt < 4; attempt++) {
        held.last.reject(new Error("broken"));
        await engine.settled();
        const { timers } = await engine.snapshot(work);
        const [timer] = Object.values(timers ?? {});
        seen.push((timer?.due ?? 0) - engine.time.now());
        await engine.advance(seen.at(-1) ?? 0);
      }
      waits.push(seen);
    }
    expect(waits[0]).toEqual(waits[1]);
    expect(waits[0]).toEqual([1, 2, 3].map((attempt) => Math.round(1_000 * 2 ** (attempt - 1) * (0.5 + 0.5 * derivedRandom(work, attempt)))));
  });
});
