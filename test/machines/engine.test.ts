import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type EngineContext, type EngineEvent, engine, engineActions } from "../../machines/engine.ts";
import { elapsed, type Stimulus } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, describeWalk, ignored, to } from "./table.ts";

const chart = new Chart(engine, engineActions);
const cause = { name: "JournalError", message: "the disk is full" };

const recovered = { type: "RECOVERED" } as const;
const commitFailed = { type: "COMMIT_FAILED", cause } as const;
const committed = { type: "COMMITTED" } as const;
const fenced = { type: "FENCED", cause } as const;
const close = { type: "CLOSE", graceMs: 2_000 } as const;
const drained = { type: "DRAINED" } as const;

const once = "the journal was read when the engine was opened; it is not read twice";
const takesWrites = "the store was not known to refuse";
const isOpen = "it is not closing, so being idle means nothing";
const closes = "it is closing already, with the grace that it was given first";

describe("machines > engine", () => {
  describeTable<EngineEvent>(chart, {
    input: undefined,
    samples: { RECOVERED: recovered, COMMIT_FAILED: commitFailed, COMMITTED: committed, FENCED: fenced, CLOSE: close, DRAINED: drained },
    rows: {
      recovering: {
        way: [],
        on: {
          RECOVERED: to("running", recovered),
          COMMIT_FAILED: to("degraded", commitFailed),
          COMMITTED: ignored(takesWrites, committed),
          FENCED: to("stopped", fenced),
          CLOSE: to("draining", close),
          DRAINED: ignored(isOpen, drained),
        },
      },
      running: {
        way: [recovered],
        on: {
          RECOVERED: ignored(once, recovered),
          COMMIT_FAILED: to("degraded", commitFailed),
          COMMITTED: ignored(takesWrites, committed),
          FENCED: to("stopped", fenced),
          CLOSE: to("draining", close),
          DRAINED: ignored(isOpen, drained),
        },
      },
      degraded: {
        way: [recovered, commitFailed],
        on: {
          RECOVERED: ignored(once, recovered),
          COMMIT_FAILED: to("degraded", commitFailed),
          COMMITTED: to("running", committed),
          FENCED: to("stopped", fenced),
          CLOSE: to("draining", close),
          DRAINED: ignored(isOpen, drained),
        },
        after: { probeDelay: to("degraded", elapsed("probeDelay")) },
      },
      draining: {
        way: [recovered, close],
        on: {
          RECOVERED: ignored(once, recovered),
          COMMIT_FAILED: to("stopped", commitFailed),
          COMMITTED: ignored("a probe that was under way found the store well; it closes all the same", committed),
          FENCED: to("stopped", fenced),
          CLOSE: ignored(closes, close),
          DRAINED: to("stopped", drained),
        },
        after: { drainTimeout: to("suspending", elapsed("drainTimeout")) },
      },
      suspending: {
        way: [recovered, close, elapsed("drainTimeout")],
        on: {
          RECOVERED: ignored(once, recovered),
          COMMIT_FAILED: to("stopped", commitFailed),
          COMMITTED: ignored("a probe that was under way found the store well; it closes all the same", committed),
          FENCED: to("stopped", fenced),
          CLOSE: ignored(closes, close),
          DRAINED: to("stopped", drained),
        },
        after: { suspendTimeout: to("stopped", elapsed("suspendTimeout")) },
      },
      stopped: { way: [fenced], over: "the claim was given up; another engine may have the journal" },
    },
  });

  const told = (...stimuli: ReadonlyArray<Stimulus>) => {
    const actor = chart.begin(undefined);
    for (const stimulus of stimuli) actor.tell(stimulus);
    return actor;
  };

  describe("orders", () => {
    test.each([
      ["it recovers first", [recovered], ["recover"]],
      ["it drains, then shuts down", [recovered, close, drained], ["recover", "drain", "shutDown"]],
      ["what outstays the grace is suspended", [recovered, close, elapsed("drainTimeout"), drained], ["recover", "drain", "suspend", "shutDown"]],
      ["and given up when it does not even suspend", [recovered, close, elapsed("drainTimeout"), elapsed("suspendTimeout")], ["recover", "drain", "suspend", "shutDown"]],
      ["it probes while the store refuses", [recovered, commitFailed, elapsed("probeDelay"), elapsed("probeDelay"), committed], ["recover", "probe", "probe"]],
      ["it shuts down without a word when it is fenced", [recovered, fenced], ["recover", "shutDown"]],
    ] as const)("%s", (_, way, orders) => expect(told(...way).acts).toEqual(orders));
    test("the pauses between probes grow to two seconds, and begin anew after a success", () => {
      const actor = told(recovered);
      const pause = () => (Object.values(actor.state.timers)[0]?.due ?? 0) - actor.now;
      const pauses = Array.from({ length: 8 }, () => {
        actor.tell(commitFailed);
        return pause();
      });
      expect(pauses).toEqual([50, 100, 200, 400, 800, 1_600, 2_000, 2_000]);
      actor.tell(committed);
      expect(actor.context<EngineContext>()).toMatchObject({ failures: 0, cause: null });
      actor.tell(commitFailed);
      expect(pause()).toBe(50);
    });
    test("the grace is the one that was asked for", () => {
      const actor = told(recovered, close);
      expect((Object.values(actor.state.timers)[0]?.due ?? 0) - actor.now).toBe(2_000);
    });
  });

  describeWalk<EngineContext>(chart, {
    input: fc.constant(undefined),
    told: fc
      .oneof(
        { weight: 3, arbitrary: fc.constant<EngineEvent>(recovered) },
        { weight: 6, arbitrary: fc.constantFrom<EngineEvent>(commitFailed, committed) },
        { weight: 1, arbitrary: fc.constantFrom<EngineEvent>(fenced, close, drained) },
      )
      .map((event) => () => event),
    invariants: {
      "it shuts down exactly once, at its end": ({ actor, state }) => actor.acts.filter((act) => act === "shutDown").length === (state === "stopped" ? 1 : 0),
      "it says why it is degraded": ({ context, state }) => state !== "degraded" || (context.cause !== null && context.failures > 0),
      "it is well while it runs": ({ context, state }) => state !== "running" || (context.cause === null && context.failures === 0),
    },
  });

  describeCoverage(chart);
});
