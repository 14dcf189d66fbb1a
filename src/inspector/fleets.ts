import { childAddress } from "../domain/address.ts";
import { breath } from "./breath.ts";
import type { ActorView, Time } from "../engine/index.ts";
import type { Drawn } from "./charts.ts";
import type { Source, Told } from "./source.ts";
import { FleetCount, type Place } from "./fleet-count.ts";
import { shortOfText, valueOfText } from "./state-value.ts";
import type { ActorLine, ActorList, Fleet, Stand } from "./wire.ts";

/** Actors of which the place is known at a time; beyond it the oldest that have ended are left out. */
const actorsMax = 300_000;
const page = 500;

interface Standing {
  readonly address: string;
  readonly machine: string;
  place: Place;
  status: string;
  seq: number;
  at: number;
  readonly createdAt: number;
  /** Since when it stands at its place; 0: since before anybody watched. */
  since: number;
  /** What it waits for, once somebody asked; until then its timers and children as they were told. */
  waits: Waits | undefined;
  timers: ActorView["timers"];
  children: ActorView["children"];
}

/** What an actor waits for. */
interface Waits {
  readonly due: number | undefined;
  /** The machine threw on one of its deadlines. */
  readonly isHeld: boolean;
  /** Children that have not ended, as far as it was told. */
  readonly awaits: ReadonlyArray<string>;
}

/** Stored transitions of one second. */
interface Second {
  readonly second: number;
  count: number;
}

/** A form of a machine, and its chart where that is at hand. */
interface Form {
  readonly hash: string;
  readonly count: FleetCount;
  drawn: Drawn | undefined;
}

export interface ListQuery {
  readonly machine?: string | undefined;
  readonly status?: string | undefined;
  readonly state?: string | undefined;
  readonly search?: string | undefined;
  /** Only these addresses. */
  readonly among?: ReadonlyArray<string> | undefined;
  readonly sort: "address" | "state" | "at" | "createdAt" | "due";
  readonly descending: boolean;
  readonly from: number;
  readonly limit: number;
}

/**
 * Where all actors stand, kept in memory while somebody looks: read once in pages, then told. It holds no truth; what it
 * says of an actor may be a frame old.
 */
export class Fleets {
  readonly #actors = new Map<string, Standing>();
  readonly #counts = new Map<string, FleetCount>();
  readonly #source: Source;
  readonly #time: Time;
  readonly #drawn: (hash: string) => Drawn | undefined;
  #since = 0;
  #reading: Promise<void> | undefined;
  #stop: (() => void) | undefined;
  #revision = 0;
  #sorted: { readonly key: string; readonly revision: number; readonly at: number; readonly lines: ReadonlyArray<Standing> } | undefined;
  isComplete = false;
  transitions = 0;
  /** The last minute, as far as something moved; the present second last. */
  readonly #seconds: Array<Second> = [];
  /** What `at` the present second was found for: transitions of one turn have the same. */
  #secondFor: number | undefined;
  #second: Second = { second: 0, count: 0 };
  readonly #forms = new Map<string, Form>();
  /** Of the last transition: the next one is mostly of the same. */
  #form: Form | undefined;
  onMove: ((address: string) => void) | undefined;

  constructor(source: Source, time: Time, drawn: (hash: string) => Drawn | undefined) {
    this.#source = source;
    this.#time = time;
    this.#drawn = drawn;
  }

