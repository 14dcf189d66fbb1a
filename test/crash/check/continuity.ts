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

/** History is only added to, and an owner's epoch only grows. */
export const checkContinuity = (evidence: Evidence, earlier: Mark | undefined, violate: Violate): Mark => {
  const entries = evidence.history.at(-1)?.id ?? 0;
  const epoch = evidence.owner?.epoch ?? 0;
  if (earlier !== undefined) {
    if (epoch < earlier.epoch) violate(`the owner's epoch was ${earlier.epoch} and is ${epoch}`);
    if (digestOf(evidence, earlier.entries) !== earlier.digest) violate(`the history up to entry ${earlier.entries} is not what it was`);
  }
  return { epoch, entries, digest: digestOf(evidence, entries) };
};
