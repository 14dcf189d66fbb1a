import { beforeAll, describe, expect, test, vi } from "vitest";
import { features, mustBeTaken, rare } from "./coverage.ts";
import { search } from "./search.ts";

const { FUZZ_MACHINES, FUZZ_SEED, FUZZ_PATH } = process.env;
const machines = Number(FUZZ_MACHINES ?? 300);

describe("fuzz", () => {
  // A live actor warns of events for children that are over.
  beforeAll(() => void vi.spyOn(console, "warn").mockImplementation(() => {}));
  test(
    "generated machines do in an engine that is restarted between their events what they do as live actors",
    async () => {
      const { counts, failure } = await search({ machines, seed: Number(FUZZ_SEED ?? 11), ...(FUZZ_PATH === undefined ? {} : { path: FUZZ_PATH }) });
      if (failure !== undefined) expect.fail(failure);
      if (FUZZ_PATH !== undefined) return;
      if (FUZZ_MACHINES !== undefined) console.log(`${counts.machines} machines, ${counts.events} events, ${counts.steps} steps; ${counts.threw} sequences ended where a machine threw`);
      expect(counts.machines).toBe(machines);
      expect(
        features.filter((feature) => !counts.generated.has(feature)),
        "never generated",
      ).toEqual([]);
      expect(
        mustBeTaken.filter((feature) => !counts.taken.has(feature) && (machines >= 5_000 || !rare.includes(feature))),
        "never taken",
      ).toEqual([]);
    },
    60_000 + machines * 500,
  );

  // Each was once found to differ.
  test.each([
    ["a child is replaced by what its parent hears on its way out", 149, "37"],
    ["a deadline is for a child that began and ended within the step", 125, "246"],
  ] as const)("the same where %s", async (_, seed, path) => {
    const { counts, failure } = await search({ machines: 1, seed, path });
    expect([counts.machines, failure]).toEqual([1, undefined]);
  });
});
