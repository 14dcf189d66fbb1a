import type { Graph, GraphEdge, GraphNode } from "./graph.ts";

/**
 * A machine as SCXML (https://www.w3.org/TR/scxml/), for tools that read the standard. Guards stand as names in `cond`;
 * actions and what SCXML has no word for in elements of Taskwright's own namespace. A deadline is what SCXML makes of it:
 * an event that is sent on entry, and cancelled on exit.
 */
export const scxmlOf = (graph: Graph): string => {
  const ids = scxmlIds(graph);
  const name = (id: string) => ids.get(id) ?? id;
  const targets = (list: ReadonlyArray<string>) => list.map(name).join(" ");
  const edgesOf = (node: GraphNode) => graph.edges.filter(({ source }) => source === node.id);

  const transition = (edge: GraphEdge): Element =>
    element(
      "transition",
      {
        event: eventOf(edge, name),
        cond: edge.guard,
        target: edge.targets.length === 0 ? undefined : targets(edge.targets),
        type: edge.internal && edge.targets.length > 0 ? "internal" : undefined,
      },
      edge.actions.map(action),
    );
  const state = (node: GraphNode): Element => {
    const own = edgesOf(node);
    const deadlines = [...new Map(own.flatMap((edge) => (edge.kind === "after" ? [[edge.delay, edge] as const] : []))).values()];
    const entry = [...(node.entry ?? []).map(action), ...deadlines.map((edge) => element("send", { id: eventOf(edge, name), event: eventOf(edge, name), ...delayOf(edge) }))];
    const exit = [...(node.exit ?? []).map(action), ...deadlines.map((edge) => element("cancel", { sendid: eventOf(edge, name) }))];
    const children = graph.nodes.filter(({ parent }) => parent === node.id);
    if (node.type === "history") return element("history", { id: name(node.id), type: node.history }, [element("transition", { target: targets(node.default ?? []) })]);
    const inside = [
      ...(entry.length === 0 ? [] : [element("onentry", {}, entry)]),
      ...(exit.length === 0 ? [] : [element("onexit", {}, exit)]),
      ...(node.invokes ?? []).map(({ id, src }) => element("invoke", { id, src })),
      ...own.map(transition),
      ...children.map(state),
    ];
    const initial = node.initial === undefined ? undefined : targets(node.initial);
    if (node.parent === undefined && node.type !== "parallel" && own.length === 0 && entry.length === 0 && exit.length === 0 && children.length > 0)
      return element("scxml", { ...root, name: graph.machine, "tw:version": graph.version, "tw:hash": graph.hash, initial }, children.map(state));
    const shape = node.type === "parallel" ? "parallel" : node.type === "final" ? "final" : "state";
    const drawn = element(shape, { id: name(node.id), initial: shape === "state" ? initial : undefined, "tw:description": node.description }, inside);
    if (node.parent !== undefined) return drawn;
    // SCXML's own root takes no events and does nothing: what ours does is done by a state within it.
    return element("scxml", { ...root, name: graph.machine, "tw:version": graph.version, "tw:hash": graph.hash, initial: name(node.id) }, [drawn]);
  };
  return `<?xml version="1.0" encoding="UTF-8"?>\n${text(state(graph.nodes[0] as GraphNode), "")}\n`;
};

const root = { xmlns: "http://www.w3.org/2005/07/scxml", "xmlns:tw": "urn:taskwright", version: "1.0" };

interface Element {
  readonly tag: string;
  readonly attributes: Readonly<Record<string, string | undefined>>;
  readonly inside: ReadonlyArray<Element>;
}
const element = (tag: string, attributes: Element["attributes"], inside: ReadonlyArray<Element> = []): Element => ({ tag, attributes, inside });

const action = (name: string): Element => {
  const [, raised] = /^raise (.+)$/.exec(name) ?? [];
  return raised === undefined ? element("tw:action", { name }) : element("raise", { event: raised });
};

const delayOf = ({ delayMs, delay }: GraphEdge): Readonly<Record<string, string | undefined>> => (delayMs === undefined ? { "tw:delay": delay } : { delay: `${delayMs}ms` });

const eventOf = ({ kind, event, delay, child, source }: GraphEdge, name: (id: string) => string): string | undefined => {
  switch (kind) {
    case "event":
      return event;
    case "always":
      return undefined;
    case "after":
      return `after.${delay}.${name(source)}`;
    case "done":
      return `done.invoke.${child}`;
    case "error":
      return `error.invoke.${child}`;
    case "snapshot":
      return `snapshot.invoke.${child}`;
    case "stateDone":
      return `done.state.${name(source)}`;
  }
};

const text = ({ tag, attributes, inside }: Element, indent: string): string => {
  const given = Object.entries(attributes).flatMap(([key, value]) => (value === undefined ? [] : [` ${key}="${escaped(value)}"`]));
  const opening = `${indent}<${tag}${given.join("")}`;
  return inside.length === 0 ? `${opening}/>` : `${opening}>\n${inside.map((one) => text(one, `${indent}  `)).join("\n")}\n${indent}</${tag}>`;
};

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\t": "&#9;", "\r": "&#13;" };
const escaped = (value: string): string => value.replace(/[&<>"\n\t\r]/g, (character) => escapes[character] as string).replace(/[\u0000-\u001f]/g, "");

/** Ids as XML takes them, each still for one state. */
const scxmlIds = ({ nodes }: Graph): ReadonlyMap<string, string> => {
  const used = new Set<string>();
  return new Map(
    nodes.map(({ id }) => {
      let name = id.replace(/[^\w.-]/g, "_").replace(/^(?![A-Za-z_])/, "_");
      while (used.has(name)) name += "_";
      used.add(name);
      return [id, name] as const;
    }),
  );
};
