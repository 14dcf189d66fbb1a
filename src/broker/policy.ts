import * as Schema from "effect/Schema";

/** The broker's times and bounds. Stored with each message and endpoint when it begins. Times in milliseconds. */
export const BrokerPolicy = Schema.Struct({
  /** From an offer to its acceptance; then the message goes back to the inbox. */
  acceptanceTimeoutMs: Schema.Positive,
  /** From the acceptance, or the last reply that was not sent, to the next reply; then the assignment expires. */
  processingTimeoutMs: Schema.Positive,
  /** From the request of a reply to the outside's acknowledgement; then its outcome is unknown. */
  acknowledgementTimeoutMs: Schema.Positive,
  /** Between two attempts to give a message back to an inbox that is full. */
  returnRetryMs: Schema.Positive,
  /** How long what became of a message, an assignment or a reply is remembered. */
  recordRetentionMs: Schema.Positive,
  /** How long a message may lie in the inbox; then it expires. */
  inboxTimeoutMs: Schema.Positive,
  /** Messages that the inbox holds. */
  inboxMax: Schema.Int.pipe(Schema.positive()),
  /** How long an endpoint may be without a connection; then it is lost. */
  graceMs: Schema.Positive,
  /** How long an endpoint may be silent on its connection. */
  heartbeatTimeoutMs: Schema.Positive,
  /** From the first word about an endpoint to its first connection. */
  startTimeoutMs: Schema.Positive,
  /** How long writing what was kept for an endpoint may take. */
  flushTimeoutMs: Schema.Positive,
  /** Assignments that an endpoint may have at a time. */
  slots: Schema.Int.pipe(Schema.positive()),
  /** Offers that are kept for an endpoint without a connection. */
  bufferMax: Schema.Int.pipe(Schema.positive()),
  /** Conversations that an endpoint is known to take part in; beyond it the oldest is forgotten. */
  conversationsMax: Schema.Int.pipe(Schema.positive()),
  /** How long an endpoint may be away before others are told. */
  presenceGraceMs: Schema.Positive,
  /** From a spawn request to the attachment of its endpoint. */
  spawnTimeoutMs: Schema.Positive,
});
export type BrokerPolicy = typeof BrokerPolicy.Type;

const day = 24 * 60 * 60 * 1000;

export const defaultBrokerPolicy: BrokerPolicy = {
  acceptanceTimeoutMs: 30_000,
  processingTimeoutMs: day,
  acknowledgementTimeoutMs: 30_000,
  returnRetryMs: 1_000,
  recordRetentionMs: day,
  inboxTimeoutMs: 7 * day,
  inboxMax: 1_000,
  graceMs: 30_000,
  heartbeatTimeoutMs: 15_000,
  startTimeoutMs: 60_000,
  flushTimeoutMs: 10_000,
  slots: 100,
  bufferMax: 100,
  conversationsMax: 100,
  presenceGraceMs: 10_000,
  spawnTimeoutMs: 60_000,
};
