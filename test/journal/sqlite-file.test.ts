import * as Effect from "effect/Effect";
import * as fs from "node:fs";
import * as path from "node:path";
import * as Exit from "effect/Exit";
import * as Scope from "effect/Scope";
import { describe, expect, it } from "vitest";
import { SqliteJournal } from "../../src/journal/index.ts";
import * as Layout from "../../src/journal/schema.ts";
import { actor, engine, entry, failure, moved, noon, turn } from "../../src/testing/journal-conformance/rows.ts";
import { type DriverName, folder, sql, usable } from "./files.ts";

const inFolder = (body: (dir: string) => Effect.Effect<unknown, unknown, Scope.Scope>) => () => Effect.runPromise(Effect.asVoid(Effect.scoped(Effect.flatMap(folder, body))));

const opening = (driver: DriverName, file: string) => Effect.scoped(Effect.flatMap(SqliteJournal.make({ file, driver }), (journal) => journal.open(engine())));
const reading = (driver: DriverName, file: string) => Effect.scoped(Effect.flatMap(SqliteJournal.make({ file, driver, reader: true }), (journal) => journal.counts));

/** A journal in which something was written, closed again. */
const written = (driver: DriverName, file: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const journal = yield* SqliteJournal.make({ file, driver });
      yield* journal.open(engine());
      yield* journal.commit(turn({ created: [actor(1)], history: [entry(1, 1, 1)] }));
      yield* journal.release;
    }),
  );

/** What the layouts after the first one added, taken away. */
const undone = [
  "DROP TABLE posted_entries",
  "DROP TABLE entries",
  "DROP TABLE attempts",
  "DROP TABLE names",
  "DROP TABLE builds",
  "DROP TABLE checkpoints",
  "DROP TABLE marks",
  "DROP INDEX dead_letters_address",
  "ALTER TABLE keys DROP COLUMN request",
];

