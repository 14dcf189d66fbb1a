import * as Effect from "effect/Effect";
import { readFile } from "node:fs/promises";
import type { AnyStateMachine } from "xstate";
import { type DurableMachine, isDurable } from "../engine/index.ts";
import type { JournalError } from "../journal/index.ts";
import { type ChangeGroup, eachHistory, Gate, type GateReport, type HistoryFileInvalid, readHistories } from "../replay/index.ts";
import { entriesOfFiles } from "./machine-files.ts";
import { type Refused, refused } from "./refused.ts";
import { openReader } from "./stored-tasks.ts";
import type { Streams } from "./streams.ts";

export interface CompareCommand {
  /** A history file. Absent: the journal. */
  readonly file: string | undefined;
  /** The changed machines. */
  readonly machines: ReadonlyArray<string>;
  /** Those that wrote the histories. */
  readonly against: ReadonlyArray<string>;
  readonly database: string;
  readonly json: boolean;
}

/** `taskwright compare`: what a changed machine would have made of the stored histories. Succeeds with the exit code: 1 where it is something else. */
export const compareCommand = ({ file, machines, against, database, json }: CompareCommand, streams: Streams): Effect.Effect<number, JournalError | HistoryFileInvalid | Refused> =>
  Effect.scoped(
    Effect.gen(function* () {
      const changed = yield* entriesOfFiles(machines);
      const writers = yield* entriesOfFiles(against);
      let gate: Gate;
      if (file === undefined) {
        const journal = yield* openReader(database);
        gate = new Gate(changed, { writers, charts: yield* journal.machines });
        for (const id of gate.machines) yield* eachHistory(journal, { machine: id }, (history) => gate.add(history));
      } else {
        const text = yield* Effect.tryPromise({ try: () => readFile(file, "utf8"), catch: (error) => refused(`${file} can't be read: ${(error as Error).message}`) });
        const read = yield* Effect.try({ try: () => readHistories(text), catch: (error) => error as HistoryFileInvalid });
        gate = new Gate(changed, { writers, charts: read.charts });
        for (const history of read.histories) gate.add(history);
      }
      const report = gate.report();
      streams.out(json ? `${JSON.stringify(report, null, 2)}\n` : reportText(report, gate.machines) + movesText(report, changed, machines));
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

/** Where a `migrate` may help: it moves actors, and is not asked what their past would have been. */
const movesText = ({ groups }: GateReport, changed: ReadonlyArray<AnyStateMachine | DurableMachine>, files: ReadonlyArray<string>): string =>
  changed
    .flatMap((entry) => (isDurable(entry) && entry.migrate !== undefined && groups.some(({ kind, machine }) => kind === "state gone" && machine === entry.machine.id) ? [entry.machine.id] : []))
    .map((id) => `the migrate of ${id} was not asked; where it brings the running actors: taskwright move ${id} --machines ${files.join(",")}\n`)
    .join("");

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
