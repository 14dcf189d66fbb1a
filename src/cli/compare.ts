import * as Effect from "effect/Effect";
import { readFile } from "node:fs/promises";
import type { JournalError } from "../journal/index.ts";
import { type ChangeGroup, eachHistory, Gate, type GateReport, type HistoryFileInvalid, readHistories } from "../replay/index.ts";
import { machinesOfFiles } from "./machine-files.ts";
import { type Refused, refused } from "./refused.ts";
import { openReader } from "./stored-tasks.ts";
import type { Streams } from "./streams.ts";

export interface CompareCommand {
  /** The changed machines. */
  readonly machine: string;
  /** Those that wrote the histories. */
  readonly machines: string | undefined;
  /** A history file in place of the journal. */
  readonly histories: string | undefined;
  readonly database: string;
  readonly json: boolean;
}

/** `taskwright compare`: what a changed machine would have made of the stored histories. Succeeds with the exit code: 1 where it is something else. */
export const compareCommand = ({ machine, machines, histories, database, json }: CompareCommand, streams: Streams): Effect.Effect<number, JournalError | HistoryFileInvalid | Refused> =>
  Effect.scoped(
    Effect.gen(function* () {
      const entriesOf = (file: string) => Effect.map(machinesOfFiles([file]), (found) => found.map(({ entry }) => entry));
      const changed = yield* entriesOf(machine);
      const writers = machines === undefined ? [] : yield* entriesOf(machines);
      let gate: Gate;
      if (histories === undefined) {
        const journal = yield* openReader(database);
        gate = new Gate(changed, { writers, charts: yield* journal.machines });
        for (const id of gate.machines) yield* eachHistory(journal, { machine: id }, (history) => gate.add(history));
      } else {
        const text = yield* Effect.tryPromise({ try: () => readFile(histories, "utf8"), catch: (error) => refused(`${histories} can't be read: ${(error as Error).message}`) });
        const file = yield* Effect.try({ try: () => readHistories(text), catch: (error) => error as HistoryFileInvalid });
        gate = new Gate(changed, { writers, charts: file.charts });
        for (const history of file.histories) gate.add(history);
      }
      const report = gate.report();
      streams.out(json ? `${JSON.stringify(report, null, 2)}\n` : reportText(report, gate.machines));
      return report.groups.length === 0 ? 0 : 1;
    }),
  );

/** Events of a witness that are shown: the last ones. */
const shownMax = 8;

const reportText = ({ actors, same, unseen, groups }: GateReport, machines: ReadonlyArray<string>): string => {
  if (actors === 0) return `no actor of ${machines.join(", ")} is stored\n`;
  const lines = groups.flatMap((group) => [...groupText(group), ""]);
  for (const [why, count] of Object.entries(unseen)) lines.push(`commands and deadlines of ${count} were not compared: ${why}`);
  return `${[...lines, `${same} of ${actors} ${actors === 1 ? "actor does" : "actors do"} the same, ${actors - same} ${actors - same === 1 ? "does" : "do"} not`].join("\n")}\n`;
};

const groupText = ({ machine, kind, cause, actors, counterfactual, witness }: ChangeGroup): ReadonlyArray<string> => {
  const { address, seq, events, fields, ends } = witness;
  const shown = events.length > shownMax ? ["…", ...events.slice(-shownMax)] : events;
  const json = (value: unknown) => (value === undefined ? "-" : JSON.stringify(value));
  return [
    `${kind}: ${actors} ${actors === 1 ? "actor" : "actors"} of ${machine}`,
    `  ${cause}`,
    `  shortest: ${address}, entry ${seq}: ${shown.join(", ")}`,
    ...fields.slice(0, shownMax).map(({ path, left, right }) => `    ${path}: then ${json(left)}, now ${json(right)}`),
    ...(ends === undefined ? [] : [`  it ended in ${json(ends.before)}, and ends in ${json(ends.after)} now`]),
    ...(counterfactual === 0 ? [] : [`  counterfactual in ${counterfactual}: answers stand behind it that the changed machine would not have asked for, or asked for differently`]),
  ];
};
