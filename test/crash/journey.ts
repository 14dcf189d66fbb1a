import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Answer, Question, Violation } from "./check/judgement.ts";
import { bundled } from "./bundle.ts";
import type { Judge } from "./judge.ts";
import { leftoversOf, workersOf } from "./leftovers.ts";
import type { Plant } from "./planted.ts";
import { makeTasks, writeTasks } from "./tasks.ts";

/**
 * What is killed, and where: the engine's process at one exact place, or so many milliseconds after it began to use its
 * journal; or one of its workers, under an engine that goes on to its end.
 */
export type Kill = { readonly place: string; readonly occurrence: number } | { readonly afterMs: number; readonly target: "engine" | "worker" };

/** One journal's way through several crashes to its end. */
export interface Journey {
  readonly name: string;
  readonly work: Question["work"];
  readonly seed: number;
  readonly kills: ReadonlyArray<Kill>;
  readonly plant?: Plant;
}

export interface Ride {
  readonly journey: Journey;
  /** For each kill: whether it happened. One whose place was not reached did not. */
  readonly fired: ReadonlyArray<boolean>;
  /** Places that any of the runs reached. */
  readonly reached: ReadonlySet<string>;
  /** How often the last run, which was left alone, reached each place. */
  readonly counted: ReadonlyMap<string, number>;
  readonly violations: ReadonlyArray<Violation>;
  readonly facts: Answer["facts"];
}

export interface Site {
  /** Holds this suite's sources. */
  readonly source: string;
  /** Where everything is compiled to. */
  readonly dist: string;
  /** Where the journeys leave their files. */
  readonly folder: string;
  readonly judge: Judge;
}

const slots = 4;
/** A run that takes longer hangs. Milliseconds. */
const patienceMs = 90_000;

/** Runs, kills, runs again, until the end; every crash is judged. */
export const ride = async (site: Site, journey: Journey): Promise<Ride> => {
  const folder = join(site.folder, journey.name);
  mkdirSync(folder, { recursive: true });
  if (journey.work === "tasks") writeTasks(folder, makeTasks(folder, journey.seed));
  const violations: Array<Violation> = [];
  const fired: Array<boolean> = [];
  const judged: Array<Promise<Answer>> = [];
  const judge = (run: number, final: boolean) => {
    const crash = snapshot(folder, run);
    const wasOpened = readFileSync(marksFile(folder, run), "utf8").includes("recovery.page");
    // While the next run is under way already: it works on its own files.
    const previous = judged.at(-1);
    const next = (async () => {
      const earlier = (await previous)?.mark;
      return site.judge.ask({ folder: crash, work: journey.work, final, wasOpened, ...(earlier === undefined ? {} : { earlier }) });
    })();
    judged.push(next);
  };
  for (const [index, kill] of journey.kills.entries()) {
    const { signal, code, wasHung, wasKilled } = await run(site, journey, folder, index + 1, kill);
    fired.push(wasKilled);
    if (wasHung) violations.push({ rule: "every run comes to its end", what: `run ${index + 1} did not end within ${patienceMs} ms` });
    else if (signal === null && code !== expectedCode(journey)) violations.push({ rule: "every run comes to its end", what: `run ${index + 1} ended with ${code}: ${errorsOf(folder, index + 1)}` });
    judge(index + 1, false);
  }
  const last = journey.kills.length + 1;
  const { signal, code } = await run(site, journey, folder, last, undefined);
  if (signal !== null || code !== expectedCode(journey)) violations.push({ rule: "every run comes to its end", what: `the last run ended with ${signal ?? code}: ${errorsOf(folder, last)}` });
  const leftovers = await leftoversOf(folder);
  for (const { pid, args } of leftovers) violations.push({ rule: "no process is left", what: `${pid} ${args}` });
  judge(last, true);
  const answers = await Promise.all(judged);
  for (const [index, answer] of answers.entries()) violations.push(...answer.violations.map(({ rule, what }) => ({ rule, what: `after run ${index + 1}: ${what}` })));
  return { journey, fired, ...marksOf(folder, last), violations, facts: (answers.at(-1) as Answer).facts };
};

/** Some tasks of a file must fail, and `taskwright run` says so. */
const expectedCode = ({ work }: Journey): number => (work === "tasks" ? 1 : 0);

const errorsOf = (folder: string, run: number): string =>
  readFileSync(join(folder, `run-${run}.err`), "utf8")
    .trim()
    .slice(-600);

