import type { Violation } from "./checker.ts";
import { type Fault, faultNames, faults } from "./faults.ts";
import { type Mark, marks } from "./marks.ts";
import { World, type RunOptions } from "./world.ts";

/** What became of one seed. */
export interface Outcome {
  readonly seed: number;
  readonly violation: Violation | undefined;
  /** The hash of everything that happened. */
  readonly digest: string;
  readonly history: ReadonlyArray<string>;
  readonly marks: ReadonlySet<Mark>;
  readonly fired: Readonly<Record<string, number>>;
  readonly steps: number;
  readonly commits: number;
  readonly entries: number;
  /** What the product replayed at the end. */
  readonly replayed: Replayed;
  /** Milliseconds of the simulated world. */
  readonly worldMs: number;
}

export interface Replayed {
  readonly histories: number;
  readonly entries: number;
}

export const runSeed = async (options: RunOptions): Promise<Outcome> => {
  const world = new World(options);
  const began = world.now;
  await world.run();
  const { checker, digest, history, marks: reached, fired, steps, replayed } = world;
  return {
    seed: options.seed,
    violation: checker.violations[0],
    digest,
    history,
    marks: reached,
    fired,
    steps,
    commits: checker.commits,
    entries: checker.entries,
    replayed,
    worldMs: world.now - began,
  };
};

/** What became of many seeds. Plain data: it is sent from process to process. */
export interface Tally {
  seeds: number;
  steps: number;
  commits: number;
  entries: number;
  replayed: Replayed;
  worldMs: number;
  fired: Record<string, number>;
  /** In how many seeds each mark was reached. */
  reached: Record<string, number>;
  violations: Array<{ readonly seed: number; readonly invariant: string; readonly what: string }>;
}

export const emptyTally = (): Tally => ({ seeds: 0, steps: 0, commits: 0, entries: 0, replayed: { histories: 0, entries: 0 }, worldMs: 0, fired: {}, reached: {}, violations: [] });

const sum = (left: Replayed, right: Replayed): Replayed => ({ histories: left.histories + right.histories, entries: left.entries + right.entries });

export const addOutcome = (tally: Tally, outcome: Outcome): void => {
  tally.seeds++;
  for (const key of ["steps", "commits", "entries", "worldMs"] as const) tally[key] += outcome[key];
  tally.replayed = sum(tally.replayed, outcome.replayed);
  for (const [name, times] of Object.entries(outcome.fired)) tally.fired[name] = (tally.fired[name] ?? 0) + times;
  for (const mark of outcome.marks) tally.reached[mark] = (tally.reached[mark] ?? 0) + 1;
  if (outcome.violation !== undefined) tally.violations.push({ seed: outcome.seed, ...outcome.violation });
};

export const addTally = (tally: Tally, other: Tally): void => {
  for (const key of ["seeds", "steps", "commits", "entries", "worldMs"] as const) tally[key] += other[key];
  tally.replayed = sum(tally.replayed, other.replayed);
  for (const [name, times] of Object.entries(other.fired)) tally.fired[name] = (tally.fired[name] ?? 0) + times;
  for (const [mark, times] of Object.entries(other.reached)) tally.reached[mark] = (tally.reached[mark] ?? 0) + times;
  tally.violations.push(...other.violations);
};

export const runSeeds = async (from: number, to: number): Promise<Tally> => {
  const tally = emptyTally();
  for (let seed = from; seed <= to; seed++) addOutcome(tally, await runSeed({ seed }));
  return tally;
};

/** A set of fewer seeds need not have been everywhere. */
export const seedsForAllMarks = 500;

/** Marks that were not reached and faults that never fired: a set of seeds that misses one proves nothing about it. */
export const missed = (tally: Tally): ReadonlyArray<string> => [
  ...marks.filter((mark) => (tally.reached[mark] ?? 0) === 0).map((mark) => `mark not reached: ${mark}`),
  ...faultNames.filter((name) => (tally.fired[name] ?? 0) === 0).map((name) => `fault never fired: ${name}`),
];

const padded = (rows: ReadonlyArray<readonly [string, number]>): ReadonlyArray<string> => {
  const width = Math.max(...rows.map(([text]) => text.length));
  return rows.map(([text, number]) => `  ${text.padEnd(width)}  ${String(number).padStart(7)}`);
};

export const tableOf = (tally: Tally, realMs: number): string => {
  const days = tally.worldMs / 86_400_000;
  const rate = tally.seeds / (realMs / 1000);
  return [
    "faults fired",
    ...padded(faultNames.map((name: Fault) => [`${name}: ${faults[name].says}`, tally.fired[name] ?? 0])),
    "marks reached, in seeds",
    ...padded(marks.map((mark) => [mark, tally.reached[mark] ?? 0])),
    `${tally.seeds} seeds, ${tally.steps} steps, ${tally.commits} commits checked, ${tally.entries} history entries, ${days.toFixed(1)} simulated days, ${(realMs / 1000).toFixed(1)} s, ${rate.toFixed(1)} seeds/s`,
  ].join("\n");
};
