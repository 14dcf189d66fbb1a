/*
 * The judge of a crash: a process of its own that knows the journal only as tables, and of Taskwright only the pure
 * step. `node checker.js FOLDER` checks one folder; without an argument it takes one JSON line per question on standard
 * input and answers each with one, so that a suite need not start it anew for every crash.
 */
import { createInterface } from "node:readline";
import { judge, type Question } from "./check/judgement.ts";

const [folder, work = "tasks"] = process.argv.slice(2);
if (folder === undefined) {
  for await (const line of createInterface({ input: process.stdin })) process.stdout.write(`${JSON.stringify(judge(JSON.parse(line) as Question))}\n`);
} else {
  const { violations, facts } = judge({ folder, work: work as Question["work"], final: process.argv.includes("--final") });
  console.log(facts);
  for (const { rule, what } of violations) console.log(`${rule}: ${what}`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
