import { describe, expect, test } from "vitest";
import { obligations, type ObligationsContext, type ObligationsEvent, type ObligationsInput } from "../../machines/obligations.ts";
import { type Actor, done, elapsed, failed, type Stimulus } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, to } from "./table.ts";

const chart = new Chart(obligations, []);
const input: ObligationsInput = { refreshMs: 60_000 };
const onHintOnly: ObligationsInput = {};
const dirty = { type: "DIRTY" } as const;
const read = (value: string, at = 5) => done("read", { value, at });
const broke = failed("read", { name: "Error", message: "down" });

describe("machines > obligations", () => {
  describeTable<ObligationsEvent>(chart, {
    input,
    samples: { DIRTY: dirty },
    rows: {
      reading: {
        way: [],
        on: { DIRTY: to("reading", dirty) },
        children: {
          "done read": [to("fresh", read("a")), to("resting", read("a"), { input: onHintOnly }), to("reading", read("a"), { way: [dirty] })],
          "error read": to("stale", broke),
        },
      },
      fresh: { way: [read("a")], on: { DIRTY: to("reading", dirty) }, after: { refreshDelay: to("reading", elapsed("refreshDelay")) } },
      resting: { way: [read("a")], input: onHintOnly, on: { DIRTY: to("reading", dirty) } },
      stale: { way: [broke], on: { DIRTY: to("stale", dirty) }, after: { retryDelay: to("reading", elapsed("retryDelay")) } },
    },
  });

  const told = (...stimuli: ReadonlyArray<Stimulus>): Actor => {
    const actor = chart.begin(input);
    for (const stimulus of stimuli) actor.tell(stimulus);
    return actor;
  };
  const contextOf = (...stimuli: ReadonlyArray<Stimulus>) => told(...stimuli).context<ObligationsContext>();

  test("a failure keeps the last good value, and the next good one forgets it", () => {
    expect(contextOf(read("a"), dirty, broke)).toMatchObject({ reading: { value: "a", at: 5 }, failures: 1, error: "down" });
    expect(contextOf(read("a"), dirty, broke, elapsed("retryDelay"), read("b", 9))).toMatchObject({ reading: { value: "b", at: 9 }, failures: 0, error: null });
  });
  test("a hint that came while it was read makes what was read out of date", () => {
    expect(contextOf(read("a"), dirty, dirty)).toMatchObject({ hints: 2, asked: 1, seen: 0 });
    expect(contextOf(read("a"), dirty, dirty, read("b"))).toMatchObject({ hints: 2, asked: 2, seen: 1, reading: { value: "b" } });
    expect(contextOf(read("a"), dirty, dirty, read("b"), read("c"))).toMatchObject({ hints: 2, seen: 2, reading: { value: "c" } });
  });
  test("a reading with an earlier moment does not take the place of a later one", () => {
    expect(contextOf(read("a", 9), dirty, read("b", 5)).reading).toEqual({ value: "a", at: 9 });
  });
  test("the wait doubles, up to a minute", () => {
    const waits = [1, 2, 3, 7, 20].map((failures) => {
      const actor = told(...Array.from({ length: failures - 1 }, () => [broke, elapsed("retryDelay")]).flat(), broke);
      const [timer] = Object.values(actor.state.timers);
      return (timer?.due ?? 0) - actor.now;
    });
    expect(waits).toEqual([1_000, 2_000, 4_000, 60_000, 60_000]);
  });

  describeCoverage(chart);
});
