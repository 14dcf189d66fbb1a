import * as Schema from "effect/Schema";

/** The message can't be taken as it is. Nothing was stored. */
export class InvalidMessage extends Schema.TaggedError<InvalidMessage>()("InvalidMessage", { detail: Schema.String }) {
  readonly code = "invalid_message";
  readonly status = 400;
  readonly retryable = false;
  override get message() {
    return `this is no message that the broker can take: ${this.detail}`;
  }
}

/** Nobody has the message, and the inbox has no room for it. */
export class InboxFull extends Schema.TaggedError<InboxFull>()("InboxFull", { messageId: Schema.String, inboxMax: Schema.Number }) {
  readonly code = "inbox_full";
  readonly status = 429;
  readonly retryable = true;
  override get message() {
    return `the inbox holds ${this.inboxMax} messages, there is no room for "${this.messageId}"; deliver it again later, or raise inboxMax`;
  }
}

/** There is no such message, or it is forgotten. */
export class UnknownMessage extends Schema.TaggedError<UnknownMessage>()("UnknownMessage", { messageId: Schema.String }) {
  readonly code = "unknown_message";
  readonly status = 404;
  readonly retryable = false;
  override get message() {
    return `there is no message "${this.messageId}" (any more)`;
  }
}

/** It was taken, assigned or ended by somebody else meanwhile. */
export class NotInInbox extends Schema.TaggedError<NotInInbox>()("NotInInbox", { messageId: Schema.String, state: Schema.String }) {
  readonly code = "not_in_inbox";
  readonly status = 409;
  readonly retryable = false;
  override get message() {
    return `the message "${this.messageId}" is ${this.state}, so this can't be done with it; look at the inbox`;
  }
}

/** The endpoint can't have this message; it stays in the inbox. */
export class TargetRefused extends Schema.TaggedError<TargetRefused>()("TargetRefused", { messageId: Schema.String, endpoint: Schema.String, reason: Schema.String }) {
  readonly code = "target_refused";
  readonly status = 409;
  readonly retryable = false;
  override get message() {
    return `the endpoint "${this.endpoint}" can't have the message "${this.messageId}" (${this.reason}); it stays in the inbox, choose another endpoint`;
  }
}

/** Nobody attached as this endpoint, or spawned it. */
export class UnknownEndpoint extends Schema.TaggedError<UnknownEndpoint>()("UnknownEndpoint", { endpoint: Schema.String }) {
  readonly code = "unknown_endpoint";
  readonly status = 404;
  readonly retryable = false;
  override get message() {
    return `there is no endpoint "${this.endpoint}"; attach or spawn it first`;
  }
}

/** The endpoint was retired: its id is not used again. */
export class EndpointRetired extends Schema.TaggedError<EndpointRetired>()("EndpointRetired", { endpoint: Schema.String }) {
  readonly code = "endpoint_retired";
  readonly status = 410;
  readonly retryable = false;
  override get message() {
    return `the endpoint "${this.endpoint}" was retired; use another id`;
  }
}

/** Another process owns the endpoint, and lives. */
export class NotOwner extends Schema.TaggedError<NotOwner>()("NotOwner", { endpoint: Schema.String, detail: Schema.String }) {
  readonly code = "not_owner";
  readonly status = 403;
  readonly retryable = false;
  override get message() {
    return `the endpoint "${this.endpoint}" is not this process's own: ${this.detail}`;
  }
}

/** The connection of this call is not the endpoint's any more. */
export class NotAttached extends Schema.TaggedError<NotAttached>()("NotAttached", { endpoint: Schema.String }) {
  readonly code = "not_attached";
  readonly status = 409;
  readonly retryable = true;
  override get message() {
    return `the endpoint "${this.endpoint}" is not attached with this connection; attach again, then repeat the call`;
  }
}

/** There is no such assignment, or it is forgotten. */
export class UnknownAssignment extends Schema.TaggedError<UnknownAssignment>()("UnknownAssignment", { assignment: Schema.String }) {
  readonly code = "unknown_assignment";
  readonly status = 404;
  readonly retryable = false;
  override get message() {
    return `there is no assignment "${this.assignment}" (any more)`;
  }
}

/** The assignment is another endpoint's. */
export class NotAssigned extends Schema.TaggedError<NotAssigned>()("NotAssigned", { assignment: Schema.String, endpoint: Schema.String }) {
  readonly code = "not_assigned";
  readonly status = 403;
  readonly retryable = false;
  override get message() {
    return `"${this.assignment}" is not an assignment of the endpoint "${this.endpoint}"`;
  }
}

