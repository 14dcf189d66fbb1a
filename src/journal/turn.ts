import type { SqlError } from "@effect/sql/SqlError";
import * as Effect from "effect/Effect";
import * as Bulk from "./bulk.ts";
import * as Entries from "./entries.ts";
import type { Connection } from "./connection.ts";
import type { AttemptKey, AttemptRow, CreatedActor, DeadLetterRow, EffectRow, HistoryRow, KeyRow, MachineRow, MailRow, MovedActor, NameRow, OwnerInfo, Turn } from "./journal.ts";

/**
 * The statements of one turn. The hot path of the whole engine: a turn of one event is one history row and one state
 * (two statements besides BEGIN, the check of the epoch and COMMIT); a list that is empty costs nothing.
 */
const createdActors = Bulk.make<CreatedActor>("INSERT INTO actors (id, address, parent, machine, hash, status, token, created_at) VALUES", "(?,?,?,?,?,?,?,?)", "", (row, params) =>
  params.push(row.id, row.address, row.parent, row.machine, row.hash, row.status, row.token, row.createdAt),
);
// Out of the way, not away: the history of the earlier incarnation stays readable at its new address.
const replacedActors = Bulk.make<CreatedActor>("UPDATE actors SET address = address || '~' || id WHERE address IN (", "?", ")", (row, params) => params.push(row.address));
const bindState = (row: CreatedActor | MovedActor, params: Array<unknown>) => params.push(row.id, row.seq, row.at, row.state);
const createdStates = Bulk.make<CreatedActor>("INSERT INTO states (actor, seq, at, state) VALUES", "(?,?,?,?)", "", bindState);
// Without a secondary index on `states`, REPLACE is the cheapest way to write a row whose key is known.
const movedStates = Bulk.make<MovedActor>("REPLACE INTO states (actor, seq, at, state) VALUES", "(?,?,?,?)", "", bindState);
const changedActors = Bulk.make<MovedActor>(
  "UPDATE actors SET status = new.column2, hash = new.column3, token = new.column4 FROM (VALUES",
  "(?,?,?,?)",
  ") AS new WHERE actors.id = new.column1",
  (row, params) => params.push(row.id, row.changed!.status, row.changed!.hash, row.changed!.token),
);
const history = Bulk.make<HistoryRow & { readonly id: number }>("INSERT INTO history (id, actor, seq, at, type, event, outcome, source, state_hash) VALUES", "(?,?,?,?,?,?,?,?,?)", "", (row, params) =>
  params.push(row.id, row.actor, row.seq, row.at, row.type, row.event, row.outcome, row.from, row.stateHash),
);
// A key that was forgotten by the engine but not removed yet may come again: the later one counts.
const keys = Bulk.make<KeyRow>("REPLACE INTO keys (address, key, seq, at, outcome, request) VALUES", "(?,?,?,?,?,?)", "", (row, params) =>
  params.push(row.address, row.key, row.seq, row.at, row.outcome, row.request),
);
type Wake = Turn["wakes"][number];
const wakesSet = Bulk.make<Wake>("INSERT INTO wakes (actor, due) VALUES", "(?,?)", "ON CONFLICT (actor) DO UPDATE SET due = excluded.due", (row, params) => params.push(row.actor, row.due));
const wakesRemoved = Bulk.make<Wake>("DELETE FROM wakes WHERE actor IN (", "?", ")", (row, params) => params.push(row.actor));
const mail = Bulk.make<MailRow>("INSERT INTO mail (id, envelope) VALUES", "(?,?)", "", (row, params) => params.push(row.id, row.envelope));
const mailTaken = Bulk.make<number>("DELETE FROM mail WHERE id IN (", "?", ")", (id, params) => params.push(id));
const effects = Bulk.make<EffectRow>("INSERT INTO effects (id, actor, seq, action, params) VALUES", "(?,?,?,?,?)", "", (row, params) =>
  params.push(row.id, row.actor, row.seq, row.action, row.params),
);
const effectsDone = Bulk.make<number>("DELETE FROM effects WHERE id IN (", "?", ")", (id, params) => params.push(id));
const deadLetters = Bulk.make<DeadLetterRow>("INSERT INTO dead_letters (address, at, envelope, error) VALUES", "(?,?,?,?)", "", (row, params) =>
  params.push(row.address, row.at, row.envelope, row.error),
);
const names = Bulk.make<NameRow>("REPLACE INTO names (tree, system_id, address) VALUES", "(?,?,?)", "", (row, params) => params.push(row.tree, row.systemId, row.address));
const deadLettersTaken = Bulk.make<number>("DELETE FROM dead_letters WHERE id IN (", "?", ")", (id, params) => params.push(id));
const attempts = Bulk.make<AttemptRow>("REPLACE INTO attempts (kind, item, token, count) VALUES", "(?,?,?,?)", "", (row, params) => params.push(row.kind, row.item, row.token, row.count));
const attemptsDone = Bulk.make<AttemptKey>("DELETE FROM attempts WHERE (kind, item, token) IN (VALUES", "(?,?,?)", ")", (row, params) => params.push(row.kind, row.item, row.token));
// A chart is known by its hash: writing it again changes nothing.
const machines = Bulk.make<MachineRow>("INSERT OR IGNORE INTO machines (hash, id, version, chart, at) VALUES", "(?,?,?,?,?)", "", (row, params) =>
  params.push(row.hash, row.id, row.version, row.chart, row.at),
);

