import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Violation } from "./check/judgement.ts";
import type { Site } from "./journey.ts";
import { leftoversOf } from "./leftovers.ts";
import { makeTasks, writeTasks } from "./tasks.ts";

export interface PausedRun {
  /** From the pause until another `taskwright run` had the journal. */
  readonly waitedMs: number;
  /** From waking up until it had ended. */
  readonly endedMs: number;
  readonly violations: ReadonlyArray<Violation>;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
/** Much longer than a lease. Milliseconds. */
const patienceMs = 60_000;
/** How long a process that was taken over may go on before it notices. Milliseconds. */
const noticeMs = 10_000;

/**
 * `taskwright run` is stopped for longer than its lease, another one takes its journal and finishes; woken up, the
 * first must end by itself, with an error and without a trace. Its workers were not stopped, so an attempt of its may
 * work beside one of the second: what holds is that nothing is executed again once its result is stored.
 */
export const pauseRun = async (site: Site, seed: number): Promise<PausedRun> => {
  const folder = join(site.folder, `paused-${seed}`);
  mkdirSync(folder, { recursive: true });
  writeTasks(folder, makeTasks(folder, seed));
  const violations: Array<Violation> = [];
  const first = start(site, folder, "first");
  await saidBy(first, 15);
  first.child.kill("SIGSTOP");
  const pausedAt = Date.now();
  let second = start(site, folder, "second");
  let refusals = 0;
  // The first line says that the journal is open.
  while (!(await Promise.race([saidBy(second, 1), second.ended.then(() => false)]))) {
    const said = readFileSync(second.err, "utf8");
    const isTold = said.includes(`process ${first.child.pid}`);
    // Stopped inside of a transaction: SQLite's own lock is held until the process goes on.
    if (!isTold || Date.now() - pausedAt > patienceMs) {
      await end(first.child);
      if (isTold || !said.includes("holds a lock")) throw new Error(`no other run could take the journal over: ${said}`);
      return pauseRun(site, seed + 1);
    }
    refusals++;
    await pause(250);
    second = start(site, folder, "second");
  }
  const waitedMs = Date.now() - pausedAt;
  if ((await second.ended) !== 1) violations.push({ rule: "every run comes to its end", what: `the second ended with ${second.child.exitCode}: ${readFileSync(second.err, "utf8")}` });
  if (refusals === 0) violations.push({ rule: "the second run is told who has the journal", what: "it was not refused while the lease was running" });
  first.child.kill("SIGCONT");
  const wokenAt = Date.now();
  const code = await Promise.race([first.ended, pause(noticeMs).then(() => "still running")]);
  if (typeof code !== "number" || code === 0 || code === 1)
    violations.push({ rule: "a run that was taken over ends with an error", what: `it ended with ${code}: ${readFileSync(first.err, "utf8")}` });
  const endedMs = Date.now() - wokenAt;
  if (code === "still running") first.child.kill("SIGKILL");
  for (const { pid, args } of await leftoversOf(folder)) violations.push({ rule: "no process is left", what: `${pid} ${args}` });
  writeFileSync(join(folder, "acks.log"), readFileSync(second.out, "utf8"));
  const answer = await site.judge.ask({ folder, work: "tasks", final: true });
  violations.push(...answer.violations.filter(({ rule }) => rule !== "no attempt works beside a later one"));
  return { waitedMs, endedMs, violations };
};

const end = async (child: ChildProcess): Promise<void> => {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
};

interface Run {
  readonly child: ChildProcess;
  readonly out: string;
  readonly err: string;
  readonly ended: Promise<number | null>;
}

const start = ({ dist }: Site, folder: string, name: string): Run => {
  const [out, err] = [join(folder, `${name}.out`), join(folder, `${name}.err`)];
  const files = [openSync(out, "w"), openSync(err, "w")];
  const args = [join(dist, "src/cli/main.js"), "run", join(folder, "tasks.jsonl"), "--database", join(folder, "work.db"), "--slots", "2", "--json"];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ["ignore", ...files] as ["ignore", number, number] });
  for (const file of files) closeSync(file);
  return { child, out, err, ended: new Promise((resolve) => child.once("exit", resolve)) };
};

/** Waits until a run has said so many lines; false if it ends before. */
const saidBy = async ({ out, child }: Run, lines: number): Promise<boolean> => {
  const isThere = () => readFileSync(out, "utf8").split("\n").length > lines;
  while (child.exitCode === null && !isThere()) await pause(20);
  return isThere();
};
