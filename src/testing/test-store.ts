import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import * as Scope from "effect/Scope";
import { type Journal, type JournalError, MemoryJournal, MemoryStore, SqliteJournal } from "../journal/index.ts";

export type StoreKind = "memory" | "sqlite";

/** Where the journals of one test keep their rows: it outlives them, as a disk outlives processes. */
export interface TestStore {
  readonly kind: StoreKind;
  /** A handle of its own, as another process would have one. A reader claims nothing. */
  readonly connect: (options?: { readonly reader?: boolean }) => Promise<Journal>;
  /** What goes wrong at commits, in memory only; may be changed while an engine runs. */
  readonly faults: MemoryJournal.MemoryFaults;
  /** The database, where there is one. */
  readonly file: string | undefined;
  /** Closes all handles and removes the rows. */
  readonly dispose: () => Promise<void>;
}

const makeStore = (
  kind: StoreKind,
  file: string | undefined,
  faults: MemoryJournal.MemoryFaults,
  make: (reader: boolean) => Effect.Effect<Journal, JournalError, Scope.Scope>,
  clean: () => void,
): TestStore => {
  const scope = Effect.runSync(Scope.make());
  return {
    kind,
    file,
    faults,
    connect: ({ reader = false } = {}) => Effect.runPromise(Scope.extend(make(reader), scope)),
    dispose: async () => {
      await Effect.runPromise(Scope.close(scope, Exit.void));
      clean();
    },
  };
};

export const memoryStore = (): TestStore => {
  const store = new MemoryStore();
  const faults: MemoryJournal.MemoryFaults = {};
  return makeStore(
    "memory",
    undefined,
    faults,
    (reader) => MemoryJournal.make({ store, faults, reader }),
    () => {},
  );
};

/** A SQLite file in a folder of its own. Tests survive no power failure, so fsync is left out unless it is asked for. */
export const sqliteStore = (options: Partial<SqliteJournal.SqliteOptions> = {}): TestStore => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "taskwright-test-"));
  const file = path.join(folder, "journal.db");
  return makeStore(
    "sqlite",
    file,
    {},
    (reader) => SqliteJournal.make({ file, reader, synchronous: "OFF", ...options }),
    () => fs.rmSync(folder, { recursive: true, force: true }),
  );
};

export const testStore = (kind: StoreKind): TestStore => (kind === "memory" ? memoryStore() : sqliteStore());
