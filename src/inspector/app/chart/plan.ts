import type { ElkExtendedEdge, ElkNode } from "elkjs/lib/elk-api.js";
import type { Graph, GraphEdge, GraphNode } from "../../wire.ts";

/** The width of a text in pixels. The page measures with its real font. */
export type Measure = (text: string, font: "title" | "row") => number;

/** A line in the box of a state. With an edge it is a transition: one that stays within the state, or any in a chart without labels. */
export interface Row {
  readonly text: string;
  readonly edge?: GraphEdge;
  /** Where the transition leads. It is the end of `text`. */
  readonly to?: string;
  readonly kind: "action" | "invoke" | "edge";
}

/** The graph as ELK takes it, and what is written where. */
export interface Plan {
  readonly elk: ElkNode;
  readonly rows: ReadonlyMap<string, ReadonlyArray<Row>>;
  /** The transitions that an arrow stands for, by its id. */
  readonly bundles: ReadonlyMap<string, ReadonlyArray<GraphEdge>>;
}

export const sizes = { title: 32, row: 20, rowGap: 8, below: 8, side: 12, count: 44, dot: 12, history: 30, textMax: 280, widthMin: 120, labelRow: 18, labelSide: 8 } as const;

/**
 * Arrows of which each has its label beside it. Labels of more would take more room than the states, and a third of the time
 * of a layout: there a transition is a line in the box of its source, with the name of its target, and its arrow is plain.
 */
export const labelledMax = 30;

