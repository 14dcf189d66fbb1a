import { describe, expect, test } from "vitest";
import { type RedeliveryEvent, redelivery, redeliveryActions } from "../../machines/redelivery.ts";
import { elapsed } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, ignored, to } from "./table.ts";

const chart = new Chart(redelivery, redeliveryActions);
const sweep = { type: "SWEEP" } as const;
const swept = { type: "SWEPT" } as const;

describe("machines > redelivery", () => {
  describeTable<RedeliveryEvent>(chart, {
    input: undefined,
    samples: { SWEEP: sweep, SWEPT: swept },
    rows: {
      resting: { way: [], on: { SWEEP: to("sweeping", sweep), SWEPT: ignored("its round took too long and was given up", swept) }, after: { interval: to("sweeping", elapsed("interval")) } },
      sweeping: { way: [sweep], on: { SWEEP: ignored("it looks already", sweep), SWEPT: to("resting", swept) }, after: { sweepTimeout: to("resting", elapsed("sweepTimeout")) } },
    },
  });
  test("each round is one look", () => {
    const actor = chart.begin(undefined);
    for (const event of [sweep, swept, elapsed("interval"), elapsed("sweepTimeout")]) actor.tell(event);
    expect(actor.acts).toEqual(["sweep", "sweep"]);
  });
  describeCoverage(chart);
});
