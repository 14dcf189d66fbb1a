import * as Effect from "effect/Effect";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { type Journal, SqliteJournal } from "../../src/journal/index.ts";
import * as Driver from "../../src/journal/driver.ts";
import type { CommitFaults } from "../../src/testing/journal-conformance.ts";

/** A folder of its own for one test. */
export const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "taskwright-journal-"))),
  (dir) => Effect.sync(() => fs.rmSync(dir, { recursive: true, force: true })),
);

export type DriverName = Driver.Driver["name"];

/** Why a driver can't be tested on this Node, or nothing. */
export const unavailable = async (name: DriverName): Promise<string | undefined> => {
  if (name === "better-sqlite3" && Driver.defaultSources.nodeMajor > 22) return `better-sqlite3 12 aborts on Node ${process.versions.node}`;
  const chosen = await Effect.runPromise(Effect.either(Driver.choose(name, "test")));
  return chosen._tag === "Left" ? chosen.left.detail : undefined;
};

/** A journal whose commits can fail, before anything or after everything was stored. */
export const withFaults = (journal: Journal, faults: CommitFaults): Journal => ({
  ...journal,
  commit: (turn) =>
    Effect.gen(function* () {
      const before = faults.beforeCommit?.(turn);
      if (before !== undefined) return yield* before;
      yield* journal.commit(turn);
      const after = faults.afterCommit?.(turn);
      if (after !== undefined) return yield* after;
    }),
});

export { SqliteJournal };
