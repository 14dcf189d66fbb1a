import type { Connection as SqlConnection } from "@effect/sql/SqlConnection";
import { SqlError } from "@effect/sql/SqlError";
import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Schedule from "effect/Schedule";
import * as Scope from "effect/Scope";
import type { Driver } from "./driver.ts";
import { JournalError } from "./errors.ts";
import { fromDriver, isBusy } from "./failure.ts";

/**
 * One reserved SQLite connection with its transactions in our own hands. The client's `withTransaction` would turn a
 * failed COMMIT into a defect and leave the transaction open, so that the next acknowledged write may be lost.
 * Not for concurrent use: the journal lets one operation in at a time.
 */
export interface Connection {
  /** Runs one statement. */
  readonly run: (sql: string, params?: ReadonlyArray<unknown>) => Effect.Effect<void, SqlError>;
  readonly rows: <A>(sql: string, params?: ReadonlyArray<unknown>) => Effect.Effect<ReadonlyArray<A>, SqlError>;
  /** Reads outside of a transaction: errors mapped, locks of others waited for. */
  readonly read: <A>(sql: string, params?: ReadonlyArray<unknown>) => Effect.Effect<ReadonlyArray<A>, JournalError>;
  /** The same, each row as a list in the order of its columns: for many rows at half the price. */
  readonly readLists: <A extends ReadonlyArray<unknown>>(sql: string, params?: ReadonlyArray<unknown>) => Effect.Effect<ReadonlyArray<A>, JournalError>;
  /**
   * BEGIN IMMEDIATE, `body`, COMMIT. Whatever fails, the transaction is over afterwards. A failed COMMIT has an
   * unknown outcome and is a typed failure.
   */
  readonly transaction: <A, E>(body: Effect.Effect<A, E | SqlError>) => Effect.Effect<A, Exclude<E, SqlError> | JournalError>;
  /** Moves the write-ahead log into the database, as far as nobody reads it. Never fails: the next one tries again. */
  readonly checkpoint: Effect.Effect<void>;
  readonly close: Effect.Effect<void>;
}

export type Synchronous = "FULL" | "NORMAL" | "OFF";

export interface ConnectionOptions {
  readonly file: string;
  readonly reader: boolean;
  readonly synchronous: Synchronous;
}

/** Milliseconds that SQLite itself waits for a lock. Such a wait blocks the event loop, so it is short... */
const busyTimeoutMs = 50;
/** ...and repeated, with the loop running in between, for about this many milliseconds. */
const busyTotalMs = 5_000;

/**
 * Pages of the write-ahead log (of 4 KiB) at which a COMMIT moves them into the database: about 32 MB. It takes some
 * 20 ms on a fast disk and is the exception: the owner checkpoints at each renewal of its lease, outside of any turn.
 * Without any bound the log makes each commit three times slower (measured at 400 MB).
 */
const checkpointPages = 8_000;
/** Bytes to which the log is cut after it grew beyond them. */
const logBytesMax = 64 * 1024 * 1024;
/** KiB of pages in memory. */
const cacheKiB = 32 * 1024;

/** Statements kept prepared. The journal has some hundred texts. */
const preparedMax = 300;

const patience = Schedule.exponential("5 millis", 1.5).pipe(Schedule.union(Schedule.spaced("100 millis")), Schedule.jittered, Schedule.upTo(busyTotalMs));

/** Opens a connection and changes nothing in the file; `tune` comes after the file proved to be ours. */
export const open = (driver: Driver, options: ConnectionOptions): Effect.Effect<Connection, JournalError> =>
  Effect.uninterruptible(
    Effect.gen(function* () {
      const scope = yield* Scope.make();
      const reserved = driver.client({ filename: options.file, readonly: options.reader }).pipe(
        Effect.flatMap((client) => client.reserve),
        Scope.extend(scope),
        // The drivers throw from their constructors inside an Effect: as a defect.
        Effect.catchAllCause((cause) => Effect.fail(fromDriver(options.file, Cause.squash(cause)))),
      );
      const connection = make(options.file, yield* Effect.onError(reserved, () => Scope.close(scope, Exit.void)), scope);
      yield* Effect.onError(connection.read(`PRAGMA busy_timeout = ${busyTimeoutMs}`), () => connection.close);
      return connection;
    }),
  );

interface Prepared {
  readonly params: Array<unknown>;
  readonly execute: Effect.Effect<unknown, SqlError>;
}

