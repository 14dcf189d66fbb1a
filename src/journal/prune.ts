import type { SqlError } from "@effect/sql/SqlError";
import * as Effect from "effect/Effect";
import type { Connection } from "./connection.ts";
import type { Pruning } from "./journal.ts";

/** The statements of retention. To be run inside a transaction; it touches nothing that a turn of the same moment needs. */
export const prune = (connection: Connection, { at, actors, checkpoints, cuts, entries }: Pruning): Effect.Effect<number, SqlError> =>
  Effect.gen(function* () {
    let removed = 0;
    const removing = function* (sql: string, params: ReadonlyArray<unknown>) {
      yield* connection.run(sql, params);
      const [row] = yield* connection.rows<{ count: number }>("SELECT changes() AS count");
      removed += row!.count;
    };
    // Ids are never given out again, so what goes leaves a mark.
    if (actors.length > 0 || entries.length > 0) {
      for (const [name, table] of [
        ["actor", "actors"],
        ["history", "history"],
      ])
        yield* connection.run(`UPDATE marks SET id = max(id, coalesce((SELECT max(id) FROM ${table}), 0)) WHERE name = ?`, [name]);
    }
    for (const actor of checkpoints) {
      yield* connection.run(
        `REPLACE INTO checkpoints (actor, seq, at, made_at, hash, state, start, cut)
         SELECT a.id, s.seq, s.at, ?, a.hash, s.state,
           coalesce((SELECT event FROM history WHERE actor = a.id AND seq = 1), (SELECT start FROM checkpoints WHERE actor = a.id AND cut = 1), ''), 0
         FROM actors a JOIN states s ON s.actor = a.id WHERE a.id = ?`,
        [at, actor],
      );
    }
    for (const { actor, seq } of cuts) {
      yield* connection.run("DELETE FROM checkpoints WHERE actor = ? AND seq < ?", [actor, seq]);
      yield* connection.run("UPDATE checkpoints SET cut = 1 WHERE actor = ? AND seq = ?", [actor, seq]);
    }
    for (const { actor, upTo, limit } of entries)
      yield* removing("DELETE FROM history WHERE id IN (SELECT id FROM history WHERE actor = ? AND seq <= ? AND seq < (SELECT seq FROM states WHERE actor = ?) ORDER BY seq LIMIT ?)", [
        actor,
        upTo,
        actor,
        limit,
      ]);
    if (actors.length === 0) return removed;
    const ids = JSON.stringify(actors);
    const among = "IN (SELECT value FROM json_each(?))";
    yield* connection.run(`DELETE FROM names WHERE tree IN (SELECT address FROM actors WHERE id ${among})`, [ids]);
    yield* connection.run(`DELETE FROM keys WHERE address IN (SELECT address FROM actors WHERE id ${among})`, [ids]);
    yield* removing(`DELETE FROM history WHERE actor ${among}`, [ids]);
    for (const table of ["states", "wakes", "effects", "checkpoints"]) yield* connection.run(`DELETE FROM ${table} WHERE actor ${among}`, [ids]);
    yield* connection.run(`DELETE FROM actors WHERE id ${among}`, [ids]);
    return removed;
  });
