import { describe } from "vitest";
import { poll, pollActions, type PollEvent } from "../../machines/poll.ts";
import { elapsed } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, to } from "./table.ts";

const chart = new Chart(poll, pollActions);
const message = { type: "MESSAGE" } as const;
const gone = { type: "GONE" } as const;

describe("machines > poll", () => {
  describeTable<PollEvent>(chart, {
    input: { waitMs: 25_000 },
    samples: { MESSAGE: message, GONE: gone },
    rows: {
      waiting: { way: [], on: { MESSAGE: to("answered", message), GONE: to("over", gone) }, after: { patience: to("answered", elapsed("patience")) } },
      answered: { way: [message], over: "it was answered" },
      over: { way: [gone], over: "nobody waits for it" },
    },
  });
  describeCoverage(chart);
});
