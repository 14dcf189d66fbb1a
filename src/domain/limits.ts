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
  /** Envelopes from the intake that one turn takes: bounds the time between two commits. */
  readonly turnEnvelopesMax: number;
  /** Messages between actors that one turn may step; the rest waits in the stored mailbox. */
  readonly turnMessagesMax: number;
  /** Microsteps of one transition (`always` and `raise` loops end here instead of hanging). */
  readonly microstepsMax: number;
  /** Children that one actor may have at a time. */
  readonly childrenMax: number;
  /** Timers that one actor may have at a time. */
  readonly timersMax: number;
  /** Events that one actor may keep for a later state at a time. */
  readonly keptEventsMax: number;
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
  turnEnvelopesMax: 1_000,
  turnMessagesMax: 10_000,
  microstepsMax: 1_000,
  childrenMax: 1_000,
  timersMax: 1_000,
  keptEventsMax: 100,
  residentActorsMax: 20_000,
  dueTimersMax: 1_000,
  activitiesMax: 1_000,
  leaseMs: 10_000,
  heartbeatMs: 2_000,
  keyRetentionMs: 24 * 60 * 60 * 1000,
};

/** Returns what is wrong with `limits`, in words; an empty list means that they fit together. */
export const checkLimits = (limits: Limits): ReadonlyArray<string> => {
  const wrong: Array<string> = [];
  for (const [name, value] of Object.entries(limits)) {
    if (!Number.isSafeInteger(value) || value <= 0) wrong.push(`${name} must be a positive whole number, got ${String(value)}`);
  }
  if (limits.leaseMs <= 3 * limits.heartbeatMs) wrong.push("leaseMs must be more than 3 × heartbeatMs, so that two lost renewals do not cost the journal");
  if (limits.stateBytesMax < limits.payloadBytesMax) wrong.push("stateBytesMax must be at least payloadBytesMax, so that a state can hold an event it received");
  return wrong;
};
