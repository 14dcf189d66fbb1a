import type { Violation } from "../check/judgement.ts";
import type { Site } from "../journey.ts";
import { failPower, failuresText, type Scenario, type Synchronous, verdict } from "../power/failure.ts";
import { findRecorder } from "../power/recorder.ts";
import { jumpClocks } from "./clock.ts";
import { failDisks } from "./disk.ts";
import { killEverywhere } from "./kills.ts";
import { pauseOwners } from "./pauses.ts";
import { replaceFiles } from "./replaced.ts";
import { makeShim, type Shim } from "./shim.ts";

/** How much of everything `npm run crash -- --full` does. */
const sizes = { images: 3_350, normalImages: 150, pauses: 300, plantedPauses: 6, diskFaults: 204, clockJumps: 21, replacements: 30 };
const scenarios: ReadonlyArray<Scenario> = ["bank", "roomy", "takenUp"];

/** What a part of the suite found out. */
interface Part {
  /** Kind of fault, and how often it came. */
  readonly fired: ReadonlyArray<readonly [string, number]>;
  readonly failures: ReadonlyArray<string>;
}
/** A reason why a part could not be done. */
type Skipped = string;
type Make = (site: Site, shim: Shim | string, seed: number) => Promise<Part | Skipped>;

const first = (violations: ReadonlyArray<Violation>): ReadonlyArray<string> => violations.slice(0, 5).map(({ rule, what }) => `${rule}: ${what.slice(0, 500)}`);
const few = (what: string, fired: number, least: number): ReadonlyArray<string> => (fired >= least ? [] : [`only ${fired} of ${least} ${what}`]);

const kills: Make = async (site, shim) => {
  if (typeof shim === "string") return shim;
  const { before, within, calls, violations } = await killEverywhere(site, shim);
  console.log(`  ${before} processes killed before each of ${calls} calls, ${within} in the middle of a write; violations: ${violations.length}`);
  return {
    fired: [
      ["kill -9 before a write, sync, truncation or removal", before],
      ["kill -9 in the middle of a write", within],
    ],
    failures: [...first(violations), ...few("kills", before, 900)],
  };
};

const power: Make = async (site, _shim, seed) => {
  const recorder = findRecorder(site.source, site.folder);
  if (typeof recorder === "string") return `nothing here can record what a process writes (${recorder})`;
  const failures: Array<string> = [];
  const fired: Array<readonly [string, number]> = [];
  const fail = async (scenario: Scenario, synchronous: Synchronous, images: number) => {
    const found = await failPower(site, recorder, synchronous, images, seed, scenario);
    console.log(failuresText(found));
    const wrong = verdict(found);
    if (wrong !== undefined) failures.push(`${scenario}: ${wrong}`);
    fired.push([`power failure, synchronous=${synchronous} (${scenario})`, found.images]);
  };
  for (const scenario of scenarios) await fail(scenario, "FULL", sizes.images);
  await fail("bank", "NORMAL", sizes.normalImages);
  return { fired, failures };
};

const pauses: Make = async (site, _shim, seed) => {
  const { takenOver, inTransaction, fenced, acks, violations } = await pauseOwners(site, sizes.pauses, seed);
  console.log(
    `  ${takenOver} owners paused beyond their lease and taken over, ${fenced} of them fenced when they woke up (${inTransaction} more were paused inside of a transaction and let on); ${acks} acknowledgements; violations: ${violations.length}`,
  );
  const planted = await pauseOwners(site, sizes.plantedPauses, seed, true);
  console.log(
    `  planted bug "epoch" (nobody looks whether he was taken over): ${planted.violations.length === 0 ? "NOT FOUND" : `found ${planted.violations.length} times: ${[...new Set(planted.violations.map(({ rule }) => rule))].join("; ")}`}`,
  );
  // That it does not stop is not yet a finding of the checker: what it wrote must be.
  const isFound = planted.violations.some(({ rule }) => rule !== "a paused owner that was taken over stops");
  return {
    fired: [
      ["pause beyond the lease, with takeover", takenOver],
      ["pause inside of a transaction", inTransaction],
    ],
    failures: [...first(violations), ...few("pauses", fenced, sizes.pauses), ...(isFound ? [] : ['the planted bug "epoch" was not found'])],
  };
};

