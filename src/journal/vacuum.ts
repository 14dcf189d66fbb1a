import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import * as fs from "node:fs";
import * as path from "node:path";
import * as Connection from "./connection.ts";
import * as Driver from "./driver.ts";
import type { JournalError, JournalOwned } from "./errors.ts";
import type { OwnerInfo } from "./journal.ts";
import { make } from "./sqlite.ts";

/** Gives pages that are not used any more back to the file system. No engine may have the journal meanwhile: it is claimed. */
export const vacuum = (file: string, owner: OwnerInfo): Effect.Effect<{ readonly before: number; readonly after: number }, JournalError | JournalOwned, Scope.Scope> =>
  Effect.gen(function* () {
    const where = path.resolve(file);
    const size = () => fs.statSync(where).size;
    const journal = yield* make({ file: where });
    yield* journal.open(owner);
    yield* Effect.addFinalizer(() => Effect.ignore(journal.release));
    const driver = yield* Driver.choose("auto", where);
    const before = size();
    const settings: Connection.ConnectionOptions = { file: where, reader: false, synchronous: "FULL" };
    const work = (open: Connection.Connection) =>
      Effect.gen(function* () {
        yield* Connection.tune(open, settings);
        yield* open.read("VACUUM");
        yield* open.read("PRAGMA wal_checkpoint(TRUNCATE)");
      });
    yield* Effect.acquireUseRelease(Connection.open(driver, settings), work, (open) => open.close);
    return { before, after: size() };
  });
