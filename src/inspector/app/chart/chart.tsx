import { MiniMap, type Node, type NodeProps, Panel, ReactFlow, ReactFlowProvider, useReactFlow, ViewportPortal } from "@xyflow/react";
import { memo, type ReactNode, useEffect, useMemo, useRef } from "react";
import type { Graph, GraphEdge, GraphNode } from "../../wire.ts";
import { countText } from "../moment.ts";
import type { Layout } from "./layout.ts";
import { causeText, edgeText, type Row } from "./plan.ts";
import { useLayout } from "./use-layout.ts";

/** What is shown in a chart beside the chart. */
export interface Overlay {
  /** States in which somebody stands. */
  readonly active?: ReadonlySet<string>;
  /** Edges of the step that is looked at. */
  readonly fresh?: ReadonlySet<string>;
  /** Edges that were taken at some time. */
  readonly taken?: ReadonlySet<string>;
  readonly stateCounts?: Readonly<Record<string, number>>;
  readonly edgeCounts?: Readonly<Record<string, number>>;
  /** Edges that were never taken are drawn thin. */
  readonly faint?: boolean;
  /** Of a state: how long actors stood there, or when its deadline is. */
  readonly notes?: Readonly<Record<string, string>>;
  /** Marks of a comparison. */
  readonly marks?: Readonly<Record<string, "added" | "removed" | "changed">>;
}

interface StateData extends Record<string, unknown> {
  readonly node: GraphNode;
  readonly rows: ReadonlyArray<Row>;
  readonly isCompound: boolean;
  readonly depth: number;
  readonly overlay: Overlay;
  readonly isSelected: boolean;
}

const StateBox = memo(({ data }: NodeProps<Node<StateData>>) => {
  const { node, rows, isCompound, overlay, depth, isSelected } = data;
  const isActive = overlay.active?.has(node.id) === true;
  const count = overlay.stateCounts?.[node.id] ?? 0;
  const note = overlay.notes?.[node.id];
  const mark = overlay.marks?.[node.id];
  const words = ["state", node.type === "history" ? "past" : node.type, isCompound ? "around" : "leaf", isActive ? "active" : "", depth === 0 ? "root" : "", mark ?? "", isSelected ? "selected" : ""];
  if (node.type === "history")
    return (
      <div className={`${words.join(" ")}`} data-state={node.id} title={node.description ?? "history"}>
        {node.history === "deep" ? "H*" : "H"}
      </div>
    );
  return (
    <div className={words.join(" ")} data-state={node.id} title={node.description}>
      <div className="state-head">
        <span className="state-name">{node.key}</span>
        {note === undefined ? null : <span className="state-note">{note}</span>}
        {count > 0 ? (
          <span className="state-count" title={`${count} actors are here`}>
            {countText(count)}
          </span>
        ) : null}
      </div>
      {rows.map(({ kind, text, edge, to }) =>
        edge === undefined ? (
          <div key={`${kind} ${text}`} className={`state-row ${kind}`} title={text}>
            <span className="state-row-text">{text}</span>
          </div>
        ) : (
          <div key={edge.id} className={`state-row edge ${edge.kind} ${edgeWords(edge, overlay)}`} data-edge={edge.id} title={titleOf(edge, text)}>
            <span className="state-row-text">
              <Cause edge={edge} />
            </span>
            {to === undefined ? null : <span className="state-row-to">→ {to}</span>}
            <EdgeCount edge={edge} overlay={overlay} />
          </div>
        ),
      )}
    </div>
  );
});

const Cause = ({ edge }: { readonly edge: GraphEdge }) => (
  <>
    <b>{causeText(edge)}</b>
    {edge.guard === undefined ? null : <i> [{edge.guard}]</i>}
  </>
);

const titleOf = ({ actions }: GraphEdge, text: string): string => `${text}${actions.length > 0 ? `\n${actions.join(", ")}` : ""}`;

const EdgeCount = ({ edge, overlay }: { readonly edge: GraphEdge; readonly overlay: Overlay }) => {
  const count = overlay.edgeCounts?.[edge.id] ?? 0;
  return count > 0 ? <span className="edge-count">{countText(count)}</span> : null;
};

const edgeWords = (edge: GraphEdge, { fresh, taken, edgeCounts, faint, marks }: Overlay): string => {
  const isTaken = taken?.has(edge.id) === true || (edgeCounts?.[edge.id] ?? 0) > 0;
  return [fresh?.has(edge.id) === true ? "fresh" : isTaken ? "taken" : faint === true ? "never" : "", marks?.[edge.id] ?? ""].join(" ");
};

