import { assign, fromPromise, setup } from "xstate";

const receipt = setup({ types: { input: {} as { number: number }, output: {} as { number: number } } }).createMachine({
  id: "receipt",
  version: "1",
  description: "Written as soon as it is asked for.",
  context: ({ input }) => input,
  initial: "written",
  states: { written: { type: "final" } },
  output: ({ context }) => context as { number: number },
});

/** An activity, then a child, then its end: what a task of many systems consists of. */
export const errand = setup({
  types: { input: {} as { number: number }, context: {} as { number: number; result: number | null }, events: {} as { type: "HURRY" } },
  actors: { run: fromPromise(async ({ input }: { input: number }) => input + 1), receipt },
  actions: { record: assign({ result: ({ event }) => (event as unknown as { output: number }).output }) },
}).createMachine({
  id: "errand",
  version: "1",
  description: "An activity, then a child, then its end.",
  context: ({ input }) => ({ number: input.number, result: null }),
  initial: "running",
  states: {
    running: { invoke: { src: "run", input: ({ context }) => context.number, onDone: { target: "receipting", actions: "record" } }, on: { HURRY: {} } },
    receipting: { invoke: { src: "receipt", input: ({ context }) => ({ number: context.number }), onDone: "done" } },
    done: { type: "final" },
  },
});

export { receipt };
