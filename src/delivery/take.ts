import * as Effect from "effect/Effect";
import type { Dropped, OutboxContext } from "../../machines/outbox.ts";
import type { Address } from "../domain/address.ts";
import type { Attempt, OutboxPolicy } from "../domain/outbox.ts";
import type { EntryRow, Journal, JournalError } from "../journal/index.ts";
import { described } from "./attempt.ts";

export interface Lane {
  readonly name: string;
  readonly rows: Array<EntryRow>;
}

export interface Batch {
  readonly lanes: ReadonlyArray<Lane>;
  readonly superseded: ReadonlyArray<Attempt>;
  readonly expired: ReadonlyArray<Dropped>;
  /** Lanes whose first entry is not due yet. */
  readonly waiting: ReadonlySet<string>;
  /** When the first of those is due. */
  readonly nextDue: number | null;
  /** Lanes of which an attempt is under way, and that have more. */
  readonly behind: ReadonlySet<string>;
  /** More is due than one batch takes. */
  readonly isCut: boolean;
  /** So much waits in lanes that can't go on that the next look is better by lane. */
  readonly isCrowded: boolean;
}

export interface TakeOptions {
  readonly journal: Journal;
  readonly outbox: Address;
  /** As it was stored when this was asked for: everything that was stored with it is taken too. */
  readonly context: OutboxContext;
  readonly now: number;
  /** Lanes of which an attempt is under way, or was not reported yet... */
  readonly held: ReadonlySet<string>;
  /** ...and the entries that are meant. */
  readonly tried: ReadonlySet<number>;
  /** What the look before found. Where it is wrong a look costs more, and finds the same. */
  readonly crowded: boolean;
}

/** Rows that are read at a time. */
export const page = 1_000;

/** The pace is kept between batches, so they are small: what comes in any one second is a tenth too much at most. */
const burstsPerSecond = 10;

/** Entries that have no order are a lane each. */
export const laneOf = ({ order }: OutboxPolicy, { seq, lane }: Pick<EntryRow, "seq" | "lane">): string => (order === "independent" ? String(seq) : lane);

/** What is due, in lanes. An entry that is not due, or that is under way, holds up those behind it in its lane. */
export const take = ({ journal, outbox, context, now, held, tried, crowded }: TakeOptions): Effect.Effect<Batch, JournalError> =>
  Effect.gen(function* () {
    const { policy, lastSeq, isProbe } = context;
    const max = isProbe ? 1 : Math.min(policy.batchMax, policy.perSecondMax === undefined ? policy.batchMax : Math.max(1, Math.floor(policy.perSecondMax / burstsPerSecond)));
    const lanes = new Map<string, Lane>();
    const waiting = new Set<string>();
    const behind = new Set<string>();
    const latest = new Map<string, EntryRow>();
    const expired: Array<Dropped> = [];
    const superseded: Array<Attempt> = [];
    let nextDue: number | null = null;
    let taken = 0;
    let isCut = false;
    const isLaneFree = (name: string, due: number): boolean => {
      if (held.has(name)) behind.add(name);
      else if (!waiting.has(name)) {
        if (due <= now) return true;
        waiting.add(name);
        if (nextDue === null || due < nextDue) nextDue = due;
      }
      return false;
    };
    /** False where the batch is full. */
    const add = (row: EntryRow): boolean => {
      const name = laneOf(policy, row);
      if (tried.has(row.seq)) return true;
      if (policy.timeToLiveMs !== undefined && row.occurredAt + policy.timeToLiveMs <= now) {
        expired.push({ seq: row.seq, key: row.key, reason: "expired" });
        return true;
      }
      if (!isLaneFree(name, row.due)) return true;
      if (taken >= max) {
        isCut = true;
        return false;
      }
      // Stored in one turn: the later one took its place before anybody looked.
      const earlier = row.replaces === "" ? undefined : latest.get(row.replaces);
      if (earlier !== undefined) {
        superseded.push(described(earlier, { verdict: "superseded" }));
        const lane = lanes.get(laneOf(policy, earlier));
        lane?.rows.splice(lane.rows.indexOf(earlier), 1);
      }
      if (row.replaces !== "") latest.set(row.replaces, row);
      const lane = lanes.get(name);
      if (lane === undefined) lanes.set(name, { name, rows: [row] });
      else lane.rows.push(row);
      taken++;
      return true;
    };

    const addByLane = Effect.gen(function* () {
      // More may wait behind those that were found in the first page.
      if (lanes.size > 0) isCut = true;
      const free = (yield* journal.laneHeads(outbox)).filter(({ lane, seq, due }) => !lanes.has(lane) && seq <= lastSeq && isLaneFree(lane, due)).sort((one, other) => one.seq - other.seq);
      const chosen = free.slice(0, max - taken + 1).map(({ lane }) => lane);
      if (chosen.length === 0) return;
      const each = Math.max(1, Math.ceil((max - taken) / chosen.length));
      const rows = yield* journal.laneEntries({ outbox, lanes: chosen, upTo: lastSeq, each });
      const counts = new Map<string, number>();
      for (const row of rows) {
        if (!add(row)) break;
        counts.set(row.lane, (counts.get(row.lane) ?? 0) + 1);
      }
      if (chosen.length < free.length || [...counts.values()].includes(each)) isCut = true;
    });

    // One more than a batch: whether there is more is known with the first read.
    const limit = Math.max(page, max + 1);
    // Where entries have a time to live, all are looked at: one that is over may be anywhere.
    const maySkip = policy.order === "lanes" && policy.timeToLiveMs === undefined;
    let isCrowded = maySkip && crowded;
    for (let after = 0; !isCrowded; ) {
      const rows = yield* journal.entries({ outbox, status: "pending", after, upTo: lastSeq, limit });
      if (!rows.every(add) || rows.length < limit) break;
      // All lanes are one.
      if (policy.order === "fifo" && waiting.size + behind.size > 0) break;
      after = rows.at(-1)?.seq ?? after;
      isCrowded = maySkip;
    }
    if (isCrowded) {
      yield* addByLane;
      isCrowded = waiting.size + behind.size > 0;
    } else {
      // A batch of few lanes: while they are sent, more of the same is in the way.
      isCrowded = maySkip && isCut && lanes.size < policy.parallelMax;
    }
    return { lanes: [...lanes.values()].filter(({ rows }) => rows.length > 0), superseded, expired, waiting, nextDue, behind, isCut, isCrowded };
  });
