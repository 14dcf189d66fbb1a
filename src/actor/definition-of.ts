import type { AnyStateMachine } from "xstate";
import type { Early } from "../domain/envelope.ts";
import { type Definition, define } from "./definition.ts";

/** A machine as it is, or as it stands in an engine's list. */
type Entry = AnyStateMachine | { readonly machine: AnyStateMachine; readonly early?: Readonly<Record<string, Early>> };

const made = new WeakMap<object, Definition>();

/**
 * The machine made ready for stepping outside of an engine: nothing is carried out, so no action needs an
 * implementation. Made once per machine. Throws `MachineRefused` for one that can't be made durable.
 */
export const definitionOf = (entry: Entry): Definition => {
  const { machine, early } = "implementations" in entry ? { machine: entry as AnyStateMachine, early: undefined } : entry;
  const key = early === undefined ? machine : early;
  const known = made.get(key);
  // The same `early` may stand at several machines.
  if (known !== undefined && known.original === machine) return known;
  const definition = define(machine, { actions: "any", ...(early === undefined ? {} : { early }) });
  made.set(key, definition);
  return definition;
};
