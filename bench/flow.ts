import { assign, setup } from "xstate";

export type FlowEvent =
  | { readonly type: "PICK" }
  | { readonly type: "PACK"; readonly by: string }
  | { readonly type: "SHIP"; readonly carrier: string }
  | { readonly type: "DELIVER" }
  | { readonly type: "CLOSE" };

/** Five steps from order to closed: the work of the comparison with other engines. */
export const flow = setup({
  types: { input: {} as { customer: string }, context: {} as { customer: string; by: string | null; carrier: string | null; steps: number }, events: {} as FlowEvent },
  actions: {
    count: assign({ steps: ({ context }) => context.steps + 1 }),
    recordPacker: assign({ by: ({ event }) => (event.type === "PACK" ? event.by : null) }),
    recordCarrier: assign({ carrier: ({ event }) => (event.type === "SHIP" ? event.carrier : null) }),
  },
}).createMachine({
  id: "flow",
  version: "1",
  description: "Five steps from order to closed.",
  context: ({ input }) => ({ customer: input.customer, by: null, carrier: null, steps: 0 }),
  initial: "ordered",
  states: {
    ordered: { on: { PICK: { target: "picked", actions: "count" } } },
    picked: { on: { PACK: { target: "packed", actions: ["count", "recordPacker"] } } },
    packed: { on: { SHIP: { target: "shipped", actions: ["count", "recordCarrier"] } } },
    shipped: { on: { DELIVER: { target: "delivered", actions: "count" } } },
    delivered: { on: { CLOSE: { target: "closed", actions: "count" } } },
    closed: { type: "final" },
  },
});
