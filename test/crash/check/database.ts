import { createRequire } from "node:module";

/** Plain SQL, without anything of the engine. */
export interface Database {
  readonly all: <Row>(sql: string, ...params: ReadonlyArray<unknown>) => ReadonlyArray<Row>;
  readonly close: () => void;
}

interface Statement {
  readonly all: (...params: ReadonlyArray<unknown>) => ReadonlyArray<unknown>;
}
interface Driver {
  readonly prepare: (sql: string) => Statement;
  readonly close: () => void;
}

const require = createRequire(import.meta.url);
const nodeMajor = Number.parseInt(process.versions.node, 10);

/**
 * Opens a copy of a journal, for writing: SQLite then recovers what a crash left (the write-ahead log, or a rollback
 * journal) as the next engine would.
 */
export const openDatabase = (file: string): Database => {
  // better-sqlite3 aborts on Node 24 and newer; node:sqlite is not in Node 20.
  const driver: Driver = nodeMajor <= 22 ? new (require("better-sqlite3") as new (file: string) => Driver)(file) : new (builtIn().DatabaseSync)(file);
  return { all: (sql, ...params) => driver.prepare(sql).all(...params) as never, close: () => driver.close() };
};

const builtIn = () => {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return process.getBuiltinModule("node:sqlite" as never) as unknown as { readonly DatabaseSync: new (file: string) => Driver };
  } finally {
    process.emitWarning = emitWarning;
  }
};
