import type { Address } from "../domain/address.ts";
import type { Event } from "../domain/event.ts";
import { ClosedWorld, type Happened, type Happening, happeningText, type WorldActor } from "./closed-world.ts";
import type { Entry } from "./moves.ts";

export interface ExploreOptions {
  /** The actors that a host starts; what they start themselves comes along. */
  readonly starts: ReadonlyArray<{ readonly machine: Entry; readonly id: string; readonly input?: unknown }>;
  /** What may come from outside, by machine: to every actor of it that has not ended, at any time and any number of times. */
  readonly events?: Readonly<Record<string, ReadonlyArray<Event> | ((actor: WorldActor) => ReadonlyArray<Event>)>>;
  /** What promises may end with, by the name of their logic. Default: nothing. Each may also fail. */
  readonly outputs?: Readonly<Record<string, ReadonlyArray<unknown>>>;
  /** Milliseconds that a promise takes at the longest, by the name of its logic. Default: for ever. Only for the bound. */
  readonly longestMs?: Readonly<Record<string, number>>;
  /** What must hold whenever the actors are at rest, by what it says. */
  readonly invariants?: Readonly<Record<string, (actors: ReadonlyArray<WorldActor>) => boolean>>;
  /** Happenings in a row. Default: 12. */
  readonly depth?: number;
  /** Different worlds that are looked at. Default: 20,000. */
  readonly worldsMax?: number;
}

export interface Explored {
  /** Each thing that went wrong, with the shortest way to it. Nothing: there is no counterexample down to `depth`. */
  readonly counterexamples: ReadonlyArray<Counterexample>;
  /** All that can happen with these samples was seen: there is nothing beyond `depth`. */
  readonly complete: boolean;
  /** How many happenings in a row were looked at. */
  readonly depth: number;
  readonly worlds: number;
  /** The shortest way on which each edge is taken, by machine and edge: "task task.queued:event ASSIGN:0". */
  readonly ways: ReadonlyMap<string, ReadonlyArray<Happening>>;
  /** The worst that can happen; absent where it was not all seen. */
  readonly bound: Bound | undefined;
}

export interface Counterexample {
  /** The words of an invariant, or what a machine threw. */
  readonly what: string;
  readonly way: ReadonlyArray<Happening>;
}

/** What the actors take at the most, until nothing happens any more: `Infinity` where they may go round for ever. */
export interface Bound {
  /** Milliseconds, with everything as late as its deadlines allow; `Infinity` also where somebody outside is waited for without one. */
  readonly wallMs: number;
  /** How often each logic is begun, by its name. */
  readonly begun: Readonly<Record<string, number>>;
}

/** In words: what was found, and how far it holds. */
export const exploredText = ({ counterexamples, complete, depth, worlds }: Explored): string =>
  counterexamples.length > 0
    ? counterexamples.map(({ what, way }) => `${what}, after:\n${way.map((happening) => `  ${happeningText(happening)}\n`).join("")}`).join("")
    : complete
      ? `no counterexample: all ${worlds} worlds that these samples lead to were looked at\n`
      : `no counterexample to depth ${depth} (${worlds} worlds)\n`;

interface Found {
  readonly world: ClosedWorld;
  readonly from?: { readonly found: Found; readonly happening: Happening };
  readonly depth: number;
  /** Where each thing that can happen leads. */
  readonly next: Array<{ readonly key: string; readonly ms: number; readonly begun: ReadonlyArray<string> }>;
}

/**
 * Lets everything happen in every order, down to a depth: events from outside (lost, late, twice: as it comes), deadlines
 * in the order in which they are due, promises that end or fail. A bounded search: what it does not find it does not
 * disprove, unless it is `complete`.
 */
