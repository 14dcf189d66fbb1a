import type { DeclaredResource } from "./declared.ts";
import { reasonWithoutLimit } from "./declared.ts";
import type { Finding, Rule } from "./finding.ts";
import { type Flow, matches } from "./flow.ts";
import { edgeCause, type Graph, type GraphEdge, type GraphNode } from "./graph.ts";
import { Space } from "./space.ts";

/** What bounds the time of a child, by the name of its logic: an activity has a time limit, or none. */
export type LimitOf = (src: string) => "limited" | "unlimited" | "endless";

/** The rules that one chart decides: what can be reached, what is bounded, what is given back. */
export const checkChart = (graph: Graph, flow: Flow, resources: ReadonlyArray<DeclaredResource>, limitOf: LimitOf, delayed: ReadonlySet<string>): ReadonlyArray<Finding> => {
  const space = new Space(graph);
  const find = (rule: Rule, at: string, what: string, remedy: string, way?: ReadonlyArray<string>): Finding => ({
    rule,
    machine: graph.machine,
    at,
    what,
    remedy,
    ...(way === undefined || way.length === 0 ? {} : { way }),
  });
  const line = (id: string): ReadonlyArray<GraphNode> => space.line(id).map((each) => space.node(each));
  const isExplained = (id: string) => line(id).some(({ description }) => reasonWithoutLimit(description) !== undefined);
  const found: Array<Finding> = [];

  for (const leaves of flow.deadEnds) {
    const [leaf = graph.root] = leaves;
    if (leaves.some(isExplained)) continue;
    found.push(
      find(
        "dead-end",
        leaf,
        `nothing leads on from ${leaves.map((id) => `"${space.node(id).path || id}"`).join(" with ")}, and it is not final`,
        'write type: "final", add a way out, or say why it may stay: description "No limit: …"',
      ),
    );
  }
  const deadEnds = new Set(flow.deadEnds.flat());

  for (const id of flow.rests) {
    const node = space.node(id);
    if (node.type === "final" || deadEnds.has(id) || isExplained(id)) continue;
    const bounds = line(id).flatMap((each) => boundsOf(each, space, limitOf, delayed));
    if (bounds.includes("limited")) continue;
    if (bounds.includes("unlimited")) {
      const src = line(id)
        .flatMap(({ invokes = [] }) => invokes)
        .find((invoke) => limitOf(invoke.src) === "unlimited")?.src;
      found.push(
        find(
          "unlimited-activity",
          id,
          `only "${src}" ends it, and that has no time limit`,
          `export durable(machine, { activities: { ${src}: { timeoutMs } } }), add an \`after\`, or say why it may take for ever: description "No limit: …"`,
        ),
      );
    } else if (bounds.includes("guarded")) {
      found.push(find("unbounded", id, "its deadline leads on only where a guard holds: otherwise it waits for ever", "add an alternative without a guard to that deadline"));
    } else {
      found.push(find("unbounded", id, "nothing ends it by itself: no deadline and no child that ends", 'add an `after`, or say why it may wait for ever: description "No limit: …"'));
    }
  }

  for (const { resource, what, way, at } of flow.leaks) {
    const { takenBy = [], givenBackBy = [] } = resources.find(({ name }) => name === resource) ?? {};
    found.push(
      what === "held at the end"
        ? find(
            "leak",
            at[0] ?? graph.root,
            `the actor ends with the resource "${resource}", which nobody gives back then`,
            `do ${givenBackBy.map((name) => `"${name}"`).join(" or ")} on that way, best on exit of the states that hold it`,
            way,
          )
        : find(
            "leak",
            at[0] ?? graph.root,
            `the resource "${resource}" is taken while it is held already: one of the two is never given back`,
            `give it back first, or take it (${takenBy.join(", ")}) elsewhere`,
            way,
          ),
    );
  }
  for (const { name, whenStopped, takenBy, givenBackBy } of resources) {
    const known = new Set(actionsOf(graph));
    for (const action of [...takenBy, ...givenBackBy])
      if (!known.has(action))
        found.push(
          find("declaration", graph.root, `its meta says that "${action}" takes or gives back the resource "${name}", but nothing in the chart does that action`, "correct the name, or do it"),
        );
    const holding = [...(flow.holding.get(name) ?? [])].filter((id) => space.childrenOf(id).length === 0);
    if (holding.length > 0 && whenStopped === undefined)
      found.push(
        find(
          "leak",
          holding[0] ?? graph.root,
          `an actor that is stopped or given up while it holds "${name}" (in ${holding.map((id) => space.node(id).path).join(", ")}) does nothing any more, so nobody gives it back`,
          `say in meta.resources.${name}.whenStopped who notices and gives it back`,
        ),
      );
  }

  for (const way of flow.endless)
    found.push(find("endless-always", way[0]?.split(":")[0] ?? graph.root, `its \`always\` go round for ever: ${way.join(", then ")}; no guard ends it`, "add a guard, or lead out of the circle"));

  if (flow.complete) {
    const unreached = graph.nodes.filter(({ id, type }) => type !== "history" && !flow.reached.has(id));
    const gone = new Set(unreached.map(({ id }) => id));
    for (const { id, parent } of unreached)
      if (parent === undefined || !gone.has(parent)) found.push(find("unreachable-state", id, "no way leads to it, whatever the guards say", "lead to it, or remove it"));
    for (const edge of graph.edges) if (!flow.taken.has(edge.id) && !gone.has(edge.source)) found.push(deadEdge(edge, space, flow, find));
  }

  for (const node of graph.nodes) {
    if (!flow.reached.has(node.id)) continue;
    for (const { id, src } of node.invokes ?? []) {
      const around = line(node.id);
      // The end of a child is heard by every state that is active then: those around it, and those in it.
      const hears =
        graph.edges.some((edge) => edge.kind === "error" && edge.child === id) ||
        around.some(({ id: each }) => space.edgesOf(each).some(({ event }) => event !== undefined && matches(`xstate.error.actor.${id}`, event)));
      if (!hears) found.push(find("no-on-error", node.id, `when "${id}" (${src}) fails, the actor itself fails`, "add onError to its invoke"));
    }
  }
  return found;
};

