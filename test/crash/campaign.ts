import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Violation } from "./check/judgement.ts";
import { type Journey, type Ride, ride, type Site } from "./journey.ts";
import { killText, placeOf } from "./plan.ts";

/** Two at a time: that is what the smallest machine that this runs on has processors for. */
const width = 2;

export interface Campaign {
  readonly rides: ReadonlyArray<Ride>;
  readonly killsByPlace: ReadonlyMap<string, { readonly planned: number; readonly fired: number }>;
  readonly fired: number;
  readonly runs: number;
  readonly reached: ReadonlySet<string>;
  /** Failpoints of the engine that nothing reached. */
  readonly unreached: ReadonlyArray<string>;
  readonly violations: ReadonlyArray<Violation & { readonly journey: string }>;
}

/** Rides all journeys, as many at a time as there are processors. */
export const rideAll = async (site: Site, journeys: ReadonlyArray<Journey>, onRide: (ride: Ride) => void = () => {}): Promise<ReadonlyArray<Ride>> => {
  const rides: Array<Ride> = [];
  const waiting = [...journeys];
  const rider = async () => {
    for (let journey = waiting.shift(); journey !== undefined; journey = waiting.shift()) {
      const done = await ride(site, journey);
      rides.push(done);
      onRide(done);
    }
  };
  await Promise.all(Array.from({ length: width }, rider));
  return rides;
};

/** The names in the type `Failpoint`: a new one must be reached by this suite, too. */
export const failpointsOf = (source: string): ReadonlyArray<string> => {
  const text = readFileSync(join(source, "../../src/engine/failpoint.ts"), "utf8");
  const type = /export type Failpoint =([^;]*);/.exec(text)?.[1] ?? "";
  return [...type.matchAll(/"([^"]+)"/g)].map((match) => match[1] as string);
};

export const summarize = (site: Site, rides: ReadonlyArray<Ride>): Campaign => {
  const killsByPlace = new Map<string, { planned: number; fired: number }>();
  const reached = new Set<string>();
  for (const { journey, fired, reached: places } of rides) {
    for (const place of places) reached.add(place);
    for (const [index, kill] of journey.kills.entries()) {
      const count = killsByPlace.get(placeOf(kill)) ?? { planned: 0, fired: 0 };
      count.planned++;
      if (fired[index] === true) count.fired++;
      killsByPlace.set(placeOf(kill), count);
    }
  }
  const failpoints = failpointsOf(site.source);
  if (failpoints.length === 0) throw new Error("no failpoints were found in src/engine/failpoint.ts");
  return {
    rides,
    killsByPlace,
    fired: rides.flatMap((ride) => ride.fired).filter((fired) => fired).length,
    runs: rides.reduce((sum, ride) => sum + ride.journey.kills.length + 1, 0),
    reached,
    unreached: failpoints.filter((name) => !reached.has(name)),
    violations: rides.flatMap((ride) => ride.violations.map((violation) => ({ ...violation, journey: ride.journey.name }))),
  };
};

export const table = ({ killsByPlace, reached, fired, runs, rides, unreached, violations }: Campaign): string => {
  const places = [...new Set([...killsByPlace.keys(), ...reached])].sort();
  const rows = places.map((place) => {
    const { planned = 0, fired: killed = 0 } = killsByPlace.get(place) ?? {};
    return `  ${place.padEnd(18)} ${String(killed).padStart(6)} ${String(planned - killed).padStart(12)}   ${place.includes(" ") ? "" : reached.has(place) ? "reached" : "NEVER REACHED"}`;
  });
  const sum = (of: (facts: Ride["facts"]) => number) => rides.reduce((total, ride) => total + of(ride.facts), 0);
  return [
    `  ${"place".padEnd(18)} ${"kills".padStart(6)} ${"not come to".padStart(12)}`,
    ...rows,
    "",
    `  ${rides.length} journals, ${runs} runs, ${fired} kills; ${sum((facts) => facts.entries)} history entries, ${sum((facts) => facts.acks)} acknowledgements, ${sum((facts) => facts.executions)} executions checked`,
    ...(unreached.length === 0 ? [] : [`  failpoints that nothing reached: ${unreached.join(", ")}`]),
    `  violations: ${violations.length}`,
    ...violations.slice(0, 20).map(({ journey, rule, what }) => `    ${journey}: ${rule}: ${what.slice(0, 400)}`),
  ].join("\n");
};

export const rideText = ({ journey, fired, violations }: Ride): string => {
  const kills = journey.kills.map((kill, index) => `${killText(kill)}${fired[index] === true ? "" : " (not come to)"}`).join(", ");
  return `${journey.name} seed ${journey.seed}${journey.plant === undefined ? "" : ` [${journey.plant}]`}: ${kills}${violations.length === 0 ? "" : `  ${violations.length} VIOLATIONS`}`;
};
