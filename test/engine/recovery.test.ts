import * as Effect from "effect/Effect";
import { describe, expect } from "vitest";
import { createMachine, setup } from "xstate";
import { JournalError } from "../../src/journal/index.ts";
import { inBothJournals, testEngine } from "../../src/testing/index.ts";
import { Held } from "./held.ts";
import { job } from "./job.ts";
import { counter, list, relay } from "./machines.ts";

describe("engine > recovery", () => {
  inBothJournals("everything that was under way is taken up again, each once", async (bench) => {
    const held = new Held();
    const effects: Array<string> = [];
    const acting = setup({ actions: { act: ({ self }) => void effects.push((self as unknown as { address: string }).address) } }).createMachine({ id: "acting", entry: "act" });
    const engine = await bench.engine({ machines: [job(held), acting, counter, relay, list] });
    const crashed = engine.crashAfterCommits(1);
    void engine.taskwright.startAll([
      ...Array.from({ length: 20 }, (_, id) => ({ machine: "job", id: String(id) })),
      ...Array.from({ length: 20 }, (_, id) => ({ machine: "acting", id: String(id) })),
    ]);
    await crashed;
    expect([held.calls.length, effects.length]).toEqual([0, 0]);
    await engine.restart();
    expect(new Set(held.calls.map(({ info }) => info.address)).size).toBe(20);
    expect(held.calls).toHaveLength(20);
    expect(effects.sort()).toEqual(Array.from({ length: 20 }, (_, id) => `acting/${id}`).sort());
    for (const { resolve } of held.calls) resolve("done");
    await engine.settled();
    for (const view of await engine.taskwright.list({ machine: "job" })) expect(view).toMatchObject({ value: "done" });
  });

  inBothJournals("more than a page of unfinished work is recovered, and nothing is interrupted twice", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held)], limits: { activitiesMax: 5_000 } });
    await engine.taskwright.startAll(Array.from({ length: 2_300 }, (_, id) => ({ machine: "job", id: String(id) })));
    await engine.settled();
    await engine.restart();
    expect(held.calls).toHaveLength(4_600);
    expect(new Set(held.calls.slice(2_300).map(({ info }) => `${info.address} ${info.attempt}`)).size).toBe(2_300);
    expect(held.calls.slice(2_300).every(({ info }) => info.attempt === 2)).toBe(true);
  });

  inBothJournals("an engine that is opened again and again changes nothing by that", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    await engine.start("counter", "1");
    await engine.send("counter/1", { type: "ADD" });
    const before = await engine.snapshot("counter/1");
    for (let times = 0; times < 5; times++) await engine.restart();
    expect(await engine.snapshot("counter/1")).toEqual(before);
    expect(await engine.send("counter/1", { type: "ADD" })).toMatchObject({ seq: 3 });
  });

  inBothJournals("nobody's turn begins before the recovery has ended", async (bench) => {
    const held = new Held();
    const seen: Array<string> = [];
    const engine = await bench.engine({
      machines: [job(held)],
      // Every read lets the event loop run, as a store in another process does.
      wrap: (journal) => ({
        ...journal,
        list: (filter) => Effect.tap(Effect.zipRight(tick, journal.list(filter)), () => Effect.sync(() => seen.push("list"))),
        effects: (after, limit) => Effect.tap(Effect.zipRight(tick, journal.effects(after, limit)), () => Effect.sync(() => seen.push("effects"))),
        mail: (after, limit) => Effect.zipRight(tick, journal.mail(after, limit)),
        commit: (turn) => Effect.tap(journal.commit(turn), () => Effect.sync(() => seen.push("commit"))),
      }),
    });
    await engine.start("job", "1");
    seen.length = 0;
    await engine.restart();
    // The first commit marks the opening after a crash, before anything is read.
    expect(seen.slice(0, 5)).toEqual(["commit", "list", "list", "effects", "commit"]);
    expect(held.calls).toHaveLength(2);
  });

  inBothJournals("an opening that fails half-way gives the journal up again", async (bench) => {
    let broken = false;
    const engine = await bench.engine({
      machines: [counter],
      wrap: (journal) => ({
        ...journal,
        effects: (after, limit) => (broken ? Effect.fail(new JournalError({ reason: "failed", where: "test", detail: "unreadable" })) : journal.effects(after, limit)),
      }),
    });
    await engine.start("counter", "1");
    await engine.taskwright.close();
    engine.crash();
    broken = true;
    await expect(engine.open()).rejects.toMatchObject({ _tag: "JournalError", detail: "unreadable" });
    broken = false;
    await engine.open();
    expect(await engine.send("counter/1", { type: "ADD" })).toMatchObject({ seq: 2 });
  });

  inBothJournals("an activity whose promise the machine has no more waits with its parked parent, and goes on when the machine is back", async (bench) => {
    const held = new Held();
    const { machine, ...options } = job(held);
    const engine = await bench.engine({ machines: [{ machine, ...options }] });
    await engine.start("job", "1");
    const renamed = createMachine(JSON.parse(JSON.stringify(machine.config).replace('"src":"work"', '"src":"renamed"')), {
      actors: { renamed: new Held().logic },
      actions: machine.implementations.actions as never,
    } as never);
    // As often as an activity may take its process with it, and more.
    for (let i = 0; i < 7; i++) await engine.redeploy({ machines: [renamed] });
    await expect(engine.send("job/1", { type: "ANY" })).rejects.toMatchObject({ _tag: "ActorParked", reason: "misfit", detail: expect.stringContaining('runs the actor "work"') });
    expect(await engine.taskwright.parked()).toMatchObject([{ address: "job/1", reason: "misfit" }]);
    await engine.redeploy({ machines: [{ machine, ...options }] });
    held.last.resolve("finally");
    await engine.settled();
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "done" });
  });

  inBothJournals("a machine that is gone leaves its actors parked, also when mail and effects wait for them", async (bench) => {
    const acting = setup({ actions: { act: () => new Promise(() => {}) as never } }).createMachine({ id: "acting", entry: "act" });
    const first = await bench.engine({ machines: [acting, counter] });
    await first.start("acting", "1");
    await first.start("counter", "1");
    await first.settled();
    first.crash();
    const second = await testEngine({
      machines: [counter],
      journal: first.store,
      time: first.time,
      wrap: (journal) => ({ ...journal, open: (info) => journal.open({ ...info, isAlive: () => false }) }),
    });
    await expect(second.send("acting/1", { type: "ANY" })).rejects.toMatchObject({ _tag: "ActorParked", address: "acting/1", message: expect.stringContaining('"acting"') });
    expect(await second.send("counter/1", { type: "ADD" })).toMatchObject({ outcome: "handled" });
    expect(await Effect.runPromise((await second.reader()).effects(0, 10))).toHaveLength(1);
    await second.end();
    await first.restart();
    expect(await first.send("acting/1", { type: "ANY" })).toMatchObject({ outcome: "ignored" });
  });
});

const tick = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)));