/** The assignment is not accepted yet. */
export class NotAccepted extends Schema.TaggedError<NotAccepted>()("NotAccepted", { assignment: Schema.String }) {
  readonly code = "not_accepted";
  readonly status = 409;
  readonly retryable = false;
  override get message() {
    return `"${this.assignment}" is not accepted yet; accept it first`;
  }
}

/** The assignment is over, or was given back: its state says how. */
export class AssignmentOver extends Schema.TaggedError<AssignmentOver>()("AssignmentOver", { assignment: Schema.String, state: Schema.String, detail: Schema.String }) {
  readonly code = "assignment_over";
  readonly status = 410;
  readonly retryable = false;
  override get message() {
    return `"${this.assignment}" is ${this.state}, so this can't be done any more${this.detail === "" ? "" : ` (${this.detail})`}`;
  }
}

/** The reply request id was used for other content. */
export class ReplyConflict extends Schema.TaggedError<ReplyConflict>()("ReplyConflict", { assignment: Schema.String, requestId: Schema.String }) {
  readonly code = "reply_conflict";
  readonly status = 409;
  readonly retryable = false;
  override get message() {
    return `the reply request "${this.requestId}" of "${this.assignment}" was made with other content; give other content another request id`;
  }
}

/** Another reply of the assignment is being sent. */
export class ReplyPending extends Schema.TaggedError<ReplyPending>()("ReplyPending", { assignment: Schema.String }) {
  readonly code = "reply_pending";
  readonly status = 409;
  readonly retryable = true;
  override get message() {
    return `a reply of "${this.assignment}" is being sent; ask again when that has ended`;
  }
}

/** The reply may have been sent, nobody knows. It is not sent again. */
export class OutcomeUnknown extends Schema.TaggedError<OutcomeUnknown>()("OutcomeUnknown", { assignment: Schema.String, detail: Schema.String }) {
  readonly code = "outcome_unknown";
  readonly status = 504;
  readonly retryable = false;
  override get message() {
    return `whether the reply of "${this.assignment}" was sent is not known (${this.detail}); it is not sent again, ask its receiver`;
  }
}

/** The connector can not be reached, and nothing was sent. */
export class ConnectorUnavailable extends Schema.TaggedError<ConnectorUnavailable>()("ConnectorUnavailable", { assignment: Schema.String, detail: Schema.String }) {
  readonly code = "connector_unavailable";
  readonly status = 503;
  readonly retryable = true;
  override get message() {
    return `the reply of "${this.assignment}" was not sent, nobody takes it at the moment (${this.detail}); repeat it with the same request id`;
  }
}

/** The outside does not want this reply, and never will. */
export class ReplyRefused extends Schema.TaggedError<ReplyRefused>()("ReplyRefused", { assignment: Schema.String, reason: Schema.String }) {
  readonly code = "reply_refused";
  readonly status = 422;
  readonly retryable = false;
  override get message() {
    return `the reply of "${this.assignment}" was refused: ${this.reason}; send another one with another request id, or fail the assignment`;
  }
}

/** Only the broker tells of this state. */
export class ReservedState extends Schema.TaggedError<ReservedState>()("ReservedState", { state: Schema.String }) {
  readonly code = "reserved_state";
  readonly status = 400;
  readonly retryable = false;
  override get message() {
    return `an endpoint can't report the state "${this.state}"; it reports "processing" or "waiting_for_capability"`;
  }
}

/** No process came for this request. */
export class SpawnFailed extends Schema.TaggedError<SpawnFailed>()("SpawnFailed", { request: Schema.String, detail: Schema.String }) {
  readonly code = "spawn_failed";
  readonly status = 502;
  readonly retryable = true;
  override get message() {
    return `no endpoint came for the spawn request "${this.request}": ${this.detail}; spawn it again with another request id`;
  }
}

/** The connection to the broker is gone. */
export class ConnectionLost extends Schema.TaggedError<ConnectionLost>()("ConnectionLost", { detail: Schema.String }) {
  readonly code = "connection_lost";
  readonly status = 503;
  readonly retryable = true;
  override get message() {
    return `the connection to the broker is gone: ${this.detail}; connect and attach again, then repeat the call`;
  }
}
