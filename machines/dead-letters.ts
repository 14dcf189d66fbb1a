import { assign, setup } from "xstate";

/**
 * Keeps who took dead letters. There is one, made when somebody first does: a letter that is gone can't say it, and
 * the actor that it was for may never have been there. Its history is the record; who did it stands there as `from`.
 */
export interface TakenLetterNote {
  readonly id: number;
  /** Whom it was for. */
  readonly address: string;
  /** The type of the event, or the name of the action that failed. */
  readonly type: string;
}

export interface DeadLettersContext {
  readonly requeued: number;
  readonly dropped: number;
}

/** What one turn took for one person. */
export type DeadLettersEvent =
  | { readonly type: "REQUEUED"; readonly letters: ReadonlyArray<TakenLetterNote>; readonly why?: string }
  | { readonly type: "DROPPED"; readonly letters: ReadonlyArray<TakenLetterNote>; readonly why?: string };

export const deadLetters = setup({
  types: { context: {} as DeadLettersContext, events: {} as DeadLettersEvent },
  actions: {
    countRequeued: assign({ requeued: ({ context, event }) => context.requeued + event.letters.length }),
    countDropped: assign({ dropped: ({ context, event }) => context.dropped + event.letters.length }),
  },
}).createMachine({
  id: "dead-letters",
  meta: { senders: { REQUEUED: "the engine", DROPPED: "the engine" } },
  version: "1",
  description: "Keeps who took which dead letters.",
  context: { requeued: 0, dropped: 0 },
  initial: "keeping",
  states: {
    keeping: {
      description: "Each entry of its history is what one turn took for one person. No limit: it is there for the next one.",
      on: { REQUEUED: { actions: "countRequeued" }, DROPPED: { actions: "countDropped" } },
    },
  },
});
