import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { randomUUID } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { isAlive } from "../engine/index.ts";
import { type JournalError, type JournalFenced, SqliteJournal } from "../journal/index.ts";
import { eachHistory, Forms, type History, type HistoryFileInvalid, historyOfRow, importHistories, type ImportRefused, readHistories, versionsIn, writeHistories } from "../replay/index.ts";
import { findActor } from "./address.ts";
import { entriesOfFiles } from "./machine-files.ts";
import { type Refused, refused } from "./refused.ts";
import { openReader } from "./stored-tasks.ts";
import type { Streams } from "./streams.ts";

export interface ExportCommand {
  /** Tasks' ids, or addresses. */
  readonly ids: ReadonlyArray<string>;
  readonly all: boolean;
  /** All actors of this machine. */
  readonly machine: string | undefined;
  readonly redact: ReadonlyArray<string>;
  readonly machines: ReadonlyArray<string>;
  readonly out: string | undefined;
  readonly database: string;
}

/** `taskwright export`: histories as JSON lines. */
export const exportCommand = ({ ids, all, machine, redact, machines, out, database }: ExportCommand, streams: Streams): Effect.Effect<void, JournalError | Refused> =>
  Effect.scoped(
    Effect.gen(function* () {
      if ([ids.length > 0, all, machine !== undefined].filter(Boolean).length !== 1)
        return yield* refused('give the IDs of actors, --machine, or --all: "taskwright export order/42 > order-42.jsonl"');
      const journal = yield* openReader(database);
      const forms = new Forms(yield* entriesOfFiles(machines));
      const versionOf = yield* versionsIn(journal);
      const histories: Array<History> = [];
      for (const id of ids) histories.push(yield* historyOfRow(journal, yield* findActor(journal, id, database), versionOf));
      if (ids.length === 0) yield* eachHistory(journal, machine === undefined ? {} : { machine }, (history) => histories.push(history));
      const text = writeHistories(histories, { charts: yield* journal.machines, ...(redact.length === 0 ? {} : { redact: { paths: redact, forms } }) });
      if (out === undefined) return streams.out(text);
      yield* Effect.tryPromise({ try: () => writeFile(out, text), catch: (error) => refused(`${out} can't be written: ${(error as Error).message}`) });
      streams.out(`${histories.length} ${histories.length === 1 ? "history" : "histories"} written to ${out}\n`);
    }),
  );

export interface ImportCommand {
  readonly file: string;
  readonly database: string;
}

const leaseMs = 10_000;

/** `taskwright import FILE`: puts histories into a journal. */
export const importCommand = ({ file, database }: ImportCommand, streams: Streams): Effect.Effect<void, JournalError | JournalFenced | HistoryFileInvalid | ImportRefused | Refused> =>
  Effect.scoped(
    Effect.gen(function* () {
      const text =
        file === "-"
          ? yield* Effect.promise(streams.input)
          : yield* Effect.tryPromise({ try: () => readFile(file, "utf8"), catch: (error) => refused(`${file} can't be read: ${(error as Error).message}`) });
      const histories = yield* Effect.try({ try: () => readHistories(text), catch: (error) => error as HistoryFileInvalid });
      const journal = yield* SqliteJournal.make({ file: database });
      const now = yield* Clock.currentTimeMillis;
      const opened = yield* Effect.catchTag(journal.open({ id: randomUUID(), pid: process.pid, host: hostname(), now, leaseMs, isAlive }), "JournalOwned", (owned) =>
        Effect.fail(refused(`${owned.message}; import into another file`)),
      );
      yield* Effect.addFinalizer(() => Effect.ignore(journal.release));
      const { imported, left } = yield* importHistories(journal, opened, histories);
      streams.out(`${imported} ${imported === 1 ? "actor" : "actors"} imported into ${database}\n`);
      if (left > 0) streams.out(`${left} left out: earlier incarnations of children\n`);
    }),
  );
