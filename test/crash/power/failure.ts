import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { bundled } from "../bundle.ts";
import type { Violation } from "../check/judgement.ts";
import type { Site } from "../journey.ts";
import { type Judge, openJudge } from "../judge.ts";
import { random } from "../random.ts";
import { Disk, type Image } from "./disk.ts";
import type { Operation } from "./operations.ts";
import type { Recorder } from "./recorder.ts";
import { reopen } from "./reopen.ts";

export type Synchronous = "FULL" | "NORMAL" | "OFF";

/**
 * What is recorded. `bank`: small turns, and the log is moved into the database all the time. `roomy`: large turns, and
 * the log only grows until the end. `takenUp`: what a killed process left is taken up.
 */
export type Scenario = "bank" | "roomy" | "takenUp";
const optionsOf: Readonly<Record<Scenario, ReadonlyArray<string>>> = { bank: ["--quick-lease"], roomy: ["--large-turns"], takenUp: ["--quick-lease"] };

export interface Failures {
  readonly scenario: Scenario;
  readonly synchronous: Synchronous;
  readonly recorder: Recorder["name"];
  readonly images: number;
  /** Images in which something that was acknowledged is missing. */
  readonly lost: number;
  /** Images that are damaged in any other way, or that the program does not open again. */
  readonly corrupt: number;
  /** What was recorded, so that a recorder which saw nothing is noticed. */
  readonly operations: number;
  readonly syncs: number;
  readonly acks: number;
  /** Images of moments at which something could be lost at all. */
  readonly unsettled: number;
  readonly violations: ReadonlyArray<Violation>;
}

/** The chance of a sector that was not synced. 1: nothing is lost, as when only the process ends. */
const survivals = [0, 0.5, 1, 0.25, 0.75];

/** While the file is being made every operation is a moment of its own, with each chance of survival. */
const makingOperations = 14;

/** Of so many images one is not only opened: the program does all its work on it. */
const goOnEvery = 40;

const lostRule = "what was acknowledged is there";

/** Images that are judged at a time. */
const width = 3;

/**
 * Records one run of the bank, lets the power fail at `count` moments of it and more, and has each disk image judged
 * against the acknowledgements that had been printed until then.
 */
export const failPower = async (site: Site, recorder: Recorder, synchronous: Synchronous, count: number, seed: number, scenario: Scenario = "bank"): Promise<Failures> => {
  const folder = join(site.folder, `power-${scenario}-${synchronous}-${recorder.name}`);
  mkdirSync(folder, { recursive: true });
  const out = join(folder, "acks.log");
  const program = [bundled(site.dist, "test/crash/bank.js"), folder, "--synchronous", synchronous, ...optionsOf[scenario]];
  const before = scenario === "takenUp" ? await leave(site, folder) : { files: new Map(), said: "" };
  const all = await recorder.record(program, folder, out);
  const operations = all.filter(({ file }) => file === out || file === folder || (basename(file).startsWith("work.db") && !file.endsWith("-shm")));
  const chances = random(seed);
  // Where nothing is synced there is nothing to be made sure of.
  const making = scenario === "takenUp" || synchronous === "OFF" ? [] : Array.from({ length: makingOperations }, (_, index) => survivals.map((survival) => ({ moment: index + 1, survival }))).flat();
  const later = Array.from({ length: count }, (_, index) => ({ moment: chances.between(1, operations.length), survival: survivals[index % survivals.length] as number }));
  const failures = [...making, ...later].sort((left, right) => left.moment - right.moment);

  const disk = new Disk(before.files);
  let { said } = before;
  let done = 0;
  const tally = { lost: 0, corrupt: 0, unsettled: 0 };
  const violations: Array<Violation> = [];
  const judges = [site.judge, ...Array.from({ length: width - 1 }, () => openJudge(site.dist))];
  const idle = [...judges];
  const underWay = new Set<Promise<void>>();
  for (const [index, { moment, survival }] of failures.entries()) {
    for (; done < moment; done++) {
      const operation = operations[done] as Operation;
      if (operation.kind === "append" && operation.file === out) said += operation.bytes.toString();
      else disk.take(operation);
    }
    if (!disk.isSettled) tally.unsettled++;
    const left = disk.fail(chances, survival);
    const goesOn = synchronous === "FULL" && index % goOnEvery === 0;
    if (idle.length === 0) await Promise.race(underWay);
    const judge = idle.pop() as Judge;
    const judged = judgeImage({ ...site, judge }, join(folder, `image-${index}`), left, said, goesOn).then((found) => {
      if (found.some(({ rule }) => rule === lostRule)) tally.lost++;
      if (found.some(({ rule }) => rule !== lostRule)) tally.corrupt++;
      violations.push(...found.map(({ rule, what }) => ({ rule, what: `image ${index}, operation ${moment}, survival ${survival}: ${what}` })));
      idle.push(judge);
      underWay.delete(judged);
    });
    underWay.add(judged);
  }
  await Promise.all(underWay);
  await Promise.all(judges.slice(1).map((judge) => judge.end()));
  const syncs = operations.filter(({ kind }) => kind === "sync").length;
  const acks = operations.filter((operation) => operation.kind === "append" && operation.file === out).length;
  return { scenario, synchronous, recorder: recorder.name, images: failures.length, ...tally, operations: operations.length, syncs, acks, violations };
};

