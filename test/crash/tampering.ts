import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openDatabase } from "./check/database.ts";
import type { Question } from "./check/judgement.ts";

/** One thing that is wrong with a journal or with what happened around it, and the rule that must notice. */
export interface Tampering {
  readonly rule: string;
  readonly work: Question["work"];
  /** Of what was left in the middle of the work, or at the end. */
  readonly moment: "crash" | "end";
  readonly tamper: (folder: string) => void;
  readonly earlier?: NonNullable<Question["earlier"]>;
}

/** Each text must change something, or the tampering is not what it says: a row that it matches may have the new values already. */
const sql =
  (...texts: ReadonlyArray<string>) =>
  (folder: string) => {
    const database = openDatabase(join(folder, "work.db"));
    const tables = database.all<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'").map(({ name }) => name);
    const everything = () =>
      JSON.stringify(
        tables.map((table) => database.all(`SELECT * FROM ${table}`)),
        (_, value) => (typeof value === "bigint" ? String(value) : value),
      );
    for (const text of texts) {
      const before = everything();
      database.all(`${text} RETURNING 1`);
      if (everything() === before) throw new Error(`this changes nothing: ${text}`);
    }
    database.close();
  };

const edit =
  (file: string, change: (text: string) => string) =>
  (folder: string): void => {
    const before = readFileSync(join(folder, file), "utf8");
    const after = change(before);
    if (after === before) throw new Error(`this changes nothing in ${file}`);
    writeFileSync(join(folder, file), after);
  };

const addLine = (file: string, line: string) => (folder: string) => appendFileSync(join(folder, file), `${line}\n`);
const later = () => Date.now() + 60_000;

const oneOf = (machine: string, more = "") => `(SELECT id FROM actors WHERE machine = '${machine}' ${more} ORDER BY id LIMIT 1)`;
const okTask = oneOf("task", "AND address LIKE 'task/ok-%' AND status = 'done'");
/** How an attempt ended well. A crash may have taken the first attempt of any task. */
const okEnd = `(SELECT history.id FROM history JOIN actors ON actors.id = actor WHERE machine = 'assignment' AND address LIKE 'task/ok-%' AND type = 'ENDED' AND event LIKE '%"outcome":"ok"%' ORDER BY history.id LIMIT 1)`;
/** An attempt that failed, after which there was another one. */
const firstAttempt = "(SELECT actor FROM history JOIN actors ON actors.id = actor WHERE address LIKE 'task/flaky-%/assignment~%' AND type = 'ENDED' LIMIT 1)";

