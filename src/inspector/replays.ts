import { type ActorState, decode, encode, step, type StoredState } from "../actor/index.ts";
import { parentAddress } from "../domain/address.ts";
import type { HistoryEntry } from "../engine/index.ts";
import { type History as Past, stepThrough } from "../replay/index.ts";
import { type Charts, stateText } from "./charts.ts";
import type { Source } from "./source.ts";
import type { Entry, History, Moment, TimerLine, WhatIf } from "./wire.ts";

/** Entries that are kept of one history; what goes beyond is listed, not stepped. */
const entriesMax = 20_000;
/** Histories whose states are kept at a time. */
const keptMax = 4;
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

  /** What would have come of other events after an entry. */
  async whatIf(address: string, seq: number, events: ReadonlyArray<{ readonly type: string }>): Promise<WhatIf | undefined> {
    const kept = await this.#of(address);
    const index = seq - kept.first;
    const json = kept.states[index];
    const definition = this.#charts.forms.of(kept.forms[index] ?? "");
    const told = kept.told[index];
    if (json === undefined || definition === undefined || told === undefined) return undefined;
    const drawn = this.#charts.peek(definition.hash);
    let state = decode(definition, address, parentAddress(address), json);
    const entries: Array<Entry> = [];
    let failed: string | undefined;
    for (const event of events) {
      try {
        const next = step(definition, state, event as never, told.at);
        state = next.state;
        const taken = next.microsteps.flatMap(({ _transitions }) => _transitions.flatMap((raw) => drawn?.edgeOfStep(raw) ?? []));
        const sends = next.commands.flatMap((command) => (command.type === "send" ? [{ to: targetText(command.to, address), type: command.event.type }] : []));
        entries.push({
          seq: seq + entries.length + 1,
          at: told.at,
          type: event.type,
          outcome: next.outcome,
          from: "",
          state: stateText(state.snapshot.value),
          active: drawn?.activeOf(state.snapshot.value) ?? [],
          edges: taken,
          sends,
          hash: definition.hash,
        });
      } catch (error) {
        failed = error instanceof Error ? error.message : String(error);
        break;
      }
    }
    const { value, context } = state.snapshot;
    return { entries, context, state: stateText(value), active: drawn?.activeOf(value) ?? [], ...(failed === undefined ? {} : { failed }) };
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
    const start =
      known !== undefined && last !== undefined
        ? { seq: known.told.at(-1)?.seq ?? 0, at: known.told.at(-1)?.at ?? 0, version: "", hash: known.forms.at(-1) ?? "", state: JSON.parse(last) as StoredState, input: undefined }
        : told[0]?.seq === 1
          ? undefined
          : await this.#source.historyStart(address);
    const kept: Kept = known ?? { entries: [], told: [], states: [], forms: [], first: told[0]?.seq ?? 1, broken: undefined };
    if (told.length === 0) return kept;
    if (known !== undefined && last === undefined) {
      for (const entry of told) this.#note(kept, entry, undefined, undefined);
      return kept;
    }
    const actor = await this.#source.actor(address);
    const past: Past = {
      address,
      livedAt: address.replace(/~\d+$/, ""),
      machine: actor?.machine ?? "",
      version: actor?.version ?? "",
      hash: actor?.hash ?? "",
      createdAt: 0,
      ...(start === undefined ? {} : { start }),
      entries: told,
    };
    let done = 0;
    try {
      for (const { entry, definition, after, microsteps, commands, wrong } of stepThrough(past, { forms: this.#charts.forms })) {
        const drawn = definition === undefined ? undefined : this.#charts.peek(definition.hash);
        const taken = microsteps.flatMap(({ _transitions }) => _transitions.flatMap((raw) => drawn?.edgeOfStep(raw) ?? []));
        const sends = commands.flatMap((command) => (command.type === "send" ? [{ to: targetText(command.to, address), type: command.event.type }] : []));
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

const targetText = (to: { readonly kind: string; readonly id?: string; readonly address?: string }, self: string): string =>
  to.kind === "self" ? self : to.kind === "parent" ? (parentAddress(self) ?? "") : to.kind === "child" ? `${self}/${to.id}` : (to.address ?? "");

export const timerLines = (timers: NonNullable<StoredState["timers"]>): ReadonlyArray<TimerLine> =>
  Object.entries(timers)
    .map(([id, { due, event, held }]) => ({ id, due, label: event?.type ?? /^after\.([^.]+)\./.exec(id)?.[1] ?? id, held: held === true }))
    .sort((left, right) => left.due - right.due);
