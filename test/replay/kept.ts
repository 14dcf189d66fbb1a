import * as Effect from "effect/Effect";
import type { AnyStateMachine } from "xstate";
import type { DurableMachine } from "../../src/engine/index.ts";
import { MemoryJournal, type MemoryStore } from "../../src/journal/index.ts";
import { eachHistory, type History } from "../../src/replay/index.ts";
import { type TestEngine, type TestEngineOptions, testEngine } from "../../src/testing/index.ts";

/** All histories that an engine left behind. */
export const historiesOf = async (engine: TestEngine): Promise<ReadonlyArray<History>> => {
  const histories: Array<History> = [];
  await Effect.runPromise(eachHistory(await engine.reader(), {}, (history) => void histories.push(history)));
  return histories;
};

/** What a scenario in memory leaves behind, by address. */
export const leftBehind = async (
  machines: ReadonlyArray<AnyStateMachine | DurableMachine>,
  scenario: (engine: TestEngine) => Promise<void>,
  options: Partial<TestEngineOptions> = {},
): Promise<ReadonlyMap<string, History>> => {
  const engine = await testEngine({ ...options, machines });
  // A machine that is impure on purpose does not lead to its state again.
  engine.skipFold();
  try {
    await scenario(engine);
    await engine.settled();
    return new Map((await historiesOf(engine)).map((history) => [history.address, history]));
  } finally {
    await engine.end();
  }
};

export const historyAt = (histories: ReadonlyMap<string, History>, address: string): History => {
  const history = histories.get(address);
  if (history === undefined) throw new Error(`nothing was left behind at ${address}; there is ${[...histories.keys()].join(", ")}`);
  return history;
};

/** All histories of a store in memory. */
export const everyHistory = async (store: MemoryStore): Promise<ReadonlyArray<History>> => {
  const histories: Array<History> = [];
  await Effect.runPromise(Effect.flatMap(MemoryJournal.make({ store, reader: true }), (journal) => eachHistory(journal, {}, (history) => void histories.push(history))));
  return histories;
};
