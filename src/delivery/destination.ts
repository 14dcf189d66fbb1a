import type * as Effect from "effect/Effect";
import type { Address } from "../domain/address.ts";
import type { Verdict } from "../domain/outbox.ts";

/** What a destination is given to deliver. */
export interface Entry {
  readonly outbox: Address;
  /** Stable through retries and restarts: hand it on as the idempotency key. */
  readonly key: string;
  readonly type: string;
  readonly lane: string;
  readonly payload: unknown;
  /** When it happened, in milliseconds since 1970; the same at every attempt. */
  readonly occurredAt: number;
}

export interface DeliveryAttempt {
  /** Counted from 1. */
  readonly attempt: number;
  /** Aborted when the attempt takes too long, or the outbox or the engine does not want it any more. */
  readonly signal: AbortSignal;
  /** Where the trace of the entry goes on, where somebody traces it; else what its payload carries counts. */
  readonly traceparent?: string;
}

/**
 * Takes one entry to where it belongs. Nothing said is `delivered`; what is thrown is tried again. It may be called more
 * than once for an entry: after a crash, and where an answer was lost.
 */
export type Destination = (entry: Entry, attempt: DeliveryAttempt) => Answer | PromiseLike<Answer> | Effect.Effect<Answer, unknown>;

// biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing has delivered
export type Answer = Verdict | void;

export const delivered: Verdict = { verdict: "delivered" };
/** The receiver does not want it, and never will. */
export const refused = (reason: string): Verdict => ({ verdict: "refused", reason });
/** Later; not before `afterMs` where the receiver said so. */
export const retry = (reason: string, afterMs?: number): Verdict => ({ verdict: "retry", reason, ...(afterMs === undefined ? {} : { afterMs }) });
/** The receiver may have got it, nobody knows. The outbox's policy says what then. */
export const unknownOutcome = (reason: string): Verdict => ({ verdict: "unknown", reason });
