import type { AnyStateMachine } from "xstate";
import { type Definition, define } from "../../src/actor/index.ts";
import { edgesOfStep, type Graph, type GraphNode, graphOf, lineOf, nodesById } from "../../src/analysis/index.ts";
import { Actor } from "./actor.ts";

/** What stands in a chart, read from the machine itself, and what was seen of it. */
export class Chart {
  readonly definition: Definition;
  readonly graph: Graph;
  /** Edges that some test took, by their ids. */
  readonly taken = new Set<string>();
  readonly #nodes: ReadonlyMap<string, GraphNode>;
  readonly #parent: string | undefined;

  /** `parent`: the address of the actor that has one of this machine as its child. */
  constructor(machine: AnyStateMachine, actions: ReadonlyArray<string>, parent?: string) {
    this.#parent = parent;
    this.definition = define(machine, { actions });
    this.graph = graphOf(machine);
    this.#nodes = nodesById(this.graph);
  }

  begin(input: unknown): Actor {
    return new Actor(this.definition, this.#parent, input, (result) => {
      for (const id of edgesOfStep(this.definition, result)) this.taken.add(id);
    });
  }

  /** States in which an actor can rest. */
  get resting(): ReadonlyArray<GraphNode> {
    return this.graph.nodes.filter((node) => (node.type === "atomic" || node.type === "final") && !this.#isTransient(node));
  }

  /** States that are left at once: one of their `always` has no guard. */
  get transient(): ReadonlyArray<GraphNode> {
    return this.graph.nodes.filter((node) => this.#isTransient(node));
  }

  #isTransient({ id }: GraphNode): boolean {
    return this.graph.edges.some(({ source, kind, guard }) => source === id && kind === "always" && guard === undefined);
  }

  /** Types of the events that somebody sends: no timers, no completions. */
  get eventTypes(): ReadonlyArray<string> {
    return this.graph.events;
  }

  /** Names of the delays that can elapse in a state, its parents' included; without a state, all of the chart. */
  delaysIn(node?: GraphNode): ReadonlyArray<string> {
    const within = this.#within(node);
    return [...new Set(this.graph.edges.flatMap(({ source, delay }) => (delay !== undefined && within.has(source) ? [delay] : [])))];
  }

  /** Names of the children whose end can be heard in a state; without a state, all of the chart. */
  childrenIn(node?: GraphNode): ReadonlyArray<string> {
    const within = this.#within(node);
    return this.graph.nodes.flatMap(({ id, invokes = [] }) => (within.has(id) ? invokes.map((invoke) => invoke.id) : []));
  }

  #within(node: GraphNode | undefined): ReadonlySet<string> {
    return new Set(node === undefined ? this.#nodes.keys() : lineOf(this.#nodes, node.id).map(({ id }) => id));
  }
}
