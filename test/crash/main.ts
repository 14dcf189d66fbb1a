import { killBrokers } from "./broker/campaign.ts";
import { canaries, findings } from "./canaries.ts";
import { type Campaign, rideAll, rideText, summarize, table } from "./campaign.ts";
import { full } from "./faults/full.ts";
import type { Ride, Site } from "./journey.ts";
import { openJudge } from "./judge.ts";
import { killOutboxes } from "./outbox/campaign.ts";
import { pauseRun } from "./paused-run.ts";
import { plan } from "./plan.ts";
import { failPower, failuresText, type Synchronous, verdict } from "./power/failure.ts";
import { findRecorder } from "./power/recorder.ts";

const imagesPerMode = 350;
const modes: ReadonlyArray<Synchronous> = ["FULL", "NORMAL", "OFF"];

const numberOf = (args: ReadonlyArray<string>, name: string, otherwise: number): number => (args.includes(name) ? Number(args[args.indexOf(name) + 1]) : otherwise);

/** The whole suite; returns the exit code. */
export const main = async (args: ReadonlyArray<string>, place: Omit<Site, "judge">): Promise<number> => {
  const seed = numberOf(args, "--seed", 1 + (Math.floor(Date.now() / 1_000) % 1_000_000));
  const site: Site = { ...place, judge: openJudge(place.dist) };
  const startedAt = Date.now();
  console.log(`seed ${seed} (again: npm run crash -- ${args.includes("--full") ? "--full " : ""}--seed ${seed})`);
  try {
    const only = args.includes("--only") ? args[args.indexOf("--only") + 1]?.split(",") : undefined;
    const failures = args.includes("--outbox")
      ? await killOutboxes(site, numberOf(args, "--kills", 300), seed)
      : args.includes("--broker")
        ? await killBrokers(site.dist, site.folder, numberOf(args, "--kills", 200), numberOf(args, "--pauses", 100), seed)
        : args.includes("--full")
          ? await full(site, seed, only)
          : [
              ...(args.includes("--power") ? [] : [...(await kill(site, seed, numberOf(args, "--kills", 200))), ...(await findPlanted(site)), ...(await pauseRuns(site, seed))]),
              ...(args.includes("--kill") ? [] : await failPowers(site, seed)),
            ];
    const seconds = Math.round((Date.now() - startedAt) / 1_000);
    console.log(failures.length === 0 ? `\nall is well after ${seconds} s, seed ${seed}` : `\nFAILED after ${seconds} s, seed ${seed}:\n${failures.map((failure) => `  ${failure}`).join("\n")}`);
    return failures.length === 0 ? 0 : 1;
  } finally {
    await site.judge.end();
  }
};

const kill = async (site: Site, seed: number, kills: number): Promise<ReadonlyArray<string>> => {
  console.log("\nkills");
  const campaign = await killing(site, seed, kills);
  console.log(`\n${table(campaign)}`);
  return [
    ...(campaign.violations.length === 0 ? [] : [`${campaign.violations.length} violations`]),
    ...(campaign.unreached.length === 0 ? [] : [`failpoints that nothing reached: ${campaign.unreached.join(", ")}`]),
    ...(campaign.fired >= kills ? [] : [`only ${campaign.fired} kills of ${kills}`]),
  ];
};

/** Until there were enough kills: one whose place is not come to does not count. */
const killing = async (site: Site, seed: number, kills: number): Promise<Campaign> => {
  const rides: Array<Ride> = [];
  const fired = () => rides.flatMap((ride) => ride.fired).filter((was) => was).length;
  for (let round = 0; round < 5 && fired() < kills; round++) {
    // Four kills in each journey, ten journeys of tasks for seven of the bank.
    const missing = Math.ceil((kills - fired()) / 6);
    const journeys = [...plan("tasks", missing, seed, 1 + round * 100), ...plan("bank", Math.ceil(missing * 0.7), seed, 1 + round * 100)];
    rides.push(...(await rideAll(site, journeys, (ride) => console.log(`  ${rideText(ride)}`))));
  }
  return summarize(site, rides);
};

const findPlanted = async (site: Site): Promise<ReadonlyArray<string>> => {
  console.log("\nplanted bugs");
  const failures: Array<string> = [];
  for (const canary of canaries) {
    const found = await findings(site, canary);
    console.log(`  "${canary.journey.plant}": ${found === 0 ? "NOT FOUND" : `found ${found} times: ${canary.rule}`}`);
    if (found === 0) failures.push(`the planted bug "${canary.journey.plant}" was not found`);
  }
  return failures;
};

const pauseRuns = async (site: Site, seed: number): Promise<ReadonlyArray<string>> => {
  console.log("\na run that is stopped for longer than its lease");
  const { waitedMs, endedMs, violations } = await pauseRun(site, seed);
  console.log(`  another one had its journal after ${waitedMs} ms; woken up, it ended itself after ${endedMs} ms; violations: ${violations.length}`);
  return violations.map(({ rule, what }) => `paused run: ${rule}: ${what}`);
};

const failPowers = async (site: Site, seed: number): Promise<ReadonlyArray<string>> => {
  console.log("\npower failures");
  const recorder = findRecorder(site.source, site.folder);
  if (typeof recorder === "string") {
    console.log(`  SKIPPED: nothing here can record what a process writes (${recorder})`);
    return [];
  }
  const failures: Array<string> = [];
  for (const synchronous of modes) {
    const found = await failPower(site, recorder, synchronous, imagesPerMode, seed);
    console.log(failuresText(found));
    const wrong = verdict(found);
    if (wrong !== undefined) failures.push(wrong);
  }
  return failures;
};
