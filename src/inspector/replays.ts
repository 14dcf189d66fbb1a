import { type ActorState, type Command, encode, parseState, type StoredState, allTaken } from "../actor/index.ts";
import { isRoot, parentAddress } from "../domain/address.ts";
import type { HistoryEntry, HistoryStart, SentEvent } from "../engine/index.ts";
import { fieldDifferences, fork, type History as Past, stepThrough } from "../replay/index.ts";
import { type Charts, stateText } from "./charts.ts";
import type { Source } from "./source.ts";
import type { Entry, ForkEntry, History, Moment, TimerLine, WhatIf } from "./wire.ts";

/** Entries that are kept of one history; what goes beyond is listed, not stepped. */
const entriesMax = 20_000;
/** Histories whose states are kept at a time. */
const keptMax = 4;
/** Entries of what really came that stand beside a fork. */
const thenMax = 200;
/** Steps between two breaths: an engine lives in this process. */
const breath = 200;
const page = 2_000;

interface Kept {
  readonly entries: Array<Entry>;
  readonly told: Array<HistoryEntry>;
  /** The encoded state after each entry; absent where it is not known. */
  readonly states: Array<string | undefined>;
  readonly forms: Array<string | undefined>;
  readonly first: number;
  readonly about: About;
  /** Where retention has cut it: from where it goes on. */
  readonly start: HistoryStart | undefined;
  broken: string | undefined;
}

/** Histories, stepped again entry by entry for whoever looks, a few at a time. */
export class Replays {
  readonly #source: Source;
  readonly #charts: Charts;
  readonly #kept = new Map<string, Promise<Kept>>();

  constructor(source: Source, charts: Charts) {
    this.#source = source;
    this.#charts = charts;
  }

  /** A part of the history, from `from` on. */
  async history(address: string, from: number, limit: number): Promise<History> {
    const { entries, first, broken } = await this.#of(address);
    const start = Math.max(0, from - first);
    return { address, first, last: entries.at(-1)?.seq ?? first - 1, entries: entries.slice(start, start + limit), ...(broken === undefined ? {} : { broken }) };
  }

  async moment(address: string, seq: number): Promise<Moment | undefined> {
    const kept = await this.#of(address);
    const index = seq - kept.first;
    const entry = kept.entries[index];
    const told = kept.told[index];
    if (entry === undefined || told === undefined) return undefined;
    const json = kept.states[index];
    if (json === undefined) return { ...entry, event: told.event };
    const state = JSON.parse(json) as StoredState;
    return { ...entry, event: told.event, status: state.status, context: state.context, timers: timerLines(state.timers ?? {}), children: Object.keys(state.children ?? {}) };
  }

