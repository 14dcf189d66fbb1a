import { test } from "vitest";
import type { StoreKind } from "./test-store.ts";
import { type Mode, type TestEngine, type TestEngineOptions, testEngine } from "./test-engine.ts";

/** Opens engines for one test, and ends them with it: settled, closed, and their histories folded. */
export interface Bench {
  readonly mode: Mode;
  readonly journal: StoreKind;
  readonly engine: (options: TestEngineOptions) => Promise<TestEngine>;
}

const run = async (mode: Mode, journal: StoreKind, scenario: (bench: Bench) => Promise<void>): Promise<void> => {
  const engines: Array<TestEngine> = [];
  try {
    await scenario({
      mode,
      journal,
      engine: async (options) => {
        const engine = await testEngine({ mode, journal, ...options });
        engines.push(engine);
        return engine;
      },
    });
  } catch (error) {
    for (const engine of engines) await engine.dispose();
    throw error;
  }
  for (const engine of engines) await engine.end();
};

export const modes: ReadonlyArray<Mode> = ["normal", "json", "restart"];
const journals: ReadonlyArray<StoreKind> = ["memory", "sqlite"];

/** Registers a durable scenario six times: in three modes, over two journals. */
export const inThreeModes = (name: string, scenario: (bench: Bench) => Promise<void>, which: ReadonlyArray<Mode> = modes, over: ReadonlyArray<StoreKind> = journals): void => {
  for (const journal of over) for (const mode of which) test(`${name} (${mode}, ${journal})`, () => run(mode, journal, scenario));
};

/** Without the restarts: for scenarios that count what a process did. */
export const inTwoModes = (name: string, scenario: (bench: Bench) => Promise<void>): void => inThreeModes(name, scenario, ["normal", "json"]);

/** Registers a scenario once per journal. */
export const inBothJournals = (name: string, scenario: (bench: Bench) => Promise<void>): void => inThreeModes(name, scenario, ["normal"]);

/** Registers a scenario once, in memory. */
export const inMemory = (name: string, scenario: (bench: Bench) => Promise<void>): void => {
  test(name, () => run("normal", "memory", scenario));
};
