import { describe, expect } from "vitest";
import { inScenes, type Scene, spec } from "./scene.ts";

const run = async (scene: Scene, id: string, how: "ok" | "badly" = "ok") =>
  scene.play(
    () => scene.workers.accept(id),
    () => scene.workers.end(id, how),
  );
const needFailed = (id: string) => ({ state: "cancelled", failure: { code: "need_failed", message: `the task "${id}" that it needs was not done` } });

describe("dispatch > needs", () => {
  inScenes("a chain is carried out link by link", async (open) => {
    const scene = await open({ slots: 4 });
    await scene.submit(spec("d", { needs: ["c"] }), spec("b", { needs: ["a"] }), spec("c", { needs: ["b"] }), spec("a"));
    for (const id of ["a", "b", "c", "d"]) {
      expect(scene.workers.open.map(({ task }) => task)).toEqual([id]);
      await run(scene, id);
    }
    expect(scene.workers.begun).toEqual(["a#1", "b#1", "c#1", "d#1"]);
    await scene.checkOver();
  });

  inScenes("the last task of a diamond waits for both sides", async (open) => {
    const scene = await open({ slots: 4 });
    await scene.submit(spec("end", { needs: ["left", "right"] }), spec("left", { needs: ["begin"] }), spec("right", { needs: ["begin"] }), spec("begin"));
    await run(scene, "begin");
    expect(await scene.states()).toEqual({ begin: "done", left: "assigned", right: "assigned", end: "waiting" });
    await run(scene, "right");
    expect(await scene.task("end")).toMatchObject({ state: "waiting", needs: ["left"] });
    await run(scene, "left");
    await run(scene, "end");
    await scene.checkOver();
  });

  inScenes("what can't be done any more is cancelled with the reason, down the whole chain", async (open) => {
    const scene = await open({ slots: 4 });
    await scene.submit(spec("a"), spec("b", { needs: ["a"] }), spec("c", { needs: ["b"] }), spec("d", { needs: ["a", "ok"] }), spec("ok"));
    await run(scene, "a", "badly");
    expect(await scene.task("b")).toMatchObject(needFailed("a"));
    expect(await scene.task("c")).toMatchObject(needFailed("b"));
    expect(await scene.task("d")).toMatchObject(needFailed("a"));
    await run(scene, "ok");
    expect(scene.workers.begun).toEqual(["a#1", "ok#1"]);
    await scene.checkOver();
  });

  inScenes("a task that needs a cancelled one is cancelled", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a"), spec("b", { needs: ["a"] }));
    await scene.dispatcher.cancel("a", { by: "tester", why: "not wanted" });
    await scene.play(() => scene.workers.end("a", "badly"));
    expect(await scene.task("b")).toMatchObject(needFailed("a"));
    await scene.checkOver();
  });

  inScenes("a need that is tried again is waited for", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a", { retry: { attemptsMax: 1 + 1 } }), spec("b", { needs: ["a"] }));
    await run(scene, "a", "badly");
    expect(await scene.states()).toEqual({ a: "backingOff", b: "waiting" });
    await scene.advance(1_000);
    await run(scene, "a");
    expect(await scene.state("b")).toBe("assigned");
    await scene.check();
  });

  inScenes("needs of an earlier submission count, whether they have ended or not", async (open) => {
    const scene = await open({ slots: 4 });
    await scene.submit(spec("done"), spec("dead"), spec("live"));
    await run(scene, "done");
    await run(scene, "dead", "badly");
    await scene.submit(spec("x", { needs: ["done"] }), spec("y", { needs: ["dead"] }), spec("z", { needs: ["live", "done"] }));
    expect(await scene.states()).toMatchObject({ x: "assigned", y: "cancelled", z: "waiting" });
    await run(scene, "live");
    expect(await scene.state("z")).toBe("assigned");
    await scene.check();
  });

  inScenes("a need that ends while its dependent is being submitted is not missed", async (open) => {
    const scene = await open({ slots: 4 });
    await scene.submit(spec("a"));
    await scene.play(() => scene.workers.accept("a"));
    const submitting = scene.dispatcher.submit([spec("b", { needs: ["a"] })]);
    scene.workers.end("a");
    await submitting;
    await scene.settle();
    expect(await scene.states()).toEqual({ a: "done", b: "assigned" });
    await scene.check();
  });

  // The commits of a submission: the tasks in bounded portions, then what older tasks must be told.
  for (const commits of [1, 2, 3]) {
    inScenes(`a submission that a crash cut short after commit ${commits} is completed by the next one`, async (open) => {
      const tasks = [spec("b", { needs: ["a"] }), spec("c", { needs: ["b", "old"] }), spec("a"), spec("e", { needs: ["d"] }), spec("d", { needs: ["old"] })];
      const scene = await open({ slots: 1 }, { limits: { turnEnvelopesMax: 1 } });
      await scene.submit(spec("old"));
      await scene.play(() => scene.workers.accept("old"));
      const crashed = scene.engine.crashAfterCommits(commits);
      void scene.dispatcher.submit(tasks);
      await crashed;
      await scene.restart();
      await scene.submit(spec("old"), ...tasks);
      for (let round = 0; round < 20 && scene.workers.open.length > 0; round++) await run(scene, scene.workers.open[0]?.task ?? "");
      expect(await scene.states()).toEqual({ old: "done", a: "done", b: "done", c: "done", d: "done", e: "done" });
      await scene.checkOver();
    });
  }
});
