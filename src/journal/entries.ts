import type { SqlError } from "@effect/sql/SqlError";
import * as Effect from "effect/Effect";
import type { Address } from "../domain/address.ts";
import * as Bulk from "./bulk.ts";
import type { Connection } from "./connection.ts";
import type { JournalError } from "./errors.ts";
import type { EntryCounts, EntryFilter, EntryRow, EntryWrite, LaneFilter, LaneHead, PostedRow } from "./journal.ts";

type Stored = Extract<EntryWrite, { readonly write: "store" }>;
type Changed = Extract<EntryWrite, { readonly write: "change" }>;
type Removed = Extract<EntryWrite, { readonly write: "remove" }>;

const replaced = Bulk.make<Stored>(
  "DELETE FROM entries WHERE (outbox, seq) IN (SELECT e.outbox, e.seq FROM (VALUES",
  "(?,?,?)",
  ") AS new CROSS JOIN entries e ON e.outbox = new.column1 AND e.replaces = new.column2 AND e.replaces <> '' AND e.status = 'pending' AND e.seq > new.column3)",
  ({ entry, takenTo }, params) => params.push(entry.outbox, entry.replaces, takenTo),
);
const stored = Bulk.make<Stored>(
  "INSERT INTO entries (outbox, seq, key, lane, replaces, type, payload, occurred_at, due, attempts, status, error) VALUES",
  "(?,?,?,?,?,?,?,?,?,?,?,?)",
  "ON CONFLICT (outbox, key) DO UPDATE SET type = excluded.type, payload = excluded.payload",
  ({ entry }, params) => params.push(entry.outbox, entry.seq, entry.key, entry.lane, entry.replaces, entry.type, entry.payload, entry.occurredAt, entry.due, entry.attempts, entry.status, entry.error),
);
const changed = Bulk.make<Changed>(
  "UPDATE entries SET status = new.column3, attempts = new.column4, due = new.column5, error = new.column6 FROM (VALUES",
  "(?,?,?,?,?,?)",
  ") AS new WHERE entries.outbox = new.column1 AND entries.seq = new.column2",
  (row, params) => params.push(row.outbox, row.seq, row.status, row.attempts, row.due, row.error),
);
/** Runs of numbers that follow one another. */
const runsOf = (seqs: ReadonlyArray<number>): ReadonlyArray<readonly [from: number, to: number]> => {
  const runs: Array<[number, number]> = [];
  for (const seq of seqs.toSorted((one, other) => one - other)) {
    const last = runs.at(-1);
    if (last !== undefined && seq <= last[1] + 1) last[1] = seq;
    else runs.push([seq, seq]);
  }
  return runs;
};

/** So many entries on average make it worth a statement of its own to remove a run of them: twice as fast as one by one. */
const runLength = 20;

/** One statement for each outbox, or one for each run of entries that follow one another where these are long. */
const remove = (connection: Connection, rows: ReadonlyArray<Removed>): Effect.Effect<void, SqlError> => {
  const seqs = new Map<Address, Array<number>>();
  for (const { outbox, seq } of rows) {
    const own = seqs.get(outbox);
    if (own === undefined) seqs.set(outbox, [seq]);
    else own.push(seq);
  }
  return Effect.forEach(
    seqs,
    ([outbox, own]) => {
      const runs = runsOf(own);
      if (runs.length * runLength > own.length) return connection.run("DELETE FROM entries WHERE outbox = ? AND seq IN (SELECT value FROM json_each(?))", [outbox, JSON.stringify(own)]);
      return Effect.forEach(runs, ([from, to]) => connection.run("DELETE FROM entries WHERE outbox = ? AND seq BETWEEN ? AND ?", [outbox, from, to]), { discard: true });
    },
    { discard: true },
  );
};

const isReplacing = ({ entry }: Stored) => entry.replaces !== "";

/** In order: one that takes the place of others may take that of one before it. */
const store = (connection: Connection, rows: ReadonlyArray<Stored>): Effect.Effect<void, SqlError> =>
  Effect.gen(function* () {
    for (let from = 0; from < rows.length; ) {
      if (isReplacing(rows[from]!)) yield* Bulk.write(connection, replaced, [rows[from]!]);
      let to = from + 1;
      while (to < rows.length && !isReplacing(rows[to]!)) to++;
      yield* Bulk.write(connection, stored, rows.slice(from, to));
      from = to;
    }
  });

