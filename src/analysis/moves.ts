import type { AnyStateMachine } from "xstate";
import { type ActorState, decode, definitionOf } from "../actor/index.ts";
import { parentAddress } from "../domain/address.ts";
import type { Early } from "../domain/envelope.ts";
import type { Json } from "../domain/json.ts";
import { type ActorView, type DurableMachine, type EventSchemas, isDurable, type SentEvent } from "../engine/index.ts";
import { declaredBy } from "./declared.ts";
import { activeStates } from "./edges-taken.ts";
import { eventSchemaOf } from "./event-schema.ts";
import { matches } from "./flow.ts";
import { type ChartNode, type ChartTransition, chartNodes, chartNodesById, transitionsOf } from "./graph-of.ts";
import { askGuard, guardText, type GuardVerdict } from "./guard.ts";

/** One type of event, and what an actor would make of it now. */
export interface Move {
  readonly type: string;
  /** `depends`: a guard looks at what the event carries. */
  readonly accepted: "yes" | "no" | "depends";
  /** In words, where it is not accepted whatever it carries: the guard that says no, or what would have to be otherwise. */
  readonly reason?: string;
  /** The edges that were asked, in XState's order. */
  readonly asked: ReadonlyArray<AskedEdge>;
  /** Who sends it, as the machine's `meta.senders` says. */
  readonly from?: string;
  /** What it carries, as JSON Schema, where the machine has a schema that can say it. */
  readonly schema?: Json;
  /** What happens to one that is not accepted, unless it is ignored. */
  readonly early?: Early;
}

export interface AskedEdge {
  /** The id of an edge of the graph. */
  readonly edge: string;
  readonly targets: ReadonlyArray<string>;
  readonly guard?: string;
  readonly says: GuardVerdict["says"];
  /** What of the event the guard looks at. */
  readonly reads?: ReadonlyArray<string>;
}

/** A machine as it stands in an engine's list. */
export type Entry = AnyStateMachine | DurableMachine;

/** An actor in memory, for questions: what a view of it says, without what a view does not show. */
export const stateOfView = (machine: AnyStateMachine, view: ActorView): ActorState => {
  const { status, value, context, output, error, children, timers, address } = view;
  return decode(definitionOf(machine), address, parentAddress(address), JSON.stringify({ status, value, context, output, error, children, timers, tokens: Number.MAX_SAFE_INTEGER }));
};

/**
 * What an actor would make of each type of event that its machine knows: those that it takes now, those that it takes
 * depending on what they carry, and of the others why not. Nothing is stored and nothing is carried out.
 */
export const movesOf = (entry: Entry, view: ActorView): ReadonlyArray<Move> => {
  const { machine, events, early = {} } = optionsOf(entry);
  if (view.status !== "active") return [];
  const state = stateOfView(machine, view);
  const { senders = {} } = declaredBy(machine);
  return typesOf(machine).map((type) => {
    const { accepted, asked, reason } = answerTo(machine, state, { type }, false);
    const schema = eventSchemaOf(events, type);
    const from = senders[type];
    const policy = accepted === "yes" ? undefined : early[type];
    return {
      type,
      accepted,
      ...(reason === undefined ? {} : { reason }),
      asked,
      ...(from === undefined ? {} : { from }),
      ...(schema === undefined ? {} : { schema }),
      ...(policy === undefined || policy === "drop" ? {} : { early: policy }),
    };
  });
};

const knownTypes = new WeakMap<AnyStateMachine, ReadonlyArray<string>>();
/** The types of events that some state of it takes, wildcards among them. */
const typesOf = (machine: AnyStateMachine): ReadonlyArray<string> => {
  let types = knownTypes.get(machine);
  if (types === undefined) {
    types = [...new Set(chartNodes(machine).flatMap((node) => transitionsOf(node).flatMap(({ cause }) => (cause.kind === "event" ? [cause.name] : []))))];
    knownTypes.set(machine, types);
  }
  return types;
};

/** What an actor would make of this very event: `depends` does not happen then. */
export const moveOf = (entry: Entry, view: ActorView, event: SentEvent): Move => {
  const { machine } = optionsOf(entry);
  if (view.status !== "active") return { type: event.type, accepted: "no", reason: `the actor is ${view.status}`, asked: [] };
  const { accepted, asked, reason } = answerTo(machine, stateOfView(machine, view), event, true);
  return { type: event.type, accepted, asked, ...(reason === undefined ? {} : { reason }) };
};

