export { type Answer, delivered, type DeliveryAttempt, type Destination, type Entry, refused, retry, unknownOutcome } from "./destination.ts";
export { DeliveryRefused, OutboxClosed, OutboxFull } from "./errors.ts";
export { type DeliverError, type Delivered, type EntryView, makeOutboxes, type OutboxOptions, outboxAddress, type Outboxes, outboxRef } from "./outboxes.ts";
export { type InboxOptions, type Inboxes, inboxAddress, makeInboxes } from "./inboxes.ts";
export { type KnownObligations, makeObligations, type Obligations, type ObligationsOptions, obligationsAddress } from "./obligations.ts";
export { type HttpAnswer, httpDestination, type HttpOptions } from "./http.ts";
export type { Lookup, ResolvedAddress } from "./http-addresses.ts";
export { inPromises, type InPromises, makeInboxes as makeInboxesInPromises, makeObligations as makeObligationsInPromises, makeOutboxes as makeOutboxesInPromises } from "./promises.ts";
