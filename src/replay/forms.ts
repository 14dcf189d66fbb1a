import type { AnyStateMachine } from "xstate";
import * as own from "../../machines/index.ts";
import { type Definition, definitionOf, isMachine, reducerId, reducerMachine } from "../actor/index.ts";
import type { DurableMachine } from "../engine/index.ts";
import { compareVersions } from "../domain/version.ts";

/** What can be stepped: machines as they are, or as they stand in an engine's list. */
export type Machines = ReadonlyArray<AnyStateMachine | DurableMachine> | Forms;

/** The machines that a replay may use, found by the form that wrote. Several charts of one version may stand side by side. */
export class Forms {
  readonly #byHash = new Map<string, Definition>();
  /** Those that were given, in their order, without the children that they brought along. */
  readonly given: ReadonlyArray<Definition>;

  constructor(machines: ReadonlyArray<AnyStateMachine | DurableMachine>) {
    const seen = new Set<unknown>();
    const add = (entry: DurableMachine): Definition => {
      const definition = definitionOf(entry);
      if (!this.#byHash.has(definition.hash)) this.#byHash.set(definition.hash, definition);
      seen.add(entry.machine);
      return definition;
    };
    const entries = machines.map((entry): DurableMachine => ("implementations" in entry ? { machine: entry } : entry));
    this.given = entries.map(add);
    const brought = (definition: Definition): void => {
      for (const { kind, name, logic } of definition.sources.values()) {
        if (kind === "transition") add({ machine: reducerMachine(reducerId(definition.id, name), definition.version, logic) });
        if (kind !== "machine" || seen.has(logic)) continue;
        brought(add({ machine: logic as unknown as AnyStateMachine }));
      }
    };
    for (const definition of this.given) brought(definition);
    for (const machine of Object.values(own)) if (isMachine(machine) && !seen.has(machine)) add({ machine: machine as unknown as AnyStateMachine });
  }

  /** The definition of a form; nothing where it is not known. */
  of(hash: string): Definition | undefined {
    return this.#byHash.get(hash);
  }

  /** The highest version of a machine that is known. */
  latest(machine: string): Definition | undefined {
    const all = [...this.given, ...this.#byHash.values()].filter(({ id }) => id === machine);
    return all.reduce<Definition | undefined>((highest, other) => (highest === undefined || compareVersions(other.version, highest.version) > 0 ? other : highest), undefined);
  }

  get known(): ReadonlyArray<string> {
    return [...new Set([...this.#byHash.values()].map(({ id }) => id))];
  }
}

/** Machines made ready for replay. A machine that can't be made durable is refused with everything that is wrong with it. */
export const formsOf = (machines: Machines): Forms => (machines instanceof Forms ? machines : new Forms(machines));
