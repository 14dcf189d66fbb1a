import type { AnyStateMachine } from "xstate";
import { type Definition, define, type Microstep, traceOf } from "../../src/actor/index.ts";
import type { RawTransition } from "../../src/actor/scope.ts";
import { Actor } from "./actor.ts";

interface Node {
  readonly id: string;
  readonly path: ReadonlyArray<string>;
  readonly type: "atomic" | "compound" | "parallel" | "final" | "history";
  readonly description?: string | undefined;
  readonly config: { readonly description?: string | undefined };
  readonly parent?: Node | undefined;
  readonly states: Readonly<Record<string, Node>>;
  readonly transitions: ReadonlyMap<string, ReadonlyArray<RawTransition>>;
  readonly always?: ReadonlyArray<RawTransition> | undefined;
  readonly invoke: ReadonlyArray<{ readonly id: string }>;
}

/** What stands in a chart, read from the machine itself, and what was seen of it. */
export class Chart {
  readonly definition: Definition;
  /** Transitions that some test took, by their key. */
  readonly taken = new Set<string>();
  readonly #nodes: ReadonlyArray<Node>;

  readonly #parent: string | undefined;

  /** `parent`: the address of the actor that has one of this machine as its child. */
  constructor(machine: AnyStateMachine, actions: ReadonlyArray<string>, parent?: string) {
    this.#parent = parent;
    this.definition = define(machine, { actions });
    this.#nodes = nodesOf(this.definition.machine.root as unknown as Node);
  }

  begin(input: unknown): Actor {
    return new Actor(this.definition, this.#parent, input, ({ microsteps }) => {
      for (const microstep of traceOf(microsteps)) for (const transition of microstep.transitions) this.taken.add(keyOf(transition));
    });
  }

  /** States in which an actor can rest. */
  get resting(): ReadonlyArray<Node> {
    return this.#nodes.filter((node) => (node.type === "atomic" || node.type === "final") && !isTransient(node));
  }

  /** States that are left at once: one of their `always` has no guard. */
  get transient(): ReadonlyArray<Node> {
    return this.#nodes.filter(isTransient);
  }

  /** Every transition of the chart, one key for each alternative. */
  get edges(): ReadonlyArray<string> {
    return this.#nodes.flatMap((node) => [...[...node.transitions.values()].flat(), ...(node.always ?? [])]).map((transition) => keyOf(traced(transition)));
  }

  /** Types of the events that somebody sends: no timers, no completions. */
  get eventTypes(): ReadonlyArray<string> {
    return [...new Set(this.#nodes.flatMap((node) => [...node.transitions.keys()]))].filter((type) => !type.startsWith("xstate."));
  }

  /** Names of the delays that can elapse in a state, its parents' included; without a state, all of the chart. */
  delaysIn(node?: Node): ReadonlyArray<string> {
    const nodes = node === undefined ? this.#nodes : lineOf(node);
    return nodes.flatMap((each) => [...each.transitions.keys()].flatMap((type) => /^xstate\.after\.([^.]+)\./.exec(type)?.[1] ?? []));
  }

  /** Names of the children whose end can be heard in a state; without a state, all of the chart. */
  childrenIn(node?: Node): ReadonlyArray<string> {
    const nodes = node === undefined ? this.#nodes : lineOf(node);
    return nodes.flatMap((each) => each.invoke.map(({ id }) => id));
  }

  /** What bounds the time in a state: a delay or a child of it or of a parent. */
  isBounded(node: Node): boolean {
    return this.delaysIn(node).length > 0 || this.childrenIn(node).length > 0;
  }
}

export const nameOf = (node: { readonly path: ReadonlyArray<string> }): string => node.path.join(".");
export const descriptionsOf = (node: Node): ReadonlyArray<string> => lineOf(node).flatMap(({ config }) => config.description ?? []);

const nodesOf = (node: Node): ReadonlyArray<Node> => [node, ...Object.values(node.states).flatMap(nodesOf)];
/** A state and those around it. */
const lineOf = (node: Node): ReadonlyArray<Node> => [node, ...(node.parent === undefined ? [] : lineOf(node.parent))];
const isTransient = (node: Node): boolean => node.always?.some(({ guard }) => guard === undefined) === true;

type Transition = Microstep["transitions"][number];
const keyOf = ({ source, on, targets, guard, reenter }: Transition): string =>
  `${source} on ${on === "" ? "always" : on}${guard === undefined ? "" : ` when ${guard}`} → ${targets.join(", ") || "stays"}${reenter === true ? " again" : ""}`;
const traced = (transition: RawTransition): Transition => (traceOf([{ event: { type: "" }, snapshot: { value: "" }, _transitions: [transition] }])[0] as Microstep).transitions[0] as Transition;