for (const driver of usable) {
  describe(`journal (${driver}) > file`, () => {
    const foreign: Record<string, (file: string) => Effect.Effect<unknown>> = {
      "a database of another program": (file) => sql(driver, file, ["CREATE TABLE invoices (id INTEGER)", "INSERT INTO invoices VALUES (1)"]),
      "a database with another application id": (file) => sql(driver, file, ["PRAGMA application_id = 42"]),
      "an empty database that somebody counts versions of": (file) => sql(driver, file, ["PRAGMA user_version = 3"]),
      "a file of random bytes": (file) => Effect.sync(() => fs.writeFileSync(file, Buffer.from(Array.from({ length: 8_192 }, (_, i) => (i * 7_919) % 251)))),
      "a short text": (file) => Effect.sync(() => fs.writeFileSync(file, "hello")),
    };
    for (const [what, make] of Object.entries(foreign)) {
      it(
        `refuses ${what} as foreign and leaves every byte of it`,
        inFolder((dir) =>
          Effect.gen(function* () {
            const file = path.join(dir, "theirs.db");
            yield* make(file);
            const before = fs.readFileSync(file);
            for (const attempt of [opening(driver, file), reading(driver, file)]) {
              expect(yield* failure<unknown, unknown, never>(attempt)).toMatchObject({ _tag: "JournalError", reason: "foreign", where: file });
            }
            expect(fs.readFileSync(file).equals(before)).toBe(true);
            expect(fs.readdirSync(dir)).toEqual(["theirs.db"]);
          }),
        ),
      );
    }

    it(
      "brings a file of the first layout to the present one, with all that is in it",
      inFolder((dir) =>
        Effect.gen(function* () {
          const file = path.join(dir, "old.db");
          yield* written(driver, file);
          yield* sql(driver, file, [...undone, "PRAGMA user_version = 1"]);
          expect(yield* failure(reading(driver, file))).toMatchObject({ detail: expect.stringContaining("open it with an engine once") });
          yield* Effect.scoped(
            Effect.gen(function* () {
              const journal = yield* SqliteJournal.make({ file, driver });
              yield* journal.open(engine({ id: "later", build: "b" }));
              expect(yield* journal.buildOf("task/1")).toMatchObject({ build: "" });
              expect(yield* journal.history("task/1", 0, 10)).toEqual([entry(1, 1, 1)]);
              yield* journal.commit(turn({ moved: [moved(1, 2)], history: [entry(2, 1, 2)] }));
              expect(yield* journal.buildOf("task/1")).toMatchObject({ build: "b" });
            }),
          );
          expect(yield* reading(driver, file)).toHaveLength(1);
        }),
      ),
    );

    it(
      "takes an empty file for a new journal",
      inFolder((dir) =>
        Effect.gen(function* () {
          const file = path.join(dir, "journal.db");
          fs.writeFileSync(file, "");
          expect(yield* failure(reading(driver, file))).toMatchObject({ reason: "missing" });
          expect(yield* opening(driver, file)).toMatchObject({ epoch: 1 });
        }),
      ),
    );

    it(
      "refuses a journal that a later version wrote, owner and reader alike, and leaves it",
      inFolder((dir) =>
        Effect.gen(function* () {
          const file = path.join(dir, "journal.db");
          yield* written(driver, file);
          yield* sql(driver, file, [`PRAGMA user_version = ${Layout.version + 1}`]);
          for (const attempt of [opening(driver, file), reading(driver, file)]) {
            expect(yield* failure<unknown, unknown, never>(attempt)).toMatchObject({ reason: "newer", detail: expect.stringContaining(String(Layout.version + 1)) });
          }
          expect((yield* sql(driver, file, ["SELECT epoch FROM owner"]))[0]).toEqual([{ epoch: 1 }]);
        }),
      ),
    );

    it(
      "says foreign for a folder, and missing for a path below one that does not exist",
      inFolder((dir) =>
        Effect.gen(function* () {
          for (const attempt of [opening(driver, dir), reading(driver, dir)]) expect(yield* failure<unknown, unknown, never>(attempt)).toMatchObject({ reason: "foreign", detail: "this is a folder" });
          expect(yield* failure(opening(driver, path.join(dir, "no", "journal.db")))).toMatchObject({ reason: "missing" });
          expect(yield* failure(opening(driver, path.join(import.meta.dirname, "sqlite-file.test.ts", "journal.db")))).toMatchObject({ _tag: "JournalError" });
        }),
      ),
    );

    it(
      "is not created by a reader",
      inFolder((dir) =>
        Effect.gen(function* () {
          expect(yield* failure(reading(driver, path.join(dir, "journal.db")))).toMatchObject({ reason: "missing" });
          expect(fs.readdirSync(dir)).toEqual([]);
        }),
      ),
    );

    it(
      "says corrupt when the tables can't be read, and writes nothing",
      inFolder((dir) =>
        Effect.gen(function* () {
          const file = path.join(dir, "journal.db");
          yield* written(driver, file);
          const handle = fs.openSync(file, "r+");
          // The first page after its header: the list of all tables.
          fs.writeSync(handle, Buffer.alloc(2_000, 0x5a), 0, 2_000, 100);
          fs.closeSync(handle);
          const before = fs.readFileSync(file);
          expect(yield* failure(opening(driver, file))).toMatchObject({ reason: "corrupt", retryable: false });
          expect(fs.readFileSync(file).equals(before)).toBe(true);
        }),
      ),
    );

    it(
      "carries our application id and the number of migrations, and is opened again as it is",
      inFolder((dir) =>
        Effect.gen(function* () {
          const file = path.join(dir, "journal.db");
          yield* written(driver, file);
          const [application, version, layout] = yield* sql(driver, file, ["PRAGMA application_id", "PRAGMA user_version", "SELECT sql FROM sqlite_schema ORDER BY name"]);
          expect(application).toEqual([{ application_id: Layout.applicationId }]);
          expect(version).toEqual([{ user_version: Layout.version }]);
          expect(yield* opening(driver, file)).toMatchObject({ epoch: 2, counters: { actor: 1, history: 1 } });
          expect((yield* sql(driver, file, ["SELECT sql FROM sqlite_schema ORDER BY name"]))[0]).toEqual(layout);
        }),
      ),
    );

    it(
      "of the first layout keeps its dead letters and their ids, and from then on gives none twice",
      inFolder((dir) =>
        Effect.gen(function* () {
          const file = path.join(dir, "journal.db");
          const letters = [3, 7].map((id) => `INSERT INTO dead_letters VALUES (${id}, 'task/${id}', ${id}, '{}', '{}')`);
          yield* sql(driver, file, [...(Layout.migrations[0] ?? []), ...letters, "INSERT INTO mail VALUES (4, '{}')", "PRAGMA user_version = 1"]);
          yield* Effect.scoped(
            Effect.gen(function* () {
              const journal = yield* SqliteJournal.make({ file, driver });
              expect(yield* journal.open(engine())).toMatchObject({ epoch: 1, counters: { mail: 4 }, latestAt: 7, released: true });
              const stored = yield* journal.deadLetters({ limit: 10 });
              expect(stored.map(({ id, address, at }) => [id, address, at])).toEqual([
                [3, "task/3", 3],
                [7, "task/7", 7],
              ]);
              yield* journal.commit(turn({ deadLettersTaken: [7] }));
              yield* journal.commit(turn({ deadLetters: [{ address: "task/8", at: 8, envelope: "{}", error: "{}" }] }));
              expect((yield* journal.deadLetters({ limit: 10 })).map(({ id }) => id)).toEqual([3, 8]);
              expect(yield* journal.attempts).toEqual([]);
            }),
          );
          expect((yield* sql(driver, file, ["PRAGMA user_version"]))[0]).toEqual([{ user_version: Layout.version }]);
        }),
      ),
    );

    for (const how of ["deleted", "replaced"] as const) {
      it(
        `that is ${how} under its owner is noticed at the next renewal, reopen and look of a commit`,
        inFolder((dir) =>
          Effect.gen(function* () {
            const file = path.join(dir, "journal.db");
            yield* written(driver, file);
            fs.copyFileSync(file, `${file}.backup`);
            const scope = yield* Scope.make();
            const journal = yield* Scope.extend(SqliteJournal.make({ file, driver }), scope);
            yield* journal.open(engine());
            if (how === "deleted") fs.rmSync(file);
            else fs.renameSync(`${file}.backup`, file);
            // The first commit looks; later ones look again after 100 ms.
            expect(yield* failure(journal.commit(turn({ moved: [moved(1, 2)] })))).toMatchObject({ reason: "replaced", code: "journal_replaced", retryable: false });
            expect(yield* failure(journal.renew(0))).toMatchObject({ reason: "replaced" });
            expect(yield* failure(journal.reopen)).toMatchObject({ reason: "replaced" });
            expect(fs.existsSync(file)).toBe(how === "replaced");
            yield* Scope.close(scope, Exit.void);
            // The other file takes nothing over from the log that lies beside it.
            expect(yield* opening(driver, file)).toMatchObject({ epoch: how === "replaced" ? 2 : 1, counters: { history: how === "replaced" ? 1 : 0 } });
            expect(fs.existsSync(`${file}-wal-2`)).toBe(how === "replaced");
          }),
        ),
      );
    }

    // What the file itself says is read through SQLite's own descriptor.
    const isShown = process.platform !== "win32";
    for (const [age, from] of [
      ["before the owner came", "before"],
      ["earlier in the same owner's life", "during"],
      ["as an empty file", "empty"],
    ] as const) {
      it.skipIf(!isShown)(
        `over which a copy was written that was made ${age} is noticed, and the copy left as it is${isShown ? "" : " (not shown on Windows)"}`,
        inFolder((dir) =>
          Effect.gen(function* () {
            const [file, copy] = [path.join(dir, "journal.db"), path.join(dir, "copy.db")];
            yield* written(driver, file);
            const scope = yield* Scope.make();
            const journal = yield* Scope.extend(SqliteJournal.make({ file, driver }), scope);
            if (from === "before") fs.copyFileSync(file, copy);
            yield* journal.open(engine({ now: noon }));
            yield* journal.commit(turn({ moved: [moved(1, 2)], history: [entry(2, 1, 2)] }));
            yield* journal.renew(noon + 1_000);
            if (from === "during") fs.copyFileSync(file, copy);
            if (from === "empty") fs.writeFileSync(copy, "");
            yield* journal.commit(turn({ moved: [moved(1, 3)], history: [entry(3, 1, 3)] }));
            yield* journal.renew(noon + 2_000);
            yield* journal.commit(turn({ moved: [moved(1, 4)], history: [entry(4, 1, 4)] }));
            fs.copyFileSync(copy, file);
            const replaced = { reason: "replaced", detail: expect.stringContaining("copied over it") };
            expect(yield* failure(journal.renew(noon + 3_000))).toMatchObject(replaced);
            expect(yield* failure(journal.reopen)).toMatchObject(replaced);
            expect(yield* failure(journal.release)).toMatchObject(replaced);
            yield* Scope.close(scope, Exit.void);
            // SQLite would have written the log of the one into the other.
            expect(fs.readFileSync(file).equals(fs.readFileSync(copy))).toBe(true);
            const entries = { before: 1, during: 2, empty: 0 };
            expect(fs.statSync(`${file}-wal-2`).size).toBeGreaterThan(0);
            expect(yield* opening(driver, file)).toMatchObject({ counters: { history: entries[from] } });
          }),
        ),
      );
    }

    it(
      "that another program repacked or moved the log into, in order, is no other file",
      inFolder((dir) =>
        Effect.gen(function* () {
          const file = path.join(dir, "journal.db");
          yield* written(driver, file);
          const journal = yield* SqliteJournal.make({ file, driver });
          yield* journal.open(engine({ now: noon }));
          for (const [turns, statement] of ["PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"].entries()) {
            const next = turns + 2;
            yield* journal.commit(turn({ moved: [moved(1, next)], history: [entry(next, 1, next)] }));
            yield* sql(driver, file, [statement]);
            yield* journal.renew(noon + 1_000 * next);
            expect(yield* journal.reopen).toMatchObject({ history: next });
          }
        }),
      ),
    );

    const root = process.getuid?.() === 0;
    it.skipIf(root)(
      `that may only be read is refused as readonly${root ? " (not shown for root, who may write anywhere)" : ""}`,
      inFolder((dir) =>
        Effect.gen(function* () {
          const file = path.join(dir, "journal.db");
          yield* written(driver, file);
          fs.chmodSync(file, 0o444);
          expect(yield* failure(opening(driver, file))).toMatchObject({ reason: "readonly" });
          fs.chmodSync(dir, 0o555);
          expect(yield* failure(opening(driver, path.join(dir, "new.db")))).toMatchObject({ reason: "readonly" });
          fs.chmodSync(dir, 0o755);
        }),
      ),
    );
  });
}
