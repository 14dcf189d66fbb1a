import { edgeCause, type Graph, type GraphEdge } from "./graph.ts";
import { Space } from "./space.ts";

/*
 * A walk through everything that a chart allows, whatever its guards say and its context holds: each guard may hold or
 * not, each event may come at any time. So it finds all that can happen, and more; what it does not find can't happen.
 */

/** Something that is taken and given back, by the names of the actions that do it. */
export interface Resource {
  readonly name: string;
  readonly takenBy: ReadonlyArray<string>;
  readonly givenBackBy: ReadonlyArray<string>;
}

export interface Flow {
  /** States that can be active. */
  readonly reached: ReadonlySet<string>;
  /** Edges that can be taken. */
  readonly taken: ReadonlySet<string>;
  /** The atomic states in which an actor can rest, by what they stand beside in other regions. */
  readonly rests: ReadonlySet<string>;
  /** States that are active at some rest at which a resource is held. */
  readonly holding: ReadonlyMap<string, ReadonlySet<string>>;
  /** The shortest way to each end at which something is still held, or taken twice. */
  readonly leaks: ReadonlyArray<Leak>;
  /** Ways round that no guard can end: the edges of each. */
  readonly endless: ReadonlyArray<ReadonlyArray<string>>;
  /** Rests that are not final and that nothing leads on from. */
  readonly deadEnds: ReadonlyArray<ReadonlyArray<string>>;
  /** False where there were more configurations than `configurationsMax`: then nothing that is missing here is proved to be impossible. */
  readonly complete: boolean;
  readonly configurations: number;
}

export interface Leak {
  readonly resource: string;
  readonly what: "held at the end" | "taken twice";
  /** The edges that lead there. */
  readonly way: ReadonlyArray<string>;
  /** Where it happens: the atomic states. */
  readonly at: ReadonlyArray<string>;
}

/** Beyond this many, regions have more combinations than one wants to wait for. */
export const configurationsMax = 20_000;
/** Beyond this many answers to one event, they are taken one by one instead of together. */
const choicesMax = 64;

export const flowOf = (graph: Graph, resources: ReadonlyArray<Resource> = []): Flow => new Walk(new Space(graph), resources).result();

interface Place {
  readonly active: ReadonlySet<string>;
  readonly leaves: ReadonlyArray<string>;
  readonly held: ReadonlySet<string>;
  /** Between two events, or on the way: `always` is still to be asked. */
  readonly resting: boolean;
  readonly from?: { readonly place: Place; readonly edges: ReadonlyArray<GraphEdge> } | undefined;
}

class Walk {
  readonly #space: Space;
  readonly #resources: ReadonlyArray<Resource>;
  readonly #seen = new Map<string, Place>();
  readonly #queue: Array<Place> = [];
  readonly #reached = new Set<string>();
  readonly #taken = new Set<string>();
  readonly #rests = new Set<string>();
  readonly #holding = new Map<string, Set<string>>();
  readonly #leaks = new Map<string, Leak>();
  readonly #deadEnds = new Map<string, ReadonlyArray<string>>();
  /** Steps that no guard decides, from key to key. */
  readonly #forced = new Map<string, { readonly to: string; readonly edges: ReadonlyArray<string> }>();
  readonly #events: ReadonlyArray<string>;
  readonly #invoked: ReadonlySet<string>;

  constructor(space: Space, resources: ReadonlyArray<Resource>) {
    this.#space = space;
    this.#resources = resources;
    // A wildcard also takes an event that no other edge names.
    this.#events = [...space.graph.events.filter((type) => !type.endsWith("*")), ...space.graph.events.flatMap((type) => (type.endsWith("*") ? [type.replace("*", "\u0000any")] : []))];
    this.#invoked = new Set(space.graph.nodes.flatMap(({ invokes = [] }) => invokes.map(({ id }) => id)));
  }

