import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import { type AnyStateMachine, assign, fromPromise, setup } from "xstate";
import { eachHistory, Forms, Gate, type History, replay } from "../../src/replay/index.ts";
import { sqliteStore, testEngine } from "../../src/testing/index.ts";

const actorsMax = 10_000;
/** Histories that are replayed as well, to know how fast this machine is. */
const someMax = 1_000;
/** What a comparison of two machines may cost in replays on one, reading included. */
const replaysMax = 4;

const processorMs = (since: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1_000;
};

/** A job that is asked for, worked on and looked at; changed in four places at once. */
const job = (changed: boolean): AnyStateMachine =>
  setup({
    types: { context: {} as { n: number; done: number; note: string } },
    actors: { work: fromPromise(async ({ input }: { input: number }) => input * 2) },
    guards: { isSmall: ({ context }) => context.n % 10 !== 3 || !changed },
    delays: { patience: changed ? 2_000 : 1_000 },
    actions: { note: assign({ note: ({ event }) => (event.type === "NOTE" && changed ? "noted" : event.type) }), tell: () => {} },
  }).createMachine({
    id: "job",
    version: changed ? "2" : "1",
    context: ({ input }) => ({ n: Number(input), done: 0, note: "" }),
    initial: "new",
    states: {
      new: { on: { GO: { guard: "isSmall", target: "working" }, NOTE: { actions: "note" } } },
      working: {
        invoke: {
          id: "work",
          src: "work",
          input: ({ context }) => context.n,
          onDone: { target: "checking", actions: [assign({ done: ({ event }) => event.output }), ...(changed ? ["tell" as const] : [])] },
        },
      },
      checking: { after: { patience: "late" }, on: { FINE: "fine" } },
      late: {},
      fine: { type: "final" },
    },
  }) as unknown as AnyStateMachine;

describe("replay > deploy gate", () => {
  it("compares 10,000 stored histories in less than ten seconds, and groups a change into its causes", async () => {
    const store = sqliteStore();
    const engine = await testEngine({ machines: [job(false)], journal: store, retention: {} });
    engine.skipFold();
    const ids = Array.from({ length: actorsMax }, (_, n) => String(n));
    await engine.taskwright.startAll(ids.map((id) => ({ machine: "job", id, input: Number(id) })));
    const tell = (type: string, which: (n: number) => boolean) => Promise.all(ids.filter((id) => which(Number(id))).map((id) => engine.taskwright.send(`job/${id}`, { type })));
    await tell("NOTE", (n) => n % 100 === 7);
    await tell("GO", () => true);
    await engine.settled();
    await tell("FINE", (n) => n % 2 === 0);
    await engine.end();

    const journal = await store.connect({ reader: true });
    const began = process.cpuUsage();
    const gate = new Gate([job(true)], { writers: [job(false)] });
    const some: Array<History> = [];
    const count = await Effect.runPromise(
      eachHistory(journal, { machine: "job" }, (history) => {
        gate.add(history);
        if (some.length < someMax) some.push(history);
      }),
    );
    const ms = processorMs(began);
    const forms = new Forms([job(false)]);
    const again = process.cpuUsage();
    for (const history of some) replay(history, forms);
    const replayMs = (processorMs(again) * actorsMax) / someMax;
    const report = gate.report();
    if (process.env.REPLAY_SEEDS !== undefined) console.log(`${count} histories in ${Math.round(ms)} ms of processor time; one replay of each takes ${Math.round(replayMs)}`);
    expect(count).toBe(actorsMax);
    // A slow machine takes longer for everything: there it is so many replays.
    expect(ms).toBeLessThan(Math.max(10_000, replaysMax * replayMs));
    expect(report.actors).toBe(actorsMax);
    expect(report.groups.map(({ kind, cause, actors, counterfactual }) => ({ kind, cause, actors, counterfactual }))).toEqual([
      { kind: "command added", cause: "taskwright.done in working: act tell added", actors: 9_000, counterfactual: 0 },
      { kind: "timer changed", cause: "taskwright.done in working: timer.set after.patience.job.checking is due 1000 ms later", actors: 9_000, counterfactual: 0 },
      { kind: "event ignored", cause: "GO in new (ignored)", actors: 1_000, counterfactual: 1_000 },
      { kind: "other data", cause: "NOTE in new writes another context.note", actors: 100, counterfactual: 0 },
    ]);
    expect(report.groups[2]?.witness.events).toEqual(["taskwright.start", "GO"]);
    await store.dispose();
  }, 300_000);
});
