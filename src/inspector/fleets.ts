import { childAddress } from "../domain/address.ts";
import { breath } from "./breath.ts";
import type { ActorView, Time } from "../engine/index.ts";
import type { Drawn } from "./charts.ts";
import type { Source, Told } from "./source.ts";
import { shortOfText, textOfValue, valueOfText } from "./state-value.ts";
import type { ActorLine, ActorList, Dwell, Fleet, Stand } from "./wire.ts";

/** Actors of which the place is known at a time; beyond it the oldest that have ended are left out. */
const actorsMax = 300_000;
const page = 500;

interface Standing {
  readonly address: string;
  readonly machine: string;
  hash: string;
  status: string;
  /** The state value: a name, or JSON. */
  value: string;
  seq: number;
  at: number;
  readonly createdAt: number;
  /** Since when it stands in `value`; 0: since before anybody watched. */
  since: number;
  due: number | undefined;
  /** The machine threw on one of its deadlines. */
  isHeld: boolean;
  /** Children that have not ended, as far as it was told. */
  awaits: ReadonlyArray<string>;
}

interface Count {
  readonly hash: string;
  /** Moves of its actors, ever: whoever knows it knows whether there is news. */
  revision: number;
  readonly values: Map<string, number>;
  readonly statuses: Map<string, number>;
  readonly edges: Map<string, { taken: number }>;
  /** The same, by the machine's own transitions: each is looked for once. */
  readonly ways: WeakMap<object, { taken: number }>;
  readonly dwell: Map<string, { count: number; sum: number; max: number }>;
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
  readonly #counts = new Map<string, Count>();
  readonly #source: Source;
  readonly #time: Time;
  readonly #drawn: (machine: string, version: string | undefined, hash: string | undefined) => Drawn | undefined;
  #since = 0;
  #reading: Promise<void> | undefined;
  #stop: (() => void) | undefined;
  #revision = 0;
  #sorted: { readonly key: string; readonly revision: number; readonly at: number; readonly lines: ReadonlyArray<Standing> } | undefined;
  isComplete = false;
  transitions = 0;
  /** Stored transitions per second: a second each, the present one last. */
  readonly #seconds: Array<{ second: number; count: number }> = [];
  readonly #forms = new WeakMap<object, Drawn>();
  onMove: ((address: string) => void) | undefined;

  constructor(source: Source, time: Time, drawn: (machine: string, version: string | undefined, hash: string | undefined) => Drawn | undefined) {
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
    for (const count of this.#counts.values()) {
      count.values.clear();
      count.statuses.clear();
    }
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
    this.#tick(actor.seq - (before?.seq ?? 0));
    this.#place(actor, actor.at);
    this.onMove?.(actor.address);
  }

