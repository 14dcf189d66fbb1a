import type { DurableMachine } from "../../src/engine/index.ts";
import { makeSchedulesInPromises, type NewSchedule } from "../../src/orchestration/index.ts";
import type { Source } from "./source.ts";

/** The machines of any schedules, as histories are stepped by them. */
export const scheduleMachines = (): ReadonlyArray<DurableMachine> => makeSchedulesInPromises().machines;

/** The schedules of one simulated process. */
export const schedulesOf = makeSchedulesInPromises;

/** A schedule with a handful of moments, so that a world comes to rest. `now`: by the clock of who is told. */
export const drawSchedule = (source: Source, now: number): NewSchedule => {
  const everyMs = source.pick("everyMs", [1_000, 2_000, 7_000, 60_000]);
  return {
    when: { everyMs, anchorMs: now - source.whole("anchorMs", 0, everyMs) },
    task: { input: { command: { argv: ["true"] }, cwd: "/" }, retry: { attemptsMax: 1 + source.whole("runRetries", 0, 1) }, executionTimeoutMs: 4_000 },
    overlap: source.pick("overlap", ["skip", "queue", "queue", "cancelFormer"]),
    missed: source.pick("missed", ["last", "all", "all", "none"]),
    jitterMs: source.pick("jitterMs", [0, 0, 600]),
    until: now + everyMs * source.whole("moments", 2, 12),
  };
};
