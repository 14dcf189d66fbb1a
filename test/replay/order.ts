import { assign, fromPromise, raise, setup } from "xstate";

export interface OrderContext {
  readonly amount: number;
  readonly paid: number;
  readonly card: string;
  readonly receipt: string;
  readonly startedAt: number;
}

/** What of the machine another deploy may have made different. */
export interface Change {
  readonly isPaid?: (paid: number, amount: number) => boolean;
  readonly pay?: (context: OrderContext, amount: number) => Partial<OrderContext>;
  readonly context?: Partial<OrderContext>;
  /** What the action that is called on PAY writes besides. */
  readonly stamp?: () => number;
  readonly deliveryTime?: number;
  readonly version?: string;
}

/** An order that is paid, charged, delivered or overdue; with one thing changed. */
export const orderWith = ({ isPaid = (paid, amount) => paid >= amount, pay = ({ paid }, amount) => ({ paid: paid + amount }), context = {}, stamp, deliveryTime = 60_000, version }: Change = {}) =>
  setup({
    types: {
      input: {} as { readonly amount: number } | undefined,
      context: {} as OrderContext,
      events: {} as { type: "PAY"; amount: number; card?: string } | { type: "DELIVERED" } | { type: "CANCEL" },
    },
    actors: { charge: fromPromise(async ({ input }: { input: number }) => `charged ${input}`) },
    guards: { isPaid: ({ context }) => isPaid(context.paid, context.amount) },
    delays: { deliveryTime },
    actions: {
      pay: assign(({ context, event }) =>
        event.type === "PAY" ? { ...pay(context, event.amount), ...(event.card === undefined ? {} : { card: event.card }), ...(stamp === undefined ? {} : { startedAt: stamp() }) } : {},
      ),
      recordReceipt: assign({ receipt: (_, receipt: string) => receipt }),
      mail: () => {},
    },
  }).createMachine({
    id: "order",
    ...(version === undefined ? {} : { version }),
    context: ({ input }) => ({ amount: input?.amount ?? 10, paid: 0, card: "", receipt: "", startedAt: 0, ...context }),
    initial: "open",
    states: {
      open: {
        on: { PAY: { actions: ["pay", raise({ type: "CHECK" } as never)] }, CHECK: { guard: "isPaid", target: "charging" }, CANCEL: "cancelled" } as never,
      },
      charging: {
        invoke: {
          src: "charge",
          id: "charge",
          input: ({ context }) => context.amount,
          onDone: { target: "shipping", actions: { type: "recordReceipt", params: ({ event }) => event.output } },
          onError: "open",
        },
      },
      shipping: { entry: "mail", on: { DELIVERED: "delivered" }, after: { deliveryTime: "overdue" } },
      delivered: { type: "final" },
      overdue: { on: { DELIVERED: "delivered" } },
      cancelled: { type: "final" },
    },
  });

export const order = orderWith();
