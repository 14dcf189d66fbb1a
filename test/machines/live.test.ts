import { describe, expect, test } from "vitest";
import { type LiveContext, type LiveEvent, type LiveInput, live, liveActions } from "../../machines/live.ts";
import { type Actor, elapsed, type Stimulus } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeTable, ignored, to } from "./table.ts";

const chart = new Chart(live, liveActions, "order/1");
const at = Date.UTC(2030, 0, 1);
const input: LiveInput = {
  address: "order/1/socket",
  machine: "order",
  src: "socket",
  kind: "callback",
  at,
  interruptionsMax: 2,
  retry: { attemptsMax: 3, backoff: { kind: "fixed", baseMs: 1_000 } },
};
const { retry: _, ...once } = input;

const sent = (run = 1) => ({ type: "taskwright.live.sent", run, event: { type: "TICK" } }) as const;
const emitted = (run = 1) => ({ type: "taskwright.live.emitted", run, event: { type: "HEARD" } }) as const;
const value = (run = 1, said: unknown = 7) => ({ type: "taskwright.live.value", run, value: said }) as const;
const ended = (run = 1) => ({ type: "taskwright.live.ended", run }) as const;
const failed = (run = 1) => ({ type: "taskwright.live.failed", run, error: { name: "Error", message: "no" }, at: at + 500 }) as const;
const interrupted = { type: "taskwright.live.interrupted", at: at + 60_000 } as const;
const suspended = (run = 1) => ({ type: "taskwright.live.suspended", run }) as const;
const resumed = { type: "taskwright.live.resumed", at: at + 90_000 } as const;
const hello = { type: "HELLO" } as const;

const late = (event: LiveEvent) => ignored("an earlier run has nothing to say any more", { ...event, run: 0 } as LiveEvent);
const nothingRuns = "none of its code runs";

describe("machines > live", () => {
  describeTable<LiveEvent>(chart, {
    input,
    samples: {
      "taskwright.live.sent": sent(),
      "taskwright.live.emitted": emitted(),
      "taskwright.live.value": value(),
      "taskwright.live.ended": ended(),
      "taskwright.live.failed": failed(),
      "taskwright.live.interrupted": interrupted,
      "taskwright.live.suspended": suspended(),
      "taskwright.live.resumed": resumed,
    },
    rows: {
      running: {
        way: [],
        on: {
          "taskwright.live.sent": [to("running", sent()), late(sent())],
          "taskwright.live.emitted": [to("running", emitted()), late(emitted())],
          "taskwright.live.value": [to("running", value()), late(value())],
          "taskwright.live.ended": [to("completed", ended()), late(ended())],
          "taskwright.live.failed": [to("backingOff", failed()), to("failed", failed(), { input: once }), late(failed())],
          "taskwright.live.interrupted": [to("running", interrupted), to("failed", interrupted, { way: [interrupted, interrupted] })],
          "taskwright.live.suspended": [to("suspended", suspended()), late(suspended())],
          "taskwright.live.resumed": ignored("it was not suspended: the process was faster", resumed),
        },
      },
      suspended: {
        way: [suspended()],
        on: {
          "taskwright.live.sent": ignored("the engine closes; a new run will say it again", sent()),
          "taskwright.live.emitted": ignored("the engine closes; a new run will say it again", emitted()),
          "taskwright.live.value": ignored("the engine closes; a new run will say it again", value()),
          "taskwright.live.ended": ignored("a new run finds out anew", ended()),
          "taskwright.live.failed": ignored("that is how some code takes its end; it begins again", failed()),
          "taskwright.live.interrupted": ignored("the process ended as it had announced", interrupted),
          "taskwright.live.suspended": ignored("it was told before", suspended()),
          "taskwright.live.resumed": to("running", resumed),
        },
      },
      backingOff: {
        way: [failed()],
        on: {
          "taskwright.live.sent": ignored(nothingRuns, sent()),
          "taskwright.live.emitted": ignored(nothingRuns, emitted()),
          "taskwright.live.value": ignored(nothingRuns, value()),
          "taskwright.live.ended": ignored(nothingRuns, ended()),
          "taskwright.live.failed": ignored(nothingRuns, failed()),
          "taskwright.live.interrupted": ignored("no run was under way when the process ended", interrupted),
          "taskwright.live.suspended": ignored("there is nothing to suspend; its pause goes on while the engine is away", suspended()),
          "taskwright.live.resumed": ignored("there was nothing to suspend", resumed),
        },
        after: { backoff: to("running", elapsed("backoff")) },
      },
      completed: { way: [ended()], over: "it is reported exactly once" },
      failed: { way: [failed()], input: once, over: "it is reported exactly once" },
    },
  });

  const told = (given: LiveInput, ...stimuli: ReadonlyArray<Stimulus>): Actor => {
    const actor = chart.begin(given);
    for (const stimulus of stimuli) actor.tell(stimulus);
    return actor;
  };
  const contextOf = (...stimuli: ReadonlyArray<Stimulus>) => told(input, ...stimuli).context<LiveContext>();

  test("each run is counted and begun when it begins", () => {
    const actor = told(input, failed(), elapsed("backoff"), interrupted);
    expect(actor.acts).toEqual(["begin", "begin", "begin"]);
    expect(actor.context<LiveContext>().run).toBe(3);
  });
  test("what was sent to it under any name is handed over, late reports are not", () => {
    expect(told(input, hello, { type: "SUCCEEDED" }, sent(0)).acts).toEqual(["begin", "handOver", "handOver"]);
  });
  test("what it sends back goes to the parent", () => {
    expect(chart.begin(input).tell(sent()).commands).toEqual([{ type: "send", to: { kind: "parent" }, event: { type: "TICK" } }]);
  });
  test("a sign of life forgives crashes and failures", () => {
    expect(contextOf(interrupted, interrupted)).toMatchObject({ crashes: 2 });
    for (const sign of [sent(3), value(3), hello]) expect(contextOf(interrupted, interrupted, sign)).toMatchObject({ crashes: 0 });
    expect(contextOf(failed(), elapsed("backoff"), value(2))).toMatchObject({ failures: 0 });
    expect(told(input, failed(), elapsed("backoff"), failed(2), elapsed("backoff"), failed(3)).value).toBe("failed");
    expect(told(input, failed(), elapsed("backoff"), failed(2), elapsed("backoff"), value(3), failed(3)).value).toBe("backingOff");
  });
  test("code that ends every process is given up as the cause", () => {
    const { output } = told(input, interrupted, interrupted, interrupted).state.snapshot as { output: unknown };
    expect(output).toMatchObject({ result: "failed", error: { code: "live_interrupted", message: expect.stringContaining("3 times") } });
  });
  test("being suspended never counts as a crash", () => {
    const actor = told(input);
    for (let run = 1; run <= 10; run++) for (const event of [suspended(run), resumed]) actor.tell(event);
    expect(actor.context<LiveContext>()).toMatchObject({ run: 11, crashes: 0 });
  });
  test("after a failed run, its end is a success", () => {
    const { output } = told(input, failed(), elapsed("backoff"), ended(2)).state.snapshot as { output: unknown };
    expect(output).toEqual({ result: "succeeded" });
  });
});
