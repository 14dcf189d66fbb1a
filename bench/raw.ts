import { createRequire } from "node:module";

/** A database without any layer above the driver: what bare loops use. */
export interface Raw {
  exec(sql: string): void;
  run(sql: string, ...params: ReadonlyArray<unknown>): void;
  all(sql: string, ...params: ReadonlyArray<unknown>): ReadonlyArray<unknown>;
  close(): void;
}

interface Statement {
  run(...params: ReadonlyArray<unknown>): unknown;
  all(...params: ReadonlyArray<unknown>): unknown;
}

/** The fastest driver of this Node version, without any layer above it. */
export const openRaw = async (file: string): Promise<Raw> => {
  const major = Number(process.versions.node.split(".")[0]);
  const prepared = new Map<string, Statement>();
  const database: { prepare(sql: string): Statement; exec(sql: string): unknown; close(): void } =
    major < 22 ? new (createRequire(import.meta.url)("better-sqlite3"))(file) : new (await import("node:sqlite" as string)).DatabaseSync(file);
  const statementOf = (sql: string) => {
    let statement = prepared.get(sql);
    if (statement === undefined) prepared.set(sql, (statement = database.prepare(sql)));
    return statement;
  };
  return {
    exec: (sql) => void database.exec(sql),
    run: (sql, ...params) => void statementOf(sql).run(...params),
    all: (sql, ...params) => statementOf(sql).all(...params) as ReadonlyArray<unknown>,
    close: () => database.close(),
  };
};
