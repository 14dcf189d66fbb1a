import * as Schema from "effect/Schema";

/** The outbox holds as many entries as it may, and its policy refuses new ones. Nothing was stored. */
export class OutboxFull extends Schema.TaggedError<OutboxFull>()("OutboxFull", { outbox: Schema.String, entriesMax: Schema.Number }) {
  readonly code = "outbox_full";
  readonly status = 429;
  readonly retryable = true;
  override get message() {
    return `the outbox "${this.outbox}" holds ${this.entriesMax} entries, no more are taken; add entries later, or raise entriesMax`;
  }
}

/** The outbox was closed. Nothing was stored. */
export class OutboxClosed extends Schema.TaggedError<OutboxClosed>()("OutboxClosed", { outbox: Schema.String }) {
  readonly code = "outbox_closed";
  readonly status = 409;
  readonly retryable = false;
  override get message() {
    return `the outbox "${this.outbox}" is closed; use another one`;
  }
}

/** The receiver does not want this entry, and never will. It is not kept. */
export class DeliveryRefused extends Schema.TaggedError<DeliveryRefused>()("DeliveryRefused", { outbox: Schema.String, key: Schema.String, reason: Schema.String }) {
  readonly code = "delivery_refused";
  readonly status = 422;
  readonly retryable = false;
  override get message() {
    return `the receiver of "${this.outbox}" refused "${this.key}": ${this.reason}; correct the entry and give it a new key`;
  }
}
