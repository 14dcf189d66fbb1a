import * as Effect from "effect/Effect";
import type { Connection } from "./connection.ts";
import { JournalError } from "./errors.ts";

/** Written into the header of every journal file ("TWJ1"), so that a database of somebody else is never touched. */
export const applicationId = 0x54574a31;

/**
 * The layout as the list of steps that lead to it; `PRAGMA user_version` counts those that a file has seen.
 * A step that was released is never changed: a new one is added.
 *
 * Why it looks like this (measured): a turn's cost is the number of pages that it touches. So keys are integers,
 * history only grows at its end, what changes with every event (`states`) stands apart from what is indexed
 * (`actors`), and indexes carry no more than somebody asks for.
 */
const first: ReadonlyArray<string> = [
  `PRAGMA application_id = ${applicationId}`,
  `CREATE TABLE actors (
    id INTEGER PRIMARY KEY,
    address TEXT NOT NULL UNIQUE,
    parent INTEGER NOT NULL,
    machine TEXT NOT NULL,
    hash TEXT NOT NULL,
    status TEXT NOT NULL,
    token INTEGER NOT NULL,
    created_at INTEGER NOT NULL
  )`,
  "CREATE INDEX actors_machine_status ON actors (machine, status)",
  // Partial: an actor that a host started has no parent and pays nothing.
  "CREATE INDEX actors_parent ON actors (parent) WHERE parent > 0",
  "CREATE TABLE states (actor INTEGER PRIMARY KEY, seq INTEGER NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL)",
  `CREATE TABLE history (
    id INTEGER PRIMARY KEY,
    actor INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    type TEXT NOT NULL,
    event TEXT NOT NULL,
    outcome TEXT NOT NULL,
    source TEXT NOT NULL,
    state_hash TEXT NOT NULL,
    UNIQUE (actor, seq)
  )`,
  // With a row id: a table WITHOUT ROWID carries the texts a second time in its index on `at` (a third slower in bulk).
  "CREATE TABLE keys (id INTEGER PRIMARY KEY, address TEXT NOT NULL, key TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, outcome TEXT NOT NULL, UNIQUE (address, key))",
  "CREATE INDEX keys_at ON keys (at)",
  "CREATE TABLE wakes (actor INTEGER PRIMARY KEY, due INTEGER NOT NULL)",
  "CREATE INDEX wakes_due ON wakes (due)",
  "CREATE TABLE mail (id INTEGER PRIMARY KEY, envelope TEXT NOT NULL)",
  "CREATE TABLE effects (id INTEGER PRIMARY KEY, actor INTEGER NOT NULL, seq INTEGER NOT NULL, action TEXT NOT NULL, params TEXT NOT NULL)",
  "CREATE TABLE dead_letters (id INTEGER PRIMARY KEY, address TEXT NOT NULL, at INTEGER NOT NULL, envelope TEXT NOT NULL, error TEXT NOT NULL)",
  "CREATE TABLE machines (hash TEXT PRIMARY KEY, id TEXT NOT NULL, version TEXT NOT NULL, chart TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID",
  `CREATE TABLE owner (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    host TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL
  )`,
];

/** Whom a system id means within a tree of actors: written only where one is given. */
const systemIds: ReadonlyArray<string> = ["CREATE TABLE names (tree TEXT NOT NULL, system_id TEXT NOT NULL, address TEXT NOT NULL, PRIMARY KEY (tree, system_id)) WITHOUT ROWID"];

/**
 * Dead letters can be taken away, so their ids must be remembered: nobody may drop another letter than the one that was
 * looked at. And what a process ended on is counted.
 */
const takenLetters: ReadonlyArray<string> = [
  "ALTER TABLE dead_letters RENAME TO dead_letters_1",
  "CREATE TABLE dead_letters (id INTEGER PRIMARY KEY AUTOINCREMENT, address TEXT NOT NULL, at INTEGER NOT NULL, envelope TEXT NOT NULL, error TEXT NOT NULL)",
  "INSERT INTO dead_letters (id, address, at, envelope, error) SELECT id, address, at, envelope, error FROM dead_letters_1 ORDER BY id",
  "DROP TABLE dead_letters_1",
  "CREATE TABLE attempts (kind TEXT NOT NULL, item INTEGER NOT NULL, token INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (kind, item, token)) WITHOUT ROWID",
];

/** Which build wrote what: a row where the build changed, so that no row of a turn has to name it. */
const builds: ReadonlyArray<string> = [
  "CREATE TABLE builds (epoch INTEGER PRIMARY KEY, build TEXT NOT NULL, at INTEGER NOT NULL, history INTEGER NOT NULL)",
  // What was written before builds were recorded has none.
  "INSERT INTO builds (epoch, build, at, history) VALUES (0, '', 0, 0)",
];

