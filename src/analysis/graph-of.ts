import type { AnyStateMachine } from "xstate";
import { formOf, isMachine, sourcesOf } from "../actor/index.ts";
import type { Json } from "../domain/json.ts";
import { type Action, actionText } from "./action.ts";
import { type EdgeKind, type Graph, type GraphDelay, type GraphEdge, type GraphNode, graphFormat, type NodeType } from "./graph.ts";
import { type Guard, guardText } from "./guard.ts";

/** A state of XState, as far as it is read here. */
export interface ChartNode {
  readonly id: string;
  readonly key: string;
  readonly path: ReadonlyArray<string>;
  readonly type: NodeType;
  readonly history: false | "shallow" | "deep";
  readonly parent?: ChartNode | undefined;
  readonly states: Readonly<Record<string, ChartNode>>;
  readonly initial?: { readonly target: ReadonlyArray<ChartNode>; readonly actions: ReadonlyArray<Action> } | undefined;
  readonly transitions: ReadonlyMap<string, ReadonlyArray<ChartTransition>>;
  readonly always?: ReadonlyArray<ChartTransition> | undefined;
  readonly invoke: ReadonlyArray<{ readonly id: string; readonly src: unknown; readonly systemId?: string | undefined }>;
  readonly tags: ReadonlyArray<string>;
  readonly meta?: unknown;
  readonly config: { readonly description?: string; readonly entry?: unknown; readonly exit?: unknown; readonly target?: unknown; readonly meta?: unknown };
}

export interface ChartTransition {
  readonly source: ChartNode;
  readonly eventType: string;
  readonly target?: ReadonlyArray<ChartNode> | undefined;
  readonly guard?: Guard | undefined;
  readonly actions: ReadonlyArray<Action>;
  readonly reenter: boolean;
  readonly delay?: number | string;
  readonly description?: string;
}

const nodesOf = new WeakMap<AnyStateMachine, ReadonlyArray<ChartNode>>();

/** All states of a machine, in document order, the root first. Found once: what an actor takes now is asked again and again. */
export const chartNodes = (machine: AnyStateMachine): ReadonlyArray<ChartNode> => {
  const nodes = nodesOf.get(machine) ?? below(machine.root as unknown as ChartNode);
  nodesOf.set(machine, nodes);
  return nodes;
};

const nodesByIdOf = new WeakMap<AnyStateMachine, ReadonlyMap<string, ChartNode>>();
export const chartNodesById = (machine: AnyStateMachine): ReadonlyMap<string, ChartNode> => {
  const nodes = nodesByIdOf.get(machine) ?? new Map(chartNodes(machine).map((node) => [node.id, node]));
  nodesByIdOf.set(machine, nodes);
  return nodes;
};

const below = (node: ChartNode): ReadonlyArray<ChartNode> => [node, ...Object.values(node.states).flatMap(below)];

interface NamedTransition {
  /** Of its edge. */
  readonly id: string;
  readonly index: number;
  readonly cause: Cause;
  readonly transition: ChartTransition;
}
const namedTransitions = new WeakMap<ChartNode, ReadonlyArray<NamedTransition>>();

/** The transitions of one state, each with the id of its edge: events first, then `always`. */
export const transitionsOf = (node: ChartNode): ReadonlyArray<NamedTransition> => {
  const known = namedTransitions.get(node);
  if (known !== undefined) return known;
  const named = [...node.transitions.values(), node.always ?? []].flatMap((transitions) =>
    transitions.map((transition, index) => {
      const cause = causeOf(transition);
      return { id: `${node.id}:${causeText(cause)}:${index}`, index, cause, transition };
    }),
  );
  namedTransitions.set(node, named);
  return named;
};

/** A machine as a graph: plain data, the same for the same chart. Works for every machine, also for one that can't be made durable. */
export const graphOf = (machine: AnyStateMachine): Graph => {
  const nodes = chartNodes(machine);
  const { version, hash } = formOf(machine);
  const delays = delaysOf(machine);
  const edges = nodes.flatMap((node) => transitionsOf(node).map((entry) => edgeOf(entry, delays)));
  const { description } = machine.root.config as { readonly description?: string };
  return {
    format: "taskwright.graph",
    formatVersion: graphFormat,
    machine: machine.id,
    version,
    hash,
    ...optional("description", description),
    root: machine.root.id,
    nodes: nodes.map(nodeOf),
    edges,
    events: [...new Set(edges.flatMap(({ kind, event }) => (kind === "event" && event !== undefined ? [event] : [])))],
    actors: [...sourcesOf(machine).values()].map(({ name, kind, logic }) => ({ src: name, kind, ...(isMachine(logic) ? { machine: logic.id } : {}) })),
    delays,
  };
};

