import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type SupervisorContext, type SupervisorEvent, supervisor, supervisorActions } from "../../machines/supervisor.ts";
import { defaultSupervision, type Supervision } from "../../src/domain/supervision.ts";
import type { Actor } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, describeWalk, to } from "./table.ts";

const chart = new Chart(supervisor, supervisorActions);
const input = { supervises: "order/1" };
const failure = { name: "Error", message: "it threw" };

const actorFailed = (supervision: Partial<Supervision>, at = 0): SupervisorEvent => ({
  type: "ACTOR_FAILED",
  address: "order/1/pay",
  supervision: { ...defaultSupervision, ...supervision },
  failure,
  at,
});
const orders = (actor: Actor) => actor.commands.flatMap((command) => (command.type === "act" ? [[command.action, command.params]] : []));
const told = (...events: ReadonlyArray<SupervisorEvent>) => {
  const actor = chart.begin(input);
  for (const event of events) actor.tell(event);
  return actor;
};

describe("machines > supervisor", () => {
  describeTable<SupervisorEvent>(chart, {
    input,
    samples: { ACTOR_FAILED: actorFailed({}) },
    rows: { supervising: { way: [], on: { ACTOR_FAILED: (["resume", "stop", "restart", "escalate"] as const).map((strategy) => to("supervising", actorFailed({ strategy }))) } } },
  });

  describe("decision", () => {
    test.each([
      ["resume", {}, []],
      ["stop", {}, [["stopActor", { address: "order/1/pay" }]]],
      ["restart", { scope: "rest_for_one" }, [["restartActor", { address: "order/1/pay", scope: "rest_for_one" }]]],
      ["escalate", {}, [["escalateFailure", { address: "order/1/pay", failure }]]],
    ] as const)("%s is carried out and the failure is kept", (strategy, more, expected) => {
      const actor = told(actorFailed({ strategy, ...more }, 7));
      expect(orders(actor)).toEqual(expected);
      expect(actor.context<SupervisorContext>()).toMatchObject({ failures: 1, lastFailure: { address: "order/1/pay", failure, at: 7 } });
    });
    test("restarts beyond the intensity escalate, and the count begins anew", () => {
      const restart = { strategy: "restart", restartsMax: 2, withinMs: 1_000 } as const;
      const actor = told(...[0, 10, 20, 30].map((at) => actorFailed(restart, at)));
      expect(orders(actor).map(([order]) => order)).toEqual(["restartActor", "restartActor", "escalateFailure", "restartActor"]);
      expect(actor.context<SupervisorContext>().restarts).toEqual([30]);
    });
    test("restarts that are spread over time never escalate", () => {
      const restart = { strategy: "restart", restartsMax: 2, withinMs: 1_000 } as const;
      const actor = told(...Array.from({ length: 50 }, (_, index) => actorFailed(restart, index * 500)));
      expect(new Set(orders(actor).map(([order]) => order))).toEqual(new Set(["restartActor"]));
    });
    test("no restart is allowed when none is", () => {
      expect(orders(told(actorFailed({ strategy: "restart", restartsMax: 0 })))).toMatchObject([["escalateFailure", {}]]);
    });
  });

  const restartsMax = 3;
  describeWalk<SupervisorContext>(chart, {
    input: fc.constant(input),
    told: fc
      .record({
        strategy: fc.constantFrom<Supervision["strategy"]>("restart", "restart", "restart", "resume", "stop", "escalate"),
        restartsMax: fc.integer({ min: 0, max: restartsMax }),
        later: fc.nat(800),
      })
      .map(
        ({ later, ...supervision }) =>
          ({ lastFailure }: SupervisorContext) =>
            actorFailed({ ...supervision, withinMs: 1_000 }, (lastFailure?.at ?? 0) + later),
      ),
    invariants: {
      "at most restartsMax": ({ context }) => context.restarts.length <= restartsMax,
      "the moments of the restarts only grow": ({ context }) => context.restarts.every((moment, index) => index === 0 || moment >= (context.restarts[index - 1] ?? 0)),
      "each failure is counted": ({ actor, context }) => context.failures >= actor.acts.length,
    },
  });

  describeCoverage(chart);
});
