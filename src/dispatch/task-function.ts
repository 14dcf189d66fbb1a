import type { Budget, Question, RunOutcome, TaskReceipt, Usage } from "../domain/task.ts";

/** What a function that carries out a task is given beside its input. */
export interface RunContext {
  readonly task: string;
  readonly attempt: number;
  readonly session: string | undefined;
  readonly question: Question | undefined;
  readonly answer: unknown;
  readonly needs: Readonly<Record<string, unknown>>;
  readonly budget: Budget;
  readonly folder: string | undefined;
  /** Where the trace of the task goes on, as W3C Trace Context writes it. */
  readonly traceparent: string | undefined;
  readonly heartbeat: () => void;
  readonly progress: (progress: unknown) => void;
  readonly usage: (usage: Partial<Usage>) => void;
  /** The session is stored at once; the next run gets it. */
  readonly sessionIs: (session: string) => void;
  readonly receipt: (receipt: TaskReceipt) => void;
  readonly criteriaMet: (...criteria: ReadonlyArray<string>) => void;
  /**
   * Parks the task: throws, so nothing that follows runs. The next run begins with the answer. `data` may say what the
   * answer looks like: a list of answers, `{ options }`, or `{ schema }` with its JSON schema.
   */
  readonly ask: (text: string, data?: unknown) => never;
  /** Ends the run with another outcome than `ok` or `error`: throws. */
  readonly end: (outcome: RunOutcome, message?: string) => never;
}

/** Carries out the tasks of one kind in this process. What it returns is the result; what it throws is an `error`. */
export type TaskFunction<Input = unknown> = (input: Input, signal: AbortSignal, context: RunContext) => unknown;
