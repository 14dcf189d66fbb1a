/*
 * The judge of a crash: a process of its own that knows the journal only as tables, and of Taskwright only the pure
 * step. `node checker.js FOLDER` checks one folder; without an argument it takes one JSON line per question on standard
 * input and answers each with one, so that a suite need not start it anew for every crash.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { acks } from "./check/acks.ts";
import { bank, carriedOut } from "./check/bank.ts";
import { checkContinuity, type Mark } from "./check/continuity.ts";
import { readEvidence } from "./check/evidence.ts";
import { executions } from "./check/executions.ts";
import { makeScene, type Rule } from "./check/scene.ts";
import { structure } from "./check/structure.ts";
import { tasks } from "./check/tasks.ts";

export interface Question {
  /** Holds work.db (and work.db-wal), acks.log, ledger.log and, for a task file, endings.json. */
  readonly folder: string;
  /** Which machines ran. */
  readonly work: "tasks" | "bank";
  /** The last run came to its end. */
  readonly final: boolean;
  /** There is no ledger: what was done outside is not known. */
  readonly withoutLedger?: boolean;
  /** What the check before answered, over the same journal. */
  readonly earlier?: Mark;
}

export interface Answer {
  readonly violations: ReadonlyArray<Violation>;
  readonly mark?: Mark;
  readonly facts: { readonly actors: number; readonly entries: number; readonly acks: number; readonly executions: number };
}

export interface Violation {
  readonly rule: string;
  readonly what: string;
}

const rules: Readonly<Record<Question["work"], { readonly inside: ReadonlyArray<Rule>; readonly outside: ReadonlyArray<Rule> }>> = {
  tasks: { inside: [...structure, ...acks, ...tasks], outside: executions },
  bank: { inside: [...structure, ...acks, ...bank], outside: carriedOut },
};

const judge = ({ folder, work, final, withoutLedger, earlier }: Question): Answer => {
  const violations: Array<Violation> = [];
  const violate = (rule: string) => (what: string) => violations.push({ rule, what });
  try {
    const evidence = readEvidence(folder);
    const endings = join(folder, "endings.json");
    const asked = existsSync(endings) ? new Map(JSON.parse(readFileSync(endings, "utf8")) as ReadonlyArray<[string, string]>) : undefined;
    const scene = makeScene(evidence, final, asked, violate("the stored state is the fold of its history"));
    for (const rule of [...rules[work].inside, ...(withoutLedger === true ? [] : rules[work].outside)]) rule.check(scene, violate(rule.name));
    const mark = checkContinuity(evidence, earlier, violate("history only grows, and so does the epoch"));
    const executed = evidence.ledger.filter(({ what }) => what === "begin").length;
    return { violations, mark, facts: { actors: evidence.actors.length, entries: evidence.history.length, acks: evidence.acks.length, executions: executed } };
  } catch (error) {
    violate("the file is sound")(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return { violations, facts: { actors: 0, entries: 0, acks: 0, executions: 0 } };
  }
};

const [folder, work = "tasks"] = process.argv.slice(2);
if (folder === undefined) {
  for await (const line of createInterface({ input: process.stdin })) process.stdout.write(`${JSON.stringify(judge(JSON.parse(line) as Question))}\n`);
} else {
  const { violations, facts } = judge({ folder, work: work as Question["work"], final: process.argv.includes("--final") });
  console.log(facts);
  for (const { rule, what } of violations) console.log(`${rule}: ${what}`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
