import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { bundled } from "../bundle.ts";
import { openDatabase } from "../check/database.ts";
import { random } from "../random.ts";
import { type Evidence, judge, type Violation } from "./judgement.ts";
import type { Plant } from "./plants.ts";

/** One outbox's way through several kills to its end. */
export interface Journey {
  readonly name: string;
  readonly seed: number;
  readonly kills: number;
  readonly plant?: Plant;
  /** Where every kill is, for example turn.told:3; absent: at places and receipts by the seed. */
  readonly at?: string;
}

export interface Ride {
  readonly journey: Journey;
  readonly fired: number;
  /** Kills at which the stored state of the outbox was a drain. */
  readonly inDrain: number;
  /** Kills that cut off requests which the receiver had read and not answered. */
  readonly inRequest: number;
  readonly committed: number;
  readonly requests: number;
  readonly violations: ReadonlyArray<Violation>;
}

export interface Place {
  /** Holds failpoints.mjs. */
  readonly source: string;
  readonly dist: string;
  readonly folder: string;
}

/** A run that takes longer hangs. Milliseconds. */
const patienceMs = 90_000;
/** Receipts within which a run is killed from outside, wherever it is then. Counted, not timed: that is in the middle of the work on any machine. */
const receipts = 60;
/** Places around the transactions, with the occurrence up to which a kill falls into the middle of the work. */
const places: ReadonlyArray<readonly [string, number]> = [
  ["turn.stepped", 40],
  ["turn.committed", 40],
  ["turn.told", 40],
  ["sql.statement", 200],
  ["sql.commit", 40],
  ["sql.committed", 40],
];

export const ride = async (place: Place, journey: Journey): Promise<Ride> => {
  const folder = join(place.folder, journey.name);
  mkdirSync(folder, { recursive: true });
  const log = join(folder, "receiver.log");
  writeFileSync(log, "");
  const receiver = spawn(process.execPath, [join(place.dist, "test/crash/outbox/receiver.js"), log], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const [port] = (await lines(receiver, 1)) as [string];
    const { between, pick } = random(journey.seed);
    const violations: Array<Violation> = [];
    const acknowledged: Array<string> = [];
    let fired = 0;
    let inDrain = 0;
    let inRequest = 0;
    const travel = async (number: number, kill: Kill | undefined) => {
      const ended = await run(place, journey, { folder, port, number, kill });
      acknowledged.push(...ended.stored);
      if (ended.isKilled) fired++;
      else if (ended.code !== 0) violations.push({ rule: "every run comes to its end", what: `run ${number} ended with ${ended.code}: ${ended.errors}` });
      return ended.isKilled;
    };
    for (let number = 1; number <= journey.kills; number++) {
      const [name, span] = pick(places);
      const cuts = countOf(log, "cut");
      // Every second kill from outside, the others at a place.
      const isKilled = await travel(
        number,
        journey.at !== undefined ? { place: journey.at } : number % 2 === 0 ? { place: `${name}:${between(Math.ceil(span / 6), span)}` } : { afterReceipts: between(1, receipts) },
      );
      if (!isKilled) continue;
      if (isDraining(folder, number)) inDrain++;
      // The receiver hears of it in its own time: the answers that it holds back are over by then.
      await new Promise((resolve) => setTimeout(resolve, 40));
      if (countOf(log, "cut") > cuts) inRequest++;
    }
    await travel(journey.kills + 1, undefined);
    const evidence: Evidence = { ...storedIn(join(folder, "work.db")), acknowledged, log: readFileSync(log, "utf8") };
    violations.push(...judge(evidence));
    return { journey, fired, inDrain, inRequest, committed: evidence.committed.length, requests: countOf(log, "begin"), violations };
  } finally {
    receiver.kill("SIGTERM");
  }
};

type Kill = { readonly place: string } | { readonly afterReceipts: number };

interface Leg {
  readonly folder: string;
  readonly port: string;
  readonly number: number;
  readonly kill: Kill | undefined;
}

const run = async ({ source, dist }: Place, { plant }: Journey, { folder, port, number, kill }: Leg) => {
  const args = ["--import", join(source, "failpoints.mjs"), bundled(dist, "test/crash/outbox/sender.js"), folder, port, String(number)];
  if (plant !== undefined) args.push("--plant", plant);
  if (kill === undefined) args.push("--finish");
  const env = { ...process.env, ...(kill !== undefined && "place" in kill ? { TASKWRIGHT_KILL: kill.place } : {}) };
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const patience = setTimeout(() => child.kill("SIGTERM"), patienceMs);
  const stored: Array<string> = [];
  let errors = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    errors = `${errors}${text}`.slice(-600);
  });
  const said = createInterface({ input: child.stdout as NonNullable<ChildProcess["stdout"]> });
  said.on("line", (line) => {
    const what = JSON.parse(line) as { readonly stored?: string };
    if (what.stored === undefined) return;
    stored.push(what.stored);
    if (kill !== undefined && "afterReceipts" in kill && stored.length === kill.afterReceipts) child.kill("SIGKILL");
  });
  const [code, signal] = await new Promise<readonly [number | null, NodeJS.Signals | null]>((resolve) => child.once("close", (...ended) => resolve(ended)));
  clearTimeout(patience);
  return { code: code ?? signal, isKilled: signal === "SIGKILL", stored, errors };
};

const lines = async (child: ChildProcess, count: number): Promise<ReadonlyArray<string>> => {
  const found: Array<string> = [];
  for await (const line of createInterface({ input: child.stdout as NonNullable<ChildProcess["stdout"]> })) if (found.push(line) === count) break;
  return found;
};

const countOf = (log: string, what: string): number =>
  readFileSync(log, "utf8")
    .split("\n")
    .filter((line) => line.startsWith(`${what} `)).length;

/** Looks at a copy: the next run shall find what the kill left. */
const isDraining = (folder: string, number: number): boolean => {
  const copy = join(folder, `after-${number}.db`);
  for (const end of ["", "-wal"]) if (existsSync(join(folder, `work.db${end}`))) copyFileSync(join(folder, `work.db${end}`), `${copy}${end}`);
  const database = openDatabase(copy);
  try {
    const [row] = database.all<{ state: string }>("SELECT s.state FROM states s JOIN actors a ON a.id = s.actor WHERE a.address = 'outbox/box'");
    return /"value":[^,]*"draining"/.test(row?.state ?? "");
  } finally {
    database.close();
  }
};

/** What the journal says was committed, in order, and what is left of it. */
const storedIn = (file: string): Pick<Evidence, "committed" | "added" | "left"> => {
  const database = openDatabase(file);
  try {
    const events = (machine: string, type: string) =>
      database
        .all<{ event: string }>("SELECT h.event FROM history h JOIN actors a ON a.id = h.actor WHERE a.machine = ? AND h.type = ? AND h.outcome = 'handled' ORDER BY h.id", machine, type)
        .map(({ event }) => JSON.parse(event) as { readonly id: string; readonly lane: string; readonly entries: ReadonlyArray<{ readonly key: string; readonly lane: string }> });
    return {
      committed: events("outbox", "ENQUEUE").flatMap(({ entries }) => entries.map(({ key, lane }) => ({ id: key, lane }))),
      added: events("source", "ADD").map(({ id }) => id),
      left: database.all<{ key: string }>("SELECT key FROM entries").map(({ key }) => key),
    };
  } finally {
    database.close();
  }
};
