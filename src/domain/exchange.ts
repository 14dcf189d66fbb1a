import type { Verdict } from "./outbox.ts";

/** How the upstream is told where an assignment stands. Each comes with a number that only grows. */
export type AssignmentState = "offered" | "accepted" | "processing" | "waiting_for_capability" | "reply_requested" | "reply_sent" | "outcome_unknown" | "failed" | "lost_before_acceptance" | "expired";

/** States that only the broker itself may tell of. */
export const brokerStates: ReadonlySet<string> = new Set<AssignmentState>(["offered", "accepted", "reply_requested", "reply_sent", "outcome_unknown", "failed", "lost_before_acceptance", "expired"]);

/** Why a call of an endpoint was not carried out. */
export type RefusalCode =
  /** It is not accepted yet. */
  | "not_accepted"
  /** It is over: `state` says how. */
  | "assignment_over"
  /** This reply request id was used for other content. */
  | "reply_conflict"
  /** Another reply is being sent. */
  | "reply_pending"
  /** Whether the reply was sent is not known, and never will be. */
  | "outcome_unknown"
  | "connector_unavailable"
  | "reply_refused"
  /** Another process owns the endpoint. */
  | "not_owner"
  /** The endpoint has no connection, or another one. */
  | "not_attached"
  /** It is not one of this endpoint's assignments. */
  | "not_assigned"
  | "inbox_full";

/** A reply that an endpoint wants to be sent. */
export interface Reply {
  /** The endpoint's name for it: the same one again is the same reply. */
  readonly requestId: string;
  /** The hash of its content. */
  readonly fingerprint: string;
  readonly content: unknown;
}

/** What became of a reply; `retry` is a connector that could not be reached, so that nothing was sent. */
export type ReplyResult = Exclude<Verdict, { readonly verdict: "superseded" }>;

/** How long each thing may take, in milliseconds. */
export interface ExchangePolicy {
  /** From the offer to the acceptance. */
  readonly acceptanceTimeoutMs: number;
  /** From the acceptance, or the last failed reply, to the next reply. */
  readonly processingTimeoutMs: number;
  /** From the reply's request to the acknowledgement of the outside. */
  readonly acknowledgementTimeoutMs: number;
  /** Between two attempts to give a message back to a full inbox. */
  readonly returnRetryMs: number;
  /** How long what became of it is remembered. */
  readonly recordRetentionMs: number;
}
