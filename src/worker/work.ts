import type { Budget, Question, RunOutcome, TaskReceipt, Usage } from "../domain/task.ts";
import type { Failure } from "../domain/json.ts";

/** What the code that carries out a task is given beside its input. */
export interface Work {
  readonly task: string;
  readonly attempt: number;
  /** The session to go on with, if an earlier run told one. */
  readonly session: string | undefined;
  readonly question: Question | undefined;
  readonly answer: unknown;
  /** The results of the tasks that it needed, by id. */
  readonly needs: Readonly<Record<string, unknown>>;
  readonly budget: Budget;
  /** Where the trace of the task goes on, as W3C Trace Context writes it: the parent of whatever is traced here. */
  readonly traceparent: string | undefined;
  /** Aborted when the work is not wanted any more. */
  readonly signal: AbortSignal;
  readonly alive: () => void;
  readonly progress: (progress: unknown) => void;
  readonly usage: (usage: Partial<Usage>) => void;
  /** Stored at once; the next run gets it. */
  readonly sessionIs: (session: string) => void;
  readonly receipt: (receipt: TaskReceipt) => void;
  readonly criteriaMet: (...criteria: ReadonlyArray<string>) => void;
  /** Parks the task: throws, so nothing that follows runs. The next run begins with the answer. */
  readonly ask: (text: string, data?: unknown) => never;
  /** Ends the run with another outcome than `ok` or `error`: throws. */
  readonly end: (outcome: RunOutcome, message?: string) => never;
}

/** Carries out the tasks of one kind. What it returns is the result; what it throws is an `error`. */
export type WorkFunction = (input: never, work: Work) => unknown;

/** Thrown by `ask`. */
export class Asked extends Error {
  readonly text: string;
  readonly data: unknown;
  constructor(text: string, data: unknown) {
    super(text);
    this.name = "Asked";
    this.text = text;
    this.data = data;
  }
}

/** Thrown by `end`. */
export class EndedAs extends Error {
  readonly outcome: RunOutcome;
  constructor(outcome: RunOutcome, message: string) {
    super(message);
    this.name = "EndedAs";
    this.outcome = outcome;
  }
}

/** Why something failed, without the stack of the worker's code. */
export const failureOf = (error: unknown): Failure => {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { code } = error as { readonly code?: unknown };
  return { name: error.name, message: error.message, ...(typeof code === "string" ? { code } : {}) };
};
