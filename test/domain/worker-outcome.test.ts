import { describe, expect, test } from "vitest";
import { workerOutcomeOf } from "../../src/domain/worker-outcome.ts";

describe("domain > worker outcome", () => {
  test.each([
    [["ok", "success", "Completed "], "ok"],
    [["error"], "error"],
    [["TIMEOUT"], "timeout"],
    [["killed"], "killed"],
    [["reset"], "reset"],
    [["deleted"], "deleted"],
    [["max_turns_exceeded", "maxTurnsExceeded"], "maxTurnsExceeded"],
    [["unknown", "great", "", undefined, 7], "unknown"],
  ])("%j mean %s", (words, outcome) => {
    expect(words.map(workerOutcomeOf)).toEqual(words.map(() => outcome));
  });
});
