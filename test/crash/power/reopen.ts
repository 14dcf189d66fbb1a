import * as Effect from "effect/Effect";
import { join } from "node:path";
import { SqliteJournal } from "../../../src/journal/index.ts";

/** Opens a copy of what is left as the program itself does: first to look at it, then to work with it. Says what refuses. */
export const reopen = (folder: string): Promise<string | undefined> => {
  const file = join(folder, "work.db");
  const look = SqliteJournal.make({ file, reader: true }).pipe(
    // Before the whole layout is stored there is nothing to look at: a new file gets it in steps, an engine takes the rest.
    Effect.catchIf(
      (error) => error.reason === "missing" || error.detail.startsWith("its layout has version"),
      () => Effect.void,
    ),
  );
  const work = Effect.flatMap(SqliteJournal.make({ file }), (journal) =>
    Effect.zipRight(journal.open({ id: "again", pid: process.pid, host: "elsewhere", now: Date.now() + 3_600_000, leaseMs: 10_000, isAlive: () => false }), journal.release),
  );
  return Effect.runPromise(
    Effect.match(Effect.zipRight(Effect.scoped(look), Effect.scoped(work)), {
      onSuccess: () => undefined,
      onFailure: (error) => error.message,
    }),
  );
};
