import type { AnyStateMachine } from "xstate";
import { type ActorState, type Definition, decode, definitionOf, parseJson, type Step, start, step, takenOf } from "../actor/index.ts";
import { type Address, parentAddress } from "../domain/address.ts";
import type { Outcome } from "../domain/envelope.ts";
import type { EngineEvent, Event } from "../domain/event.ts";
import type { HistoryStart } from "../engine/index.ts";
import { chartNodes, transitionsOf } from "./graph-of.ts";

/** One entry of a history, as `engine.history` gives it. */
export interface TakenEntry {
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly event: { readonly type: string; readonly [key: string]: unknown };
  readonly outcome: Outcome;
}

export interface Taken {
  /** How often each edge was taken, by its id in `graphOf(machine)`; an edge that never was is absent. */
  readonly counts: Readonly<Record<string, number>>;
  /** Per entry: the edges that it took, in order, those of `always` behind it included; and where the actor stood then. */
  readonly steps: ReadonlyArray<TakenStep>;
  /** Entries of another form of the machine, of which this graph says nothing. */
  readonly elsewhere: number;
  /** Where the history does not follow from this machine; nothing behind it was looked at. */
  readonly broken?: { readonly seq: number; readonly reason: string };
}

export interface TakenStep {
  readonly seq: number;
  readonly at: number;
  readonly edges: ReadonlyArray<string>;
  /** Ids of the states in which the actor stood after it, the outer ones first. */
  readonly states: ReadonlyArray<string>;
}

export interface TakenOptions {
  /** Whose history it is. Default: an actor of the machine that a host started. */
  readonly address?: Address;
  /** Of a history that was cut: where it begins, as `engine.historyStart` says. */
  readonly from?: HistoryStart | undefined;
}

/**
 * Which edges of a machine a history took: exactly, by stepping it again and looking which transitions XState chose.
 * `machine` must be the form that wrote it; what another form wrote is counted as `elsewhere`. Nothing is carried out.
 */
export const edgesTaken = (machine: AnyStateMachine, history: ReadonlyArray<TakenEntry>, options: TakenOptions = {}): Taken => {
  const definition = definitionOf(machine);
  const { address = `${machine.id}/1`, from } = options;
  const parent = parentAddress(address);
  const counts: Record<string, number> = {};
  const steps: Array<TakenStep> = [];
  let elsewhere = 0;
  let state: ActorState | undefined;
  let isHere = (from?.hash ?? firstForm(history) ?? definition.hash) === definition.hash;
  const note = ({ seq, at }: TakenEntry, result: Step) => {
    state = result.state;
    const edges = edgesOfStep(definition, result);
    for (const id of edges) counts[id] = (counts[id] ?? 0) + 1;
    steps.push({ seq, at, edges, states: activeStates(state) });
  };
  try {
    if (from !== undefined && isHere) state = decode(definition, address, parent, JSON.stringify(from.state));
  } catch (error) {
    return { counts, steps, elsewhere, broken: { seq: from?.seq ?? 0, reason: reasonOf(error) } };
  }
  for (const entry of history) {
    const told = parseJson(JSON.stringify(entry.event)) as Event | EngineEvent;
    try {
      if (told.type === "taskwright.migrate") {
        const { to, state: moved } = told as Extract<EngineEvent, { type: "taskwright.migrate" }>;
        isHere = to.hash === definition.hash;
        state = isHere ? decode(definition, address, parent, JSON.stringify(moved)) : undefined;
      }
      if (!isHere) elsewhere += 1;
      else if (told.type === "taskwright.migrate" || entry.outcome === "failed") {
        if (state !== undefined) steps.push({ seq: entry.seq, at: entry.at, edges: [], states: activeStates(state) });
      } else if (state === undefined) {
        const { input, sync } = told as { readonly input?: unknown; readonly sync?: true };
        note(entry, start(definition, address, parent, input, entry.at, { sync }));
      } else note(entry, step(definition, state, told, entry.at));
    } catch (error) {
      return { counts, steps, elsewhere, broken: { seq: entry.seq, reason: reasonOf(error) } };
    }
  }
  return { counts, steps, elsewhere };
};

/** The edges that one step took, by their ids, in order. */
export const edgesOfStep = (definition: Definition, { microsteps }: Step): ReadonlyArray<string> => {
  const ids = edgeIds(definition);
  return microsteps.flatMap((microstep) => takenOf(microstep).flatMap((transition) => ids.get(transition) ?? []));
};

/** Ids of the states in which an actor stands, the outer ones first. */
export const activeStates = (state: ActorState): ReadonlyArray<string> => (state.snapshot as unknown as { readonly _nodes: ReadonlyArray<{ readonly id: string }> })._nodes.map(({ id }) => id);

const known = new WeakMap<Definition, ReadonlyMap<unknown, string>>();

/** XState's own transition objects are the same ones in the chart and in what it reports. */
const edgeIds = (definition: Definition): ReadonlyMap<unknown, string> => {
  let ids = known.get(definition);
  if (ids === undefined) {
    ids = new Map(chartNodes(definition.machine).flatMap((node) => transitionsOf(node).map(({ id, transition }) => [transition, id] as const)));
    known.set(definition, ids);
  }
  return ids;
};

/** The form of the machine that wrote the first entries, if the actor moved to another one since. */
const firstForm = (history: ReadonlyArray<TakenEntry>): string | undefined => {
  const move = history.find(({ event }) => event.type === "taskwright.migrate");
  return (move?.event as { readonly from?: { readonly hash?: string } } | undefined)?.from?.hash;
};

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
