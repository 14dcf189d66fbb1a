import { describe, expect, test } from "vitest";
import type { WorkerContext } from "../../machines/worker.ts";
import { type DispatchOptions, dispatchMachines, type WorkerTransport } from "../../src/dispatch/index.ts";
import type { DurableMachine } from "../../src/engine/index.ts";
import { testEngine } from "../../src/testing/index.ts";
import { FakeWorkers } from "./fake-workers.ts";
import { Scene, spec } from "./scene.ts";

const order = { by: "tester", why: "on purpose" };
/** A task whose machine throws when it is paused, and which its supervisor gives up then. */
const fragile = (entry: DurableMachine): DurableMachine => {
  if (entry.machine.id !== "task") return entry;
  const breaks = () => {
    throw new Error("broken on purpose");
  };
  return { ...entry, machine: entry.machine.provide({ guards: { mayPause: breaks } } as never), supervision: { strategy: "escalate" } };
};

/** As many slots on a worker that connects by itself. */
const card = { id: "remote", owner: "host", transport: "remote", kinds: ["command"], slots: 1 };

const open = async (options: DispatchOptions = { slots: 1, slotsMax: 1 }): Promise<Scene> => {
  const workers = new FakeWorkers();
  const dispatch = dispatchMachines({ transports: { command: workers, remote: { ...workers, start: undefined } as unknown as WorkerTransport } });
  const bound = { ...dispatch, machines: dispatch.machines.map((entry) => fragile(entry as DurableMachine)) };
  const engine = await testEngine({ machines: [], plugins: [bound] });
  const scene = new Scene(engine, workers, dispatch, options);
  await scene.dispatch();
  return scene;
};

describe("dispatch > given up", () => {
  test("a task that its supervisor gives up is dead, its work is ended by force, and its slot goes to the next", async () => {
    const scene = await open();
    try {
      await scene.submit(spec("a"), spec("b"));
      await scene.play(() => scene.workers.accept("a"));
      const ended = scene.dispatcher.whenEnded(["a"]);
      const { revoked } = { ...scene.workers.offerOf("a") };
      const offer = scene.workers.offerOf("a");
      await scene.dispatcher.pause("a", order).catch(() => {});
      await scene.settle();
      expect([revoked, offer.revoked]).toEqual(["no", "byForce"]);
      expect(await ended).toMatchObject([{ id: "a", state: "dead" }]);
      expect(scene.workers.isOffered("b")).toBe(true);
      const { taken } = (await scene.worker(1)) as WorkerContext;
      expect(Object.keys(taken)).toEqual(["task/b/assignment"]);
      await scene.play(() => scene.workers.end("b"));
      expect(await scene.state("b")).toBe("done");
      expect(((await scene.worker(1)) as WorkerContext).taken).toEqual({});
      expect((await scene.dispatcher.list({ state: "dead" })).tasks.map(({ id }) => id)).toEqual(["a"]);
    } finally {
      await scene.engine.dispose();
    }
  });

  test("what broke it is shown, and those that need it hear of it at once", async () => {
    const scene = await open();
    try {
      await scene.submit(spec("a"), spec("needs", { needs: ["a"] }), spec("careless", { needs: ["a"], whenNeedFails: "ignore" }));
      const seen: Array<unknown> = [];
      scene.dispatcher.observe(({ id, failure }) => void (id === "a" && seen.push(failure?.message)));
      await scene.dispatcher.pause("a", order).catch(() => {});
      await scene.settle();
      const failure = { message: expect.stringContaining("guard 'mayPause'") };
      expect(seen.at(-1)).toMatch(/guard 'mayPause'/);
      expect(await scene.task("a")).toMatchObject({ state: "dead", failure, artifact: { state: "dead", failure } });
      expect(await scene.task("needs")).toMatchObject({ state: "cancelled", failure: { code: "need_failed" } });
      expect(await scene.state("careless")).toBe("assigned");
    } finally {
      await scene.engine.dispose();
    }
  });

  test("a crash right behind it leaves nobody untold and no slot taken, also of a worker that is away", async () => {
    const scene = await open({});
    try {
      const { address } = await scene.dispatcher.workers.connect(card);
      await scene.submit(spec("a"), spec("needs", { needs: ["a"] }));
      const takenOf = async () => Object.keys(((await scene.engine.snapshot(address)).context as WorkerContext).taken);
      expect(await takenOf()).toEqual(["task/a/assignment"]);
      const crashed = scene.engine.crashAfterCommits(1);
      void scene.dispatcher.pause("a", order).catch(() => {});
      await crashed;
      await scene.engine.restart();
      // It is as it was stored: given up, and not told of.
      expect((await scene.engine.snapshot("task/a")).status).toBe("error");
      expect(await takenOf()).toEqual(["task/a/assignment"]);
      expect((await scene.engine.snapshot("task/needs")).value).toEqual({ waiting: "forNeeds" });
      await scene.dispatch();
      expect(await takenOf()).toEqual([]);
      expect(await scene.state("needs")).toBe("cancelled");
    } finally {
      await scene.engine.dispose();
    }
  });
});
