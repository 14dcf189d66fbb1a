import { type AnyStateMachine, createMachine } from "xstate";
import { type Microstep, type RawTransition, traceOf } from "../actor/index.ts";
import { type Graph, type GraphEdge, graphOf } from "../analysis/index.ts";
import type { DurableMachine } from "../engine/index.ts";
import { Forms } from "../replay/index.ts";
import type { Source } from "./source.ts";

type Taken = Microstep["transitions"][number];

/** One form of a machine, ready to be drawn. */
export interface Drawn {
  readonly graph: Graph;
  /** With its options, where it was given. */
  readonly entry: DurableMachine | undefined;
  /** The id of the edge that a transition took. */
  readonly edgeOf: (taken: Taken) => string | undefined;
  /** The same of a transition as XState took it: one of the machine's own objects, looked at once. */
  readonly edgeOfStep: (raw: RawTransition) => string | undefined;
  /** The states in which an actor with this value stands, the outer ones first. */
  readonly activeOf: (value: unknown) => ReadonlyArray<string>;
}

/** The graphs of all forms that are given, known or stored, by hash. */
export class Charts {
  readonly forms: Forms;
  readonly #drawn = new Map<string, Drawn>();
  readonly #source: Source;
  #stored: Promise<void> | undefined;

  constructor(machines: ReadonlyArray<AnyStateMachine | DurableMachine>, source: Source) {
    this.#source = source;
    this.forms = new Forms(machines);
    for (const given of machines) {
      const entry: DurableMachine = "implementations" in given ? { machine: given as AnyStateMachine } : (given as DurableMachine);
      this.#add(entry.machine, entry);
    }
    for (const definition of this.forms.given) for (const { kind, logic } of definition.sources.values()) if (kind === "machine") this.#add(logic as unknown as AnyStateMachine, undefined);
  }

  #add(machine: AnyStateMachine, entry: DurableMachine | undefined, hash?: string): Drawn {
    const graph = hash === undefined ? graphOf(machine) : { ...graphOf(machine), hash };
    const known = this.#drawn.get(graph.hash);
    if (known !== undefined) return known;
    const drawn = draw(graph, entry);
    this.#drawn.set(graph.hash, drawn);
    return drawn;
  }

  /** A form by its hash; what is not at hand is looked for among the machines of the package, then in the store. */
  async of(hash: string): Promise<Drawn | undefined> {
    const found = this.peek(hash);
    if (found !== undefined) return found;
    this.#stored ??= this.#read().finally(() => (this.#stored = undefined));
    await this.#stored;
    return this.#drawn.get(hash);
  }

  peek(hash: string): Drawn | undefined {
    const definition = this.#drawn.has(hash) ? undefined : this.forms.of(hash);
    return definition === undefined ? this.#drawn.get(hash) : this.#add(definition.original, undefined);
  }

  get given(): ReadonlyArray<Drawn> {
    return [...this.#drawn.values()];
  }

  async #read(): Promise<void> {
    for (const { hash, id, version, chart } of await this.#source.charts()) {
      if (this.#drawn.has(hash)) continue;
      try {
        this.#add(createMachine({ ...(named(JSON.parse(chart)) as object), id, version } as never) as unknown as AnyStateMachine, undefined, hash);
      } catch {
        // A chart that no machine can be made of is not drawn.
      }
    }
  }
}

/** A stored chart as a config again: functions by their name, data that only code could make left out. */
const named = (value: unknown, under = ""): unknown => {
  if (Array.isArray(value)) return value.map((item) => named(item, under));
  if (typeof value !== "object" || value === null) return value;
  const { function: name, machine, logic } = value as Readonly<Record<string, unknown>>;
  if (typeof name === "string") return { type: name };
  if (under === "src") return String(machine ?? logic ?? "inline");
  const kept = Object.entries(value).filter(([key, inner]) => !["input", "output", "context"].includes(key) || typeof (inner as { function?: unknown } | null)?.function !== "string");
  return Object.fromEntries(kept.map(([key, inner]) => [key, named(inner, key)]));
};

const draw = (graph: Graph, entry: DurableMachine | undefined): Drawn => {
  const bySource = new Map<string, Array<GraphEdge>>();
  for (const edge of graph.edges) bySource.set(edge.source, [...(bySource.get(edge.source) ?? []), edge]);
  const edges = new Map<string, string | undefined>();
  const actives = new Map<string, ReadonlyArray<string>>();
  const steps = new WeakMap<object, string | false>();
  const byPath = new Map(graph.nodes.map(({ path, id }) => [path, id]));
  const edgeOf = (taken: Taken): string | undefined => {
    const key = `${taken.source}|${taken.on}|${taken.targets.join()}|${taken.guard ?? ""}`;
    if (!edges.has(key)) edges.set(key, match(bySource.get(taken.source) ?? [], taken));
    return edges.get(key);
  };
  return {
    graph,
    entry,
    edgeOf,
    edgeOfStep: (raw) => {
      let id = steps.get(raw);
      if (id === undefined) {
        const taken = takenOf(raw);
        id = (taken === undefined ? undefined : edgeOf(taken)) ?? false;
        steps.set(raw, id);
      }
      return id === false ? undefined : id;
    },
    activeOf: (value) => {
      const key = typeof value === "string" ? value : JSON.stringify(value);
      let active = actives.get(key);
      if (active === undefined) {
        active = [graph.root, ...pathsOf(value).flatMap((path) => byPath.get(path) ?? [])];
        if (actives.size > 10_000) actives.clear();
        actives.set(key, active);
      }
      return active;
    },
  };
};

const match = (edges: ReadonlyArray<GraphEdge>, { on, targets, guard }: Taken): string | undefined => {
  const same = edges.filter((edge) => onOf(edge) === on && edge.targets.join() === targets.join());
  const exact = same.filter((edge) => (edge.guard === undefined) === (guard === undefined) && (guard === undefined || edge.guard?.startsWith(guard)));
  return (exact[0] ?? same[0])?.id;
};

/** What XState calls that on which an edge is taken. */
const onOf = ({ kind, event, delay, child, source }: GraphEdge): string => {
  switch (kind) {
    case "event":
      return event ?? "";
    case "always":
      return "";
    case "after":
      return `xstate.after.${delay}.${source}`;
    case "done":
      return `xstate.done.actor.${child}`;
    case "error":
      return `xstate.error.actor.${child}`;
    case "snapshot":
      return `xstate.snapshot.${child}`;
    case "stateDone":
      return `xstate.done.state.${child ?? source}`;
  }
};

const pathsOf = (value: unknown, above = ""): ReadonlyArray<string> => {
  if (typeof value === "string") return [above === "" ? value : `${above}.${value}`];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const path = above === "" ? key : `${above}.${key}`;
    return [path, ...pathsOf(inner, path)];
  });
};

/** A state value in short: `active.running`, of several regions `left.a, right.b`. */
export const stateText = (value: unknown): string => {
  if (typeof value === "string") return value;
  const leaves = (inner: unknown, above: string): ReadonlyArray<string> =>
    typeof inner === "string"
      ? [`${above}${inner}`]
      : Object.entries((inner ?? {}) as object).flatMap(([key, next]) => (typeof next === "object" && Object.keys(next as object).length === 0 ? [`${above}${key}`] : leaves(next, `${above}${key}.`)));
  return leaves(value, "").join(", ");
};

const takenOf = (raw: RawTransition): Taken | undefined => traceOf([{ event: { type: "" }, snapshot: { value: "" }, _transitions: [raw] }])[0]?.transitions[0];
