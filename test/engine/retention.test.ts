import * as Effect from "effect/Effect";
import * as fs from "node:fs";
import { describe, expect, test } from "vitest";
import { assign, setup } from "xstate";
import type { DurableMachine } from "../../src/engine/index.ts";
import type { Journal, Pruning } from "../../src/journal/index.ts";
import { inBothJournals, inThreeModes, sqliteStore, type TestEngine, testEngine } from "../../src/testing/index.ts";
import { Held } from "./held.ts";

const minute = 60_000;
/** Retention looks at each renewal of the lease: here once a minute. */
const limits = { heartbeatMs: minute, keyRetentionMs: minute };

/** Counts, and ends with END. */
const counter = setup({
  types: { context: {} as { count: number; from: number }, input: {} as { from: number } | undefined },
  actions: {
    count: assign({ count: ({ context }) => context.count + 1 }),
    breaking: assign(() => {
      throw new Error("broken");
    }),
    tell: () => {},
  },
}).createMachine({
  id: "counter",
  context: ({ input }) => ({ count: 0, from: input?.from ?? 0 }),
  initial: "on",
  states: { on: { on: { ADD: { actions: "count" }, ACT: { actions: "tell" }, BREAK: { actions: "breaking" }, END: "off" } }, off: { type: "final" } },
});

/** A parent with a child machine and an activity. */
const family = (held: Held): DurableMachine => ({
  // In the third mode each look of retention comes with a restart.
  activities: { work: { interruptionsMax: 1_000 } },
  machine: setup({ actors: { counter: counter as never, work: held.logic } }).createMachine({
    id: "family",
    initial: "on",
    states: {
      on: {
        invoke: [
          { src: "counter", id: "kid" },
          { src: "work", id: "work" },
        ],
        on: { AGAIN: { target: "on", reenter: true }, END: "off" },
      },
      off: { type: "final" },
    },
  } as never) as never,
});

const addresses = async (engine: TestEngine) => (await engine.taskwright.list({ limit: 1_000 })).map(({ address }) => address);
const seqs = async (engine: TestEngine, address: string) => (await engine.taskwright.history(address)).map(({ seq }) => seq);

/** Records what retention does with a journal. */
const recording =
  (prunings: Array<Pruning>, looks: { count: number } = { count: 0 }, pruned: (times: number) => void = () => {}) =>
  (journal: Journal): Journal => ({
    ...journal,
    ages: (after, limit) =>
      Effect.zipRight(
        Effect.sync(() => looks.count++),
        journal.ages(after, limit),
      ),
    prune: (pruning) => Effect.tap(journal.prune(pruning), () => Effect.sync(() => pruned(prunings.push(pruning)))),
  });

