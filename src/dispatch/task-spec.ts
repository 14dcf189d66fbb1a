import type { Failure } from "../domain/json.ts";
import type { Backoff } from "../domain/retry.ts";
import type { Budget, FailureArtifact, NotificationPolicy, Order, Question, RunOutcome, TaskEnvelope, TaskReceipt, TaskState, Usage, VerificationPolicy } from "../domain/task.ts";

/** A task as it is submitted. Everything is checked and resolved before it is stored, and holds for its life. */
export interface TaskSpec {
  /** Default: made from `key` and a number, or at random. The same id again is the same task. */
  readonly id?: string;
  /** What is to be done: one of the declared kinds. Default "command". */
  readonly kind?: string;
  /** By the schema of the kind; what that returns is stored. */
  readonly input?: unknown;
  /** Default "default". */
  readonly queue?: string;
  /** Higher goes first; a task that waits gains on those above it, see `QueuePolicy.ageingMs`. Default 0. */
  readonly priority?: number;
  /** Names the work: while a task with this key has not ended, another one is suppressed and answered with that task's id. */
  readonly key?: string;
  /** With a key: the task waits until nobody submitted it for so long (`maxMs` at most); the last input counts. */
  readonly debounce?: { readonly ms: number; readonly maxMs?: number };
  /** Ids of tasks that must be done first; their results are handed to the worker. */
  readonly needs?: ReadonlyArray<string>;
  /** What it means that one of them was not done. `cancel` (the default): this one is cancelled. `ignore`: it goes ahead. */
  readonly whenNeedFails?: "cancel" | "ignore";
  /** Not before this moment, in milliseconds since 1970. */
  readonly runAt?: number;
  /** Not after this moment, in milliseconds since 1970: it expires, wherever it stands. */
  readonly deadline?: number;
  /** How long it may stand in the queue at a time. Absent: without limit. */
  readonly queueTimeoutMs?: number;
  readonly acceptanceTimeoutMs?: number;
  /** How long one attempt may run. Default: one hour. */
  readonly executionTimeoutMs?: number;
  /** An attempt that says nothing for so long has timed out. Absent: only the worker's own silence counts. */
  readonly heartbeatTimeoutMs?: number;
  /** How long a question may wait for its answer. Default: one day. */
  readonly answerTimeoutMs?: number;
  readonly retry?: { readonly outcomes?: ReadonlyArray<RunOutcome>; readonly attemptsMax?: number; readonly backoff?: Backoff; readonly jitter?: { readonly min: number; readonly max: number } };
  readonly budget?: Budget;
  readonly verification?: Partial<VerificationPolicy>;
  readonly notification?: Partial<NotificationPolicy>;
  /** Slots that it takes on its worker, and of all. Default 1. */
  readonly slots?: number;
  /** Tasks with the same key share `QueuePolicy.perKeyMax`, and take turns with other keys. */
  readonly concurrencyKey?: string;
  /** A folder of its own for each run: made before it, removed after it, kept while the task is parked. */
  readonly folder?: boolean;
  readonly tags?: ReadonlyArray<string>;
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
  /** The span that it belongs to, as W3C Trace Context writes it. It goes with the task to its workers and deliveries. */
  readonly traceparent?: string;
  /** Fingerprint of the request that submits it, where that has a key: what is submitted twice is compared by it. */
  readonly request?: string;
}

export { endedStates, type TaskState, taskStates } from "../domain/task.ts";

/** A task as it stands. */
export interface TaskView {
  readonly id: string;
  /** As it was resolved. */
  readonly spec: TaskEnvelope;
  readonly state: TaskState;
  /** As it is now. */
  readonly priority: number;
  /** Ids of tasks that it still waits for. */
  readonly needs: ReadonlyArray<string>;
  /** Attempts that were given to a worker; numbers them. */
  readonly attempts: number;
  /** Runs that ended badly and were counted against `retry.attemptsMax`. */
  readonly failures: number;
  readonly worker: string | undefined;
  readonly usage: Usage;
  readonly progress: unknown;
  /** The worker's session, as soon as it is known: the next run goes on with it. */
  readonly session: string | undefined;
  /** While it is parked: what it waits for. */
  readonly question: Question | undefined;
  readonly receipt: TaskReceipt | undefined;
  /** Who verified or rejected it, if somebody did. */
  readonly verdict: (Order & { readonly verified: boolean }) | undefined;
  /** Why it came to no good end, or why the last attempt failed. */
  readonly failure: Failure | undefined;
  readonly artifact: FailureArtifact | undefined;
  /** Of the last run that ended. */
  readonly result: unknown;
  /** When it moves by itself, in milliseconds since 1970. */
  readonly until: number | undefined;
  readonly createdAt: number;
  readonly at: number;
}

/** What the kind "command" is given: a program with its arguments, or a line for the shell. */
export type CommandLine = { readonly argv: ReadonlyArray<string> } | { readonly shell: string };
export interface CommandInput {
  readonly command: CommandLine;
  /** Absolute. Default: the folder of the process that submits it. */
  readonly cwd?: string;
  /** Added to the environment of the process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What a command left behind. */
export interface CommandResult {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The last bytes of each stream (at most 64 KiB). */
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
}
