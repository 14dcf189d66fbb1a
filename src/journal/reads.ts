import * as Effect from "effect/Effect";
import type { Address } from "../domain/address.ts";
import type { Connection } from "./connection.ts";
import type { JournalError } from "./errors.ts";
import type {
  ActorFilter,
  ActorRow,
  AttemptRow,
  Counters,
  CountRow,
  DeadLetterFilter,
  AgeRow,
  BuildRow,
  ChangeRow,
  CheckpointRow,
  EffectRow,
  HistoryRow,
  KeyRow,
  KeyWanted,
  MachineRow,
  MailRow,
  NameRow,
  NameWanted,
  OwnerRow,
  StoredDeadLetter,
  WakeRow,
} from "./journal.ts";

/**
 * The queries of the journal. Lists of ids and addresses travel as one JSON parameter: one prepared text for any
 * length, and faster than a query for each.
 */
type Read<A> = Effect.Effect<A, JournalError>;

const actor = `SELECT a.id, a.address, a.parent, a.created_at AS createdAt, a.machine, a.hash, a.status, s.seq, s.at, s.state, a.token, w.due AS wake
  FROM actors a JOIN states s ON s.actor = a.id LEFT JOIN wakes w ON w.actor = a.id`;

/** Rows of actors; SQL's null for an actor without a wake becomes undefined in place, as nobody else holds the rows. */
const actorRows = (connection: Connection, where: string, params: ReadonlyArray<unknown>): Read<ReadonlyArray<ActorRow>> =>
  Effect.map(connection.read<Omit<ActorRow, "wake"> & { wake: number | null | undefined }>(`${actor} ${where}`, params), (rows) => {
    for (const row of rows) row.wake ??= undefined;
    return rows as ReadonlyArray<ActorRow>;
  });

export const actors = (connection: Connection, addresses: ReadonlyArray<Address>): Read<ReadonlyArray<ActorRow>> => {
  if (addresses.length === 0) return Effect.succeed([]);
  if (addresses.length === 1) return actorRows(connection, `WHERE a.address = ?`, addresses);
  return actorRows(connection, `WHERE a.address IN (SELECT value FROM json_each(?))`, [JSON.stringify(addresses)]);
};

export const actorsById = (connection: Connection, ids: ReadonlyArray<number>): Read<ReadonlyArray<ActorRow>> => {
  if (ids.length === 0) return Effect.succeed([]);
  if (ids.length === 1) return actorRows(connection, `WHERE a.id = ?`, ids);
  return actorRows(connection, `WHERE a.id IN (SELECT value FROM json_each(?))`, [JSON.stringify(ids)]);
};

export const keys = (connection: Connection, wanted: ReadonlyArray<KeyWanted>): Read<ReadonlyArray<KeyRow>> => {
  if (wanted.length === 0) return Effect.succeed([]);
  const select = "SELECT k.address, k.key, k.seq, k.at, k.outcome, k.request FROM";
  if (wanted.length === 1) return connection.read(`${select} keys k WHERE k.address = ? AND k.key = ?`, [wanted[0]!.address, wanted[0]!.key]);
  return connection.read(`${select} (SELECT DISTINCT value ->> 0 AS address, value ->> 1 AS key FROM json_each(?)) w CROSS JOIN keys k ON k.address = w.address AND k.key = w.key`, [
    JSON.stringify(wanted.map((row) => [row.address, row.key])),
  ]);
};

export const names = (connection: Connection, wanted: ReadonlyArray<NameWanted>): Read<ReadonlyArray<NameRow>> =>
  connection.read(
    `SELECT n.tree, n.system_id AS systemId, n.address FROM (SELECT DISTINCT value ->> 0 AS tree, value ->> 1 AS id FROM json_each(?)) w
      CROSS JOIN names n ON n.tree = w.tree AND n.system_id = w.id`,
    [JSON.stringify(wanted.map(({ tree, systemId }) => [tree, systemId]))],
  );