const nodeOf = (node: ChartNode): GraphNode => ({
  id: node.id,
  key: node.key,
  path: node.path.join("."),
  ...optional("parent", node.parent?.id),
  type: node.type,
  ...optional("initial", node.type === "compound" ? node.initial?.target.map(({ id }) => id) : undefined),
  ...filled("initialActions", (node.type === "compound" ? (node.initial?.actions ?? []) : []).map(actionText)),
  ...(node.type === "history" ? { history: node.history === "deep" ? ("deep" as const) : ("shallow" as const), ...filled("default", defaultsOf(node)) } : {}),
  ...optional("description", node.config.description),
  ...filled("tags", node.tags),
  ...filled("entry", listOf(node.config.entry as Action | ReadonlyArray<Action> | undefined).map(actionText)),
  ...filled("exit", listOf(node.config.exit as Action | ReadonlyArray<Action> | undefined).map(actionText)),
  ...filled(
    "invokes",
    node.invoke.map(({ id, src, systemId }) => ({ id, src: String(src), ...optional("systemId", systemId) })),
  ),
  ...optional("meta", plainJson(node.config.meta)),
});

const edgeOf = ({ id, index, cause, transition }: NamedTransition, delays: ReadonlyArray<GraphDelay>): GraphEdge => {
  const { source, target = [], guard, actions, reenter, description } = transition;
  const { kind, name } = cause;
  const delayMs = kind !== "after" ? undefined : typeof transition.delay === "number" ? transition.delay : delays.find((delay) => delay.name === name)?.ms;
  return {
    id,
    source: source.id,
    targets: target.map((node) => node.id),
    kind,
    ...(kind === "event" ? { event: name } : kind === "after" ? { delay: name } : kind === "always" || kind === "stateDone" ? {} : { child: name }),
    ...optional("delayMs", delayMs),
    ...optional("guard", guard === undefined ? undefined : guardText(guard)),
    actions: actions.map(actionText),
    internal: !reenter && target.every((node) => isWithin(node, source)),
    reenter,
    index,
    ...optional("description", description),
  };
};

/** What a transition is taken on. `name`: the event, delay, child or state; empty for `always`. */
interface Cause {
  readonly kind: EdgeKind;
  readonly name: string;
}

const causeText = ({ kind, name }: Cause): string => (kind === "always" ? "always" : `${kind} ${name}`);

// XState's own event types, as they stand in a chart that it made ready.
const internal: ReadonlyArray<readonly [beginning: string, kind: EdgeKind]> = [
  ["xstate.done.actor.", "done"],
  ["xstate.error.actor.", "error"],
  ["xstate.snapshot.", "snapshot"],
  ["xstate.done.state.", "stateDone"],
];

const causeOf = ({ eventType, delay }: ChartTransition): Cause => {
  if (eventType === "") return { kind: "always", name: "" };
  if (delay !== undefined) return { kind: "after", name: String(delay) };
  const [beginning, kind] = internal.find(([start]) => eventType.startsWith(start)) ?? [];
  return beginning === undefined || kind === undefined ? { kind: "event", name: eventType } : { kind, name: eventType.slice(beginning.length) };
};

const isWithin = (node: ChartNode, ancestor: ChartNode): boolean => node === ancestor || (node.parent !== undefined && isWithin(node.parent, ancestor));

/** The delays that have a name. */
const delaysOf = (machine: AnyStateMachine): ReadonlyArray<GraphDelay> =>
  Object.entries(machine.implementations.delays as Readonly<Record<string, unknown>>).map(([name, delay]) => ({ name, ...(typeof delay === "number" ? { ms: delay } : {}) }));

/** Where a history state leads while there is nothing to remember: as it stands in the chart, or its parent's first state. */
const defaultsOf = (node: ChartNode): ReadonlyArray<string> => {
  const { target } = node.config;
  if (typeof target !== "string") return node.parent?.initial?.target.map(({ id }) => id) ?? [];
  if (target.startsWith("#")) return [target.slice(1)];
  let found = node.parent;
  for (const key of target.replace(/^\./, "").split(".")) found = found?.states[key];
  return found === undefined ? [] : [found.id];
};

export const listOf = <A>(value: A | ReadonlyArray<A> | undefined): ReadonlyArray<A> => (value === undefined ? [] : Array.isArray(value) ? value : [value as A]);

const optional = <K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } => (value === undefined ? {} : ({ [key]: value } as { readonly [P in K]?: V }));
const filled = <K extends string, V>(key: K, value: ReadonlyArray<V>): { readonly [P in K]?: ReadonlyArray<V> } => optional(key, value.length === 0 ? undefined : value);

/** What of it JSON carries; functions and the like are left out. */
const plainJson = (value: unknown): Json | undefined => {
  if (value === undefined) return undefined;
  try {
    const text = JSON.stringify(value);
    return text === undefined ? undefined : (JSON.parse(text) as Json);
  } catch {
    return undefined;
  }
};
