import * as Effect from "effect/Effect";
import { parseJson, parseState, type StoredState } from "../actor/index.ts";
import { type Address, livedAt, parentAddress } from "../domain/address.ts";
import type { HistoryEntry, HistoryStart, SentEvent, Taskwright } from "../engine/index.ts";
import type { ActorRow, CheckpointRow, HistoryRow, Journal, JournalError } from "../journal/index.ts";

/** One actor's past: everything that it was told, in order, and what became of each. Plain data. */
export interface History {
  /** Where it is. */
  readonly address: Address;
  /** Where it lived: an earlier incarnation of a child was moved to `address~id`. */
  readonly livedAt: Address;
  readonly machine: string;
  /** The form of the machine that the actor has now. */
  readonly version: string;
  readonly hash: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** From where it goes on, if retention has cut it. */
  readonly start?: HistoryStart;
  readonly entries: ReadonlyArray<HistoryEntry>;
  /** The state that is stored now; absent where it is not known, or can't be read. */
  readonly state?: StoredState;
}

/** Everything in a journal that a history is made of. */
export interface HistoryRows {
  readonly row: ActorRow;
  readonly rows: ReadonlyArray<HistoryRow>;
  readonly checkpoint: CheckpointRow | undefined;
}

/** Names the version of a form; empty where the journal does not know it. */
export type VersionOf = (hash: string) => string;

const entriesPage = 10_000;
const actorsPage = 500;

/** What stands in the place of an event that can't be read. */
export const unreadable = "taskwright.unreadable";

/** Stored rows as a history. Never throws: an event that is damaged stands there as `taskwright.unreadable`. */
export const historyOfRows = ({ row, rows, checkpoint }: HistoryRows, versionOf: VersionOf): History => {
  const { id, address, machine, hash, createdAt } = row;
  const state = stateOrNothing(row.state);
  const start = checkpoint === undefined ? undefined : startOf(checkpoint, versionOf);
  return {
    address,
    livedAt: livedAt(address, id),
    machine,
    version: versionOf(hash),
    hash,
    createdAt,
    ...(start === undefined ? {} : { start }),
    entries: rows.map(({ seq, at, type, event, outcome, from, stateHash }) => ({ seq, at, event: eventOf(event, type), outcome, from, stateHash })),
    ...(state === undefined ? {} : { state }),
  };
};

const eventOf = (json: string, type: string): SentEvent => {
  try {
    const event = parseJson(json) as SentEvent | null;
    return typeof event?.type === "string" ? event : { type: unreadable, was: type };
  } catch {
    return { type: unreadable, was: type };
  }
};

const stateOrNothing = (json: string): StoredState | undefined => {
  try {
    return parseState(json);
  } catch {
    return undefined;
  }
};

const startOf = ({ seq, at, hash, state, start }: CheckpointRow, versionOf: VersionOf): HistoryStart | undefined => {
  const stored = stateOrNothing(state);
  return stored === undefined ? undefined : { seq, at, version: versionOf(hash), hash, state: stored, input: start === "" ? undefined : (parseJson(start) as { readonly input?: unknown }).input };
};

/** All entries of one actor, in pages. */
const rowsOf = (journal: Journal, address: Address): Effect.Effect<ReadonlyArray<HistoryRow>, JournalError> =>
  Effect.gen(function* () {
    const first = yield* journal.history(address, 0, entriesPage);
    if (first.length < entriesPage) return first;
    const rows = [...first];
    for (let last = rows.length; last === entriesPage; ) {
      const page = yield* journal.history(address, rows.at(-1)?.seq ?? 0, entriesPage);
      rows.push(...page);
      last = page.length;
    }
    return rows;
  });

/** Which form has which version, from the charts in the journal. */
export const versionsIn = (journal: Journal): Effect.Effect<VersionOf, JournalError> =>
  Effect.map(journal.machines, (machines) => {
    const versions = new Map(machines.map(({ hash, version }) => [hash, version]));
    return (hash) => versions.get(hash) ?? "";
  });

/** The history of one row of a journal. */
export const historyOfRow = (journal: Journal, row: ActorRow, versionOf: VersionOf): Effect.Effect<History, JournalError> =>
  Effect.gen(function* () {
    const rows = yield* rowsOf(journal, row.address);
    // A history that is whole has no checkpoint that matters.
    const checkpoint = rows[0]?.seq === 1 ? undefined : yield* journal.checkpoint(row.address);
    return historyOfRows({ row, rows, checkpoint }, versionOf);
  });

/** The history of the actor at an address; nothing where nobody is. */
export const readHistory = (journal: Journal, address: Address): Effect.Effect<History | undefined, JournalError> =>
  Effect.gen(function* () {
    const [row] = yield* journal.actors([address]);
    return row === undefined ? undefined : yield* historyOfRow(journal, row, yield* versionsIn(journal));
  });

export interface HistoryFilter {
  /** Only actors of this machine. */
  readonly machine?: string | undefined;
  readonly status?: string | undefined;
}

/** Reads histories one after the other, in order of their row ids, and hands each to `use`. Answers how many. */
export const eachHistory = (journal: Journal, filter: HistoryFilter, use: (history: History, row: ActorRow) => void): Effect.Effect<number, JournalError> =>
  Effect.gen(function* () {
    const versionOf = yield* versionsIn(journal);
    let count = 0;
    for (let after = 0; ; ) {
      const page = yield* journal.list({ ...filter, after, limit: actorsPage });
      for (const row of page) use(yield* historyOfRow(journal, row, versionOf), row);
      count += page.length;
      const last = page.at(-1);
      if (last === undefined || page.length < actorsPage) return count;
      after = last.id;
      yield* Effect.yieldNow();
    }
  });

/** The history of an actor of a running engine. Rejects as `engine.snapshot` does. */
export const historyOf = async (engine: Taskwright, address: Address): Promise<History> => {
  const { machine, version, hash, createdAt } = await engine.snapshot(address);
  const start = await engine.historyStart(address);
  const entries: Array<HistoryEntry> = [];
  for (let after = 0; ; ) {
    const page = await engine.history(address, { after, limit: entriesPage });
    entries.push(...page.map((entry) => ({ ...entry, event: parseJson(JSON.stringify(entry.event)) as SentEvent })));
    const last = page.at(-1);
    if (last === undefined || page.length < entriesPage) break;
    after = last.seq;
  }
  const first = entries[0]?.seq ?? 1;
  return { address, livedAt: address, machine, version, hash, createdAt, ...(start === undefined || first === 1 ? {} : { start }), entries };
};

/** The address one level above the one at which it lived. */
export const parentOf = ({ livedAt }: Pick<History, "livedAt">): Address | undefined => parentAddress(livedAt);
