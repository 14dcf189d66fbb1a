import type { AnyStateNode } from "xstate";
import type { Command } from "./command.ts";
import type { Definition } from "./definition.ts";
import { Draft, nameInXState } from "./draft.ts";
import { type ActorState, decode, encode } from "./state.ts";

/*
 * Whether a stored state fits a chart that did not write it. `decode` has proved by then that the states which it stands
 * in, and those that it remembers, exist there.
 */

/** A deadline that an active state of the chart sets when it is entered. */
interface Deadline {
  /** Its id as it is stored. */
  readonly id: string;
  readonly delay: number | string;
}

const activeNodes = (state: ActorState): ReadonlyArray<AnyStateNode> => (state.snapshot as unknown as { readonly _nodes: ReadonlyArray<AnyStateNode> })._nodes;

const deadlinesOf = (node: AnyStateNode): ReadonlyArray<Deadline> =>
  (node.after as unknown as ReadonlyArray<{ readonly delay: number | string; readonly eventType: string }>).map(({ delay, eventType }) => ({ id: eventType.slice("xstate.".length), delay }));

const isDeadline = (id: string): boolean => id.startsWith("after.");

const allNodes = (node: AnyStateNode): ReadonlyArray<AnyStateNode> => [node, ...Object.values(node.states as Record<string, AnyStateNode>).flatMap(allNodes)];

/**
 * What of a running actor has no place in the chart, in words; nothing if the chart can go on where another one left it.
 * `before` is the chart that wrote it, as JSON.
 */
export const misfits = (definition: Definition, state: ActorState, before?: string): ReadonlyArray<string> => {
  if (state.snapshot.status !== "active") return [];
  const nodes = activeNodes(state);
  const deadlines = new Set(nodes.flatMap(deadlinesOf).map(({ id }) => id));
  const invoked = nodes.flatMap((node) => node.invoke);
  return [
    ...Object.keys(state.timers).flatMap((id) => (isDeadline(id) && !deadlines.has(id) ? [`no active state has the deadline "${id}" that the actor waits for`] : [])),
    ...Object.entries(state.children).flatMap(([id, { src, ended }]) =>
      ended === true || definition.sources.has(src) ? [] : [`its child "${id}" runs the actor "${src}", which the machine does not have`],
    ),
    ...orphans(definition, state, before).map((id) => `its child "${id}" is invoked by no active state`),
    ...invoked.flatMap(({ id }) => (Object.hasOwn(state.children, id) ? [] : [`it stands in a state that invokes "${id}", which was never started for it`])),
  ];
};

/** Children that a state invoked which is not active, or not there at all. Whatever else is spawned belongs to the machine. */
const orphans = (definition: Definition, state: ActorState, before: string | undefined): ReadonlyArray<string> => {
  const active = new Set(activeNodes(state).flatMap((node) => node.invoke.map(({ id }) => id)));
  const known = new Set(allNodes(definition.machine.root).flatMap((node) => node.invoke.map(({ id }) => id)));
  if (before !== undefined && Object.keys(state.children).length > 0) addInvoked(JSON.parse(before), known);
  const named = `.${definition.machine.root.id}`;
  // XState names an invoke without an id "<index>.<state id>".
  const isAutomatic = (id: string) => /^\d+\./.test(id) && (id.slice(id.indexOf(".")) === named || id.slice(id.indexOf(".")).startsWith(`${named}.`));
  return Object.keys(state.children).filter((id) => !active.has(id) && (known.has(id) || isAutomatic(id)));
};

/** The ids that the invokes of a stored chart give. */
const addInvoked = (chart: unknown, ids: Set<string>): void => {
  const { invoke, states } = (chart ?? {}) as { readonly invoke?: unknown; readonly states?: Readonly<Record<string, unknown>> };
  for (const one of Array.isArray(invoke) ? invoke : [invoke]) if (typeof one?.id === "string") ids.add(one.id);
  for (const state of Object.values(states ?? {})) addInvoked(state, ids);
};

export interface Settled {
  readonly state: ActorState;
  readonly commands: ReadonlyArray<Command>;
  readonly dropped: { readonly timers: ReadonlyArray<string>; readonly children: ReadonlyArray<string> };
}

/**
 * Puts a running actor into the chart as if its active states had been entered at `at`, where they lack something:
 * deadlines and children that no active state has are dropped, those that it has are set and started. Entry actions are
 * not run. Throws what a delay or an input throws.
 */
export const settle = (definition: Definition, state: ActorState, at: number, before?: string): Settled => {
  const nodes = activeNodes(state);
  const deadlines = nodes.flatMap(deadlinesOf);
  const wanted = new Set(deadlines.map(({ id }) => id));
  const orphaned = new Set(orphans(definition, state, before));
  const timers = Object.keys(state.timers).filter((id) => isDeadline(id) && !wanted.has(id));
  const children = Object.entries(state.children).flatMap(([id, { src }]) => (orphaned.has(id) || !definition.sources.has(src) ? [id] : []));
  const draft = new Draft(definition, state, at);
  const add = (type: string, params: object) => draft.add({ type, params } as never);
  const args = { context: state.snapshot.context, event: { type: "taskwright.migrate" }, self: state.self };
  for (const id of timers) add("xstate.cancel", { sendId: nameInXState(id) });
  for (const id of children) add("xstate.stopChild", { id });
  for (const { id, delay } of deadlines) {
    if (Object.hasOwn(state.timers, id)) continue;
    const type = nameInXState(id);
    add("xstate.raise", { event: { type }, id: type, delay: delayOf(definition, delay, args) });
  }
  for (const { id, src, input, systemId, onSnapshot } of nodes.flatMap((node) => node.invoke as unknown as ReadonlyArray<Invoked>)) {
    if (Object.hasOwn(draft.children, id)) continue;
    add("xstate.spawnChild", { id, src, systemId, input: typeof input === "function" ? input(args) : input, actorRef: { id, _syncSnapshot: onSnapshot !== undefined } });
  }
  draft.checkBounds();
  const settled = { ...state, children: draft.children, timers: draft.timers, tokens: draft.tokens };
  const { address, _parent } = state.self;
  // Once round by JSON: it is what the next one who loads it will see.
  return { state: decode(definition, address, _parent?.address, encode(settled)), commands: draft.commands, dropped: { timers, children } };
};

interface Invoked {
  readonly id: string;
  readonly src: string;
  readonly input?: unknown;
  readonly systemId?: string;
  readonly onSnapshot?: unknown;
}

const delayOf = (definition: Definition, delay: number | string, args: object): number => {
  if (typeof delay === "number") return delay;
  const named = (definition.machine.implementations.delays as Record<string, unknown>)[delay];
  return Number(typeof named === "function" ? named(args, undefined) : named);
};
