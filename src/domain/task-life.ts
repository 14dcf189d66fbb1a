import type { Failure } from "./json.ts";
import type { Order, Question, Run, TaskEnvelope, TaskReceipt, Usage } from "./task.ts";

/** Why a worker is to give it back. */
export type Intent = "cancel" | "expire" | "overspend" | "pause";

/** What a task knows of itself. */
export interface TaskContext {
  readonly spec: TaskEnvelope;
  readonly priority: number;
  readonly needs: ReadonlyArray<string>;
  readonly dependents: ReadonlyArray<string>;
  /** What is left until its moment; 0: it has come. */
  readonly startDelayMs: number;
  /** Attempts that were given to a worker, also those it did not accept; numbers the assignments. */
  readonly assignments: number;
  /** Attempts that a worker began and that ended badly. Invariant: at most spec.retry.attemptsMax. */
  readonly failures: number;
  /** Invariant: at most spec.lossesMax + 1. */
  readonly losses: number;
  /** Attempts in a row that no worker accepted. */
  readonly refusals: number;
  readonly worker: string | null;
  readonly delayMs: number | null;
  readonly intent: Intent | null;
  /** The worker's session to go on with. */
  readonly session: string | null;
  /** The work folder in use. */
  readonly folder: string | null;
  readonly question: Question | null;
  readonly answer: unknown;
  readonly progress: unknown;
  /** Of the runs that are over, and of the present one. */
  readonly used: Usage;
  readonly using: Usage;
  /** The last run that is over. */
  readonly run: Pick<Run, "outcome" | "reported"> | null;
  readonly receipt: TaskReceipt | null;
  readonly verdict: (Order & { readonly verified: boolean }) | null;
  readonly criteriaMet: ReadonlyArray<string>;
  readonly failure: Failure | null;
  readonly result: unknown;
}
