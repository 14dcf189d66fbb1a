import type { Drawn } from "./charts.ts";
import type { Told } from "./source.ts";
import { ByStateValue, valueOfText } from "./state-value.ts";
import type { Dwell, Fleet } from "./wire.ts";

/** A state value of one form of a machine, and who stands or stood there. */
export interface Place {
  readonly fleet: FleetCount;
  /** The value: a name, or JSON. */
  readonly text: string;
  /** Actors that stand there now. */
  actors: number;
  /** Stays that are over: how many, how long in all and at most, in milliseconds. */
  stays: number;
  stayed: number;
  longest: number;
  /** The states that it means, where its chart is at hand. */
  active: ReadonlyArray<string> | undefined;
}

/** The actors of one form of a machine, counted. Told of each stored transition, so it only adds; what is read from it is made when it is asked for. */
export class FleetCount {
  readonly hash: string;
  /** Moves of its actors, ever: whoever knows it knows whether there is news. */
  revision = 0;
  /** Since somebody looks, an actor of it was seen, or an edge taken at any time. */
  isSeen = false;
  readonly statuses = new Map<string, number>();
  readonly #places = new ByStateValue<Place>((text) => ({ fleet: this, text, actors: 0, stays: 0, stayed: 0, longest: 0, active: undefined }));
  readonly #edges = new Map<string, { taken: number }>();
  /** The same, by the machine's own transitions: each is looked for once. */
  readonly #ways = new WeakMap<object, { taken: number }>();

  constructor(hash: string) {
    this.hash = hash;
  }

  placeOf(value: unknown): Place {
    return this.#places.of(value);
  }

  take(taken: Told["taken"], drawn: Drawn): void {
    for (const raw of taken) {
      let way = this.#ways.get(raw);
      if (way === undefined) {
        const id = drawn.edgeOfStep(raw);
        way = (id === undefined ? undefined : this.#edges.get(id)) ?? { taken: 0 };
        if (id !== undefined) this.#edges.set(id, way);
        this.#ways.set(raw, way);
      }
      way.taken++;
    }
  }

  /** Nobody stands anywhere, as far as is known. The edges that were taken stay known, and the stays. */
  clear(): void {
    for (const place of this.#places.all) place.actors = 0;
    this.statuses.clear();
    this.isSeen = this.#edges.size > 0;
  }

  read(drawn: Drawn | undefined): Omit<Fleet, "since" | "complete"> {
    const states: Record<string, number> = {};
    const dwell: Record<string, Dwell> = {};
    let total = 0;
    for (const place of this.#places.all) {
      const { actors, stays, stayed, longest } = place;
      if (place.active === undefined && drawn !== undefined) place.active = drawn.activeOf(valueOfText(place.text));
      const { active = [] } = place;
      total += actors;
      for (const id of active) states[id] = (states[id] ?? 0) + actors;
      if (stays > 0)
        // The first is the machine as a whole, which nobody leaves.
        for (const id of active.slice(1)) {
          const before = dwell[id] ?? { count: 0, mean: 0, max: 0 };
          const count = before.count + stays;
          dwell[id] = { count, mean: (before.mean * before.count + stayed) / count, max: Math.max(before.max, longest) };
        }
    }
    const statuses: Record<string, number> = {};
    for (const [status, number] of this.statuses) if (number > 0) statuses[status] = number;
    const edges: Record<string, number> = {};
    for (const [id, { taken }] of this.#edges) edges[id] = taken;
    return { hash: this.hash, states, statuses, edges, dwell, total };
  }
}
