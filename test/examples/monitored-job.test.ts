import { describe, expect } from "vitest";
import { assign, setup } from "xstate";
import { inThreeModes } from "../../src/testing/index.ts";
import { Journey, Service } from "./journey.ts";

/** After examples/workflow-monitor-job: a job elsewhere that is asked for every five seconds. */
const make = () => {
  const submit = new Service<{ uid: string }, { name: string }>();
  const look = new Service<{ status: string }, { uid: string | null }>();
  const report = new Service();
  const monitored = setup({
    types: { context: {} as { name: string; uid: string | null; status: string | null }, input: {} as { name: string } },
    actors: { submit: submit.logic, look: look.logic, report: report.logic },
  }).createMachine({
    id: "monitored",
    context: ({ input }) => ({ name: input.name, uid: null, status: null }),
    initial: "submitting",
    states: {
      submitting: { invoke: { src: "submit", input: ({ context }) => ({ name: context.name }), onDone: { target: "waiting", actions: assign({ uid: ({ event }) => event.output.uid }) } } },
      waiting: { after: { 5000: "looking" } },
      looking: { invoke: { src: "look", input: ({ context }) => ({ uid: context.uid }), onDone: { target: "deciding", actions: assign({ status: ({ event }) => event.output.status }) } } },
      deciding: {
        always: [{ guard: ({ context }) => context.status === "succeeded", target: "succeeded" }, { guard: ({ context }) => context.status === "failed", target: "failed" }, { target: "waiting" }],
      },
      succeeded: { invoke: { src: "report", onDone: "ended" } },
      failed: { invoke: { src: "report", onDone: "ended" } },
      ended: { type: "final" },
    },
  });
  return { monitored, submit, look, report };
};

describe("examples > monitored job", () => {
  for (const end of ["succeeded", "failed"]) {
    inThreeModes(`it is looked at every five seconds until it ${end}`, async (bench) => {
      const { monitored, submit, look, report } = make();
      const job = await Journey.begin(bench, monitored, { name: "backup" });
      await job.answer(submit, { uid: "j1" });
      for (const status of ["queued", "running", end]) {
        expect(await job.wait(4_999)).toMatchObject({ value: "waiting" });
        expect(await job.wait(1)).toMatchObject({ value: "looking" });
        await job.answer(look, { status });
      }
      expect(await job.wait(0)).toMatchObject({ value: end });
      expect(await job.answer(report, undefined)).toMatchObject({ value: "ended", status: "done", context: { uid: "j1", status: end } });
      expect(new Set(look.asked.map(({ uid }) => uid))).toEqual(new Set(["j1"]));
    });
  }
});