export const optionsOf = (entry: Entry): { readonly machine: AnyStateMachine; readonly events?: EventSchemas | undefined; readonly early?: Readonly<Record<string, Early>> | undefined } =>
  isDurable(entry) ? { machine: entry.machine, events: entry.events, early: entry.early } : { machine: entry };

/** As XState asks: from each innermost active state outwards, the first edge whose guard holds. */
const answerTo = (machine: AnyStateMachine, state: ActorState, event: { readonly type: string }, known: boolean): Pick<Move, "accepted" | "asked" | "reason"> => {
  const definition = definitionOf(machine);
  const nodes = chartNodesById(definition.machine);
  const active = new Set(activeStates(state));
  const asked = new Map<string, AskedEdge>();
  const answers: Array<Move["accepted"]> = [];
  for (const leaf of [...active].flatMap((id) => nodes.get(id) ?? [])) {
    if (Object.values(leaf.states).some(({ id }) => active.has(id))) continue;
    let answer: Move["accepted"] = "no";
    for (const { id, transition } of lineOf(leaf).flatMap((node) => candidates(node, event.type))) {
      const { guard, target = [] } = transition;
      const { says, reads } = guard === undefined ? { says: "holds" as const, reads: [] } : askGuard(guard, event, { machine: definition.machine, snapshot: state.snapshot, self: state.self }, known);
      asked.set(id, { edge: id, targets: target.map((node) => node.id), ...(guard === undefined ? {} : { guard: guardText(guard) }), says, ...(reads.length === 0 ? {} : { reads }) });
      if (says === "depends") answer = "depends";
      else if (says === "holds") {
        answer = "yes";
        break;
      } else if (says === "throws") break;
    }
    answers.push(answer);
  }
  const all = [...asked.values()];
  const accepted = answers.includes("yes") ? "yes" : answers.includes("depends") ? "depends" : "no";
  if (accepted === "yes") return { accepted, asked: all };
  return { accepted, asked: all, reason: reasonOf(accepted, all, machine, event.type) };
};

const reasonOf = (accepted: Move["accepted"], asked: ReadonlyArray<AskedEdge>, machine: AnyStateMachine, type: string): string => {
  if (accepted === "depends") {
    const reads = [...new Set(asked.flatMap((edge) => edge.reads ?? []))];
    return `${listText(guardsThat(asked, "depends"))} ${guardsThat(asked, "depends").length === 1 ? "looks" : "look"} at what it carries: ${reads.join(", ")}`;
  }
  const throwing = guardsThat(asked, "throws");
  if (throwing.length > 0) return `${listText(throwing)} throws`;
  const failing = guardsThat(asked, "fails");
  if (failing.length > 0) return `${listText(failing)} ${failing.length === 1 ? "says" : "say"} no`;
  const takers = chartNodes(machine).filter((node) => transitionsOf(node).some(({ cause }) => cause.kind === "event" && matches(type, cause.name)));
  return takers.length === 0 ? "no state of the machine takes it" : `no active state takes it; it is taken in ${takers.map((node) => node.path.join(".") || node.id).join(", ")}`;
};

const guardsThat = (asked: ReadonlyArray<AskedEdge>, says: GuardVerdict["says"]): ReadonlyArray<string> => [
  ...new Set(asked.flatMap((edge) => (edge.says === says ? [`the guard "${edge.guard ?? "inline"}"`] : []))),
];
const listText = (words: ReadonlyArray<string>): string => words.join(" and ");
const lineOf = (node: ChartNode): ReadonlyArray<ChartNode> => [node, ...(node.parent === undefined ? [] : lineOf(node.parent))];

/** The edges of one state that an event may take, in XState's order: by its own name first, then the longer wildcard. */
const candidates = (node: ChartNode, type: string): ReadonlyArray<{ readonly id: string; readonly transition: ChartTransition }> => {
  const rank = (name: string) => (name === type ? Number.MAX_SAFE_INTEGER : name.length);
  return transitionsOf(node)
    .filter(({ cause }) => cause.kind === "event" && matches(type, cause.name))
    .sort((left, right) => rank(right.cause.name) - rank(left.cause.name));
};