const marksFile = (folder: string, run: number): string => join(folder, `run-${run}.marks`);

interface Ended {
  readonly signal: NodeJS.Signals | null;
  readonly code: number | null;
  readonly wasHung: boolean;
  /** The kill happened. */
  readonly wasKilled: boolean;
}

const run = async (site: Site, journey: Journey, folder: string, number: number, kill: Kill | undefined): Promise<Ended> => {
  const marks = marksFile(folder, number);
  writeFileSync(marks, "");
  const out = openSync(join(folder, `run-${number}.out`), "w");
  const err = openSync(join(folder, `run-${number}.err`), "w");
  const env = { ...process.env, TASKWRIGHT_MARKS: marks, ...(kill !== undefined && "place" in kill ? { TASKWRIGHT_KILL: `${kill.place}:${kill.occurrence}` } : {}) };
  const child = spawn(process.execPath, ["--import", join(site.source, "failpoints.mjs"), ...programOf(site, journey, folder)], { cwd: folder, env, stdio: ["ignore", out, err] });
  closeSync(out);
  closeSync(err);
  let wasHung = false;
  const limit = setTimeout(() => {
    wasHung = true;
    child.kill("SIGKILL");
  }, patienceMs);
  const ended = new Promise<Pick<Ended, "code" | "signal">>((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
  const wasStruck = kill !== undefined && "afterMs" in kill && (await killLater(child, marks, kill));
  const { code, signal } = await ended;
  clearTimeout(limit);
  return { code, signal, wasHung, wasKilled: wasStruck || (signal === "SIGKILL" && !wasHung) };
};

const programOf = ({ dist }: Site, { work, plant }: Journey, folder: string): ReadonlyArray<string> => {
  const [file, database] = [join(folder, "tasks.jsonl"), join(folder, "work.db")];
  if (work === "bank") return [bundled(dist, "test/crash/bank.js"), folder, "--quick-lease", ...(plant === undefined ? [] : ["--plant", plant])];
  if (plant !== undefined) return [bundled(dist, "test/crash/planted-run.js"), plant, file, database, String(slots)];
  return [bundled(dist, "src/cli/main.js"), "run", file, "--database", database, "--slots", String(slots), "--json"];
};

/** Counts from the first statement, so that a slow start of Node does not count. Says whether there was anything to kill. */
const killLater = async (child: ChildProcess, marks: string, { afterMs, target }: Extract<Kill, { afterMs: number }>): Promise<boolean> => {
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  while (!isOver() && readFileSync(marks, "utf8") === "") await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  if (isOver()) return false;
  if (target === "engine") return child.kill("SIGKILL");
  const workers = workersOf(child.pid as number);
  const worker = workers[afterMs % Math.max(1, workers.length)];
  if (worker === undefined) return false;
  try {
    return process.kill(worker, "SIGKILL");
  } catch {
    return false; // it ended in this moment
  }
};

/** A copy of what stands there now, before the next run touches it. */
const snapshot = (folder: string, run: number): string => {
  const crash = join(folder, `after-${run}`);
  mkdirSync(crash);
  // Without the -shm: like the next engine, the checker finds out by itself what the log holds.
  for (const file of ["work.db", "work.db-wal", "work.db-journal", "ledger.log", "endings.json"]) {
    if (existsSync(join(folder, file))) copyFileSync(join(folder, file), join(crash, file));
  }
  const said = Array.from({ length: run }, (_, index) => readFileSync(join(folder, `run-${index + 1}.out`), "utf8"));
  writeFileSync(join(crash, "acks.log"), said.map((text) => (text === "" || text.endsWith("\n") ? text : `${text}\n`)).join(""));
  return crash;
};

const marksOf = (folder: string, runs: number): Pick<Ride, "reached" | "counted"> => {
  const reached = new Set<string>();
  const counted = new Map<string, number>();
  for (let number = 1; number <= runs; number++) {
    for (const line of readFileSync(marksFile(folder, number), "utf8").split("\n")) {
      const [kind, what = ""] = line.split(" ");
      if (kind === "counted" && number === runs) counted.set(what.slice(0, what.lastIndexOf(":")), Number(what.slice(what.lastIndexOf(":") + 1)));
      else if (kind !== "" && kind !== "killed" && kind !== "counted") reached.add(kind as string);
    }
  }
  return { reached, counted };
};
