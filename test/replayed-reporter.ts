import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Reporter, TestModule } from "vitest/node";

/**
 * How many histories the suites of a folder leave behind at least, all of them replayed by the product's own replay when
 * their engines end. About half of what was counted, so that a suite that stops doing it turns red, and one more or one
 * less does not matter.
 */
export const floors: Readonly<Record<string, number>> = {
  broker: 250,
  delivery: 190,
  dispatch: 3_000,
  engine: 12_000,
  examples: 340,
  fuzz: 2_600,
  orchestration: 240,
  scenarios: 2_000,
  simulation: 7_000,
};

/** What is missing in the folders that ran whole, in words. */
export const shortOf = (counts: ReadonlyMap<string, number>): ReadonlyArray<string> =>
  [...counts].flatMap(([folder, histories]) =>
    histories < (floors[folder] ?? 0) ? [`test/${folder} left ${histories} histories that were replayed, expected are at least ${floors[folder]}: its engines must end with end()`] : [],
  );

/** Prints how many histories were replayed at the ends of engines, and fails a run in which a whole folder falls short. */
export class ReplayedReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>): void {
    const folders = new Map<string, Array<TestModule>>();
    let [histories, entries] = [0, 0];
    for (const module of modules) {
      const folder = /\/test\/([^/]+)\/[^/]+$/.exec(module.moduleId)?.[1] ?? "";
      folders.set(folder, [...(folders.get(folder) ?? []), module]);
      histories += replayedIn(module).histories;
      entries += replayedIn(module).entries;
    }
    if (histories > 0) console.log(`${histories} histories with ${entries} entries were replayed as their engines ended`);
    const whole = new Map([...folders].filter(([folder, ran]) => folder in floors && ranWhole(ran)).map(([folder, ran]) => [folder, ran.reduce((sum, one) => sum + replayedIn(one).histories, 0)]));
    if (process.env.REPLAYED !== undefined) console.log(Object.fromEntries([...folders].map(([folder, ran]) => [folder, ran.reduce((sum, one) => sum + replayedIn(one).histories, 0)])));
    for (const what of shortOf(whole)) {
      console.error(what);
      process.exitCode = 1;
    }
  }
}

const replayedIn = (module: TestModule): { readonly histories: number; readonly entries: number } =>
  (module.meta() as { replayed?: { histories: number; entries: number } }).replayed ?? { histories: 0, entries: 0 };

/** All files of the folder ran, and all of their tests. */
const ranWhole = (modules: ReadonlyArray<TestModule>): boolean => {
  const [first] = modules;
  if (first === undefined) return false;
  const folder = dirname(first.moduleId);
  const ran = new Set(modules.map(({ moduleId }) => moduleId));
  return (
    readdirSync(folder).every((name) => !name.endsWith(".test.ts") || ran.has(join(folder, name))) &&
    modules.every((module) => [...module.children.allTests()].every((test) => test.result().state !== "skipped"))
  );
};
