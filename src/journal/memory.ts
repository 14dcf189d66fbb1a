import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Claim from "./claim.ts";
import { JournalError, JournalFenced, JournalOwned } from "./errors.ts";
import { type Counters, Journal, type Opened, type OwnerInfo, type OwnerRow, type Turn } from "./journal.ts";
import { MemoryStore } from "./memory-store.ts";

/**
 * The journal without a disk, for tests and for work that may be lost. The rows live in a `MemoryStore`; several
 * journals over one store see each other as several processes over one file do: owner, epoch, fencing.
 */
export interface MemoryOptions {
  readonly store?: MemoryStore;
  readonly reader?: boolean;
  /** What goes wrong. Read at each commit, so that a test may change it while an engine runs. */
  readonly faults?: MemoryFaults;
}

export interface MemoryFaults {
  /** An error returned here fails the commit; nothing is stored. */
  beforeCommit?: ((turn: Turn) => JournalError | undefined) | undefined;
  /** An error returned here fails the commit *after* everything was stored: the unknown outcome of a real disk. */
  afterCommit?: ((turn: Turn) => JournalError | undefined) | undefined;
}

const where = "memory";
const failed = (detail: string) => new JournalError({ reason: "failed", where, detail });

export const make = (options: MemoryOptions = {}): Effect.Effect<Journal> =>
  Effect.sync(() => {
    const store = options.store ?? new MemoryStore();
    const reader = options.reader ?? false;
    const faults = options.faults ?? {};
    let claimed: OwnerRow | undefined;
    let connected = reader;

    const reading = <A>(read: () => A): Effect.Effect<A, JournalError> => Effect.suspend(() => (connected ? Effect.succeed(read()) : Effect.fail(failed("the journal is not open; call open"))));
    const fenced = (ours: OwnerRow) => new JournalFenced({ where, epoch: ours.epoch, current: store.owner?.epoch ?? 0 });
    const owning = <A>(body: (ours: OwnerRow) => Effect.Effect<A, JournalError>): Effect.Effect<A, JournalFenced | JournalError> =>
      Effect.suspend((): Effect.Effect<A, JournalFenced | JournalError> => {
        if (reader) return Effect.fail(failed("it was opened for reading only; open it with an engine to write"));
        const ours = claimed;
        if (ours === undefined) return Effect.fail(failed("nobody claimed the journal; call open first"));
        return store.owner?.epoch === ours.epoch ? body(ours) : Effect.fail(fenced(ours));
      });

    const open = (info: OwnerInfo) =>
      Effect.suspend((): Effect.Effect<Opened, JournalOwned | JournalError> => {
        if (reader) return Effect.fail(failed("a reader claims nothing; open it without `reader`"));
        claimed = undefined;
        connected = false;
        const next = Claim.claim(where, store.owner, info);
        const released = Claim.isReleased(store.owner);
        if (next instanceof JournalOwned) return Effect.fail(next);
        claimed = next;
        connected = true;
        store.owner = next;
        store.openedBy(next.epoch, info);
        return Effect.succeed({ epoch: next.epoch, counters: store.counters(), latestAt: store.latestAt, released });
      });

    const commit = (turn: Turn) =>
      owning(() => {
        const before = faults.beforeCommit?.(turn);
        if (before !== undefined) return Effect.fail(before);
        const wrong = store.refuses(turn);
        if (wrong !== undefined) return Effect.fail(failed(wrong));
        store.apply(turn);
        const after = faults.afterCommit?.(turn);
        return after === undefined ? Effect.void : Effect.fail(after);
      });

    const journal: Journal = {
      open,
      reopen: owning(() => Effect.succeed<Counters>(store.counters())),
      renew: (now) =>
        owning((ours) =>
          Effect.sync(() => {
            store.owner = { ...ours, until: now + (ours.until - ours.since) };
          }),
        ),
      release: Effect.sync(() => {
        if (claimed !== undefined && store.owner?.epoch === claimed.epoch) store.owner = { ...store.owner, until: 0 };
        claimed = undefined;
      }),
      commit,
      actors: (addresses) => reading(() => present(new Set(addresses), (address) => store.actorAt(address))),
      actorsById: (ids) => reading(() => present(new Set(ids), (id) => store.actor(id))),
      keys: (wanted) => reading(() => present(new Set(wanted.map((row) => store.keyOf(row))), (key) => store.keys.get(key))),
      entries: (filter) => reading(() => store.entries.list(filter)),
      laneHeads: (outbox) => reading(() => store.entries.laneHeads(outbox)),
      laneEntries: (filter) => reading(() => store.entries.laneEntries(filter)),
      entryCounts: (outbox) => reading(() => store.entries.counts(outbox)),
      // Nobody else has a transaction in memory.
      posted: () => reading(() => []),
      names: (wanted) => reading(() => present(new Set(wanted.map((row) => store.nameOf(row))), (name) => store.names.get(name))),
      due: (until, limit) => reading(() => store.due(until, limit)),
      nextWakeAfter: (after) => reading(() => store.nextWakeAfter(after)),
      mail: (after, limit) => reading(() => page(store.mail.values(), after, limit)),
      effects: (after, limit) => reading(() => page(store.effects.values(), after, limit)),
      list: (filter) => reading(() => store.list(filter)),
      counts: reading(() => store.counts()),
      history: (address, after, limit) => reading(() => store.historyOf(address, after, limit)),
      changes: (after, limit) => reading(() => store.changes(after, limit)),
      deadLetters: (filter) => reading(() => store.lettersBy(filter)),
      deadLetterCount: reading(() => store.deadLetters.size),
      attempts: reading(() => [...store.attempts.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row)),
      machines: reading(() => [...store.machines.values()].sort((a, b) => a.at - b.at || (a.hash < b.hash ? -1 : 1))),
      owner: reading(() => store.owner),
      ages: (after, limit) => reading(() => store.ages(after, limit)),
      descendants: (ids, limit) => reading(() => store.descendants(ids, limit)),
      held: (addresses, since) => reading(() => store.held(addresses, since)),
      checkpoint: (address) => reading(() => store.checkpoint(address)),
      prune: (pruning) => owning(() => Effect.sync(() => store.prune(pruning))),
      buildOf: (address) => reading(() => store.buildOf(address)),
      pruneKeys: (before, limit) => owning(() => Effect.sync(() => store.pruneKeys(before, limit))),
    };
    return journal;
  });

const present = <Key, Row>(wanted: Iterable<Key>, find: (key: Key) => Row | undefined): ReadonlyArray<Row> => {
  const rows: Array<Row> = [];
  for (const key of wanted) {
    const row = find(key);
    if (row !== undefined) rows.push(row);
  }
  return rows;
};

/** Rows are kept in the order of their ids. */
const page = <Row extends { readonly id: number }>(rows: Iterable<Row>, after: number, limit: number): ReadonlyArray<Row> => {
  const found: Array<Row> = [];
  for (const row of rows) {
    if (found.length >= limit) break;
    if (row.id > after) found.push(row);
  }
  return found;
};

export const layer = (options: MemoryOptions = {}): Layer.Layer<Journal> => Layer.effect(Journal, make(options));
