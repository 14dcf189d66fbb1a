import type { SourceKind } from "../actor/index.ts";
import type { Json } from "../domain/json.ts";

/** The number of this format. It grows when a reader of an earlier one would be misled; new optional fields don't count. */
export const graphFormat = 1;

/**
 * A machine as plain data: what one draws, compares and searches. `docs/reference/graph.md` describes each field.
 * Invariants: ids of nodes and of edges are unique; `nodes` is in document order with the root first, so that a parent
 * comes before its children; what an edge or a node names by id is in the graph.
 */
export interface Graph {
  readonly format: "taskwright.graph";
  readonly formatVersion: typeof graphFormat;
  readonly machine: string;
  readonly version: string;
  /** The same as in stored actors: it changes whenever the chart does. */
  readonly hash: string;
  readonly description?: string;
  /** The id of the root node. */
  readonly root: string;
  readonly nodes: ReadonlyArray<GraphNode>;
  readonly edges: ReadonlyArray<GraphEdge>;
  /** Types of the events that somebody can send, in the order in which they stand in the chart. */
  readonly events: ReadonlyArray<string>;
  readonly actors: ReadonlyArray<GraphActor>;
  readonly delays: ReadonlyArray<GraphDelay>;
}

export type NodeType = "atomic" | "compound" | "parallel" | "history" | "final";

export interface GraphNode {
  readonly id: string;
  /** Its name within its parent; of the root, the machine's id. */
  readonly key: string;
  /** Its place: "active.running"; empty for the root. */
  readonly path: string;
  readonly parent?: string;
  readonly type: NodeType;
  /** Of a compound state: the states that are entered with it. */
  readonly initial?: ReadonlyArray<string>;
  readonly initialActions?: ReadonlyArray<string>;
  /** Of a history state. */
  readonly history?: "shallow" | "deep";
  /** Of a history state: where it leads while there is nothing to remember. */
  readonly default?: ReadonlyArray<string>;
  readonly description?: string;
  readonly tags?: ReadonlyArray<string>;
  /** Names; inline ones as text: see `actionText`. */
  readonly entry?: ReadonlyArray<string>;
  readonly exit?: ReadonlyArray<string>;
  readonly invokes?: ReadonlyArray<GraphInvoke>;
  readonly meta?: Json;
}

export interface GraphInvoke {
  readonly id: string;
  /** The name in `setup({ actors })`. */
  readonly src: string;
  readonly systemId?: string;
}

/** What the machine can invoke or spawn. */
export interface GraphActor {
  readonly src: string;
  readonly kind: SourceKind;
  /** The id of the machine, where it is one. */
  readonly machine?: string;
}

export interface GraphDelay {
  readonly name: string;
  /** Milliseconds; absent where it is computed. */
  readonly ms?: number;
}

/**
 * Why an edge is taken: an event that is sent; at once, because a guard holds (`always`); a deadline (`after`); the end,
 * failure or snapshot of a child; a compound state that reached its final state (`stateDone`).
 */
export type EdgeKind = "event" | "always" | "after" | "done" | "error" | "snapshot" | "stateDone";

export interface GraphEdge {
  /** "task.active:done assignment:2": source, what it is taken on, and its place among those on the same. */
  readonly id: string;
  readonly source: string;
  /** Empty: the actor stays where it is. */
  readonly targets: ReadonlyArray<string>;
  readonly kind: EdgeKind;
  /** Of an `event`: its type, or a wildcard. */
  readonly event?: string;
  /** Of an `after`: the name of the delay, or its number as text. */
  readonly delay?: string;
  /** Of an `after`: milliseconds, where they are fixed. */
  readonly delayMs?: number;
  /** Of `done`, `error` and `snapshot`: the id of the child. */
  readonly child?: string;
  /** As text; absent: always taken. */
  readonly guard?: string;
  readonly actions: ReadonlyArray<string>;
  /** Its source is not left: it has no target, or one within the source, and does not enter the source again. */
  readonly internal: boolean;
  readonly reenter: boolean;
  /** Counted from 0 among the edges of its source that are taken on the same: the first whose guard holds is taken. */
  readonly index: number;
  readonly description?: string;
}

/** What an edge is taken on, in short: "ASSIGN", "after backoff", "assignment ended". */
export const edgeCause = ({ kind, event, delay, child, source }: GraphEdge): string => {
  switch (kind) {
    case "event":
      return event ?? "";
    case "always":
      return "";
    case "after":
      return `after ${delay ?? ""}`;
    case "done":
      return `${child ?? ""} ended`;
    case "error":
      return `${child ?? ""} failed`;
    case "snapshot":
      return `${child ?? ""} changed`;
    case "stateDone":
      return `${source.slice(source.lastIndexOf(".") + 1)} finished`;
  }
};

/** A node by its id. */
export const nodesById = (graph: Graph): ReadonlyMap<string, GraphNode> => new Map(graph.nodes.map((node) => [node.id, node]));

/** A node and those around it, the innermost first. */
export const lineOf = (nodes: ReadonlyMap<string, GraphNode>, id: string): ReadonlyArray<GraphNode> => {
  const node = nodes.get(id);
  if (node === undefined) return [];
  return [node, ...(node.parent === undefined ? [] : lineOf(nodes, node.parent))];
};
