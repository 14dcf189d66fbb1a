import { JournalError, type JournalReason } from "./errors.ts";

/**
 * The one place where errors of a driver become ours. SQLite's primary result codes; better-sqlite3 gives them by
 * name (`cause.code`, possibly extended: `SQLITE_BUSY_SNAPSHOT`), node:sqlite as a number (`cause.errcode`, the
 * extended code: the primary one is its low byte).
 */
const reasonOfCode: Readonly<Record<string, JournalReason>> = {
  SQLITE_PERM: "readonly",
  SQLITE_BUSY: "busy",
  SQLITE_LOCKED: "busy",
  SQLITE_READONLY: "readonly",
  SQLITE_CORRUPT: "corrupt",
  SQLITE_FULL: "full",
  SQLITE_CANTOPEN: "readonly",
  SQLITE_PROTOCOL: "busy",
  SQLITE_NOTADB: "foreign",
};
const nameOfNumber: Readonly<Record<number, string>> = {
  3: "SQLITE_PERM",
  5: "SQLITE_BUSY",
  6: "SQLITE_LOCKED",
  8: "SQLITE_READONLY",
  11: "SQLITE_CORRUPT",
  13: "SQLITE_FULL",
  14: "SQLITE_CANTOPEN",
  15: "SQLITE_PROTOCOL",
  19: "SQLITE_CONSTRAINT",
  26: "SQLITE_NOTADB",
};

/** What a driver threw, below any `SqlError` that wraps it. */
const thrownBy = (error: unknown): unknown => {
  let inner = error;
  while (typeof inner === "object" && inner !== null && (inner as { _tag?: unknown })._tag === "SqlError") inner = (inner as { cause?: unknown }).cause;
  return inner;
};

/** SQLite's primary result code by name, if the error carries one. */
const primaryCode = (thrown: unknown): string | undefined => {
  const { code, errcode } = (typeof thrown === "object" && thrown !== null ? thrown : {}) as { code?: unknown; errcode?: unknown };
  if (typeof errcode === "number") return nameOfNumber[errcode & 0xff];
  return typeof code === "string" && code.startsWith("SQLITE_") ? code.split("_").slice(0, 2).join("_") : undefined;
};

const messageOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));

/** Turns what a driver failed with into a `JournalError`; an error that already is one stays as it is. */
export const fromDriver = (where: string, error: unknown): JournalError => {
  if (error instanceof JournalError) return error;
  const thrown = thrownBy(error);
  const code = primaryCode(thrown);
  return new JournalError({ reason: (code !== undefined ? reasonOfCode[code] : undefined) ?? "failed", where, detail: messageOf(thrown), cause: thrown });
};

export const isBusy = (error: unknown): boolean => {
  const code = primaryCode(thrownBy(error));
  return code !== undefined && reasonOfCode[code] === "busy";
};

const readonlyRollback = { code: "SQLITE_READONLY_ROLLBACK", errcode: 776 } as const;

/**
 * A reader met a rollback journal, which only a writer can undo. A journal has one only while it is being made: before
 * it got its write-ahead log, so before anything was stored.
 */
export const isHalfMade = (error: JournalError): boolean => {
  const { code, errcode } = (error.cause ?? {}) as { code?: unknown; errcode?: unknown };
  return code === readonlyRollback.code || errcode === readonlyRollback.errcode;
};
