import { describe, expect, test } from "vitest";
import { retriedOutcomes, workerOutcomeOf } from "../../src/domain/worker-outcome.ts";

describe("domain > worker outcome", () => {
  test("each word of a runtime has its meaning; one that nobody knows is no success", () => {
    expect(["ok", "success", "Completed ", "error", "TIMEOUT", "killed", "reset", "deleted", "unknown", "great", "", undefined, 7].map(workerOutcomeOf)).toEqual([
      "ok",
      "ok",
      "ok",
      "error",
      "timeout",
      "killed",
      "reset",
      "deleted",
      "unknown",
      "unknown",
      "unknown",
      "unknown",
      "unknown",
    ]);
  });
  test("errors and time-outs are tried again where nobody says otherwise", () => {
    expect(retriedOutcomes).toEqual(["error", "timeout"]);
  });
});
