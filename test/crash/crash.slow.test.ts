import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { canaries, findings } from "./canaries.ts";
import { rideAll, rideText, summarize, table } from "./campaign.ts";
import type { Journey } from "./journey.ts";
import { plan } from "./plan.ts";
import { openSite, whyNot } from "./site.ts";

if (whyNot !== undefined) console.warn(`the crash tests are skipped: ${whyNot}`);

/** `npm run crash` does this with hundreds of kills and another seed each time. */
const seed = 20;
/** On a machine that does much else. Milliseconds. */
const patienceMs = 240_000;

/** These kills leave mail and owed actions behind, and the next engine takes its time to read them. */
const mailOverSlowReads: ReadonlyArray<Journey> = [18, 21].map((occurrence) => ({
  name: `bank-mail-${occurrence}`,
  work: "bank",
  seed,
  plant: "slow",
  kills: [{ place: "turn.committed", occurrence }],
}));

describe.skipIf(whyNot !== undefined)("crash", () => {
  let site: ReturnType<typeof openSite>;
  beforeAll(() => {
    site = openSite();
  });
  afterAll(() => site.close());

  test(
    "kills > at named places, in recovery and at random moments > lose, repeat and leave nothing",
    async () => {
      const journeys = [...plan("tasks", 2, seed), ...plan("bank", 2, seed, 2), ...mailOverSlowReads];
      const campaign = summarize(site, await rideAll(site, journeys));
      console.log(`${campaign.rides.map(rideText).join("\n")}\n${table(campaign)}`);
      expect(campaign.violations).toEqual([]);
      expect(campaign.unreached).toEqual([]);
      expect(campaign.fired).toBeGreaterThanOrEqual(11);
    },
    patienceMs,
  );

  for (const canary of canaries) {
    test(
      `planted bug "${canary.journey.plant}" > is found: ${canary.rule}`,
      async () => {
        expect(await findings(site, canary)).toBeGreaterThan(0);
      },
      patienceMs,
    );
  }
});
