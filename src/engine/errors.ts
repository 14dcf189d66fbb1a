import * as Schema from "effect/Schema";
import { didYouMean } from "../domain/near.ts";

/*
 * One class per cause. Each has a stable `code`, an HTTP `status`, and `retryable`: whether the same call may succeed
 * later. Nothing of the refused call was stored unless the class says so.
 */

/** No machine of this id is registered. */
export class UnknownMachine extends Schema.TaggedError<UnknownMachine>()("UnknownMachine", { machine: Schema.String, known: Schema.Array(Schema.String) }) {
  readonly code = "unknown_machine";
  readonly status = 404;
  readonly retryable = false;
  override get message() {
    return `no machine "${this.machine}" is registered${didYouMean(this.machine, this.known)} (registered: ${this.known.join(", ") || "none"}); pass it in the engine's machines`;
  }
}

/** Nobody is at this address. */
export class UnknownActor extends Schema.TaggedError<UnknownActor>()("UnknownActor", { address: Schema.String }) {
  readonly code = "unknown_actor";
  readonly status = 404;
  readonly retryable = false;
  override get message() {
    return `there is no actor "${this.address}"; start it first`;
  }
}

/** This is no address, or one that belongs to the engine. */
export class InvalidAddress extends Schema.TaggedError<InvalidAddress>()("InvalidAddress", { address: Schema.String, detail: Schema.String }) {
  readonly code = "invalid_address";
  readonly status = 400;
  readonly retryable = false;
  override get message() {
    return `${JSON.stringify(this.address)} is no address to send to: ${this.detail}`;
  }
}

/** The event or input is not what may be sent: no string type, a reserved type, values JSON cannot carry, or refused by its schema. */
export class InvalidEvent extends Schema.TaggedError<InvalidEvent>()("InvalidEvent", {
  address: Schema.String,
  path: Schema.String,
  detail: Schema.String,
  /** Where it is the input of a start that is refused; `path` begins with it. */
  what: Schema.optionalWith(Schema.Literal("input"), { exact: true }),
}) {
  readonly code = "invalid_event";
  readonly status = 400;
  readonly retryable = false;
  override get message() {
    const path = this.what === undefined ? this.path : this.path.replace(/^input\.?/, "");
    return `the ${this.what ?? "event"} for "${this.address}" is refused: ${path === "" ? "" : `${path}: `}${this.detail}`;
  }
}

/** The event or input has more bytes than one may have. */
export class PayloadTooLarge extends Schema.TaggedError<PayloadTooLarge>()("PayloadTooLarge", { address: Schema.String, bytes: Schema.Number, bytesMax: Schema.Number }) {
  readonly code = "payload_too_large";
  readonly status = 413;
  readonly retryable = false;
  override get message() {
    return `the event for "${this.address}" has ${this.bytes} bytes as JSON, at most ${this.bytesMax} are taken; store the data elsewhere and send a reference, or raise limits.payloadBytesMax`;
  }
}

/** The machine threw. An event's attempt is in the history and the event among the dead letters; of a start nothing is stored. */
export class ActorFailed extends Schema.TaggedError<ActorFailed>()("ActorFailed", { address: Schema.String, event: Schema.String, detail: Schema.String, cause: Schema.optional(Schema.Defect) }) {
  readonly code = "actor_failed";
  readonly status = 422;
  readonly retryable = false;
  override get message() {
    if (this.event === "taskwright.start") return `"${this.address}" could not start: ${this.detail}; correct the machine, or give it the input that it needs`;
    return `"${this.address}" could not handle "${this.event}": ${this.detail}; correct the machine (an event that it refused is among the dead letters)`;
  }
}

/** The idempotency key was given with another event (or other tasks) before. Nothing was stored. */
export class KeyReused extends Schema.TaggedError<KeyReused>()("KeyReused", {
  address: Schema.String,
  key: Schema.String,
  event: Schema.String,
  /** The type of the event that the key was first given with. */
  first: Schema.String,
  /** The entry of the actor's history that has it. */
  seq: Schema.Number,
}) {
  readonly code = "key_reused";
  readonly status = 422;
  readonly retryable = false;
  override get message() {
    const key = `the key ${JSON.stringify(this.key)} was given with`;
    if (this.event === "taskwright.start")
      return `${key} another submission, which made "${this.address}"; nothing of this one is stored: give each submission a key of its own, and repeat one as it was`;
    const first = this.first === this.event ? `another "${this.first}"` : `"${this.first}"`;
    return `${key} ${first} for "${this.address}" (entry ${this.seq} of its history); this "${this.event}" is not stored: give each event a key of its own, and repeat one as it was`;
  }
}

/** No registered machine may go on with what is stored of this actor. Its row is left as it is. */
export class ActorParked extends Schema.TaggedError<ActorParked>()("ActorParked", {
  address: Schema.String,
  reason: Schema.Literal("unregistered", "newer", "misfit", "migration", "damaged"),
  detail: Schema.String,
}) {
  readonly code = "actor_parked";
  readonly status = 409;
  readonly retryable = false;
  override get message() {
    return `"${this.address}" is parked: ${this.detail}; ${parkedRemedies[this.reason]}`;
  }
}

/** What to do about a parked actor, by its reason. */
export const parkedRemedies = {
  unregistered: "register the machine that wrote it beside the present one, or give the present one a `migrate`",
  newer: "open the journal with the machines that wrote it, or newer ones",
  misfit: "undo that part of the change, or give the changed machine another version and a `migrate`",
  migration: "correct `migrate`, or register the version that wrote it",
  damaged: "register the machine that wrote it, or restore the journal from a backup",
} as const;

