import * as Reactivity from "@effect/experimental/Reactivity";
import type * as SqlClient from "@effect/sql/SqlClient";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import { JournalError } from "./errors.ts";
import { loadNodeSqlite, make as makeNodeSqlite } from "./node-sqlite.ts";

/** How SQLite is reached. `auto` takes better-sqlite3 where it is sound, otherwise what is built into Node. */
export type DriverName = "auto" | "better-sqlite3" | "node:sqlite";

export interface DriverOptions {
  readonly filename: string;
  readonly readonly: boolean;
}

/** Makes clients. An open that fails may also die with what the driver threw; the connection maps both. */
export interface Driver {
  readonly name: Exclude<DriverName, "auto">;
  readonly client: (options: DriverOptions) => Effect.Effect<SqlClient.SqlClient, never, Scope.Scope>;
}

/** Where drivers come from; tests give their own. Each either gives a working driver or throws the reason. */
export interface DriverSources {
  readonly nodeMajor: number;
  readonly betterSqlite3: () => Promise<Driver>;
  readonly nodeSqlite: () => Promise<Driver>;
}

const betterSqlite3 = async (): Promise<Driver> => {
  const { make } = await import("@effect/sql-sqlite-node/SqliteClient");
  // Without WAL: the client would switch any file to WAL, also one that turns out to be somebody else's.
  const client = (options: DriverOptions) => Effect.provide(make({ ...options, disableWAL: true, prepareCacheTTL: "365 days" }), Reactivity.layer);
  // The native module loads with the first database: a build for another Node version shows only here.
  await Effect.runPromise(Effect.scoped(client({ filename: ":memory:", readonly: false })));
  return { name: "better-sqlite3", client };
};

const nodeSqlite = async (): Promise<Driver> => {
  const module = loadNodeSqlite();
  if (module === undefined) throw new Error(`Node ${process.versions.node} has no built-in node:sqlite`);
  return { name: "node:sqlite", client: (options) => Effect.provide(makeNodeSqlite(module, options), Reactivity.layer) };
};

export const defaultSources: DriverSources = {
  nodeMajor: Number.parseInt(process.versions.node, 10),
  betterSqlite3,
  nodeSqlite,
};

/**
 * better-sqlite3 12 is built on node::ObjectWrap, whose version in newer Node aborts the process when a statement is
 * collected ("Assertion failed: (env) != nullptr", seen on Node 24.21). So beyond Node 22 it runs only when asked for
 * by name, and Node's own module is the default.
 */
const lastSoundNode = 22;

/** Chooses a driver; one that was given is taken as it is. Fails with the reasons of all that were tried. */
export const choose = (wanted: DriverName | Driver, where: string, sources: DriverSources = defaultSources): Effect.Effect<Driver, JournalError> => {
  if (typeof wanted === "object") return Effect.succeed(wanted);
  const order =
    wanted === "better-sqlite3" ? [sources.betterSqlite3] : wanted === "node:sqlite" || sources.nodeMajor > lastSoundNode ? [sources.nodeSqlite] : [sources.betterSqlite3, sources.nodeSqlite];
  return Effect.tryPromise({
    try: async () => {
      const reasons: Array<string> = [];
      for (const source of order) {
        try {
          return await source();
        } catch (error) {
          reasons.push(error instanceof Error ? error.message : String(error));
        }
      }
      throw new Error(reasons.join("; "));
    },
    catch: (cause) => new JournalError({ reason: "driver", where, detail: `SQLite can't be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, cause }),
  });
};
