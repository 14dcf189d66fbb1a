import { describe, expect } from "vitest";
import { inBothJournals, inThreeModes, inTwoModes } from "../../src/testing/index.ts";
import { Held } from "./held.ts";
import { job } from "./job.ts";

const work = "job/1/work";
const fixed = (attemptsMax: number, baseMs = 1_000) => ({ attemptsMax, backoff: { kind: "fixed" as const, baseMs } });

describe("engine > activities > retries", () => {
  inTwoModes("a policy repeats with its back-off, and then gives up with the last error", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held, { retry: { attemptsMax: 4, backoff: { kind: "exponential", baseMs: 1_000, capMs: 3_000 } } })] });
    await engine.start("job", "1");
    const began = engine.time.now();
    const starts: Array<number> = [];
    for (let attempt = 1; attempt <= 4; attempt++) {
      starts.push(engine.time.now() - began);
      expect(held.calls).toHaveLength(attempt);
      held.last.reject(new Error(`failure ${attempt}`));
      await engine.settled();
      if (attempt < 4) {
        const wait = Math.min(3_000, 1_000 * 2 ** (attempt - 1));
        await engine.advance(wait - 1);
        expect(held.calls).toHaveLength(attempt);
        await engine.advance(1);
      }
    }
    expect(starts).toEqual([0, 1_000, 3_000, 6_000]);
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "failed", context: { error: { message: "failure 4" } } });
    expect(await engine.snapshot(work)).toMatchObject({ context: { attempt: 4 } });
  });

  inThreeModes("a later attempt that is kept forgets the failures", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held, { retry: fixed(3) })] });
    await engine.start("job", "1");
    held.last.reject(new Error("once"));
    await engine.advance("1 second");
    held.last.resolve("fine");
    await engine.settled();
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "done", context: { output: "fine" } });
  });

  inBothJournals("only the named failures are repeated", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held, { retry: { ...fixed(3), retryOn: ["TimeoutError", "E_BUSY"] } })] });
    await engine.start("job", "1");
    held.last.reject(Object.assign(new Error("busy"), { code: "E_BUSY" }));
    await engine.advance("1 second");
    expect(held.calls).toHaveLength(2);
    held.last.reject(new Error("something else"));
    await engine.settled();
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "failed", context: { error: { message: "something else" } } });
  });

  inBothJournals("no attempt starts beyond the time that the policy allows", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held, { retry: { ...fixed(100, 1_000), elapsedMsMax: 2_500 } })] });
    await engine.start("job", "1");
    for (let attempt = 1; attempt <= 3; attempt++) {
      held.last.reject(new Error("no"));
      await engine.advance("1 second");
    }
    expect(held.calls).toHaveLength(3);
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "failed" });
  });

  inTwoModes("an attempt that takes too long is aborted and repeated; its late result is not heard", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held, { timeoutMs: 5_000, retry: fixed(2) })] });
    await engine.start("job", "1");
    const first = held.last;
    await engine.advance(4_999);
    expect(first.info.signal.aborted).toBe(false);
    await engine.advance(1);
    expect(first.info.signal.aborted).toBe(true);
    first.resolve("too late");
    await engine.advance("1 second");
    expect(held.calls).toHaveLength(2);
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "working" });
    await engine.advance("5 seconds");
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "failed", context: { error: { name: "ActivityTimeout", code: "activity_timeout" } } });
  });

  inTwoModes("an attempt that is silent for too long is given up; heartbeats keep it alive", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held, { heartbeatTimeoutMs: 1_000, retry: fixed(2, 0) })] });
    await engine.start("job", "1");
    for (let beat = 0; beat < 5; beat++) {
      await engine.advance(900);
      held.last.info.heartbeat({ beat });
      await engine.settled();
    }
    expect(held.calls).toHaveLength(1);
    await engine.advance(999);
    expect(held.calls).toHaveLength(1);
    await engine.advance(1);
    expect(held.calls).toHaveLength(2);
    expect(held.calls[0]?.info.signal.aborted).toBe(true);
    expect(held.last.info).toMatchObject({ attempt: 2, details: { beat: 4 } });
    held.calls[0]?.info.heartbeat({ beat: "of the dead" });
    await engine.advance("1 second");
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "failed", context: { error: { name: "ActivityTimeout" } } });
  });

  inTwoModes("heartbeats don't lengthen the attempt's own limit", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held, { heartbeatTimeoutMs: 1_000, timeoutMs: 3_000 })] });
    await engine.start("job", "1");
    for (let beat = 0; beat < 5; beat++) {
      await engine.advance(700);
      held.last.info.heartbeat();
      await engine.settled();
    }
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "failed", context: { error: { message: "the attempt did not end within 3000 ms" } } });
  });

  inBothJournals("a crash under an attempt runs it again, and costs no retry", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held, { retry: fixed(2) })] });
    await engine.start("job", "1");
    held.last.info.heartbeat({ line: 3 });
    await engine.settled();
    for (let crash = 1; crash <= 3; crash++) {
      await engine.restart();
      expect(held.calls).toHaveLength(crash + 1);
      expect(held.last.info).toMatchObject({ attempt: crash + 1, details: { line: 3 } });
    }
    held.last.reject(new Error("first failure"));
    await engine.advance("1 second");
    held.last.resolve("fine");
    await engine.settled();
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "done", context: { output: "fine" } });
  });

  inBothJournals("work that ends every process ends itself after its interruptions are used up", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held, { interruptionsMax: 3, retry: fixed(10) })] });
    await engine.start("job", "1");
    for (let crash = 1; crash <= 3; crash++) {
      await engine.restart();
      expect(await engine.snapshot("job/1")).toMatchObject({ value: "working" });
    }
    await engine.restart();
    expect(held.calls).toHaveLength(4);
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "failed", context: { error: { name: "ActivityInterrupted", code: "activity_interrupted" } } });
  });

  inBothJournals("the budget is counted durably: crashes between failures give no further attempts", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held, { retry: fixed(3) })] });
    await engine.start("job", "1");
    for (let attempt = 1; attempt <= 3; attempt++) {
      held.last.reject(new Error(`failure ${attempt}`));
      await engine.settled();
      await engine.restart();
      await engine.advance("1 second");
    }
    await engine.advance("1 hour");
    expect(held.calls).toHaveLength(3);
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "failed", context: { error: { message: "failure 3" } } });
  });

  inBothJournals("a back-off that passed while the engine was down ends at start", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held, { retry: fixed(2, 60_000) })] });
    await engine.start("job", "1");
    held.last.reject(new Error("no"));
    await engine.settled();
    engine.crash();
    engine.time.advance(3_600_000);
    await engine.restart();
    expect(held.calls).toHaveLength(2);
  });

  inBothJournals("an attempt's limit that passed while the engine was down counts from its new start", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held, { timeoutMs: 10_000, retry: fixed(1) })] });
    await engine.start("job", "1");
    engine.crash();
    engine.time.advance(3_600_000);
    await engine.restart();
    expect(held.calls).toHaveLength(2);
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "working" });
    await engine.advance(10_000);
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "failed" });
  });

  inBothJournals("a result that came before the crash is not asked for again", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held)] });
    await engine.start("job", "1");
    const crashed = engine.crashAfterCommits(1);
    held.last.resolve("kept");
    await crashed;
    await engine.restart();
    expect(held.calls).toHaveLength(1);
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "done", context: { output: "kept" } });
  });

  inBothJournals("closing aborts the attempt after its grace; it begins again at the next open and counts as no crash", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held, { interruptionsMax: 1 })] });
    await engine.start("job", "1");
    for (let close = 1; close <= 4; close++) {
      const { signal } = held.last.info;
      await engine.taskwright.close({ grace: 0 });
      expect(signal.aborted).toBe(true);
      await engine.restart();
      expect(held.calls).toHaveLength(close + 1);
    }
    held.last.resolve("at last");
    await engine.settled();
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "done" });
  });
});
