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

/**
 * Opens a copy of a journal, for writing: SQLite then recovers what a crash left (the write-ahead log, or a rollback
 * journal) as the next engine would.
 */
export const openDatabase = (file: string): Database => {
  const driver: Driver = new (driverOf())(file);
  const statements = new Map<string, Statement>();
  const prepared = (sql: string): Statement => {
    const statement = statements.get(sql) ?? driver.prepare(sql);
    statements.set(sql, statement);
    return statement;
  };
  return { all: (sql, ...params) => prepared(sql).all(...params) as never, close: () => driver.close() };
};

type DriverClass = new (file: string) => Driver;

/** better-sqlite3 up to Node 22, where it is sound and was built for this version; otherwise what is built in. */
const driverOf = (): DriverClass => {
  if (Number.parseInt(process.versions.node, 10) <= 22) {
    try {
      const BetterSqlite3 = require("better-sqlite3") as DriverClass;
      new BetterSqlite3(":memory:").close();
      return BetterSqlite3;
    } catch (error) {
      if (builtIn() === undefined) throw error;
    }
  }
  return (builtIn() as { readonly DatabaseSync: DriverClass }).DatabaseSync;
};

const builtIn = (): { readonly DatabaseSync: DriverClass } | undefined => {
  const { emitWarning } = process;
  // Node says that SQLite is experimental.
  process.emitWarning = () => {};
  try {
    return process.getBuiltinModule?.("node:sqlite" as never) as { readonly DatabaseSync: DriverClass } | undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
};
