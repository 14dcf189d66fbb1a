import type { Failure } from "./json.ts";
import type { RetryPolicy } from "./retry.ts";

/** Where a task stands. While a worker has it: assigned, or running. */
export type TaskState = "waiting" | "queued" | "assigned" | "running" | "parked" | "verifying" | "backingOff" | "paused" | "done" | "failed" | "dead" | "cancelled" | "expired";

export const endedStates: ReadonlySet<TaskState> = new Set(["done", "failed", "dead", "cancelled", "expired"]);

/** In the order of a task's life. */
export const taskStates: ReadonlyArray<TaskState> = ["waiting", "queued", "assigned", "running", "parked", "verifying", "backingOff", "paused", "done", "failed", "dead", "cancelled", "expired"];

/** How one run of a task's work ended, as whoever carried it out says. */
export type RunOutcome =
  | "ok"
  | "error"
  | "timeout"
  /** Ended by force from outside. */
  | "killed"
  /** The worker's session was set back under it. */
  | "reset"
  /** The worker's session was removed under it. */
  | "deleted"
  | "unknown"
  | "maxTurnsExceeded"
  | "budgetExceeded"
  /** It ended without a result. */
  | "noResult"
  /** The stored session can't be loaded: the next run begins from the task's own input. Costs no retry. */
  | "resumeUnavailable";

export const runOutcomes: ReadonlyArray<RunOutcome> = ["ok", "error", "timeout", "killed", "reset", "deleted", "unknown", "maxTurnsExceeded", "budgetExceeded", "noResult", "resumeUnavailable"];

/** Which outcomes of a run are tried again, how often, and after which pauses. */
export interface TaskRetry extends RetryPolicy {
  /** Default: `error` and `timeout`. All others are final. */
  readonly outcomes: ReadonlyArray<RunOutcome>;
}

/** What a task has used, over all its runs. */
export interface Usage {
  readonly turns: number;
  readonly costUsd: number;
  readonly tokens: number;
  /** Milliseconds during which a worker had it. */
  readonly wallMs: number;
}

export const noUsage: Usage = { turns: 0, costUsd: 0, tokens: 0, wallMs: 0 };

/** What a task may use over all its runs; what is absent is not limited. Attempts are limited by `retry.attemptsMax`. */
export interface Budget {
  readonly turns?: number;
  readonly costUsd?: number;
  readonly tokens?: number;
  readonly wallMs?: number;
}

export const addUsage = (left: Usage, right: Partial<Usage>): Usage => ({
  turns: left.turns + (right.turns ?? 0),
  costUsd: left.costUsd + (right.costUsd ?? 0),
  tokens: left.tokens + (right.tokens ?? 0),
  wallMs: left.wallMs + (right.wallMs ?? 0),
});

/** What is left of a budget, nothing below zero. */
export const remainingOf = (budget: Budget, used: Usage): Budget => Object.fromEntries(Object.entries(budget).map(([name, max]) => [name, Math.max(0, max - used[name as keyof Usage])]));

/** The first part of a budget that is spent (`atLeast`) or exceeded, in words; nothing while it is kept. */
export const overspent = (budget: Budget, used: Usage, when: "spent" | "exceeded"): string | undefined => {
  for (const [name, max] of Object.entries(budget)) {
    const value = used[name as keyof Usage];
    if (when === "spent" ? value >= max : value > max) return `${value} of ${max} ${name}`;
  }
  return undefined;
};

/** What a worker says of its work at its end. It claims; whether it is so is for a verifier to see. */
export interface TaskReceipt {
  readonly status: "completed" | "blocked" | "failed";
  /** Null: not a word on verification. Empty: it says that nothing needs to be verified. */
  readonly verification: ReadonlyArray<unknown> | null;
  readonly summary?: string;
  readonly blockers?: ReadonlyArray<unknown>;
  readonly artifacts?: ReadonlyArray<unknown>;
}

/**
 * When somebody has to look at a success before it counts. `never`: it counts. `always`: somebody has to. `receipt`: by
 * the worker's receipt: completed with nothing to verify counts; without a receipt, or without a word on verification,
 * somebody has to look; `blocked` parks the task; `failed` fails it.
 */
export interface VerificationPolicy {
  readonly when: "never" | "always" | "receipt";
  /** After that a receipt that was seen and spoke of verification counts; else the task is parked with the reason. */
  readonly graceMs: number;
}

