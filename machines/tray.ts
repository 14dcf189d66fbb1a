import { assign, enqueueActions, setup } from "xstate";
import { actorRef } from "../src/domain/reference.ts";

/**
 * The broker's inbox: which messages no endpoint has, bounded. It gives out seats; the messages themselves are actors.
 * A message that finds no seat is refused, or kept by whoever has it.
 *
 *   open ──HOLD──▶ open: HELD, or FULL          open ──RELEASE──▶ open
 */
export interface TrayInput {
  readonly capacity: number;
}

export interface TrayContext {
  readonly capacity: number;
  /** Addresses of the messages, the oldest first. Invariant: each once; more than the capacity only after it was lowered. */
  readonly held: ReadonlyArray<string>;
  /** How often there was no room. */
  readonly refused: number;
}

export type TrayEvent =
  /** `by`: who asks for the message, and is answered. */
  | { readonly type: "HOLD"; readonly message: string; readonly by: string }
  | { readonly type: "RELEASE"; readonly message: string }
  /** The broker was opened with another capacity. */
  | { readonly type: "RESIZE"; readonly capacity: number };

export const tray = setup({
  types: { input: {} as TrayInput, context: {} as TrayContext, events: {} as TrayEvent },
  guards: {
    // One that is held already has its seat.
    seatIsFree: ({ context, event }) => event.type === "HOLD" && (context.held.length < context.capacity || context.held.includes(event.message)),
    holdsIt: ({ context, event }) => event.type === "RELEASE" && context.held.includes(event.message),
  },
  actions: {
    takeSeat: assign({ held: ({ context, event }) => (event.type === "HOLD" && !context.held.includes(event.message) ? [...context.held, event.message] : context.held) }),
    freeSeat: assign({ held: ({ context, event }) => (event.type === "RELEASE" ? context.held.filter((message) => message !== event.message) : context.held) }),
    countRefusal: assign({ refused: ({ context }) => context.refused + 1 }),
    answer: enqueueActions(({ event, enqueue }, { type }: { readonly type: "HELD" | "FULL" }) => {
      if (event.type === "HOLD") enqueue.sendTo(actorRef(event.by), { type });
    }),
    resize: assign({ capacity: ({ context, event }) => (event.type === "RESIZE" ? event.capacity : context.capacity) }),
  },
}).createMachine({
  id: "tray",
  meta: { senders: { HOLD: "message", RELEASE: "message", RESIZE: "the broker" } },
  version: "1",
  description: "The broker's bounded inbox: the messages that no endpoint has.",
  context: ({ input }) => ({ capacity: input.capacity, held: [], refused: 0 }),
  initial: "open",
  states: {
    open: {
      description: "No limit: it is there as long as the broker.",
      on: {
        HOLD: [{ guard: "seatIsFree", actions: ["takeSeat", { type: "answer", params: { type: "HELD" } }] }, { actions: ["countRefusal", { type: "answer", params: { type: "FULL" } }] }],
        // Whoever gives a seat back twice had it once.
        RELEASE: { guard: "holdsIt", actions: "freeSeat" },
        RESIZE: { actions: "resize" },
      },
    },
  },
});
