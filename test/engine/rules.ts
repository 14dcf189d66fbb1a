import { expect } from "vitest";
import { setup } from "xstate";
import { JournalError, type Journal } from "../../src/journal/index.ts";
import { memoryStore, type TestEngine, type TestEngineOptions, testEngine, type TestStore } from "../../src/testing/index.ts";
import * as Effect from "effect/Effect";
import { Held } from "./held.ts";
import { job } from "./job.ts";
import { counter, player } from "./machines.ts";

/**
 * The safety rules as checks that can be run over any journal: over a sound one they pass, over one with the matching
 * bug they must not. `plant` stands between the engine and its journal.
 */
export type Plant = (journal: Journal, store: TestStore) => Journal;
export type Rule = (plant: Plant) => Promise<void>;

const withEngine =
  (options: Omit<TestEngineOptions, "journal">, body: (engine: TestEngine, store: TestStore) => Promise<void>): Rule =>
  async (plant) => {
    const store = memoryStore();
    const { wrap = (journal) => journal } = options;
    const engine = await testEngine({ ...options, journal: store, wrap: (journal) => plant(wrap(journal), store) });
    try {
      await body(engine, store);
      await engine.end();
    } finally {
      await engine.dispose();
      await store.dispose();
    }
  };

const countOf = async (engine: TestEngine) => ((await engine.snapshot("counter/1")).context as { count: number }).count;

export const receiptMeansStored = withEngine({ machines: [counter] }, async (engine) => {
  await engine.start("counter", "1");
  await engine.restart();
  for (let count = 1; count <= 3; count++) {
    await engine.send("counter/1", { type: "ADD" });
    engine.crash();
    await engine.restart();
    expect(await countOf(engine)).toBe(count);
  }
});

export const keysCountOnce = withEngine({ machines: [counter] }, async (engine) => {
  await engine.start("counter", "1");
  await engine.send("counter/1", { type: "ADD" }, { key: "a" });
  await engine.restart();
  expect(await engine.send("counter/1", { type: "ADD" }, { key: "a" })).toMatchObject({ duplicate: true });
  expect(await countOf(engine)).toBe(1);
});

export const keysMeanOneEvent = withEngine({ machines: [counter] }, async (engine) => {
  await engine.start("counter", "1");
  await engine.send("counter/1", { type: "ADD" }, { key: "a" });
  await engine.restart();
  await expect(engine.send("counter/1", { type: "RESET" }, { key: "a" })).rejects.toMatchObject({ _tag: "KeyReused" });
});

const timed = setup({}).createMachine({ id: "timed", initial: "waiting", states: { waiting: { after: { 1000: "late" } }, late: {} } });

export const deadlinesSurvive = withEngine({ machines: [timed] }, async (engine) => {
  await engine.start("timed", "1");
  await engine.restart();
  await engine.advance("1 second");
  expect(await engine.snapshot("timed/1")).toMatchObject({ value: "late" });
});

export const onlyTheOwnerWrites = withEngine({ machines: [counter] }, async (engine, store) => {
  await engine.start("counter", "1");
  const second = await testEngine({ machines: [counter], journal: store, time: engine.time, wrap: (journal) => ({ ...journal, open: (info) => journal.open({ ...info, isAlive: () => false }) }) });
  await expect(engine.taskwright.send("counter/1", { type: "ADD" })).rejects.toMatchObject({ _tag: "EngineClosed" });
  expect(await second.send("counter/1", { type: "ADD" })).toMatchObject({ seq: 2 });
  await second.end();
});

export const actionsRunAtLeastOnce: Rule = async (plant) => {
  let runs = 0;
  const acting = setup({ actions: { act: () => void runs++ } }).createMachine({ id: "acting", on: { GO: { actions: "act" } } });
  await withEngine({ machines: [acting] }, async (engine) => {
    await engine.start("acting", "1");
    const crashed = engine.crashAfterCommits(1);
    void engine.taskwright.send("acting/1", { type: "GO" });
    await crashed;
    await engine.restart();
    expect(runs).toBe(1);
  })(plant);
};

export const mailSurvives = withEngine({ machines: [player], limits: { turnMessagesMax: 5 } }, async (engine) => {
  for (const id of ["1", "2"]) await engine.start("player", id);
  const crashed = engine.crashAfterCommits(2);
  void engine.taskwright.send("player/1", { type: "BALL", left: 20, me: "player/1", other: "player/2" });
  await crashed;
  await engine.restart();
  expect(await engine.snapshot("player/1")).toMatchObject({ context: { hits: 11 } });
});

/** An old completion that comes once more, as a store may deliver it after a crash. */
const again = { to: "job/1", from: "job/1/work", event: { type: "taskwright.done", child: "work", token: 1, output: "of the first" } };

export const staleCompletionsAreDropped: Rule = async (plant) => {
  const held = new Held();
  let repeated = false;
  const wrap = (journal: Journal): Journal => ({
    ...journal,
    mail: (after, limit) => Effect.map(journal.mail(after, limit), (rows) => (repeated && after === 0 ? [...rows, { id: 1_000_000, envelope: JSON.stringify(again) }] : rows)),
  });
  await withEngine({ machines: [job(held)], wrap }, async (engine) => {
    await engine.start("job", "1");
    await engine.send("job/1", { type: "AGAIN" });
    repeated = true;
    await engine.restart();
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "working", context: { output: null } });
    held.last.resolve("of the second");
    await engine.settled();
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "done", context: { output: "of the second" } });
  })(plant);
};

/** Everything that a counter can be told; the fold at its end is the check. */
export const historyLeadsToState = withEngine({ machines: [counter] }, async (engine) => {
  await engine.start("counter", "1", { limit: 3 });
  for (const type of ["ADD", "RESET", "ADD", "ADD", "RESET", "ADD"]) await engine.taskwright.send("counter/1", { type });
});

export const childrenAreStoredWithTheirParent: Rule = async (plant) => {
  const held = new Held();
  await withEngine({ machines: [job(held)] }, async (engine) => {
    await engine.start("job", "1");
    await engine.restart();
    expect(held.calls).toHaveLength(2);
  })(plant);
};

export const doubtIsNeverGuessed: Rule = async (plant) => {
  const trouble = { lying: false };
  const wrap = (journal: Journal): Journal => ({
    ...journal,
    commit: (turn) => Effect.flatMap(journal.commit(turn), () => (trouble.lying ? Effect.fail(new JournalError({ reason: "failed", where: "test", detail: "the answer was lost" })) : Effect.void)),
  });
  await withEngine({ machines: [counter], wrap }, async (engine) => {
    await engine.start("counter", "1");
    trouble.lying = true;
    const answered = engine.taskwright.send("counter/1", { type: "ADD" }).then(
      () => 1,
      () => 0,
    );
    const acknowledged = await answered;
    trouble.lying = false;
    await engine.advance("5 seconds");
    expect(await countOf(engine)).toBe(acknowledged);
  })(plant);
};

export const failuresAreKept: Rule = async (plant) => {
  const { faulty } = await import("./faulty.ts");
  await withEngine({ machines: [faulty] }, async (engine) => {
    await engine.start("faulty", "1");
    await engine.taskwright.send("faulty/1", { type: "THROW_IN_ASSIGN" }).catch(() => {});
    await engine.restart();
    expect(await engine.taskwright.deadLetters()).toHaveLength(1);
  })(plant);
};
