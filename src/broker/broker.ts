import type * as Duration from "effect/Duration";
import type * as Effect from "effect/Effect";
import type { AssignmentState, Reply } from "../domain/exchange.ts";
import type { Answer } from "../delivery/index.ts";
import type { ExchangeMode, IncomingMessage } from "../domain/incoming.ts";
import type { Command } from "../domain/inbox.ts";
import type { Plugin, SendError, TimedOut } from "../engine/index.ts";
import type { JournalError } from "../journal/index.ts";
import type { Connection } from "./connection.ts";
import type * as errors from "./errors.ts";
import type { BrokerPolicy } from "./policy.ts";

/** What the host's connector is given to send. */
export interface OutgoingReply extends Reply {
  readonly assignment: string;
  /** The message that it answers. */
  readonly message: IncomingMessage;
}

/**
 * Sends a reply to the outside, once, and says what came of it: `delivered`, `refused(reason)` for good,
 * `retry(reason)` where surely nothing was sent. Whatever else happens (it throws, it is silent for too long, its
 * process ends) leaves the outcome unknown, and it is not called again for this reply.
 */
export type Connector = (reply: OutgoingReply, signal: AbortSignal) => Answer | PromiseLike<Answer>;

/** Starts a process that attaches as `endpoint` and names `request`. What it returns is kept. It may be called again after a crash. */
export type SpawnDriver = (request: SpawnRequest, signal: AbortSignal) => unknown;

export interface BrokerOptions {
  readonly connector: Connector;
  readonly driver?: SpawnDriver;
  /** Whether the process that owns an endpoint lives. Default: an owner that is a number is a process of this host; of others nothing is known, which counts as alive. */
  readonly isOwnerAlive?: (owner: string) => boolean | PromiseLike<boolean>;
  /** The name of the outbox that takes the states of assignments, and presence, to the upstream. */
  readonly outbox?: string;
  /** Control commands of the host's own, by their type. Each is carried out at least once; return when that is done. */
  readonly commands?: Readonly<Record<string, (payload: unknown, signal: AbortSignal) => unknown>>;
  readonly policy?: Partial<BrokerPolicy>;
}

/** Where a message is. */
export interface MessageView {
  readonly id: string;
  readonly state: "assigning" | "undispatched" | "dispatching" | "assigned" | "taken" | "refused" | "answered" | "unanswered" | "failed" | "expired" | "settled" | "closed" | "forgotten";
  /** The id of the endpoint that has it. */
  readonly endpoint: string | undefined;
  /** Its latest assignment. */
  readonly assignment: string | undefined;
  /** Why it lies in the inbox, or how it ended. */
  readonly reason: string | undefined;
  /** Who took it out of the inbox. */
  readonly holder: string | undefined;
  readonly preview: string;
  /** When it came, in milliseconds since 1970. */
  readonly at: number;
}

export interface AssignmentView {
  readonly assignment: string;
  readonly message: string;
  readonly endpoint: string;
  readonly state: AssignmentState | undefined;
  readonly sequence: number;
  readonly reason: string | undefined;
}

export interface EndpointView {
  readonly id: string;
  readonly state: "starting" | "active" | "reconnecting" | "lost" | "retired";
  readonly owner: string | undefined;
  /** Counts its processes. */
  readonly incarnation: number;
  readonly capabilities: ReadonlyArray<string>;
  readonly mode: ExchangeMode | undefined;
  readonly session: string | undefined;
  /** Assignments that it has. */
  readonly assignments: ReadonlyArray<string>;
  /** Assignments that are kept until it is back. */
  readonly buffered: ReadonlyArray<string>;
  readonly conversations: ReadonlyArray<string>;
}

/** Who attaches. */
export interface Hello {
  readonly endpoint: string;
  /** Names the process: whoever calls must be the one that attached. */
  readonly owner: string;
  readonly capabilities?: ReadonlyArray<string>;
  /** Default: `resident_endpoint`. */
  readonly mode?: ExchangeMode;
  readonly session?: string;
}

export interface SpawnRequest {
  /** Names the request: the same one again starts nothing new. */
  readonly request: string;
  readonly endpoint: string;
  /** What the driver needs to know. */
  readonly spec?: unknown;
}

export interface Standing {
  /** The state that the upstream was told last. */
  readonly state: AssignmentState;
  readonly sequence: number;
}

export type CallError =
  | errors.NotAttached
  | errors.NotOwner
  | errors.EndpointRetired
  | errors.UnknownAssignment
  | errors.NotAssigned
  | errors.NotAccepted
  | errors.AssignmentOver
  | errors.ReplyPending
  | SendError
  | JournalError
  | TimedOut;
export type ReplyError = CallError | errors.ReplyConflict | errors.OutcomeUnknown | errors.ConnectorUnavailable | errors.ReplyRefused;