/** Carries out what happens to entries, in order: runs of one kind with as few statements as possible. */
export const write = (connection: Connection, writes: ReadonlyArray<EntryWrite>): Effect.Effect<void, SqlError> =>
  Effect.gen(function* () {
    for (let from = 0; from < writes.length; ) {
      const first = writes[from]!;
      let to = from + 1;
      while (to < writes.length && writes[to]!.write === first.write) to++;
      const run = writes.slice(from, to);
      from = to;
      switch (first.write) {
        case "store":
          yield* store(connection, run as ReadonlyArray<Stored>);
          break;
        case "change":
          yield* Bulk.write(connection, changed, run as ReadonlyArray<Changed>);
          break;
        case "remove":
          yield* remove(connection, run as ReadonlyArray<Removed>);
          break;
        case "clear":
          for (const { outbox, at } of run as ReadonlyArray<Extract<EntryWrite, { write: "clear" }>>)
            yield* connection.run("UPDATE entries SET due = ? WHERE outbox = ? AND status = 'pending' AND due > ?", [at, outbox, at]);
          break;
        case "collect":
          for (const { posted } of run as ReadonlyArray<Extract<EntryWrite, { write: "collect" }>>) yield* connection.run("DELETE FROM posted_entries WHERE id = ?", [posted]);
          break;
        case "move":
          for (const { outbox, to: next, seqOffset } of run as ReadonlyArray<Extract<EntryWrite, { write: "move" }>>) {
            // One that both hold is the same entry: the receiver's own stays.
            yield* connection.run("UPDATE OR IGNORE entries SET outbox = ?, seq = seq + ? WHERE outbox = ?", [next, seqOffset, outbox]);
            yield* connection.run("DELETE FROM entries WHERE outbox = ?", [outbox]);
          }
      }
    }
  });

const columns = "entries.seq, entries.key, entries.lane, entries.replaces, entries.type, entries.payload, entries.occurred_at, entries.due, entries.attempts, entries.status, entries.error";
type List = [seq: number, key: string, lane: string, replaces: string, type: string, payload: string, occurredAt: number, due: number, attempts: number, status: EntryRow["status"], error: string];

const rowOf = (outbox: Address, [seq, key, lane, replaces, type, payload, occurredAt, due, attempts, status, error]: List): EntryRow => ({
  outbox,
  seq,
  key,
  lane,
  replaces,
  type,
  payload,
  occurredAt,
  due,
  attempts,
  status,
  error,
});

export const read = (connection: Connection, { outbox, status, after = 0, upTo = Number.MAX_SAFE_INTEGER, limit }: EntryFilter): Effect.Effect<ReadonlyArray<EntryRow>, JournalError> => {
  const lists =
    status === undefined
      ? connection.readLists<List>(`SELECT ${columns} FROM entries WHERE outbox = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?`, [outbox, after, upTo, limit])
      : // The plus keeps the pending ones from being looked up by lane and sorted; the few others are.
        connection.readLists<List>(`SELECT ${columns} FROM entries WHERE outbox = ? AND seq > ? AND seq <= ? AND ${status === "pending" ? "+" : ""}status = ? ORDER BY seq LIMIT ?`, [
          outbox,
          after,
          upTo,
          status,
          limit,
        ]);
  return Effect.map(lists, (all) => all.map((list) => rowOf(outbox, list)));
};

/** From one lane to the next by the index, without what is behind its first entry. */
const heads = `
  WITH RECURSIVE lanes (lane) AS (
    SELECT min(lane) FROM entries WHERE outbox = ? AND status = 'pending'
    UNION ALL
    SELECT (SELECT min(e.lane) FROM entries e WHERE e.outbox = ? AND e.status = 'pending' AND e.lane > lanes.lane) FROM lanes WHERE lanes.lane IS NOT NULL
  )
  SELECT h.lane, h.seq, h.due FROM lanes CROSS JOIN entries h
    ON h.outbox = ? AND h.seq = (SELECT min(e.seq) FROM entries e WHERE e.outbox = ? AND e.status = 'pending' AND e.lane = lanes.lane)
  WHERE lanes.lane IS NOT NULL`;

export const laneHeads = (connection: Connection, outbox: Address): Effect.Effect<ReadonlyArray<LaneHead>, JournalError> => connection.read(heads, [outbox, outbox, outbox, outbox]);

const ofLanes = `
  SELECT ${columns} FROM json_each(?) AS wanted CROSS JOIN entries
    ON entries.outbox = ? AND entries.seq IN (SELECT e.seq FROM entries e WHERE e.outbox = ? AND e.status = 'pending' AND e.lane = wanted.value AND e.seq <= ? ORDER BY e.seq LIMIT ?)
  ORDER BY entries.seq`;

export const laneEntries = (connection: Connection, { outbox, lanes, upTo, each }: LaneFilter): Effect.Effect<ReadonlyArray<EntryRow>, JournalError> =>
  Effect.map(connection.readLists<List>(ofLanes, [JSON.stringify(lanes), outbox, outbox, upTo, each]), (all) => all.map((list) => rowOf(outbox, list)));

export const posted = (connection: Connection, after: number, limit: number): Effect.Effect<ReadonlyArray<PostedRow>, JournalError> =>
  connection.read("SELECT id, outbox, entries FROM posted_entries WHERE id > ? ORDER BY id LIMIT ?", [after, limit]);

export const counts = (connection: Connection, outbox: Address): Effect.Effect<EntryCounts, JournalError> =>
  Effect.map(connection.read<{ status: keyof EntryCounts; count: number }>("SELECT status, count(*) AS count FROM entries WHERE outbox = ? GROUP BY status", [outbox]), (rows) => ({
    pending: 0,
    poisoned: 0,
    unknown: 0,
    ...Object.fromEntries(rows.map(({ status, count }) => [status, count])),
  }));
