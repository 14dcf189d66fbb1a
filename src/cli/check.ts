import * as Effect from "effect/Effect";
import { checkCharts, type CheckReport, findingText } from "../analysis/index.ts";
import { type FoundMachine, machinesOfFiles } from "./machine-files.ts";
import type { Refused } from "./refused.ts";
import type { Streams } from "./streams.ts";

export interface CheckOptions {
  /** Modules and folders. */
  readonly paths: ReadonlyArray<string>;
  readonly json: boolean;
}

/** `taskwright check PATH …`: what is wrong with machines. Succeeds with the exit code. */
export const check = ({ paths, json }: CheckOptions, streams: Streams): Effect.Effect<number, Refused> =>
  Effect.map(machinesOfFiles(paths, streams.error), (found) => {
    const report = checkCharts(found.map(({ entry }) => entry));
    streams.out(json ? `${JSON.stringify(report, null, 2)}\n` : checkText(report, found));
    return report.findings.length === 0 ? 0 : 1;
  });

export const checkText = ({ findings, machines }: CheckReport, found: ReadonlyArray<FoundMachine>): string => {
  const fileOf = new Map(found.map(({ machine, file }) => [machine.id, file]));
  const lines = findings.map((finding) => `${fileOf.get(finding.machine) ?? "(a child machine)"}: ${findingText(finding)} [${finding.rule}]\n`);
  const total = (count: (machine: CheckReport["machines"][number]) => number) => machines.reduce((sum, machine) => sum + count(machine), 0);
  const partly = machines.filter(({ complete }) => !complete).map(({ machine }) => machine);
  const proof =
    partly.length === 0
      ? "structural: every combination of states that the charts allow was walked through, whatever the guards say"
      : `of ${partly.join(", ")} only a part was walked through: it has too many combinations of states; nothing is proved of what was not reached`;
  return `${lines.join("")}${machines.length} ${machines.length === 1 ? "machine" : "machines"}, ${total(({ states }) => states)} states, ${total(({ edges }) => edges)} transitions: ${findings.length === 0 ? "nothing found" : `${findings.length} found`}\n${proof}\n`;
};
