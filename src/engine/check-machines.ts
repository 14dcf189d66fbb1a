import type { AnyStateMachine } from "xstate";
import { type Hint, hintsOf, isMachine } from "../actor/index.ts";
import { defaultLimits, type Limits } from "../domain/limits.ts";
import { InvalidOptions } from "./errors.ts";
import { type DurableMachine, isDurable, makeRegistry } from "./registry.ts";

/** What is to be said about machines before an engine is opened with them. */
export interface Checked {
  /** What keeps them from being durable: the engine would refuse to open. */
  readonly problems: ReadonlyArray<string>;
  /** What works, and could be said better. */
  readonly hints: ReadonlyArray<Hint>;
}

/** Looks at machines as the engine does when it opens, without an engine: for a test, or for a check before a release. */
export const checkMachines = (machines: ReadonlyArray<AnyStateMachine | DurableMachine>, limits: Partial<Limits> = {}): Checked => ({
  problems: problemsOf(machines, { ...defaultLimits, ...limits }),
  hints: everyMachine(machines).flatMap(hintsOf),
});

const problemsOf = (machines: ReadonlyArray<AnyStateMachine | DurableMachine>, limits: Limits): ReadonlyArray<string> => {
  try {
    makeRegistry(machines, limits);
    return [];
  } catch (error) {
    if (error instanceof InvalidOptions) return error.problems;
    throw error;
  }
};

/** The machines themselves and their child machines, each once. */
const everyMachine = (entries: ReadonlyArray<AnyStateMachine | DurableMachine>): ReadonlyArray<AnyStateMachine> => {
  const found = new Set<AnyStateMachine>();
  const visit = (machine: unknown) => {
    if (!isMachine(machine) || found.has(machine)) return;
    found.add(machine);
    for (const logic of Object.values(machine.implementations.actors as Record<string, unknown>)) visit(logic);
    visitInvokes(machine.config);
  };
  const visitInvokes = (config: { readonly invoke?: unknown; readonly states?: unknown }): void => {
    for (const invoke of Array.isArray(config.invoke) ? config.invoke : [config.invoke]) visit((invoke as { readonly src?: unknown } | undefined)?.src);
    for (const state of Object.values(config.states ?? {})) visitInvokes(state);
  };
  for (const entry of entries) visit(isDurable(entry) ? entry.machine : entry);
  return [...found];
};

/** One line per machine that could say something better, for a log. */
export const hintLines = (machines: ReadonlyArray<AnyStateMachine | DurableMachine>): ReadonlyArray<string> =>
  everyMachine(machines).flatMap((machine) => {
    const hints = hintsOf(machine);
    const [first] = hints;
    if (first === undefined) return [];
    const more = hints.length === 1 ? "" : ` (and ${hints.length - 1} more; checkMachines() lists them)`;
    return [`machine "${machine.id}", ${first.where}: ${first.what}; ${first.remedy}${more}`];
  });