/** A process is killed in the middle of its work; what it left and what it had said. */
const leave = async (site: Site, folder: string): Promise<{ readonly files: Image; readonly said: string }> => {
  const log = join(folder, "acks-before.log");
  const output = openSync(log, "w");
  const args = ["--import", join(site.source, "failpoints.mjs"), bundled(site.dist, "test/crash/bank.js"), folder];
  const child = spawn(process.execPath, args, { stdio: ["ignore", output, "inherit"], env: { ...process.env, TASKWRIGHT_KILL: "turn.told:12", TASKWRIGHT_MARKS: join(folder, "marks") } });
  closeSync(output);
  const signal = await new Promise((resolve) => child.once("exit", (_, killedBy) => resolve(killedBy)));
  if (signal !== "SIGKILL") throw new Error("the process that should leave something came to its end");
  const files = ["work.db", "work.db-wal"].map((name) => join(folder, name)).filter((file) => existsSync(file));
  return { files: new Map(files.map((file) => [file, readFileSync(file)])), said: readFileSync(log, "utf8") };
};

/** One copy for the checker, one for the program itself. The files stay where something is wrong. */
const judgeImage = async (site: Site, folder: string, image: Image, said: string, goesOn: boolean): Promise<ReadonlyArray<Violation>> => {
  const again = `${folder}-again`;
  for (const place of [folder, again]) {
    mkdirSync(place);
    for (const [file, content] of image) writeFileSync(join(place, basename(file)), content);
    writeFileSync(join(place, "acks.log"), said);
  }
  const { violations } = await site.judge.ask({ folder, work: "bank", final: false, withoutLedger: true });
  const found = [...violations];
  const refusal = await reopen(again);
  if (refusal !== undefined) found.push({ rule: "the program opens what is left", what: refusal });
  else if (goesOn) found.push(...(await goOn(site, again)));
  if (found.length === 0) for (const place of [folder, again]) rmSync(place, { recursive: true });
  return found;
};

/** Everything to the end, on what the power failure left. */
const goOn = async (site: Site, folder: string): Promise<ReadonlyArray<Violation>> => {
  const output = openSync(join(folder, "acks.log"), "a");
  const child = spawn(process.execPath, [bundled(site.dist, "test/crash/bank.js"), folder], { stdio: ["ignore", output, "inherit"] });
  closeSync(output);
  const code = await new Promise((resolve) => child.once("exit", resolve));
  if (code !== 0) return [{ rule: "every run comes to its end", what: `the run after the power failure ended with ${code}` }];
  return (await site.judge.ask({ folder, work: "bank", final: true, withoutLedger: true })).violations;
};

export const failuresText = ({ scenario, synchronous, recorder, images, unsettled, lost, corrupt, operations, syncs, acks }: Failures): string =>
  `  ${scenario.padEnd(7)} synchronous=${synchronous.padEnd(6)} ${String(images).padStart(5)} images (${unsettled} with something unsynced): ${String(lost).padStart(4)} with acknowledged events lost, ${String(corrupt).padStart(3)} corrupt   [${operations} operations, ${syncs} syncs, ${acks} acknowledgements, recorded by ${recorder}]`;

/** Why these failures prove nothing, or what they prove wrong; nothing where all is as it must be. */
export const verdict = ({ synchronous, lost, corrupt, images, unsettled, syncs, acks, violations }: Failures): string | undefined => {
  if (acks === 0 || unsettled < images / 2) return `synchronous=${synchronous}: the recorder saw ${acks} acknowledgements, and ${unsettled} of ${images} images could lose anything`;
  if (synchronous !== "FULL") return lost > 0 ? undefined : `synchronous=${synchronous}: nothing was lost, so this suite would not notice a missing sync`;
  // A turn that was not synced could not be acknowledged; many receipts share a turn.
  if (syncs < 20) return `synchronous=FULL: only ${syncs} syncs were seen`;
  return lost + corrupt === 0 ? undefined : `synchronous=FULL: ${violations.length} violations, the first: ${violations[0]?.rule}: ${violations[0]?.what}`;
};
