import { describe, expect } from "vitest";
import type { WorkerContext } from "../../machines/worker.ts";
import { inMemory } from "../../src/testing/index.ts";
import { dispatchMachines, type WorkerTransport } from "../../src/dispatch/index.ts";
import { FakeWorkers } from "./fake-workers.ts";
import { Scene, spec } from "./scene.ts";

const card = { id: "remote", owner: "host", transport: "remote", kinds: ["command"], slots: 1 };

/** A dispatcher without workers of its own, but for those that are asked for. */
const inScene = (title: string, scenario: (scene: Scene) => Promise<void>, slots = 0): void =>
  inMemory(title, async (bench) => {
    const workers = new FakeWorkers();
    const dispatch = dispatchMachines({ transports: { command: workers, remote: { ...workers, start: undefined } as unknown as WorkerTransport } });
    const scene = new Scene(await bench.engine({ machines: [], plugins: [dispatch] }), workers, dispatch, { slots });
    await scene.dispatch();
    await scenario(scene);
  });
const takenBy = async (scene: Scene, address: string) => Object.keys(((await scene.engine.snapshot(address)).context as WorkerContext).taken);

describe("dispatch > reconnections", () => {
  inScene("an earlier attempt that a worker still works on is not taken for the one that it never heard of", async (scene) => {
    const { address, incarnation } = await scene.dispatcher.workers.connect(card);
    const timed = { executionTimeoutMs: 1_000, retry: { attemptsMax: 3, backoff: { kind: "fixed", baseMs: 1 } } } as const;
    await scene.submit(spec("a", timed));
    const assignment = "task/a/assignment";
    await scene.play(() => scene.engine.taskwright.report(assignment, { type: "ACCEPTED", attempt: 1, incarnation }));
    // Its cable is cut, and nobody has noticed: it hears neither of the end of its time nor of the next attempt.
    await scene.advance(6_000);
    expect(await scene.task("a")).toMatchObject({ state: "assigned", attempts: 2 });
    expect(await takenBy(scene, address)).toEqual([assignment]);
    const again = await scene.dispatcher.workers.connect({ ...card, incarnation, running: [`${assignment}#1`] });
    expect(again).toEqual({ address, incarnation, dropped: [`${assignment}#1`] });
    await scene.settle();
    expect(await scene.task("a")).toMatchObject({ state: "assigned", attempts: 3, failure: { code: "worker_lost" } });
    // The present one is its own, and goes on.
    expect(await scene.dispatcher.workers.connect({ ...card, incarnation, running: [`${assignment}#3`, "no address", "task/other/assignment#1"] })).toMatchObject({
      dropped: ["no address", "task/other/assignment#1"],
    });
    expect(await scene.task("a")).toMatchObject({ state: "assigned", attempts: 3 });
  });

  inScene(
    "a remote worker may have the number of one of our own as its name",
    async (scene) => {
      const { address } = await scene.dispatcher.workers.connect({ ...card, id: "1" });
      expect(address).toBe("worker/1.2");
      expect((await scene.dispatcher.workers.list()).map(({ id, address, owner }) => [id, address, owner])).toEqual([
        ["1", "worker/1", ""],
        ["1", "worker/1.2", "host"],
      ]);
      expect(await scene.dispatcher.workers.connect({ ...card, id: "1" })).toMatchObject({ address });
      await scene.dispatcher.workers.retire("1");
      expect((await scene.dispatcher.workers.list()).map((worker) => worker.address)).toEqual(["worker/1"]);
    },
    1,
  );

  inScene("a name that was retired does not get the worker whose name is its further number", async (scene) => {
    const other = await scene.dispatcher.workers.connect({ ...card, id: "a.2", owner: "other" });
    await scene.dispatcher.workers.connect({ ...card, id: "a" });
    await scene.dispatcher.workers.retire("a");
    expect(await scene.dispatcher.workers.connect({ ...card, id: "a" })).toMatchObject({ address: "worker/a.3" });
    expect(await scene.dispatcher.workers.connect({ ...card, id: "a.2", owner: "other" })).toMatchObject({ address: other.address });
  });
});
