import { type Journey, type Place, type Ride, ride } from "./kills.ts";
import { rules } from "./judgement.ts";
import { gaps, type Plant } from "./plants.ts";

/** Two at a time: that is what the smallest machine that this runs on has processors for. */
const width = 2;

export const rideAll = async (place: Place, journeys: ReadonlyArray<Journey>, onRide: (ride: Ride) => void = () => {}): Promise<ReadonlyArray<Ride>> => {
  const rides: Array<Ride> = [];
  const waiting = [...journeys];
  const rider = async () => {
    for (let journey = waiting.shift(); journey !== undefined; journey = waiting.shift()) {
      const done = await ride(place, journey);
      rides.push(done);
      onRide(done);
    }
  };
  await Promise.all(Array.from({ length: width }, rider));
  return rides;
};

/** Kills in each journey of the long form. */
const killsEach = 25;

export const plan = (kills: number, seed: number): ReadonlyArray<Journey> =>
  Array.from({ length: Math.ceil(kills / killsEach) }, (_, index) => ({ name: `outbox-${index + 1}`, seed: seed + index, kills: Math.min(killsEach, kills - index * killsEach) }));

/** The rule by which each planted bug must be found, and where the kill is that shows it: nothing is left to the moment. */
export const canaries: ReadonlyArray<{ readonly plant: Plant; readonly rule: string; readonly kills: number; readonly at: string }> = [
  { plant: "forgetful", rule: rules.arrives, kills: 1, at: `${gaps.forgetful}:2` },
  { plant: "apart", rule: rules.arrives, kills: 1, at: `${gaps.apart}:3` },
  { plant: "keyless", rule: rules.once, kills: 1, at: `${gaps.keyless}:3` },
  // It needs no kill, but a run that lives long enough.
  { plant: "unordered", rule: rules.order, kills: 1, at: "nowhere:1" },
];

export const canaryJourneys = (seed: number): ReadonlyArray<Journey> => canaries.map(({ rule: _, ...canary }) => ({ name: `canary-${canary.plant}`, seed, ...canary }));

const sum = (rides: ReadonlyArray<Ride>, of: (ride: Ride) => number): number => rides.reduce((total, one) => total + of(one), 0);

export const totals = (rides: ReadonlyArray<Ride>) => ({
  fired: sum(rides, ({ fired }) => fired),
  inDrain: sum(rides, ({ inDrain }) => inDrain),
  inRequest: sum(rides, ({ inRequest }) => inRequest),
  committed: sum(rides, ({ committed }) => committed),
  requests: sum(rides, ({ requests }) => requests),
  violations: rides.flatMap(({ journey, violations }) => violations.map(({ rule, what }) => `${journey.name}: ${rule}: ${what}`)),
});

export const totalsText = (rides: ReadonlyArray<Ride>): string => {
  const { fired, inDrain, inRequest, committed, requests, violations } = totals(rides);
  return `${fired} kills, ${inDrain} in a drain, ${inRequest} in a request; ${committed} entries committed, ${requests} requests; ${violations.length} violations`;
};

/** The long form; returns what failed. */
export const killOutboxes = async (place: Place, kills: number, seed: number): Promise<ReadonlyArray<string>> => {
  console.log("\noutboxes");
  const rides: Array<Ride> = [];
  for (let round = 0; round < 5 && totals(rides).fired < kills; round++) {
    const journeys = plan(kills - totals(rides).fired, seed + round * 1_000).map((journey) => ({ ...journey, name: `${journey.name}-${round}` }));
    rides.push(...(await rideAll(place, journeys, (one) => console.log(`  ${one.journey.name}: ${totalsText([one])}`))));
  }
  const { fired, violations } = totals(rides);
  console.log(`  ${totalsText(rides)}\n\nplanted bugs of outboxes`);
  const failures = [...violations, ...(fired >= kills ? [] : [`only ${fired} kills of ${kills}`])];
  await rideAll(place, canaryJourneys(seed), ({ journey: { plant }, violations: found }) => {
    const canary = canaries.find((one) => one.plant === plant);
    const times = found.filter(({ rule }) => rule === canary?.rule).length;
    console.log(`  "${plant}": ${times === 0 ? "NOT FOUND" : `found ${times} times: ${canary?.rule}`}`);
    if (times === 0) failures.push(`the planted bug "${plant}" was not found`);
  });
  return failures;
};
