import { afterAll, beforeAll, expect } from "vitest";
import type { AnyStateMachine } from "xstate";
import type { DurableMachine } from "../../../src/engine/index.ts";
import { type StoreKind, type TestEngine, type TestEngineOptions, testEngine } from "../../../src/testing/index.ts";
import { counter } from "../machines.ts";

/** What the process heard that nobody caught; while these tests run, it is recorded instead of ending them. */
const uncaught: Array<unknown> = [];
const record = (reason: unknown): void => void uncaught.push(reason);
const kinds = ["unhandledRejection", "uncaughtException"] as const;

export const recordUncaught = (): void => {
  const before = new Map<string, ReadonlyArray<(...args: Array<never>) => void>>();
  beforeAll(() => {
    for (const kind of kinds) {
      before.set(kind, process.rawListeners(kind) as never);
      process.removeAllListeners(kind);
      process.on(kind, record);
    }
  });
  afterAll(() => {
    for (const kind of kinds) {
      process.removeListener(kind, record);
      for (const listener of before.get(kind) ?? []) process.on(kind, listener as never);
    }
  });
};

export interface Standing extends Partial<Pick<TestEngineOptions, "limits" | "log">> {
  readonly journal?: StoreKind;
  /** Rejections and errors that the user's own code let go: they are the host's. Default: none. */
  readonly leaks?: number;
  /** The machine is no function of its history, so its history can't lead to its state again. */
  readonly impure?: boolean;
}

/**
 * Runs a scenario of bad code next to an innocent actor, and shows that the engine stands: the other one is answered
 * before, in between and after, nothing is uncaught, the engine closes, and histories lead to the stored states.
 */
export const stands = async (machine: AnyStateMachine | DurableMachine, scenario: (engine: TestEngine) => Promise<unknown>, options: Standing = {}): Promise<void> => {
  const { leaks = 0, impure = false, ...more } = options;
  const engine = await testEngine({ machines: [machine, counter], ...more });
  if (impure) engine.skipFold();
  uncaught.length = 0;
  try {
    await engine.start("counter", "innocent");
    await engine.send("counter/innocent", { type: "ADD" });
    await scenario(engine);
    await engine.settled();
    expect(await engine.send("counter/innocent", { type: "ADD" })).toMatchObject({ outcome: "handled", seq: 3 });
    expect(engine.taskwright.status()).toMatchObject({ state: "running", waiting: 0 });
    await new Promise(setImmediate);
    expect(uncaught.length, `uncaught: ${uncaught.map(shown).join("; ")}`).toBe(leaks);
    // It also opens again, and reads all that it stored.
    await engine.restart();
    expect(await engine.send("counter/innocent", { type: "ADD" })).toMatchObject({ outcome: "handled", seq: 4 });
    await engine.taskwright.list();
    await engine.taskwright.deadLetters();
    await engine.end();
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  } finally {
    await engine.dispose();
  }
};

const shown = (reason: unknown): string => {
  try {
    return reason instanceof Error ? (reason.stack ?? reason.message) : String(reason);
  } catch {
    return "something that can't be shown";
  }
};

/** The event is refused with a typed cause, which is stored; the actor stays where it was. */
export const refused = async (engine: TestEngine, address: string, type: string, cause: RegExp = /./): Promise<void> => {
  const before = await engine.snapshot(address);
  await expect(engine.send(address, { type })).rejects.toMatchObject({ _tag: "ActorFailed", code: "actor_failed", address, event: type, detail: expect.stringMatching(cause) });
  const { at: _, seq: __, ...after } = await engine.snapshot(address);
  expect(after).toEqual(Object.fromEntries(Object.entries(before).filter(([key]) => key !== "at" && key !== "seq")));
  expect((await engine.taskwright.history(address)).at(-1)).toMatchObject({ event: { type }, outcome: "failed" });
  const letter = (await engine.taskwright.deadLetters()).at(-1);
  expect(letter).toMatchObject({ address, event: { type } });
  expect(letter?.error.message).toMatch(cause);
};
