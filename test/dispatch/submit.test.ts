import { describe, expect } from "vitest";
import type { Turn } from "../../src/journal/index.ts";
import { inScenes, spec } from "./scene.ts";

describe("dispatch > submit", () => {
  inScenes("the same key is the same work while it is active, and other work afterwards", async (open) => {
    const scene = await open({ slots: 1 });
    const work = { input: { command: { argv: ["true"] }, cwd: "/" }, key: "nightly" };
    const all = await Promise.all([scene.dispatcher.submit(work), scene.dispatcher.submit(work), scene.dispatcher.submit([work, work])]);
    await scene.settle();
    expect(all.flat()).toEqual([{ id: "nightly-1", duplicate: false }, ...Array(3).fill({ id: "nightly-1", duplicate: true })]);
    await scene.restart();
    expect(await scene.dispatcher.submit(work)).toEqual({ id: "nightly-1", duplicate: true });
    await scene.play(() => scene.workers.end("nightly-1"));
    expect(await scene.dispatcher.submit(work)).toEqual({ id: "nightly-2", duplicate: false });
    await scene.settle();
    await scene.play(() => scene.workers.end("nightly-2"));
    await scene.restart();
    // The number is found in the journal.
    expect(await scene.dispatcher.submit(work)).toEqual({ id: "nightly-3", duplicate: false });
  });

  inScenes("where retention removed the first tasks of a key, the same work is other work all the same", async (open) => {
    const scene = await open({ slots: 1 }, { retention: { finishedForMs: 60_000 }, limits: { heartbeatMs: 10_000, keyRetentionMs: 1_000 } });
    const work = { input: { command: { argv: ["true"] }, cwd: "/" }, key: "nightly" };
    const ids: Array<string> = [];
    const run = async () => {
      const { id, duplicate } = await scene.dispatcher.submit(work);
      expect(duplicate).toBe(false);
      ids.push(id);
      await scene.settle();
      await scene.play(() => scene.workers.end(id));
      expect(await scene.state(id)).toBe("done");
    };
    await run();
    await scene.advance(50_000);
    await run();
    await scene.advance(30_000);
    expect(await scene.states()).toEqual({ "nightly-2": "done" });
    await scene.restart();
    // A number that is free again is taken again: nothing of the earlier task is left.
    scene.workers.begun.length = 0;
    await run();
    await run();
    await run();
    expect(new Set(ids.slice(1)).size).toBe(4);
  });

  inScenes("a debounced task waits for the last of a series, at most so long, and takes its input", async (open) => {
    const scene = await open({ slots: 1 });
    const work = (n: number) => ({ input: { command: { argv: [String(n)] }, cwd: "/" }, key: "index", debounce: { ms: 1_000, maxMs: 2_500 } });
    for (let n = 1; n <= 3; n++) {
      expect(await scene.dispatcher.submit(work(n))).toEqual({ id: "index-1", duplicate: n > 1 });
      await scene.settle();
      await scene.advance(900);
    }
    // The third time it is put off to its end, not beyond.
    expect(await scene.task("index-1")).toMatchObject({ state: "assigned", spec: { input: { command: { argv: ["3"] } } } });
  });

  inScenes("many are stored in one call, all of them or, if one is wrong, none", async (open) => {
    const scene = await open({ slots: 1 });
    const many = Array.from({ length: 1_000 }, (_, n) => spec(`t${n}`, { needs: n === 0 ? [] : [`t${n - 1}`] }));
    await expect(scene.dispatcher.submit([...many, spec("bad", { slots: 0 })])).rejects.toMatchObject({ _tag: "InvalidTask", problems: [{ index: 1_000, id: "bad" }] });
    await expect(scene.dispatcher.submit([spec("a", { needs: ["b"] }), spec("b", { needs: ["a"] })])).rejects.toMatchObject({ problems: [{ detail: expect.stringContaining("circle") }] });
    await expect(scene.dispatcher.submit(spec("a", { needs: ["nobody"] }))).rejects.toMatchObject({ problems: [{ detail: expect.stringContaining("nobody") }] });
    expect(await scene.states()).toEqual({});
    const answers = await scene.dispatcher.submit(many);
    expect(answers).toHaveLength(1_000);
    expect(answers.every(({ duplicate }, n) => !duplicate && answers[n]?.id === `t${n}`)).toBe(true);
  });

  inScenes("many are one transaction: a store that fails in the middle of it has none, a crash right behind it leaves all", async (open) => {
    let breaks = false;
    // The last row contradicts the first: what was written before it is taken back.
    const broken = (turn: Turn): Turn => (breaks ? { ...turn, history: [...turn.history, ...turn.history.slice(0, 1)] } : turn);
    const scene = await open({}, { limits: { turnEnvelopesMax: 100 }, wrap: (journal) => ({ ...journal, commit: (turn) => journal.commit(broken(turn)) }) });
    const count = async () => (await scene.engine.taskwright.counts()).reduce((sum, { machine, count: more }) => sum + (machine === "task" ? more : 0), 0);
    const many = Array.from({ length: 400 }, (_, n) => spec(`t${n}`));
    breaks = true;
    await expect(scene.dispatcher.submit(many)).rejects.toMatchObject({ _tag: expect.any(String) });
    breaks = false;
    await scene.advance(60_000);
    expect(await count()).toBe(0);
    // One that the engine would refuse is found before any is stored.
    await expect(scene.dispatcher.submit([...many, spec("large", { attributes: { text: "x".repeat(1_100_000) } })])).rejects.toMatchObject({ _tag: "PayloadTooLarge" });
    await scene.settle();
    expect(await count()).toBe(0);
    const crashed = scene.engine.crashAfterCommits(1);
    void scene.dispatcher.submit(many).catch(() => {});
    await crashed;
    await scene.restart();
    expect(await count()).toBe(400);
  });

  inScenes("a queue that drains refuses, one that is paused keeps; both by an order that stands in its history", async (open) => {
    const scene = await open({ slots: 2 });
    const order = { by: "Ada", why: "a release" };
    await scene.dispatcher.queues.pause("q", order);
    await scene.submit(spec("a", { queue: "q" }), spec("b"));
    expect(await scene.states()).toEqual({ a: "queued", b: "assigned" });
    const drained = scene.dispatcher.queues.drain("q", order);
    await scene.settle();
    expect(await scene.state("a")).toBe("assigned");
    await expect(scene.dispatcher.submit(spec("c", { queue: "q" }))).rejects.toMatchObject({ _tag: "QueueDraining", queue: "q" });
    await scene.play(() => scene.workers.end("a"));
    await drained;
    await scene.dispatcher.queues.resume("q", order);
    await scene.submit(spec("c", { queue: "q" }));
    expect(await scene.state("c")).toBe("assigned");
    expect((await scene.engine.taskwright.history("queue/q")).map(({ event }) => event)).toContainEqual({ type: "DRAIN", ...order });
  });

  inScenes("a filter finds by state, kind, queue, tag and attribute, a page at a time; an order tells all that it finds", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(...Array.from({ length: 7 }, (_, n) => spec(`t${n}`, { tags: n % 2 === 0 ? ["even"] : [], attributes: { tenant: n < 4 ? "a" : "b" } })));
    const ids: Array<string> = [];
    for (let cursor: string | undefined = "0"; cursor !== undefined; ) {
      const page: { readonly tasks: ReadonlyArray<{ readonly id: string }>; readonly cursor: string | undefined } = await scene.dispatcher.list({ tag: "even", cursor, limit: 2 });
      ids.push(...page.tasks.map(({ id }) => id));
      cursor = page.cursor;
    }
    expect(ids).toEqual(["t0", "t2", "t4", "t6"]);
    expect((await scene.dispatcher.list({ state: "queued", attributes: { tenant: "b" } })).tasks.map(({ id }) => id)).toEqual(["t4", "t5", "t6"]);
    expect(await scene.dispatcher.cancel({ state: "queued", tag: "even" }, { by: "Ada", why: "too many" })).toEqual({ done: ["t2", "t4", "t6"], refused: [] });
  });
});
