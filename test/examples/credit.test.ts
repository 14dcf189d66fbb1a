import { describe, expect } from "vitest";
import { assign, setup } from "xstate";
import { inThreeModes } from "../../src/testing/index.ts";
import { Journey, Service } from "./journey.ts";

/** After examples/workflow-credit-check: a decision of somebody else, waited for at most a quarter of an hour. */
const make = () => {
  const decide = new Service<{ decision: string; score: number }, { customer: string }>();
  const apply = new Service<{ application: string }, { customer: string }>();
  const reject = new Service<{ letter: string }, { customer: string }>();
  const credit = setup({
    types: { context: {} as { customer: string; check: { decision: string } | null }, input: {} as { customer: string } },
    actors: { decide: decide.logic, apply: apply.logic, reject: reject.logic },
    delays: { patience: 15 * 60 * 1000 },
    guards: { isYes: ({ context }) => context.check?.decision === "yes", isNo: ({ context }) => context.check?.decision === "no" },
  }).createMachine({
    id: "credit",
    context: ({ input }) => ({ customer: input.customer, check: null }),
    initial: "checking",
    states: {
      checking: {
        invoke: { src: "decide", input: ({ context }) => ({ customer: context.customer }), onDone: { target: "decided", actions: assign({ check: ({ event }) => event.output }) } },
        after: { patience: "overdue" },
      },
      decided: {
        always: [{ guard: "isYes", target: "applying" }, { guard: "isNo", target: "rejecting" }, { target: "rejecting" }],
      },
      applying: { invoke: { src: "apply", input: ({ context }) => ({ customer: context.customer }), onDone: "ended" } },
      rejecting: { invoke: { src: "reject", input: ({ context }) => ({ customer: context.customer }), onDone: "ended" } },
      ended: { type: "final" },
      overdue: {},
    },
  });
  return { credit, decide, apply, reject };
};

describe("examples > credit", () => {
  for (const decision of ["yes", "no", "perhaps"]) {
    inThreeModes(`the answer "${decision}" leads to its end`, async (bench) => {
      const { credit, decide, apply, reject } = make();
      const desk = await Journey.begin(bench, credit, { customer: "Ada" });
      await desk.wait("14 minutes");
      expect(await desk.answer(decide, { decision, score: 700 })).toMatchObject({ value: decision === "yes" ? "applying" : "rejecting", context: { check: { decision, score: 700 } } });
      await desk.wait("1 hour");
      const view = decision === "yes" ? await desk.answer(apply, { application: "1" }) : await desk.answer(reject, { letter: "1" });
      expect(view).toMatchObject({ value: "ended", status: "done" });
      expect(new Set(decide.asked.map(({ customer }) => customer))).toEqual(new Set(["Ada"]));
    });
  }

  inThreeModes("an answer that does not come in time is not heard any more", async (bench) => {
    const { credit, decide } = make();
    const desk = await Journey.begin(bench, credit, { customer: "Ada" });
    expect(await desk.wait("15 minutes")).toMatchObject({ value: "overdue" });
    expect(await desk.answer(decide, { decision: "yes", score: 1 })).toMatchObject({ value: "overdue", context: { check: null } });
  });
});
