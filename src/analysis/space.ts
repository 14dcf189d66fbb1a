import type { Graph, GraphEdge, GraphNode } from "./graph.ts";

/** The states of a graph with what is around them, for walks through its configurations. */
export class Space {
  readonly graph: Graph;
  readonly root: GraphNode;
  readonly nodes: ReadonlyMap<string, GraphNode>;
  readonly #children: ReadonlyMap<string, ReadonlyArray<GraphNode>>;
  readonly #edges: ReadonlyMap<string, ReadonlyArray<GraphEdge>>;
  readonly #order: ReadonlyMap<string, number>;

  constructor(graph: Graph) {
    this.graph = graph;
    this.root = graph.nodes[0] as GraphNode;
    this.nodes = new Map(graph.nodes.map((node) => [node.id, node]));
    this.#order = new Map(graph.nodes.map(({ id }, index) => [id, index]));
    const children = new Map<string, Array<GraphNode>>(graph.nodes.map(({ id }) => [id, []]));
    for (const node of graph.nodes) if (node.parent !== undefined) children.get(node.parent)?.push(node);
    this.#children = children;
    const edges = new Map<string, Array<GraphEdge>>(graph.nodes.map(({ id }) => [id, []]));
    for (const edge of graph.edges) edges.get(edge.source)?.push(edge);
    this.#edges = edges;
  }

  node(id: string): GraphNode {
    return this.nodes.get(id) as GraphNode;
  }
  /** The states in a state, without those that only remember. */
  childrenOf(id: string): ReadonlyArray<GraphNode> {
    return (this.#children.get(id) ?? []).filter(({ type }) => type !== "history");
  }
  edgesOf(id: string): ReadonlyArray<GraphEdge> {
    return this.#edges.get(id) ?? [];
  }
  /** A state and those around it, the innermost first. */
  line(id: string): ReadonlyArray<string> {
    const { parent } = this.node(id);
    return parent === undefined ? [id] : [id, ...this.line(parent)];
  }
  isWithin(id: string, ancestor: string): boolean {
    return this.line(id).includes(ancestor);
  }
  inOrder(ids: Iterable<string>): ReadonlyArray<string> {
    return [...ids].sort((left, right) => (this.#order.get(left) ?? 0) - (this.#order.get(right) ?? 0));
  }

  /** Everything that is active where these are: the states around them, and what is entered with them. */
  complete(ids: Iterable<string>): ReadonlySet<string> {
    const active = new Set<string>();
    for (const id of ids) for (const each of this.line(id)) active.add(each);
    const fill = (id: string): void => {
      const children = this.childrenOf(id);
      if (this.node(id).type === "compound" && !children.some((child) => active.has(child.id))) {
        for (const first of this.node(id).initial ?? []) for (const each of this.line(first)) active.add(each);
      }
      for (const child of children) {
        if (this.node(id).type === "parallel") active.add(child.id);
        if (active.has(child.id)) fill(child.id);
      }
    };
    fill(this.root.id);
    return active;
  }

  /** Whether a state has come to its end: a compound one to a final state, a parallel one in all of its regions. */
  isOver(id: string, active: ReadonlySet<string>): boolean {
    const { type } = this.node(id);
    if (type === "compound") return this.childrenOf(id).some((child) => active.has(child.id) && child.type === "final");
    if (type === "parallel") return this.childrenOf(id).every((child) => active.has(child.id) && this.isOver(child.id, active));
    return false;
  }

  /** Where an edge can lead: its targets, with each thing that a history state among them may remember. */
  targetsOf(edge: GraphEdge): ReadonlyArray<ReadonlyArray<string>> {
    return edge.targets.reduce<ReadonlyArray<ReadonlyArray<string>>>((ways, target) => ways.flatMap((way) => this.#remembered(target).map((ids) => [...way, ...ids])), [[]]);
  }

  #remembered(id: string): ReadonlyArray<ReadonlyArray<string>> {
    const { type, parent, history, default: leads = [] } = this.node(id);
    if (type !== "history" || parent === undefined) return [[id]];
    const below = (of: string): ReadonlyArray<string> => this.childrenOf(of).flatMap((child) => (this.childrenOf(child.id).length === 0 ? [child.id] : below(child.id)));
    return [leads, ...(history === "deep" ? below(parent) : this.childrenOf(parent).map((child) => child.id)).map((one) => [one])];
  }

  /** The state within which everything is left when an edge is taken, by XState's rule. */
  domainOf({ source, reenter }: GraphEdge, targets: ReadonlyArray<string>): string {
    if (!reenter && targets.every((target) => this.isWithin(target, source))) return source;
    const around = this.line(targets[0] ?? source).slice(1);
    return around.find((id) => [...targets, source].every((other) => other !== id && this.isWithin(other, id))) ?? this.root.id;
  }

  /** What is left and what is entered when an edge is taken. */
  moved(edge: GraphEdge, targets: ReadonlyArray<string>, active: ReadonlySet<string>): Moved {
    if (targets.length === 0) return { left: [], entered: [], active };
    const domain = this.domainOf(edge, targets);
    const left = this.inOrder([...active].filter((id) => (id !== domain && this.isWithin(id, domain)) || (edge.reenter && id === edge.source && id === domain))).toReversed();
    const stays = [...active].filter((id) => !left.includes(id));
    const next = this.complete([...stays, ...targets]);
    return { left, entered: this.inOrder([...next].filter((id) => !stays.includes(id))), active: next };
  }
}

export interface Moved {
  /** The innermost first. */
  readonly left: ReadonlyArray<string>;
  /** The outermost first. */
  readonly entered: ReadonlyArray<string>;
  readonly active: ReadonlySet<string>;
}
