import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { Journal, type JournalError, SqliteJournal } from "../../src/journal/index.ts";

/*
 * Journals that are wrong on purpose. The checker must find what comes of each; a suite that stays green over one of
 * them would prove nothing. And one that is only slow, over which it must stay green.
 */

/**
 * - `keys`: remembers no idempotency key, so a repeated event is taken for a new one.
 * - `starts`: does not find tasks that have ended, so a repeated start makes and runs them once more.
 * - `early`: answers a commit before it is made.
 * - `slow`: is right, but every read takes a while, as over a network. Whoever reads something and then acts on it has
 *   other things happen in between.
 */
export type Plant = "keys" | "starts" | "early" | "slow";

const forgetKeys = (journal: Journal): Journal => ({ ...journal, keys: () => Effect.succeed([]) });

const forgetStarts = (journal: Journal): Journal => {
  const isLost = (row: { readonly machine: string; readonly status: string; readonly address: string }) => row.machine === "task" && row.status !== "active" && row.address.startsWith("task/ok-");
  return {
    ...journal,
    actors: (addresses) => Effect.map(journal.actors(addresses), (rows) => rows.filter((row) => !isLost(row))),
    list: (filter) => Effect.map(journal.list(filter), (rows) => rows.filter((row) => !isLost(row))),
    commit: (turn) => journal.commit({ ...turn, created: turn.created.map((row) => (row.address.startsWith("task/ok-") ? { ...row, replaces: true } : row)) }),
  };
};

/** How long a turn stays in memory although everybody was told that it is stored. */
const lateMs = 40;

const answerEarly = (journal: Journal): Journal => {
  let last = Promise.resolve();
  return {
    ...journal,
    commit: (turn) =>
      Effect.sync(() => {
        last = last.then(async () => {
          await new Promise((resolve) => setTimeout(resolve, lateMs));
          await Effect.runPromise(journal.commit(turn));
        });
        last.catch(() => {});
      }),
    release: Effect.zipRight(
      Effect.promise(() => last),
      journal.release,
    ),
  };
};

const beSlow = (journal: Journal): Journal => ({
  ...journal,
  actors: (addresses) => Effect.delay(journal.actors(addresses), "2 millis"),
  keys: (wanted) => Effect.delay(journal.keys(wanted), "2 millis"),
  due: (until, limit) => Effect.delay(journal.due(until, limit), "2 millis"),
  mail: (after, limit) => Effect.delay(journal.mail(after, limit), "20 millis"),
  effects: (after, limit) => Effect.delay(journal.effects(after, limit), "20 millis"),
  list: (filter) => Effect.delay(journal.list(filter), "20 millis"),
  history: (address, after, limit) => Effect.delay(journal.history(address, after, limit), "2 millis"),
});

const plants: Readonly<Record<Plant, (journal: Journal) => Journal>> = { keys: forgetKeys, starts: forgetStarts, early: answerEarly, slow: beSlow };

/** A journal as it is, or with a planted bug. */
export const journalOf = (options: SqliteJournal.SqliteOptions, plant: Plant | undefined): Layer.Layer<Journal, JournalError> => {
  const sound = SqliteJournal.layer(options);
  if (plant === undefined) return sound;
  return Layer.effect(Journal, Effect.map(Journal, plants[plant])).pipe(Layer.provide(sound));
};
