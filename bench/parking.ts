import { assign, setup } from "xstate";

/** Waits for a month, or for a word. */
export const parking = setup({
  types: { input: {} as { note: string }, context: {} as { note: string; pings: number }, events: {} as { type: "PING" } },
  actions: { count: assign({ pings: ({ context }) => context.pings + 1 }) },
  delays: { month: 30 * 24 * 60 * 60 * 1000 },
}).createMachine({
  id: "parking",
  version: "1",
  description: "Waits for a month, or for a word.",
  context: ({ input }) => ({ note: input.note, pings: 0 }),
  initial: "parked",
  states: { parked: { on: { PING: { actions: "count" } }, after: { month: "over" } }, over: { type: "final" } },
});
