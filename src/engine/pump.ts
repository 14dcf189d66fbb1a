import type { Time } from "./time.ts";

/**
 * The one timer of an engine: it knows the earliest moment at which any actor wants to be woken, and asks for a turn
 * then. Which timers are due is read from the store by that turn, so a million parked actors cost one timer.
 */
export interface Pump {
  /** Some actor wants to be woken at `due`; later than the known earliest is nothing new. */
  readonly arm: (due: number) => void;
  /** The due wakes were taken; `next` is the earliest that is left. */
  readonly taken: (next: number | undefined) => void;
  readonly isDue: () => boolean;
  readonly next: () => number | undefined;
  readonly stop: () => void;
}

export const makePump = (time: Time, request: () => void): Pump => {
  let next = Number.POSITIVE_INFINITY;
  let cancel = () => {};
  let stopped = false;
  const arm = (due: number) => {
    if (due >= next || stopped) return;
    next = due;
    cancel();
    cancel = time.wakeAt(due, request);
  };
  return {
    arm,
    taken: (due) => {
      cancel();
      next = Number.POSITIVE_INFINITY;
      if (due !== undefined) arm(due);
    },
    isDue: () => next <= time.now(),
    next: () => (next === Number.POSITIVE_INFINITY ? undefined : next),
    stop: () => {
      stopped = true;
      next = Number.POSITIVE_INFINITY;
      cancel();
    },
  };
};
