import fc from "fast-check";
import type { Journal } from "../../src/journal/index.ts";
import { build } from "./build.ts";
import { choices, family } from "./chart.ts";
import { type Case, type Counts, Duel, noCounts, shownMachines } from "./run.ts";

export interface SearchOptions {
  readonly machines: number;
  readonly seed?: number;
  /** Where a seed's run went wrong, as the failure named it. */
  readonly path?: string;
  /** Stands between the engine and its journal: for planted bugs. */
  readonly wrap?: (journal: Journal) => Journal;
  readonly shrink?: boolean;
}

export const arbitrary: fc.Arbitrary<Case> = fc.record({
  family,
  choices,
  journal: fc.integer({ min: 0, max: 49 }).map((n) => (n === 49 ? "sqlite" : "memory")),
  restarts: fc.integer({ min: 0, max: 3 }).map((n) => (n < 1 ? "after each event" : "when it was offline")),
});

const perBatch = 250;

/** Tries that may go into making a case smaller. */
const shrinksMax = 400;

/** Tries machines, batch by batch, each batch with a seed of its own, counted from the first. `failure` is the smallest case that was found, in words. */
export const search = async (options: SearchOptions): Promise<{ readonly counts: Counts; readonly failure: string | undefined }> => {
  const counts = noCounts();
  const first = options.seed ?? 11;
  for (let tried = 0, seed = first; tried < options.machines; tried += perBatch, seed++) {
    let shrinks = 0;
    const result = await fc.check(
      fc.asyncProperty(arbitrary, async (it) => {
        if (shrinks > 0 && shrinks++ > shrinksMax) return;
        try {
          await Duel.run(it, counts, options.wrap);
        } catch (error) {
          shrinks ||= 1;
          throw error;
        }
      }),
      { seed, numRuns: Math.min(perBatch, options.machines - tried), endOnFailure: options.shrink === false, ...(options.path === undefined ? {} : { path: options.path }) },
    );
    if (!result.failed) continue;
    const [found] = result.counterexample ?? [];
    const { machines } = build((found as Case).family);
    const error = result.errorInstance;
    return {
      counts,
      failure: [
        error instanceof Error ? (error.name === "Difference" ? error.message : (error.stack ?? error.message)) : String(error),
        `journal: ${found?.journal}, restarts: ${found?.restarts}`,
        shownMachines(machines),
        `again: FUZZ_SEED=${seed} FUZZ_PATH="${result.counterexamplePath}" npx vitest run --config test/vitest.config.ts test/fuzz/fuzz.test.ts`,
      ].join("\n"),
    };
  }
  return { counts, failure: undefined };
};
