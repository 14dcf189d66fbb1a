/*
 * What the simulated world takes in hand before the engine is loaded: this file is imported first, because the
 * engine looks for the hook of its failpoints once, when it is imported.
 */

const place = globalThis as { [key: symbol]: unknown };
const key = Symbol.for("taskwright.simulation.stage");

/** Hears of the places that the engine passes; the world that runs now sets it. One per process, however often this file is loaded. */
export const stage = (place[key] ?? { atFailpoint: () => {} }) as { atFailpoint: (name: string) => void };

place[key] = stage;
place[Symbol.for("taskwright.failpoint")] ??= (name: string) => stage.atFailpoint(name);
