import * as Effect from "effect/Effect";
import * as fs from "node:fs";
import * as path from "node:path";
import { JournalError } from "./errors.ts";

/**
 * Which file a path leads to: the same path may lead to another file later (a backup copied over it, a deletion).
 * SQLite would go on writing to the old file, which nobody finds again, and answer that all is stored.
 */
export interface Identity {
  readonly device: bigint;
  readonly inode: bigint;
}

/** Looks at a path, without opening it: what is there, nothing, or why it can't be told. */
const look = (file: string): fs.BigIntStats | undefined => fs.statSync(file, { bigint: true, throwIfNoEntry: false });

/** Refuses a path at which no journal can be, before a driver creates or changes anything there. */
export const check = (file: string, mustExist: boolean): Effect.Effect<void, JournalError> =>
  Effect.suspend(() => {
    const refuse = (reason: "missing" | "foreign" | "readonly", detail: string, cause?: unknown) => Effect.fail(new JournalError({ reason, where: file, detail, cause }));
    try {
      const found = look(file);
      if (found !== undefined) return found.isFile() ? Effect.void : refuse("foreign", found.isDirectory() ? "this is a folder" : "this is no regular file");
      if (mustExist) return refuse("missing", "there is no such file");
      return look(path.dirname(file))?.isDirectory() ? Effect.void : refuse("missing", `the folder ${path.dirname(file)} does not exist`);
    } catch (error) {
      return refuse("readonly", error instanceof Error ? error.message : String(error), error);
    }
  });

/** Nothing where nothing is. */
export const identityOf = (file: string): Identity | undefined => {
  const found = look(file);
  return found && { device: found.dev, inode: found.ino };
};

/**
 * Takes the write-ahead log away from a path at which another database stands by now, if it is still the one that was
 * opened, and keeps a copy: SQLite would write it over that database, when it closes or at the next open, and make of
 * both a third one that never was.
 */
export const setAside = (log: string, opened: Identity, copy: string): void => {
  try {
    const found = identityOf(log);
    if (found?.inode !== opened.inode || found.device !== opened.device) return;
    fs.copyFileSync(log, copy);
    fs.truncateSync(log);
  } catch {
    // It is gone already, or there is no space for a copy: then it stays.
  }
};

export const identify = (file: string): Effect.Effect<Identity, JournalError> =>
  Effect.suspend(() => {
    const found = look(file);
    return found === undefined
      ? Effect.fail(new JournalError({ reason: "missing", where: file, detail: "the file was deleted while it was being opened" }))
      : Effect.succeed({ device: found.dev, inode: found.ino });
  });

/** Fails if the path no longer leads to the file that was opened. About 5 µs. */
export const verify = (file: string, opened: Identity): Effect.Effect<void, JournalError> =>
  Effect.suspend(() => {
    const found = look(file);
    if (found?.ino === opened.inode && found.dev === opened.device) return Effect.void;
    return Effect.fail(
      new JournalError({ reason: "replaced", where: file, detail: found === undefined ? "the file was deleted or moved away under the engine" : "another file was put in its place under the engine" }),
    );
  });
