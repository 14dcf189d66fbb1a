import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import type { IncomingMessage } from "../domain/incoming.ts";

/** What an endpoint's process must not forget: what it is about to accept, and what it is about to answer. */
export interface Remembered {
  readonly assignment: string;
  readonly message: IncomingMessage;
  /** Present once it was made: it is sent as it is, also by a later process. */
  readonly reply?: { readonly content: unknown };
}

export interface Memory {
  readonly all: () => ReadonlyArray<Remembered>;
  /** Returns when it is on disk. */
  readonly put: (entry: Remembered) => void;
  readonly remove: (assignment: string) => void;
}

/** Gone with its process: what was accepted and not answered is offered to nobody else, and expires. */
export const volatileMemory = (): Memory => {
  const entries = new Map<string, Remembered>();
  return { all: () => [...entries.values()], put: (entry) => void entries.set(entry.assignment, entry), remove: (assignment) => void entries.delete(assignment) };
};

/** Lines that a file may have beyond its entries before it is written anew. */
const slackMax = 1_000;

/** A file of one JSON value per line, the later one of an assignment counts. A line that was cut by a crash is none. */
export const fileMemory = (path: string): Memory => {
  const entries = new Map<string, Remembered>();
  let lines = 0;
  for (const line of existsSync(path) ? readFileSync(path, "utf8").split("\n") : []) {
    try {
      const { assignment, entry } = JSON.parse(line) as { readonly assignment: string; readonly entry: Remembered | null };
      if (entry === null) entries.delete(assignment);
      else entries.set(assignment, entry);
      lines++;
    } catch {
      // The process ended while it was written, so nobody acted on it.
    }
  }
  const text = (assignment: string, entry: Remembered | null) => `${JSON.stringify({ assignment, entry })}\n`;
  const synced = (file: number, content: string) => {
    writeSync(file, content);
    fsyncSync(file);
  };
  let file: number;
  const rewrite = () => {
    const next = openSync(`${path}.next`, "w");
    synced(next, [...entries.values()].map((entry) => text(entry.assignment, entry)).join(""));
    renameSync(`${path}.next`, path);
    lines = entries.size;
    return next;
  };
  file = rewrite();
  const write = (assignment: string, entry: Remembered | null) => {
    synced(file, text(assignment, entry));
    if (++lines <= entries.size + slackMax) return;
    closeSync(file);
    file = rewrite();
  };
  return {
    all: () => [...entries.values()],
    put: (entry) => {
      entries.set(entry.assignment, entry);
      write(entry.assignment, entry);
    },
    remove: (assignment) => {
      if (entries.delete(assignment)) write(assignment, null);
    },
  };
};