export const due = (connection: Connection, until: number, limit: number): Read<ReadonlyArray<WakeRow>> =>
  connection.read("SELECT w.actor, a.address, w.due FROM wakes w CROSS JOIN actors a ON a.id = w.actor WHERE w.due <= ? ORDER BY w.due, w.actor LIMIT ?", [until, limit]);

// What is no number comes after all numbers in SQLite's order: it hides none.
export const nextWakeAfter = (connection: Connection, after: number): Read<number | undefined> =>
  Effect.map(connection.read<{ due: unknown }>("SELECT min(due) AS due FROM wakes WHERE due > ?", [after]), ([row]) => (typeof row?.due === "number" ? row.due : undefined));

export const mail = (connection: Connection, after: number, limit: number): Read<ReadonlyArray<MailRow>> =>
  connection.read("SELECT id, envelope FROM mail WHERE id > ? ORDER BY id LIMIT ?", [after, limit]);

export const effects = (connection: Connection, after: number, limit: number): Read<ReadonlyArray<EffectRow>> =>
  connection.read("SELECT id, actor, seq, action, params FROM effects WHERE id > ? ORDER BY id LIMIT ?", [after, limit]);

type Kind = Pick<CountRow, "machine" | "status">;

/** The pairs of machine and status in use, by jumping from one to the next in their index: the work is their number. */
const kinds = (connection: Connection): Read<ReadonlyArray<Kind>> =>
  connection.read(
    `WITH RECURSIVE
      machine (m) AS (SELECT min(machine) FROM actors UNION ALL SELECT (SELECT min(machine) FROM actors WHERE machine > m) FROM machine WHERE m IS NOT NULL),
      kind (m, s) AS (
        SELECT m, (SELECT min(status) FROM actors WHERE machine = m) FROM machine WHERE m IS NOT NULL
        UNION ALL
        SELECT m, (SELECT min(status) FROM actors WHERE machine = m AND status > s) FROM kind WHERE s IS NOT NULL
      )
    SELECT m AS machine, s AS status FROM kind WHERE s IS NOT NULL`,
  );

export const list = (connection: Connection, filter: ActorFilter): Read<ReadonlyArray<ActorRow>> => {
  const { machine, status, parent, after = 0, descending = false, limit } = filter;
  const beyond = !descending ? "a.id > ?" : after > 0 ? "a.id < ?" : "a.id > ?";
  const order = descending ? "DESC" : "ASC";
  if (parent !== undefined && parent > 0) {
    // "parent > 0" again, so that SQLite may use the partial index.
    const more = `${machine === undefined ? "" : "AND a.machine = ?"} ${status === undefined ? "" : "AND a.status = ?"}`;
    const values = [machine, status].filter((value) => value !== undefined);
    return actorRows(connection, `WHERE a.parent = ? AND a.parent > 0 AND ${beyond} ${more} ORDER BY a.id ${order} LIMIT ?`, [parent, after, ...values, limit]);
  }
  const roots = parent === 0 ? "AND a.parent = 0" : "";
  if (machine === undefined && status === undefined) return actorRows(connection, `WHERE ${beyond} ${roots} ORDER BY a.id ${order} LIMIT ?`, [after, limit]);
  // One page costs at most `limit` index entries per kind, however many actors there are.
  return Effect.flatMap(kinds(connection), (all) => {
    const wanted = all.filter((kind) => (machine === undefined || kind.machine === machine) && (status === undefined || kind.status === status));
    if (wanted.length === 0) return Effect.succeed([]);
    const page = `SELECT * FROM (SELECT a.id FROM actors a WHERE a.machine = ? AND a.status = ? AND ${beyond} ${roots} ORDER BY a.id ${order} LIMIT ?)`;
    const params = wanted.flatMap((kind) => [kind.machine, kind.status, after, limit]);
    return actorRows(connection, `WHERE a.id IN (SELECT id FROM (${wanted.map(() => page).join(" UNION ALL ")}) ORDER BY id ${order} LIMIT ?) ORDER BY a.id ${order}`, [...params, limit]);
  });
};

