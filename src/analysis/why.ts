import type { AnyStateMachine } from "xstate";
import { type Address, childAddress } from "../domain/address.ts";
import type { ActorView } from "../engine/index.ts";
import { reasonWithoutLimit } from "./declared.ts";
import { activeStates } from "./edges-taken.ts";
import { type Graph, type GraphEdge, lineOf, nodesById } from "./graph.ts";
import { graphOf } from "./graph-of.ts";
import { type Entry, type Move, movesOf, optionsOf, stateOfView } from "./moves.ts";

/** Why an actor does not move, and until when. */
export interface Waiting {
  readonly address: Address;
  readonly machine: string;
  readonly version: string;
  /** Where it stands: ids of its innermost active states. */
  readonly states: ReadonlyArray<string>;
  /** What these states mean, by their descriptions. */
  readonly descriptions: ReadonlyArray<string>;
  /** When it was told something last, in milliseconds since 1970. */
  readonly since: number;
  /**
   * `ended`: nothing will come of it. `overdue`: something that must have happened by now did not. `waits`: it
   * changes by itself, at `by` at the latest. `open`: nothing bounds it but what others do. `unknown`: nobody here
   * knows the form of the machine that wrote it.
   */
  readonly verdict: "ended" | "overdue" | "waits" | "open" | "unknown";
  /** The latest moment at which it, or the child that it waits for, must change by itself. */
  readonly by?: number;
  /** One sentence. */
  readonly because: string;
  readonly deadlines: ReadonlyArray<Deadline>;
  readonly children: ReadonlyArray<AwaitedChild>;
  /** The events that would move it now, or may; what it does not take now is left out. Those that lead out of its innermost state come first, among them those that few states take. */
  readonly events: ReadonlyArray<AwaitedEvent>;
}

export interface Deadline {
  readonly id: string;
  /** The name of the delay, or of the delayed event. */
  readonly name: string;
  readonly due: number;
  /** It must lead on: not every way behind it has a guard. */
  readonly sure: boolean;
  readonly overdue: boolean;
  /** The machine threw on it: its dead letter can be requeued. */
  readonly held?: true;
}

export interface AwaitedChild {
  readonly id: string;
  readonly src: string;
  readonly address: Address;
  /** Why the child itself waits, where it is a stored actor that is known. */
  readonly waiting?: Waiting;
  /** It has ended, or is not there, and its parent was not told. */
  readonly missing?: true;
}

export interface AwaitedEvent extends Pick<Move, "type" | "accepted" | "reason" | "schema"> {
  /** Who owes it: as `meta.senders` says, or "its host". */
  readonly from: string;
}

/** Finds the machine that wrote an actor, and the actors below it. */
export interface Surroundings {
  readonly now: number;
  readonly machineOf: (view: ActorView) => Entry | undefined;
  /** The stored children of an actor. */
  readonly childrenOf: (view: ActorView) => ReadonlyArray<ActorView>;
  /** How late something may be without being overdue. Default: `graceMs`. */
  readonly graceMs?: number;
}

const graphs = new WeakMap<AnyStateMachine, Graph>();
/** Made once: why an actor waits is asked again and again. */
const knownGraphOf = (machine: AnyStateMachine): Graph => {
  const graph = graphs.get(machine) ?? graphOf(machine);
  graphs.set(machine, graph);
  return graph;
};

/** A turn that is due is taken within milliseconds; this leaves room for a busy machine. */
export const graceMs = 5_000;
/** Children of children are looked at, too, down to here. */
const depthMax = 4;

/** How an actor that has ended came to its end. */
const endOf = ({ status, value, error }: Pick<ActorView, "status" | "value" | "error">): string =>
  status === "error" ? `it has failed${error === undefined ? "" : `: ${error.message}`}` : status === "stopped" ? "it was stopped" : `it has ended in ${JSON.stringify(value)}`;

