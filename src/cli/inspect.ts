import * as Effect from "effect/Effect";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { systemTime } from "../engine/index.ts";
import { fileSource, inspect, journalSource, listenOnLoopback } from "../inspector/index.ts";
import type { JournalError } from "../journal/index.ts";
import { type HistoryFile, readHistories } from "../replay/index.ts";
import { makeInterrupts, type SignalSource } from "./interrupts.ts";
import { entriesOfFiles } from "./machine-files.ts";
import { type Refused, refused } from "./refused.ts";
import { openReader } from "./stored-tasks.ts";
import type { Streams } from "./streams.ts";

export interface InspectOptions {
  /** A history file. Absent: the journal. */
  readonly file: string | undefined;
  readonly database: string;
  readonly machines: ReadonlyArray<string>;
  /** 0: a free one. */
  readonly port: number;
}

/** `taskwright inspect`: shows a journal or a history file in the browser, until it is interrupted. */
export const inspectCommand = ({ file, database, machines, port }: InspectOptions, streams: Streams, signals: SignalSource): Effect.Effect<void, JournalError | Refused> =>
  Effect.scoped(
    Effect.gen(function* () {
      const given = yield* entriesOfFiles(machines);
      const name = basename(file ?? database);
      const source = file === undefined ? journalSource(yield* openReader(database), name, systemTime()) : fileSource(yield* readFileOf(file), name);
      const inspector = inspect(source, given);
      const listening = yield* Effect.acquireRelease(
        Effect.tryPromise({ try: () => listenOnLoopback(inspector, port), catch: (error) => refused(`port ${port} can't be used: ${error instanceof Error ? error.message : String(error)}`) }),
        ({ close }) => Effect.promise(close),
      );
      const interrupts = yield* makeInterrupts(signals);
      streams.out(`${name} is shown at ${listening.url} until you press Ctrl+C\n`);
      yield* interrupts.first;
    }),
  );

const readFileOf = (file: string): Effect.Effect<HistoryFile, Refused> =>
  Effect.gen(function* () {
    const text = yield* Effect.tryPromise({ try: () => readFile(file, "utf8"), catch: (error) => refused(`${file} can't be read: ${error instanceof Error ? error.message : String(error)}`) });
    return yield* Effect.try({ try: () => readHistories(text), catch: (error) => refused(`${file}, ${error instanceof Error ? error.message : String(error)}`) });
  });
