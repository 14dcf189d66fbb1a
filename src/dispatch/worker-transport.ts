import type { Failure } from "../domain/json.ts";
import type { Budget, Question, RunOutcome, TaskReceipt, Usage } from "../domain/task.ts";

/** What a worker is asked to do. */
export interface Offer {
  readonly worker: string;
  /** The life of the worker that has the slot; a later one must not begin it. */
  readonly incarnation: number;
  /** The address that reports go to. */
  readonly assignment: string;
  readonly attempt: number;
  readonly task: string;
  readonly kind: string;
  readonly input: unknown;
  /** What is left of the budget. */
  readonly budget: Budget;
  readonly executionTimeoutMs: number;
  /** The session to go on with; without it the run begins from `input`. */
  readonly session: string | undefined;
  readonly question: Question | undefined;
  readonly answer: unknown;
  /** The results of the tasks that it needed, by id. */
  readonly needs: Readonly<Record<string, unknown>>;
  readonly folder: string | undefined;
  /** Where the trace of its task goes on, as W3C Trace Context writes it. */
  readonly traceparent?: string;
}
export interface Revocation {
  readonly worker: string;
  readonly incarnation: number;
  readonly assignment: string;
  readonly attempt: number;
  /** Politely first; by force when the grace is over. */
  readonly force: boolean;
}

interface Fence {
  readonly attempt: number;
  readonly incarnation: number;
}
/** What a worker says of one attempt. Of an earlier attempt or life it is recorded, and not applied. */
export type AttemptReport =
  | (Fence & { readonly type: "ACCEPTED" })
  | (Fence & { readonly type: "DECLINED"; readonly reason?: string })
  /** Alive, though there is nothing to tell. */
  | (Fence & { readonly type: "HEARTBEAT" })
  | (Fence & { readonly type: "PROGRESS"; readonly progress: unknown })
  /** What this attempt has used so far, in all: a repetition counts once. */
  | (Fence & { readonly type: "USAGE"; readonly usage: Partial<Usage> })
  | (Fence & { readonly type: "SESSION"; readonly session: string })
  /** The last word of an attempt: it parks. */
  | (Fence & { readonly type: "QUESTION"; readonly question: Omit<Question, "id" | "about"> & { readonly id?: string } })
  /** The last word of an attempt. */
  | (Fence & {
      readonly type: "ENDED";
      readonly outcome: RunOutcome;
      readonly result?: unknown;
      readonly failure?: Failure;
      readonly receipt?: TaskReceipt;
      readonly usage?: Partial<Usage>;
      /** Which criteria of the notification policy were met. */
      readonly criteriaMet?: ReadonlyArray<string>;
    });
/** What is said of a worker as a whole. */
export type WorkerReport = { readonly incarnation: number } & (
  | { readonly type: "READY" }
  | { readonly type: "HEARTBEAT" }
  /** Its connection is gone; it may come back within its grace. */
  | { readonly type: "DETACHED"; readonly reason: string }
  /** It is gone for good, with all that it had. */
  | { readonly type: "LOST"; readonly reason: string }
);

/** Where reports go: an attempt's to the offer's `assignment`, a worker's to its address. */
export type Report = (address: string, report: AttemptReport | WorkerReport) => void;

/**
 * How the workers of one kind of place are reached: functions in this process, child processes, a connection. It
 * carries out what the machines ask for and tells what it sees; it decides nothing.
 */
export interface WorkerTransport {
  /** From now on requests count and reports are heard. Requests before it are leftovers of an earlier process. */
  readonly attach: (report: Report) => void;
  /** A life of a worker begins: `READY` with this incarnation says that it is there. Absent: workers connect by themselves. */
  readonly start?: (worker: string, incarnation: number) => void;
  /** Its life is over, with all that it runs. */
  readonly stop: (worker: string) => void;
  readonly offer: (offer: Offer) => void;
  readonly revoke: (revocation: Revocation) => void;
  /** Ends everything; nothing is reported any more. */
  readonly endAll: () => Promise<void>;
}