export const counts = (connection: Connection): Read<ReadonlyArray<CountRow>> =>
  connection.read("SELECT machine, status, count(*) AS count FROM actors GROUP BY machine, status ORDER BY machine, status");

export const history = (connection: Connection, address: Address, after: number, limit: number): Read<ReadonlyArray<HistoryRow & { readonly id: number }>> =>
  connection.read(
    `SELECT id, actor, seq, at, type, event, outcome, source AS "from", state_hash AS stateHash FROM history
     WHERE actor = (SELECT id FROM actors WHERE address = ?)
       AND seq > max(?, coalesce((SELECT seq FROM checkpoints WHERE actor = history.actor AND cut = 1), 0)) ORDER BY seq LIMIT ?`,
    [address, after, limit],
  );

export const changes = (connection: Connection, after: number, limit: number): Read<ReadonlyArray<ChangeRow>> =>
  connection.read(
    `SELECT h.id, h.actor, h.seq, h.at, h.type, h.event, h.outcome, h.source AS "from", h.state_hash AS stateHash, a.address, a.machine
     FROM history h CROSS JOIN actors a ON a.id = h.actor WHERE h.id > ? ORDER BY h.id LIMIT ?`,
    [after, limit],
  );

export const deadLetters = (connection: Connection, { ids, address, prefix, type, kind, since, before, after = 0, limit }: DeadLetterFilter): Read<ReadonlyArray<StoredDeadLetter>> => {
  const conditions: ReadonlyArray<readonly [condition: string, ...values: ReadonlyArray<unknown>] | undefined> = [
    ["id > ?", after],
    ids === undefined ? undefined : ["id IN (SELECT value FROM json_each(?))", JSON.stringify(ids)],
    address === undefined ? undefined : ["address = ?", address],
    prefix === undefined ? undefined : ["substr(address, 1, length(?)) = ?", prefix, prefix],
    type === undefined ? undefined : ["envelope ->> '$.event.type' = ?", type],
    kind === undefined ? undefined : [`envelope ->> '$.action' IS ${kind === "action" ? "NOT NULL" : "NULL"}`],
    since === undefined ? undefined : ["at >= ?", since],
    before === undefined ? undefined : ["at < ?", before],
  ];
  const asked = conditions.filter((condition) => condition !== undefined);
  const where = asked.map(([condition]) => condition).join(" AND ");
  return connection.read(`SELECT id, address, at, envelope, error FROM dead_letters WHERE ${where} ORDER BY id LIMIT ?`, [...asked.flatMap(([, ...values]) => values), limit]);
};

export const deadLetterCount = (connection: Connection): Read<number> => Effect.map(connection.read<{ count: number }>("SELECT count(*) AS count FROM dead_letters"), ([row]) => row!.count);

export const attempts = (connection: Connection): Read<ReadonlyArray<AttemptRow>> => connection.read("SELECT kind, item, token, count FROM attempts ORDER BY kind, item, token");

export const machines = (connection: Connection): Read<ReadonlyArray<MachineRow>> => connection.read("SELECT hash, id, version, chart, at FROM machines ORDER BY at, hash");

/** Every write of a state comes with a history row, and their ids only grow. */
export const buildOf = (connection: Connection, address: Address): Read<BuildRow | undefined> =>
  Effect.map(
    connection.read<BuildRow>(
      `SELECT b.build, b.epoch, b.at, b.history FROM builds b
       WHERE b.history < (SELECT id FROM history WHERE actor = (SELECT id FROM actors WHERE address = ?) ORDER BY seq DESC LIMIT 1)
       ORDER BY b.epoch DESC LIMIT 1`,
      [address],
    ),
    ([row]) => row,
  );

const age = `a.id, a.address, a.parent, a.machine, a.status, s.seq, s.at,
  coalesce((SELECT seq FROM history WHERE actor = a.id ORDER BY seq LIMIT 1), s.seq) AS first,
  coalesce((SELECT at FROM history WHERE actor = a.id ORDER BY seq LIMIT 1), s.at) AS firstAt,
  coalesce(c.seq, 0) AS cut, coalesce(p.seq, 0) AS pending, coalesce(p.made_at, 0) AS pendingAt`;
