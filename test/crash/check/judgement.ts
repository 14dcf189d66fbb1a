import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { acks } from "./acks.ts";
import { bank, carriedOut } from "./bank.ts";
import { checkContinuity, type Mark } from "./continuity.ts";
import { readEvidence } from "./evidence.ts";
import { executions } from "./executions.ts";
import { makeScene, type Rule } from "./scene.ts";
import { structure } from "./structure.ts";
import { tasks } from "./tasks.ts";

export interface Question {
  /** Holds work.db (and work.db-wal), acks.log, ledger.log and, for a task file, endings.json. */
  readonly folder: string;
  /** Which machines ran. */
  readonly work: "tasks" | "bank";
  /** The last run came to its end. */
  readonly final: boolean;
  /** There is no ledger: what was done outside is not known. */
  readonly withoutLedger?: boolean;
  /** The last run came as far as opening the journal. */
  readonly wasOpened?: boolean;
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

const foldRule = "the stored state is the fold of its history";
const continuityRule = "history only grows, and so does the epoch";

/** In the journal itself, and in what was done outside of it. */
const rules: Readonly<Record<Question["work"], { readonly inside: ReadonlyArray<Rule>; readonly outside: ReadonlyArray<Rule> }>> = {
  tasks: { inside: [...structure, ...acks, ...tasks], outside: executions },
  bank: { inside: [...structure, ...acks, ...bank], outside: carriedOut },
};

export const ruleNames: ReadonlySet<string> = new Set([foldRule, continuityRule, ...Object.values(rules).flatMap(({ inside, outside }) => [...inside, ...outside].map(({ name }) => name))]);

/** Looks at what a crash left, by all rules. */
export const judge = ({ folder, work, final, withoutLedger, wasOpened, earlier }: Question): Answer => {
  const violations: Array<Violation> = [];
  const violate = (rule: string) => (what: string) => violations.push({ rule, what });
  try {
    const evidence = readEvidence(folder);
    const endings = join(folder, "endings.json");
    const asked = existsSync(endings) ? new Map(JSON.parse(readFileSync(endings, "utf8")) as ReadonlyArray<[string, string]>) : undefined;
    const scene = makeScene(evidence, final, asked, violate(foldRule));
    for (const rule of [...rules[work].inside, ...(withoutLedger === true ? [] : rules[work].outside)]) rule.check(scene, violate(rule.name));
    const mark = checkContinuity(evidence, earlier, wasOpened === true, violate(continuityRule));
    const executed = evidence.ledger.filter(({ what }) => what === "begin").length;
    return { violations, mark, facts: { actors: evidence.actors.length, entries: evidence.history.length, acks: evidence.acks.length, executions: executed } };
  } catch (error) {
    // SQLite refuses a damaged file in many ways; anything else is a mistake of the checker itself.
    violate("the file is sound")(error instanceof Error ? (error.name === "SqliteError" || "errcode" in error ? error.message : String(error.stack)) : String(error));
    return { violations, facts: { actors: 0, entries: 0, acks: 0, executions: 0 } };
  }
};
