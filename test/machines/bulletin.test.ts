import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BulletinContext, type BulletinEvent, type BulletinInput, bulletin } from "../../machines/bulletin.ts";
import { emptySummary, type StatusSummary, summaryKey } from "../../src/domain/status-summary.ts";
import { type Actor, elapsed, type Stimulus } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, describeWalk, ignored, to } from "./table.ts";

const chart = new Chart(bulletin, []);
const input: BulletinInput = { orchestrator: "o", requester: "r", outbox: "outbox/up", everyMs: 700 };
const counts = (more: Partial<StatusSummary>) => ({ type: "COUNTS", summary: { ...emptySummary, ...more } }) as const;
const one = counts({ queued: 1 });
const two = counts({ queued: 2 });

describe("machines > bulletin", () => {
  describeTable<BulletinEvent>(chart, {
    input,
    samples: { COUNTS: one },
    rows: {
      quiet: { way: [], on: { COUNTS: [to("resting", one), ignored("the counts are as before", counts({}))] } },
      resting: { way: [one], on: { COUNTS: to("resting", two) }, after: { pause: [to("quiet", elapsed("pause")), to("resting", elapsed("pause"), { way: [one, two] })] } },
    },
  });

  const told = (given: BulletinInput, ...stimuli: ReadonlyArray<Stimulus>): Actor => {
    const actor = chart.begin(given);
    for (const stimulus of stimuli) actor.tell(stimulus);
    return actor;
  };
  const entries = (actor: Actor) =>
    actor.commands.flatMap((command) => (command.type === "send" ? (command.event as unknown as { entries: ReadonlyArray<{ payload: { summary: StatusSummary } }> }).entries : []));
  test("tells new counts at once, then what has changed meanwhile, in one bulletin", () => {
    expect(entries(told(input, one, two, counts({ running: 2 }), elapsed("pause"), elapsed("pause")))).toEqual([
      { type: "orchestrator.status", lane: "o", replaces: "status:o", payload: { orchestrator: "o", requester: "r", summary: one.summary } },
      { type: "orchestrator.status", lane: "o", replaces: "status:o", payload: { orchestrator: "o", requester: "r", summary: { ...emptySummary, running: 2 } } },
    ]);
  });
  test("counts that are again what was told are no news", () => {
    expect(entries(told(input, one, two, one, elapsed("pause"), one))).toHaveLength(1);
  });
  test("without an outbox it emits", () => {
    const { outbox: _, ...without } = input;
    expect(told(without, one).commands).toContainEqual({ type: "emit", event: { type: "orchestrator.status", orchestrator: "o", requester: "r", summary: one.summary } });
  });

  describeWalk<BulletinContext>(chart, {
    input: fc.constant(input),
    told: fc.nat(2).map((queued) => () => counts({ queued })),
    invariants: {
      "never told twice in a row": ({ actor }) =>
        entries(actor).every(({ payload }, index, all) => index === 0 || summaryKey(payload.summary) !== summaryKey(all[index - 1]?.payload.summary ?? emptySummary)),
      "while it is quiet, what was told is so": ({ state, context }) => state !== "quiet" || summaryKey(context.latest) === context.told,
    },
  });

  describeCoverage(chart);
});