/** What ends the time in a state by itself. */
const boundsOf = (node: GraphNode, space: Space, limitOf: LimitOf, delayed: ReadonlySet<string>): ReadonlyArray<"limited" | "unlimited" | "guarded"> => {
  const edges = space.edgesOf(node.id);
  const deadlines = new Map<string, Array<GraphEdge>>();
  for (const edge of edges) {
    if (edge.kind !== "after" && !(edge.kind === "event" && delayed.has(edge.event ?? ""))) continue;
    const cause = edgeCause(edge);
    deadlines.set(cause, [...(deadlines.get(cause) ?? []), edge]);
  }
  const leads = ({ targets, actions }: GraphEdge) => targets.length > 0 || actions.some((action) => action.startsWith("raise "));
  const byTime = [...deadlines.values()].flatMap((alternatives) => {
    if (!alternatives.some(leads)) return [];
    // Where each alternative has a guard, it may be that none holds when the moment comes; the moment does not come again.
    const last = alternatives.find(({ guard }) => guard === undefined);
    return [last === undefined ? ("guarded" as const) : leads(last) || alternatives.some((edge) => edge !== last && leads(edge)) ? ("limited" as const) : ("guarded" as const)];
  });
  const byChild = (node.invokes ?? []).flatMap(({ src }) => {
    const limit = limitOf(src);
    return limit === "endless" ? [] : [limit];
  });
  return [...byTime, ...byChild];
};

const deadEdge = (edge: GraphEdge, space: Space, flow: Flow, find: (rule: Rule, at: string, what: string, remedy: string) => Finding): Finding => {
  const rule: Rule = edge.kind === "always" ? "dead-always" : "unreachable-edge";
  const earlier = space
    .edgesOf(edge.source)
    .find((other) => other !== edge && other.kind === edge.kind && edgeCause(other) === edgeCause(edge) && other.index < edge.index && other.guard === undefined);
  if (earlier !== undefined) return find(rule, edge.id, `it is never taken: ${earlier.id} stands before it and has no guard`, "give that one a guard, put it last, or remove this one");
  if (space.node(edge.source).type === "final") return find(rule, edge.id, "it is never taken: its source is final", "remove it, or make the state an ordinary one");
  if (edge.kind === "stateDone")
    return find(rule, edge.id, "it is never taken: its source never reaches a final state (each of its regions needs one)", "lead each region to a final state, or remove it");
  if (!flow.rests.has(edge.source) && space.childrenOf(edge.source).length === 0 && edge.kind !== "always")
    return find(rule, edge.id, "it is never taken: its source is left at once by an `always`, before any event comes", "move it to where the actor rests, or remove it");
  const inner = space.graph.edges.some(
    (other) => other.source !== edge.source && space.isWithin(other.source, edge.source) && other.kind === edge.kind && edgeCause(other) === edgeCause(edge) && other.guard === undefined,
  );
  return find(
    rule,
    edge.id,
    inner ? "it is never taken: the states within its source take the same without a guard, and they go before it" : "it is never taken, whatever the guards say",
    "remove it, or lead to where it can be taken",
  );
};

const actionsOf = ({ nodes, edges }: Graph): ReadonlyArray<string> => [
  ...nodes.flatMap(({ entry = [], exit = [], initialActions = [] }) => [...entry, ...exit, ...initialActions]),
  ...edges.flatMap(({ actions }) => actions),
];