describe("engine > retention > ended actors", () => {
  inThreeModes("go after their time with everything below them, and can be started anew", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [family(held), counter], limits, retention: { finishedForMs: 10 * minute } });
    await engine.start("family", "1");
    await engine.start("family", "alive");
    await engine.send("family/1/kid", { type: "ADD" });
    await engine.send("family/1", { type: "AGAIN" });
    await engine.send("family/1", { type: "END" });
    await engine.advance("9 minutes");
    const all = await addresses(engine);
    expect(all.filter((address) => address.startsWith("family/1"))).toHaveLength(5);
    await engine.advance("3 minutes");
    expect(await addresses(engine)).toEqual(["family/alive", "family/alive/kid", "family/alive/work"]);
    await expect(engine.taskwright.history("family/1")).rejects.toMatchObject({ _tag: "UnknownActor" });
    await expect(engine.send("family/1", { type: "END" })).rejects.toMatchObject({ _tag: "UnknownActor" });
    expect(await engine.start("family", "1")).toMatchObject({ seq: 1, duplicate: false });
    expect(await engine.taskwright.deadLetters()).toEqual([]);
    if (bench.mode === "normal") expect(engine.taskwright.status().pruned).toEqual({ actors: 5, entries: 12 });
  });

  inThreeModes("below a living parent go too, and earlier incarnations of its children", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [family(held), counter], limits, retention: { finishedForMs: 10 * minute } });
    await engine.start("family", "1");
    await engine.send("family/1", { type: "AGAIN" });
    await engine.send("family/1/kid", { type: "END" });
    expect(await addresses(engine)).toHaveLength(5);
    await engine.advance("12 minutes");
    expect(await addresses(engine)).toEqual(["family/1", "family/1/work"]);
    // Its parent can begin it again.
    await engine.send("family/1", { type: "AGAIN" });
    expect(await engine.snapshot("family/1/kid")).toMatchObject({ status: "active", seq: 1 });
  });

  inBothJournals("that their parent still takes for living stay", async (bench) => {
    const kid: DurableMachine = { machine: counter, supervision: { strategy: "stop" } };
    const engine = await bench.engine({ machines: [family(new Held()), kid], limits, retention: { finishedForMs: minute } });
    await engine.start("family", "1");
    await expect(engine.send("family/1/kid", { type: "BREAK" })).rejects.toMatchObject({ _tag: "ActorFailed" });
    await engine.settled();
    expect(await engine.snapshot("family/1/kid")).toMatchObject({ status: "stopped" });
    await engine.advance("1 hour");
    expect(await addresses(engine)).toContain("family/1/kid");
  });

  inBothJournals("stay while an action is owed, and go when it is done", async (bench) => {
    let end = () => {};
    const actions = { tell: () => new Promise<void>((resolve) => (end = resolve)) };
    const engine = await bench.engine({ machines: [{ machine: counter, actions }], limits, retention: { finishedForMs: minute } });
    await engine.start("counter", "1");
    await engine.send("counter/1", { type: "ACT" });
    await engine.send("counter/1", { type: "END" });
    await engine.advance("10 minutes");
    expect(await addresses(engine)).toEqual(["counter/1"]);
    end();
    await engine.advance("2 minutes");
    expect(await addresses(engine)).toEqual([]);
  });

  inBothJournals("stay while there is a dead letter for them", async (bench) => {
    const engine = await bench.engine({ machines: [counter], limits, retention: { finishedForMs: minute } });
    for (const id of ["1", "2"]) await engine.start("counter", id);
    await expect(engine.send("counter/1", { type: "BREAK" })).rejects.toMatchObject({ _tag: "ActorFailed" });
    for (const id of ["1", "2"]) await engine.send(`counter/${id}`, { type: "END" });
    await engine.advance("10 minutes");
    expect(await addresses(engine)).toEqual(["counter/1"]);
  });

  inThreeModes("stay while an idempotency key of theirs is recognised", async (bench) => {
    const engine = await bench.engine({ machines: [counter], limits: { ...limits, keyRetentionMs: 30 * minute }, retention: { finishedForMs: minute } });
    for (const id of ["1", "2"]) await engine.start("counter", id);
    await engine.send("counter/1", { type: "END" }, { key: "k" });
    await engine.send("counter/2", { type: "END" });
    await engine.advance("10 minutes");
    expect(await addresses(engine)).toEqual(["counter/1"]);
    expect(await engine.send("counter/1", { type: "END" }, { key: "k" })).toMatchObject({ duplicate: true });
    await engine.advance("25 minutes");
    expect(await addresses(engine)).toEqual([]);
  });

  inBothJournals("stay while an actor lives because of which they are needed", async (bench) => {
    const needed: DurableMachine = {
      machine: counter,
      keptBy: ({ address }) => {
        if (address === "counter/puzzle") throw new Error("no idea");
        return address === "counter/1" ? ["counter/2"] : [];
      },
    };
    const engine = await bench.engine({ machines: [needed], limits, retention: { finishedForMs: minute } });
    for (const id of ["1", "2", "3", "puzzle"]) await engine.start("counter", id);
    for (const id of ["1", "3", "puzzle"]) await engine.send(`counter/${id}`, { type: "END" });
    await engine.advance("10 minutes");
    expect(await addresses(engine)).toEqual(["counter/1", "counter/2", "counter/puzzle"]);
    await engine.send("counter/2", { type: "END" });
    await engine.advance("3 minutes");
    expect(await addresses(engine)).toEqual(["counter/puzzle"]);
  });

  inBothJournals("stay while a message waits for them, or for somebody below them", async (bench) => {
    // As if it were left over by a turn that took as many as it may.
    let to: string | undefined;
    const left = () => (to === undefined ? [] : [{ id: 1_000_000, envelope: JSON.stringify({ to, event: { type: "ADD" }, from: "" }) }]);
    const wrap = (journal: Journal): Journal => ({ ...journal, mail: (after, count) => Effect.map(journal.mail(after, count), (rows) => [...rows, ...left()]) });
    const engine = await bench.engine({ machines: [counter], limits, retention: { finishedForMs: minute }, wrap });
    for (const id of ["1", "2", "3"]) {
      await engine.start("counter", id);
      await engine.send(`counter/${id}`, { type: "END" });
    }
    to = "counter/1";
    await engine.advance("5 minutes");
    expect(await addresses(engine)).toEqual(["counter/1"]);
    to = "counter/1/kid";
    await engine.advance("5 minutes");
    expect(await addresses(engine)).toEqual(["counter/1"]);
    to = undefined;
    await engine.advance("2 minutes");
    expect(await addresses(engine)).toEqual([]);
  });

  inBothJournals("stay while somebody below them has not ended", async (bench) => {
    // As if it were parked when its parent ended.
    let lives = true;
    const wrap = (journal: Journal): Journal => ({
      ...journal,
      descendants: (ids, count) => Effect.map(journal.descendants(ids, count), (rows) => rows.map((row) => (lives && row.address.endsWith("/kid") ? { ...row, status: "active" } : row))),
      ages: (after, count) => Effect.map(journal.ages(after, count), (rows) => rows.map((row) => (lives && row.address.endsWith("/kid") ? { ...row, status: "active" } : row))),
    });
    const engine = await bench.engine({ machines: [family(new Held()), counter], limits, retention: { finishedForMs: minute }, wrap });
    await engine.start("family", "1");
    await engine.send("family/1", { type: "END" });
    await engine.advance("5 minutes");
    expect(await addresses(engine)).toEqual(["family/1", "family/1/kid"]);
    lives = false;
    await engine.advance("2 minutes");
    expect(await addresses(engine)).toEqual([]);
  });

  inBothJournals("beyond a number go, those first that were started first; each machine has its own policy", async (bench) => {
    const other = setup({}).createMachine({ id: "other", initial: "off", states: { off: { type: "final" } } });
    const engine = await bench.engine({ machines: [{ machine: counter, retention: { finishedMax: 3 } }, other], limits });
    for (let i = 0; i < 10; i++) await engine.start("counter", String(i));
    for (let i = 9; i >= 0; i--) if (i !== 4) await engine.send(`counter/${i}`, { type: "END" });
    for (let i = 0; i < 5; i++) await engine.start(other, String(i));
    await engine.advance("5 minutes");
    expect(await addresses(engine)).toEqual(["counter/4", "counter/7", "counter/8", "counter/9", ...["0", "1", "2", "3", "4"].map((id) => `other/${id}`)]);
    await engine.send("counter/4", { type: "END" });
    await engine.advance("5 minutes");
    expect((await addresses(engine)).slice(0, 3)).toEqual(["counter/7", "counter/8", "counter/9"]);
  });

  inBothJournals("are counted once, however many looks it takes", async (bench) => {
    const engine = await bench.engine({ machines: [counter], limits, retention: { finishedMax: 40 } });
    await engine.taskwright.startAll(Array.from({ length: 130 }, (_, i) => ({ machine: "counter", id: String(i) })));
    for (let i = 0; i < 130; i++) await engine.send(`counter/${i}`, { type: "END" });
    await engine.advance("10 minutes");
    expect(await addresses(engine)).toEqual(Array.from({ length: 40 }, (_, i) => `counter/${90 + i}`));
  });

  inBothJournals("take along whoever decided on their failures", async (bench) => {
    // As if an operator had seen to the dead letters.
    const wrap = (journal: Journal): Journal => ({ ...journal, held: () => Effect.succeed([]) });
    const engine = await bench.engine({ machines: [{ machine: counter, supervision: { strategy: "restart" } }], limits, retention: { finishedForMs: minute }, wrap });
    for (const id of ["1", "alive"]) {
      await engine.start("counter", id);
      await expect(engine.send(`counter/${id}`, { type: "BREAK" })).rejects.toBeDefined();
    }
    await engine.send("counter/1", { type: "END" });
    expect(await addresses(engine)).toContain("supervisor/counter:1");
    await engine.advance("3 minutes");
    expect(await addresses(engine)).toEqual(["counter/alive", "supervisor/counter:alive"]);
  });

  inBothJournals("with a long history go in many small transactions, and a crash between them leaves nothing by half", async (bench) => {
    const prunings: Array<Pruning> = [];
    let crash = () => {};
    const crashed = new Promise<void>((resolve) => (crash = resolve));
    const wrap = recording(prunings, { count: 0 }, (times) => {
      if (times > 1) return;
      engine.crash();
      crash();
    });
    const engine = await bench.engine({ machines: [counter], limits, retention: { finishedForMs: 10 * minute }, wrap });
    await engine.start("counter", "1");
    await Promise.all(Array.from({ length: 12_000 }, () => engine.taskwright.send("counter/1", { type: "ADD" })));
    await engine.send("counter/1", { type: "END" });
    const reader = await engine.reader();
    const rows = async () => Effect.runPromise(reader.ages(0, 10));
    engine.time.advance(10 * minute);
    await crashed;
    await engine.restart();
    expect((await rows())[0]).toMatchObject({ seq: 12_002, cut: 12_002, first: 5_001 });
    // What is left of it is not shown any more; the state is.
    expect(await engine.taskwright.history("counter/1")).toEqual([]);
    expect(await engine.taskwright.historyStart("counter/1")).toMatchObject({ seq: 12_002, state: { status: "done", context: { count: 12_000 } } });
    expect(await engine.snapshot("counter/1")).toMatchObject({ status: "done" });
    await engine.advance("5 minutes");
    expect(await addresses(engine)).toEqual([]);
    expect(prunings.length).toBeGreaterThan(2);
    expect(await rows()).toEqual([]);
  });

  inBothJournals("leave their ids to nobody, though the engine is opened again", async (bench) => {
    const engine = await bench.engine({ machines: [counter], limits, retention: { finishedForMs: minute } });
    for (const id of ["1", "2"]) {
      await engine.start("counter", id);
      await engine.send(`counter/${id}`, { type: "END" });
    }
    await engine.advance("3 minutes");
    expect(await addresses(engine)).toEqual([]);
    await engine.restart();
    await engine.start("counter", "3");
    const reader = await engine.reader();
    expect(await Effect.runPromise(reader.actors(["counter/3"]))).toMatchObject([{ id: 3 }]);
    expect(await Effect.runPromise(reader.history("counter/3", 0, 1))).toMatchObject([{ id: 5 }]);
  });

  inBothJournals("are never looked for without a policy", async (bench) => {
    const looks = { count: 0 };
    const engine = await bench.engine({ machines: [counter], limits, wrap: recording([], looks) });
    await engine.start("counter", "1");
    await engine.send("counter/1", { type: "END" });
    await engine.advance("1 hour");
    expect(looks.count).toBe(0);
    expect(await addresses(engine)).toEqual(["counter/1"]);
  });

  for (const retention of [{ finishedForMs: -1 }, { finishedMax: 1.5 }, { historyForMs: Number.NaN }, { historyLimit: 3 }]) {
    inBothJournals(`${JSON.stringify(retention)} is refused, of the engine and of a machine`, async (bench) => {
      const refused = { _tag: "InvalidOptions", message: expect.stringContaining(Object.keys(retention)[0] ?? "") };
      await expect(bench.engine({ machines: [counter], retention: retention as never })).rejects.toMatchObject(refused);
      await expect(bench.engine({ machines: [{ machine: counter, retention: retention as never }] })).rejects.toMatchObject(refused);
    });
  }
});