const aging = `JOIN states s ON s.actor = a.id LEFT JOIN checkpoints c ON c.actor = a.id AND c.cut = 1 LEFT JOIN checkpoints p ON p.actor = a.id AND p.cut = 0`;

export const ages = (connection: Connection, after: number, limit: number): Read<ReadonlyArray<AgeRow>> =>
  connection.read(`SELECT ${age} FROM actors a ${aging} WHERE a.id > ? ORDER BY a.id LIMIT ?`, [after, limit]);

export const descendants = (connection: Connection, ids: ReadonlyArray<number>, limit: number): Read<ReadonlyArray<AgeRow & { readonly root: number }>> =>
  connection.read(
    `WITH RECURSIVE below (root, id) AS (
       SELECT j.value, a.id FROM json_each(?) j CROSS JOIN actors a ON a.parent = j.value AND a.parent > 0
       UNION ALL SELECT b.root, a.id FROM below b CROSS JOIN actors a ON a.parent = b.id AND a.parent > 0
       LIMIT ?
     )
     SELECT b.root, ${age} FROM below b JOIN actors a ON a.id = b.id ${aging}`,
    [JSON.stringify(ids), limit],
  );

export const held = (connection: Connection, addresses: ReadonlyArray<Address>, since: number): Read<ReadonlyArray<Address>> =>
  Effect.map(
    connection.read<{ address: Address }>(
      `SELECT j.value AS address FROM json_each(?) j
       WHERE EXISTS (SELECT 1 FROM keys k WHERE k.address = j.value AND k.at >= ?) OR EXISTS (SELECT 1 FROM dead_letters d WHERE d.address = j.value)`,
      [JSON.stringify(addresses), since],
    ),
    (rows) => rows.map((row) => row.address),
  );

export const checkpoint = (connection: Connection, address: Address): Read<CheckpointRow | undefined> =>
  Effect.map(connection.read<CheckpointRow>("SELECT seq, at, hash, state, start FROM checkpoints WHERE actor = (SELECT id FROM actors WHERE address = ?) AND cut = 1", [address]), ([row]) => row);

export const ownerText = "SELECT id, epoch, pid, host, since, until FROM owner";
export const owner = (connection: Connection): Read<OwnerRow | undefined> => Effect.map(connection.read<OwnerRow>(ownerText), ([row]) => row);

export const counters = (connection: Connection): Read<Counters> =>
  Effect.map(
    connection.read<Counters>(
      `SELECT max(coalesce((SELECT max(id) FROM actors), 0), (SELECT id FROM marks WHERE name = 'actor')) AS actor,
        max(coalesce((SELECT max(id) FROM history), 0), (SELECT id FROM marks WHERE name = 'history')) AS history,
        coalesce((SELECT max(id) FROM mail), 0) AS mail, coalesce((SELECT max(id) FROM effects), 0) AS effect`,
    ),
    ([row]) => row!,
  );

/**
 * Rows at the end of a table that are looked at for the latest moment. The engine's clock never goes back, so within
 * a table a later turn carries no earlier moment; a turn has fewer rows than this. A state's moment is that of the last
 * history row of its actor, so states are not looked at.
 */
const tail = 20_000;

export const latestAt = (connection: Connection): Read<number> => {
  const last = (table: string, column: string, key: string) => `SELECT max(at) AS at FROM (SELECT ${column} AS at FROM ${table} ORDER BY ${key} DESC LIMIT ${tail})`;
  const moments = [last("history", "at", "id"), last("actors", "created_at", "id"), last("dead_letters", "at", "id"), "SELECT max(at) FROM keys", "SELECT max(at) FROM machines"];
  return Effect.map(connection.read<{ at: number | null }>(`SELECT max(at) AS at FROM (${moments.join(" UNION ALL ")})`), ([row]) => row?.at ?? 0);
};
