/*
 * What the simulated world takes in hand before the engine is loaded: this file is imported first, because the
 * engine looks for the hook of its failpoints once, when it is imported.
 */

/** Hears of the places that the engine passes; the world that runs now sets it. */
export const stage: { atFailpoint: (name: string) => void } = { atFailpoint: () => {} };

(globalThis as { [key: symbol]: unknown })[Symbol.for("taskwright.failpoint")] = (name: string) => stage.atFailpoint(name);