const nodeTypes = { state: StateBox };

const pathOf = (points: ReadonlyArray<{ readonly x: number; readonly y: number }>): string => {
  const corner = 6;
  const [first, ...rest] = points;
  if (first === undefined) return "";
  let path = `M${first.x} ${first.y}`;
  let before = first;
  rest.forEach((point, index) => {
    const next = rest[index + 1];
    if (next === undefined) path += `L${point.x} ${point.y}`;
    else {
      const near = (to: { readonly x: number; readonly y: number }) => {
        const length = Math.hypot(to.x - point.x, to.y - point.y) || 1;
        const reach = Math.min(corner, length / 2);
        return `${point.x + ((to.x - point.x) / length) * reach} ${point.y + ((to.y - point.y) / length) * reach}`;
      };
      path += `L${near(before)}Q${point.x} ${point.y} ${near(next)}`;
    }
    before = point;
  });
  return path;
};

const Arrows = memo(({ layout, overlay, name, selected }: { readonly layout: Layout; readonly overlay: Overlay; readonly name: string; readonly selected: string | undefined }) => (
  <ViewportPortal>
    <svg className="arrows" width={layout.width} height={layout.height} aria-hidden="true">
      <defs>
        {(["plain", "taken", "fresh"] as const).map((kind) => (
          <marker key={kind} id={`${name}-${kind}`} className={`head ${kind}`} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
            <path d="M0 0.8 L7.5 4 L0 7.2 z" />
          </marker>
        ))}
      </defs>
      {layout.arrows.map(({ id, points }) => {
        const edges = layout.plan.bundles.get(id) ?? [];
        const words = edges.map((edge) => edgeWords(edge, overlay)).join(" ");
        const kind = words.includes("fresh") ? "fresh" : words.includes("taken") ? "taken" : words.includes("never") && !words.includes("taken") ? "never" : "plain";
        const mark = words.includes("added") ? "added" : words.includes("removed") ? "removed" : words.includes("changed") ? "changed" : "";
        return (
          <path
            key={id}
            data-arrow={id}
            className={`arrow ${kind} ${mark} ${edges.some(({ source }) => source === selected) ? "chosen" : ""}`}
            d={pathOf(points)}
            markerEnd={`url(#${name}-${kind === "never" ? "plain" : kind})`}
          />
        );
      })}
    </svg>
    {layout.arrows.flatMap(({ id, label }) =>
      label === undefined
        ? []
        : [
            <div key={id} className="edge-label" data-label={id} style={{ transform: `translate(${label.x}px, ${label.y}px)`, width: label.width, height: label.height }}>
              {(layout.plan.bundles.get(id) ?? []).map((edge) => (
                <div key={edge.id} className={`edge-row ${edge.kind} ${edgeWords(edge, overlay)}`} data-edge={edge.id} title={titleOf(edge, edgeText(edge))}>
                  <span className="edge-text">
                    <Cause edge={edge} />
                  </span>
                  <EdgeCount edge={edge} overlay={overlay} />
                </div>
              ))}
            </div>,
          ],
    )}
    {[...layout.boxes.values()]
      .filter(({ id }) => id.endsWith("#initial"))
      .map(({ id, x, y, width }) => (
        <div key={id} className="initial" style={{ transform: `translate(${x}px, ${y}px)`, width, height: width }} />
      ))}
  </ViewportPortal>
));

const whole = { padding: 0.04, maxZoom: 1.1 };

/** Below that nobody can read what stands in a box: a chart that would be smaller is shown where its actor stands, until somebody moves it by hand. */
const readableZoom = 0.5;

/** Active states that no other active state lies in. */
const innermost = (active: ReadonlySet<string> = new Set()): ReadonlyArray<string> => [...active].filter((id) => ![...active].some((other) => other.startsWith(`${id}.`)));

const Buttons = () => {
  const flow = useReactFlow();
  return (
    <Panel position="top-right" className="zoom">
      <button type="button" onClick={() => void flow.zoomIn()} aria-label="Zoom in">
        +
      </button>
      <button type="button" onClick={() => void flow.zoomOut()} aria-label="Zoom out">
        −
      </button>
      <button type="button" onClick={() => void flow.fitView(whole)} aria-label="Show the whole chart">
        <svg viewBox="0 0 14 14" aria-hidden="true">
          <path d="M1 5V1h4M9 1h4v4M13 9v4H9M5 13H1V9" />
        </svg>
      </button>
    </Panel>
  );
};

