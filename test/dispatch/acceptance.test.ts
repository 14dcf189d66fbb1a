import { describe, expect } from "vitest";
import { inScenes, spec } from "./scene.ts";

describe("dispatch > acceptance", () => {
  inScenes("a worker that does not answer loses the task, which costs no retry", async (open) => {
    const scene = await open({ slots: 1, defaults: { acceptanceTimeoutMs: 5_000 } });
    await scene.submit(spec("a"));
    await scene.advance(4_999);
    expect(await scene.state("a")).toBe("assigned");
    await scene.advance(1);
    // The silent process may still begin one day: it is replaced before anybody else has the task.
    expect(await scene.task("a")).toMatchObject({ state: "queued", failure: { code: "acceptance_timeout" } });
    expect(scene.workers.processes.size).toBe(0);
    expect(await scene.worker(1)).toMatchObject({ state: "lost", losses: 1, lastReason: "it did not answer an offer in time" });
    await scene.advance(100);
    expect(scene.workers.starts).toEqual(["worker/1#1", "worker/1#2"]);
    expect(await scene.task("a")).toMatchObject({ state: "assigned", attempts: 2 });
    await scene.play(
      () => scene.workers.accept("a"),
      () => scene.workers.end("a"),
    );
    expect(await scene.task("a")).toMatchObject({ state: "done", failure: undefined });
    await scene.checkOver();
  });

  inScenes("the others go on while one worker is silent", async (open) => {
    const scene = await open({ slots: 2, defaults: { acceptanceTimeoutMs: 5_000 } });
    await scene.submit(spec("silent", { priority: 1 }), spec("a"), spec("b"));
    for (const id of ["a", "b"])
      await scene.play(
        () => scene.workers.accept(id),
        () => scene.workers.end(id),
      );
    await scene.advance(5_000);
    // The free worker has it at once.
    expect(await scene.task("silent")).toMatchObject({ state: "assigned", worker: "worker/2", attempts: 2 });
    await scene.check();
  });

  inScenes("an acceptance that comes too late is ignored, and so is what follows from it", async (open) => {
    const scene = await open({ slots: 2, defaults: { acceptanceTimeoutMs: 5_000 } });
    await scene.submit(spec("a"));
    const late = scene.workers.offerOf("a");
    await scene.advance(5_000);
    expect(await scene.task("a")).toMatchObject({ state: "assigned", attempts: 2, worker: "worker/2" });
    scene.workers.report(late.assignment, { type: "ACCEPTED", attempt: 1 });
    scene.workers.report(late.assignment, { type: "ENDED", attempt: 1, outcome: "ok", result: { exitCode: 0 } });
    scene.workers.report(late.assignment, { type: "DECLINED", attempt: 1 });
    await scene.settle();
    expect(await scene.task("a")).toMatchObject({ state: "assigned", attempts: 2, result: undefined });
    const history = await scene.engine.taskwright.history(late.assignment);
    expect(history.slice(-3).map(({ event, outcome }) => [event.type, outcome])).toEqual([
      ["ACCEPTED", "ignored"],
      ["ENDED", "ignored"],
      ["DECLINED", "ignored"],
    ]);
    await scene.check();
  });

  inScenes("a worker that declines gives the task back at once, at no cost", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a"));
    await scene.play(() => scene.workers.decline("a"));
    expect(await scene.task("a")).toMatchObject({ state: "assigned", attempts: 2 });
    await scene.play(
      () => scene.workers.accept("a"),
      () => scene.workers.end("a"),
    );
    expect(await scene.state("a")).toBe("done");
    await scene.checkOver();
  });

  inScenes("a worker that is lost before it accepts gives the task back at no cost", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a"));
    for (let loss = 1; loss <= 10; loss++) {
      await scene.play(() => scene.workers.lose("worker/1"));
      expect(await scene.task("a")).toMatchObject({ state: "queued", failure: { code: "worker_lost" } });
      await scene.advance(30_000);
      expect(await scene.task("a")).toMatchObject({ state: "assigned", attempts: loss + 1 });
    }
    await scene.play(
      () => scene.workers.accept("a"),
      () => scene.workers.end("a"),
    );
    expect(await scene.state("a")).toBe("done");
    await scene.checkOver();
  });

  inScenes("work that ends before its acceptance was heard of is done", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a"));
    await scene.play(() => scene.workers.end("a"));
    expect(await scene.task("a")).toMatchObject({ state: "done", attempts: 1, result: { exitCode: 0 } });
    await scene.checkOver();
  });

  inScenes("nothing is offered by a worker that has no process yet", async (open) => {
    const scene = await open({ slots: 1 });
    scene.workers.reports = false;
    await scene.play(() => scene.workers.lose("worker/1"));
    await scene.submit(spec("a"));
    await scene.advance(200);
    expect(scene.workers.starts).toEqual(["worker/1#1", "worker/1#2"]);
    expect(await scene.state("a")).toBe("queued");
    // One that does not report for work is given up and started again.
    await scene.advance(30_000);
    expect(await scene.worker(1)).toMatchObject({ state: "lost", losses: 2, lastReason: "it did not start in time" });
    scene.workers.reports = true;
    await scene.advance(200);
    expect(await scene.state("a")).toBe("assigned");
    await scene.check();
  });
});
