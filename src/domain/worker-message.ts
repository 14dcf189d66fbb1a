import type { Failure } from "./json.ts";
import type { Budget, Question, RunOutcome, TaskReceipt, Usage } from "./task.ts";

/*
 * What a remote worker and its server tell each other, as JSON: one message per WebSocket frame, or lists of them over
 * HTTP. docs/reference/worker-protocol.md says it for other languages.
 */

export const workerProtocol = "taskwright.worker.v1";

/** How a worker says who it is. */
export interface Registration {
  readonly type: "register";
  /** Stable over reconnections and restarts. */
  readonly id: string;
  /** One process of it: made anew at each start. */
  readonly owner: string;
  readonly kinds: ReadonlyArray<string>;
  readonly slots: number;
  /** How long it may be away before what it had goes back. */
  readonly graceMs?: number;
  /** The life that it had, where the same process comes back. */
  readonly incarnation?: number;
  /** What it still works on, as `assignment#attempt`. */
  readonly running?: ReadonlyArray<string>;
  /** The number of the last message of the server that it has. */
  readonly received?: number;
}

interface About {
  /** Counts the messages of this process, from 1; a repetition with the same number is done once. */
  readonly n: number;
  readonly assignment: string;
  readonly attempt: number;
  readonly incarnation: number;
}
/** What a worker says of one attempt. */
export type AttemptMessage =
  /** Begin only when this was acknowledged as `handled`: another worker may have it by now. */
  | (About & { readonly type: "accepted" })
  | (About & { readonly type: "declined"; readonly reason?: string })
  | (About & { readonly type: "alive" })
  | (About & { readonly type: "progress"; readonly progress: unknown })
  | (About & { readonly type: "usage"; readonly usage: Partial<Usage> })
  | (About & { readonly type: "session"; readonly session: string })
  | (About & { readonly type: "question"; readonly question: { readonly id?: string; readonly text: string; readonly data?: unknown } })
  | (About & {
      readonly type: "ended";
      readonly outcome: RunOutcome;
      readonly result?: unknown;
      readonly failure?: Failure;
      readonly receipt?: TaskReceipt;
      readonly usage?: Partial<Usage>;
      readonly criteriaMet?: ReadonlyArray<string>;
    });

export type FromWorker =
  | Registration
  | AttemptMessage
  /** It has all messages of the server up to this number. */
  | { readonly type: "received"; readonly received: number }
  | { readonly type: "heartbeat" }
  /** It goes for good: what it has goes back. Without it a closed connection is a short absence. */
  | { readonly type: "leave" };

export interface Registered {
  readonly type: "registered";
  /** The address of the worker's actor. */
  readonly worker: string;
  readonly incarnation: number;
  /** Of what it works on: what is not wanted any more. */
  readonly dropped: ReadonlyArray<string>;
  /** Milliseconds between two signs of life. */
  readonly heartbeatMs: number;
}

/** What a worker is asked to do. */
export interface OfferMessage {
  readonly type: "offer";
  readonly n: number;
  readonly assignment: string;
  readonly attempt: number;
  readonly incarnation: number;
  readonly task: string;
  readonly kind: string;
  readonly input: unknown;
  readonly budget: Budget;
  readonly executionTimeoutMs: number;
  readonly session?: string;
  readonly question?: Question;
  readonly answer?: unknown;
  /** The results of the tasks that it needed, by id. */
  readonly needs: Readonly<Record<string, unknown>>;
  /** Where the trace of the task goes on, as W3C Trace Context writes it. */
  readonly traceparent?: string;
}
export interface RevokeMessage {
  readonly type: "revoke";
  readonly n: number;
  readonly assignment: string;
  readonly attempt: number;
  readonly force: boolean;
}
/** Sent again until they were received. */
export type Told = OfferMessage | RevokeMessage;

export interface Ack {
  readonly type: "ack";
  readonly n: number;
  /** What became of it: `handled`, or `ignored`, `stale`, `ended` where it came too late. */
  readonly outcome: string;
}

export type FromServer =
  | Registered
  | Told
  | Ack
  /** The answer to a heartbeat. */
  | { readonly type: "heartbeat" }
  /** This life is over: what it runs is not wanted any more. Register again. */
  | { readonly type: "over"; readonly reason: string }
  | { readonly type: "refused"; readonly code: string; readonly detail: string; readonly retryable: boolean };
