import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { openDatabase } from "../check/database.ts";
import type { Violation } from "../check/judgement.ts";
import type { Site } from "../journey.ts";
import { type Random, random } from "../random.ts";

export interface Pauses {
  /** Owners that were stopped until another process had their journal, and then woken up. */
  readonly takenOver: number;
  /** Stopped inside of a transaction: nobody can take over until it goes on. They were let go on. */
  readonly inTransaction: number;
  /** Those that were woken up, tried to write, and stopped themselves: `JournalFenced`. */
  readonly fenced: number;
  readonly acks: number;
  readonly violations: ReadonlyArray<Violation>;
}

const leaseMs = 300;
const heartbeatMs = 70;
/** Beyond its lease a stopped owner is waited for so long, until it is clear that it holds SQLite's lock. Milliseconds. */
const lockMs = 700;
/** How long one that was taken over may go on before it notices. Milliseconds. */
const noticeMs = 8_000;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

type Line = Readonly<Record<string, unknown>>;

class Rival {
  readonly process: ChildProcess;
  readonly lines: Array<Line> = [];

  constructor(program: ReadonlyArray<string>) {
    this.process = spawn(process.execPath, program, { stdio: ["pipe", "pipe", "inherit"] });
    createInterface({ input: this.process.stdout as NodeJS.ReadableStream }).on("line", (line) => this.lines.push(JSON.parse(line) as Line));
  }

  take(): void {
    this.process.stdin?.write("take\n");
  }

  /** The number of lines that have this key. */
  count(key: string): number {
    return this.lines.filter((line) => key in line).length;
  }

  /** Waits for one more such line than there were; false when that takes too long. */
  async says(key: string, before: number, ms: number): Promise<boolean> {
    const until = Date.now() + ms;
    while (this.count(key) <= before) {
      if (Date.now() > until || this.process.exitCode !== null) return false;
      await pause(5);
    }
    return true;
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once("close", resolve));
    this.process.kill("SIGKILL");
    await ended;
  }
}

/**
 * Two processes take a journal from each other `count` times, some pairs at a time: the owner is stopped in the middle
 * of its work for longer than its lease, the other one takes over and writes, the first is woken up and must not write
 * any more. `plant` lets both of them believe that they own it for ever.
 */
export const pauseOwners = async (site: Site, count: number, seed: number, plant = false): Promise<Pauses> => {
  const pairs = Math.min(count, 6);
  const tally = { takenOver: 0, inTransaction: 0, fenced: 0, acks: 0 };
  const violations: Array<Violation> = [];
  await Promise.all(
    Array.from({ length: pairs }, async (_, pair) => {
      const folder = join(site.folder, `pauses${plant ? "-planted" : ""}-${pair}`);
      mkdirSync(folder);
      const imports = plant ? ["--import", join(site.source, "planted-epoch.mjs")] : [];
      const program = [...imports, join(site.dist, "test/crash/faults/pause-process.js"), join(folder, "work.db"), String(leaseMs), String(heartbeatMs)];
      const rivals: [Rival, Rival] = [new Rival(program), new Rival(program)];
      try {
        rivals[0].take();
        await rivals[0].says("opened", 0, 30_000);
        const share = Math.ceil((count - pair) / pairs);
        for (let turn = 0; turn < share; turn++) {
          const wrong = await pauseOnce(rivals[turn % 2] as Rival, rivals[(turn + 1) % 2] as Rival, random(seed * 1_000 + pair * 100 + turn), tally);
          if (wrong !== undefined) {
            violations.push({ rule: "a paused owner that was taken over stops", what: `pair ${pair}, pause ${turn + 1}: ${wrong}` });
            break;
          }
        }
      } finally {
        await Promise.all(rivals.map((rival) => rival.end()));
      }
      violations.push(...(await judgePair(site, folder, rivals, tally)).map(({ rule, what }) => ({ rule, what: `pair ${pair}: ${what}` })));
    }),
  );
  return { ...tally, violations };
};

/** Says what went wrong. */
const pauseOnce = async (owner: Rival, other: Rival, { between }: Random, tally: { takenOver: number; inTransaction: number; fenced: number }): Promise<string | undefined> => {
  await pause(between(5, 60));
  const [opened, stopped] = [other.count("opened"), owner.count("stopped")];
  owner.process.kill("SIGSTOP");
  other.take();
  while (!(await other.says("opened", opened, leaseMs + lockMs))) {
    if (other.process.exitCode !== null) return "the process that should take over ended";
    tally.inTransaction++;
    if (tally.inTransaction > 10_000) return "nobody could take over";
    owner.process.kill("SIGCONT");
    await pause(between(5, 60));
    // It may have gone while it was let on: then it is awake already.
    if (other.count("opened") > opened) break;
    owner.process.kill("SIGSTOP");
  }
  tally.takenOver++;
  if (between(0, 1) === 1) await pause(between(1, 40));
  owner.process.kill("SIGCONT");
  if (!(await owner.says("stopped", stopped, noticeMs))) return `woken up, it still had not stopped after ${noticeMs} ms; it said ${JSON.stringify(owner.lines.slice(-2))}`;
  const last = owner.lines.findLast((line) => "stopped" in line);
  if (last?.cause !== "JournalFenced") return `it stopped for another reason: ${JSON.stringify(last)}`;
  tally.fenced++;
  return undefined;
};

const judgePair = async (site: Site, folder: string, rivals: ReadonlyArray<Rival>, tally: { acks: number }): Promise<ReadonlyArray<Violation>> => {
  const lines = rivals.flatMap((rival) => rival.lines);
  const acks = lines.filter((line) => "ack" in line);
  tally.acks += acks.length;
  writeFileSync(join(folder, "acks.log"), acks.map((line) => `${JSON.stringify(line)}\n`).join(""));
  const { violations } = await site.judge.ask({ folder, work: "bank", final: false, withoutLedger: true });
  const database = openDatabase(join(folder, "work.db"));
  const stored = database.all<{ event: string }>("SELECT event FROM history WHERE type = 'ADD' ORDER BY id").map((row) => (JSON.parse(row.event) as { id: string }).id);
  database.close();
  const found: Array<Violation> = [...violations];
  let latest = 0;
  for (const id of stored) {
    const epoch = Number(/^e(\d+)-/.exec(id)?.[1]);
    if (epoch < latest) found.push({ rule: "nobody writes after the next owner did", what: `"${id}" was stored after an event of epoch ${latest}` });
    latest = Math.max(latest, epoch);
  }
  const known = new Set(stored);
  for (const { failed, detail } of lines)
    if (detail === "it stopped before this event was stored" && known.has(String(failed))) found.push({ rule: "what was refused is not stored", what: String(failed) });
  return found;
};
