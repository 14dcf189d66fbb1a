import type { ElkExtendedEdge, ElkNode, ELK, ElkPoint } from "elkjs/lib/elk-api.js";
import type { Graph } from "../../wire.ts";
import { type Measure, type Plan, planOf } from "./plan.ts";

export interface Box {
  readonly id: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A chart, laid out: everything in the coordinates of the whole. */
export interface Layout {
  readonly plan: Plan;
  readonly width: number;
  readonly height: number;
  readonly boxes: ReadonlyMap<string, Box>;
  readonly arrows: ReadonlyArray<{ readonly id: string; readonly points: ReadonlyArray<ElkPoint>; readonly label?: Box }>;
}

/** Lays a graph out. Elk decides on the places, nothing is moved by hand. */
export const layoutOf = async (elk: Pick<ELK, "layout">, graph: Graph, measure: Measure): Promise<Layout> => {
  const plan = planOf(graph, measure);
  const placed = await elk.layout(plan.elk);
  const boxes = new Map<string, Box>();
  const arrows: Array<Layout["arrows"][number]> = [];
  const visit = (node: ElkNode) => {
    for (const { id, sections = [], labels = [] } of (node.edges ?? []) as ReadonlyArray<ElkExtendedEdge>) {
      const label = labels[0];
      const points = sections.flatMap(({ startPoint, bendPoints = [], endPoint }) => [startPoint, ...bendPoints, endPoint]);
      arrows.push({ id, points, ...(label === undefined ? {} : { label: boxOf(`${id}#label`, label) }) });
    }
    boxes.set(node.id, boxOf(node.id, node));
    for (const child of node.children ?? []) visit(child);
  };
  visit(placed);
  return { plan, width: placed.width ?? 0, height: placed.height ?? 0, boxes, arrows };
};

const boxOf = (id: string, { x = 0, y = 0, width = 0, height = 0 }: { readonly x?: number; readonly y?: number; readonly width?: number; readonly height?: number }): Box => ({
  id,
  x,
  y,
  width,
  height,
});
