import * as Effect from "effect/Effect";
import { type Journal, MemoryJournal, MemoryStore } from "../../src/journal/index.ts";
import { sqliteStore } from "../../src/testing/test-store.ts";
import { post } from "./post.ts";
import { type Database, openDatabase } from "../crash/check/database.ts";

/** What is stored, as plain reads give it. */
export interface Stored {
  readonly actors: ReadonlyArray<StoredActor>;
  /** In the order of their ids. */
  readonly history: ReadonlyArray<StoredEntry>;
  readonly mail: ReadonlyArray<{ readonly id: number; readonly envelope: string }>;
  readonly effects: ReadonlyArray<{ readonly id: number; readonly actor: number; readonly seq: number; readonly action: string }>;
  readonly deadLetters: ReadonlyArray<{ readonly id: number; readonly address: string; readonly envelope: string; readonly error: string }>;
  /** What outboxes hold. */
  readonly entries: ReadonlyArray<{ readonly outbox: string; readonly seq: number; readonly key: string; readonly lane: string; readonly status: string; readonly attempts: number }>;
  readonly epoch: number;
  /** When the lease of the owner ends; 0: it was given up. */
  readonly until: number;
}
export interface StoredActor {
  readonly id: number;
  readonly address: string;
  readonly parent: number;
  readonly machine: string;
  readonly status: string;
  readonly token: number;
  readonly seq: number;
  readonly at: number;
  readonly state: string;
  readonly wake: number | undefined;
}
export interface StoredEntry {
  readonly id: number;
  readonly actor: number;
  readonly seq: number;
  readonly at: number;
  readonly type: string;
  readonly event: string;
  readonly outcome: string;
  readonly from: string;
  readonly stateHash: string;
}

/** A store that outlives the processes over it, with a way to read it that is not the engine's. */
export interface Store {
  readonly kind: "memory" | "sqlite";
  readonly memory: MemoryStore | undefined;
  readonly connect: () => Promise<Journal>;
  /** A handle that claims nothing. */
  readonly reader: () => Promise<Journal>;
  /** Everything that is stored; of history and dead letters what has a higher id. `seqs`: how far each actor is known. */
  readonly read: (known: { readonly history: number; readonly deadLetters: number; readonly seqs: ReadonlyMap<number, number> }) => Stored;
  /** One actor now, if it is there. */
  readonly actor: (address: string) => StoredActor | undefined;
  readonly entry: (actor: number, seq: number) => StoredEntry | undefined;
  /** Ids of the messages and of the actions that are owed. */
  readonly owed: () => { readonly mail: ReadonlyArray<number>; readonly effects: ReadonlyArray<number> };
  readonly dispose: () => Promise<void>;
}

export const memory = (): Store => {
  const store = new MemoryStore();
  return {
    kind: "memory",
    memory: store,
    connect: () => Effect.runPromise(MemoryJournal.make({ store })),
    reader: () => Effect.runPromise(MemoryJournal.make({ store, reader: true })),
    read: ({ history, deadLetters, seqs }) => {
      const actors = store.list({ limit: Number.MAX_SAFE_INTEGER });
      const moved = actors.filter(({ id, seq }) => seqs.get(id) !== seq);
      return {
        actors,
        history: moved
          .flatMap(({ address, id }) => store.historyOf(address, seqs.get(id) ?? 0, Number.MAX_SAFE_INTEGER))
          .sort((left, right) => left.id - right.id)
          .filter(({ id }) => id > history),
        mail: [...store.mail.values()],
        effects: [...store.effects.values()],
        deadLetters: [...store.deadLetters.values()].filter(({ id }) => id > deadLetters),
        entries: store.entries.list({ outbox: post, limit: Number.MAX_SAFE_INTEGER }),
        epoch: store.owner?.epoch ?? 0,
        until: store.owner?.until ?? 0,
      };
    },
    actor: (address) => store.actorAt(address),
    entry: (actor, seq) => {
      const row = store.actor(actor);
      const [entry] = row === undefined ? [] : store.historyOf(row.address, seq - 1, 1);
      return entry?.seq === seq ? entry : undefined;
    },
    owed: () => ({ mail: [...store.mail.keys()], effects: [...store.effects.keys()] }),
    dispose: async () => {},
  };
};

const actorColumns =
  "SELECT a.id, a.address, a.parent, a.machine, a.status, a.token, s.seq, s.at, s.state, w.due AS wake FROM actors a JOIN states s ON s.actor = a.id LEFT JOIN wakes w ON w.actor = a.id";
const entryColumns = 'SELECT id, actor, seq, at, type, event, outcome, source AS "from", state_hash AS stateHash FROM history';

let warmed: Promise<void> | undefined;
/** Loads the driver: that takes real time, and no time may pass unseen in a simulated world. */
export const warmUp = (): Promise<void> => {
  warmed ??= (async () => {
    const store = sqliteStore();
    const journal = await store.connect();
    await Effect.runPromise(journal.open({ id: "warm", pid: 1, host: "", now: 1, leaseMs: 1, isAlive: () => false }));
    await store.dispose();
  })();
  return warmed;
};

/** A real SQLite file, without fsync: what is simulated here is the process, not the power. */
export const sqlite = (): Store => {
  const store = sqliteStore();
  let database: Database | undefined;
  let isMade = false;
  const all = <Row>(sql: string, ...params: ReadonlyArray<unknown>): ReadonlyArray<Row> => {
    database ??= openDatabase(store.file ?? "");
    isMade ||= database.all("SELECT 1 FROM sqlite_schema WHERE name = 'owner'").length > 0;
    if (!isMade) return [];
    return database.all<Row>(sql, ...params);
  };
  const present = (row: StoredActor | undefined) => (row === undefined ? undefined : { ...row, wake: row.wake ?? undefined });
  return {
    kind: "sqlite",
    memory: undefined,
    connect: () => store.connect(),
    reader: () => store.connect({ reader: true }),
    read: ({ history, deadLetters }) => {
      const [owner] = all<{ epoch: number; until: number }>("SELECT epoch, until FROM owner");
      return {
        actors: all<StoredActor>(`${actorColumns} ORDER BY a.id`).map((row) => present(row) as StoredActor),
        history: all(`${entryColumns} WHERE id > ? ORDER BY id`, history),
        mail: all("SELECT id, envelope FROM mail ORDER BY id"),
        effects: all("SELECT id, actor, seq, action FROM effects ORDER BY id"),
        deadLetters: all("SELECT id, address, envelope, error FROM dead_letters WHERE id > ? ORDER BY id", deadLetters),
        entries: all("SELECT outbox, seq, key, lane, status, attempts FROM entries"),
        epoch: owner?.epoch ?? 0,
        until: owner?.until ?? 0,
      };
    },
    actor: (address) => present(all<StoredActor>(`${actorColumns} WHERE a.address = ?`, address)[0]),
    entry: (actor, seq) => all<StoredEntry>(`${entryColumns} WHERE actor = ? AND seq = ?`, actor, seq)[0],
    owed: () => ({ mail: all<{ id: number }>("SELECT id FROM mail").map(({ id }) => id), effects: all<{ id: number }>("SELECT id FROM effects").map(({ id }) => id) }),
    dispose: async () => {
      database?.close();
      await store.dispose();
    },
  };
};
