import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Built, build } from "../crash/build.mjs";
import { canaries, canaryJourneys, rideAll, totals, totalsText } from "../crash/outbox/campaign.ts";
import type { Ride } from "../crash/outbox/kills.ts";
import { whyNot } from "../crash/site.ts";

if (whyNot !== undefined) console.warn(`the kills of outboxes are skipped: ${whyNot}`);

/** `npm run crash -- --outbox` does this with hundreds of kills and another seed each time. */
const seed = 4;
/** On a machine that does much else. Milliseconds. */
const patienceMs = 240_000;

describe.skipIf(whyNot !== undefined)("delivery > kills", () => {
  let built: Built;
  let rides: Promise<ReadonlyArray<Ride>>;
  beforeAll(() => {
    built = build();
    const folder = join(built.folder, "runs");
    mkdirSync(folder);
    const place = { source: fileURLToPath(new URL("../crash/", import.meta.url)), dist: built.dist, folder };
    rides = rideAll(place, [{ name: "outbox", seed, kills: 10 }, ...canaryJourneys(seed)]);
    rides.catch(() => {});
  });
  afterAll(async () => {
    await Promise.allSettled([rides]);
    built.remove();
  });

  test(
    "in the middle of drains lose, repeat, invent and swap nothing",
    async () => {
      const sound = (await rides).filter(({ journey }) => journey.plant === undefined);
      console.log(totalsText(sound));
      const { violations, fired, inDrain, committed, requests } = totals(sound);
      expect(violations).toEqual([]);
      expect(fired).toBeGreaterThanOrEqual(8);
      expect(inDrain).toBeGreaterThanOrEqual(5);
      expect(requests).toBeGreaterThan(committed);
    },
    patienceMs,
  );

  test(
    "that hit an outbox with a planted bug find it",
    async () => {
      const found = (await rides).flatMap(({ journey: { plant }, violations }) =>
        plant === undefined ? [] : [[plant, canaries.find((one) => one.plant === plant && violations.some(({ rule }) => rule === one.rule))?.rule]],
      );
      expect(Object.fromEntries(found)).toEqual(Object.fromEntries(canaries.map(({ plant, rule }) => [plant, rule])));
    },
    patienceMs,
  );
});
