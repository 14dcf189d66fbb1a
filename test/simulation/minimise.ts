import { type Outcome, runSeed } from "./campaign.ts";
import type { RunOptions } from "./world.ts";

export interface Minimised {
  readonly outcome: Outcome;
  /** What can be left out, and it still fails. */
  readonly without: ReadonlySet<string>;
  readonly runs: number;
}

/** Runs that a failing seed is worth, if nothing else is said. */
const runsEnough = 120;

/** What happened to the engine and what was asked of it, as it can be left out. */
const named = (history: ReadonlyArray<string>): ReadonlyArray<string> =>
  history.flatMap((line) => {
    const name = /^\d+ (?:fault (\w+#\d+)|client \d+ (op#\d+):)/.exec(line);
    return name === null ? [] : [name[1] ?? name[2] ?? ""];
  });

/** Leaves out whatever is not needed for the seed to violate the same invariant. */
export const minimise = async (options: RunOptions, failed: Outcome, runsMax = runsEnough): Promise<Minimised> => {
  let best = failed;
  let without: ReadonlySet<string> = options.without ?? new Set();
  let runs = 0;
  const attempt = async (names: ReadonlyArray<string>): Promise<boolean> => {
    if (names.length === 0 || runs >= runsMax) return false;
    runs++;
    const fewer = new Set([...without, ...names]);
    const outcome = await runSeed({ ...options, without: fewer });
    if (outcome.violation?.invariant !== failed.violation?.invariant || outcome.history.length > best.history.length) return false;
    best = outcome;
    without = fewer;
    return true;
  };
  // Whole kinds first, then the operations and what is left, in ever smaller pieces.
  for (const kind of new Set(named(best.history).map((name) => name.split("#")[0] as string))) if (kind !== "op") await attempt([kind]);
  for (let size = 32; size >= 1 && runs < runsMax; size = Math.floor(size / 2)) {
    for (let from = 0; runs < runsMax; ) {
      const left = named(best.history);
      if (from >= left.length) break;
      // Later ones first: what they rest on goes after them.
      if (!(await attempt(left.slice(Math.max(0, left.length - from - size), left.length - from)))) from += size;
    }
  }
  return { outcome: best, without, runs };
};

/** How a failing seed is told: what is wrong, what led to it, and how to run it again. */
export const told = (minimised: Minimised): string => {
  const { outcome, without } = minimised;
  const { seed, violation, history } = outcome;
  const shown = history.length <= 80 ? history : [...history.slice(0, 20), `  … ${history.length - 80} lines …`, ...history.slice(-60)];
  return [
    `seed ${seed} violates ${violation?.invariant}: ${violation?.what}`,
    ...shown.map((line) => `  ${line}`),
    `again: npm run simulate -- --seed ${seed}`,
    ...(without.size === 0 ? [] : [`only what is needed for it: npm run simulate -- --seed ${seed} --without ${[...without].join(",")}`]),
  ].join("\n");
};
