import { describe, expect } from "vitest";
import { setup } from "xstate";
import { inThreeModes } from "../../src/testing/index.ts";
import { Journey, Service } from "./journey.ts";

interface Applicant {
  readonly name: string;
  readonly age: number;
}

/** After examples/workflow-applicant-request: who is of age is admitted, everybody else gets a letter. */
const make = () => {
  const admit = new Service();
  const sendLetter = new Service<void, { applicant: Applicant }>();
  const applicant = setup({
    types: { context: {} as { applicant: Applicant }, input: {} as { applicant: Applicant } },
    actors: { admit: admit.logic, sendLetter: sendLetter.logic },
    guards: { isOfAge: ({ context }) => context.applicant.age >= 18 },
  }).createMachine({
    id: "applicant",
    context: ({ input }) => ({ applicant: input.applicant }),
    initial: "checking",
    states: {
      checking: {
        on: {
          SUBMIT: [
            { target: "admitted", guard: "isOfAge", reenter: false },
            { target: "rejected", reenter: false },
          ],
        },
      },
      admitted: { invoke: { src: "admit", onDone: "ended", onError: "rejected" } },
      rejected: { invoke: { src: "sendLetter", input: ({ context }) => ({ applicant: context.applicant }), onDone: "ended" } },
      ended: { type: "final" },
    },
  });
  return { applicant, admit, sendLetter };
};

describe("examples > applicant", () => {
  inThreeModes("somebody of age is admitted", async (bench) => {
    const { applicant, admit } = make();
    const office = await Journey.begin(bench, applicant, { applicant: { name: "Ada", age: 18 } });
    expect(await office.send({ type: "SUBMIT" })).toMatchObject({ value: "admitted" });
    expect(await office.answer(admit, undefined)).toMatchObject({ value: "ended", status: "done" });
  });

  inThreeModes("somebody who is too young, or whose admission fails, gets a letter", async (bench) => {
    for (const age of [17, 18]) {
      const { applicant, admit, sendLetter } = make();
      const office = await Journey.begin(bench, applicant, { applicant: { name: "Bob", age } });
      await office.send({ type: "SUBMIT" });
      if (age >= 18) await office.refuse(admit, new Error("the office is closed"));
      expect(await office.answer(sendLetter, undefined)).toMatchObject({ value: "ended", status: "done" });
      expect(sendLetter.asked[0]).toEqual({ applicant: { name: "Bob", age } });
    }
  });
});
