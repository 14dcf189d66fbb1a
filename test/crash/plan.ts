import type { Journey, Kill } from "./journey.ts";
import { random } from "./random.ts";

type Work = Journey["work"];

/** Places that both kinds of work reach, with the occurrences up to which a kill falls into the middle of the work. */
const spans: Readonly<Record<Work, Readonly<Record<string, number>>>> = {
  tasks: {
    "turn.loaded": 70,
    "turn.stepped": 70,
    "turn.committed": 70,
    "turn.told": 70,
    "effect.started": 40,
    "effect.ended": 40,
    "sql.begin": 70,
    "sql.statement": 700,
    "sql.commit": 70,
    "sql.committed": 70,
  },
  bank: {
    "turn.loaded": 20,
    "turn.stepped": 20,
    "turn.committed": 20,
    "turn.told": 20,
    "effect.started": 60,
    "effect.ended": 60,
    "activity.started": 8,
    "activity.ended": 8,
    "sql.begin": 20,
    "sql.statement": 300,
    "sql.commit": 20,
    "sql.committed": 20,
    "sql.checkpoint": 6,
  },
};

/** Places that a process reaches while it takes up what an earlier one left: the second kill of a double one. */
const recovery: Readonly<Record<string, number>> = {
  "recovery.page": 1,
  "sql.begin": 3,
  "sql.statement": 20,
  "sql.commit": 3,
  "sql.committed": 3,
  "turn.loaded": 3,
  "turn.stepped": 3,
  "turn.committed": 3,
  "turn.told": 3,
  "effect.started": 4,
  "effect.ended": 4,
};

/** Milliseconds after its first statement within which a run is killed at random. */
const timeSpan: Readonly<Record<Work, number>> = { tasks: 900, bank: 300 };

/**
 * `count` journeys; four kills each: in the middle of the work, in the recovery from that, in the middle again, and at
 * a random moment (there also one of the workers instead of the engine). The first and the third go through all places in turn. More than five kills would not do: a task
 * whose worker is lost that often counts as the cause and is given up.
 */
export const plan = (work: Work, count: number, seed: number, first = 1): ReadonlyArray<Journey> => {
  const span = Object.entries(spans[work]);
  const recoverySpan = Object.entries(recovery);
  return Array.from({ length: count }, (_, index) => {
    const number = first + index;
    const own = seed * 1_000 + number;
    const { between } = random(own);
    const at = (list: ReadonlyArray<[string, number]>, turn: number, scale: number): Kill => {
      const [place, most] = list[turn % list.length] as [string, number];
      return { place, occurrence: between(1, Math.max(1, Math.round(most * scale))) };
    };
    const later = { afterMs: between(0, timeSpan[work]), target: work === "tasks" && number % 3 === 0 ? "worker" : "engine" } as const;
    const kills: ReadonlyArray<Kill> = [at(span, number, 1), at(recoverySpan, number, 1), at(span, number + 5, 0.6), later];
    // Every third one over reads that take a while: then more happens between reading and acting.
    return { name: `${work}-${number}`, work, seed: own, kills, ...(number % 3 === 0 ? { plant: "slow" as const } : {}) };
  });
};

export const placeOf = (kill: Kill): string => ("place" in kill ? kill.place : kill.target === "worker" ? "a worker" : "random moment");

export const killText = (kill: Kill): string => ("place" in kill ? `${kill.place}:${kill.occurrence}` : `${kill.target === "worker" ? "a worker " : ""}${kill.afterMs} ms`);
