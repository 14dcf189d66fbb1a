import { type Address, isStorable } from "./address.ts";
import type { EngineEvent, Event } from "./event.ts";

/** An event on its way to one actor. `at` is the only clock that a machine ever sees. */
export interface Envelope {
  readonly to: Address;
  readonly event: Event | EngineEvent;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The actor that sent it; absent for an event from the host. */
  readonly from?: Address | undefined;
  /** The idempotency key that the host gave. */
  readonly key?: string | undefined;
}

const keyLengthMax = 1_000;

/** Says what is wrong with an idempotency key, or nothing. */
export const wrongKey = (key: unknown): string | undefined =>
  typeof key === "string" && key !== "" && key.length <= keyLengthMax && isStorable(key)
    ? undefined
    : `an idempotency key is a non-empty string of at most ${keyLengthMax} characters, without U+0000 and halves of surrogate pairs`;

/**
 * What happens to an event that comes before the state that takes it: it is ignored, its sender is told that it was
 * refused, or it is kept until a state takes it.
 */
export type Early = "drop" | "refuse" | "keep";

export const earlyPolicies: ReadonlyArray<Early> = ["drop", "refuse", "keep"];

/**
 * What became of an envelope: `handled` by a transition, `ignored` because the state at that moment takes no such
 * event, `kept` for a later state that takes it, `stale` because it belongs to a timer or child that is over, `ended` because the actor is final,
 * `failed` because the machine threw (the event is among the dead letters).
 */
export type Outcome = "handled" | "ignored" | "kept" | "stale" | "ended" | "failed";
