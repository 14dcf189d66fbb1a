import { describe } from "vitest";
import { shutdown, shutdownActions, type ShutdownEvent } from "../../machines/shutdown.ts";
import { elapsed } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, ignored, to } from "./table.ts";

const chart = new Chart(shutdown, shutdownActions);
const signal = { type: "SIGNAL" } as const;
const drained = { type: "DRAINED" } as const;
const closed = { type: "CLOSED" } as const;
const stopped = { type: "STOPPED" } as const;

describe("machines > shutdown", () => {
  describeTable<ShutdownEvent>(chart, {
    input: { budgetMs: 10_000 },
    samples: { SIGNAL: signal, DRAINED: drained, CLOSED: closed, STOPPED: stopped },
    rows: {
      serving: {
        way: [],
        on: { SIGNAL: to("draining", signal), DRAINED: ignored("nobody asked for it", drained), CLOSED: ignored("nobody asked for it", closed), STOPPED: to("closing", stopped) },
      },
      draining: {
        way: [signal],
        on: { SIGNAL: to("closing", signal), DRAINED: to("closing", drained), CLOSED: ignored("nothing is closed yet", closed), STOPPED: to("closing", stopped) },
        after: { drainBudget: to("closing", elapsed("drainBudget")) },
      },
      closing: {
        way: [signal, signal],
        on: {
          SIGNAL: ignored("it closes as fast as it can", signal),
          DRAINED: ignored("what ended meanwhile is stored", drained),
          CLOSED: to("over", closed),
          STOPPED: ignored("that is what it is about", stopped),
        },
        after: { closeBudget: to("over", elapsed("closeBudget")) },
      },
      over: { way: [signal, signal, closed], over: "the process goes" },
    },
  });
  describeCoverage(chart);
});
