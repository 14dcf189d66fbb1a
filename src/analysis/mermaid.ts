import type { Taken } from "./edges-taken.ts";
import { edgeCause, type Graph, type GraphEdge, type GraphNode } from "./graph.ts";

/**
 * A machine as a Mermaid state diagram. Transitions within a state are left out; those of the root are drawn from each
 * state that has not ended. With what a history took, its edges carry how often, and its states are coloured.
 */
export const mermaidOf = (graph: Graph, taken?: Taken): string => {
  const drawing = new Drawing(graph, taken);
  return ["stateDiagram-v2", ...drawing.inside(drawing.root, "  "), ...drawing.colours, ""].join("\n");
};

class Drawing {
  readonly root: GraphNode;
  readonly #graph: Graph;
  readonly #taken: Taken | undefined;
  readonly #names: ReadonlyMap<string, string>;

  constructor(graph: Graph, taken: Taken | undefined) {
    this.#graph = graph;
    this.#taken = taken;
    this.root = graph.nodes[0] as GraphNode;
    this.#names = namesOf(graph.nodes);
  }

  inside(node: GraphNode, indent: string): ReadonlyArray<string> {
    const children = this.#graph.nodes.filter(({ parent }) => parent === node.id);
    const drawn = children.map((child) => this.#state(child, indent, node === this.root && child.type !== "final" ? [child, node] : [child]));
    const [first] = node.initial ?? [];
    if (node.type === "parallel") return drawn.flatMap((lines, index) => (index === 0 ? lines : [`${indent}--`, ...lines]));
    return [...(first === undefined ? [] : [`${indent}[*] --> ${this.#name(first)}`]), ...drawn.flat()];
  }

  #state(node: GraphNode, indent: string, sources: ReadonlyArray<GraphNode>): ReadonlyArray<string> {
    const name = this.#name(node.id);
    const shown = node.type === "history" ? (node.history === "deep" ? "H*" : "H") : node.key;
    const nested = this.inside(node, `${indent}  `);
    return [
      ...(shown === name ? [] : [`${indent}state ${JSON.stringify(shown)} as ${name}`]),
      ...(nested.length === 0 ? [] : [`${indent}state ${name} {`, ...nested, `${indent}}`]),
      ...(node.type === "final" ? [`${indent}${name} --> [*]`] : this.#edges(name, sources).map((edge) => `${indent}${edge}`)),
    ];
  }

  #edges(name: string, sources: ReadonlyArray<GraphNode>): ReadonlyArray<string> {
    /** By target, then by event: the conditions, and how often it was taken. */
    const found = new Map<string, { readonly causes: Map<string, Array<string>>; count: number }>();
    for (const source of sources) {
      const edges = this.#graph.edges.filter((edge) => edge.source === source.id);
      for (const edge of edges) {
        for (const target of edge.targets) {
          const at = found.get(target) ?? { causes: new Map<string, Array<string>>(), count: 0 };
          found.set(target, at);
          at.count += this.#taken?.counts[edge.id] ?? 0;
          const cause = edgeCause(edge);
          const conditions = at.causes.get(cause) ?? [];
          at.causes.set(cause, conditions);
          if (edge.guard !== undefined || edges.some((other) => other !== edge && isAlternative(edge, other))) conditions.push(edge.guard ?? "else");
        }
      }
    }
    return [...found].map(([target, { causes, count }]) => {
      const label = [...causes].map(([cause, conditions]) => `${cause}${conditions.length === 0 ? "" : ` [${conditions.join(", ")}]`}`.trim()).join(", ");
      // Mermaid ends a label at these.
      const text = `${label}${count === 0 ? "" : ` ×${count}`}`.trim().replace(/[:;\n]/g, " ");
      return `${name} --> ${this.#name(target)}${text === "" ? "" : `: ${text}`}`;
    });
  }

  get colours(): ReadonlyArray<string> {
    if (this.#taken === undefined) return [];
    const [last] = this.#taken.steps.slice(-1);
    const been = new Set(this.#taken.steps.flatMap(({ states }) => states));
    const now = new Set(last?.states ?? []);
    // The root has no box of its own.
    const named = (ids: ReadonlySet<string>) => [...ids].filter((id) => id !== this.root.id).map((id) => this.#name(id));
    const before = named(new Set([...been].filter((id) => !now.has(id))));
    return [
      "  classDef taken fill:#dbeafe,stroke:#1d4ed8",
      "  classDef here fill:#1d4ed8,color:#ffffff",
      ...(before.length === 0 ? [] : [`  class ${before.join(",")} taken`]),
      ...(now.size === 0 ? [] : [`  class ${named(now).join(",")} here`]),
    ];
  }

  #name(id: string): string {
    return this.#names.get(id) ?? id;
  }
}

/** Whether two edges of a state are taken on the same. */
const isAlternative = (left: GraphEdge, right: GraphEdge): boolean => left.kind === right.kind && edgeCause(left) === edgeCause(right);

/** A name for each state that Mermaid takes: its key, or its path where another state has the same key. */
const namesOf = (nodes: ReadonlyArray<GraphNode>): ReadonlyMap<string, string> => {
  const plain = (text: string) => text.replace(/\W/g, "_");
  const keys = new Map<string, number>();
  for (const { key } of nodes) keys.set(plain(key), (keys.get(plain(key)) ?? 0) + 1);
  const used = new Set<string>();
  return new Map(
    nodes.map(({ id, key, path }) => {
      let name = keys.get(plain(key)) === 1 && !words.has(key) ? plain(key) : `s_${plain(path)}`;
      while (used.has(name)) name += "_";
      used.add(name);
      return [id, name] as const;
    }),
  );
};

/** What Mermaid reads as something else. */
const words: ReadonlySet<string> = new Set(["state", "note", "end", "class", "classDef", "direction", "as", "style", "click", "default"]);
