import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Built, build } from "../crash/build.mjs";
import { ride, rideText } from "../crash/broker/campaign.ts";
import { whyNot } from "../crash/site.ts";

if (whyNot !== undefined) console.warn(`the kills of brokers are skipped: ${whyNot}`);

describe.skipIf(whyNot !== undefined)("broker > kills", () => {
  let built: Built;
  beforeAll(() => {
    built = build();
  });
  afterAll(() => built.remove());

  /** `npm run crash -- --broker` does this with 200 kills and 100 stops. */
  test("and stops of a broker and its five endpoints lose nothing and answer nothing twice", async () => {
    const folder = join(built.folder, "runs");
    mkdirSync(folder);
    const done = await ride(built.dist, folder, { name: "broker", seed: 3, kills: 3, pauses: 1 });
    console.log(rideText(done));
    expect(done.violations).toEqual([]);
    expect(done.brokerKills + done.endpointKills).toBe(3);
    expect(done.answered).toBeGreaterThan(0);
  });
});