const isReplacing = (row: CreatedActor) => row.replaces;
const isChanged = (row: MovedActor) => row.changed !== undefined;
const isSet = (row: Wake) => row.due !== undefined;
const isRemoved = (row: Wake) => row.due === undefined;

/** Writes everything of a turn. To be run inside a transaction. */
export const write = (connection: Connection, turn: Turn): Effect.Effect<void, SqlError> =>
  Effect.gen(function* () {
    if (turn.machines.length > 0) yield* Bulk.write(connection, machines, turn.machines);
    if (turn.created.length > 0) {
      if (turn.created.some(isReplacing)) yield* Bulk.write(connection, replacedActors, turn.created.filter(isReplacing));
      yield* Bulk.write(connection, createdActors, turn.created);
      yield* Bulk.write(connection, createdStates, turn.created);
    }
    yield* Bulk.write(connection, history, turn.history);
    if (turn.moved.length > 0) {
      yield* Bulk.write(connection, movedStates, turn.moved);
      if (turn.moved.some(isChanged)) yield* Bulk.write(connection, changedActors, turn.moved.filter(isChanged));
    }
    if (turn.wakes.length > 0) {
      yield* Bulk.write(connection, wakesSet, turn.wakes.filter(isSet));
      yield* Bulk.write(connection, wakesRemoved, turn.wakes.filter(isRemoved));
    }
    if (turn.keys.length > 0) yield* Bulk.write(connection, keys, turn.keys);
    if (turn.mail.length > 0) yield* Bulk.write(connection, mail, turn.mail);
    if (turn.mailTaken.length > 0) yield* Bulk.write(connection, mailTaken, turn.mailTaken);
    if (turn.effects.length > 0) yield* Bulk.write(connection, effects, turn.effects);
    if (turn.effectsDone.length > 0) yield* Bulk.write(connection, effectsDone, turn.effectsDone);
    if (turn.deadLettersTaken !== undefined) yield* Bulk.write(connection, deadLettersTaken, turn.deadLettersTaken);
    if (turn.deadLetters.length > 0) yield* Bulk.write(connection, deadLetters, turn.deadLetters);
    if (turn.entries.length > 0) yield* Entries.write(connection, turn.entries);
    if (turn.names.length > 0) yield* Bulk.write(connection, names, turn.names);
    if (turn.attempts !== undefined) yield* Bulk.write(connection, attempts, turn.attempts);
    if (turn.attemptsDone !== undefined) yield* Bulk.write(connection, attemptsDone, turn.attemptsDone);
  });

/** Another build than the last one begins to write. */
export const openedBy = (connection: Connection, epoch: number, { build = "", now }: OwnerInfo): Effect.Effect<void, SqlError> =>
  connection.run(
    `INSERT INTO builds (epoch, build, at, history)
     SELECT ?, ?, ?, max(coalesce((SELECT max(id) FROM history), 0), (SELECT id FROM marks WHERE name = 'history')) WHERE ? <> (SELECT build FROM builds ORDER BY epoch DESC LIMIT 1)`,
    [epoch, build, now, build],
  );

export const pruneKeys = (connection: Connection, before: number, limit: number): Effect.Effect<number, SqlError> =>
  Effect.gen(function* () {
    yield* connection.run("DELETE FROM keys WHERE id IN (SELECT id FROM keys WHERE at < ? ORDER BY at LIMIT ?)", [before, limit]);
    const [row] = yield* connection.rows<{ removed: number }>("SELECT changes() AS removed");
    return row!.removed;
  });
