import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ClarificationContext, type ClarificationEvent, type ClarificationInput, type ClarificationOutput, clarification } from "../../machines/clarification.ts";
import { elapsed, type Stimulus } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, describeWalk, to } from "./table.ts";

const chart = new Chart(clarification, []);
const input: ClarificationInput = { question: "Which one?", deadlineMs: 60_000 };
const answer = { type: "ANSWER", answer: "the left one", by: "anna" } as const;
const withdraw = { type: "WITHDRAW", reason: "it was found out", by: "task/1" } as const;

describe("machines > clarification", () => {
  describeTable<ClarificationEvent>(chart, {
    input,
    samples: { ANSWER: answer, WITHDRAW: withdraw },
    rows: {
      open: { way: [], on: { ANSWER: to("answered", answer), WITHDRAW: to("withdrawn", withdraw) }, after: { deadline: to("expired", elapsed("deadline")) } },
      answered: { way: [answer], over: "the first answer counts" },
      expired: { way: [elapsed("deadline")], over: "it is too late" },
      withdrawn: { way: [withdraw], over: "nobody needs to know any more" },
    },
  });

  test("says what came of it, and who said so", () => {
    const outputOf = (...stimuli: ReadonlyArray<Stimulus>) => {
      const actor = chart.begin(input);
      for (const stimulus of stimuli) actor.tell(stimulus);
      return (actor.state.snapshot as { output?: ClarificationOutput }).output;
    };
    expect(outputOf(answer, { ...answer, answer: "the right one", by: "bert" })).toEqual({ outcome: "answered", answer: "the left one", by: "anna", reason: null });
    expect(outputOf({ type: "ANSWER", answer: "" })).toEqual({ outcome: "answered", answer: "", by: null, reason: null });
    expect(outputOf(elapsed("deadline"), answer)).toEqual({ outcome: "expired", answer: null, by: null, reason: null });
    expect(outputOf(withdraw, answer)).toEqual({ outcome: "withdrawn", answer: null, by: "task/1", reason: "it was found out" });
  });

  describeWalk<ClarificationContext>(chart, {
    input: fc.constant(input),
    told: fc.constantFrom<() => ClarificationEvent>(
      () => answer,
      () => withdraw,
    ),
    invariants: { "null unless it is answered": ({ state, context }) => (context.answer !== null) === (state === "answered") },
  });

  describeCoverage(chart);
});
