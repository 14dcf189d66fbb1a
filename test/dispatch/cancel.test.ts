import { describe, expect } from "vitest";
import { inScenes, type Scene, spec } from "./scene.ts";

const cancelled = { state: "cancelled", failure: { code: "cancelled", message: "not wanted" } };

describe("dispatch > cancel", () => {
  const places: ReadonlyArray<readonly [string, (scene: Scene) => Promise<void>]> = [
    ["waiting", async (scene) => scene.submit(spec("need"), spec("a", { needs: ["need"] }))],
    ["queued", async (scene) => scene.submit(spec("other"), spec("a"))],
    [
      "backingOff",
      async (scene) => {
        await scene.submit(spec("a", { retry: { attemptsMax: 1 + 3 } }));
        await scene.play(
          () => scene.workers.accept("a"),
          () => scene.workers.end("a", "badly"),
        );
      },
    ],
  ];
  for (const [state, come] of places) {
    inScenes(`a task that is ${state} ends at once`, async (open) => {
      const scene = await open({ slots: 1 });
      await come(scene);
      expect(await scene.state("a")).toBe(state);
      await scene.dispatcher.cancel("a", { by: "tester", why: "not wanted" });
      expect(await scene.task("a")).toMatchObject(cancelled);
      // Nothing that was on its way to it wakes it again.
      await scene.advance(60 * 60 * 1000);
      expect(await scene.task("a")).toMatchObject(cancelled);
      expect(scene.workers.isOffered("a")).toBe(false);
      await scene.check();
    });
  }

  inScenes("a preview says of each task what the order would come to, and tells nobody", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a"), spec("b"), spec("c"));
    const order = { by: "tester", why: "not now" };
    await scene.dispatcher.pause("b", order);
    await scene.settle();
    const before = (await scene.engine.taskwright.snapshot("task/c")).seq;
    expect(await scene.dispatcher.preview("resume", ["a", "b", "c"])).toEqual({
      done: ["b"],
      refused: [
        { id: "a", state: "assigned", detail: "a task that is assigned takes no such order" },
        { id: "c", state: "queued", detail: "a task that is queued takes no such order" },
      ],
    });
    expect(await scene.dispatcher.preview("pause", { state: ["queued", "paused"] })).toEqual({ done: ["b", "c"], refused: [] });
    await expect(scene.dispatcher.preview("cancel", "nobody")).rejects.toMatchObject({ _tag: "UnknownTask" });
    expect([await scene.state("b"), await scene.state("c"), (await scene.engine.taskwright.snapshot("task/c")).seq]).toEqual(["paused", "queued", before]);
    expect(await scene.dispatcher.workers.list()).toMatchObject([{ id: "1", slots: 1, used: 1, tasks: ["a"], isDraining: false, until: undefined }]);
    await scene.check();
  });

  inScenes("a task that was offered ends when its worker has heard of it", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a"), spec("next"));
    const offer = scene.workers.offerOf("a");
    await scene.dispatcher.cancel("a", { by: "tester", why: "not wanted" });
    await scene.settle();
    expect([offer.revoked, await scene.state("a")]).toEqual(["politely", "assigned"]);
    // The worker had begun it meanwhile.
    await scene.play(
      () => scene.workers.accept("a"),
      () => scene.workers.end("a", "badly"),
    );
    expect(await scene.task("a")).toMatchObject({ ...cancelled, result: { exitCode: 1 } });
    expect(await scene.state("next")).toBe("assigned");
    await scene.check();
  });

  inScenes("a task that runs is asked to end, then ended by force", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a", { retry: { attemptsMax: 1 + 3 } }), spec("next"));
    await scene.play(() => scene.workers.accept("a"));
    const offer = scene.workers.offerOf("a");
    await scene.dispatcher.cancel("a", { by: "tester", why: "not wanted" });
    await scene.settle();
    expect([offer.revoked, await scene.state("a"), await scene.state("next")]).toEqual(["politely", "running", "queued"]);
    await scene.advance(3_000);
    expect(offer.revoked).toBe("byForce");
    expect(await scene.task("a")).toMatchObject(cancelled);
    expect(await scene.state("next")).toBe("assigned");
    await scene.check();
  });

  inScenes("a second cancel changes nothing", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a"));
    await scene.play(() => scene.workers.accept("a"));
    await scene.dispatcher.cancel("a", { by: "tester", why: "not wanted" });
    await scene.dispatcher.cancel("a", { by: "tester", why: "really not" });
    await scene.play(() => scene.workers.end("a", "badly"));
    await scene.dispatcher.cancel("a", { by: "tester", why: "still not" });
    expect(await scene.task("a")).toMatchObject(cancelled);
    await scene.checkOver();
  });

  inScenes("one that is timing out is not tried again", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a", { retry: { attemptsMax: 1 + 3 }, executionTimeoutMs: 1_000 }));
    await scene.play(() => scene.workers.accept("a"));
    await scene.advance(1_000);
    await scene.dispatcher.cancel("a", { by: "tester", why: "not wanted" });
    await scene.advance(3_000);
    expect(await scene.task("a")).toMatchObject(cancelled);
    await scene.checkOver();
  });

  inScenes("one whose worker is lost meanwhile is not tried again", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a", { retry: { attemptsMax: 1 + 3 } }));
    await scene.play(() => scene.workers.accept("a"));
    await scene.dispatcher.cancel("a", { by: "tester", why: "not wanted" });
    await scene.play(() => scene.workers.lose("worker/1"));
    expect(await scene.task("a")).toMatchObject(cancelled);
    await scene.checkOver();
  });

  inScenes("one that is cancelled when the engine crashes stays so", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a", { retry: { attemptsMax: 1 + 3 } }));
    await scene.play(() => scene.workers.accept("a"));
    await scene.dispatcher.cancel("a", { by: "tester", why: "not wanted" });
    await scene.restart();
    expect(await scene.task("a")).toMatchObject(cancelled);
    expect(scene.workers.begun).toEqual(["a#1"]);
    await scene.checkOver();
  });

  inScenes("an unknown task is a typed error", async (open) => {
    const scene = await open({ slots: 1 });
    await expect(scene.dispatcher.cancel("nobody", { by: "tester", why: "x" })).rejects.toMatchObject({ _tag: "UnknownTask", ids: ["nobody"] });
  });

  for (const first of ["end", "cancel"] as const) {
    for (const how of ["ok", "badly"] as const) {
      inScenes(`against an end (${how}), the ${first} that is stored first wins`, async (open) => {
        const scene = await open({ slots: 1 });
        await scene.submit(spec("a", { retry: { attemptsMax: 1 + 1 } }), spec("after", { needs: ["a"] }));
        await scene.play(() => scene.workers.accept("a"));
        const end = () => scene.workers.end("a", how);
        if (first === "end") end();
        const cancelling = scene.dispatcher.cancel("a", { by: "tester", why: "not wanted" });
        if (first === "cancel") end();
        await cancelling;
        await scene.settle();
        const isDone = first === "end" && how === "ok";
        expect(await scene.states()).toEqual(isDone ? { a: "done", after: "assigned" } : { a: "cancelled", after: "cancelled" });
        expect(await scene.task("a")).toMatchObject({ result: { exitCode: how === "ok" ? 0 : 1 } });
        await scene.advance(60_000);
        expect(scene.workers.begun).toEqual(["a#1"]);
        await scene.check();
      });
    }
  }

  inScenes("against an assignment, the one that is stored first wins and the slot is free afterwards", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("busy"), spec("a"), spec("next"));
    await scene.play(() => scene.workers.accept("busy"));
    // The end of the first gives the slot to "a" while it is being cancelled.
    scene.workers.end("busy");
    const cancelling = scene.dispatcher.cancel("a", { by: "tester", why: "not wanted" });
    await cancelling;
    await scene.settle();
    if (scene.workers.isOffered("a")) await scene.play(() => scene.workers.end("a", "badly"));
    expect(await scene.task("a")).toMatchObject(cancelled);
    expect(await scene.state("next")).toBe("assigned");
    await scene.check();
  });
});
