import { describe, expect, test } from "vitest";
import { deadLetters, type DeadLettersContext, type DeadLettersEvent } from "../../machines/dead-letters.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, to } from "./table.ts";

const chart = new Chart(deadLetters, []);
const taken = (type: DeadLettersEvent["type"], count = 1): DeadLettersEvent => ({
  type,
  letters: Array.from({ length: count }, (_, id) => ({ id, address: "order/1", type: "PAY" })),
  why: "it was mended",
});

describe("machines > dead letters", () => {
  describeTable<DeadLettersEvent>(chart, {
    input: undefined,
    samples: { REQUEUED: taken("REQUEUED") as never, DROPPED: taken("DROPPED") as never },
    rows: { keeping: { way: [], on: { REQUEUED: to("keeping", taken("REQUEUED")), DROPPED: to("keeping", taken("DROPPED")) } } },
  });

  test("count what was taken, each way", () => {
    const actor = chart.begin(undefined);
    for (const event of [taken("REQUEUED", 3), taken("DROPPED", 2), taken("REQUEUED")]) actor.tell(event);
    expect(actor.context<DeadLettersContext>()).toEqual({ requeued: 4, dropped: 2 });
  });

  describeCoverage(chart);
});
