import { describe, expect, test } from "vitest";
import type { WorkerContext } from "../../machines/worker.ts";
import { dispatchMachines } from "../../src/dispatch/index.ts";
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

const open = async (): Promise<Scene> => {
  const workers = new FakeWorkers();
  const dispatch = dispatchMachines({ transports: { command: workers } });
  const bound = { ...dispatch, machines: dispatch.machines.map((entry) => fragile(entry as DurableMachine)) };
  const engine = await testEngine({ machines: [], plugins: [bound] });
  const scene = new Scene(engine, workers, dispatch, { slots: 1, slotsMax: 1 });
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
});
