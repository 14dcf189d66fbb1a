import * as Effect from "effect/Effect";
import * as Either from "effect/Either";
import type * as Scope from "effect/Scope";
import { type ActorRow, type CreatedActor, emptyTurn, type HistoryRow, type Journal, type MovedActor, type OwnerInfo, type Turn } from "../../journal/index.ts";
import type { JournalHarness, JournalUnderTest } from "../journal-conformance.ts";

/** Rows with sensible values, of which a test names only what it is about. */

export const nothing: Turn = emptyTurn;
export const turn = (rows: Partial<Turn>): Turn => ({ ...nothing, ...rows });

/** A moment that JavaScript and SQLite keep in more than 32 bits. */
export const noon = 1_753_000_000_000;

export const actor = (id: number, rest: Partial<CreatedActor> = {}): CreatedActor => ({
  id,
  address: `task/${id}`,
  parent: 0,
  createdAt: noon + id,
  machine: "task",
  hash: "hash-1",
  status: "active",
  seq: 1,
  at: noon + id,
  state: `{"value":"waiting","n":${id}}`,
  token: 0,
  replaces: false,
  ...rest,
});

/** What the journal answers for an actor that was created so. */
export const asRow = ({ replaces: _, ...row }: CreatedActor, rest: Partial<ActorRow> = {}): ActorRow => ({ ...row, wake: undefined, ...rest });

export const moved = (id: number, seq: number, rest: Partial<MovedActor> = {}): MovedActor => ({ id, seq, at: noon + 1_000 * seq, state: `{"value":"moved","seq":${seq}}`, ...rest });

export type Entry = HistoryRow & { readonly id: number };
export const entry = (id: number, of: number, seq: number, rest: Partial<Entry> = {}): Entry => ({
  id,
  actor: of,
  seq,
  at: noon + 1_000 * seq,
  type: "task.next",
  event: `{"type":"task.next","seq":${seq}}`,
  outcome: "handled",
  from: "",
  stateHash: `state-${of}-${seq}`,
  ...rest,
});

export const engine = (rest: Partial<OwnerInfo> = {}): OwnerInfo => ({ id: "engine-1", pid: 101, host: "here", now: noon, leaseMs: 10_000, isAlive: () => true, ...rest });

export const range = (count: number, from = 1): ReadonlyArray<number> => Array.from({ length: count }, (_, i) => from + i);

/** Everything that can be read from a journal, to prove that something changed nothing. */
export const everything = (journal: Journal) =>
  Effect.all({
    actors: journal.list({ limit: 100_000 }),
    histories: Effect.flatMap(journal.list({ limit: 100_000 }), (rows) => Effect.forEach(rows, (row) => journal.history(row.address, 0, 100_000))),
    due: journal.due(Number.MAX_SAFE_INTEGER, 100_000),
    mail: journal.mail(0, 100_000),
    effects: journal.effects(0, 100_000),
    deadLetters: journal.deadLetters({ limit: 100_000 }),
    attempts: journal.attempts,
    machines: journal.machines,
    counts: journal.counts,
  });

/** Runs a test on a new store. */
export const onStore = (harness: JournalHarness, body: (store: JournalUnderTest) => Effect.Effect<unknown, unknown, Scope.Scope>): (() => Promise<void>) => {
  return () => Effect.runPromise(Effect.asVoid(Effect.scoped(Effect.flatMap(harness.make, body))));
};

/** Runs a test on a journal that an engine opened. */
export const onJournal = (harness: JournalHarness, body: (journal: Journal, store: JournalUnderTest) => Effect.Effect<unknown, unknown, Scope.Scope>): (() => Promise<void>) =>
  onStore(harness, (store) =>
    Effect.gen(function* () {
      const journal = yield* store.connect();
      yield* journal.open(engine());
      yield* body(journal, store);
    }),
  );

/** The error of an effect that has to fail. */
export const failure = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<E, Error, R> =>
  Effect.flatMap(Effect.either(effect), (result) => (Either.isLeft(result) ? Effect.succeed(result.left) : Effect.fail(new Error("this had to fail, and did not"))));
