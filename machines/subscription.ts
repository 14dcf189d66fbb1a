import { setup } from "xstate";

/**
 * One subscriber of a server's event stream. It runs in memory: a connection is not worth more than its process.
 *
 *   live ──OVERFLOWED, SHUT_DOWN──▶ leaving ──READ, dropGrace──▶ over          live, leaving ──GONE──▶ over
 */
export interface SubscriptionInput {
  /** Milliseconds between two comments on a silent stream. */
  readonly heartbeatMs: number;
  /** Milliseconds in which the reader may still take the reason. */
  readonly dropGraceMs: number;
}

export type SubscriptionEvent =
  /** More events wait than may. */
  | { readonly type: "OVERFLOWED" }
  /** The server closes. */
  | { readonly type: "SHUT_DOWN" }
  /** The reader took everything that waited. */
  | { readonly type: "READ" }
  /** The connection is gone. */
  | { readonly type: "GONE" };

/** What the server does for this machine. */
export const subscriptionActions = ["comment", "tellSlowness", "tellClosing", "cut"] as const;

export const subscription = setup({
  types: { input: {} as SubscriptionInput, context: {} as SubscriptionInput, events: {} as SubscriptionEvent },
  actions: { comment: () => {}, tellSlowness: () => {}, tellClosing: () => {}, cut: () => {} },
  delays: { heartbeat: ({ context }) => context.heartbeatMs, dropGrace: ({ context }) => context.dropGraceMs },
}).createMachine({
  id: "subscription",
  meta: { senders: { OVERFLOWED: "the server", SHUT_DOWN: "the server", READ: "its reader", GONE: "its connection" } },
  version: "1",
  description: "One subscriber of an event stream.",
  context: ({ input }) => ({ ...input }),
  initial: "live",
  states: {
    live: {
      description: "It hears of everything. No limit: it ends with its connection, or when it reads too slowly.",
      // Whoever vanished without a word is noticed by what can't be written to them.
      after: { heartbeat: { target: "live", reenter: true, actions: "comment" } },
      on: {
        OVERFLOWED: { target: "leaving", actions: "tellSlowness" },
        SHUT_DOWN: { target: "leaving", actions: "tellClosing" },
        GONE: "over",
      },
    },
    leaving: {
      description: "It was told why the stream ends; nothing follows. A reader that does not even take that is cut off.",
      after: { dropGrace: "over" },
      on: {
        READ: "over",
        GONE: "over",
      },
    },
    over: { type: "final", description: "The connection is closed.", entry: "cut" },
  },
});
