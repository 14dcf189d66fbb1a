import { describe, expect } from "vitest";
import { inScenes, spec } from "./scene.ts";

const settledWithin = async (promise: Promise<unknown>, settle: () => Promise<void>): Promise<boolean> => {
  let isSettled = false;
  void promise.then(() => {
    isSettled = true;
  });
  await settle();
  return isSettled;
};

describe("dispatch > drain", () => {
  inScenes("gives out nothing more and waits for what runs", async (open) => {
    const scene = await open({ slots: 2 });
    await scene.submit(spec("a"), spec("b"), spec("c"), spec("d", { needs: ["a"] }));
    await scene.play(
      () => scene.workers.accept("a"),
      () => scene.workers.accept("b"),
    );
    const drained = scene.dispatcher.drain();
    await scene.play(() => scene.workers.end("a"));
    expect(await settledWithin(drained, () => scene.settle())).toBe(false);
    await scene.play(() => scene.workers.end("b", "badly"));
    expect(await settledWithin(drained, () => scene.settle())).toBe(true);
    expect(await scene.states()).toEqual({ a: "done", b: "dead", c: "queued", d: "queued" });
    await scene.advance(60_000);
    expect(scene.workers.open).toEqual([]);
    await scene.check();
  });

  inScenes("is over at once when nothing runs", async (open) => {
    const scene = await open({ slots: 1 });
    expect(await settledWithin(scene.dispatcher.drain(), () => scene.settle())).toBe(true);
    await scene.submit(spec("a"));
    expect(await scene.state("a")).toBe("queued");
  });

  inScenes("does not wait for an assignment that came to nothing", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a"));
    await scene.play(() => scene.workers.decline("a"));
    await scene.play(() => scene.workers.end("a"));
    // In the same moment: one is queued and would be given out, and is cancelled; then everything drains.
    const submitted = scene.dispatcher.submit([spec("b")]);
    const cancelled = scene.dispatcher.cancel("b", { by: "tester", why: "not wanted" }).catch(() => {});
    const drained = scene.dispatcher.drain();
    await Promise.all([submitted, cancelled]);
    await scene.settle();
    if (scene.workers.isOffered("b")) await scene.play(() => scene.workers.end("b"));
    expect(await settledWithin(drained, () => scene.settle())).toBe(true);
    await scene.check();
  });

  inScenes("ends when the workers are stopped", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a"));
    await scene.play(() => scene.workers.accept("a"));
    const drained = scene.dispatcher.drain();
    await scene.dispatcher.stop();
    expect(await settledWithin(drained, () => scene.settle())).toBe(true);
  });
});

describe("dispatch > stop", () => {
  inScenes("ends all workers, and what they ran begins again at no cost", async (open) => {
    const scene = await open({ slots: 2 });
    await scene.submit(spec("a"), spec("b"), spec("c"));
    for (let stop = 1; stop <= 8; stop++) {
      await scene.play(() => scene.workers.accept("a"));
      await scene.dispatcher.stop();
      await scene.dispatcher.stop();
      expect(scene.workers.processes.size).toBe(0);
      await scene.settle();
      expect(await scene.worker(1)).toMatchObject({ state: "halted", taken: {} });
      expect(await scene.engine.snapshot("task/a")).toMatchObject({ value: "queued", context: { losses: 0, failures: 0, failure: { code: "interrupted" } } });
      await scene.advance(60_000);
      expect(scene.workers.open).toEqual([]);
      await scene.engine.taskwright.close();
      await scene.restart();
    }
    for (const id of ["a", "b", "c"])
      await scene.play(
        () => scene.workers.accept(id),
        () => scene.workers.end(id),
      );
    expect(await scene.states()).toEqual({ a: "done", b: "done", c: "done" });
    await scene.checkOver();
  });

  inScenes("says nothing more to observers", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a"));
    await scene.play(() => scene.workers.accept("a"));
    const seen: Array<string> = [];
    scene.dispatcher.observe(({ state }) => seen.push(state));
    await scene.dispatcher.stop();
    await scene.settle();
    expect(seen).toEqual([]);
    // What is asked for is read from the journal.
    expect(await scene.state("a")).toBe("queued");
  });

  inScenes("is possible on an engine that was closed before", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a"));
    await scene.play(() => scene.workers.accept("a"));
    await scene.engine.taskwright.close({ grace: 0 });
    await scene.dispatcher.stop();
    expect(scene.workers.processes.size).toBe(0);
    await scene.restart();
    await scene.play(
      () => scene.workers.accept("a"),
      () => scene.workers.end("a"),
    );
    await scene.checkOver();
  });
});