export const tamperings: ReadonlyArray<Tampering> = [
  { rule: "the stored state is the fold of its history", work: "tasks", moment: "end", tamper: sql(`UPDATE states SET state = replace(state, '"losses":', '"losses":7') WHERE actor = ${okTask}`) },
  { rule: "the stored state is the fold of its history", work: "tasks", moment: "end", tamper: sql(`UPDATE history SET state_hash = 'AAAAAAAAAAAAAAAAAAAAAA' WHERE actor = ${okTask} AND seq = 2`) },
  { rule: "the stored state is the fold of its history", work: "bank", moment: "end", tamper: sql(`UPDATE history SET outcome = 'ignored' WHERE actor = ${oneOf("account")} AND seq = 2`) },
  {
    rule: "the file is sound",
    work: "bank",
    moment: "end",
    tamper: (folder) => {
      const file = readFileSync(join(folder, "work.db"));
      file.fill(0x5a, 4_096 * 3, 4_096 * 3 + 600);
      writeFileSync(join(folder, "work.db"), file);
    },
  },
  { rule: "no actor without state and history, no row without its actor", work: "tasks", moment: "end", tamper: sql(`DELETE FROM history WHERE actor = ${okTask}`) },
  { rule: "no actor without state and history, no row without its actor", work: "tasks", moment: "end", tamper: sql(`DELETE FROM states WHERE actor = ${okTask}`) },
  { rule: "no actor without state and history, no row without its actor", work: "tasks", moment: "end", tamper: sql(`DELETE FROM actors WHERE id = ${okTask}`) },
  { rule: "sequences run from 1 without gaps, and time never goes back", work: "tasks", moment: "end", tamper: sql(`DELETE FROM history WHERE actor = ${okTask} AND seq = 2`) },
  { rule: "sequences run from 1 without gaps, and time never goes back", work: "bank", moment: "end", tamper: sql("UPDATE history SET at = at - 10000 WHERE id = 40") },
  { rule: "a wake is never later than the earliest timer", work: "tasks", moment: "crash", tamper: sql("UPDATE wakes SET due = due + 100000000000") },
  { rule: "parents and children know each other", work: "tasks", moment: "crash", tamper: sql("UPDATE actors SET status = 'done' WHERE machine = 'assignment' AND status = 'active'") },
  { rule: "parents and children know each other", work: "tasks", moment: "end", tamper: sql("UPDATE actors SET status = 'active' WHERE machine = 'assignment'") },
  { rule: "what is owed was asked for", work: "bank", moment: "crash", tamper: sql(`INSERT INTO effects VALUES (99999, ${oneOf("account")}, 5000, 'record', '')`) },
  { rule: "at the end nothing is owed and the claim is given up", work: "bank", moment: "end", tamper: sql(`INSERT INTO mail VALUES (99999, '{"to":"account/a1","event":{"type":"NEWS","id":"x"}}')`) },
  { rule: "at the end nothing is owed and the claim is given up", work: "bank", moment: "end", tamper: sql("UPDATE owner SET until = 1") },
  { rule: "history only grows, and so does the epoch", work: "bank", moment: "end", tamper: () => {}, earlier: { epoch: 99, entries: 0, digest: "" } },
  { rule: "history only grows, and so does the epoch", work: "bank", moment: "end", tamper: () => {}, earlier: { epoch: 1, entries: 10, digest: "of another history" } },
  { rule: "what was acknowledged is there", work: "tasks", moment: "end", tamper: addLine("acks.log", '{"event":"done","id":"ok-1","at":1,"attempts":1}') },
  { rule: "what was acknowledged is there", work: "tasks", moment: "end", tamper: sql(`DELETE FROM history WHERE actor = ${okTask} AND seq > 2`) },
  { rule: "what was acknowledged is there", work: "bank", moment: "end", tamper: sql("DELETE FROM history WHERE type = 'ADD' AND id % 7 = 0") },
  { rule: "tasks are neither lost nor doubled, and end as their file says", work: "tasks", moment: "end", tamper: edit("endings.json", (text) => text.replace('["ok-1","done"]', '["ok-1","dead"]')) },
  { rule: "tasks are neither lost nor doubled, and end as their file says", work: "tasks", moment: "end", tamper: edit("endings.json", (text) => text.replace("[[", '[["ghost","done"],[')) },
  { rule: "tasks are neither lost nor doubled, and end as their file says", work: "tasks", moment: "end", tamper: edit("endings.json", (text) => text.replace('["ok-1","done"],', "")) },
  {
    rule: "a done task has exactly one successful result",
    work: "tasks",
    moment: "end",
    tamper: sql(`UPDATE history SET event = replace(event, '"outcome":"ok"', '"outcome":"error"') WHERE id = ${okEnd}`),
  },
  {
    rule: "attempts stay within their budget and are all counted",
    work: "tasks",
    moment: "end",
    tamper: sql(`DELETE FROM actors WHERE id = ${oneOf("assignment")}`),
  },
  {
    rule: "at most one accepted assignment per task, at any point of the journal",
    work: "tasks",
    moment: "end",
    tamper: sql(`UPDATE history SET event = '{"type":"NOTHING"}' WHERE actor = ${firstAttempt} AND type = 'ENDED'`),
  },
  { rule: "a task, its assignment and its worker move together", work: "tasks", moment: "crash", tamper: sql("DELETE FROM history WHERE type = 'TAKE'") },
  {
    rule: "a task starts after those that it needs, and waits for none that has ended",
    work: "tasks",
    moment: "end",
    tamper: sql(`UPDATE history SET event = replace(event, '"needs":[]', '"needs":["fail-1"]') WHERE actor = ${okTask} AND seq = 1`),
  },
  { rule: "nothing is executed again after its result was stored", work: "tasks", moment: "end", tamper: (folder) => addLine("ledger.log", `begin ok-1 1 4711 ${later()}`)(folder) },
  { rule: "nothing is executed again after its result was stored", work: "tasks", moment: "end", tamper: addLine("ledger.log", "begin ok-1 2 4711 N") },
  { rule: "an attempt is executed at most once, and only after it was stored", work: "tasks", moment: "end", tamper: addLine("ledger.log", "begin ok-1 1 4711 1") },
  { rule: "an attempt is executed at most once, and only after it was stored", work: "tasks", moment: "crash", tamper: addLine("ledger.log", "begin flaky-1 9 4711 1") },
  { rule: "no attempt works beside a later one", work: "tasks", moment: "end", tamper: addLine("ledger.log", "tick flaky-1 1 4711 1") },
  { rule: "a successful result comes from an execution that came to its end", work: "tasks", moment: "end", tamper: edit("ledger.log", (text) => text.replace(/^end ok-.*\n/m, "")) },
  {
    rule: "an event with a key takes effect once",
    work: "bank",
    moment: "end",
    tamper: sql(`UPDATE history SET event = (SELECT event FROM history WHERE actor = ${oneOf("account")} AND type = 'ADD' LIMIT 1) WHERE actor = ${oneOf("account")} AND type = 'ADD' AND seq > 4`),
  },
  { rule: "a message to many reaches each of them, once it was stored", work: "bank", moment: "end", tamper: sql(`DELETE FROM history WHERE actor = ${oneOf("account")} AND type = 'NEWS'`) },
  { rule: "what failed is among the dead letters, once", work: "bank", moment: "end", tamper: sql("DELETE FROM dead_letters WHERE id = 1") },
  {
    rule: "a custom action is owed until it was carried out, and carried out once per process",
    work: "bank",
    moment: "end",
    tamper: edit("ledger.log", (text) => text.replace(/^record account.*\n/m, "")),
  },
  {
    rule: "a custom action is owed until it was carried out, and carried out once per process",
    work: "bank",
    moment: "end",
    tamper: edit("ledger.log", (text) => text.replace(/^(record account.*\n)/m, "$1$1")),
  },
  { rule: "a custom action is owed until it was carried out, and carried out once per process", work: "bank", moment: "end", tamper: addLine("ledger.log", "record account/a1 5000 4711 1") },
  {
    rule: "an activity's attempt runs at most once, after it was stored, and never after its success",
    work: "bank",
    moment: "end",
    tamper: edit("ledger.log", (text) => text.replace(/^(begin parcel.*\n)/m, "$1$1")),
  },
  { rule: "an activity's attempt runs at most once, after it was stored, and never after its success", work: "bank", moment: "end", tamper: addLine("ledger.log", "begin parcel/p1/carry 9 4711 1") },
  {
    rule: "an activity's attempt runs at most once, after it was stored, and never after its success",
    work: "bank",
    moment: "end",
    tamper: edit("ledger.log", (text) => text.replace(/^end parcel.*\n/m, "")),
  },
];