/** The state takes no such event yet, and the machine's options say that its sender is to know. Nothing was stored. */
export class EventRefused extends Schema.TaggedError<EventRefused>()("EventRefused", { address: Schema.String, event: Schema.String, detail: Schema.String }) {
  readonly code = "event_refused";
  readonly status = 409;
  readonly retryable = true;
  override get message() {
    return `"${this.address}" refuses "${this.event}": ${this.detail}; send it again when the actor has gone on`;
  }
}

const waiters = {
  intakeMax: "events wait for a turn",
  mailboxMax: "messages wait in the stored mailbox",
  effectsMax: "custom actions are owed",
  waitersMax: "callers wait for an answer or a state",
  reportsMax: "reports wait for the store",
} as const;

/** Too much of something waits already. `limit` names the limit that was reached; the event was not stored. */
export class EngineBusy extends Schema.TaggedError<EngineBusy>()("EngineBusy", {
  waiting: Schema.Number,
  waitingMax: Schema.Number,
  limit: Schema.Literal("intakeMax", "mailboxMax", "effectsMax", "waitersMax", "reportsMax"),
}) {
  readonly code = "engine_busy";
  readonly status = 429;
  readonly retryable = true;
  override get message() {
    return `${this.waiting} ${waiters[this.limit]}, at most ${this.waitingMax} may; try again later, or raise limits.${this.limit}`;
  }
}

/** The actor has as many history entries as one may have. It is left as it is: nothing is added, its deadlines rest. */
export class HistoryFull extends Schema.TaggedError<HistoryFull>()("HistoryFull", { address: Schema.String, entries: Schema.Number, entriesMax: Schema.Number }) {
  readonly code = "history_full";
  readonly status = 409;
  readonly retryable = false;
  override get message() {
    return `"${this.address}" has ${this.entries} history entries, at most ${this.entriesMax} are kept; go on with a new actor, or raise limits.historyMax`;
  }
}

/** Why something is among the dead letters although nothing threw: the process ended whenever it was delivered. */
export class PoisonEvent extends Schema.TaggedError<PoisonEvent>()("PoisonEvent", { address: Schema.String, event: Schema.String, ended: Schema.Number }) {
  readonly code = "poison_event";
  readonly status = 422;
  readonly retryable = false;
  override get message() {
    return `the process ended ${this.ended} times while "${this.address}" was given "${this.event}" again after a crash; correct the machine or the action, then requeue it`;
  }
}

/** Some of these dead letters are not there (any more); none of them was touched. */
export class UnknownDeadLetter extends Schema.TaggedError<UnknownDeadLetter>()("UnknownDeadLetter", { ids: Schema.Array(Schema.Number) }) {
  readonly code = "unknown_dead_letter";
  readonly status = 404;
  readonly retryable = false;
  override get message() {
    return `there ${this.ids.length === 1 ? "is no dead letter" : "are no dead letters"} ${this.ids.join(", ")}; list those that there are. Who took which stands in the history of dead-letters/taken`;
  }
}

/** The store refuses at the moment. The event was not stored. */
export class EngineDegraded extends Schema.TaggedError<EngineDegraded>()("EngineDegraded", { detail: Schema.String, reason: Schema.String, cause: Schema.optional(Schema.Defect) }) {
  readonly code = "engine_degraded";
  readonly status = 503;
  readonly retryable = true;
  override get message() {
    return `nothing can be stored at the moment: ${this.detail}; the engine tries again by itself, send again later`;
  }
}

/** The engine closes, was closed, or lost its journal. */
export class EngineClosed extends Schema.TaggedError<EngineClosed>()("EngineClosed", { detail: Schema.String }) {
  readonly code = "engine_closed";
  readonly status = 503;
  readonly retryable = false;
  override get message() {
    return `the engine takes no more work: ${this.detail}`;
  }
}

/** A question was not answered, or a state not reached, in time. */
export class TimedOut extends Schema.TaggedError<TimedOut>()("TimedOut", { address: Schema.String, what: Schema.String, ms: Schema.Number }) {
  readonly code = "timed_out";
  readonly status = 504;
  readonly retryable = true;
  override get message() {
    return `"${this.address}": ${this.what} within ${this.ms} ms`;
  }
}

/** A machine can't be made durable, or the options don't fit together. Lists everything that is wrong. */
export class InvalidOptions extends Schema.TaggedError<InvalidOptions>()("InvalidOptions", { problems: Schema.Array(Schema.String) }) {
  readonly code = "invalid_options";
  readonly status = 400;
  readonly retryable = false;
  override get message() {
    return this.problems.join("\n");
  }
}

export type SendError =
  | UnknownMachine
  | UnknownActor
  | InvalidAddress
  | InvalidEvent
  | PayloadTooLarge
  | ActorFailed
  | ActorParked
  | EventRefused
  | KeyReused
  | HistoryFull
  | EngineBusy
  | EngineDegraded
  | EngineClosed;

/** Nobody will answer: the state at that moment takes no such event, or the actor is final. */
export class Unanswered extends Schema.TaggedError<Unanswered>()("Unanswered", { address: Schema.String, event: Schema.String, outcome: Schema.String }) {
  readonly code = "unanswered";
  readonly status = 422;
  readonly retryable = false;
  override get message() {
    return `"${this.address}" will not answer "${this.event}": the event was ${this.outcome}`;
  }
}
