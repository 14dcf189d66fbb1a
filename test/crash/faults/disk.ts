import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Violation } from "../check/judgement.ts";
import type { Site } from "../journey.ts";
import type { DiskCase } from "./disk-process.ts";
import { Control, type Shim } from "./shim.ts";

export interface DiskFaults {
  /** By kind: cases, how often the fault came, what callers were told, the longest recovery. */
  readonly kinds: ReadonlyMap<string, { cases: number; fired: number; errors: Map<string, number>; slowestMs: number }>;
  readonly acks: number;
  readonly violations: ReadonlyArray<Violation>;
}

const width = 2;

/** `count` faults of the disk under engines that are not restarted, in two processes. */
export const failDisks = async (site: Site, shim: Shim, count: number, seed: number): Promise<DiskFaults> => {
  const kinds = new Map<string, { cases: number; fired: number; errors: Map<string, number>; slowestMs: number }>();
  const violations: Array<Violation> = [];
  let acks = 0;
  const lane = async (number: number) => {
    const folder = join(site.folder, `disk-${number}`);
    mkdirSync(folder);
    const control = Control.make(join(folder, "control"));
    const output = openSync(join(folder, "said.log"), "w");
    const args = [join(site.dist, "test/crash/faults/disk-process.js"), folder, String(seed + number), String(Math.ceil(count / width))];
    const child = spawn(process.execPath, args, { stdio: ["ignore", output, "inherit"], env: shim.env(control, join(folder, "work.db")) });
    closeSync(output);
    const code = await new Promise((resolve) => child.once("exit", (code, signal) => resolve(signal ?? code)));
    control.close();
    const lines = readFileSync(join(folder, "said.log"), "utf8")
      .split("\n")
      .filter((line) => line !== "");
    if (code !== 0 || !lines.at(-1)?.includes("ended")) violations.push({ rule: "the engine outlives every fault of its disk", what: `disk ${number}: it ended with ${code}` });
    for (const line of lines.filter((line) => line.startsWith('{"case"'))) {
      const { case: name, fired, errors, recoveredMs, wrong } = JSON.parse(line) as DiskCase;
      const kind = kinds.get(name) ?? { cases: 0, fired: 0, errors: new Map<string, number>(), slowestMs: 0 };
      kinds.set(name, kind);
      kind.cases++;
      kind.fired += fired;
      kind.slowestMs = Math.max(kind.slowestMs, recoveredMs);
      for (const [error, times] of Object.entries(errors)) kind.errors.set(error, (kind.errors.get(error) ?? 0) + times);
      violations.push(...wrong.map((what) => ({ rule: "a fault of the disk is a typed error and passes", what: `${name}: ${what}` })));
    }
    const said = lines.filter((line) => line.startsWith('{"ack"'));
    acks += said.length;
    writeFileSync(join(folder, "acks.log"), said.map((line) => `${line}\n`).join(""));
    violations.push(...(await site.judge.ask({ folder, work: "bank", final: false, withoutLedger: true })).violations);
  };
  await Promise.all(Array.from({ length: width }, (_, number) => lane(number)));
  return { kinds, acks, violations };
};
