import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import { type AnyStateMachine, assign, fromPromise, setup } from "xstate";
import { eachHistory, Forms, Gate, replay } from "../../src/replay/index.ts";
import { sqliteStore, testEngine } from "../../src/testing/index.ts";

const actorsMax = 10_000;
/** Three of ten jobs are worked on, the others are only there. */
const isWorked = (n: number): boolean => n % 100 < 30;
/** Every seventh history, worked on or not, is replayed between the comparisons: what a replay costs here and now. */
const replayedEach = 7;
const roundMax = 1_000;
/**
 * What a comparison of two machines may cost in replays on one, reading included; it costs 2 to 4. A gate that only
 * prints the state of each earlier history again with each one costs 10 and more in its last rounds, one that compares them hundreds.
 */
const replaysMax = 8;

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
  it("compares each of 10,000 stored histories for the price of a few replays, and groups a change into its causes", async () => {
    const store = sqliteStore();
    const engine = await testEngine({ machines: [job(false)], journal: store, retention: {} });
    engine.skipFold();
    const ids = Array.from({ length: actorsMax }, (_, n) => String(n));
    await engine.taskwright.startAll(ids.map((id) => ({ machine: "job", id, input: Number(id) })));
    const tell = (type: string, which: (n: number) => boolean) => Promise.all(ids.filter((id) => which(Number(id))).map((id) => engine.taskwright.send(`job/${id}`, { type })));
    await tell("NOTE", (n) => n % 100 === 7);
    await tell("GO", isWorked);
    await engine.settled();
    await tell("FINE", (n) => isWorked(n) && n % 2 === 0);
    await engine.end();

    const journal = await store.connect({ reader: true });
    const gate = new Gate([job(true)], { writers: [job(false)] });
    const forms = new Forms([job(false)]);
    const ratios: Array<number> = [];
    let began = process.cpuUsage();
    let replayMs = 0;
    let compared = 0;
    const count = await Effect.runPromise(
      eachHistory(journal, { machine: "job" }, (history) => {
        gate.add(history);
        compared++;
        if (compared % replayedEach === 0) {
          const before = process.cpuUsage();
          replay(history, forms);
          replayMs += processorMs(before);
        }
        if (compared % roundMax === 0) {
          ratios.push((processorMs(began) - replayMs) / (replayMs * replayedEach));
          replayMs = 0;
          began = process.cpuUsage();
        }
      }),
    );
    const report = gate.report();
    if (process.env.REPLAY_SEEDS !== undefined) console.log(`a comparison costs ${ratios.map((ratio) => ratio.toFixed(1)).join(", ")} replays`);
    expect(count).toBe(actorsMax);
    // The later half of the rounds: what grows with the histories would show there. The best of them: one that was disturbed says nothing.
    expect(Math.min(...ratios.slice(ratios.length / 2))).toBeLessThan(replaysMax);
    expect(report.actors).toBe(actorsMax);
    expect(report.groups.map(({ kind, cause, actors, counterfactual }) => ({ kind, cause, actors, counterfactual }))).toEqual([
      { kind: "command added", cause: "taskwright.done in working: act tell added", actors: 2_700, counterfactual: 0 },
      { kind: "timer changed", cause: "taskwright.done in working: timer.set after.patience.job.checking is due 1000 ms later", actors: 2_700, counterfactual: 0 },
      { kind: "event ignored", cause: "GO in new (ignored)", actors: 300, counterfactual: 300 },
      { kind: "other data", cause: "NOTE in new writes another context.note", actors: 100, counterfactual: 0 },
    ]);
    expect(report.groups[2]?.witness.events).toEqual(["taskwright.start", "GO"]);
    await store.dispose();
  });
});
