import { spawn } from "node:child_process";
import { closeSync, cpSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openAsked } from "../asked-process.ts";
import type { Question, Violation } from "../check/judgement.ts";
import { openJudge } from "../judge.ts";
import type { Site } from "../journey.ts";
import type { CarriedOn, CarryOn } from "./carry-on.ts";
import { bundled } from "../bundle.ts";
import { Control, type Shim } from "./shim.ts";

export interface Kills {
  /** Before a call, and after the first half of a write: how many processes were killed so. */
  readonly before: number;
  readonly within: number;
  /** How many calls the scenario has; it differs by a few from run to run. */
  readonly calls: number;
  readonly violations: ReadonlyArray<Violation>;
}

/** Processes at a time: they wait for their own timers for a part of their time. */
const width = 3;
/** Of so many calls one is also killed in its middle. */
const withinEvery = 8;
/** A run that takes longer hangs. Milliseconds. */
const patienceMs = 60_000;

/**
 * Kills the bank before its first write, sync, truncation or removal of a file of its journal, then a new one before its
 * second, and so on until one comes to its end. After each kill the checker looks at what is left, another process
 * does the work to its end on it, and the checker looks again. `first` and `step` leave some out.
 */
export const killEverywhere = async (site: Site, shim: Shim, { first = 1, step = 1 } = {}): Promise<Kills> => {
  const count = { before: 0, within: 0, calls: 0 };
  const violations: Array<Violation> = [];
  const program = bundled(site.dist, "test/crash/bank.js");
  let next = first;
  let isOver = false;
  const lane = async () => {
    const judge = openJudge(site.dist);
    const carrier = openAsked<CarryOn, CarriedOn>([join(site.dist, "test/crash/faults/carry-on.js")]);
    try {
      while (!isOver) {
        const at = next;
        next += step;
        for (const kind of at % withinEvery === 0 ? (["kill", "killHalf"] as const) : (["kill"] as const)) {
          const folder = join(site.folder, `${kind}-${at}`);
          const { wasKilled, wrong, seen } = await killAt(program, shim, folder, kind, at);
          count.calls = Math.max(count.calls, seen);
          if (!wasKilled && wrong === undefined) isOver = true;
          if (wasKilled) count[kind === "kill" ? "before" : "within"]++;
          const found = [...(wrong === undefined ? [] : [wrong]), ...(wasKilled ? await judgeAndGoOn(judge.ask, carrier.ask, folder) : [])];
          violations.push(...found.map(({ rule, what }) => ({ rule, what: `${kind} at call ${at}: ${what}` })));
          if (found.length === 0) for (const place of [folder, `${folder}-left`]) rmSync(place, { recursive: true, force: true });
        }
      }
    } finally {
      await Promise.all([judge.end(), carrier.end()]);
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  return { ...count, violations };
};

interface Killed {
  readonly wasKilled: boolean;
  readonly seen: number;
  readonly wrong: Violation | undefined;
}

const killAt = async (program: string, shim: Shim, folder: string, kind: "kill" | "killHalf", at: number): Promise<Killed> => {
  mkdirSync(folder);
  const control = Control.make(join(folder, "control"));
  control.arm({ kind, at });
  const out = openSync(join(folder, "acks.log"), "w");
  const child = spawn(process.execPath, [program, folder, "--quick-lease"], { stdio: ["ignore", out, "inherit"], env: shim.env(control, join(folder, "work.db")) });
  closeSync(out);
  const limit = setTimeout(() => child.kill("SIGTERM"), patienceMs);
  const { code, signal } = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
  clearTimeout(limit);
  const wasKilled = control.fired === 1 && signal === "SIGKILL";
  const isEnd = control.fired === 0 && code === 0;
  const { seen } = control;
  control.close();

  return { wasKilled, seen, wrong: wasKilled || isEnd ? undefined : { rule: "every kill fires, or the run comes to its end", what: `it ended with ${signal ?? code}` } };
};

const judgeAndGoOn = async (judge: Site["judge"]["ask"], carryOn: (question: CarryOn) => Promise<CarriedOn>, folder: string): Promise<ReadonlyArray<Violation>> => {
  const left = `${folder}-left`;
  mkdirSync(left);
  // A line that the kill cut off says nothing.
  const said = readFileSync(join(folder, "acks.log"), "utf8");
  writeFileSync(join(folder, "acks.log"), said.slice(0, said.lastIndexOf("\n") + 1));
  for (const file of ["work.db", "work.db-wal", "work.db-journal", "ledger.log", "acks.log"]) if (existsSync(join(folder, file))) cpSync(join(folder, file), join(left, file));
  const question = (place: string, final: boolean): Question => ({ folder: place, work: "bank", final });
  const before = await judge(question(left, false));
  const { error } = await carryOn({ folder });
  if (error !== undefined) return [...before.violations, { rule: "the work goes on to its end", what: error }];
  const after = await judge(question(folder, true));
  return [...before.violations, ...after.violations.map(({ rule, what }) => ({ rule, what: `at the end: ${what}` }))];
};
