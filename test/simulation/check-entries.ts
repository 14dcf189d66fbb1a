import type { Attempt, DeliveredEntry, EntryStatus } from "../../src/domain/outbox.ts";
import type { Moment } from "./life.ts";
import type { Stored } from "./store.ts";

interface Entry {
  readonly seq: number;
  readonly key: string;
  readonly lane: string;
  readonly replaces: string;
  status: EntryStatus;
  attempts: number;
}

/** What outboxes hold by their histories, and what the world was sent. */
export class EntryBook {
  readonly #entries = new Map<string, Map<number, Entry>>();
  /** Every key that was ever stored. */
  readonly #keys = new Set<string>();
  readonly #replaced = new Set<string>();
  /** The number of the latest of those that replace each other. */
  readonly #latest = new Map<string, number>();

  /** Nobody needed to hear it any more. */
  wasReplaced(key: string): boolean {
    return this.#replaced.has(key);
  }

  wasStored(key: string): boolean {
    return this.#keys.has(key);
  }

  get keys(): ReadonlySet<string> {
    return this.#keys;
  }

  get hasReplaced(): boolean {
    return this.#replaced.size > 0;
  }

  /** Follows what was stored, and compares. */
  check(moments: ReadonlyArray<Moment>, stored: Stored, received: ReadonlyMap<string, string>, violate: (what: string) => void): void {
    for (const moment of moments) if (moment.life.machine === "outbox") this.#follow(moment, received, violate);
    const found = new Map<string, number>();
    for (const { outbox, seq, key, lane, status, attempts } of stored.entries) {
      found.set(outbox, (found.get(outbox) ?? 0) + 1);
      const expected = this.#of(outbox).get(seq);
      if (expected === undefined) violate(`${outbox}: the entry ${seq} ("${key}") is stored, and its history does not lead to it`);
      else if (expected.key !== key || expected.lane !== lane || expected.status !== status || expected.attempts !== attempts)
        violate(`${outbox}: the entry ${seq} is ${JSON.stringify({ key, lane, status, attempts })}, its history leads to ${JSON.stringify(expected)}`);
    }
    for (const [outbox, entries] of this.#entries)
      if (entries.size !== (found.get(outbox) ?? 0)) violate(`${outbox}: ${found.get(outbox) ?? 0} entries are stored, its history leads to ${entries.size}`);
  }

  #of(outbox: string): Map<number, Entry> {
    const known = this.#entries.get(outbox);
    if (known !== undefined) return known;
    const entries = new Map<number, Entry>();
    this.#entries.set(outbox, entries);
    return entries;
  }

  #follow({ life, event, entry, commands }: Moment, received: ReadonlyMap<string, string>, violate: (what: string) => void): void {
    const entries = this.#of(life.address);
    if (entry.outcome === "handled" && Array.isArray(event.delivered)) this.#checkOrder(life.address, entries, event, received, violate);
    for (const command of commands) {
      if (command.type !== "act") continue;
      const params = command.params as unknown;
      if (command.action === "storeEntries")
        for (const { seq, key = "", lane, replaces = "" } of (params as { entries: ReadonlyArray<{ seq: number; key?: string; lane: string; replaces?: string }> }).entries) {
          this.#keys.add(key);
          if (replaces !== "") this.#latest.set(`${life.address} ${replaces}`, seq);
          if (replaces !== "") this.#replace(entries, replaces, (params as { readonly takenTo: number }).takenTo);
          if (![...entries.values()].some((other) => other.key === key)) entries.set(seq, { seq, key, lane, replaces, status: "pending", attempts: 0 });
        }
      if (command.action === "changeEntries")
        for (const { seq, status, attempts } of (params as { changes: ReadonlyArray<Entry> }).changes) Object.assign(entries.get(seq) ?? {}, { status, attempts });
      if (command.action === "removeEntries") for (const seq of (params as { seqs: ReadonlyArray<number> }).seqs) entries.delete(seq);
    }
  }

  /** Nobody needs to hear what a later one makes untrue, unless a drain has taken it already. */
  #replace(entries: Map<number, Entry>, replaces: string, takenTo: number): void {
    for (const earlier of entries.values()) {
      if (earlier.replaces !== replaces || earlier.status !== "pending" || earlier.seq <= takenTo) continue;
      entries.delete(earlier.seq);
      this.#replaced.add(earlier.key);
    }
  }

  /** What is said to be delivered was received, and nothing overtook an earlier one of its lane. */
  #checkOrder(outbox: string, entries: ReadonlyMap<number, Entry>, event: Moment["event"], received: ReadonlyMap<string, string>, violate: (what: string) => void): void {
    const { delivered, undelivered } = event as unknown as { readonly delivered: ReadonlyArray<DeliveredEntry>; readonly undelivered: ReadonlyArray<Attempt> };
    const gone = new Set<number>();
    for (const { seq, key, verdict } of undelivered) {
      // One that an earlier report of this drain has struck off is said to be replaced once more.
      const { replaces } = verdict === "superseded" ? (entries.get(seq) ?? {}) : {};
      if (replaces === undefined) continue;
      if (replaces === "" || (this.#latest.get(`${outbox} ${replaces}`) ?? 0) <= seq) violate(`${outbox}: "${key}" was struck off, and nothing stands in its place`);
      this.#replaced.add(key);
      gone.add(seq);
    }
    for (const [seq, key] of delivered) {
      const lane = entries.get(seq)?.lane;
      if (!received.has(key)) violate(`${outbox}: "${key}" is said to be delivered, and nobody got it`);
      for (const other of entries.values())
        if (other.lane === lane && other.seq < seq && other.status === "pending" && !gone.has(other.seq)) violate(`${outbox}: "${key}" was delivered before "${other.key}" of its lane`);
      gone.add(seq);
    }
  }
}
