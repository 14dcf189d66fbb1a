import type * as SqlClient from "@effect/sql/SqlClient";
import type { Connection } from "@effect/sql/SqlConnection";
import { SqlError } from "@effect/sql/SqlError";
import * as Effect from "effect/Effect";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import type { Journal } from "../../src/journal/index.ts";
import * as Driver from "../../src/journal/driver.ts";
import type { CommitFaults } from "../../src/testing/journal-conformance.ts";

/** A folder of its own for one test. */
export const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "taskwright-journal-"))),
  (dir) => Effect.sync(() => fs.rmSync(dir, { recursive: true, force: true })),
);

export type DriverName = Driver.Driver["name"];
const names: ReadonlyArray<DriverName> = ["better-sqlite3", "node:sqlite"];

/** Why a driver can't be tested on this Node, or nothing. */
export const unavailable = async (name: DriverName): Promise<string | undefined> => {
  if (name === "better-sqlite3" && Driver.defaultSources.nodeMajor > 22) return `better-sqlite3 12 aborts on Node ${process.versions.node}`;
  const chosen = await Effect.runPromise(Effect.either(Driver.choose(name, "test")));
  return chosen._tag === "Left" ? chosen.left.detail.split("\n")[0] : undefined;
};

/** All drivers with the reason why one is not to be tested here. */
export const drivers = await Promise.all(names.map(async (name) => ({ name, reason: await unavailable(name) })));
export const usable: ReadonlyArray<DriverName> = drivers.filter((driver) => driver.reason === undefined).map((driver) => driver.name);

/** A journal whose commits can fail, before anything or after everything was stored. */
export const withFaults = (journal: Journal, faults: CommitFaults): Journal => ({
  ...journal,
  commit: (turn) =>
    Effect.gen(function* () {
      const before = faults.beforeCommit?.(turn);
      if (before !== undefined) return yield* before;
      yield* journal.commit(turn);
      const after = faults.afterCommit?.(turn);
      if (after !== undefined) return yield* after;
    }),
});

/** A driver that is watched: what ran, and what is to fail. */
export interface Watched {
  readonly driver: Driver.Driver;
  /** Every statement since the array was emptied. */
  readonly texts: Array<string>;
  /** The reserved connection of the latest open. */
  connection: Connection | undefined;
  /** Answers with what a real driver would throw, instead of running the statement. */
  fail: ((sql: string) => unknown) | undefined;
  /** The same, instead of preparing it. */
  failPreparation: ((sql: string) => unknown) | undefined;
  /** Runs after each statement, before its answer is seen. */
  after: ((sql: string) => Effect.Effect<void>) | undefined;
}

export const watch = (name: DriverName): Effect.Effect<Watched> =>
  Effect.gen(function* () {
    const inner = yield* Effect.orDie(Driver.choose(name, "test"));
    const wrap = (connection: Connection): Connection => ({
      ...connection,
      executeUnprepared: (sql, params, transform) => {
        const fault = watched.failPreparation?.(sql);
        if (fault !== undefined) throw fault;
        const execute = connection.executeUnprepared(sql, params, transform);
        return Effect.suspend(() => {
          watched.texts.push(sql);
          const cause = watched.fail?.(sql);
          return cause === undefined ? Effect.tap(execute, () => watched.after?.(sql) ?? Effect.void) : Effect.fail(new SqlError({ cause }));
        });
      },
    });
    const watched: Watched = {
      texts: [],
      connection: undefined,
      fail: undefined,
      failPreparation: undefined,
      after: undefined,
      driver: {
        name,
        client: (options) =>
          Effect.map(inner.client(options), (client) => {
            const reserve = Effect.map(client.reserve, (connection) => wrap((watched.connection = connection)));
            return { reserve } as unknown as SqlClient.SqlClient;
          }),
      },
    };
    return watched;
  });

/** Runs statements on a connection of its own, as a program that knows nothing of journals would. */
export const sql = (name: DriverName, file: string, statements: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<ReadonlyArray<Record<string, unknown>>>> =>
  Effect.orDie(
    Effect.scoped(
      Effect.gen(function* () {
        const driver = yield* Driver.choose(name, "test");
        const client = yield* driver.client({ filename: file, readonly: false });
        const connection = yield* client.reserve;
        return yield* Effect.forEach(statements, (statement) => connection.execute(statement, [], undefined));
      }),
    ),
  );
