import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import { crashMark, isAlive } from "../engine/index.ts";
import { type AttemptRow, type Counters, type Journal, type JournalError, SqliteJournal } from "../journal/index.ts";
import { type Refused, refused } from "./refused.ts";
import { isServer } from "./place-of-server.ts";
import { openReader } from "./stored-tasks.ts";

/** A journal that a command has for itself, to write what the next engine is to do. */
export interface Claimed {
  readonly journal: Journal;
  readonly counters: Counters;
  /** What every turn must write: whoever opens the journal next must still know that the last engine crashed. */
  readonly attempts: ReadonlyArray<AttemptRow> | undefined;
}

/** The claim holds for so long: a command that is ended in the middle hands the journal back soon. */
const leaseMs = 10_000;

/** Claims a journal that is there and that no engine has. `instead`: the call to make where a host of one's own has it. */
export const claim = (database: string, instead: string): Effect.Effect<Claimed, JournalError | Refused, Scope.Scope> =>
  Effect.gen(function* () {
    if (isServer(database)) return yield* refused(`${database} is a server, and this command writes into a file; give --database, or ask the engine: ${instead}`);
    // An engine would make a file that is not there.
    yield* Effect.scoped(openReader(database));
    const journal = yield* SqliteJournal.make({ file: database });
    const now = yield* Clock.currentTimeMillis;
    const opened = yield* Effect.catchTag(journal.open({ id: randomUUID(), pid: process.pid, host: hostname(), now, leaseMs, isAlive }), "JournalOwned", (owned) =>
      Effect.fail(refused(`${owned.message}; or ask that engine: ${instead}; "--server URL" asks a server that has it`)),
    );
    yield* Effect.addFinalizer(() => Effect.ignore(journal.release));
    return { journal, counters: opened.counters, attempts: opened.released ? undefined : [crashMark(yield* journal.attempts)] };
  });