/** Roughly, where there is no font to ask: a little more than most fonts need. */
export const estimate: Measure = (text, font) => {
  let width = 0;
  for (const letter of text) width += /[A-Z_mwMW@%]/.test(letter) ? 8.8 : /[ .,:;|'il[\]()]/.test(letter) ? 4.2 : 7;
  return font === "title" ? width * 1.1 : width;
};

const spanText = (ms: number): string => {
  for (const [unit, size] of [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["min", 60_000],
    ["s", 1_000],
  ] as const)
    if (ms >= size && ms % (size / 10) === 0) return `${ms / size} ${unit}`;
  return `${ms} ms`;
};

/** What a transition is taken on, as one would say it. */
export const causeText = ({ kind, event, delay, delayMs, child }: GraphEdge): string => {
  switch (kind) {
    case "event":
      return event ?? "";
    case "always":
      return "always";
    case "after": {
      const span = delayMs === undefined ? undefined : spanText(delayMs);
      return span === undefined ? `after ${delay ?? ""}` : Number.isNaN(Number(delay)) ? `after ${delay} (${span})` : `after ${span}`;
    }
    case "done":
      return `${child ?? ""} done`;
    case "error":
      return `${child ?? ""} failed`;
    case "snapshot":
      return `${child ?? ""} changed`;
    case "stateDone":
      return "done";
  }
};

export const edgeText = (edge: GraphEdge): string => `${causeText(edge)}${edge.guard === undefined ? "" : ` [${edge.guard}]`}`;

export const planOf = (graph: Graph, measure: Measure): Plan => {
  const byId = new Map(graph.nodes.map((node) => [node.id, node]));
  const isWithin = (id: string, above: string): boolean => {
    for (let at = byId.get(id); at !== undefined; at = at.parent === undefined ? undefined : byId.get(at.parent)) if (at.id === above) return true;
    return false;
  };
  const rows = new Map<string, Array<Row>>(graph.nodes.map((node) => [node.id, [...ownRows(node)]]));
  const bundles = new Map<string, Array<GraphEdge>>();
  const ends = new Map<string, { readonly source: string; readonly target: string }>();
  const within = new Set<GraphEdge>();
  for (const edge of graph.edges) {
    const drawn = edge.targets.filter((target) => !isWithin(target, edge.source) && !isWithin(edge.source, target));
    if (drawn.length === 0) within.add(edge);
    for (const target of drawn) {
      const id = `${edge.source}→${target}`;
      ends.set(id, { source: edge.source, target });
      bundles.set(id, [...(bundles.get(id) ?? []), edge]);
    }
  }
  const isLabelled = bundles.size <= labelledMax;
  for (const edge of graph.edges) {
    if (isLabelled && !within.has(edge)) continue;
    const to = edge.targets.map((target) => (target === edge.source ? "itself" : (byId.get(target)?.key ?? target))).join(", ");
    rows.get(edge.source)?.push({ kind: "edge", edge, text: `${edgeText(edge)}${to === "" ? "" : ` → ${to}`}`, ...(to === "" ? {} : { to }) });
  }
  const textWidth = (text: string, font: "title" | "row") => Math.min(Math.ceil(measure(text, font)) + 6, sizes.textMax);
  // What is cut off where it is too long is the guard, not where it leads.
  const rowWidth = ({ text, to }: Row) =>
    (to === undefined ? textWidth(text, "row") : textWidth(text.slice(0, -to.length - 3), "row") + Math.ceil(measure(`→ ${to}`, "row")) + sizes.rowGap) + sizes.count + 2 * sizes.side;
  const boxOf = (node: GraphNode): ElkNode => {
    if (node.type === "history") return { id: node.id, width: sizes.history, height: sizes.history };
    const written = rows.get(node.id) ?? [];
    const width = Math.max(sizes.widthMin, textWidth(node.key, "title") + sizes.count + 2 * sizes.side, ...written.map(rowWidth));
    const head = headHeight(written.length);
    const inner = graph.nodes.filter(({ parent }) => parent === node.id);
    if (inner.length === 0) return { id: node.id, width, height: Math.max(head, 40) };
    const children = inner.map(boxOf);
    const edges: Array<ElkExtendedEdge> = [];
    if (node.type === "compound" && node.initial?.[0] !== undefined) {
      const dot = `${node.id}#initial`;
      const first = inner.find(({ id }) => isWithin(node.initial?.[0] ?? "", id));
      children.unshift({ id: dot, width: sizes.dot, height: sizes.dot });
      edges.push({ id: `${node.id}#start`, sources: [dot], targets: [first?.id ?? node.initial[0]] });
    }
    return {
      id: node.id,
      children,
      edges,
      // Elk does not hand options down.
      layoutOptions: {
        // What leads back goes up, as somebody finds who follows the arrows from the first state: a life is read downwards.
        "elk.layered.cycleBreaking.strategy": "DEPTH_FIRST",
        // How often it tries to lessen crossings: the default is 7. In our large charts those after the third hardly lead anywhere.
        "elk.layered.thoroughness": isLabelled ? "5" : "3",
        "elk.padding": `[top=${head + 16},left=20,bottom=20,right=20]`,
        "elk.nodeSize.constraints": "MINIMUM_SIZE",
        "elk.nodeSize.minimum": `(${width},${head + 40})`,
      },
    };
  };
  const arrows = [...ends].map(([id, { source, target }]): ElkExtendedEdge => {
    if (!isLabelled) return { id, sources: [source], targets: [target] };
    const texts = (bundles.get(id) ?? []).map(edgeText);
    const width = Math.max(...texts.map((text) => textWidth(text, "row"))) + sizes.count + 2 * sizes.labelSide;
    const label = { id: `${id}#label`, text: texts.join("\n"), width, height: texts.length * sizes.labelRow + 4, layoutOptions: { "elk.edgeLabels.inline": "true" } };
    return { id, sources: [source], targets: [target], labels: [label] };
  });
  const whole = boxOf(graph.nodes[0] as GraphNode);
  const elk: ElkNode = {
    ...whole,
    edges: [...(whole.edges ?? []), ...arrows],
    layoutOptions: {
      ...whole.layoutOptions,
      "elk.algorithm": "layered",
      "elk.direction": "DOWN",
      "elk.hierarchyHandling": "INCLUDE_CHILDREN",
      "elk.json.edgeCoords": "ROOT",
      "elk.json.shapeCoords": "ROOT",
    },
  };
  return { elk, rows, bundles };
};

/** The height of a name with so many rows below it. */
export const headHeight = (count: number): number => sizes.title + count * sizes.row + (count > 0 ? sizes.below : 0);

/** What a state does on its own. */
const ownRows = ({ entry = [], exit = [], invokes = [] }: GraphNode): ReadonlyArray<Row> => [
  ...entry.map((action) => ({ kind: "action" as const, text: `entry / ${action}` })),
  ...exit.map((action) => ({ kind: "action" as const, text: `exit / ${action}` })),
  ...invokes.map(({ id, src }) => ({ kind: "invoke" as const, text: id === src || /^(\d+\.|xstate\.)/.test(id) ? `runs ${src}` : `runs ${src} as ${id}` })),
];
