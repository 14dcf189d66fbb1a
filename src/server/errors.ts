import * as Schema from "effect/Schema";

/*
 * What the server itself refuses, before anything reaches the engine. As everywhere: one class per cause, with a
 * stable `code`, an HTTP `status`, and `retryable`.
 */

export class Unauthenticated extends Schema.TaggedError<Unauthenticated>()("Unauthenticated", { detail: Schema.String }) {
  readonly code = "unauthenticated";
  readonly status = 401;
  readonly retryable = false;
  override get message() {
    return `${this.detail}; send "Authorization: Bearer <token>" with a token of this server`;
  }
}

export class RoleMissing extends Schema.TaggedError<RoleMissing>()("RoleMissing", { caller: Schema.String, needs: Schema.String }) {
  readonly code = "role_missing";
  readonly status = 403;
  readonly retryable = false;
  override get message() {
    return `"${this.caller}" has no role "${this.needs}", which this request needs; use another token`;
  }
}

export class ForeignOrigin extends Schema.TaggedError<ForeignOrigin>()("ForeignOrigin", { origin: Schema.String }) {
  readonly code = "foreign_origin";
  readonly status = 403;
  readonly retryable = false;
  override get message() {
    return `requests of pages from ${this.origin} are refused; list it in the server's allowedOrigins if it is yours`;
  }
}

export class UnknownHost extends Schema.TaggedError<UnknownHost>()("UnknownHost", { host: Schema.String }) {
  readonly code = "unknown_host";
  readonly status = 421;
  readonly retryable = false;
  override get message() {
    return `this server is not ${this.host}; list that name in the server's allowedHosts if it is`;
  }
}

export class TooManyRequests extends Schema.TaggedError<TooManyRequests>()("TooManyRequests", { caller: Schema.String, retryAfterMs: Schema.Number }) {
  readonly code = "too_many_requests";
  readonly status = 429;
  readonly retryable = true;
  override get message() {
    return `too many requests of "${this.caller}"; the next one is taken in ${this.retryAfterMs} ms`;
  }
}

export class TooManySubscribers extends Schema.TaggedError<TooManySubscribers>()("TooManySubscribers", { subscribersMax: Schema.Number }) {
  readonly code = "too_many_subscribers";
  readonly status = 503;
  readonly retryable = true;
  override get message() {
    return `${this.subscribersMax} event streams are open, no more are; close some, or raise limits.subscribersMax`;
  }
}

/** A subscriber read more slowly than events came. It can go on from the id that it saw last. */
export class SlowReader extends Schema.TaggedError<SlowReader>()("SlowReader", { eventsMax: Schema.Number }) {
  readonly code = "slow_reader";
  readonly status = 503;
  readonly retryable = true;
  override get message() {
    return `${this.eventsMax} events waited to be read, the stream ends here; connect again with Last-Event-ID to go on`;
  }
}

export class BodyTooLarge extends Schema.TaggedError<BodyTooLarge>()("BodyTooLarge", { bytesMax: Schema.Number }) {
  readonly code = "body_too_large";
  readonly status = 413;
  readonly retryable = false;
  override get message() {
    return `a request has at most ${this.bytesMax} bytes; send several`;
  }
}

export class UrlTooLong extends Schema.TaggedError<UrlTooLong>()("UrlTooLong", { lengthMax: Schema.Number }) {
  readonly code = "url_too_long";
  readonly status = 414;
  readonly retryable = false;
  override get message() {
    return `path and query have at most ${this.lengthMax} characters`;
  }
}

export class UnsupportedBody extends Schema.TaggedError<UnsupportedBody>()("UnsupportedBody", { contentType: Schema.String }) {
  readonly code = "unsupported_body";
  readonly status = 415;
  readonly retryable = false;
  override get message() {
    return `the body is ${this.contentType === "" ? "of no type" : JSON.stringify(this.contentType)}; send "Content-Type: application/json" and JSON in UTF-8`;
  }
}

/** What was sent is not what the path takes. Lists every place. */
export class InvalidRequest extends Schema.TaggedError<InvalidRequest>()("InvalidRequest", { issues: Schema.Array(Schema.Struct({ path: Schema.String, detail: Schema.String })) }) {
  readonly code = "invalid_request";
  readonly status = 400;
  readonly retryable = false;
  override get message() {
    return this.issues.map(({ path, detail }) => (path === "" ? detail : `${path}: ${detail}`)).join("\n");
  }
}

export class UnknownPath extends Schema.TaggedError<UnknownPath>()("UnknownPath", { method: Schema.String, path: Schema.String }) {
  readonly code = "unknown_path";
  readonly status = 404;
  readonly retryable = false;
  override get message() {
    const hint = /^\/v1\/actors\/[^/]+\/[^/]+/.test(this.path) ? "; an address is one segment of a path: /v1/actors/order%2F42" : "";
    return `there is no ${this.method} ${this.path}${hint}; /openapi.json lists what there is`;
  }
}

export class MethodNotAllowed extends Schema.TaggedError<MethodNotAllowed>()("MethodNotAllowed", { method: Schema.String, allowed: Schema.Array(Schema.String) }) {
  readonly code = "method_not_allowed";
  readonly status = 405;
  readonly retryable = false;
  override get message() {
    return `${this.method} is not for this path, ${this.allowed.join(", ")} is`;
  }
}

/** The host serves an engine without this part. */
export class NotServed extends Schema.TaggedError<NotServed>()("NotServed", { part: Schema.String }) {
  readonly code = "not_served";
  readonly status = 501;
  readonly retryable = false;
  override get message() {
    return `this server has no ${this.part}; the host gives them to makeServer`;
  }
}

export class ServerClosing extends Schema.TaggedError<ServerClosing>()("ServerClosing", {}) {
  readonly code = "server_closing";
  readonly status = 503;
  readonly retryable = true;
  override get message() {
    return "the server is being shut down; try again when it is back";
  }
}

/** A worker speaks for a life that is over: another process has its place, it was away for too long, or the server is a new one. */
export class SessionOver extends Schema.TaggedError<SessionOver>()("SessionOver", { worker: Schema.String, detail: Schema.String }) {
  readonly code = "session_over";
  readonly status = 409;
  readonly retryable = false;
  override get message() {
    return `${this.worker}: ${this.detail}; register again, with what is still worked on`;
  }
}

/** A worker speaks of work that is not its own. */
export class ForeignAssignment extends Schema.TaggedError<ForeignAssignment>()("ForeignAssignment", { worker: Schema.String, assignment: Schema.String }) {
  readonly code = "foreign_assignment";
  readonly status = 403;
  readonly retryable = false;
  override get message() {
    return `"${this.assignment}" is no assignment of ${this.worker}; a worker speaks of its own alone`;
  }
}

/** Something that must not happen did. The reason stands in the server's log under `reference`, not here. */
export class InternalError extends Schema.TaggedError<InternalError>()("InternalError", { reference: Schema.String }) {
  readonly code = "internal_error";
  readonly status = 500;
  readonly retryable = false;
  override get message() {
    return `the server failed; its log tells why, under ${this.reference}`;
  }
}

/** The server may not listen like this. Lists everything that is wrong. */
export class UnsafeServer extends Schema.TaggedError<UnsafeServer>()("UnsafeServer", { problems: Schema.Array(Schema.String) }) {
  readonly code = "unsafe_server";
  readonly status = 400;
  readonly retryable = false;
  override get message() {
    return this.problems.join("\n");
  }
}
