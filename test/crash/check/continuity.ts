import { createHash } from "node:crypto";
import type { Evidence } from "./evidence.ts";
import type { Violate } from "./scene.ts";

/** What a check leaves for the next one over the same journal. */
export interface Mark {
  readonly epoch: number;
  /** The highest history id. */
  readonly entries: number;
  /** Of all history up to there. */
  readonly digest: string;
}

const digestOf = (evidence: Evidence, upTo: number): string => {
  const hash = createHash("sha256");
  for (const row of evidence.history) if (row.id <= upTo) hash.update(`${JSON.stringify(row)}\n`);
  return hash.digest("hex");
};

/** History is only added to, and the owner's epoch grows with each engine that opened the journal (`wasOpened`: one did since). */
export const checkContinuity = (evidence: Evidence, earlier: Mark | undefined, wasOpened: boolean, violate: Violate): Mark => {
  const entries = evidence.history.at(-1)?.id ?? 0;
  const epoch = evidence.owner?.epoch ?? 0;
  const least = (earlier?.epoch ?? 0) + (wasOpened ? 1 : 0);
  if (epoch < least) violate(`the owner's epoch is ${epoch}, it must be ${least} or more`);
  if (earlier !== undefined) {
    if (digestOf(evidence, earlier.entries) !== earlier.digest) violate(`the history up to entry ${earlier.entries} is not what it was`);
  }
  return { epoch, entries, digest: digestOf(evidence, entries) };
};
