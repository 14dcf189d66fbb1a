/*
 * Loaded with `node --import` before anything else: ends the process by SIGKILL at one exact place, and notes which
 * places were reached at all. Two kinds of places:
 *
 * - the engine's own failpoints (src/engine/failpoint.ts), through the hook that it looks for;
 * - the statements of the journal's transactions, through the prepared statements of whichever SQLite driver runs:
 *   `sql.begin` (before BEGIN), `sql.statement` (before each statement inside), `sql.commit` (before COMMIT),
 *   `sql.committed` (COMMIT is on disk, nobody knows yet), `sql.checkpoint` (before the log is moved into the database).
 *
 * TASKWRIGHT_KILL   place:occurrence, for example turn.committed:3
 * TASKWRIGHT_MARKS  file to which the name of each place is appended when it is first reached, `killed place:n` at a
 *                   kill, and `counted place:n` for each when the process ends by itself
 */
import { appendFileSync } from "node:fs";
import { createRequire } from "node:module";

const [place, occurrence] = (process.env.TASKWRIGHT_KILL ?? ":").split(":");
const marks = process.env.TASKWRIGHT_MARKS;
const counts = new Map();

const note = (line) => {
  if (marks !== undefined) appendFileSync(marks, `${line}\n`);
};

const reach = (name) => {
  const count = (counts.get(name) ?? 0) + 1;
  counts.set(name, count);
  if (count === 1) note(name);
  if (name !== place || count !== Number(occurrence)) return;
  note(`killed ${name}:${count}`);
  // To the process itself, so nothing more of it runs.
  process.kill(process.pid, "SIGKILL");
};

process.on("exit", () => {
  for (const [name, count] of counts) note(`counted ${name}:${count}`);
});

globalThis[Symbol.for("taskwright.failpoint")] = reach;

let inTransaction = false;
const before = (sql) => {
  if (sql === "BEGIN IMMEDIATE") reach("sql.begin");
  else if (sql === "COMMIT") reach("sql.commit");
  else if (sql.startsWith("PRAGMA wal_checkpoint")) reach("sql.checkpoint");
  else if (inTransaction) reach("sql.statement");
};
const after = (sql) => {
  if (sql === "BEGIN IMMEDIATE") inTransaction = true;
  else if (sql === "ROLLBACK") inTransaction = false;
  else if (sql === "COMMIT") {
    inTransaction = false;
    reach("sql.committed");
  }
};

/** Puts the places around `run` and `all` of a driver's prepared statements. */
const watch = (prototype, textOf) => {
  for (const name of ["run", "all"]) {
    const call = prototype[name];
    prototype[name] = function (...params) {
      const sql = textOf(this);
      before(sql);
      const result = Reflect.apply(call, this, params);
      after(sql);
      return result;
    };
  }
};

// The drivers that src/journal/driver.ts may choose; beyond Node 22 better-sqlite3 is not sound.
if (Number.parseInt(process.versions.node, 10) <= 22) {
  try {
    const Database = createRequire(import.meta.url)("better-sqlite3");
    watch(Object.getPrototypeOf(new Database(":memory:").prepare("SELECT 1")), (statement) => statement.source);
  } catch {
    // It was built for another Node version.
  }
}
const { emitWarning } = process;
process.emitWarning = () => {};
const builtIn = process.getBuiltinModule?.("node:sqlite");
process.emitWarning = emitWarning;
if (builtIn !== undefined) watch(builtIn.StatementSync.prototype, (statement) => statement.sourceSQL);
