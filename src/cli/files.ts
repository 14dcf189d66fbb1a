import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { isAlive } from "../engine/index.ts";
import { backup, examine, type JournalError, type JournalOwned, restore, vacuum } from "../journal/index.ts";
import { type Refused, refused } from "./refused.ts";
import type { Streams } from "./streams.ts";

interface Target {
  readonly database: string;
  readonly json: boolean;
}

/** The claim holds for so long: a command that is ended in the middle hands the journal back soon. */
const leaseMs = 10_000;

const counted = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`;

/** `taskwright backup FILE`. */
export const backupCommand = (to: string, { database, json }: Target, streams: Streams): Effect.Effect<void, JournalError> =>
  Effect.map(backup(database, to), (made) =>
    streams.out(
      json
        ? `${JSON.stringify({ file: to, ...made })}\n`
        : `${to}: ${counted(made.actors, "actor", "actors")}, ${counted(made.entries, "history entry", "history entries")}, ${made.bytes} bytes; checked\n`,
    ),
  );

/** `taskwright restore FILE`. */
export const restoreCommand = (from: string, { database, json }: Target, streams: Streams): Effect.Effect<void, JournalError> =>
  Effect.map(restore(from, database), (made) =>
    streams.out(json ? `${JSON.stringify({ file: database, ...made })}\n` : `${database}: restored from ${from}, ${counted(made.actors, "actor", "actors")}\n`),
  );

/** `taskwright vacuum`. */
export const vacuumCommand = ({ database, json }: Target, streams: Streams): Effect.Effect<void, JournalError | JournalOwned> =>
  Effect.scoped(
    Effect.gen(function* () {
      // An engine would make a file that is not there.
      yield* examine(database);
      const now = yield* Clock.currentTimeMillis;
      const { before, after } = yield* vacuum(database, { id: randomUUID(), pid: process.pid, host: hostname(), now, leaseMs, isAlive });
      streams.out(json ? `${JSON.stringify({ before, after })}\n` : `${database}: ${before} bytes before, ${after} now\n`);
    }),
  );

export interface DoctorOptions extends Target {
  /** Also step every history again. */
  readonly histories: boolean;
  readonly machines: ReadonlyArray<string>;
}

/** `taskwright doctor`. Succeeds with the exit code: 0 where nothing was found, 1 otherwise. */
export const doctor = ({ database, json, histories, machines }: DoctorOptions, streams: Streams): Effect.Effect<number, JournalError | Refused> =>
  Effect.gen(function* () {
    if (machines.length > 0 && !histories) return yield* refused("--machines is for --histories: give both");
    const { problems, actors, entries } = yield* examine(database);
    if (json && !histories) streams.out(`${JSON.stringify({ problems, actors, entries })}\n`);
    if (!json) {
      for (const problem of problems) streams.out(`${problem}\n`);
      const what = `${counted(actors, "actor", "actors")}, ${counted(entries, "history entry", "history entries")}`;
      streams.out(
        problems.length === 0 ? `${database}: nothing contradicts itself (${what})\n` : `${counted(problems.length, "problem", "problems")}; keep the file as it is, and go on with a backup\n`,
      );
    }
    if (!histories) return problems.length === 0 ? 0 : 1;
    const { replayCommand } = yield* Effect.promise(() => import("./replay.ts"));
    // One object, whatever was looked at.
    const replayed = json ? { ...streams, out: (text: string) => streams.out(`${JSON.stringify({ problems, actors, entries, replay: JSON.parse(text) as unknown })}\n`) } : streams;
    const differing = yield* replayCommand({ id: undefined, all: true, to: undefined, verify: true, machines, database, json }, replayed);
    return problems.length === 0 ? differing : 1;
  });
