import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TaskSpec } from "../../src/dispatch/index.ts";
import { dependentsFirst } from "../../src/dispatch/task-order.ts";
import { inScenes, type Scene, spec } from "./scene.ts";

const runAll = async (scene: Scene): Promise<ReadonlyArray<string>> => {
  for (let offer = scene.workers.open[0]; offer !== undefined; offer = scene.workers.open[0]) {
    const { task } = offer;
    await scene.play(
      () => scene.workers.accept(task),
      () => scene.workers.end(task),
    );
  }
  return scene.workers.begun.map((begun) => begun.split("#")[0] as string);
};

describe("dispatch > order", () => {
  inScenes("tasks begin in the order in which they were submitted", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a"), spec("b"), spec("c"));
    await scene.submit(spec("d"), spec("e"));
    expect(await runAll(scene)).toEqual(["a", "b", "c", "d", "e"]);
    await scene.checkOver();
  });

  inScenes("higher priorities go first, also when they come later", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("busy"));
    await scene.submit(spec("low", { priority: -1 }), spec("a"), spec("b"), spec("high", { priority: 5 }));
    await scene.submit(spec("highest", { priority: 9 }));
    expect(await runAll(scene)).toEqual(["busy", "highest", "high", "a", "b", "low"]);
    await scene.checkOver();
  });

  inScenes("priorities and the order are there again after a restart", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("busy"), spec("a"), spec("b"), spec("high", { priority: 5 }));
    await scene.restart();
    expect(await runAll(scene)).toEqual(["high", "busy", "a", "b"]);
    await scene.checkOver();
  });

  inScenes("as many run as there are slots, each worker with one", async (open) => {
    const scene = await open({ slots: 3 });
    await scene.submit(...Array.from({ length: 7 }, (_, index) => spec(`t${index}`)));
    expect(scene.workers.open.map(({ task, worker }) => [task, worker])).toEqual([
      ["t0", "worker/1"],
      ["t1", "worker/2"],
      ["t2", "worker/3"],
    ]);
    await scene.play(
      () => scene.workers.accept("t1"),
      () => scene.workers.end("t1"),
    );
    expect(scene.workers.offerOf("t3").worker).toBe("worker/2");
    await scene.check();
    expect(await runAll(scene)).toHaveLength(7);
    // Nobody was offered to a worker that had no slot for it.
    expect(scene.workers.begun.every((begun) => begun.endsWith("#1"))).toBe(true);
    await scene.checkOver();
  });

  inScenes("submitting the same tasks again changes nothing, also at the same time", async (open) => {
    const scene = await open({ slots: 1 });
    const tasks = [spec("a"), spec("b", { needs: ["a"] })];
    await Promise.all([scene.dispatcher.submit(tasks), scene.dispatcher.submit(tasks)]);
    await scene.submit(...tasks);
    expect(await runAll(scene)).toEqual(["a", "b"]);
    await scene.submit(...tasks);
    expect(await scene.states()).toEqual({ a: "done", b: "done" });
    expect(scene.workers.open).toEqual([]);
    await scene.checkOver();
  });

  inScenes("everybody who waits for tasks hears of their end, and who observes of each change", async (open) => {
    const scene = await open({ slots: 1 });
    const seen: Array<string> = [];
    const stop = scene.dispatcher.observe(({ id, state }) => seen.push(`${id} ${state}`));
    const all = scene.dispatcher.whenEnded(["b", "a"], { mayCome: true });
    const one = scene.dispatcher.whenEnded(["a"], { mayCome: true });
    await scene.submit(spec("a"), spec("b"));
    await scene.play(
      () => scene.workers.accept("a"),
      () => scene.workers.end("a"),
    );
    expect((await one).map(({ state }) => state)).toEqual(["done"]);
    stop();
    await scene.play(
      () => scene.workers.accept("b"),
      () => scene.workers.end("b", "badly"),
    );
    expect((await all).map(({ id, state }) => [id, state])).toEqual([
      ["b", "dead"],
      ["a", "done"],
    ]);
    expect(await scene.dispatcher.whenEnded([])).toEqual([]);
    // What is not there is told at once, all of it: nobody waits for ever for a misspelled id.
    await expect(scene.dispatcher.whenEnded(["a", "bb", "c"])).rejects.toMatchObject({ _tag: "UnknownTask", ids: ["bb", "c"] });
    await expect(scene.dispatcher.whenEnded(["a"], { maycome: true } as never)).rejects.toMatchObject({ _tag: "InvalidOptions", message: expect.stringContaining('did you mean "mayCome"') });
    expect(seen).toEqual(["a queued", "b queued", "a assigned", "a running", "a done", "b assigned"]);
  });

  inScenes("a listener that throws stops nothing", async (open) => {
    const scene = await open({ slots: 1 });
    scene.dispatcher.observe(() => {
      throw new Error("on purpose");
    });
    await scene.submit(spec("a"), spec("b"));
    expect(await runAll(scene)).toEqual(["a", "b"]);
    await scene.checkOver();
  });
});

describe("dispatch > task order", () => {
  const ids = (specs: ReadonlyArray<{ readonly id: string }>) => specs.map(({ id }) => id);
  const ordered = (specs: ReadonlyArray<TaskSpec & { readonly id: string }>) => {
    const order = dependentsFirst(specs.map(({ id, needs = [] }) => ({ id, needs })));
    return "ordered" in order ? ids(order.ordered) : [];
  };

  test("tasks that need nothing stay as they were given", () => {
    expect(ordered(["c", "a", "b"].map((id) => spec(id)))).toEqual(["c", "a", "b"]);
  });
  test("each comes after those that need it, whatever the graph", () => {
    const graph = fc.array(fc.array(fc.nat(30), { maxLength: 4 }), { maxLength: 30 }).chain((needs) => {
      const specs = needs.map((list, index) => spec(`t${index}`, { needs: list.filter((need) => need < index).map((need) => `t${need}`) }));
      return fc.shuffledSubarray(specs, { minLength: specs.length });
    });
    fc.assert(
      fc.property(graph, (specs) => {
        const order = ordered(specs);
        expect([...order].sort()).toEqual(ids(specs).sort());
        for (const { id, needs = [] } of specs) for (const need of needs) expect(order.indexOf(id)).toBeLessThan(order.indexOf(need));
      }),
    );
  });
  test("a circle is told", () => {
    const circle = dependentsFirst(["a", "b", "c", "d"].map((id, index, all) => ({ id, needs: id === "d" ? [] : [all[(index + 1) % 3] as string] })));
    expect("circle" in circle && [...circle.circle]).toEqual(["a", "b", "c", "a"]);
  });
  test("a chain of 100,000 is no problem", () => {
    const chain = Array.from({ length: 100_000 }, (_, index) => spec(`t${index}`, { needs: index === 0 ? [] : [`t${index - 1}`] }));
    const order = ordered(chain);
    expect([order[0], order.at(-1)]).toEqual(["t99999", "t0"]);
  });
});
