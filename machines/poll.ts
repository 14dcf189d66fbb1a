import { setup } from "xstate";

/**
 * One long poll of a remote worker: it waits for something to be told, but not for ever.
 *
 *   waiting ──MESSAGE──▶ answered          waiting ──patience──▶ answered          waiting ──GONE──▶ over
 */
export interface PollInput {
  /** Milliseconds after which it is answered with nothing. */
  readonly waitMs: number;
}
export type PollEvent =
  /** There is something to tell. */
  | { readonly type: "MESSAGE" }
  /** Who asked is gone, or asks again. */
  | { readonly type: "GONE" };

/** What the server does for this machine. */
export const pollActions = ["answer"] as const;

export const poll = setup({
  types: { input: {} as PollInput, context: {} as PollInput, events: {} as PollEvent },
  actions: { answer: () => {} },
  delays: { patience: ({ context }) => context.waitMs },
}).createMachine({
  id: "poll",
  meta: { senders: { MESSAGE: "the server", GONE: "its connection" } },
  version: "1",
  description: "One long poll of a remote worker.",
  context: ({ input }) => ({ ...input }),
  initial: "waiting",
  states: {
    waiting: { description: "There is nothing to tell yet.", on: { MESSAGE: "answered", GONE: "over" }, after: { patience: "answered" } },
    answered: { type: "final", description: "It was answered with what there is.", entry: "answer" },
    over: { type: "final", description: "Nobody waits for the answer.", entry: "answer" },
  },
});
