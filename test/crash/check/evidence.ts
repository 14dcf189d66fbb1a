import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openDatabase } from "./database.ts";

/** What a crash left behind: the journal's rows as plain SQL gives them, and what was said and done outside of it. */
export interface Evidence {
  readonly actors: ReadonlyArray<ActorRow>;
  readonly states: ReadonlyArray<StateRow>;
  /** In the order of the ids: the order in which everything happened. */
  readonly history: ReadonlyArray<HistoryRow>;
  readonly wakes: ReadonlyArray<{ readonly actor: number; readonly due: number }>;
  readonly mail: ReadonlyArray<{ readonly id: number; readonly envelope: string }>;
  readonly effects: ReadonlyArray<EffectRow>;
  readonly deadLetters: ReadonlyArray<{ readonly address: string; readonly envelope: string; readonly error: string }>;
  readonly machines: ReadonlyArray<{ readonly hash: string; readonly id: string }>;
  readonly owner: { readonly epoch: number; readonly pid: number; readonly until: number } | undefined;
  readonly integrity: string;
  /** What was acknowledged, in the order in which it was printed. */
  readonly acks: ReadonlyArray<Ack>;
  /** What commands and custom actions did, in the order in which they did it. */
  readonly ledger: ReadonlyArray<LedgerLine>;
}

export interface ActorRow {
  readonly id: number;
  readonly address: string;
  readonly parent: number;
  readonly machine: string;
  readonly hash: string;
  readonly status: string;
  readonly token: number;
  readonly created_at: number;
}
export interface StateRow {
  readonly actor: number;
  readonly seq: number;
  readonly at: number;
  readonly state: string;
}
export interface HistoryRow {
  readonly id: number;
  readonly actor: number;
  readonly seq: number;
  readonly at: number;
  readonly type: string;
  readonly event: string;
  readonly outcome: string;
  readonly source: string;
  readonly state_hash: string;
}
export interface EffectRow {
  readonly id: number;
  readonly actor: number;
  readonly seq: number;
  readonly action: string;
}

/** One line that a program printed after it was told that something is stored. */
export type Ack = Readonly<Record<string, unknown>>;

/** `what subject number pid milliseconds`, for example `begin ok-7 1 4711 1795217765018`. */
export interface LedgerLine {
  readonly what: string;
  readonly subject: string;
  readonly number: number;
  readonly pid: number;
  /** Not a number where `date` knows no milliseconds. */
  readonly at: number;
}

/** A crash between the first write to a new file and the layout leaves no table; then everything is empty. */
export const readEvidence = (folder: string): Evidence => {
  const database = openDatabase(join(folder, "work.db"));
  try {
    const isMade = database.all("SELECT 1 FROM sqlite_schema WHERE name = 'owner'").length > 0;
    const all = <Row>(sql: string) => (isMade ? database.all<Row>(sql) : []);
    return {
      integrity: database
        .all<{ integrity_check: string }>("PRAGMA integrity_check")
        .map((row) => row.integrity_check)
        .join("; "),
      actors: all("SELECT * FROM actors ORDER BY id"),
      states: all("SELECT * FROM states ORDER BY actor"),
      history: all("SELECT * FROM history ORDER BY id"),
      wakes: all("SELECT * FROM wakes"),
      mail: all("SELECT * FROM mail ORDER BY id"),
      effects: all("SELECT id, actor, seq, action FROM effects ORDER BY id"),
      deadLetters: all("SELECT * FROM dead_letters ORDER BY id"),
      machines: all("SELECT hash, id FROM machines"),
      owner: all<NonNullable<Evidence["owner"]>>("SELECT epoch, pid, until FROM owner")[0],
      acks: readAcks(join(folder, "acks.log")),
      ledger: readLedger(join(folder, "ledger.log")),
    };
  } finally {
    database.close();
  }
};

const linesOf = (file: string): ReadonlyArray<string> =>
  existsSync(file)
    ? readFileSync(file, "utf8")
        .split("\n")
        .filter((line) => line !== "")
    : [];

/** A kill may cut the last line that a run printed; a cut line acknowledges nothing. */
export const readAcks = (file: string): ReadonlyArray<Ack> =>
  linesOf(file).flatMap((line) => {
    try {
      return [JSON.parse(line) as Ack];
    } catch {
      return [];
    }
  });

const readLedger = (file: string): ReadonlyArray<LedgerLine> =>
  linesOf(file).map((line) => {
    const [what = "", subject = "", number, pid, at] = line.split(" ");
    return { what, subject, number: Number(number), pid: Number(pid), at: Number(at) };
  });
