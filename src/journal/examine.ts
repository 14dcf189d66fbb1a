import * as Effect from "effect/Effect";
import * as Connection from "./connection.ts";
import * as Driver from "./driver.ts";
import { JournalError } from "./errors.ts";
import * as File from "./file.ts";
import * as Schema from "./schema.ts";

export interface Examination {
  /** What contradicts itself, in words; empty: nothing was found. */
  readonly problems: ReadonlyArray<string>;
  readonly actors: number;
  readonly entries: number;
}

/** What must hold of the rows of any journal, as queries that find what breaks it: a text per row. */
const rules: ReadonlyArray<readonly [rule: string, query: string]> = [
  ["every actor has a state", "SELECT a.address AS what FROM actors a LEFT JOIN states s ON s.actor = a.id WHERE s.actor IS NULL"],
  ["every state is that of an actor", "SELECT 'actor ' || s.actor AS what FROM states s LEFT JOIN actors a ON a.id = s.actor WHERE a.id IS NULL"],
  ["every history entry is that of an actor", "SELECT 'entry ' || h.id AS what FROM history h LEFT JOIN actors a ON a.id = h.actor WHERE a.id IS NULL"],
  ["every deadline is that of an actor", "SELECT 'actor ' || w.actor AS what FROM wakes w LEFT JOIN actors a ON a.id = w.actor WHERE a.id IS NULL"],
  ["every owed action is that of an actor, for an entry that it has", "SELECT 'action ' || e.id AS what FROM effects e LEFT JOIN states s ON s.actor = e.actor WHERE s.actor IS NULL OR s.seq < e.seq"],
  ["every child has its parent", "SELECT a.address AS what FROM actors a LEFT JOIN actors p ON p.id = a.parent WHERE a.parent > 0 AND p.id IS NULL"],
  ["the chart of every actor's machine is stored", "SELECT a.address AS what FROM actors a LEFT JOIN machines m ON m.hash = a.hash WHERE m.hash IS NULL"],
  [
    "a history has no gaps, and ends where the state is",
    `SELECT a.address || ': ' || count(h.id) || ' entries up to ' || max(h.seq) || ', its state is at ' || s.seq AS what
     FROM actors a JOIN states s ON s.actor = a.id JOIN history h ON h.actor = a.id
     GROUP BY a.id HAVING max(h.seq) <> s.seq OR count(h.id) <> max(h.seq) - min(h.seq) + 1`,
  ],
  [
    "a history begins with the start of its actor, or where retention has cut it",
    `SELECT a.address AS what FROM actors a LEFT JOIN (SELECT actor, min(seq) AS first FROM history GROUP BY actor) h ON h.actor = a.id
     LEFT JOIN checkpoints c ON c.actor = a.id AND c.cut = 1 WHERE h.first IS NULL OR h.first > coalesce(c.seq, 0) + 1`,
  ],
  ["time never goes back", "SELECT 'entry ' || id AS what FROM (SELECT id, at, lag(at) OVER (ORDER BY id) AS before FROM history) WHERE at < before"],
  ["whoever has ended waits for nothing", "SELECT a.address AS what FROM wakes w JOIN actors a ON a.id = w.actor WHERE a.status <> 'active'"],
  ["states are JSON", "SELECT a.address AS what FROM states s JOIN actors a ON a.id = s.actor WHERE NOT json_valid(s.state)"],
  ["events are JSON", "SELECT 'entry ' || id AS what FROM history WHERE NOT json_valid(event)"],
  ["messages are JSON", "SELECT 'message ' || id AS what FROM mail WHERE NOT json_valid(envelope)"],
  ["dead letters are JSON", "SELECT 'dead letter ' || id AS what FROM dead_letters WHERE NOT json_valid(envelope) OR NOT json_valid(error)"],
  [
    "entries of outboxes are JSON, and belong to one that there is",
    "SELECT e.outbox || ' ' || e.seq AS what FROM entries e LEFT JOIN actors a ON a.address = e.outbox WHERE NOT json_valid(e.payload) OR a.id IS NULL",
  ],
  ["epochs of builds are not beyond the owner's", "SELECT 'epoch ' || b.epoch AS what FROM builds b WHERE b.epoch > coalesce((SELECT epoch FROM owner), 0)"],
];
/** Of one rule that is broken many times. */
const shownMax = 20;

/** Looks whether a journal contradicts itself. Reads only; also beside an engine, over one moment of it. */
export const examine = (where: string): Effect.Effect<Examination, JournalError> =>
  Effect.gen(function* () {
    yield* File.check(where, true);
    const driver = yield* Driver.choose("auto", where);
    const look = (open: Connection.Connection) =>
      Effect.gen(function* () {
        const version = yield* Schema.inspect(open, where);
        if (version < Schema.version)
          return yield* new JournalError({ reason: "failed", where, detail: `its layout has version ${version}, this program reads version ${Schema.version}: open it with an engine once` });
        const problems: Array<string> = [];
        for (const row of yield* open.read<Readonly<Record<string, string>>>(`PRAGMA integrity_check(${shownMax})`)) {
          const [found] = Object.values(row);
          if (found !== "ok") problems.push(`the file is not sound: ${found}`);
        }
        if (problems.length > 0) return { problems, actors: 0, entries: 0 };
        yield* open.read("BEGIN");
        for (const [rule, query] of rules) {
          const found = yield* open.read<{ what: string }>(`${query} LIMIT ${shownMax + 1}`);
          problems.push(...found.slice(0, shownMax).map(({ what }) => `${rule}: not so for ${what}`));
          if (found.length > shownMax) problems.push(`${rule}: and more`);
        }
        const [counts] = yield* open.read<{ actors: number; entries: number }>("SELECT (SELECT count(*) FROM actors) AS actors, (SELECT count(*) FROM history) AS entries");
        yield* open.read("COMMIT");
        return { problems, actors: counts?.actors ?? 0, entries: counts?.entries ?? 0 };
      });
    return yield* Effect.acquireUseRelease(Connection.open(driver, { file: where, reader: true, synchronous: "FULL" }), look, (open) => open.close);
  });
