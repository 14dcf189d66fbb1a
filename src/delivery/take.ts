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
}

/** Rows that are read at a time. */
export const page = 1_000;

/** The pace is kept between batches, so they are small: what comes in any one second is a tenth too much at most. */
const burstsPerSecond = 10;

/** Entries that have no order are a lane each. */
export const laneOf = ({ order }: OutboxPolicy, { seq, lane }: Pick<EntryRow, "seq" | "lane">): string => (order === "independent" ? String(seq) : lane);

/** What is due, in lanes. An entry that is not due, or that is under way, holds up those behind it in its lane. */
export const take = ({ journal, outbox, context, now, held, tried }: TakeOptions): Effect.Effect<Batch, JournalError> =>
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
    // One more than a batch: whether there is more is known with the first read.
    const limit = Math.max(page, max + 1);
    scan: for (let after = 0; ; ) {
      const rows = yield* journal.entries({ outbox, status: "pending", after, upTo: lastSeq, limit });
      for (const row of rows) {
        after = row.seq;
        const name = laneOf(policy, row);
        if (tried.has(row.seq)) continue;
        if (policy.timeToLiveMs !== undefined && row.occurredAt + policy.timeToLiveMs <= now) {
          expired.push({ seq: row.seq, key: row.key, reason: "expired" });
          continue;
        }
        if (held.has(name)) {
          behind.add(name);
          continue;
        }
        if (waiting.has(name)) continue;
        if (row.due > now) {
          waiting.add(name);
          if (nextDue === null || row.due < nextDue) nextDue = row.due;
          continue;
        }
        if (taken >= max) {
          isCut = true;
          break scan;
        }
        // Stored in one turn: the later one took its place before anybody looked.
        const earlier = row.replaces === "" ? undefined : latest.get(row.replaces);
        if (earlier !== undefined) {
          superseded.push(described(earlier, { verdict: "superseded" }));
          const lane = lanes.get(laneOf(policy, earlier));
          lane?.rows.splice(lane.rows.indexOf(earlier), 1);
        }
        if (row.replaces !== "") latest.set(row.replaces, row);
        const lane = lanes.get(name) ?? { name, rows: [] };
        lanes.set(name, lane);
        lane.rows.push(row);
        taken++;
      }
      if (rows.length < limit) break;
    }
    return { lanes: [...lanes.values()].filter(({ rows }) => rows.length > 0), superseded, expired, waiting, nextDue, behind, isCut };
  });