describe("engine > retention > history", () => {
  const add = async (engine: TestEngine, address: string, times: number) => {
    for (let i = 0; i < times; i++) await engine.send(address, { type: "ADD" });
  };

  inThreeModes("is cut behind a stored state when enough has followed; the actor goes on as if nothing was", async (bench) => {
    const engine = await bench.engine({ machines: [{ machine: counter, supervision: { strategy: "restart" } }], limits, retention: { historyMax: 5 } });
    await engine.start("counter", "1", { from: 7 });
    await add(engine, "counter/1", 5);
    await engine.advance("1 minute");
    expect(await seqs(engine, "counter/1")).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await engine.taskwright.historyStart("counter/1")).toBeUndefined();
    await add(engine, "counter/1", 4);
    await engine.advance("1 minute");
    expect(await seqs(engine, "counter/1")).toHaveLength(10);
    await add(engine, "counter/1", 1);
    await engine.advance("1 minute");
    expect(await seqs(engine, "counter/1")).toEqual([7, 8, 9, 10, 11]);
    expect(await engine.taskwright.historyStart("counter/1")).toMatchObject({ seq: 6, state: { value: "on", context: { count: 5 } }, input: { from: 7 }, version: "1" });
    await engine.advance("1 minute");
    expect(await seqs(engine, "counter/1")).toEqual([7, 8, 9, 10, 11]);
    const reader = await engine.reader();
    expect(await Effect.runPromise(reader.ages(0, 1))).toMatchObject([{ first: 7, cut: 6 }]);
    // An actor that begins again needs the input with which it was started.
    await expect(engine.send("counter/1", { type: "BREAK" })).rejects.toMatchObject({ _tag: "ActorFailed" });
    await engine.settled();
    expect(await engine.snapshot("counter/1")).toMatchObject({ context: { count: 0, from: 7 } });
    await add(engine, "counter/1", 20);
    await engine.advance("3 minutes");
    await add(engine, "counter/1", 20);
    await engine.advance("3 minutes");
    expect((await seqs(engine, "counter/1")).length).toBeLessThan(30);
    expect(await engine.taskwright.historyStart("counter/1")).toMatchObject({ input: { from: 7 } });
  });

  inThreeModes("is cut when it is old enough, also where nothing has followed", async (bench) => {
    const engine = await bench.engine({ machines: [counter], limits, retention: { historyForMs: 10 * minute } });
    await engine.start("counter", "1");
    await add(engine, "counter/1", 3);
    await engine.advance("9 minutes");
    expect(await seqs(engine, "counter/1")).toHaveLength(4);
    await engine.advance("15 minutes");
    expect(await seqs(engine, "counter/1")).toEqual([]);
    expect(await engine.taskwright.historyStart("counter/1")).toMatchObject({ seq: 4 });
    expect(await engine.taskwright.buildOf("counter/1")).toMatchObject({ build: "" });
    expect(await engine.send("counter/1", { type: "ADD" })).toMatchObject({ seq: 5 });
    expect(await seqs(engine, "counter/1")).toEqual([5]);
    expect(await engine.snapshot("counter/1")).toMatchObject({ context: { count: 4 } });
  });

  inBothJournals("keeps the entry that an owed action needs", async (bench) => {
    let end = () => {};
    const seen: Array<unknown> = [];
    const actions = {
      tell: ({ event }: { event: unknown }) => {
        seen.push(event);
        return new Promise<void>((resolve) => (end = resolve));
      },
    };
    const engine = await bench.engine({ machines: [{ machine: counter, actions: actions as never }], limits, retention: { historyMax: 2 } });
    await engine.start("counter", "1");
    await engine.send("counter/1", { type: "ACT", word: "here" });
    for (let i = 0; i < 5; i++) {
      await add(engine, "counter/1", 3);
      await engine.advance("1 minute");
    }
    await engine.restart();
    expect(seen.at(-1)).toEqual({ type: "ACT", word: "here" });
    end();
    await engine.advance("2 minutes");
    expect((await seqs(engine, "counter/1"))[0]).toBeGreaterThan(2);
  });

  inBothJournals("that goes over a move to another version can be cut before and after it", async (bench) => {
    const next = setup({}).createMachine({
      id: "counter",
      version: "2",
      context: { n: 0 },
      initial: "on",
      states: { on: { on: { ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) } } } },
    });
    const engine = await bench.engine({ machines: [counter], limits, retention: { historyMax: 4 } });
    await engine.start("counter", "1");
    await add(engine, "counter/1", 4);
    await engine.advance("1 minute");
    await engine.redeploy({ machines: [counter, { machine: next, migrate: () => ({ context: { n: 0 } }) }] });
    await engine.taskwright.migrate("counter");
    await add(engine, "counter/1", 4);
    await engine.advance("1 minute");
    expect(await engine.taskwright.historyStart("counter/1")).toMatchObject({ seq: 5, version: "1" });
    await add(engine, "counter/1", 8);
    await engine.advance("2 minutes");
    await add(engine, "counter/1", 8);
    await engine.advance("2 minutes");
    expect(await engine.taskwright.historyStart("counter/1")).toMatchObject({ version: "2" });
  });
});

describe("engine > retention > space", () => {
  test("a file under a steady load stops growing: pages are used again", async () => {
    const store = sqliteStore();
    const engine = await testEngine({ machines: [counter], journal: store, limits: { ...limits, heartbeatMs: 1_000, keyRetentionMs: 1_000 }, retention: { finishedForMs: 1_000 } });
    const sizes: Array<number> = [];
    const rounds = 20;
    for (let round = 0; round < rounds; round++) {
      const ids = Array.from({ length: 1_000 }, (_, i) => `${round}.${i}`);
      await engine.taskwright.startAll(ids.map((id) => ({ machine: "counter", id })));
      await Promise.all(ids.map((id) => engine.taskwright.send(`counter/${id}`, { type: "END" })));
      await engine.advance("3 seconds");
      sizes.push(fs.statSync(store.file as string).size);
    }
    expect(engine.taskwright.status().pruned.actors).toBeGreaterThan(18_000);
    expect((sizes.at(-1) ?? 0) / (sizes[4] ?? 1)).toBeLessThan(1.2);
    await engine.end();
    await store.dispose();
  });
});
