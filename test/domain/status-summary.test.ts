import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { emptySummary, isOver, moved, pictureKey, type SummaryState, summaryKey, summaryStateOf, summaryStates, withFailure } from "../../src/domain/status-summary.ts";

describe("domain > status summary", () => {
  test("has a word for each state of a task", () => {
    const states = ["waiting", "queued", "backingOff", "paused", "assigned", "running", "parked", "verifying", "done", "failed", "expired", "dead", "cancelled", "news"];
    expect(states.map(summaryStateOf)).toEqual([
      "queued",
      "queued",
      "queued",
      "queued",
      "leased",
      "running",
      "needsInput",
      "needsVerification",
      "done",
      "failed",
      "failed",
      "dead",
      "cancelled",
      "queued",
    ]);
    expect(summaryStates.filter(isOver)).toEqual(["done", "failed", "dead", "cancelled"]);
  });
  test("counts each task once, wherever it goes", () => {
    const move = fc.tuple(fc.nat(5), fc.constantFrom(...summaryStates));
    fc.assert(
      fc.property(fc.array(move), (moves) => {
        const where = new Map<number, SummaryState>();
        let summary = emptySummary;
        for (const [task, to] of moves) {
          summary = moved(summary, where.get(task), to);
          where.set(task, to);
        }
        for (const state of summaryStates) expect(summary[state]).toBe([...where.values()].filter((other) => other === state).length);
      }),
    );
  });
  test("is one word: the same counts, the same word", () => {
    expect(summaryKey(emptySummary)).toBe("0:0:0:0:0:0:0:0:0");
    expect(summaryKey(moved(moved(emptySummary, undefined, "queued"), "queued", "running"))).toBe("0:0:1:0:0:0:0:0:0");
  });
  test("a failure picture is the same for the same failures in any order, and another one after each further one", () => {
    const failures = [
      ["dead", "timeout"],
      ["failed", "receipt"],
      ["dead", "timeout"],
    ] as const;
    const keyOf = (list: ReadonlyArray<readonly [SummaryState, string]>) => pictureKey(list.reduce((picture, [state, code]) => withFailure(picture, state, code), {}));
    expect(keyOf(failures)).toBe("dead timeout 2, failed receipt 1");
    expect(keyOf([...failures].reverse())).toBe(keyOf(failures));
    expect(new Set([[], failures.slice(0, 1), failures.slice(0, 2), failures].map(keyOf)).size).toBe(4);
  });
});
