import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as fs from "node:fs";
import * as path from "node:path";
import type * as Scope from "effect/Scope";
import { describe, expect, it } from "vitest";
import * as Driver from "../../src/journal/driver.ts";
import { type Journal, SqliteJournal } from "../../src/journal/index.ts";
import { actor, engine, entry, everything, failure, moved, nothing, range, turn } from "../../src/testing/journal-conformance/rows.ts";
import { folder, sql, usable, type Watched, watch } from "./files.ts";

interface Given {
  readonly journal: Journal;
  readonly watched: Watched;
  readonly file: string;
}

for (const name of usable) {
  /** An open journal with one actor, over a driver that is watched. */
  const onWatched = (body: (given: Given) => Effect.Effect<unknown, unknown, Scope.Scope>) => () =>
    Effect.runPromise(
      Effect.asVoid(
        Effect.scoped(
          Effect.gen(function* () {
            const file = path.join(yield* folder, "journal.db");
            const watched = yield* watch(name);
            const journal = yield* SqliteJournal.make({ file, driver: watched.driver });
            yield* journal.open(engine());
            yield* journal.commit(turn({ created: [actor(1)], history: [entry(1, 1, 1)] }));
            watched.texts.length = 0;
            yield* body({ journal, watched, file });
          }),
        ),
      ),
    );
  const pragma = (watched: Watched, what: string) => Effect.map(watched.connection!.execute(`PRAGMA ${what}`, [], undefined), ([row]) => Object.values(row)[0]);
  const second = turn({ moved: [moved(1, 2)], history: [entry(2, 1, 2)] });

  describe(`journal (${name}) > settings`, () => {
    it(
      "are durable at every open: WAL, and fsync also after the file is opened again",
      onWatched(({ journal, watched }) =>
        Effect.gen(function* () {
          const expectDurable = Effect.gen(function* () {
            expect(yield* pragma(watched, "journal_mode")).toBe("wal");
            expect(yield* pragma(watched, "synchronous")).toBe(2);
            expect(yield* pragma(watched, "busy_timeout")).toBe(50);
            expect(yield* pragma(watched, "foreign_keys")).toBe(0);
            expect(yield* pragma(watched, "wal_autocheckpoint")).toBe(8_000);
          });
          yield* expectDurable;
          yield* journal.reopen;
          yield* expectDurable;
          yield* journal.open(engine());
          yield* expectDurable;
        }),
      ),
    );
  });

  describe(`journal (${name}) > hot path`, () => {
    it(
      "needs five statements for a turn of one event",
      onWatched(({ journal, watched }) =>
        Effect.gen(function* () {
          yield* journal.commit(second);
          expect(watched.texts.map((text) => text.split(" ").slice(0, 3).join(" "))).toEqual(["BEGIN IMMEDIATE", "SELECT epoch FROM", "INSERT INTO history", "REPLACE INTO states", "COMMIT"]);
        }),
      ),
    );

    it(
      "needs three statements for a turn without rows, and one for each 25 rows of a large one",
      onWatched(({ journal, watched }) =>
        Effect.gen(function* () {
          yield* journal.commit(nothing);
          expect(watched.texts).toHaveLength(3);
          watched.texts.length = 0;
          yield* journal.commit(turn({ history: range(1_000, 2).map((id) => entry(id, 1, id)) }));
          expect(watched.texts).toHaveLength(3 + 40);
          expect(new Set(watched.texts).size).toBe(4);
        }),
      ),
    );

    it(
      "leaves moving the log into the database to the renewal of the lease",
      onWatched(({ journal, watched, file }) =>
        Effect.gen(function* () {
          yield* journal.commit(turn({ history: range(2_000, 2).map((id) => entry(id, 1, id)) }));
          const before = fs.statSync(file).size;
          expect(fs.statSync(`${file}-wal`).size).toBeGreaterThan(before);
          yield* journal.renew(engine().now);
          expect(fs.statSync(file).size).toBeGreaterThan(before + 100_000);
          watched.texts.length = 0;
          yield* journal.renew(engine().now);
          expect(watched.texts.filter((text) => text.includes("checkpoint"))).toEqual([]);
        }),
      ),
    );
  });

  describe(`journal (${name}) > faults`, () => {
    it(
      "of a full disk are typed, store nothing, and are over when there is space again",
      onWatched(({ journal, watched }) =>
        Effect.gen(function* () {
          const before = yield* everything(journal);
          const pages = yield* pragma(watched, "page_count");
          yield* pragma(watched, `max_page_count = ${pages}`);
          const large = turn({ moved: [moved(1, 2)], history: range(500, 2).map((id) => entry(id, 1, id, { event: "x".repeat(500) })) });
          for (let i = 0; i < 3; i++) expect(yield* failure(journal.commit(large))).toMatchObject({ _tag: "JournalError", reason: "full", code: "journal_full", status: 507, retryable: true });
          expect(yield* everything(journal)).toEqual(before);
          yield* pragma(watched, "max_page_count = 1000000");
          yield* journal.commit(large);
          expect((yield* journal.reopen).history).toBe(501);
          expect((yield* journal.actors(["task/1"]))[0]?.seq).toBe(2);
        }),
      ),
    );

    it(
      "of a COMMIT are typed and end the transaction: nothing of it is kept by the next one",
      onWatched(({ journal, watched }) =>
        Effect.gen(function* () {
          const cause = Object.assign(new Error("disk I/O error"), { code: "SQLITE_IOERR_FSYNC" });
          watched.fail = (text) => (text === "COMMIT" ? cause : undefined);
          expect(yield* failure(journal.commit(second))).toMatchObject({ reason: "failed", detail: "disk I/O error" });
          expect(watched.texts.slice(-2)).toEqual(["COMMIT", "ROLLBACK"]);
          watched.fail = undefined;
          yield* journal.commit(turn({ mail: [{ id: 1, envelope: "{}" }] }));
          expect(yield* journal.reopen).toEqual({ actor: 1, history: 1, mail: 1, effect: 0 });
          yield* journal.commit(second);
        }),
      ),
    );

    it(
      "in the middle of a turn undo its first statements, also where SQLite ends the transaction by itself",
      onWatched(({ journal, file }) =>
        Effect.gen(function* () {
          for (const kind of ["ABORT", "FAIL", "ROLLBACK"]) {
            yield* sql(name, file, [`CREATE TRIGGER boom BEFORE INSERT ON dead_letters BEGIN SELECT RAISE(${kind}, 'boom ${kind}'); END`]);
            const before = yield* everything(journal);
            const broken = { ...second, deadLetters: [{ address: "task/1", at: 1, envelope: "{}", error: "{}" }] };
            expect(yield* failure(journal.commit(broken))).toMatchObject({ reason: "failed", detail: expect.stringContaining(`boom ${kind}`) });
            expect(yield* everything(journal)).toEqual(before);
            yield* sql(name, file, ["DROP TRIGGER boom"]);
          }
          yield* journal.commit(second);
          expect((yield* journal.history("task/1", 0, 10)).map((row) => row.seq)).toEqual([1, 2]);
        }),
      ),
    );

    it(
      "do not come of an interruption: a turn that has begun is written to its end",
      onWatched(({ journal, watched }) =>
        Effect.gen(function* () {
          let seq = 2;
          for (const moment of ["BEGIN", "SELECT epoch", "INSERT", "REPLACE", "COMMIT"]) {
            const reached = yield* Deferred.make<void>();
            watched.after = (text) => (text.startsWith(moment) ? Effect.zipRight(Deferred.succeed(reached, undefined), Effect.yieldNow()) : Effect.void);
            const fiber = yield* Effect.fork(journal.commit(turn({ moved: [moved(1, seq)], history: [entry(seq, 1, seq)] })));
            yield* Deferred.await(reached);
            yield* Fiber.interrupt(fiber);
            watched.after = undefined;
            expect((yield* journal.actors(["task/1"]))[0]?.seq).toBe(seq);
            yield* journal.commit(turn({ history: [entry(seq + 1, 1, seq + 1)] }));
            seq += 2;
          }
        }),
      ),
    );

    it(
      "of a preparation that met a lock are not remembered: the statement is tried anew",
      onWatched(({ journal, watched }) =>
        Effect.gen(function* () {
          for (const [text, ask] of [
            ["SELECT id, envelope FROM mail", journal.mail(0, 10)],
            ["SELECT entries.seq", journal.entries({ outbox: "outbox/1", limit: 10 })],
          ] as const) {
            let left = 3;
            watched.failPreparation = (sql) => (sql.startsWith(text) && left-- > 0 ? Object.assign(new Error("database is locked"), { code: "SQLITE_BUSY" }) : undefined);
            expect(yield* ask).toEqual([]);
            expect(left).toBe(-1);
          }
          watched.texts.length = 0;
          expect(yield* journal.mail(0, 10)).toEqual([]);
          expect(watched.texts).toHaveLength(1);
        }),
      ),
    );

    it(
      "of a file that can't be written are readonly",
      onWatched(({ journal, file }) =>
        Effect.gen(function* () {
          yield* journal.release;
          // A driver that opens read-only stands for a disk mounted so; root may write to any file.
          const inner = yield* Driver.choose(name, "test");
          const stuck: Driver.Driver = { name, client: (options) => inner.client({ ...options, readonly: true }) };
          const other = yield* SqliteJournal.make({ file, driver: stuck });
          expect(yield* failure(other.open(engine({ id: "engine-2" })))).toMatchObject({ _tag: "JournalError", reason: "readonly", retryable: false });
        }),
      ),
    );

    it(
      "of a reopen leave the claim: the next reopen works",
      onWatched(({ journal, watched }) =>
        Effect.gen(function* () {
          watched.fail = (text) => (text.includes("busy_timeout") ? Object.assign(new Error("disk I/O error"), { code: "SQLITE_IOERR" }) : undefined);
          expect(yield* failure(journal.reopen)).toMatchObject({ reason: "failed" });
          expect(yield* failure(journal.commit(second))).toMatchObject({ reason: "failed" });
          watched.fail = undefined;
          expect((yield* journal.reopen).history).toBe(1);
          yield* journal.commit(second);
        }),
      ),
    );
  });
}