export const explore = (options: ExploreOptions): Explored => {
  const { starts, invariants = {}, longestMs = {}, depth: depthMax = 12, worldsMax = 20_000 } = options;
  const counterexamples: Array<Counterexample> = [];
  const broken = new Set<string>();
  const ways = new Map<string, ReadonlyArray<Happening>>();
  const seen = new Map<string, Found>();
  const queue: Array<Found> = [];
  let complete = true;
  let depth = 0;
  const wayTo = (found: Found): ReadonlyArray<Happening> => (found.from === undefined ? [] : [...wayTo(found.from.found), found.from.happening]);
  const fail = (what: string, way: ReadonlyArray<Happening>): void => {
    if (broken.has(what)) return;
    broken.add(what);
    counterexamples.push({ what, way });
  };
  const arrive = (found: Found, happened: Happened): string => {
    const key = found.world.key;
    const way = () => wayTo(found);
    for (const edge of happened.edges) if (!ways.has(edge)) ways.set(edge, way());
    if (seen.has(key)) return key;
    if (seen.size >= worldsMax) {
      complete = false;
      return key;
    }
    seen.set(key, found);
    queue.push(found);
    const { actors } = found.world;
    for (const [words, holds] of Object.entries(invariants)) if (!broken.has(words) && !holds(actors)) fail(words, way());
    return key;
  };

  const first = ClosedWorld.begin(starts);
  const firstKey = arrive({ world: first.world, depth: 0, next: [] }, first.happened);
  for (let found = queue.shift(); found !== undefined; found = queue.shift()) {
    const { world } = found;
    const happenings = happeningsIn(world, options);
    if (found.depth >= depthMax) {
      if (happenings.length > 0) complete = false;
      continue;
    }
    depth = Math.max(depth, found.depth + 1);
    // Somebody outside may wait with an event until just before the next deadline; where there is none, for ever.
    const longestOf = ({ kind, to }: Happening) =>
      kind === "event" ? Number.POSITIVE_INFINITY : (longestMs[world.pending.find(({ address }) => address === to)?.src ?? ""] ?? Number.POSITIVE_INFINITY);
    const patience = world.nextDue === undefined ? Number.POSITIVE_INFINITY : world.nextDue - world.now;
    for (const happening of happenings) {
      try {
        const { world: next, happened } = world.after(happening);
        const key = arrive({ world: next, from: { found, happening }, depth: found.depth + 1, next: [] }, happened);
        found.next.push({ key, ms: happening.kind === "deadline" ? happened.passedMs : Math.min(patience, longestOf(happening)), begun: happened.begun });
      } catch (error) {
        fail(error instanceof Error ? error.message : String(error), [...wayTo(found), happening]);
      }
    }
  }
  return { counterexamples, complete, depth, worlds: seen.size, ways, bound: complete && counterexamples.length === 0 ? boundOf(seen, firstKey, first.happened.begun) : undefined };
};

const happeningsIn = (world: ClosedWorld, { events = {}, outputs = {} }: ExploreOptions): ReadonlyArray<Happening> => [
  ...world.actors.flatMap((actor): ReadonlyArray<Happening> => {
    const given = events[actor.machine] ?? [];
    return actor.status === "active" ? (typeof given === "function" ? given(actor) : given).map((event) => ({ kind: "event", to: actor.address, event })) : [];
  }),
  ...world.pending.flatMap(
    ({ address: to, src }: { readonly address: Address; readonly src: string }): ReadonlyArray<Happening> => [
      ...(outputs[src] ?? [undefined]).map((output) => ({ kind: "done" as const, to, output })),
      { kind: "failed", to },
    ],
  ),
  ...world.deadlines,
];

/** The longest ways through what was seen. What changes nothing costs nothing: it leads to where it came from. */
const boundOf = (seen: ReadonlyMap<string, Found>, first: string, begun: ReadonlyArray<string>): Bound => {
  const order: Array<string> = [];
  const state = new Map<string, "open" | "done">();
  let isCircular = false;
  const stack: Array<{ readonly key: string; index: number }> = [{ key: first, index: 0 }];
  state.set(first, "open");
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const next = seen.get(top.key)?.next[top.index++];
    if (next === undefined) {
      state.set(top.key, "done");
      order.push(top.key);
      stack.pop();
    } else if (next.key !== top.key) {
      if (state.get(next.key) === "open") isCircular = true;
      else if (!state.has(next.key)) {
        state.set(next.key, "open");
        stack.push({ key: next.key, index: 0 });
      }
    } else if (next.begun.length > 0) isCircular = true;
  }
  const names = new Set([...begun, ...[...seen.values()].flatMap(({ next }) => next.flatMap((one) => one.begun))]);
  const count = (list: ReadonlyArray<string>, name: string) => list.filter((one) => one === name).length;
  if (isCircular) return { wallMs: Number.POSITIVE_INFINITY, begun: Object.fromEntries([...names].map((name) => [name, Number.POSITIVE_INFINITY])) };
  const longest = (weight: (next: Found["next"][number]) => number): number => {
    const best = new Map<string, number>();
    for (const key of order) best.set(key, Math.max(0, ...(seen.get(key)?.next ?? []).filter((next) => next.key !== key).map((next) => weight(next) + (best.get(next.key) ?? 0))));
    return best.get(first) ?? 0;
  };
  return { wallMs: longest(({ ms }) => ms), begun: Object.fromEntries([...names].map((name) => [name, count(begun, name) + longest((next) => count(next.begun, name))])) };
};

/** Ways that together take every edge that was seen: what another way goes through on its way is left out. */
export const coveringWays = ({ ways }: Explored): ReadonlyArray<ReadonlyArray<Happening>> => {
  const all = [...new Map([...ways.values()].map((way) => [JSON.stringify(way), way])).values()].sort((left, right) => right.length - left.length);
  const kept: Array<ReadonlyArray<Happening>> = [];
  for (const way of all) if (!kept.some((other) => JSON.stringify(other.slice(0, way.length)) === JSON.stringify(way))) kept.push(way);
  return kept;
};
