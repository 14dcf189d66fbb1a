import type { Outboxes } from "../delivery/index.ts";
import type { Dispatcher } from "../dispatch/index.ts";
import type { EngineCore, LogEntry, Time } from "../engine/index.ts";
import type { Schedules } from "../orchestration/index.ts";
import type { Caller } from "./caller.ts";
import type { Gateway } from "./gateway.ts";
import type { ServerLimits } from "./limits.ts";
import type { Subscribers } from "./subscribers.ts";

/** What the handlers of the API work with. */
export interface Served {
  readonly engine: EngineCore;
  readonly outboxes: Outboxes | undefined;
  readonly dispatcher: Dispatcher | undefined;
  readonly schedules: Schedules | undefined;
  readonly gateway: Gateway | undefined;
  readonly subscribers: Subscribers;
  readonly limits: ServerLimits;
  readonly time: Time;
  readonly log: (entry: LogEntry) => void;
  /** Who sent a request, as the gate found out. */
  readonly callers: WeakMap<object, Caller>;
  /** When the server was made, in milliseconds since 1970. */
  readonly since: number;
  readonly isClosing: () => boolean;
  /** The text of `/metrics`. */
  readonly metrics: () => Promise<string>;
}
