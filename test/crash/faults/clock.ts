import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { openDatabase } from "../check/database.ts";
import type { Violation } from "../check/judgement.ts";
import type { Site } from "../journey.ts";
import type { ClockCase } from "./clock-process.ts";
import { Control, type Shim } from "./shim.ts";

export interface ClockJumps {
  /** By jump: how often the clock of a process did jump, and when its alarms rang, and how often another engine took the journal right after it. */
  readonly kinds: ReadonlyMap<string, { cases: number; fired: number; nearMs: Array<number>; hourMs: Array<number>; taken: number }>;
  readonly violations: ReadonlyArray<Violation>;
}

const hour = 3_600_000;
const jumps: ReadonlyArray<readonly [string, number]> = [
  ["-1 h", -hour],
  ["+1 h", hour],
  ["+30 d", 30 * 24 * hour],
];
/** As in the process. Milliseconds. */
const nearMs = 700;
const width = 2;
const run = promisify(execFile);

/** Lets the wall clock of `count` engines jump, and back. */
export const jumpClocks = async (site: Site, shim: Shim, count: number): Promise<ClockJumps> => {
  const kinds = new Map(jumps.map(([name]) => [name, { cases: 0, fired: 0, nearMs: [] as Array<number>, hourMs: [] as Array<number>, taken: 0 }]));
  const violations: Array<Violation> = [];
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < count; index = next++) {
      const [name, ms] = jumps[index % jumps.length] as readonly [string, number];
      const kind = kinds.get(name) as { cases: number; fired: number; nearMs: Array<number>; hourMs: Array<number>; taken: number };
      const violate = (what: string) => violations.push({ rule: "a jump of the wall clock loses and repeats nothing", what: `${name}, clock-${index}: ${what}` });
      kind.cases++;
      const folder = join(site.folder, `clock-${index}`);
      mkdirSync(folder);
      const control = Control.make(join(folder, "control"));
      try {
        const { stdout } = await run(process.execPath, [join(site.dist, "test/crash/faults/clock-process.js"), folder, String(ms)], {
          env: shim.env(control, join(folder, "work.db")),
          timeout: 60_000,
        });
        const said = JSON.parse(stdout) as ClockCase;
        if (Math.abs(said.jumped - ms) < 60_000) kind.fired++;
        else violate(`the clock jumped by ${said.jumped} ms`);
        kind.nearMs.push(Math.round(said.nearMs));
        if (said.hourMs !== undefined) kind.hourMs.push(Math.round(said.hourMs));
        if (said.atOnce.startsWith("taken")) kind.taken++;
        judge(ms, said, violate);
        await judgeJournal(site, folder, violate);
      } catch (error) {
        violate(String(error));
      }
      control.close();
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  return { kinds, violations };
};

/** Deadlines are moments of the wall clock: set forward, it passes them; set back, the engine's own clock goes on. */
const judge = (ms: number, said: ClockCase, violate: (what: string) => void): void => {
  // A millisecond of rounding between two clocks.
  if (ms < 0 && said.nearMs < nearMs - 2) violate(`an alarm of ${nearMs} ms rang after ${said.nearMs} ms`);
  if (said.nearMs > nearMs + 5_000) violate(`an alarm of ${nearMs} ms rang after ${said.nearMs} ms`);
  if (ms > 0 !== (said.hourMs !== undefined)) violate(`the alarm of half an hour ${said.hourMs === undefined ? "did not ring" : "rang"}`);
  if (said.farRang) violate("the alarm of 60 days rang");
  if (said.rival !== "JournalOwned") violate(`another engine was told ${said.rival}`);
  if (!["refused, the first one stored", "taken, the first one EngineClosed"].includes(said.atOnce)) violate(`right after a jump the journal was ${said.atOnce}`);
  if (said.state !== "running") violate(`the engine is ${said.state}`);
};

const judgeJournal = async (site: Site, folder: string, violate: (what: string) => void): Promise<void> => {
  writeFileSync(join(folder, "acks.log"), "");
  const { violations } = await site.judge.ask({ folder, work: "bank", final: false, withoutLedger: true });
  for (const { rule, what } of violations) violate(`${rule}: ${what}`);
  const database = openDatabase(join(folder, "work.db"));
  const rows = database.all<{ actor: number; at: number; type: string; event: string; address: string; start: number; ms: string }>(
    "SELECT history.actor, history.at, type, event, address, created_at AS start FROM history JOIN actors ON actors.id = history.actor ORDER BY history.id",
  );
  database.close();
  for (const [index, row] of rows.entries()) if (row.at < (rows[index - 1]?.at ?? 0)) violate(`entry ${index + 1} is ${(rows[index - 1]?.at ?? 0) - row.at} ms before the one before it`);
  const delays = new Map(
    rows.filter(({ type, address }) => type === "taskwright.start" && address.startsWith("alarm/")).map(({ actor, event }) => [actor, (JSON.parse(event) as { input: { ms: number } }).input.ms]),
  );
  const rings = rows.filter(({ type }) => type === "taskwright.timer");
  for (const ring of rings) {
    if (rings.filter(({ actor }) => actor === ring.actor).length > 1) violate(`${ring.address} rang twice`);
    if (ring.at < ring.start + (delays.get(ring.actor) ?? 0)) violate(`${ring.address} rang before its moment`);
  }
};
