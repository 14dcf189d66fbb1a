import { describe, expect, test } from "vitest";
import { assign, setup } from "xstate";
import { sqliteStore, type TestEngine, type TestEngineOptions, testEngine } from "../../src/testing/index.ts";
import { openDatabase } from "../crash/check/database.ts";
import { counter } from "./machines.ts";

/** Runs a scenario in which a program of somebody else changes the database between two engines. */
const damaged = async (
  options: TestEngineOptions,
  before: (engine: TestEngine) => Promise<unknown>,
  statements: ReadonlyArray<string>,
  after: (engine: TestEngine) => Promise<unknown>,
): Promise<void> => {
  const store = sqliteStore();
  const engine = await testEngine({ ...options, journal: store });
  try {
    await before(engine);
    engine.crash();
    const database = openDatabase(store.file as string);
    for (const statement of statements) expect(database.all(`${statement} RETURNING 1`), statement).not.toHaveLength(0);
    database.close();
    await engine.restart();
    await after(engine);
    expect(engine.taskwright.status().state).toBe("running");
  } finally {
    await engine.dispose();
    await store.dispose();
  }
};
const two = async (engine: TestEngine) => {
  for (const id of ["bad", "good"]) await engine.start("counter", id);
  await engine.send("counter/bad", { type: "ADD" });
};
const errorsOf = ({ logged }: TestEngine) => logged.filter(({ level }) => level === "error").map(({ message }) => message);
const bad = "(SELECT id FROM actors WHERE address LIKE '%/bad')";

describe("engine > damage", () => {
  test("a row that its history is beyond is parked when it is to move; who is in the same turn does not notice", () =>
    damaged({ machines: [counter] }, two, [`UPDATE states SET seq = 1 WHERE actor = ${bad}`], async (engine) => {
      const sent = await Promise.allSettled(["good", "bad", "good", "bad"].map((id) => engine.taskwright.send(`counter/${id}`, { type: "ADD" })));
      expect(sent.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "rejected"]);
      expect(sent[1]).toMatchObject({ reason: { _tag: "ActorParked", address: "counter/bad", detail: expect.stringContaining("history") } });
      expect((await engine.snapshot("counter/good")).context).toMatchObject({ count: 2 });
      expect(errorsOf(engine)).toEqual([]);
      expect(await engine.taskwright.history("counter/bad")).toHaveLength(2);
    }));

  test("a stored message that can't be read is left as it is and told; the others are delivered", () =>
    damaged(
      { machines: [counter] },
      two,
      [
        `INSERT INTO mail VALUES (901, '{"to":"counter/good","ev')`,
        `INSERT INTO mail VALUES (902, '{"to":7,"event":{"type":"ADD"}}')`,
        `INSERT INTO mail VALUES (903, '{"to":"counter/good","from":"","event":{"type":"ADD"}}')`,
      ],
      async (engine) => {
        expect((await engine.snapshot("counter/good")).context).toMatchObject({ count: 1 });
        expect(errorsOf(engine)).toEqual([expect.stringContaining("message 901"), expect.stringContaining("message 902")]);
        const database = openDatabase(engine.store.file as string);
        expect(database.all("SELECT id FROM mail")).toEqual([{ id: 901 }, { id: 902 }]);
        database.close();
      },
    ));

  test("an action is owed also where the event that asked for it can't be read any more", async () => {
    const ran: Array<string> = [];
    const acting = setup({ actions: { act: ({ event }) => void ran.push(event.type) } }).createMachine({ id: "acting", on: { GO: { actions: "act" } } });
    await damaged(
      { machines: [acting] },
      async (engine) => {
        await engine.start("acting", "bad");
        const crashed = engine.crashAfterCommits(1);
        void engine.taskwright.send("acting/bad", { type: "GO" });
        await crashed;
      },
      [`UPDATE history SET event = '{"type":"G' WHERE actor = ${bad} AND seq = 2`],
      async () => expect(ran).toEqual(["taskwright.unknown"]),
    );
  });

  test("an actor whose start can't be read is not begun again; the order to do so is among the dead letters", async () => {
    const clumsy = setup({
      guards: {
        falls: () => {
          throw new Error("it fell");
        },
      },
    }).createMachine({ id: "clumsy", on: { FALL: { guard: "falls" }, WALK: {} } });
    await damaged(
      { machines: [{ machine: clumsy, supervision: { strategy: "restart" } }, counter] },
      async (engine) => {
        await engine.start("clumsy", "bad");
        await engine.start("counter", "good");
      },
      [`UPDATE history SET event = '{"type":"taskwright.st' WHERE actor = ${bad} AND seq = 1`],
      async (engine) => {
        await expect(engine.send("clumsy/bad", { type: "FALL" })).rejects.toMatchObject({ _tag: "ActorFailed" });
        await engine.settled();
        expect(await engine.taskwright.deadLetters()).toMatchObject([{ event: { type: "FALL" } }, { address: "clumsy/bad", event: { type: "taskwright.restart" }, error: { code: "actor_parked" } }]);
        expect(await engine.send("clumsy/bad", { type: "WALK" })).toMatchObject({ seq: 3 });
        expect(await engine.send("counter/good", { type: "ADD" })).toMatchObject({ outcome: "handled" });
        expect(errorsOf(engine)).toEqual([]);
      },
    );
  });

  test("a wake that is no moment is set anew when its actor next moves, and hides no other", async () => {
    const timed = setup({}).createMachine({ id: "timed", initial: "waiting", on: { HELLO: {} }, states: { waiting: { after: { 1000: "late" } }, late: {} } });
    for (const wake of ["'soon'", "X'00'", "-7", "1e300"]) {
      await damaged(
        { machines: [timed] },
        async (engine) => {
          for (const id of ["bad", "good"]) await engine.start("timed", id);
        },
        [`UPDATE wakes SET due = ${wake} WHERE actor = ${bad}`],
        async (engine) => {
          await engine.send("timed/bad", { type: "HELLO" });
          await engine.advance("1 second");
          for (const id of ["bad", "good"]) expect(await engine.snapshot(`timed/${id}`), wake).toMatchObject({ value: "late" });
          expect(engine.taskwright.status().turns, wake).toBeLessThan(10);
        },
      );
    }
  });

  test("a deadline that can neither be handled nor taken away, because the limits were lowered, does not turn round and round", async () => {
    const big = setup({ types: { context: {} as { words: string; late: boolean } } }).createMachine({
      id: "big",
      context: { words: "x".repeat(5_000), late: false },
      initial: "waiting",
      on: { SHRINK: { actions: assign({ words: "" }) } },
      states: { waiting: { after: { 1000: "late" } }, late: {} },
    });
    const store = sqliteStore();
    const first = await testEngine({ machines: [big], journal: store });
    await first.start("big", "1");
    await first.end();
    const second = await testEngine({ machines: [big], journal: store, time: first.time, limits: { stateBytesMax: 2_000, payloadBytesMax: 1_000 } });
    await second.advance("2 hours");
    expect(second.taskwright.status()).toMatchObject({ state: "running" });
    expect(second.taskwright.status().turns).toBeLessThan(20);
    expect(await second.snapshot("big/1")).toMatchObject({ value: "waiting" });
    expect((await second.taskwright.deadLetters()).map(({ event }) => event.type).slice(0, 2)).toEqual(["taskwright.timer", "taskwright.hold"]);
    // As soon as the state fits, the deadline is kept.
    await second.send("big/1", { type: "SHRINK" });
    await second.advance("1 hour");
    expect(await second.snapshot("big/1")).toMatchObject({ value: "late" });
    await second.dispose();
    await store.dispose();
  });
});
