import { graceMs, isItself, type Entry, type Surroundings, type Waiting, whyWaiting } from "../analysis/index.ts";
import { type ActorView, type ParkedActor, parkedRemedies, type Time } from "../engine/index.ts";
import type { Fleets } from "./fleets.ts";
import type { Source } from "./source.ts";
import type { StuckLine } from "./wire.ts";

/** How old what is known of the parked actors may be: finding them reads every stored actor, and they seldom come by. */
const parkedMs = 600_000;
/** Parked actors that are known at a time. */
const parkedMax = 1_000;
/** How old what is known of the overdue ones may be. */
const overdueMs = 2_000;
/** Actors that look overdue and are asked why. */
const askedMax = 30;
/** Children of children are read down to here, and so many of each. */
const depthMax = 4;
const childrenMax = 200;

/** The stored children of an actor, theirs, and so on. */
export const familyOf = async (source: Source, view: ActorView): Promise<Surroundings["childrenOf"]> => {
  const found = new Map<number, ReadonlyArray<ActorView>>();
  const read = async (parent: ActorView, depth: number): Promise<void> => {
    if (depth > depthMax || Object.values(parent.children ?? {}).every(({ ended }) => ended === true)) return;
    const children = await source.list({ parent: parent.id, limit: childrenMax });
    found.set(parent.id, children);
    for (const child of children) if (child.status === "active") await read(child, depth + 1);
  };
  await read(view, 0);
  return ({ id }) => found.get(id) ?? [];
};

/** What does not go on by itself: actors that are overdue, in the words of `taskwright stuck`, and parked ones. */
export class Stuck {
  readonly #source: Source;
  readonly #fleets: Fleets;
  readonly #time: Time;
  readonly #machineOf: (view: ActorView) => Entry | undefined;
  #parked: ReadonlyMap<string, ParkedActor> = new Map();
  #parkedAt = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | undefined;
  #overdue: { readonly at: number; readonly found: Promise<{ readonly lines: ReadonlyArray<StuckLine>; readonly more: number }> } | undefined;

  constructor(source: Source, fleets: Fleets, time: Time, machineOf: (view: ActorView) => Entry | undefined) {
    this.#source = source;
    this.#fleets = fleets;
    this.#time = time;
    this.#machineOf = machineOf;
  }

  /** Parked actors as they were found last; looked for anew behind the answer. `looked` resolves when that is over. */
  parked(): { readonly actors: ReadonlyMap<string, ParkedActor>; readonly looked: Promise<void> } {
    if (this.#source.parked !== undefined && this.#looking === undefined && this.#time.now() - this.#parkedAt >= parkedMs) {
      this.#parkedAt = this.#time.now();
      const { parked } = this.#source;
      // One after the other: both read everything.
      this.#looking = this.#fleets
        .watch()
        .then(() => parked(parkedMax))
        .then(
          (found) => {
            this.#parked = new Map(found.map((actor) => [actor.address, actor]));
          },
          // The store does not answer now; the next look may.
          () => {},
        )
        .finally(() => {
          this.#looking = undefined;
        });
    }
    return { actors: this.#parked, looked: this.#looking ?? Promise.resolve() };
  }

  /** Overdue actors, and how many more look like it. */
  overdue(): Promise<{ readonly lines: ReadonlyArray<StuckLine>; readonly more: number }> {
    const now = this.#time.now();
    if (this.#overdue === undefined || now - this.#overdue.at >= overdueMs) this.#overdue = { at: now, found: this.#find(now) };
    return this.#overdue.found;
  }

  async #find(now: number): Promise<{ readonly lines: ReadonlyArray<StuckLine>; readonly more: number }> {
    // A file is the past: nothing in it goes on, and nothing is late.
    if (this.#source.kind === "file") return { lines: [], more: 0 };
    const suspects = this.#fleets.suspects(now, graceMs);
    const lines: Array<StuckLine> = [];
    for (const address of suspects.slice(0, askedMax)) {
      const view = await this.#source.actor(address);
      if (view === undefined || this.#parked.has(address)) continue;
      const waiting = whyWaiting(view, { now, machineOf: this.#machineOf, childrenOf: await familyOf(this.#source, view) });
      if (isItself(waiting)) lines.push(lineOf(waiting));
    }
    return { lines, more: Math.max(0, suspects.length - askedMax) };
  }
}

const lineOf = ({ address, machine, states, since, by, because }: Waiting): StuckLine => ({
  at: by ?? since,
  address,
  text: because,
  state: states.map((id) => id.slice(machine.length + 1) || id).join(", "),
  mark: "overdue",
});

/** A parked actor with its cause and the remedy. `at`: when it moved last, where that is known. */
export const parkedLine = ({ address, reason, detail }: ParkedActor, at: number): StuckLine => ({
  at,
  address,
  text: `${detail}; ${parkedRemedies[reason]}`,
  mark: `parked: ${reason}`,
});
