import { type ChildProcess, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { addOutcome, addTally, emptyTally, missed, runSeed, runSeeds, seedsForAllMarks, type Tally, tableOf } from "./campaign.ts";
import { minimise, told } from "./minimise.ts";
import { huntAll } from "./hunt.ts";

const print = (text: string) => process.stdout.write(`${text}\n`);

/** A world is thrown away whole: with room for it (MiB), little of it is moved before. Two processes have two cores: threads beside them only take turns with them. */
const runnerFlags = ["--max-semi-space-size=32", "--single-threaded"];

/** Seeds that a process is given at a time, at most. */
const portionMax = 100;

/** Runs ranges of seeds in a process of its own, which lives on from one to the next: a world costs half as much once its code is warm. */
class Runner {
  readonly #child: ChildProcess = fork(fileURLToPath(import.meta.url), ["--ranges"], { execArgv: runnerFlags });

  run(from: number, to: number): Promise<Tally> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null) => reject(new Error(`the process for the seeds ${from} to ${to} ended with code ${code}`));
      this.#child.once("exit", ended);
      this.#child.once("error", reject);
      this.#child.once("message", (tally) => {
        this.#child.removeAllListeners();
        resolve(tally as Tally);
      });
      this.#child.send([from, to]);
    });
  }

  end(): void {
    if (this.#child.connected) this.#child.disconnect();
  }
}

const runAll = async (from: number, to: number, tell: (text: string) => void): Promise<Tally> => {
  const tally = emptyTally();
  let next = from;
  const runners = Math.min(2, availableParallelism());
  const portion = Math.min(portionMax, Math.ceil((to - from + 1) / runners));
  const work = async () => {
    const runner = new Runner();
    try {
      while (next <= to) {
        const first = next;
        next += portion;
        const part = await runner.run(first, Math.min(to, first + portion - 1));
        for (const { seed, invariant, what } of part.violations) tell(`seed ${seed} violates ${invariant}: ${what.slice(0, 300)}`);
        addTally(tally, part);
      }
    } finally {
      runner.end();
    }
  };
  await Promise.all(Array.from({ length: runners }, work));
  tally.violations.sort((left, right) => left.seed - right.seed);
  return tally;
};

/** The command `npm run simulate`. Returns the exit code. */
export const main = async (args: ReadonlyArray<string>): Promise<number> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seeds: { type: "string" },
      from: { type: "string", default: "1" },
      seed: { type: "string" },
      without: { type: "string" },
      planted: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const began = performance.now();
  if (values.planted) {
    const found = await huntAll();
    for (const { name, says, seed, violation } of found) {
      if (values.json) print(JSON.stringify({ planted: name, seed, violation }));
      else print(seed === undefined ? `${name} was NOT found: ${says}` : `${name} was found by seed ${seed}: ${says}\n  ${violation?.invariant}: ${violation?.what.slice(0, 160)}`);
    }
    return found.every(({ seed }) => seed !== undefined) ? 0 : 1;
  }
  if (values.seed !== undefined) {
    const options = { seed: Number(values.seed), without: new Set((values.without ?? "").split(",").filter((name) => name !== "")) };
    const outcome = await runSeed(options);
    const tally = emptyTally();
    addOutcome(tally, outcome);
    if (values.json) print(JSON.stringify({ ...tally, digest: outcome.digest }));
    else print(`${outcome.history.join("\n")}\nhistory ${outcome.digest}\n${tableOf(tally, performance.now() - began)}`);
    if (outcome.violation === undefined) return 0;
    if (!values.json) print(`seed ${outcome.seed} violates ${outcome.violation.invariant}: ${outcome.violation.what}`);
    return 1;
  }
  const from = Number(values.from);
  const tally = await runAll(from, from + Number(values.seeds ?? "500") - 1, values.json ? () => {} : print);
  const realMs = performance.now() - began;
  const gaps = tally.seeds >= seedsForAllMarks ? missed(tally) : [];
  if (values.json) print(JSON.stringify({ ...tally, realMs, missed: gaps }));
  else {
    print(tableOf(tally, realMs));
    for (const gap of gaps) print(gap);
    const [first] = tally.violations;
    if (first !== undefined) print(told(await minimise({ seed: first.seed }, await runSeed({ seed: first.seed }))));
  }
  return tally.violations.length === 0 && gaps.length === 0 ? 0 : 1;
};

if (process.argv.includes("--ranges") && process.send !== undefined)
  process.on("message", (range) => {
    const [from, to] = range as readonly [number, number];
    runSeeds(from, to).then((tally) => process.send?.(tally));
  });
