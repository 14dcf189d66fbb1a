import { describe, expect } from "vitest";
import { inScenes, spec } from "./scene.ts";

describe("dispatch > budget", () => {
  inScenes("an attempt that takes too long is asked to end, then ended by force", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a", { executionTimeoutMs: 10_000 }), spec("next"));
    await scene.play(() => scene.workers.accept("a"));
    const offer = scene.workers.offerOf("a");
    await scene.advance(9_999);
    expect(offer.revoked).toBe("no");
    await scene.advance(1);
    expect(offer.revoked).toBe("politely");
    expect(await scene.state("a")).toBe("running");
    expect((await scene.worker(1)).taken).toEqual({ "task/a/assignment": 1 });
    await scene.advance(2_999);
    expect(offer.revoked).toBe("politely");
    await scene.advance(1);
    expect(offer.revoked).toBe("byForce");
    expect(await scene.task("a")).toMatchObject({ state: "dead", failure: { code: "execution_timeout", message: "it did not end within 10000 ms" } });
    expect(await scene.state("next")).toBe("assigned");
    await scene.check();
  });

  inScenes("what an attempt printed until its time-out is kept", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a", { executionTimeoutMs: 10_000 }));
    await scene.play(() => scene.workers.accept("a"));
    await scene.advance(10_000);
    await scene.play(() => scene.workers.end("a", "badly"));
    expect(await scene.task("a")).toMatchObject({ state: "dead", failure: { code: "execution_timeout" }, result: { exitCode: 1 } });
    await scene.checkOver();
  });

  inScenes("failures are retried after growing pauses until the budget is spent", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a", { retry: { attemptsMax: 1 + 3 } }));
    const pauses: Array<number> = [];
    for (let attempt = 1; attempt <= 4; attempt++) {
      await scene.play(
        () => scene.workers.accept("a"),
        () => scene.workers.end("a", "badly"),
      );
      const { state, until, attempts } = await scene.task("a");
      expect(attempts).toBe(attempt);
      if (attempt === 4) break;
      expect(state).toBe("backingOff");
      const pause = (until ?? 0) - scene.engine.time.now();
      pauses.push(pause);
      await scene.advance(pause - 1);
      expect(await scene.state("a")).toBe("backingOff");
      await scene.advance(1);
      expect(await scene.state("a")).toBe("assigned");
    }
    for (const [index, whole] of [500, 1_000, 2_000].entries()) {
      expect(pauses[index]).toBeGreaterThanOrEqual(whole / 2);
      expect(pauses[index]).toBeLessThanOrEqual(whole);
    }
    expect(await scene.task("a")).toMatchObject({ state: "dead", failure: { message: "the command ended with exit code 1" }, result: { exitCode: 1 } });
    await scene.checkOver();
  });

  inScenes("time-outs and failures share one budget, a success ends it", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a", { retry: { attemptsMax: 1 + 2 }, executionTimeoutMs: 1_000 }));
    await scene.play(() => scene.workers.accept("a"));
    await scene.advance(4_000);
    expect(await scene.task("a")).toMatchObject({ state: "backingOff", failure: { code: "execution_timeout" } });
    await scene.advance(1_000);
    await scene.play(
      () => scene.workers.accept("a"),
      () => scene.workers.end("a", "badly"),
    );
    await scene.advance(1_000);
    await scene.play(
      () => scene.workers.accept("a"),
      () => scene.workers.end("a"),
    );
    expect(await scene.task("a")).toMatchObject({ state: "done", attempts: 3, failure: undefined, result: { exitCode: 0 } });
    await scene.checkOver();
  });

  inScenes("a worker that is lost under a task costs no retry, but not for ever", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a"));
    for (let loss = 1; loss <= 6; loss++) {
      await scene.play(
        () => scene.workers.accept("a"),
        () => scene.workers.lose("worker/1"),
      );
      if (loss === 6) break;
      expect(await scene.task("a")).toMatchObject({ state: "queued", failure: { code: "worker_lost", message: "its worker was lost: its process ended (SIGKILL)" } });
      await scene.advance(30_000);
    }
    expect(await scene.task("a")).toMatchObject({ state: "dead", attempts: 6, failure: { code: "worker_lost" } });
    await scene.checkOver();
  });

  inScenes("a worker that flaps is given longer and longer pauses", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(...Array.from({ length: 3 }, (_, index) => spec(`t${index}`, { retry: { attemptsMax: 1 + 9 } })));
    const pauses: Array<number> = [];
    for (let loss = 0; loss < 8; loss++) {
      // It takes work, begins it and dies: that is no sign of health.
      const [offer] = scene.workers.open;
      await scene.play(
        () => scene.workers.accept(offer?.task ?? ""),
        () => scene.workers.lose("worker/1"),
      );
      const { timers } = await scene.engine.snapshot("worker/1");
      const pause = Math.min(...Object.values(timers ?? {}).map(({ due }) => due)) - scene.engine.time.now();
      pauses.push(pause);
      await scene.advance(pause);
      await scene.check();
    }
    expect(pauses).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800]);
    // Work that it brings to an end clears the account.
    const [offer] = scene.workers.open;
    await scene.play(
      () => scene.workers.accept(offer?.task ?? ""),
      () => scene.workers.end(offer?.task ?? ""),
    );
    expect(await scene.worker(1)).toMatchObject({ losses: 0 });
  });

  inScenes("reports of an earlier process are not taken for the present one's", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a"));
    await scene.play(
      () => scene.workers.accept("a"),
      () => scene.workers.lose("worker/1"),
    );
    scene.workers.reports = false;
    await scene.advance(100);
    expect(await scene.worker(1)).toMatchObject({ state: "starting", incarnation: 2 });
    await scene.play(() => scene.workers.ready("worker/1", 1));
    expect(await scene.worker(1)).toMatchObject({ state: "starting" });
    await scene.play(
      () => scene.workers.ready("worker/1", 2),
      () => scene.workers.accept("a"),
    );
    await scene.play(() => scene.workers.report("worker/1", { type: "LOST", incarnation: 1, reason: "late" }));
    expect(await scene.worker(1)).toMatchObject({ state: "active", taken: { "task/a/assignment": 1 } });
    expect(await scene.state("a")).toBe("running");
    await scene.check();
  });
});
