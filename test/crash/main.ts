import { canaries, findings } from "./canaries.ts";
import { type Campaign, rideAll, rideText, summarize, table } from "./campaign.ts";
import { openJudge } from "./judge.ts";
import { plan } from "./plan.ts";
import type { Ride, Site } from "./journey.ts";

const numberOf = (args: ReadonlyArray<string>, name: string, otherwise: number): number => (args.includes(name) ? Number(args[args.indexOf(name) + 1]) : otherwise);

/** The whole suite; returns the exit code. */
export const main = async (args: ReadonlyArray<string>, place: Omit<Site, "judge">): Promise<number> => {
  const seed = numberOf(args, "--seed", 1 + Math.floor(Date.now() / 1_000) % 1_000_000);
  const kills = numberOf(args, "--kills", 200);
  const site: Site = { ...place, judge: openJudge(place.dist) };
  const startedAt = Date.now();
  console.log(`seed ${seed} (again: npm run crash -- --seed ${seed})`);
  try {
    let isGood = true;
    if (!args.includes("--power")) {
      const campaign = await killing(site, seed, kills);
      console.log(`\n${table(campaign)}\n`);
      isGood = campaign.violations.length === 0 && campaign.unreached.length === 0 && campaign.fired >= kills;
      for (const canary of canaries) {
        const found = await findings(site, canary);
        console.log(`  planted bug "${canary.journey.plant}": ${found === 0 ? "NOT FOUND" : `found ${found} times ("${canary.rule}")`}`);
        if (found === 0) isGood = false;
      }
    }
    console.log(`\n${isGood ? "all is well" : "FAILED"} after ${Math.round((Date.now() - startedAt) / 1_000)} s, seed ${seed}`);
    return isGood ? 0 : 1;
  } finally {
    await site.judge.end();
  }
};

/** Until there were enough kills: one whose place is not come to does not count. */
const killing = async (site: Site, seed: number, kills: number): Promise<Campaign> => {
  const rides: Array<Ride> = [];
  const fired = () => rides.flatMap((ride) => ride.fired).filter((was) => was).length;
  for (let round = 0; round === 0 || (fired() < kills && round < 5); round++) {
    const missing = Math.ceil((kills - fired()) / 6);
    const journeys = [...plan("tasks", missing, seed, 1 + round * 100), ...plan("bank", Math.ceil(missing * 0.7), seed, 1 + round * 100)];
    rides.push(...(await rideAll(site, journeys, (ride) => console.log(`  ${rideText(ride)}`))));
  }
  return summarize(site, rides);
};