const disk: Make = async (site, shim, seed) => {
  if (typeof shim === "string") return shim;
  const { kinds, acks, violations } = await failDisks(site, shim, sizes.diskFaults, seed);
  for (const [name, { cases, fired, errors, slowestMs }] of kinds) {
    const told = [...errors].map(([error, times]) => `${error} ${times}`).join(", ");
    console.log(`  ${name.padEnd(24)} ${cases} cases, ${fired} failed calls; callers were told: ${told === "" ? "nothing" : told}; all stored at most ${slowestMs} ms after its end`);
  }
  console.log(`  ${acks} acknowledgements, violations: ${violations.length}`);
  return { fired: [...kinds].map(([name, { fired }]) => [name, fired] as const), failures: [...first(violations), ...few("kinds of disk faults", kinds.size, 6)] };
};

const clock: Make = async (site, shim) => {
  if (typeof shim === "string") return shim;
  const { kinds, violations } = await jumpClocks(site, shim, sizes.clockJumps);
  for (const [name, { fired, nearMs, hourMs, taken }] of kinds) {
    const span = (list: ReadonlyArray<number>) => (list.length === 0 ? "never" : `${Math.min(...list)} to ${Math.max(...list)} ms`);
    console.log(
      `  ${name.padEnd(6)} ${fired} times: an alarm of 700 ms, set 100 ms before, rang ${span(nearMs)} after it was set; one of half an hour ${span(hourMs)} after the jump; asked for right after it, the journal was taken ${taken} times, and the first engine fenced`,
    );
  }
  console.log(`  violations: ${violations.length}`);
  return {
    fired: [...kinds].map(([name, { fired }]) => [`wall clock ${name}`, fired] as const),
    failures: [
      ...first(violations),
      ...few(
        "clock jumps",
        [...kinds.values()].reduce((sum, { fired }) => sum + fired, 0),
        sizes.clockJumps,
      ),
    ],
  };
};

const replaced: Make = async (site, _shim, seed) => {
  const { kinds, violations } = await replaceFiles(site, sizes.replacements, seed);
  for (const [name, { cases, noticed, slowestMs }] of kinds) console.log(`  ${name.padEnd(24)} noticed ${noticed} of ${cases} times, after ${slowestMs} ms at most`);
  console.log(`  violations: ${violations.length}`);
  return { fired: [...kinds].map(([name, { cases }]) => [`database file: ${name}`, cases] as const), failures: first(violations) };
};

const parts: Readonly<Record<string, readonly [string, Make]>> = {
  kills: ["a kill at every call", kills],
  power: ["power failures", power],
  pauses: ["pauses beyond the lease", pauses],
  disk: ["a failing disk", disk],
  clock: ["a wall clock that jumps", clock],
  replaced: ["a database file that is replaced", replaced],
};

/** All faults of real processes, or the named parts; what failed. */
export const full = async (site: Site, seed: number, only: ReadonlyArray<string> = Object.keys(parts)): Promise<ReadonlyArray<string>> => {
  const shim = process.platform === "linux" ? makeShim(site.source, site.folder) : "libraries are preloaded on Linux only";
  const failures: Array<string> = [];
  const fired: Array<readonly [string, number]> = [];
  const skipped: Array<string> = [];
  for (const name of only) {
    const part = parts[name];
    if (part === undefined) throw new Error(`there is no part "${name}"; there are: ${Object.keys(parts).join(", ")}`);
    const [title, make] = part;
    console.log(`\n${title}`);
    const startedAt = Date.now();
    const found = await make(site, shim, seed);
    if (typeof found === "string") {
      skipped.push(`${title}: ${found}`);
      console.log(`  SKIPPED: ${found}`);
      continue;
    }
    fired.push(...found.fired);
    failures.push(...found.failures.map((failure) => `${title}: ${failure}`));
    console.log(`  after ${Math.round((Date.now() - startedAt) / 1_000)} s`);
  }
  console.log(`\n  ${"faults that came".padEnd(56)} ${"count".padStart(7)}\n${fired.map(([kind, count]) => `  ${kind.padEnd(56)} ${String(count).padStart(7)}`).join("\n")}`);
  if (skipped.length > 0) console.log(`\n*** SKIPPED, nothing is proven of:\n${skipped.map((what) => `***   ${what}`).join("\n")}`);
  return failures;
};