/** Who is told of the end of a task, and of its questions. A cancelled task is never told of. */
export interface NotificationPolicy {
  /** `never`: the result is filed, not delivered. `ifSignificant`: only when the worker says that one of `criteria` was met. Failures are delivered unless `never`. */
  readonly policy: "always" | "never" | "ifSignificant";
  readonly criteria: ReadonlyArray<string>;
  /** The outbox that delivers. */
  readonly outbox: string;
}

/** Who gave an order, and why. Stands in the task's history. */
export type Order = {
  readonly by: string;
  readonly why: string;
};

/** What a parked task waits for. */
export interface Question {
  /** The same id for an answer: one to an earlier question is refused. */
  readonly id: string;
  /** `input`: the worker asks. `verification`: nobody verified in time. `blocked`: the worker's receipt says so. */
  readonly about: "input" | "verification" | "blocked";
  readonly text: string;
  readonly data?: unknown;
}

/** What stands for a task that came to no good end, for whoever looks into it. */
export interface FailureArtifact {
  readonly task: string;
  readonly state: "failed" | "dead" | "expired";
  readonly failure: Failure;
  readonly attempts: number;
  readonly usage: Usage;
  readonly session: string | undefined;
  /** What the last run left. */
  readonly result: unknown;
}

/** What a task is, checked and with every default filled in. It holds for the task's life, also over a resumed session. */
export interface TaskEnvelope {
  readonly id: string;
  readonly kind: string;
  readonly queue: string;
  readonly input: unknown;
  readonly priority: number;
  readonly key?: string;
  readonly debounce?: { readonly ms: number; readonly maxMs?: number };
  readonly needs: ReadonlyArray<string>;
  readonly whenNeedFails: "cancel" | "ignore";
  /** Milliseconds since 1970. */
  readonly runAt?: number;
  readonly deadline?: number;
  readonly queueTimeoutMs?: number;
  readonly acceptanceTimeoutMs: number;
  readonly executionTimeoutMs: number;
  readonly heartbeatTimeoutMs?: number;
  readonly answerTimeoutMs: number;
  readonly retry: TaskRetry;
  /** How often its worker may be lost under it before the task itself counts as the cause. */
  readonly lossesMax: number;
  readonly budget: Budget;
  readonly verification: VerificationPolicy;
  readonly notification?: NotificationPolicy;
  readonly slots: number;
  readonly concurrencyKey?: string;
  readonly folder?: boolean;
  /** Its failure artifact is written to a file, too. */
  readonly filesArtifact?: boolean;
  readonly tags: ReadonlyArray<string>;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly traceparent?: string;
  readonly request?: string;
}

/** What a worker is given of a task for one attempt. */
export interface Work {
  readonly task: string;
  readonly kind: string;
  readonly input: unknown;
  readonly needs: ReadonlyArray<string>;
  /** What is left of it. */
  readonly budget: Budget;
  readonly executionTimeoutMs: number;
  readonly session: string | null;
  readonly question: Question | null;
  readonly answer: unknown;
  /** The name of its folder. */
  readonly folder: string | null;
  readonly traceparent?: string;
}

/** One attempt, when it is over: what its assignment came to. */
export interface Run {
  /** `asked`: it parks with a question. `lost`: its worker is gone. `interrupted`: the engine was closed. */
  readonly outcome: "succeeded" | "failed" | "timedOut" | "asked" | "cancelled" | "lost" | "interrupted" | "notAccepted";
  /** What the worker said, if it said something. */
  readonly reported: RunOutcome | null;
  readonly result: unknown;
  readonly failure: Failure | null;
  readonly receipt: TaskReceipt | null;
  /** In all; null where the worker did not say. */
  readonly usage: Partial<Usage> | null;
  readonly question: Question | null;
  readonly criteriaMet: ReadonlyArray<string>;
}

/** Whether an end of this kind is tried again. */
export const isRetried = ({ outcomes }: TaskRetry, { outcome, reported }: Run): boolean => outcomes.includes(outcome === "timedOut" ? "timeout" : (reported ?? "error"));

/** Where a run that ended well leads to. */
export const afterSuccess = ({ when }: VerificationPolicy, receipt: TaskReceipt | null): "done" | "verifying" | "parked" | "failed" => {
  if (when === "never") return "done";
  if (receipt?.status === "blocked") return "parked";
  if (receipt?.status === "failed") return "failed";
  return when === "receipt" && receipt?.verification?.length === 0 ? "done" : "verifying";
};

/** Whether the end of a task is told. `criteriaMet`: what its worker says of it. */
export const isNotable = ({ policy, criteria }: NotificationPolicy, criteriaMet: ReadonlyArray<string>): boolean =>
  policy === "always" || (policy === "ifSignificant" && criteria.some((criterion) => criteriaMet.includes(criterion)));