export interface ChartProps {
  readonly graph: Graph;
  readonly overlay: Overlay;
  readonly label: string;
  readonly onSelect?: (state: GraphNode) => void;
  readonly selected?: string | undefined;
  readonly children?: ReactNode;
}

/** A machine, drawn from its definition. The same chart whoever stands in it. */
export const Chart = (props: ChartProps) => (
  <ReactFlowProvider>
    <Drawn {...props} />
  </ReactFlowProvider>
);

const Drawn = ({ graph, overlay, label, onSelect, selected, children }: ChartProps) => {
  const layout = useLayout(graph);
  const frame = useRef<HTMLDivElement>(null);
  const flow = useReactFlow();
  const nodes = useMemo((): Array<Node<StateData>> => {
    if (layout === undefined) return [];
    const depth = new Map<string, number>();
    return graph.nodes.flatMap((node): Array<Node<StateData>> => {
      const box = layout.boxes.get(node.id);
      depth.set(node.id, node.parent === undefined ? 0 : (depth.get(node.parent) ?? 0) + 1);
      if (box === undefined) return [];
      return [
        {
          id: node.id,
          type: "state",
          position: { x: box.x, y: box.y },
          width: box.width,
          height: box.height,
          initialWidth: box.width,
          initialHeight: box.height,
          zIndex: depth.get(node.id) ?? 0,
          ariaLabel: ariaOf(node, overlay),
          data: {
            node,
            rows: layout.plan.rows.get(node.id) ?? [],
            isCompound: graph.nodes.some(({ parent }) => parent === node.id),
            depth: depth.get(node.id) ?? 0,
            overlay,
            isSelected: selected === node.id,
          },
        },
      ];
    });
  }, [graph, layout, overlay, selected]);
  const standing = useMemo(() => innermost(overlay.active).join("\n"), [overlay.active]);
  const isHeld = useRef(false);
  const show = useRef(() => {});
  show.current = () => {
    if (layout === undefined || frame.current === null || isHeld.current) return;
    const { clientWidth, clientHeight } = frame.current;
    const isReadable = Math.min(clientWidth / layout.width, clientHeight / layout.height) >= readableZoom;
    void flow.fitView(isReadable || standing === "" ? whole : { nodes: standing.split("\n").map((id) => ({ id })), minZoom: readableZoom, maxZoom: 0.8 });
  };
  useEffect(() => {
    const element = frame.current;
    if (layout === undefined || element === null) return;
    const observer = new ResizeObserver(() => show.current());
    observer.observe(element);
    return () => observer.disconnect();
  }, [layout]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: who moves is followed
  useEffect(() => show.current(), [standing]);
  return (
    <div className="chart" ref={frame} role="group" aria-label={label} data-chart={layout === undefined ? "" : graph.hash}>
      {layout === undefined ? (
        <p className="quiet center">Drawing…</p>
      ) : (
        <ReactFlow
          nodes={nodes}
          edges={[]}
          nodeTypes={nodeTypes}
          nodesDraggable={false}
          nodesConnectable={false}
          nodesFocusable
          elementsSelectable={onSelect !== undefined}
          deleteKeyCode={null}
          minZoom={0.1}
          maxZoom={2.5}
          onMoveStart={(byHand) => {
            if (byHand !== null) isHeld.current = true;
          }}
          onNodeClick={(_, { data }) => onSelect?.(data.node)}
          {...(onSelect === undefined
            ? {}
            : { onSelectionChange: ({ nodes: [chosen] }: { readonly nodes: ReadonlyArray<Node> }) => chosen !== undefined && onSelect((chosen as Node<StateData>).data.node) })}
        >
          <Arrows layout={layout} overlay={overlay} name={`m${graph.hash}`} selected={selected} />
          <Buttons />
          {layout.boxes.size > 28 ? <MiniMap pannable zoomable ariaLabel="Map of the chart" nodeBorderRadius={6} /> : null}
          {children}
        </ReactFlow>
      )}
    </div>
  );
};

const ariaOf = ({ path, key, type, description }: GraphNode, { active, stateCounts }: Overlay): string => {
  const id = path === "" ? key : path;
  const count = Object.entries(stateCounts ?? {}).find(([state]) => state.endsWith(path) && path !== "")?.[1];
  const stands = [...(active ?? [])].some((state) => state.endsWith(`.${path}`));
  return [`${type} state ${id}`, stands ? "active" : "", count === undefined ? "" : `${count} actors`, description ?? ""].filter((word) => word !== "").join(", ");
};
