import * as Context from "effect/Context";

/** The engine's only clock, and its only way to wait. A test gives a virtual one. */
export interface Time {
  /** Milliseconds since 1970. Never reads below an earlier reading. */
  readonly now: () => number;
  /** Lets `now` never read below this moment: what a stored row already carries. */
  readonly advanceTo: (at: number) => void;
  /** Calls back at `due` or soon after. Returns what takes the call back. */
  readonly wakeAt: (due: number, callback: () => void) => () => void;
}
export const Time = Context.GenericTag<Time>("taskwright/Time");

/** A timer is looked at again after this long at the latest, because the wall clock may have jumped meanwhile. */
const recheckMs = 60_000;

/**
 * The system's clock. When the wall clock is set back, time goes on from its last reading by the monotonic clock;
 * when it is set forward, time follows. Delays of any length are kept (Node's own timers end at 2^31 ms).
 */
export const systemTime = (): Time => {
  let last = Date.now();
  let lastMonotonic = performance.now();
  const now = () => {
    const monotonic = performance.now();
    const wall = Date.now();
    const floor = last + Math.max(0, Math.floor(monotonic - lastMonotonic));
    if (wall >= floor || floor - wall < 2) {
      last = Math.max(wall, last);
      lastMonotonic = monotonic;
      return last;
    }
    return floor;
  };
  return {
    now,
    advanceTo: (at) => {
      if (at > now()) {
        last = at;
        lastMonotonic = performance.now();
      }
    },
    wakeAt: (due, callback) => {
      let timer: NodeJS.Timeout;
      const arm = () => {
        const wait = due - now();
        timer = setTimeout(wait <= recheckMs ? fire : arm, Math.max(0, Math.min(wait, recheckMs)));
      };
      const fire = () => (now() >= due ? callback() : arm());
      arm();
      return () => clearTimeout(timer);
    },
  };
};
