import { type Journey, ride, type Site } from "./journey.ts";

/** A journey over a planted bug, and the rule by which the checker must find it. */
export interface Canary {
  readonly journey: Journey;
  readonly rule: string;
}

export const canaries: ReadonlyArray<Canary> = [
  { rule: "an event with a key takes effect once", journey: { name: "canary-keys", work: "bank", seed: 1, plant: "keys", kills: [{ place: "turn.told", occurrence: 20 }] } },
  { rule: "nothing is executed again after its result was stored", journey: { name: "canary-starts", work: "tasks", seed: 1, plant: "starts", kills: [{ place: "turn.told", occurrence: 70 }] } },
  { rule: "what was acknowledged is there", journey: { name: "canary-early", work: "bank", seed: 1, plant: "early", kills: [{ place: "turn.told", occurrence: 20 }] } },
];

/** How often the rule found the bug; the suite is blind if it did not. */
export const findings = async (site: Site, { journey, rule }: Canary): Promise<number> => {
  const { violations } = await ride(site, journey);
  return violations.filter((violation) => violation.rule === rule).length;
};
