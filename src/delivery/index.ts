export { type Answer, delivered, type DeliveryAttempt, type Destination, type Entry, refused, retry, unknownOutcome } from "./destination.ts";
export { DeliveryRefused, OutboxClosed, OutboxFull } from "./errors.ts";
export { type DeliverError, type Delivered, makeOutboxes, type OutboxOptions, outboxAddress, type Outboxes, outboxRef } from "./outboxes.ts";
export { type EntryView, entryView, listOutboxes, type OutboxView, outboxView } from "./operating.ts";
export { type Collected, postEntries, type PostStatement, postStatement } from "./posted.ts";
export { type InboxOptions, type Inboxes, inboxAddress, makeInboxes } from "./inboxes.ts";
export { type KnownObligations, makeObligations, type Obligations, type ObligationsOptions, obligationsAddress } from "./obligations.ts";
export { type HttpAnswer, httpDestination, type HttpOptions } from "./http.ts";
export type { Lookup, ResolvedAddress } from "./http-addresses.ts";
export {
  type InboxesInPromises,
  inPromises,
  type InPromises,
  type ObligationsInPromises,
  type OutboxesInPromises,
  makeInboxes as makeInboxesInPromises,
  makeObligations as makeObligationsInPromises,
  makeOutboxes as makeOutboxesInPromises,
} from "./promises.ts";
