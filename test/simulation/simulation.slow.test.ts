import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { replayed } from "../../src/testing/replayed.ts";
import { emptyTally, missed, runSeed, type Tally, tableOf } from "./campaign.ts";
import { hunt } from "./hunt.ts";
import { minimise, told } from "./minimise.ts";
import { plantedNames, plantedOf } from "./planted.ts";

/** On a machine that does much else. Milliseconds. */
const patienceMs = 600_000;

/** The command, as a user runs it: compiled code, in two processes. */
const simulate = async (...args: ReadonlyArray<string>): Promise<Tally> => {
  const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(new URL("simulate.mjs", import.meta.url)), ...args, "--json"], { maxBuffer: 64 * 1024 * 1024 }).catch(
    (error: { readonly stdout: string; readonly stderr: string }) => {
      if (error.stdout === "") throw new Error(error.stderr);
      return error;
    },
  );
  return JSON.parse(stdout) as Tally;
};

describe("simulation", () => {
  test(
    "500 seeds > violate nothing, reach every mark and fire every fault",
    async () => {
      const began = process.hrtime.bigint();
      const tally = await simulate("--seeds", "500");
      console.log(tableOf(tally, Number(process.hrtime.bigint() - began) / 1e6));
      expect(tally.violations.map(({ seed, invariant, what }) => `seed ${seed} violates ${invariant}: ${what}`).join("\n")).toBe("");
      expect(missed(tally).join("\n")).toBe("");
      expect(tally.replayed.entries).toBe(tally.entries);
      replayed.histories += tally.replayed.histories;
      replayed.entries += tally.replayed.entries;
    },
    patienceMs,
  );

  test("a set of seeds that was nowhere is not taken for a proof", () => {
    expect(missed(emptyTally())).toEqual(expect.arrayContaining(["mark not reached: stale epoch refused", "fault never fired: commitLied"]));
  });

  for (const [seed, what] of [
    [3, "in memory"],
    [7, "over SQLite"],
  ] as const) {
    test(`the same seed has the same history, ${what}`, async () => {
      const first = await runSeed({ seed });
      const second = await runSeed({ seed });
      expect(second.digest).toBe(first.digest);
      expect(first.commits).toBeGreaterThan(10);
      expect((await runSeed({ seed: seed + 1 })).digest).not.toBe(first.digest);
    });
  }

  // All of them: npm run simulate -- --planted
  for (const name of ["dedupeAfterApply", "slotLeakedOnTimeout", "outboxRowOutsideItsTransaction", "cursorNotMoved", "runForgottenAtItsStart"] as const) {
    test(
      `planted bug "${name}" > is found`,
      async () => {
        expect(await hunt(name)).toMatchObject({ seed: expect.any(Number), violation: { invariant: expect.stringMatching(/^I\d/) } });
      },
      patienceMs,
    );
  }

  test("all twelve planted bugs are in", () => {
    expect(plantedNames).toHaveLength(12);
  });

  test(
    "a failing seed is told with the command that runs it again, and without what it does not need",
    async () => {
      const planted = plantedOf("dedupeAfterApply");
      const { seed = 0 } = await hunt("dedupeAfterApply");
      const failed = await runSeed({ seed, planted });
      const smaller = await minimise({ seed, planted }, failed, 40);
      expect(smaller.outcome.violation?.invariant).toBe(failed.violation?.invariant);
      expect(smaller.outcome.history.length).toBeLessThan(failed.history.length);
      expect(told(smaller)).toContain(`npm run simulate -- --seed ${seed} --without `);
      // What is left out stays out, and it fails still.
      expect((await runSeed({ seed, planted, without: smaller.without })).digest).toBe(smaller.outcome.digest);
    },
    patienceMs,
  );
});
