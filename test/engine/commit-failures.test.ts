import * as Effect from "effect/Effect";
import { describe, expect } from "vitest";
import { setup } from "xstate";
import { type Journal, JournalError, JournalFenced } from "../../src/journal/index.ts";
import { type Bench, inBothJournals, type TestEngine } from "../../src/testing/index.ts";
import { Held } from "./held.ts";
import { job } from "./job.ts";
import { counter, player, relay } from "./machines.ts";

/** What goes wrong with the store at the moment. */
class Trouble {
  /** Fails commits before anything is stored. */
  refusing = false;
  /** Fails commits after everything was stored: their outcome is unknown. */
  lying = false;
  /** The store can't be reached: not even to look what became of a commit. */
  gone = false;
  /** Another file stands at the journal's path. */
  replaced = false;
  /** Another engine has the journal. */
  taken = false;
  readonly #failure = (detail: string) => new JournalError({ reason: "failed", where: "test", detail });

  readonly wrap = (journal: Journal): Journal => {
    const reach = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E | JournalError | JournalFenced> =>
      Effect.suspend((): Effect.Effect<A, E | JournalError | JournalFenced> => {
        if (this.replaced) return Effect.fail(new JournalError({ reason: "replaced", where: "test", detail: "another file was put in its place" }));
        if (this.taken) return Effect.fail(new JournalFenced({ where: "test", epoch: 1, current: 2 }));
        return this.gone ? Effect.fail(this.#failure("the store is gone")) : effect;
      });
    return {
      ...journal,
      reopen: reach(journal.reopen),
      renew: (now) => reach(journal.renew(now)),
      actors: (addresses) => reach(journal.actors(addresses)) as never,
      commit: (turn) =>
        Effect.suspend(() => {
          if (this.refusing) return Effect.fail(this.#failure("the store refuses"));
          if (!this.lying) return reach(journal.commit(turn));
          return Effect.zipRight(journal.commit(turn), Effect.fail(this.#failure("the answer was lost")));
        }),
    };
  };
}

const opened = async (bench: Bench, machines: Parameters<Bench["engine"]>[0]["machines"] = []): Promise<{ engine: TestEngine; trouble: Trouble }> => {
  const trouble = new Trouble();
  const engine = await bench.engine({ machines: [counter, ...machines], wrap: trouble.wrap });
  await engine.start("counter", "1");
  return { engine, trouble };
};

const degraded = { _tag: "EngineDegraded", code: "engine_degraded", status: 503, retryable: true };
const add = (engine: TestEngine, times = 1) => Promise.allSettled(Array.from({ length: times }, () => engine.taskwright.send("counter/1", { type: "ADD" })));
const count = async (engine: TestEngine) => ((await engine.snapshot("counter/1")).context as { count: number }).count;

describe("engine > commit failures", () => {
  inBothJournals("a commit that stored nothing: senders get EngineDegraded, and nothing is there", async (bench) => {
    const { engine, trouble } = await opened(bench);
    trouble.refusing = true;
    for (const result of await add(engine, 3)) expect(result).toMatchObject({ status: "rejected", reason: degraded });
    expect(engine.taskwright.status()).toMatchObject({ state: "degraded", cause: { message: expect.stringContaining("the store refuses") } });
    expect(await count(engine)).toBe(0);
    trouble.refusing = false;
    await engine.advance("1 second");
    expect(engine.taskwright.status()).toMatchObject({ state: "running", cause: undefined });
    expect(await engine.send("counter/1", { type: "ADD" })).toMatchObject({ seq: 2 });
  });

  inBothJournals("a replaced file: senders are told at once and need not wait for the first one, which the engine goes on with if it comes back", async (bench) => {
    const { engine, trouble } = await opened(bench);
    trouble.replaced = true;
    for (const result of await add(engine, 3)) expect(result).toMatchObject({ status: "rejected", reason: { ...degraded, reason: "replaced" } });
    await engine.advance("1 minute");
    expect(engine.taskwright.status()).toMatchObject({ state: "degraded", cause: { data: { reason: "replaced" } } });
    trouble.replaced = false;
    await engine.advance("1 minute");
    expect(engine.taskwright.status()).toMatchObject({ state: "running" });
    expect(await engine.send("counter/1", { type: "ADD" })).toMatchObject({ seq: 2 });
  });

  inBothJournals("a commit that stored everything and was reported as failed: senders get their receipts, and nothing is stored twice", async (bench) => {
    const { engine, trouble } = await opened(bench);
    trouble.lying = true;
    const results = await add(engine, 3);
    expect(results.map((result) => (result.status === "fulfilled" ? result.value.seq : result.reason))).toEqual([2, 3, 4]);
    expect(await count(engine)).toBe(3);
    trouble.lying = false;
    await engine.advance("1 second");
    expect(await engine.send("counter/1", { type: "ADD" })).toMatchObject({ seq: 5 });
  });

  for (const stored of [true, false]) {
    inBothJournals(`while nobody can tell what became of a commit, its senders wait; then they hear the truth (${stored ? "stored" : "not stored"})`, async (bench) => {
      const { engine, trouble } = await opened(bench);
      trouble.lying = stored;
      trouble.refusing = !stored;
      trouble.gone = true;
      let answered = false;
      const results = add(engine, 3).then((all) => {
        answered = true;
        return all;
      });
      await engine.settled();
      await engine.advance("1 minute");
      expect(answered).toBe(false);
      expect(engine.taskwright.status().state).toBe("degraded");
      await expect(engine.taskwright.send("counter/1", { type: "ADD" })).rejects.toMatchObject(degraded);
      Object.assign(trouble, { lying: false, refusing: false, gone: false });
      await engine.advance("5 seconds");
      for (const result of await results) expect(result).toMatchObject(stored ? { status: "fulfilled" } : { status: "rejected", reason: degraded });
      expect(await count(engine)).toBe(stored ? 3 : 0);
      expect(engine.taskwright.status().state).toBe("running");
      expect(await engine.send("counter/1", { type: "ADD" })).toMatchObject({ seq: stored ? 5 : 2 });
    });

    inBothJournals(`close while nobody can tell: senders are told that much (${stored ? "stored" : "not stored"})`, async (bench) => {
      const { engine, trouble } = await opened(bench);
      Object.assign(trouble, { lying: stored, refusing: !stored, gone: true });
      const results = add(engine, 2);
      await engine.settled();
      await engine.taskwright.close({ grace: 0 });
      for (const result of await results) expect(result).toMatchObject({ status: "rejected", reason: { _tag: "EngineClosed", detail: expect.stringContaining("whether") } });
      Object.assign(trouble, { lying: false, refusing: false, gone: false });
      await engine.restart();
      expect(await count(engine)).toBe(stored ? 2 : 0);
    });

    inBothJournals(`another engine takes the journal while nobody can tell (${stored ? "stored" : "not stored"})`, async (bench) => {
      const { engine, trouble } = await opened(bench);
      Object.assign(trouble, { lying: stored, refusing: !stored, taken: true });
      for (const result of await add(engine, 2)) expect(result).toMatchObject({ status: "rejected", reason: { _tag: "EngineClosed" } });
      expect(engine.taskwright.status().state).toBe("stopped");
      Object.assign(trouble, { lying: false, refusing: false, taken: false });
      await engine.restart();
      expect(await count(engine)).toBe(stored ? 2 : 0);
    });
  }

  inBothJournals("reads go on while nothing can be stored", async (bench) => {
    const { engine, trouble } = await opened(bench);
    await engine.send("counter/1", { type: "ADD" });
    trouble.refusing = true;
    await add(engine);
    expect(engine.taskwright.status().state).toBe("degraded");
    expect(await count(engine)).toBe(1);
    expect(await engine.taskwright.history("counter/1")).toHaveLength(2);
    expect(await engine.taskwright.list()).toHaveLength(1);
    expect(await engine.taskwright.counts()).toHaveLength(1);
    trouble.refusing = false;
    await engine.advance("1 second");
  });

  for (const fault of [{ refusing: true }, { refusing: true, gone: true }, { lying: true, gone: true }] as const) {
    inBothJournals(`deadlines and results that come meanwhile are not lost (${Object.keys(fault).join(", ")})`, async (bench) => {
      const held = new Held();
      const timed = setup({}).createMachine({ id: "timed", initial: "waiting", states: { waiting: { after: { 10000: "late" } }, late: { after: { 10000: "later" } }, later: {} } });
      const { engine, trouble } = await opened(bench, [job(held), timed]);
      await engine.start("job", "1");
      await engine.start("job", "2");
      await engine.start("timed", "1");
      Object.assign(trouble, fault);
      held.calls[0]?.resolve("during");
      await engine.settled();
      held.calls[1]?.reject(new Error("during"));
      await engine.advance("30 seconds");
      expect(engine.taskwright.status().state).toBe("degraded");
      Object.assign(trouble, { refusing: false, lying: false, gone: false });
      await engine.advance("5 seconds");
      expect(await engine.snapshot("job/1")).toMatchObject({ value: "done", context: { output: "during" } });
      expect(await engine.snapshot("job/2")).toMatchObject({ value: "failed", context: { error: { message: "during" } } });
      expect(await engine.snapshot("timed/1")).toMatchObject({ value: "late" });
      expect(await engine.taskwright.deadLetters()).toEqual([]);
      await engine.advance("10 seconds");
      expect(await engine.snapshot("timed/1")).toMatchObject({ value: "later" });
    });
  }

  for (const fault of ["refusing", "lying"] as const) {
    inBothJournals(`what failed actions and undeliverable mail leave is stored once (${fault})`, async (bench) => {
      const breaking = setup({
        actions: {
          break: () => {
            trouble[fault] = true;
            throw new Error("the action broke");
          },
        },
      }).createMachine({ id: "breaking", on: { GO: { actions: "break" } } });
      const { engine, trouble } = await opened(bench, [breaking, relay]);
      await engine.start("breaking", "1");
      await engine.send("breaking/1", { type: "GO" });
      await engine.settled();
      trouble[fault] = false;
      await engine.advance("5 seconds");
      expect(await engine.taskwright.deadLetters()).toMatchObject([{ address: "breaking/1", error: { message: "the action broke" } }]);
      expect(await Effect.runPromise((await engine.reader()).effects(0, 10))).toEqual([]);
    });

    inBothJournals(`a long exchange over the mailbox survives (${fault})`, async (bench) => {
      const trouble = new Trouble();
      let commits = 0;
      const engine = await bench.engine({
        machines: [player],
        limits: { turnMessagesMax: 5 },
        wrap: (journal) => {
          const wrapped = trouble.wrap(journal);
          const commit: Journal["commit"] = (turn) =>
            Effect.suspend(() => {
              trouble[fault] = ++commits % 3 === 0;
              return wrapped.commit(turn);
            });
          return { ...wrapped, commit };
        },
      });
      for (const id of ["1", "2"]) await engine.start("player", id);
      await Promise.allSettled([engine.taskwright.send("player/1", { type: "BALL", left: 60, me: "player/1", other: "player/2" })]);
      await engine.advance("1 minute");
      const hits = async (id: string) => ((await engine.snapshot(`player/${id}`)).context as { hits: number }).hits;
      const all = (await hits("1")) + (await hits("2"));
      // The first commit of the exchange is the one that fails: its sender was told, or it was stored.
      expect(all).toBe(fault === "lying" ? 61 : 0);
      if (fault === "refusing") {
        await engine.send("player/1", { type: "BALL", left: 60, me: "player/1", other: "player/2" });
        await engine.advance("1 minute");
        expect((await hits("1")) + (await hits("2"))).toBe(61);
      }
    });
  }

  inBothJournals("a store that takes leases but no turns is not asked again and again without a pause", async (bench) => {
    const { engine, trouble } = await opened(bench, [setup({}).createMachine({ id: "timed", initial: "a", states: { a: { after: { 1000: "b" } }, b: {} } })]);
    await engine.start("timed", "1");
    trouble.refusing = true;
    const before = engine.taskwright.status().turns;
    await engine.advance("1 minute");
    expect(engine.taskwright.status().turns - before).toBeLessThan(60);
    expect(engine.logged.length).toBeLessThan(5);
    trouble.refusing = false;
    await engine.advance("5 seconds");
    expect(await engine.snapshot("timed/1")).toMatchObject({ value: "b" });
  });

  inBothJournals("calls that a failing read interrupts are answered, and later ones work", async (bench) => {
    const { engine, trouble } = await opened(bench);
    trouble.gone = true;
    const results = Promise.allSettled([engine.taskwright.start("counter", "2"), engine.taskwright.send("counter/1", { type: "ADD" })]);
    await engine.settled();
    trouble.gone = false;
    await engine.advance("5 seconds");
    for (const result of await results) expect(result).toMatchObject({ status: "rejected", reason: degraded });
    expect(await engine.start("counter", "2")).toMatchObject({ duplicate: false });
    expect(await engine.send("counter/1", { type: "ADD" })).toMatchObject({ outcome: "handled" });
  });
});
