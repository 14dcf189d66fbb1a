import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { bundled } from "../bundle.ts";
import { openDatabase } from "../check/database.ts";
import type { Violation } from "../check/judgement.ts";
import type { Site } from "../journey.ts";
import { Owner } from "../owner.ts";
import { random } from "../random.ts";

/** What is done to the database file under a running engine. */
export type Replacement = "an older copy over it" | "another file moved there" | "deleted";
const replacements: ReadonlyArray<Replacement> = ["an older copy over it", "another file moved there", "deleted"];

export interface Replaced {
  /** By kind: how often the engine noticed, and the longest that it took. */
  readonly kinds: ReadonlyMap<Replacement, { cases: number; noticed: number; slowestMs: number }>;
  readonly violations: ReadonlyArray<Violation>;
}

const width = 2;
/** A copy is older than what the file says by then only after the log was moved into it. Milliseconds. */
const heartbeatMs = 300;
const noticeMs = 5_000;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Takes the file away from `count` engines in the middle of their work. */
export const replaceFiles = async (site: Site, count: number, seed: number): Promise<Replaced> => {
  const kinds = new Map<Replacement, { cases: number; noticed: number; slowestMs: number }>(replacements.map((kind) => [kind, { cases: 0, noticed: 0, slowestMs: 0 }]));
  const violations: Array<Violation> = [];
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < count; index = next++) {
      const kind = replacements[index % replacements.length] as Replacement;
      const tally = kinds.get(kind) as { cases: number; noticed: number; slowestMs: number };
      tally.cases++;
      const { wrong, tookMs } = await replaceOne(site, join(site.folder, `replaced-${index}`), kind, random(seed + index).between(3 * heartbeatMs, 5 * heartbeatMs));
      if (tookMs !== undefined) {
        tally.noticed++;
        tally.slowestMs = Math.max(tally.slowestMs, tookMs);
      }
      violations.push(...wrong.map((what) => ({ rule: "a replaced file is noticed, and nothing is stored any more", what: `${kind}: ${what}` })));
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  return { kinds, violations };
};

const replaceOne = async (site: Site, folder: string, kind: Replacement, afterMs: number): Promise<{ readonly wrong: ReadonlyArray<string>; readonly tookMs: number | undefined }> => {
  mkdirSync(folder);
  const [file, copy] = [join(folder, "work.db"), join(folder, "copy.db")];
  const open = () => new Owner({ program: bundled(site.dist, "test/crash/owner-process.js"), file, leaseMs: 10_000, heartbeatMs });
  const first = open();
  await first.heard("opened");
  first.tell("send before");
  await first.heard("sent", "before");
  first.tell("close");
  await first.ended;
  copyFileSync(file, copy);
  const owner = open();
  try {
    await owner.heard("opened");
    owner.tell("flood under");
    await owner.heard("sent", "under-3");
    await pause(afterMs);
    if (kind === "an older copy over it") copyFileSync(copy, file);
    else if (kind === "deleted") rmSync(file);
    else {
      copyFileSync(copy, join(folder, "other.db"));
      renameSync(join(folder, "other.db"), file);
    }
    const at = Date.now();
    const failed = await Promise.race([owner.heard("failed"), pause(noticeMs)]);
    if (failed === undefined) return { wrong: [`not noticed within ${noticeMs} ms`], tookMs: undefined };
    const tookMs = Date.now() - at;
    const wrong: Array<string> = [];
    const { error, state, reason } = failed as { error?: string; state?: string; reason?: string };
    if (error !== "EngineDegraded" || state !== "degraded" || reason !== "replaced") wrong.push(`the caller was told ${error}, the engine is ${state} because of ${reason}`);
    owner.tell("flood after");
    await Promise.race([owner.heard("failed", "after-1"), pause(noticeMs)]);
    if (!owner.lines.some(({ failed }) => failed === "after-1")) wrong.push("the next event was not refused");
    owner.tell("close");
    await Promise.race([owner.ended, pause(noticeMs)]);
    // What was put there is as it was put there, and a journal.
    if (kind !== "deleted") {
      if (!readFileSync(file).equals(readFileSync(copy))) wrong.push("the other file was written to");
      const database = openDatabase(file);
      const [{ events = 0 } = {}] = database.all<{ events: number }>("SELECT count(*) AS events FROM history WHERE type = 'ADD'");
      database.close();
      if (events !== 1) wrong.push(`the other file has ${events} events`);
    }
    return { wrong, tookMs };
  } finally {
    await owner.end();
  }
};