/** Why an actor waits, and until when. Nothing is stored and nothing is carried out. */
export const whyWaiting = (view: ActorView, surroundings: Surroundings, depth = 0): Waiting => {
  const { address, machine, version, at, status } = view;
  const known = { address, machine, version, since: at, states: [], descriptions: [], deadlines: [], children: [], events: [] };
  if (status !== "active") return { ...known, verdict: "ended", because: endOf(view) };
  const entry = surroundings.machineOf(view);
  // Its deadlines are known also where its machine is not.
  const unknown = (because: string): Waiting => ({ ...known, verdict: "unknown", because, deadlines: deadlinesOf(view, [], [], surroundings) });
  if (entry === undefined) return unknown(`the form of the machine "${machine}" that wrote it is not known here; give it with --machines, or register it`);
  const chart = optionsOf(entry).machine;
  const graph = knownGraphOf(chart);
  const nodes = nodesById(graph);
  let active: ReadonlyArray<string>;
  let moves: ReadonlyArray<Move>;
  try {
    active = activeStates(stateOfView(chart, view));
    moves = movesOf(entry, view);
  } catch (error) {
    return unknown(`it can't be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  const leaves = active.filter((id) => !graph.nodes.some(({ id: child, parent }) => parent === id && active.includes(child)));
  const descriptions = leaves.flatMap((id) => nodes.get(id)?.description ?? []);
  const deadlines = deadlinesOf(view, graph.edges, active, surroundings);
  const children = childrenOf(view, surroundings, depth);
  const events = waysOutFirst(moves, graph, leaves).flatMap((move): ReadonlyArray<AwaitedEvent> => {
    const { type, accepted, reason, schema, from = "its host" } = move;
    return accepted === "no" || type === "*" ? [] : [{ type, accepted, from, ...(reason === undefined ? {} : { reason }), ...(schema === undefined ? {} : { schema }) }];
  });
  const sure = deadlines.filter(({ sure, held }) => sure && held !== true).map(({ due }) => due);
  const through = children.flatMap(({ waiting }) => waiting?.by ?? []);
  const by = sure.length > 0 ? Math.min(...sure) : through.length > 0 ? Math.min(...through) : undefined;
  const overdue = deadlines.some((deadline) => deadline.overdue || deadline.held === true) || children.some(({ missing, waiting }) => missing === true || waiting?.verdict === "overdue");
  const explained = leaves.flatMap((id) => lineOf(nodes, id)).flatMap(({ description }) => reasonWithoutLimit(description) ?? [])[0];
  return {
    ...known,
    states: leaves,
    descriptions,
    verdict: overdue ? "overdue" : by !== undefined ? "waits" : "open",
    ...(by === undefined ? {} : { by }),
    because: becauseOf({ deadlines, children, events, overdue, explained }),
    deadlines,
    children,
    events,
  };
};

/** What leads out of an innermost state, then what leads out of those around it, then the rest; each time what is taken in few states first. */
const waysOutFirst = (moves: ReadonlyArray<Move>, graph: Graph, leaves: ReadonlyArray<string>): ReadonlyArray<Move> => {
  const nodes = nodesById(graph);
  const sources = new Map(graph.edges.map(({ id, source }) => [id, source]));
  const lines = leaves.map((leaf) => lineOf(nodes, leaf).map(({ id }) => id));
  const ranked = moves.map((move) => {
    const leading = move.asked.filter(({ says, targets }) => (says === "holds" || says === "depends") && targets.some((target) => !leaves.includes(target)));
    const distances = leading.flatMap(({ edge }) => lines.map((line) => line.indexOf(sources.get(edge) ?? ""))).filter((distance) => distance >= 0);
    const takers = new Set(graph.edges.flatMap(({ event, source }) => (event === move.type ? [source] : [])));
    return { move, distance: Math.min(nodes.size, ...distances), takers: takers.size };
  });
  return ranked.sort((left, right) => left.distance - right.distance || left.takers - right.takers).map(({ move }) => move);
};

const deadlinesOf = ({ timers = {} }: ActorView, known: ReadonlyArray<GraphEdge>, active: ReadonlyArray<string>, { now, graceMs: grace = graceMs }: Surroundings): ReadonlyArray<Deadline> =>
  Object.entries(timers).map(([id, { due, held, event, to }]) => {
    const edges = known.filter(
      (edge) => active.includes(edge.source) && (event === undefined ? edge.kind === "after" && id === `after.${edge.delay}.${edge.source}` : edge.kind === "event" && edge.event === event.type),
    );
    const [edge] = edges;
    const own = to === undefined || to.kind === "self";
    const sure = own && edges.some((one) => one.guard === undefined) && edges.some((one) => leads(one));
    return { id, name: edge?.kind === "after" ? (edge.delay ?? id) : (event?.type ?? id), due, sure, overdue: due + grace < now && held !== true, ...(held === true ? { held } : {}) };
  });

const leads = ({ targets, actions }: GraphEdge): boolean => targets.length > 0 || actions.length > 0;

const childrenOf = (view: ActorView, surroundings: Surroundings, depth: number): ReadonlyArray<AwaitedChild> => {
  const { now, graceMs: grace = graceMs } = surroundings;
  const children = Object.entries(view.children ?? {}).filter(([, { ended }]) => ended !== true);
  if (children.length === 0) return [];
  const stored = new Map(surroundings.childrenOf(view).map((child) => [child.address, child]));
  return children.map(([id, { src }]) => {
    const address = childAddress(view.address, id);
    const child = stored.get(address);
    // Its end is told in the turn in which it ends, or soon after.
    const missing = (child === undefined || child.status !== "active") && Math.max(view.at, child?.at ?? 0) + grace < now;
    const waiting = child === undefined || child.status !== "active" || depth >= depthMax ? undefined : whyWaiting(child, surroundings, depth + 1);
    return { id, src, address, ...(waiting === undefined ? {} : { waiting }), ...(missing ? { missing: true as const } : {}) };
  });
};

const becauseOf = ({
  deadlines,
  children,
  events,
  overdue,
  explained,
}: Pick<Waiting, "deadlines" | "children" | "events"> & { readonly overdue: boolean; readonly explained: string | undefined }): string => {
  const held = deadlines.find((deadline) => deadline.held === true);
  if (held !== undefined) return `the machine threw on its deadline "${held.name}": the dead letter waits for an operator`;
  const late = deadlines.find((deadline) => deadline.overdue);
  if (late !== undefined) return `its deadline "${late.name}" has passed and was not told: no engine works with the journal, or it is behind`;
  const gone = children.find(({ missing }) => missing === true);
  if (gone !== undefined) return `its child "${gone.id}" is over or not there, and it was not told`;
  const stuck = children.find(({ waiting }) => waiting?.verdict === "overdue");
  if (overdue && stuck?.waiting !== undefined) return `its child "${stuck.id}" is overdue: ${stuck.waiting.because}`;
  const sure = deadlines.filter((deadline) => deadline.sure).sort((left, right) => left.due - right.due)[0];
  const owed = events.map(({ type, from }) => `"${type}" from ${from}`);
  const others = [...children.map(({ id }) => `the end of its child "${id}"`), ...owed];
  const either = others.length === 0 ? "" : others.length > 4 ? ` for ${others.slice(0, 4).join(", ")} or ${others.length - 4} more` : ` for ${others.join(" or ")}`;
  if (sure !== undefined) return `it waits${either === "" ? "" : `${either},`} until its deadline "${sure.name}" at the latest`;
  if (children.length > 0) return `it waits${either}`;
  return `it waits${either || " for nothing that is known"}${explained === undefined ? "; nothing bounds that" : `; ${explained.charAt(0).toLowerCase()}${explained.slice(1)}`}`;
};