/** What retention needs: states from which cut histories go on, and the highest ids of what was removed. */
const retention: ReadonlyArray<string> = [
  // At most two per actor: the one at which its history was cut, and one at which it will be.
  `CREATE TABLE checkpoints (
    actor INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    made_at INTEGER NOT NULL,
    hash TEXT NOT NULL,
    state TEXT NOT NULL,
    start TEXT NOT NULL,
    cut INTEGER NOT NULL,
    PRIMARY KEY (actor, seq)
  )`,
  "CREATE TABLE marks (name TEXT PRIMARY KEY, id INTEGER NOT NULL) WITHOUT ROWID",
  "INSERT INTO marks (name, id) VALUES ('actor', 0), ('history', 0)",
  "CREATE INDEX dead_letters_address ON dead_letters (address)",
];

/**
 * What outboxes hold. Clustered by outbox and number, because a drain reads them in this order; the second index is
 * what makes a key unique.
 */
const outboxEntries: ReadonlyArray<string> = [
  `CREATE TABLE entries (
    outbox TEXT NOT NULL,
    seq INTEGER NOT NULL,
    key TEXT NOT NULL,
    lane TEXT NOT NULL,
    replaces TEXT NOT NULL,
    type TEXT NOT NULL,
    payload TEXT NOT NULL,
    occurred_at INTEGER NOT NULL,
    due INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    status TEXT NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (outbox, seq)
  ) WITHOUT ROWID`,
  "CREATE UNIQUE INDEX entries_key ON entries (outbox, key)",
  // Partial: an entry that no other takes the place of pays nothing.
  "CREATE INDEX entries_replaces ON entries (outbox, replaces) WHERE replaces <> ''",
];

/** What hosts store in transactions of their own. The ids must not come again: one that was taken is known by its id. */
const postedEntries: ReadonlyArray<string> = ["CREATE TABLE posted_entries (id INTEGER PRIMARY KEY AUTOINCREMENT, outbox TEXT NOT NULL, entries TEXT NOT NULL)"];

/** From lane to lane without what waits in them, and counts without the entries themselves. The numbers are in it: the table is clustered by them. */
const entryLanes: ReadonlyArray<string> = ["CREATE INDEX entries_lane ON entries (outbox, status, lane)"];

/** What a key was given with, to tell another request with it from a repetition. A key that was there before has no word on it. */
const keyRequests: ReadonlyArray<string> = ["ALTER TABLE keys ADD COLUMN request TEXT NOT NULL DEFAULT ''"];

/** Exported for the tests of what an older file becomes. */
export const migrations: ReadonlyArray<ReadonlyArray<string>> = [first, systemIds, takenLetters, builds, retention, outboxEntries, postedEntries, entryLanes, keyRequests];

/** The layout that this version of Taskwright writes. */
export const version = migrations.length;

/** What a file holds: the number of migrations that it has seen, 0 for a database in which nothing is yet. */
export const inspect = (connection: Connection, where: string): Effect.Effect<number, JournalError> =>
  Effect.gen(function* () {
    const [header] = yield* connection.read<{ application: number; version: number; objects: number }>(
      "SELECT (SELECT application_id FROM pragma_application_id) AS application, (SELECT user_version FROM pragma_user_version) AS version, (SELECT count(*) FROM sqlite_schema) AS objects",
    );
    const { application, version: found, objects } = header!;
    const untouched = application === 0 && found === 0 && objects === 0;
    if (!untouched && application !== applicationId) {
      return yield* new JournalError({ reason: "foreign", where, detail: `this is a database of another program (application_id ${application}, ${objects} tables and indexes)` });
    }
    if (found > version) return yield* new JournalError({ reason: "newer", where, detail: `its layout has version ${found}, this program knows up to ${version}` });
    return found;
  });

/** Brings the file to our layout; each step is all or nothing, and several processes may try at once. */
export const migrate = (connection: Connection, where: string): Effect.Effect<void, JournalError> =>
  Effect.gen(function* () {
    while ((yield* inspect(connection, where)) < version) yield* step(connection);
  });

const step = (connection: Connection) =>
  connection.transaction(
    Effect.gen(function* () {
      // Read again under the lock: another process may have taken this step in the meantime.
      const [row] = yield* connection.rows<{ user_version: number }>("PRAGMA user_version");
      const next = row!.user_version;
      for (const statement of migrations[next] ?? []) yield* connection.run(statement);
      if (next < version) yield* connection.run(`PRAGMA user_version = ${next + 1}`);
    }),
  );