  /** Begins to watch, if nobody does. Resolves when all stored actors were counted. */
  watch(): Promise<void> {
    if (this.#stop === undefined) {
      this.#since = this.#time.now();
      this.#stop = this.#source.follow(
        (told) => this.#hear(told),
        (actor) => this.#see(actor),
      );
      this.#reading = this.#read();
    }
    return this.#reading as Promise<void>;
  }

  /** Nobody looks any more. The edges that were taken stay known. */
  rest(): void {
    this.#stop?.();
    this.#stop = undefined;
    this.isComplete = false;
    this.#actors.clear();
    for (const count of this.#counts.values()) count.clear();
  }

  async #read(): Promise<void> {
    const stop = this.#stop;
    for (let after = 0; ; ) {
      const rows = await this.#source.list({ after, limit: page });
      if (this.#stop !== stop) return;
      for (const actor of rows) if ((this.#actors.get(actor.address)?.seq ?? 0) < actor.seq) this.#place(actor, 0);
      const last = rows.at(-1);
      if (last === undefined || rows.length < page) break;
      after = last.id;
      await breath();
    }
    this.isComplete = true;
    this.#revision++;
    // Pages that count along hear that the counting is over.
    for (const count of this.#counts.values()) count.revision++;
    this.onMove?.("");
  }

  #see(actor: ActorView): void {
    const before = this.#actors.get(actor.address);
    if (before !== undefined && before.seq >= actor.seq) return;
    this.#tick(actor.at, actor.seq - (before?.seq ?? 0));
    this.#place(actor, actor.at);
    this.onMove?.(actor.address);
  }

  #place({ address, machine, hash, status, value, timers, children, seq, at, createdAt }: ActorView, since: number): void {
    const count = this.#countOf(hash);
    const standing = this.#move(count, count.placeOf(value), address, machine, status, seq, at, createdAt, since);
    standing.waits = waitsOf(status, timers, children);
  }

  /** Called for each stored transition, on the engine's own time: what can be found out later is not found out here. */
  #hear({ address, machine, hash, seq, at, status, state, value, taken }: Told): void {
    this.#tick(at, 1);
    const form = this.#form?.hash === hash ? this.#form : this.#formOf(hash);
    const { count } = form;
    const standing = this.#move(count, count.placeOf(value), address, machine, status, seq, at, at, at);
    standing.waits = undefined;
    standing.timers = state.timers;
    standing.children = state.children;
    // The first entry is its start, on which no edge leads.
    if (seq > 1 && taken.length > 0) {
      form.drawn ??= this.#drawn(hash);
      if (form.drawn !== undefined) count.take(taken, form.drawn);
    }
    this.onMove?.(address);
  }

  #formOf(hash: string): Form {
    let form = this.#forms.get(hash);
    if (form === undefined) {
      form = { hash, count: this.#countOf(hash), drawn: undefined };
      this.#forms.set(hash, form);
    }
    this.#form = form;
    return form;
  }

  #tick(at: number, count: number): void {
    this.transitions += count;
    if (this.#secondFor !== at) {
      this.#secondFor = at;
      const second = Math.floor(this.#time.now() / 1_000);
      if (this.#second.second !== second) {
        this.#second = { second, count: 0 };
        this.#seconds.push(this.#second);
        if (this.#seconds.length > 60) this.#seconds.shift();
      }
    }
    this.#second.count += count;
  }

  #countOf(hash: string): FleetCount {
    let count = this.#counts.get(hash);
    if (count === undefined) {
      count = new FleetCount(hash);
      this.#counts.set(hash, count);
    }
    return count;
  }

  #move(count: FleetCount, place: Place, address: string, machine: string, status: string, seq: number, at: number, createdAt: number, since: number): Standing {
    this.#revision++;
    count.revision++;
    const known = this.#actors.get(address);
    if (known === undefined) {
      if (this.#actors.size >= actorsMax) this.#forget();
      const standing: Standing = { address, machine, place, status, seq, at, createdAt, since, waits: nothing, timers: undefined, children: undefined };
      this.#actors.set(address, standing);
      count.isSeen = true;
      place.actors++;
      add(count.statuses, status, 1);
      return standing;
    }
    const { place: before, status: statusBefore } = known;
    if (before !== place) {
      before.actors--;
      place.actors++;
      if (known.since > 0) {
        const ms = at - known.since;
        before.stays++;
        before.stayed += ms;
        if (ms > before.longest) before.longest = ms;
      }
      known.since = since;
      known.place = place;
    }
    if (statusBefore !== status || before.fleet !== count) {
      add(before.fleet.statuses, statusBefore, -1);
      add(count.statuses, status, 1);
      before.fleet.revision++;
      count.isSeen = true;
      known.status = status;
    }
    known.seq = seq;
    known.at = at;
    return known;
  }

  /** Makes room: the oldest that have ended are left out of the lists; they stay counted. */
  #forget(): void {
    let left = Math.ceil(actorsMax / 20);
    for (const [address, { status }] of this.#actors) {
      if (left === 0) return;
      if (status === "active") continue;
      this.#actors.delete(address);
      left--;
    }
  }

  movedAt(address: string): number | undefined {
    return this.#actors.get(address)?.at;
  }

  /** Where one actor stands. */
  stand(address: string): Stand | undefined {
    const standing = this.#actors.get(address);
    if (standing === undefined) return undefined;
    const { seq, place } = standing;
    return { seq, state: shortOfText(place.text), active: this.#drawn(place.fleet.hash)?.activeOf(valueOfText(place.text)) ?? [] };
  }

  get rate(): ReadonlyArray<number> {
    // A turn of the same moment may follow in another second.
    this.#secondFor = undefined;
    const first = Math.floor(this.#time.now() / 1_000) - 59;
    const rate = new Array<number>(60).fill(0);
    for (const { second, count } of this.#seconds) if (second >= first && second < first + 60) rate[second - first] = count;
    return rate;
  }

  get hashes(): ReadonlyArray<string> {
    const found: Array<string> = [];
    for (const { isSeen, hash } of this.#counts.values()) if (isSeen) found.push(hash);
    return found;
  }

  /** Greater with each move of an actor of this form. */
  revisionOf(hash: string): number {
    return this.#counts.get(hash)?.revision ?? 0;
  }

  machineOf(hash: string): string | undefined {
    for (const { place, machine } of this.#actors.values()) if (place.fleet.hash === hash) return machine;
    return undefined;
  }

  fleet(hash: string, drawn: Drawn | undefined): Fleet {
    return { ...this.#countOf(hash).read(drawn), since: this.#since, complete: this.isComplete };
  }

  list(query: ListQuery): ActorList {
    const { from, limit, ...rest } = query;
    const key = JSON.stringify(rest);
    const now = this.#time.now();
    let sorted = this.#sorted;
    // Sorting a hundred thousand costs too much to be done anew for each row that scrolls by.
    if (sorted?.key !== key || (sorted.revision !== this.#revision && now - sorted.at > 1_000)) sorted = this.#sorted = { key, revision: this.#revision, at: now, lines: this.#sort(query) };
    return { total: sorted.lines.length, of: this.#actors.size, from, lines: sorted.lines.slice(from, from + limit).map(lineOf) };
  }

  /** All addresses that a filter finds. */
  addresses(query: ListQuery): ReadonlyArray<string> {
    return this.#sort(query).map(({ address }) => address);
  }

  #sort({ machine, status, state, search, among, sort, descending }: ListQuery): ReadonlyArray<Standing> {
    const wanted = search?.toLowerCase() ?? "";
    const found: Array<Standing> = [];
    const looked = among === undefined ? this.#actors.values() : among.flatMap((address) => this.#actors.get(address) ?? []);
    for (const actor of looked) {
      if (machine !== undefined && actor.machine !== machine) continue;
      if (status !== undefined && actor.status !== status) continue;
      if (state !== undefined && shortOfText(actor.place.text) !== state) continue;
      if (wanted !== "" && !actor.address.toLowerCase().includes(wanted)) continue;
      found.push(actor);
    }
    const sign = descending ? -1 : 1;
    const by: (left: Standing, right: Standing) => number =
      sort === "at" || sort === "createdAt"
        ? (left, right) => left[sort] - right[sort]
        : sort === "due"
          ? (left, right) => (waitsFor(left).due ?? Number.MAX_VALUE) - (waitsFor(right).due ?? Number.MAX_VALUE)
          : sort === "state"
            ? (left, right) => (left.place.text < right.place.text ? -1 : left.place.text > right.place.text ? 1 : 0)
            : (left, right) => (left.address < right.address ? -1 : left.address > right.address ? 1 : 0);
    return found.sort((left, right) => sign * by(left, right));
  }

  /** Actors that may be overdue, by what is known of them here: a deadline that has passed or is held, a child that is over or not there. */
  suspects(now: number, graceMs: number): ReadonlyArray<string> {
    const found: Array<string> = [];
    const isGone = (address: string, id: string, at: number): boolean => {
      const child = this.#actors.get(childAddress(address, id));
      return (child === undefined ? this.isComplete : child.status !== "active") && Math.max(at, child?.at ?? 0) + graceMs < now;
    };
    for (const actor of this.#actors.values()) {
      if (actor.status !== "active") continue;
      const { address, at } = actor;
      const { due, isHeld, awaits } = waitsFor(actor);
      if (isHeld || (due !== undefined && due + graceMs < now) || awaits.some((id) => isGone(address, id, at))) found.push(address);
    }
    return found;
  }
}

const nothing: Waits = { due: undefined, isHeld: false, awaits: [] };

const waitsOf = (status: string, timers: ActorView["timers"], children: ActorView["children"]): Waits => {
  if (status !== "active") return nothing;
  let due: number | undefined;
  let isHeld = false;
  for (const id in timers) {
    const timer = timers[id] as NonNullable<typeof timers>[string];
    if (timer.held === true) isHeld = true;
    else if (due === undefined || timer.due < due) due = timer.due;
  }
  let awaits = nothing.awaits;
  for (const id in children) if (children[id]?.ended !== true) awaits = [...awaits, id];
  return due === undefined && !isHeld && awaits.length === 0 ? nothing : { due, isHeld, awaits };
};

/** Found out when somebody asks, and then known until it moves again. */
const waitsFor = (actor: Standing): Waits => {
  if (actor.waits === undefined) {
    actor.waits = waitsOf(actor.status, actor.timers, actor.children);
    actor.timers = actor.children = undefined;
  }
  return actor.waits;
};

const lineOf = (actor: Standing): ActorLine => {
  const { address, machine, place, status, seq, at, createdAt } = actor;
  const { due } = waitsFor(actor);
  return { address, machine, hash: place.fleet.hash, status, state: shortOfText(place.text), seq, at, createdAt, ...(due === undefined ? {} : { due }) };
};

const add = (counts: Map<string, number>, key: string, number: number): void => {
  counts.set(key, (counts.get(key) ?? 0) + number);
};
