import { assign, setup } from "xstate";

/**
 * A question that whoever does the work can't answer itself. It has a deadline, so that work which waits for it does not
 * wait for ever. The first answer counts.
 *
 *   open ──ANSWER──▶ answered          open ──deadline──▶ expired          open ──WITHDRAW──▶ withdrawn
 */
export interface ClarificationInput {
  readonly question: string;
  /** Answers that would do, for whoever is asked to choose from; others are taken too. */
  readonly options?: ReadonlyArray<string>;
  /** How long it may be open, in milliseconds. */
  readonly deadlineMs: number;
}

export interface ClarificationContext {
  readonly question: string;
  readonly options: ReadonlyArray<string>;
  readonly deadlineMs: number;
  /** Invariant: null unless it is answered. */
  readonly answer: string | null;
  /** Who answered or withdrew it. */
  readonly by: string | null;
  /** Why it was withdrawn. */
  readonly reason: string | null;
}

export type ClarificationEvent =
  | { readonly type: "ANSWER"; readonly answer: string; readonly by?: string }
  /** Nobody needs to know any more. */
  | { readonly type: "WITHDRAW"; readonly reason: string; readonly by?: string };

export interface ClarificationOutput {
  readonly outcome: "answered" | "expired" | "withdrawn";
  readonly answer: string | null;
  readonly by: string | null;
  readonly reason: string | null;
}

const outcomeOf = ({ answer, reason }: ClarificationContext): ClarificationOutput["outcome"] => (answer !== null ? "answered" : reason !== null ? "withdrawn" : "expired");

export const clarification = setup({
  types: { input: {} as ClarificationInput, context: {} as ClarificationContext, events: {} as ClarificationEvent, output: {} as ClarificationOutput },
  actions: {
    recordAnswer: assign(({ event }) => (event.type === "ANSWER" ? { answer: event.answer, by: event.by ?? null } : {})),
    recordWithdrawal: assign(({ event }) => (event.type === "WITHDRAW" ? { reason: event.reason, by: event.by ?? null } : {})),
  },
  delays: { deadline: ({ context }) => context.deadlineMs },
}).createMachine({
  id: "clarification",
  meta: { senders: { ANSWER: "whoever was asked", WITHDRAW: "whoever asked" } },
  version: "1",
  description: "A question with a deadline.",
  context: ({ input }) => ({ question: input.question, options: input.options ?? [], deadlineMs: input.deadlineMs, answer: null, by: null, reason: null }),
  initial: "open",
  states: {
    open: {
      description: "Waits for an answer until its deadline.",
      on: { ANSWER: { target: "answered", actions: "recordAnswer" }, WITHDRAW: { target: "withdrawn", actions: "recordWithdrawal" } },
      after: { deadline: "expired" },
    },
    // A second answer, or one that comes too late, finds it ended; its sender is told so.
    answered: { type: "final", description: "Somebody answered; the first answer counts." },
    expired: { type: "final", description: "Nobody answered in time." },
    withdrawn: { type: "final", description: "Nobody needs to know any more." },
  },
  output: ({ context }) => ({ outcome: outcomeOf(context), answer: context.answer, by: context.by, reason: context.reason }),
});
