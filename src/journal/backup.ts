import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as fs from "node:fs";
import * as path from "node:path";
import * as Connection from "./connection.ts";
import * as Driver from "./driver.ts";
import { JournalError } from "./errors.ts";
import { examine } from "./examine.ts";
import * as File from "./file.ts";
import * as Schema from "./schema.ts";

export interface Backup {
  readonly bytes: number;
  readonly actors: number;
  readonly entries: number;
}

const reading = <A, E>(where: string, body: (connection: Connection.Connection) => Effect.Effect<A, E>): Effect.Effect<A, E | JournalError> =>
  Effect.gen(function* () {
    yield* File.check(where, true);
    const driver = yield* Driver.choose("auto", where);
    return yield* Effect.acquireUseRelease(Connection.open(driver, { file: where, reader: true, synchronous: "FULL" }), body, (open) => open.close);
  });

/** What was written is on the disk, and so is its name. */
const sync = (file: string): void => {
  for (const one of [file, path.dirname(file)]) {
    const descriptor = fs.openSync(one, "r");
    try {
      fs.fsyncSync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
  }
};

const failed = (where: string) => (cause: unknown) => new JournalError({ reason: "failed", where, detail: cause instanceof Error ? cause.message : String(cause), cause });

/**
 * Copies a journal into another file, also beside its engine: what was committed when it began, and nothing of what
 * came later. The copy is checked, and on the disk, before it has its name. Never writes over a file.
 */
export const backup = (from: string, to: string): Effect.Effect<Backup, JournalError> =>
  Effect.gen(function* () {
    const [source, target] = [path.resolve(from), path.resolve(to)];
    if (fs.existsSync(target)) return yield* new JournalError({ reason: "failed", where: target, detail: "there is a file already, and it is not written over: give another name, or move it away" });
    const made = `${target}.part`;
    const remove = Effect.sync(() => fs.rmSync(made, { force: true }));
    yield* remove;
    const copy = reading(source, (open) =>
      Effect.gen(function* () {
        const version = yield* Schema.inspect(open, source);
        if (version === 0) return yield* new JournalError({ reason: "missing", where: source, detail: "the database is empty: no engine has opened it yet" });
        yield* open.read("VACUUM INTO ?", [made]);
      }),
    );
    const settle = Effect.gen(function* () {
      const { problems, actors, entries } = yield* examine(made);
      if (problems.length > 0) return yield* new JournalError({ reason: "corrupt", where: source, detail: `the copy is not sound: ${problems[0]}` });
      yield* Effect.try({ try: () => [sync(made), fs.renameSync(made, target), sync(target)], catch: failed(target) });
      return { bytes: fs.statSync(target).size, actors, entries };
    });
    return yield* Effect.onExit(Effect.zipRight(copy, settle), (exit) => (Exit.isSuccess(exit) ? Effect.void : remove));
  });

/** Puts a backup in the place of a journal that is not there. The backup is checked before, and stays. */
export const restore = (from: string, to: string): Effect.Effect<Backup, JournalError> =>
  Effect.gen(function* () {
    const target = path.resolve(to);
    // First of all: what lies beside a journal is a part of it.
    if (fs.existsSync(target))
      return yield* new JournalError({
        reason: "failed",
        where: target,
        detail: "there is a journal already, and it is not written over: stop what works with it, and move it away, together with its -wal and -shm",
      });
    for (const rest of [`${target}-wal`, `${target}-shm`])
      if (fs.existsSync(rest)) return yield* new JournalError({ reason: "failed", where: rest, detail: "this belongs to another database; see to whom, and move it away" });
    const { problems } = yield* examine(path.resolve(from));
    if (problems.length > 0) return yield* new JournalError({ reason: "corrupt", where: from, detail: `it is not sound: ${problems[0]}` });
    return yield* backup(from, to);
  });
