import { checkNames } from "./names.ts";

/**
 * Every bound of the engine, once, with its unit, its default and its reason.
 * A host overrides single values; `checkLimits` proves the relations between them at start.
 */
export interface Limits {
  /** Bytes of one event, input or message as JSON. Above it a turn would stall the event loop for milliseconds. */
  readonly payloadBytesMax: number;
  /** Nesting of one JSON value. `JSON.stringify` overflows the stack near 10,000. */
  readonly payloadDepthMax: number;
  /** Bytes of one actor's stored state as JSON. */
  readonly stateBytesMax: number;
  /** Envelopes that wait for a turn. Above it senders are refused with `EngineBusy`. */
  readonly intakeMax: number;
  /** Reports that wait on top of these while the store refuses. Above it `report` throws `EngineBusy`. */
  readonly reportsMax: number;
  /** Calls that wait at the same time: `ask`, `waitFor` and `watch` together. */
  readonly waitersMax: number;
  /** Snapshots that wait for a watcher that is slower than its actor; beyond it the oldest are skipped, never the latest. */
  readonly watchedMax: number;
  /** Envelopes from the intake that one turn takes: bounds the time between two commits. */
  readonly turnEnvelopesMax: number;
  /** Actors of one `startAll` that are started in one transaction, all or none; more go in several. Longer than a turn, and asked for. */
  readonly startsTogetherMax: number;
  /** Messages between actors that one turn may step; the rest waits in the stored mailbox. */
  readonly turnMessagesMax: number;
  /** Messages that may wait in the stored mailbox. A flood of messages ends here instead of filling the disk. */
  readonly mailboxMax: number;
  /** Microsteps of one transition (`always` and `raise` loops end here instead of hanging). */
  readonly microstepsMax: number;
  /** Commands (messages, actions, timers, children) that one transition may ask for. */
  readonly commandsMax: number;
  /** Children that one actor may have at a time. */
  readonly childrenMax: number;
  /** Timers that one actor may have at a time. */
  readonly timersMax: number;
  /** Events that one actor may keep for a later state at a time. */
  readonly keptEventsMax: number;
  /** Levels of an address: an actor that a host started is on the first, its child on the second. */
  readonly addressDepthMax: number;
  /** Characters of the address of a child. */
  readonly addressLengthMax: number;
  /** Entries in the history of one actor. An actor that never ends must not fill the disk. */
  readonly historyMax: number;
  /** Custom actions that may be owed at the same time: stored with their transition, not ended yet. */
  readonly effectsMax: number;
  /** Dead letters that are kept. Beyond it the oldest are dropped: refusing would let one bad machine stop all others. */
  readonly deadLettersMax: number;
  /** How often the process may end on one thing that is delivered again after a crash; then it is a dead letter. At least 2. */
  readonly redeliveriesMax: number;
  /** Actors kept in memory; the coldest half is dropped above it and loaded again when needed. */
  readonly residentActorsMax: number;
  /** Due timers that the pump hands to one turn. */
  readonly dueTimersMax: number;
  /** Activities that run at the same time in this process. */
  readonly activitiesMax: number;
  /** Milliseconds that an owner may be silent before another engine may take the journal. */
  readonly leaseMs: number;
  /** Milliseconds between two renewals of the lease. Invariant: leaseMs > 3 × heartbeatMs. */
  readonly heartbeatMs: number;
  /** Milliseconds during which a repeated idempotency key is recognised. */
  readonly keyRetentionMs: number;
}

export const defaultLimits: Limits = {
  payloadBytesMax: 1024 * 1024,
  payloadDepthMax: 100,
  stateBytesMax: 4 * 1024 * 1024,
  intakeMax: 100_000,
  reportsMax: 100_000,
  waitersMax: 10_000,
  watchedMax: 1_000,
  turnEnvelopesMax: 1_000,
  startsTogetherMax: 10_000,
  turnMessagesMax: 10_000,
  mailboxMax: 1_000_000,
  microstepsMax: 1_000,
  commandsMax: 10_000,
  childrenMax: 1_000,
  timersMax: 1_000,
  keptEventsMax: 100,
  addressDepthMax: 256,
  addressLengthMax: 2_000,
  historyMax: 1_000_000,
  effectsMax: 100_000,
  deadLettersMax: 100_000,
  redeliveriesMax: 3,
  residentActorsMax: 20_000,
  dueTimersMax: 1_000,
  activitiesMax: 1_000,
  leaseMs: 10_000,
  heartbeatMs: 2_000,
  keyRetentionMs: 24 * 60 * 60 * 1000,
};

/** A transition asked for more than a limit allows. It is thrown, so that the actor does not move. */
export class BeyondLimit extends Error {
  readonly limit: keyof Limits;
  constructor(limit: keyof Limits, message: string) {
    super(`${message} (limit ${limit})`);
    this.name = "BeyondLimit";
    this.limit = limit;
  }
}

/** Returns what is wrong with `limits`, in words; an empty list means that they fit together. */
export const checkLimits = (limits: Limits): ReadonlyArray<string> => {
  const wrong = [...checkNames(limits, defaultLimits)];
  for (const name of Object.keys(defaultLimits) as ReadonlyArray<keyof Limits>) {
    const value = limits[name];
    if (!Number.isSafeInteger(value) || value <= 0) wrong.push(`${name} must be a positive whole number, got ${String(value)}`);
  }
  if (limits.leaseMs <= 3 * limits.heartbeatMs) wrong.push("leaseMs must be more than 3 × heartbeatMs, so that two lost renewals do not cost the journal");
  if (limits.redeliveriesMax < 2) wrong.push("redeliveriesMax must be at least 2: what was delivered together with the cause of a crash must be tried alone before it is given up");
  if (limits.stateBytesMax < limits.payloadBytesMax) wrong.push("stateBytesMax must be at least payloadBytesMax, so that a state can hold an event it received");
  return wrong;
};