  /** What would have come of other events after an entry, beside what came. Nothing where the machine is not at hand. Throws what `fork` throws. */
  async whatIf(address: string, seq: number, events: ReadonlyArray<SentEvent>): Promise<WhatIf | undefined> {
    const kept = await this.#of(address);
    const index = seq - kept.first;
    const [told, hash, end] = [kept.told[index], kept.forms[index], kept.states.at(-1)];
    if (told === undefined || hash === undefined || this.#charts.forms.of(hash) === undefined || kept.states[index] === undefined) return undefined;
    // From the entry before: what lies further back is in its state.
    const before = kept.told[index - 1];
    const past: Past = {
      ...pastOf(address, kept.about, [told]),
      hash,
      ...(before === undefined ? (kept.start === undefined ? {} : { start: kept.start }) : { start: startAt(before, kept.forms[index - 1] ?? hash, kept.states[index - 1] as string) }),
    };
    const { steps, state, open } = fork(past, this.#charts.forms, { at: seq, add: events.map((event) => ({ event })), restMs: 0 });
    const drawn = this.#charts.peek(hash);
    const ahead = steps.slice(steps.findIndex((step) => step.seq === seq) + 1);
    const entries = ahead.map(
      ({ at, event, outcome, after, commands, microsteps, threw }, number): ForkEntry => ({
        seq: seq + number + 1,
        at,
        type: event.type,
        outcome,
        from: "",
        state: stateText(after.value),
        active: drawn?.activeOf(after.value) ?? [],
        edges: microsteps.flatMap(({ transitions }) => transitions.flatMap((taken) => drawn?.edgeOf(taken) ?? [])),
        sends: sendsOf(commands, address),
        hash,
        ...(threw === undefined ? {} : { threw }),
      }),
    );
    return {
      entries,
      context: state.context,
      state: stateText(state.value),
      active: drawn?.activeOf(state.value) ?? [],
      open: Object.keys(open),
      really: kept.entries.slice(index + 1, index + 1 + thenMax),
      last: kept.entries.at(-1)?.seq ?? seq,
      fields: end === undefined ? [] : fieldDifferences(seenOf(parseState(end)), seenOf(state)),
    };
  }

  #of(address: string): Promise<Kept> {
    const before = this.#kept.get(address);
    const kept = (before ?? Promise.resolve(undefined)).then((known) => this.#extend(address, known));
    this.#kept.delete(address);
    this.#kept.set(address, kept);
    kept.catch(() => this.#kept.delete(address));
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= keptMax) break;
      this.#kept.delete(oldest);
    }
    return kept;
  }

  /** Steps what came since, if anything did. */
  async #extend(address: string, known: Kept | undefined): Promise<Kept> {
    const told: Array<HistoryEntry> = [];
    for (let after = known?.told.at(-1)?.seq ?? 0; ; ) {
      const rows = await this.#source.history(address, after, page);
      told.push(...rows);
      after = rows.at(-1)?.seq ?? after;
      if (rows.length < page || told.length >= entriesMax) break;
    }
    if (known !== undefined && told.length === 0) return known;
    const last = known?.states.at(-1);
    const goesOn = known?.told.at(-1);
    const cut = known !== undefined || told[0]?.seq === 1 ? undefined : await this.#source.historyStart(address);
    const actor = await this.#source.actor(address);
    const about = { machine: actor?.machine ?? "", version: actor?.version ?? "", hash: actor?.hash ?? "" };
    const kept: Kept = known ?? { entries: [], told: [], states: [], forms: [], first: told[0]?.seq ?? 1, about, start: cut, broken: undefined };
    if (told.length === 0) return kept;
    if (known !== undefined && last === undefined) {
      for (const entry of told) this.#note(kept, entry, undefined, undefined);
      return kept;
    }
    const start = goesOn !== undefined && last !== undefined ? startAt(goesOn, known?.forms.at(-1) ?? "", last) : cut;
    const past: Past = { ...pastOf(address, about, told), ...(start === undefined ? {} : { start }) };
    let done = 0;
    try {
      for (const { entry, definition, after, microsteps, commands, wrong } of stepThrough(past, { forms: this.#charts.forms })) {
        const drawn = definition === undefined ? undefined : this.#charts.peek(definition.hash);
        const taken = allTaken(microsteps).flatMap((raw) => drawn?.edgeOfStep(raw) ?? []);
        const sends = sendsOf(commands, address);
        this.#note(kept, entry, after, { hash: definition?.hash, active: after === undefined ? [] : (drawn?.activeOf(after.snapshot.value) ?? []), edges: entry.seq === 1 ? [] : taken, sends });
        if (wrong[0] !== undefined) kept.broken ??= `entry ${entry.seq}: ${wrong[0].detail}`;
        if (++done % breath === 0) await new Promise<void>((resolve) => setImmediate(resolve));
      }
    } catch (error) {
      kept.broken ??= error instanceof Error ? error.message : String(error);
    }
    for (const entry of told.slice(done)) this.#note(kept, entry, undefined, undefined);
    return kept;
  }

  #note(
    kept: Kept,
    entry: HistoryEntry,
    state: ActorState | undefined,
    more: { readonly hash: string | undefined; readonly active: ReadonlyArray<string>; readonly edges: ReadonlyArray<string>; readonly sends: NonNullable<Entry["sends"]> } | undefined,
  ): void {
    const { seq, at, event, outcome, from } = entry;
    kept.told.push(entry);
    kept.states.push(state === undefined ? undefined : encode(state));
    kept.forms.push(more?.hash);
    kept.entries.push({
      seq,
      at,
      type: event.type,
      outcome,
      from,
      ...(state === undefined || more === undefined
        ? {}
        : { state: stateText(state.snapshot.value), active: more.active, edges: more.edges, sends: more.sends, ...(more.hash === undefined ? {} : { hash: more.hash }) }),
    });
  }
}

type About = Pick<Past, "machine" | "version" | "hash">;

const pastOf = (address: string, about: About, entries: ReadonlyArray<HistoryEntry>): Past => ({
  address,
  livedAt: isRoot(address) ? address : address.replace(/~\d+$/, ""),
  ...about,
  createdAt: 0,
  entries,
});

const startAt = ({ seq, at }: HistoryEntry, hash: string, state: string): HistoryStart => ({ seq, at, version: "", hash, state: parseState(state), input: undefined });

/** Of a state what somebody compares: not the numbers by which the engine knows its timers and children. */
const seenOf = ({ status, value, context, output, error, timers = {} }: StoredState) => ({
  status,
  value,
  context,
  output,
  error,
  timers: Object.fromEntries(Object.entries(timers).map(([id, { due }]) => [id, due])),
});

const sendsOf = (commands: ReadonlyArray<Command>, address: string): NonNullable<Entry["sends"]> =>
  commands.flatMap((command) => (command.type === "send" ? [{ to: targetText(command.to, address), type: command.event.type }] : []));

const targetText = (to: { readonly kind: string; readonly id?: string; readonly address?: string }, self: string): string =>
  to.kind === "self" ? self : to.kind === "parent" ? (parentAddress(self) ?? "") : to.kind === "child" ? `${self}/${to.id}` : (to.address ?? "");

export const timerLines = (timers: NonNullable<StoredState["timers"]>): ReadonlyArray<TimerLine> =>
  Object.entries(timers)
    .map(([id, { due, event, held }]) => ({ id, due, label: event?.type ?? /^after\.([^.]+)\./.exec(id)?.[1] ?? id, held: held === true }))
    .sort((left, right) => left.due - right.due);
