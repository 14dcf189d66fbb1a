import type * as Reactivity from "@effect/experimental/Reactivity";
import * as SqlClient from "@effect/sql/SqlClient";
import type { Connection } from "@effect/sql/SqlConnection";
import { SqlError } from "@effect/sql/SqlError";
import * as Statement from "@effect/sql/Statement";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";

/**
 * An `@effect/sql` client over Node's built-in `node:sqlite`: no native module to install. It is the only sound
 * driver on Node 24 and newer, where better-sqlite3 12 aborts the process at a garbage collection.
 */

/** The part of `node:sqlite` that is used. Its types are not in `@types/node` 20. */
export interface NodeSqlite {
  readonly DatabaseSync: new (file: string, options?: { readonly readOnly?: boolean }) => DatabaseSync;
}
interface DatabaseSync {
  readonly prepare: (sql: string) => StatementSync;
  readonly close: () => void;
}
interface StatementSync {
  readonly all: (...params: ReadonlyArray<unknown>) => ReadonlyArray<Record<string, unknown>>;
  readonly run: (...params: ReadonlyArray<unknown>) => unknown;
}

/**
 * Loads the built-in module, or nothing where this Node has none (before 22.13 it sits behind a flag).
 * Node says once per process that SQLite is experimental. A program that opened a journal did not ask for that, so
 * this one warning is held back while the module loads; the load is synchronous, so no other warning can be lost.
 */
export const loadNodeSqlite = (): NodeSqlite | undefined => {
  if (typeof process.getBuiltinModule !== "function") return undefined;
  const emitWarning = process.emitWarning;
  process.emitWarning = ((warning: string | Error, ...rest: Array<unknown>) => {
    const kind = typeof rest[0] === "object" && rest[0] !== null ? (rest[0] as { type?: unknown }).type : rest[0];
    const isOurs = String(warning).includes("SQLite") && (kind === "ExperimentalWarning" || (warning instanceof Error && warning.name === "ExperimentalWarning"));
    if (!isOurs) Reflect.apply(emitWarning, process, [warning, ...rest]);
  }) as typeof process.emitWarning;
  try {
    return process.getBuiltinModule("node:sqlite") as NodeSqlite | undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
};

export interface NodeSqliteOptions {
  readonly filename: string;
  readonly readonly?: boolean | undefined;
}

// node:sqlite can't say before Node 22.16 whether a statement returns rows; our own texts tell by their first word.
const returnsRows = /^\s*(select|with|pragma|explain|values)\b|\breturning\b/i;

const open = (module: NodeSqlite, options: NodeSqliteOptions): Effect.Effect<Connection, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      // Throws like the constructor of better-sqlite3 does; the journal maps defects and failures of an open alike.
      Effect.sync(() => new module.DatabaseSync(options.filename, { readOnly: options.readonly ?? false })),
      (database) => Effect.sync(() => database.close()),
    ),
    (database): Connection => {
      const prepared = new Map<string, { readonly statement: StatementSync; readonly rows: boolean }>();
      const prepare = (sql: string) => {
        let known = prepared.get(sql);
        if (known === undefined) {
          if (prepared.size >= preparedMax) prepared.clear();
          known = { statement: database.prepare(sql), rows: returnsRows.test(sql) };
          prepared.set(sql, known);
        }
        return known;
      };
      const run = (sql: string, params: ReadonlyArray<unknown>, raw: boolean) =>
        Effect.suspend((): Effect.Effect<ReadonlyArray<Record<string, unknown>>, SqlError> => {
          try {
            const { statement, rows } = prepare(sql);
            if (rows) return Effect.succeed(statement.all(...params));
            const result = statement.run(...params);
            return Effect.succeed(raw ? (result as ReadonlyArray<Record<string, unknown>>) : []);
          } catch (cause) {
            return Effect.fail(new SqlError({ cause, message: "Failed to execute statement" }));
          }
        });
      const execute: Connection["execute"] = (sql, params, transform) => (transform ? Effect.map(run(sql, params, false), transform) : run(sql, params, false));
      return {
        execute,
        executeRaw: (sql, params) => run(sql, params, true),
        executeValues: (sql, params) => Effect.map(run(sql, params, false), (rows) => rows.map((row) => Object.values(row))),
        executeUnprepared: execute,
        executeStream: () => Effect.dieMessage("executeStream is not implemented for node:sqlite"),
      };
    },
  );

/** Statements kept prepared. The journal has some fifty texts; a host's own queries may add more. */
const preparedMax = 200;

export const make = (module: NodeSqlite, options: NodeSqliteOptions): Effect.Effect<SqlClient.SqlClient, never, Scope.Scope | Reactivity.Reactivity> =>
  Effect.gen(function* () {
    const connection = yield* open(module, options);
    const semaphore = yield* Effect.makeSemaphore(1);
    return yield* SqlClient.make({
      acquirer: semaphore.withPermits(1)(Effect.succeed(connection)),
      // Held until the scope of the reservation closes, so that nobody's statement lands in another's transaction.
      transactionAcquirer: Effect.as(
        Effect.acquireRelease(semaphore.take(1), () => semaphore.release(1)),
        connection,
      ),
      compiler: Statement.makeCompilerSqlite(),
      spanAttributes: [["db.system.name", "sqlite"]],
    });
  });
