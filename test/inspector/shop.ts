import * as Schema from "effect/Schema";
import { assign, fromPromise, setup } from "xstate";
import { durable } from "../../src/index.ts";

/** Something to look at: an order with a child, a parallel part, a history state, deadlines, a question, and schemas. */
const payment = setup({
  types: { input: {} as { readonly amount: number }, context: {} as { readonly amount: number; readonly tries: number } },
  actors: { charge: fromPromise(async ({ input }: { input: number }) => ({ receipt: `r-${input}` })) },
  delays: { grace: 15 * 60 * 1000 },
}).createMachine({
  id: "payment",
  version: "1",
  description: "Takes the money of one order.",
  context: ({ input }) => ({ amount: input.amount, tries: 0 }),
  initial: "charging",
  states: {
    charging: {
      description: "The bank is asked.",
      invoke: { id: "charge", src: "charge", input: ({ context }) => context.amount, onDone: "paid", onError: "declined" },
      after: { grace: "declined" },
    },
    paid: { description: "The money is there.", type: "final" },
    declined: { description: "It could not be taken.", type: "final" },
  },
  output: ({ context }) => ({ amount: context.amount }),
});

interface OrderContext {
  readonly customer: string;
  readonly amount: number;
  readonly card: string;
  readonly notes: ReadonlyArray<string>;
  readonly address: { readonly city: string; readonly street: string };
}

export const order = (version = "1") =>
  setup({
    types: {
      input: {} as { readonly customer: string; readonly amount: number },
      context: {} as OrderContext,
      events: {} as
        | { readonly type: "APPROVE"; readonly by: string; readonly level: "normal" | "express"; readonly gift?: boolean | undefined }
        | { readonly type: "REJECT"; readonly reason: string }
        | { readonly type: "NOTE"; readonly text: string }
        | { readonly type: "PACKED" | "LABELLED" | "DELIVERED" | "HOLD" | "RESUME" | "BREAK" },
    },
    actors: { payment },
    guards: { isLarge: ({ context }) => context.amount >= 500 },
    actions: {
      addNote: assign({ notes: ({ context, event }) => (event.type === "NOTE" ? [...context.notes, event.text] : context.notes) }),
      recordApproval: assign({ notes: ({ context, event }) => (event.type === "APPROVE" ? [...context.notes, `approved by ${event.by}, ${event.level}`] : context.notes) }),
      breakDown: assign(() => {
        throw new Error("the printer is out of paper");
      }),
    },
    delays: { deliveryTime: 3 * 24 * 60 * 60 * 1000, approvalTime: 2 * 60 * 60 * 1000 },
  }).createMachine({
    id: "order",
    version,
    description: "An order, from the approval to the door.",
    context: ({ input }) => ({ customer: input.customer, amount: input.amount, card: "4111 1111 1111 1111", notes: [], address: { city: "Kiel", street: "Holtenauer Str. 1" } }),
    initial: "checking",
    on: { NOTE: { actions: "addNote" } },
    states: {
      checking: { description: "Small orders need nobody.", always: [{ guard: "isLarge", target: "awaitingApproval" }, { target: "paying" }] },
      awaitingApproval: {
        description: "Somebody has to look at a large order.",
        on: { APPROVE: { target: "paying", actions: "recordApproval" }, REJECT: "rejected" },
        after: { approvalTime: "rejected" },
      },
      paying: {
        description: "The payment runs as a child.",
        invoke: { id: "payment", src: "payment", input: ({ context }) => ({ amount: context.amount }), onDone: "fulfilling", onError: "rejected" },
      },
      fulfilling: {
        description: "Packing and labelling, side by side.",
        type: "parallel",
        on: { HOLD: "held", BREAK: { actions: "breakDown" } },
        states: {
          parcel: { description: "The goods.", initial: "open", states: { open: { description: "Not packed yet.", on: { PACKED: "closed" } }, closed: { description: "Packed.", type: "final" } } },
          label: {
            description: "The paper.",
            initial: "missing",
            states: { missing: { description: "Not printed yet.", on: { LABELLED: "printed" } }, printed: { description: "Printed.", type: "final" } },
          },
          before: { type: "history", history: "deep" },
        },
        onDone: "shipping",
      },
      held: { description: "Somebody asked for a pause; it goes on where it was.", on: { RESUME: "fulfilling.before" } },
      shipping: { description: "On its way.", on: { DELIVERED: "delivered" }, after: { deliveryTime: "overdue" } },
      ...(version === "1" ? {} : { returned: { description: "It came back.", on: { RESUME: "fulfilling" } } }),
      overdue: { description: "Late: somebody has to call.", on: { DELIVERED: "delivered" } },
      delivered: { description: "At the door.", type: "final" },
      rejected: { description: "It is not carried out.", type: "final" },
    },
  });

const text = Schema.NonEmptyString;
export const orderEvents = Schema.Union(
  Schema.Struct({ type: Schema.Literal("APPROVE"), by: text, level: Schema.Literal("normal", "express"), gift: Schema.optional(Schema.Boolean) }),
  Schema.Struct({ type: Schema.Literal("REJECT"), reason: text }),
  Schema.Struct({ type: Schema.Literal("NOTE"), text }),
  Schema.Struct({ type: Schema.Literal("PACKED", "LABELLED", "DELIVERED", "HOLD", "RESUME", "BREAK") }),
);

export const orderMachine = order();
export const nextOrderMachine = order("2");
export const shopMachines = [durable(orderMachine, { events: orderEvents, current: true }), durable(nextOrderMachine, { events: orderEvents })];

/** A counter: as many events as one likes, and nothing else. */
export const counter = setup({ types: { context: {} as { readonly count: number } }, actions: { count: assign({ count: ({ context }) => context.count + 1 }) } }).createMachine({
  id: "counter",
  version: "1",
  description: "Counts.",
  context: { count: 0 },
  initial: "even",
  states: {
    even: { description: "An even number of ticks.", on: { TICK: { target: "odd", actions: "count" } } },
    odd: { description: "An odd number of ticks.", on: { TICK: { target: "even", actions: "count" } } },
  },
});

/** A machine of an earlier version of the shop: nobody registers it any more. */
export const formerMachine = setup({}).createMachine({
  id: "coupon",
  version: "1",
  description: "A coupon.",
  initial: "valid",
  states: { valid: { description: "Can be used.", on: { USE: "used" } }, used: { description: "Was used.", type: "final" } },
});
