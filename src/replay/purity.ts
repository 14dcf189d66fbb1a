/** What a run was given in place of the clock and of randomness, and whether it asked for them. */
export interface Asked {
  clock: boolean;
  random: boolean;
}

export interface World {
  /** Milliseconds since 1970, for everything that asks for the time. */
  readonly now: number;
  /** From 0 to 1, for everything that asks for a random number. */
  readonly random: number;
}

/**
 * Runs something that should be pure with another clock and other random numbers than the process has: `Date`,
 * `performance.now`, `Math.random` and `crypto.randomUUID`. They are back before this returns. What a machine imported
 * from `node:crypto` is not reached.
 */
export const within = <A>(world: World, run: () => A): { readonly result: A; readonly asked: Asked } => {
  const asked: Asked = { clock: false, random: false };
  const RealDate = globalThis.Date;
  const now = () => {
    asked.clock = true;
    return world.now;
  };
  const drawn = () => {
    asked.random = true;
    return world.random;
  };
  class WorldDate extends RealDate {
    static override now = now;
    constructor(...given: ReadonlyArray<unknown>) {
      if (given.length === 0) super(now());
      else super(...(given as [number]));
    }
  }
  const restore = [replace(globalThis, "Date", WorldDate), replace(Math, "random", drawn), replace(performance, "now", now)];
  const { crypto } = globalThis;
  if (crypto !== undefined)
    restore.push(
      replace(
        crypto,
        "randomUUID",
        () =>
          `00000000-0000-4000-8000-${Math.floor(drawn() * 1e12)
            .toString(16)
            .padStart(12, "0")}`,
      ),
    );
  try {
    return { result: run(), asked };
  } finally {
    for (const undo of restore) undo();
  }
};

/** Puts a value in the place of an object's own or inherited one. Returns how to take it back. */
export const replace = (object: object, key: string, value: unknown): (() => void) => {
  const before = Object.getOwnPropertyDescriptor(object, key);
  Object.defineProperty(object, key, { value, configurable: true, writable: true, enumerable: before?.enumerable ?? false });
  return () => {
    if (before === undefined) delete (object as Record<string, unknown>)[key];
    else Object.defineProperty(object, key, before);
  };
};
