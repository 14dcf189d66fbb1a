import { runSeed } from "./campaign.ts";
import type { Violation } from "./checker.ts";
import { type PlantedName, planted, plantedNames, plantedOf } from "./planted.ts";

export interface Found {
  readonly name: PlantedName;
  readonly says: string;
  /** The first seed that finds it, if any does. */
  readonly seed: number | undefined;
  readonly violation: Violation | undefined;
}

/** Seeds within which a planted bug must be found. */
export const seedsMax = 200;

export const hunt = async (name: PlantedName): Promise<Found> => {
  for (let seed = 1; seed <= seedsMax; seed++) {
    const { violation } = await runSeed({ seed, planted: plantedOf(name) });
    if (violation !== undefined) return { name, says: planted[name].says, seed, violation };
  }
  return { name, says: planted[name].says, seed: undefined, violation: undefined };
};

export const huntAll = async (): Promise<ReadonlyArray<Found>> => {
  const all: Array<Found> = [];
  for (const name of plantedNames) all.push(await hunt(name));
  return all;
};
