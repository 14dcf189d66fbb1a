import { cpSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ruleNames } from "./check/judgement.ts";
import { ride } from "./journey.ts";
import { openSite, whyNot } from "./site.ts";
import { tamperings } from "./tampering.ts";

if (whyNot !== undefined) console.warn(`the tests of the crash checker are skipped: ${whyNot}`);

describe.skipIf(whyNot !== undefined)("crash > checker", () => {
  let site: ReturnType<typeof openSite>;
  beforeAll(async () => {
    site = openSite();
    const [tasks, bank] = await Promise.all([
      ride(site, { name: "tasks", work: "tasks", seed: 11, kills: [{ place: "turn.committed", occurrence: 60 }] }),
      ride(site, { name: "bank", work: "bank", seed: 11, kills: [{ place: "turn.committed", occurrence: 15 }] }),
    ]);
    expect([...tasks.violations, ...bank.violations]).toEqual([]);
    expect([...tasks.fired, ...bank.fired]).toEqual([true, true]);
  });
  afterAll(() => site.close());

  test("has a tampering for each of its rules", () => {
    expect(new Set(tamperings.map(({ rule }) => rule))).toEqual(ruleNames);
  });

  for (const [index, { rule, work, moment, tamper, earlier }] of tamperings.entries()) {
    test(`notices tampering ${index + 1}: ${work}, ${moment}: ${rule}`, async () => {
      const folder = join(site.folder, `tampered-${index}`);
      cpSync(join(site.folder, work, moment === "crash" ? "after-1" : "after-2"), folder, { recursive: true });
      tamper(folder);
      const answer = await site.judge.ask({ folder, work, final: moment === "end", ...(earlier === undefined ? {} : { earlier }) });
      expect(answer.violations.map((violation) => violation.rule)).toContain(rule);
    });
  }
});
