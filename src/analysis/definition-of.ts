import type { AnyStateMachine } from "xstate";
import { type Definition, define } from "../actor/index.ts";
import type { Action } from "./action.ts";
import { chartNodes, transitionsOf } from "./graph-of.ts";

const made = new WeakMap<AnyStateMachine, Definition>();

/**
 * The machine made ready for the pure step, whoever carries out its custom actions: nothing is carried out here. Throws
 * `MachineRefused` for one that can't be made durable.
 */
export const definitionOf = (machine: AnyStateMachine): Definition => {
  let definition = made.get(machine);
  if (definition === undefined) {
    definition = define(machine, { actions: actionNames(machine) });
    made.set(machine, definition);
  }
  return definition;
};

/** The names of the actions that stand in the chart. */
export const actionNames = (machine: AnyStateMachine): ReadonlyArray<string> => [
  ...new Set(
    chartNodes(machine).flatMap((node) => {
      const { entry, exit } = node as unknown as { readonly entry: ReadonlyArray<Action>; readonly exit: ReadonlyArray<Action> };
      return [...entry, ...exit, ...(node.initial?.actions ?? []), ...transitionsOf(node).flatMap(({ transition }) => transition.actions)].flatMap(nameOf);
    }),
  ),
];

const nameOf = (action: Action): ReadonlyArray<string> => (typeof action === "string" ? [action] : typeof action === "object" ? [action.type] : []);
