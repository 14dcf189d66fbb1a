import fc from "fast-check";
import { createHash } from "node:crypto";
import type { AnyStateMachine } from "xstate";
import { encode } from "../../src/actor/index.ts";
import { hashOf } from "../../src/engine/index.ts";
import { Forms, type History } from "../../src/replay/index.ts";
import { stepThrough } from "../../src/replay/step-through.ts";
import { build } from "../fuzz/build.ts";
import { choices, family } from "../fuzz/chart.ts";
import type { Case } from "../fuzz/run.ts";

/** Generated machines with sequences of events: the same ones for the same seed, in every process. */
export const cases = (seed: number, count: number): ReadonlyArray<Omit<Case, "journal">> =>
  fc.sample(fc.record({ family, choices, restarts: fc.constantFrom("after each event" as const, "when it was offline" as const) }), { seed, numRuns: count });

export const machinesOfCase = ({ family }: Pick<Case, "family">): ReadonlyArray<AnyStateMachine> => build(family).machines;

/** The states to which histories lead when they are stepped here, as one fingerprint; throws where one is not what was stored. */
export const digestOf = (histories: ReadonlyArray<History>, machines: ReadonlyArray<AnyStateMachine>): string => {
  const forms = new Forms(machines);
  const digest = createHash("sha256");
  for (const history of histories)
    for (const { entry, after, wrong } of stepThrough(history, { forms })) {
      if (wrong[0] !== undefined) throw new Error(`${history.address}, entry ${entry.seq}: ${wrong[0].detail}`);
      digest.update(`${history.address} ${entry.seq} ${after === undefined ? "" : hashOf(encode(after))}\n`);
    }
  return digest.digest("hex");
};