/** What an endpoint says, as long as its connection lasts. Every call can be repeated: it is done once. */
export interface Session {
  readonly endpoint: string;
  readonly incarnation: number;
  /** Assignments that this endpoint had accepted before. */
  readonly accepted: ReadonlyArray<string>;
  readonly accept: (assignment: string) => Effect.Effect<Standing, CallError>;
  /** It does not want it: the message goes back to the inbox. */
  readonly refuse: (assignment: string, reason: string) => Effect.Effect<Standing, CallError>;
  /** Default state: `processing`. */
  readonly progress: (assignment: string, state?: string, note?: unknown) => Effect.Effect<Standing, CallError | errors.ReservedState>;
  readonly waitFor: (assignment: string, capability: string) => Effect.Effect<Standing, CallError>;
  /** Before the acceptance `retryable` gives the message back to the inbox. */
  readonly fail: (assignment: string, failure: { readonly reason: string; readonly retryable?: boolean }) => Effect.Effect<Standing, CallError>;
  /** Answers the message. The same request id with the same content is sent once, for as long as it is remembered. */
  readonly reply: (assignment: string, requestId: string, content: unknown) => Effect.Effect<Standing, ReplyError>;
  readonly heartbeat: () => Effect.Effect<void, SendError>;
  /** Goes away for a while: the same as a lost connection, at once. */
  readonly detach: () => Effect.Effect<void, CallError>;
}

export type BrokerError = SendError | JournalError | TimedOut;

/**
 * The broker of one engine: messages from outside find an endpoint, are accepted in time or given back, and are answered
 * at most once, whatever connections and processes do.
 */
export interface Broker extends Plugin {
  /** Takes a message, once by its id, and finds an endpoint for it. With `InboxFull` its sender has to deliver it again. */
  readonly receive: (message: IncomingMessage) => Effect.Effect<MessageView, errors.InvalidMessage | errors.InboxFull | BrokerError>;
  readonly message: (id: string) => Effect.Effect<MessageView, errors.UnknownMessage | BrokerError>;
  /** Messages that no endpoint has, the oldest first. */
  readonly inbox: (page?: { readonly offset?: number; readonly limit?: number }) => Effect.Effect<ReadonlyArray<MessageView>, BrokerError>;
  readonly dispatch: (
    message: string,
    endpoint: string,
  ) => Effect.Effect<MessageView, errors.UnknownMessage | errors.UnknownEndpoint | errors.EndpointRetired | errors.NotInInbox | errors.TargetRefused | BrokerError>;
  /** Takes a message out of the inbox, for `holder` to deal with. */
  readonly take: (message: string, holder: string) => Effect.Effect<MessageView, errors.UnknownMessage | errors.NotInInbox | BrokerError>;
  readonly putBack: (message: string) => Effect.Effect<MessageView, errors.UnknownMessage | errors.NotInInbox | errors.InboxFull | BrokerError>;
  /** Whoever took it has dealt with it. */
  readonly settle: (message: string, note?: string) => Effect.Effect<MessageView, errors.UnknownMessage | errors.NotInInbox | BrokerError>;
  readonly assignment: (assignment: string) => Effect.Effect<AssignmentView, errors.UnknownAssignment | BrokerError>;
  readonly endpoint: (id: string) => Effect.Effect<EndpointView, errors.UnknownEndpoint | BrokerError>;
  readonly endpoints: () => Effect.Effect<ReadonlyArray<EndpointView>, JournalError | BrokerError>;
  /** Whether others were told that it is there. */
  readonly isOnline: (endpoint: string) => Effect.Effect<boolean, errors.UnknownEndpoint | BrokerError>;
  readonly attach: (hello: Hello, connection: Connection) => Effect.Effect<Session, errors.NotOwner | errors.EndpointRetired | BrokerError>;
  readonly retire: (endpoint: string) => Effect.Effect<void, errors.UnknownEndpoint | BrokerError>;
  /** Asks the driver for a process. Answers when the request is stored. */
  readonly spawn: (request: SpawnRequest) => Effect.Effect<EndpointView, errors.NotOwner | errors.EndpointRetired | BrokerError>;
  /** Waits for the endpoint of a request. */
  readonly spawned: (request: string, options?: { readonly timeout?: Duration.DurationInput }) => Effect.Effect<EndpointView, errors.SpawnFailed | errors.UnknownEndpoint | BrokerError>;
  /** What was offered and not accepted goes back to the inbox, and connections are closed. Before the engine is closed. */
  readonly shutDown: () => Effect.Effect<void, BrokerError>;
  /** The handler of an inbox whose commands are messages: one is accepted once it is stored. */
  readonly deliveries: (command: Command, signal: AbortSignal) => Promise<void>;
  /** The handler of an inbox of control commands: each is carried out once by its request id, and then acknowledged once. */
  readonly control: (command: Command, signal: AbortSignal) => Promise<void>;
}
