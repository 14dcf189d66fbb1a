import { setup } from "xstate";

/**
 * Looks from time to time for ends and questions of tasks that their outbox did not take (it was full, or not there),
 * and has them delivered again. What an outbox took is not among them, so nothing is delivered twice by this.
 *
 *   resting ──interval, SWEEP──▶ sweeping ──SWEPT, sweepTimeout──▶ resting
 */
export const redeliveryActions = ["sweep"] as const;

export type RedeliveryEvent = { readonly type: "SWEEP" } | { readonly type: "SWEPT" };

export const redelivery = setup({
  types: { events: {} as RedeliveryEvent },
  actions: { sweep: () => {} },
  delays: { interval: 5 * 60 * 1000, sweepTimeout: 60_000 },
}).createMachine({
  id: "redelivery",
  meta: { senders: { SWEEP: "the dispatcher", SWEPT: "its sweep" } },
  version: "1",
  description: "Has undelivered ends and questions of tasks delivered again.",
  initial: "resting",
  states: {
    resting: { description: "Until the next round.", on: { SWEEP: "sweeping" }, after: { interval: "sweeping" } },
    sweeping: { description: "Looks for them.", entry: "sweep", on: { SWEPT: "resting" }, after: { sweepTimeout: "resting" } },
  },
});