  result(): Flow {
    const active = this.#space.complete([this.#space.root.id]);
    const held = new Set<string>();
    const entered = this.#space.inOrder(active);
    this.#note(
      this.#place(
        active,
        this.#do(
          held,
          entered.flatMap((id) => this.#entryOf(id)),
        ),
        false,
        undefined,
      ),
    );
    let complete = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      if (this.#seen.size > configurationsMax) {
        complete = false;
        break;
      }
      this.#visit(next);
    }
    return {
      reached: this.#reached,
      taken: this.#taken,
      rests: this.#rests,
      holding: this.#holding,
      leaks: [...this.#leaks.values()],
      endless: this.#circles(),
      deadEnds: [...this.#deadEnds.values()],
      complete,
      configurations: this.#seen.size,
    };
  }

  #visit(place: Place): void {
    const { active } = place;
    if (this.#space.isOver(this.#space.root.id, active)) return this.#end(place);
    if (!place.resting) {
      const { ways, canStay } = this.#choices(place, (edge) => edge.kind === "always");
      const before = this.#key(place);
      for (const way of ways) {
        const next = this.#take(place, way);
        for (const one of next) this.#note(one);
        const [only] = next;
        if (!canStay && ways.length === 1 && next.length === 1 && only !== undefined) this.#forced.set(before, { to: this.#key(only), edges: way.map(({ id }) => id) });
      }
      if (canStay) this.#note({ ...place, resting: true });
      return;
    }
    for (const leaf of place.leaves) this.#rests.add(leaf);
    for (const name of place.held) for (const id of active) this.#holding.set(name, (this.#holding.get(name) ?? new Set()).add(id));
    let leads = false;
    for (const matches of this.#causes(active)) {
      for (const way of this.#choices(place, matches).ways) {
        leads ||= way.some(({ targets }) => targets.length > 0);
        for (const next of this.#take(place, way)) this.#note(next);
      }
    }
    if (!leads) this.#deadEnds.set(place.leaves.join(" "), place.leaves);
  }

  /** What can happen in a configuration, each as a test of the edges that answer to it. */
  #causes(active: ReadonlySet<string>): ReadonlyArray<(edge: GraphEdge) => boolean> {
    const own = new Map<string, (edge: GraphEdge) => boolean>();
    for (const id of active) {
      for (const edge of this.#space.edgesOf(id)) {
        if (edge.kind === "event" || edge.kind === "always") continue;
        if (edge.kind === "stateDone" && !this.#space.isOver(id, active)) continue;
        // The end of a child comes while its state lasts; of a spawned one at any time.
        if (edge.child !== undefined && this.#invoked.has(edge.child) && ![...active].some((other) => this.#space.node(other).invokes?.some((invoke) => invoke.id === edge.child) === true)) continue;
        const cause = `${edge.kind} ${edgeCause(edge)} ${edge.kind === "after" || edge.kind === "stateDone" ? id : ""}`;
        own.set(cause, (other) => other.kind === edge.kind && edgeCause(other) === edgeCause(edge) && (edge.child !== undefined || other.source === id));
      }
    }
    return [...own.values(), ...this.#events.map((type) => (edge: GraphEdge) => edge.kind === "event" && matches(type, edge.event ?? ""))];
  }

  /** Each set of edges that may be taken together on one cause, guards undecided; `canStay`: it may be that none is. */
  #choices({ active, leaves }: Place, isAsked: (edge: GraphEdge) => boolean): { readonly ways: ReadonlyArray<ReadonlyArray<GraphEdge>>; readonly canStay: boolean } {
    const perLeaf = leaves.map((leaf) => {
      const options: Array<GraphEdge | undefined> = [];
      for (const id of this.#space.line(leaf)) {
        // As in XState, the longer name goes before the wildcard.
        const asked = this.#space.edgesOf(id).filter(isAsked);
        const sorted = asked.some(({ event }) => event?.endsWith("*")) ? asked.toSorted((left, right) => rank(right) - rank(left)) : asked;
        for (const edge of sorted) {
          options.push(edge);
          if (edge.guard === undefined) return options;
        }
      }
      return [...options, undefined];
    });
    const size = perLeaf.reduce((product, options) => product * options.length, 1);
    const combined: ReadonlyArray<ReadonlyArray<GraphEdge | undefined>> =
      size <= choicesMax
        ? perLeaf.reduce<ReadonlyArray<ReadonlyArray<GraphEdge | undefined>>>((ways, options) => ways.flatMap((way) => options.map((option) => [...way, option])), [[]])
        : perLeaf.flatMap((options) => options.map((option) => [option]));
    const ways = new Map<string, ReadonlyArray<GraphEdge>>();
    for (const way of combined) {
      const edges = this.#compatible([...new Set(way.flatMap((edge) => edge ?? []))], active);
      if (edges.length > 0) ways.set(edges.map(({ id }) => id).join(" "), edges);
    }
    return { ways: [...ways.values()], canStay: perLeaf.every((options) => options.includes(undefined)) };
  }

  /** Of edges that leave the same, XState takes the inner one, else the earlier. */
  #compatible(edges: ReadonlyArray<GraphEdge>, active: ReadonlySet<string>): ReadonlyArray<GraphEdge> {
    if (edges.length < 2) return edges;
    const kept: Array<GraphEdge> = [];
    const leftBy = (edge: GraphEdge) => new Set((this.#space.targetsOf(edge)[0] ?? []).length === 0 ? [] : this.#space.moved(edge, this.#space.targetsOf(edge)[0] ?? [], active).left);
    for (const edge of edges) {
      const left = leftBy(edge);
      const rivals = kept.filter((other) => [...leftBy(other)].some((id) => left.has(id)));
      if (rivals.some((other) => !(edge.source !== other.source && this.#space.isWithin(edge.source, other.source)))) continue;
      for (const rival of rivals) kept.splice(kept.indexOf(rival), 1);
      kept.push(edge);
    }
    return kept;
  }

  #take(place: Place, edges: ReadonlyArray<GraphEdge>): ReadonlyArray<Place> {
    for (const { id } of edges) this.#taken.add(id);
    const ways = edges.reduce<ReadonlyArray<ReadonlyArray<readonly [GraphEdge, ReadonlyArray<string>]>>>(
      (all, edge) => all.flatMap((way) => this.#space.targetsOf(edge).map((targets) => [...way, [edge, targets] as const])),
      [[]],
    );
    return ways.map((way) => {
      let { active, held } = place;
      for (const [edge, targets] of way) {
        const moved = this.#space.moved(edge, targets, active);
        const done = [...moved.left.flatMap((id) => this.#space.node(id).exit ?? []), ...edge.actions, ...moved.entered.flatMap((id) => this.#entryOf(id))];
        held = this.#do(held, done, { place, edges });
        active = moved.active;
      }
      return this.#place(active, held, false, { place, edges });
    });
  }

  #end(place: Place): void {
    const left = this.#do(
      place.held,
      this.#space
        .inOrder(place.active)
        .toReversed()
        .flatMap((id) => this.#space.node(id).exit ?? []),
    );
    for (const name of left) this.#leak(name, "held at the end", place);
  }

  #do(held: ReadonlySet<string>, actions: ReadonlyArray<string>, from?: Place["from"]): ReadonlySet<string> {
    if (this.#resources.length === 0) return held;
    const now = new Set(held);
    for (const action of actions) {
      for (const { name, takenBy, givenBackBy } of this.#resources) {
        if (takenBy.includes(action)) {
          if (now.has(name) && from !== undefined) this.#leak(name, "taken twice", { ...from.place, from });
          now.add(name);
        }
        if (givenBackBy.includes(action)) now.delete(name);
      }
    }
    return now;
  }

  #leak(resource: string, what: Leak["what"], place: Place): void {
    const key = `${resource} ${what} ${place.leaves.join(" ")}`;
    if (this.#leaks.has(key)) return;
    const way: Array<string> = [];
    for (let at: Place | undefined = place; at?.from !== undefined; at = at.from.place === at ? undefined : at.from.place) way.unshift(...at.from.edges.map(({ id }) => id));
    this.#leaks.set(key, { resource, what, way, at: place.leaves });
  }

  #entryOf(id: string): ReadonlyArray<string> {
    const { entry = [], initialActions = [] } = this.#space.node(id);
    return [...entry, ...initialActions];
  }

  #place(active: ReadonlySet<string>, held: ReadonlySet<string>, resting: boolean, from: Place["from"]): Place {
    return { active, leaves: this.#space.inOrder([...active].filter((id) => this.#space.childrenOf(id).length === 0)), held, resting, from };
  }

  #note(place: Place): void {
    const key = this.#key(place);
    if (this.#seen.has(key)) return;
    this.#seen.set(key, place);
    for (const id of place.active) this.#reached.add(id);
    this.#queue.push(place);
  }

  #key({ leaves, held, resting }: Place): string {
    return `${leaves.join(" ")}|${[...held].sort().join(" ")}|${resting}`;
  }

  #circles(): ReadonlyArray<ReadonlyArray<string>> {
    const circles = new Map<string, ReadonlyArray<string>>();
    for (const start of this.#forced.keys()) {
      const way: Array<string> = [];
      let key = start;
      for (let step = this.#forced.get(key); step !== undefined && way.length <= this.#forced.size * 2; step = this.#forced.get(key)) {
        way.push(...step.edges);
        key = step.to;
        if (key === start) {
          circles.set([...way].sort().join(" "), way);
          break;
        }
      }
    }
    return [...circles.values()];
  }
}

const rank = ({ event = "" }: GraphEdge): number => (event.endsWith("*") ? event.length : Number.MAX_SAFE_INTEGER);

/** Whether an event of this type is taken by what stands in `on`. */
export const matches = (type: string, descriptor: string): boolean =>
  descriptor === type || descriptor === "*" || (descriptor.endsWith(".*") && (type === descriptor.slice(0, -2) || type.startsWith(descriptor.slice(0, -1))));
