import { assign, setup } from "xstate";

/**
 * The end of a serving process: what runs may end within a budget; then it is handed back, and the process goes.
 *
 *   serving ──SIGNAL──▶ draining ──DRAINED, drainBudget, SIGNAL──▶ closing ──CLOSED──▶ over          closing ──closeBudget──▶ over
 *   serving ──STOPPED──▶ closing
 */
export interface ShutdownInput {
  /** Milliseconds from the signal in which everything has to be over. */
  readonly budgetMs: number;
}
export interface ShutdownContext extends ShutdownInput {
  /** Everything was closed in order. */
  readonly isClean: boolean;
}
export type ShutdownEvent =
  | { readonly type: "SIGNAL" }
  /** What ran has ended. */
  | { readonly type: "DRAINED" }
  /** Engine, workers and sockets are closed. */
  | { readonly type: "CLOSED" }
  /** The engine has stopped by itself: there is nothing to serve. */
  | { readonly type: "STOPPED" };

/** What the process does for this machine. */
export const shutdownActions = ["drain", "close", "exit"] as const;

/** Of the budget: the rest is for closing. */
const drainShare = 0.7;

export const shutdown = setup({
  types: { input: {} as ShutdownInput, context: {} as ShutdownContext, events: {} as ShutdownEvent },
  actions: { drain: () => {}, close: () => {}, exit: () => {}, recordClean: assign({ isClean: true }) },
  delays: { drainBudget: ({ context }) => Math.floor(context.budgetMs * drainShare), closeBudget: ({ context }) => Math.ceil(context.budgetMs * (1 - drainShare)) },
}).createMachine({
  id: "shutdown",
  meta: { senders: { SIGNAL: "the system", DRAINED: "the process", CLOSED: "the process", STOPPED: "the engine" } },
  version: "1",
  description: "The end of a serving process.",
  context: ({ input }) => ({ ...input, isClean: false }),
  initial: "serving",
  states: {
    serving: { description: "It works. No limit: it ends with a signal.", on: { SIGNAL: "draining", STOPPED: "closing" } },
    draining: {
      description: "Nothing new is taken or given out; what runs may end.",
      entry: "drain",
      on: { DRAINED: "closing", SIGNAL: "closing", STOPPED: "closing" },
      after: { drainBudget: "closing" },
    },
    closing: {
      description: "What still runs is handed back, to be run again; the journal is given up.",
      entry: "close",
      on: { CLOSED: { target: "over", actions: "recordClean" } },
      after: { closeBudget: "over" },
    },
    over: { type: "final", description: "The process goes.", entry: "exit" },
  },
});
