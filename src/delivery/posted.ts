import type { SqlClient } from "@effect/sql/SqlClient";
import type { SqlError } from "@effect/sql/SqlError";
import * as Effect from "effect/Effect";
import * as Schema from "effect/Schema";
import { outbox as outboxMachine } from "../../machines/outbox.ts";
import { rootAddress } from "../domain/address.ts";
import { failureOf, NotJson, normalize } from "../domain/json.ts";
import { defaultLimits } from "../domain/limits.ts";
import type { NewEntry } from "../domain/outbox.ts";
import { type Doors, type Engine, EventRefused, InvalidEvent } from "../engine/index.ts";
import type { JournalError, PostedRow } from "../journal/index.ts";
import { NewEntrySchema } from "./new-entry.ts";

/** An SQL statement with its parameters, for any client of the journal's own database. */
export interface PostStatement {
  readonly sql: string;
  readonly params: readonly [outbox: string, entries: string];
}

const isEntries = Schema.decodeUnknownEither(Schema.Array(NewEntrySchema));

/**
 * Puts entries for an outbox beside a host's own rows: run it in the transaction that writes those. They are stored with
 * it or not at all, and taken into the outbox by `collect()`, or when an engine is opened. Without a key or `occurredAt`
 * they get theirs then. Throws `InvalidEvent`.
 */
export const postStatement = (name: string, entry: NewEntry | ReadonlyArray<NewEntry>): PostStatement => {
  const address = rootAddress(outboxMachine.id, name);
  const given = Array.isArray(entry) ? entry : [entry];
  try {
    const entries = normalize(given, undefined, { depthMax: defaultLimits.payloadDepthMax, copy: true });
    const checked = isEntries(entries);
    if (checked._tag === "Left") throw new InvalidEvent({ address, path: "", detail: checked.left.message });
    return { sql: "INSERT INTO posted_entries (outbox, entries) VALUES (?, ?)", params: [address, JSON.stringify(entries)] };
  } catch (error) {
    throw error instanceof NotJson ? new InvalidEvent({ address, path: error.path, detail: error.what }) : error;
  }
};

/** `postStatement` in an `@effect/sql` client of the same database: within `sql.withTransaction`, with the rows that it belongs to. */
export const postEntries = (sql: SqlClient, name: string, entry: NewEntry | ReadonlyArray<NewEntry>): Effect.Effect<void, SqlError | InvalidEvent> =>
  Effect.flatMap(Effect.try({ try: () => postStatement(name, entry), catch: (error) => error as InvalidEvent }), (statement) => Effect.asVoid(sql.unsafe(statement.sql, statement.params)));

/** What became of posted rows. */
export interface Collected {
  /** So many are in their outbox now, or were sent already. */
  readonly taken: number;
  /** So many stay where they are: their outbox is full, closed or unknown, or they can't be read. */
  readonly left: number;
}

/** Rows that are read and told at a time. */
const pageSize = 500;

/** Takes posted rows into their outboxes, in order. Each goes from its table by the transaction that stores its entries. */
export const collectPosted = (engine: Engine, { journal, log }: Doors): Effect.Effect<Collected & { readonly isTransient: boolean }, JournalError> =>
  Effect.gen(function* () {
    let taken = 0;
    let left = 0;
    let isTransient = false;
    const leave = ({ id, outbox }: PostedRow, error: unknown) => {
      left++;
      const { retryable } = error as { readonly retryable?: boolean };
      if (retryable === true) isTransient = true;
      const remedy = retryable === true ? "it is tried again" : "open its outbox, or correct or delete the row";
      log({ level: "error", message: `the posted entries ${id} can't be taken and stay; ${remedy}`, address: outbox, data: failureOf(error) });
    };
    for (let after = 0; ; ) {
      const rows = yield* journal.posted(after, pageSize);
      // All at once: the engine takes them in this order, and as few turns as it can.
      yield* Effect.forEach(rows, (row) => Effect.match(tell(engine, row), { onSuccess: () => void taken++, onFailure: (error) => leave(row, error) }), { concurrency: "unbounded", discard: true });
      after = rows.at(-1)?.id ?? after;
      if (rows.length < pageSize) return { taken, left, isTransient };
    }
  });

const tell = (engine: Engine, { id, outbox, entries }: PostedRow) =>
  Effect.gen(function* () {
    const given = yield* Effect.try({ try: () => JSON.parse(entries) as ReadonlyArray<NewEntry>, catch: () => new InvalidEvent({ address: outbox, path: "", detail: "the entries are no JSON" }) });
    const receipt = yield* engine.send(outbox, { type: "ENQUEUE", entries: given, posted: id });
    if (receipt.outcome !== "handled") return yield* new EventRefused({ address: outbox, event: "ENQUEUE", detail: "it takes no entries" });
  });