const make = (where: string, sql: SqlConnection, scope: Scope.CloseableScope): Connection => {
  const none: ReadonlyArray<unknown> = [];
  const ours = (error: unknown) => (isSqlError(error) ? fromDriver(where, error) : error);

  // The client prepares the text of an unprepared statement when its effect is made, and reads the parameters when that
  // runs. So an effect that is kept, with a list that is filled anew each time, is a prepared statement: 3 operations of
  // Effect instead of the 18 of the client's own cache, which also remembers a preparation that met a lock as failed.
  // (Red without it: "journal > faults > of a preparation that met a lock are not remembered".)
  const prepared = new Map<string, Prepared>();
  const prepare = (text: string): Prepared => {
    const params: Array<unknown> = [];
    const statement: Prepared = { params, execute: sql.executeUnprepared(text, params, undefined) };
    if (prepared.size >= preparedMax) prepared.clear();
    prepared.set(text, statement);
    return statement;
  };
  const preparing = <A>(text: string, use: (statement: Prepared) => Effect.Effect<unknown, SqlError>) =>
    Effect.suspend(() => {
      try {
        return use(prepared.get(text) ?? prepare(text)) as Effect.Effect<ReadonlyArray<A>, SqlError>;
      } catch (cause) {
        return Effect.fail(new SqlError({ cause, message: "Failed to prepare statement" }));
      }
    });
  // The list that was filled last. It is emptied by the next statement: nobody holds large rows until theirs comes again.
  let filled: Array<unknown> = [];
  const rows = <A>(text: string, given = none) =>
    preparing<A>(text, ({ params, execute }) => {
      filled.length = 0;
      filled = params;
      for (const param of given) params.push(param);
      return execute;
    });
  // By the client's own cache, but not before it was prepared here.
  const lists = <A>(text: string, given = none) => preparing<A>(text, () => sql.executeValues(text, given));
  const run = rows as Connection["run"];

  /** Waits for a lock that somebody else holds, without holding up the event loop. */
  const patiently = <A>(text: string, params = none, ask = rows): Effect.Effect<ReadonlyArray<A>, SqlError> => {
    const waiting = Effect.suspend(() => Effect.retry(Effect.delay(ask<A>(text, params), "5 millis"), { schedule: patience, while: isBusy }));
    return Effect.catchAll(ask<A>(text, params), (error) => (isBusy(error) ? waiting : Effect.fail(error)));
  };

  // After some failures (a full disk) SQLite has ended the transaction by itself: then this fails, and all is well. If it
  // fails otherwise, the next BEGIN does too, with an error of its own.
  const rollback = Effect.ignore(run("ROLLBACK"));
  const begin = Effect.mapError(patiently("BEGIN IMMEDIATE"), ours);
  const commit = run("COMMIT");
  return {
    run,
    rows,
    read: (text, params) => Effect.mapError(patiently(text, params), (error) => fromDriver(where, error)) as never,
    readLists: (text, params) => Effect.mapError(patiently(text, params, lists), (error) => fromDriver(where, error)) as never,
    transaction: (body) =>
      Effect.uninterruptible(
        Effect.zipRight(
          begin,
          Effect.catchAllCause(Effect.zipLeft(body, commit), (cause) => Effect.zipRight(rollback, Effect.failCause(Cause.map(cause, ours)))),
        ),
      ) as never,
    checkpoint: Effect.catchAll(run("PRAGMA wal_checkpoint(PASSIVE)"), (error) => Effect.logDebug(`${where}: a checkpoint failed`, fromDriver(where, error))),
    close: Scope.close(scope, Exit.void).pipe(Effect.catchAllCause((cause) => Effect.logDebug(`${where}: closing failed`, cause))),
  };
};

const isSqlError = (error: unknown): error is SqlError => typeof error === "object" && error !== null && (error as { _tag?: unknown })._tag === "SqlError";

/**
 * Settings that SQLite forgets with the connection. `synchronous` above all: it is FULL on a new file and silently
 * NORMAL when a WAL database is opened again, which would lose acknowledged turns at a power failure.
 */
export const tune = (connection: Connection, options: ConnectionOptions): Effect.Effect<void, JournalError> =>
  Effect.gen(function* () {
    const settings = [`cache_size = -${cacheKiB}`, "temp_store = MEMORY", "foreign_keys = OFF"];
    if (!options.reader) {
      yield* connection.read("PRAGMA journal_mode = WAL");
      // SQLite does not fail where it can't have a write-ahead log (network file systems): it stays in the mode it was.
      const [row] = yield* connection.read<{ journal_mode: string }>("PRAGMA journal_mode");
      const mode = row?.journal_mode;
      if (mode !== "wal")
        return yield* new JournalError({ reason: "failed", where: options.file, detail: `this file system can't hold a write-ahead log (journal_mode stays ${mode}); use a local disk` });
      settings.push(`synchronous = ${options.synchronous}`, `wal_autocheckpoint = ${checkpointPages}`, `journal_size_limit = ${logBytesMax}`);
    }
    for (const setting of settings) yield* connection.read(`PRAGMA ${setting}`);
  });
