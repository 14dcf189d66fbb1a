import { SqlError } from "@effect/sql/SqlError";
import { describe, expect, it } from "vitest";
import { JournalError, type JournalReason } from "../../src/journal/index.ts";
import { fromDriver, isBusy } from "../../src/journal/failure.ts";

const better = (code: string) => new SqlError({ cause: Object.assign(new Error("it failed"), { name: "SqliteError", code }) });
const node = (errcode: number) => new SqlError({ cause: Object.assign(new Error("it failed"), { code: "ERR_SQLITE_ERROR", errcode }) });

const cases: ReadonlyArray<readonly [JournalReason, string, number]> = [
  ["foreign", "SQLITE_NOTADB", 26],
  ["readonly", "SQLITE_READONLY", 8],
  ["readonly", "SQLITE_READONLY_DIRECTORY", 8 | (6 << 8)],
  ["readonly", "SQLITE_CANTOPEN", 14],
  ["readonly", "SQLITE_PERM", 3],
  ["full", "SQLITE_FULL", 13],
  ["busy", "SQLITE_BUSY", 5],
  ["busy", "SQLITE_BUSY_SNAPSHOT", 5 | (2 << 8)],
  ["busy", "SQLITE_LOCKED", 6],
  ["corrupt", "SQLITE_CORRUPT", 11],
  ["corrupt", "SQLITE_CORRUPT_INDEX", 11 | (3 << 8)],
  ["failed", "SQLITE_IOERR_FSYNC", 10 | (4 << 8)],
  ["failed", "SQLITE_CONSTRAINT_UNIQUE", 19 | (8 << 8)],
];

describe("journal > failures", () => {
  for (const [reason, code, errcode] of cases) {
    it(`are "${reason}" for ${code}, whichever driver tells`, () => {
      for (const error of [better(code), node(errcode)]) {
        const mapped = fromDriver("a.db", error);
        expect(mapped).toMatchObject({ _tag: "JournalError", reason, where: "a.db", detail: "it failed" });
        expect(mapped.cause).toBe(error.cause);
        expect(isBusy(error)).toBe(reason === "busy");
      }
    });
  }

  it("keep a JournalError as it is, and make one of anything", () => {
    const known = new JournalError({ reason: "newer", where: "a.db", detail: "d" });
    expect(fromDriver("b.db", known)).toBe(known);
    for (const thrown of [undefined, null, "text", { code: 7 }, new TypeError("closed")]) expect(fromDriver("b.db", thrown)).toMatchObject({ reason: "failed", where: "b.db" });
  });
});