  #place({ address, machine, hash, status, value, timers, children, seq, at, createdAt }: ActorView, since: number): void {
    this.#move(this.#countOf(hash), address, machine, status, textOfValue(value), seq, at, createdAt, since, timers, children);
  }

  /** Called for each stored transition, on the engine's own time: what can be found out later is not found out here. */
  #hear({ address, machine, seq, at, status, state, step, event }: Told): void {
    const drawn = this.#formOf(machine, state.snapshot);
    this.#tick(1);
    if (drawn === undefined) return;
    const { hash } = drawn.graph;
    const count = this.#countOf(hash);
    this.#move(count, address, machine, status, textOfValue(state.snapshot.value), seq, at, at, at, state.timers, state.children);
    if (step !== undefined && event.type !== "taskwright.start")
      for (const { _transitions } of step.microsteps)
        for (const raw of _transitions) {
          let way = count.ways.get(raw);
          if (way === undefined) {
            const id = drawn.edgeOfStep(raw);
            way = (id === undefined ? undefined : count.edges.get(id)) ?? { taken: 0 };
            if (id !== undefined) count.edges.set(id, way);
            count.ways.set(raw, way);
          }
          way.taken++;
        }
    this.onMove?.(address);
  }

  #formOf(machine: string, snapshot: Told["state"]["snapshot"]): Drawn | undefined {
    const logic = (snapshot as unknown as { readonly machine: { readonly version?: string } }).machine;
    let drawn = this.#forms.get(logic);
    if (drawn === undefined) {
      drawn = this.#drawn(machine, logic.version, undefined);
      if (drawn !== undefined) this.#forms.set(logic, drawn);
    }
    return drawn;
  }

  #tick(count: number): void {
    this.transitions += count;
    const second = Math.floor(this.#time.now() / 1_000);
    const last = this.#seconds.at(-1);
    if (last?.second === second) last.count += count;
    else this.#seconds.push({ second, count });
    if (this.#seconds.length > 60) this.#seconds.shift();
  }

  #countOf(hash: string): Count {
    let count = this.#counts.get(hash);
    if (count === undefined) {
      count = { hash, revision: 0, values: new Map(), statuses: new Map(), edges: new Map(), ways: new WeakMap(), dwell: new Map() };
      this.#counts.set(hash, count);
    }
    return count;
  }

  #move(
    count: Count,
    address: string,
    machine: string,
    status: string,
    value: string,
    seq: number,
    at: number,
    createdAt: number,
    since: number,
    timers: ActorView["timers"],
    children: ActorView["children"],
  ): void {
    const { hash } = count;
    let due: number | undefined;
    let isHeld = false;
    if (status === "active")
      for (const id in timers) {
        const timer = timers[id] as NonNullable<typeof timers>[string];
        if (timer.held === true) isHeld = true;
        else if (due === undefined || timer.due < due) due = timer.due;
      }
    const awaits = status === "active" ? awaitedOf(children) : none;
    const known = this.#actors.get(address);
    this.#revision++;
    count.revision++;
    if (known === undefined) {
      if (this.#actors.size >= actorsMax) this.#forget();
      this.#actors.set(address, { address, machine, hash, status, value, seq, at, createdAt, since, due, isHeld, awaits });
      add(count.values, value, 1);
      add(count.statuses, status, 1);
      return;
    }
    if (known.value !== value || known.hash !== hash) {
      const before = known.hash === hash ? count : this.#countOf(known.hash);
      if (before !== count) before.revision++;
      add(before.values, known.value, -1);
      add(count.values, value, 1);
      if (known.since > 0) {
        let dwell = before.dwell.get(known.value);
        if (dwell === undefined) {
          dwell = { count: 0, sum: 0, max: 0 };
          before.dwell.set(known.value, dwell);
        }
        const ms = at - known.since;
        dwell.count++;
        dwell.sum += ms;
        if (ms > dwell.max) dwell.max = ms;
      }
      known.since = since;
    }
    if (known.status !== status || known.hash !== hash) {
      add(this.#countOf(known.hash).statuses, known.status, -1);
      add(count.statuses, status, 1);
    }
    known.hash = hash;
    known.status = status;
    known.value = value;
    known.seq = seq;
    known.at = at;
    known.due = due;
    known.isHeld = isHeld;
    known.awaits = awaits;
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
    const { seq, value, machine, hash } = standing;
    return { seq, state: shortOfText(value), active: this.#drawn(machine, undefined, hash)?.activeOf(valueOfText(value)) ?? [] };
  }

  get rate(): ReadonlyArray<number> {
    const now = Math.floor(this.#time.now() / 1_000);
    const counts = new Map(this.#seconds.map(({ second, count }) => [second, count]));
    return Array.from({ length: 60 }, (_, index) => counts.get(now - 59 + index) ?? 0);
  }

  get hashes(): ReadonlyArray<string> {
    return [...this.#counts.values()].filter(({ values, edges }) => values.size > 0 || edges.size > 0).map(({ hash }) => hash);
  }

  /** Greater with each move of an actor of this form. */
  revisionOf(hash: string): number {
    return this.#counts.get(hash)?.revision ?? 0;
  }

  machineOf(hash: string): string | undefined {
    for (const standing of this.#actors.values()) if (standing.hash === hash) return standing.machine;
    return undefined;
  }

  fleet(hash: string, drawn: Drawn | undefined): Fleet {
    const { values, statuses, edges, dwell } = this.#countOf(hash);
    const states: Record<string, number> = {};
    const dwells: Record<string, Dwell> = {};
    let total = 0;
    for (const [value, number] of values) {
      total += number;
      for (const id of drawn?.activeOf(valueOfText(value)) ?? []) states[id] = (states[id] ?? 0) + number;
    }
    for (const [value, { count, sum, max }] of dwell) {
      for (const id of drawn?.activeOf(valueOfText(value)).slice(1) ?? []) {
        const before = dwells[id] ?? { count: 0, mean: 0, max: 0 };
        const all = before.count + count;
        dwells[id] = { count: all, mean: (before.mean * before.count + sum) / all, max: Math.max(before.max, max) };
      }
    }
    const plain = (map: ReadonlyMap<string, number>) => Object.fromEntries([...map].filter(([, number]) => number > 0));
    return {
      hash,
      states,
      statuses: plain(statuses),
      edges: Object.fromEntries([...edges].map(([id, { taken }]) => [id, taken])),
      dwell: dwells,
      total,
      since: this.#since,
      complete: this.isComplete,
    };
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
      if (state !== undefined && shortOfText(actor.value) !== state) continue;
      if (wanted !== "" && !actor.address.toLowerCase().includes(wanted)) continue;
      found.push(actor);
    }
    const sign = descending ? -1 : 1;
    const by: (left: Standing, right: Standing) => number =
      sort === "at" || sort === "createdAt"
        ? (left, right) => left[sort] - right[sort]
        : sort === "due"
          ? (left, right) => (left.due ?? Number.MAX_VALUE) - (right.due ?? Number.MAX_VALUE)
          : sort === "state"
            ? (left, right) => (left.value < right.value ? -1 : left.value > right.value ? 1 : 0)
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
    for (const { address, status, due, isHeld, awaits, at } of this.#actors.values())
      if (status === "active" && (isHeld || (due !== undefined && due + graceMs < now) || awaits.some((id) => isGone(address, id, at)))) found.push(address);
    return found;
  }
}

const none: ReadonlyArray<string> = [];
const awaitedOf = (children: ActorView["children"]): ReadonlyArray<string> => {
  const found: Array<string> = [];
  for (const id in children) if (children[id]?.ended !== true) found.push(id);
  return found.length === 0 ? none : found;
};

const lineOf = ({ address, machine, hash, status, value, seq, at, createdAt, due }: Standing): ActorLine => ({
  address,
  machine,
  hash,
  status,
  state: shortOfText(value),
  seq,
  at,
  createdAt,
  ...(due === undefined ? {} : { due }),
});

const add = (counts: Map<string, number>, key: string, number: number): void => {
  counts.set(key, (counts.get(key) ?? 0) + number);
};
