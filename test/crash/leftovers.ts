import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";

export interface Leftover {
  readonly pid: number;
  readonly args: string;
}

interface Process extends Leftover {
  readonly parent: number;
}

const all = (): ReadonlyArray<Process> => (existsSync("/proc/self/stat") ? fromProc() : fromPs());

/** Small Linux images have no `ps`. */
const fromProc = (): ReadonlyArray<Process> =>
  readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      // The second field is the program's name in parentheses, which may hold anything.
      const [state, parent] = readFileSync(`/proc/${name}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ");
      const args = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
      return state === "Z" ? [] : [{ pid: Number(name), parent: Number(parent), args }];
    } catch {
      return []; // it has ended meanwhile
    }
  });

const fromPs = (): ReadonlyArray<Process> =>
  execFileSync("ps", ["-eo", "pid=,ppid=,args="], { encoding: "utf8" })
    .split("\n")
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
    .flatMap((match) => (match === null || match[3]?.includes("<defunct>") ? [] : [{ pid: Number(match[1]), parent: Number(match[2]), args: match[3] as string }]));

/** Processes whose command line names `folder`, the one that asks left out. */
const find = (folder: string): ReadonlyArray<Leftover> => all().filter(({ pid, args }) => pid !== process.pid && args.includes(folder));

/** The worker processes of an engine. */
export const workersOf = (engine: number): ReadonlyArray<number> => all().flatMap(({ pid, parent, args }) => (parent === engine && args.includes("worker-process.js") ? [pid] : []));

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** How long workers and commands may take to notice that their engine is gone. Milliseconds. */
const graceMs = 3_000;

/** Waits until no process of `folder` lives; ends those that outstay the grace, and says which they were. */
export const leftoversOf = async (folder: string): Promise<ReadonlyArray<Leftover>> => {
  const until = Date.now() + graceMs;
  for (let left = find(folder); ; left = find(folder)) {
    if (left.length === 0) return [];
    if (Date.now() > until) {
      for (const { pid } of left) kill(pid);
      return left;
    }
    await pause(50);
  }
};

const kill = (pid: number): void => {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
};
