import { endedStates, type TaskView } from "../dispatch/index.ts";
import { commandResultOf } from "./command-task.ts";
import { durationText } from "./duration.ts";
import type { Tally } from "./progress.ts";
import { reasonOf } from "./task-event.ts";

export interface Summary {
  readonly tally: Tally;
  /** Tasks that had ended before this run began. */
  readonly endedBefore: number;
  readonly elapsedMs: number;
  readonly failed: ReadonlyArray<FailedTask>;
}

export interface FailedTask {
  readonly id: string;
  readonly state: "failed" | "dead" | "cancelled" | "expired";
  readonly reason: string;
  readonly attempts: number;
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The last lines of its standard error, or of its standard output where that is empty. */
  readonly lastLines: ReadonlyArray<string>;
}

const lastLinesMax = 5;
const lineLengthMax = 200;
/** Failures that are told in full; `taskwright ps --state dead` lists all. */
const failuresToldMax = 20;

export const summaryOf = (tasks: ReadonlyArray<TaskView>, tally: Tally, endedBefore: number, elapsedMs: number): Summary => ({
  tally,
  endedBefore,
  elapsedMs,
  failed: tasks.flatMap((task): ReadonlyArray<FailedTask> => {
    const { id, state, attempts } = task;
    if (state === "done" || !endedStates.has(state)) return [];
    const result = commandResultOf(task);
    const lastLines = lastLinesOf(result?.stderr ?? "");
    return [
      {
        id,
        state: state as FailedTask["state"],
        reason: reasonOf(task),
        attempts,
        exitCode: result?.exitCode ?? null,
        signal: result?.signal ?? null,
        lastLines: lastLines.length > 0 ? lastLines : lastLinesOf(result?.stdout ?? ""),
      },
    ];
  }),
});

/** 0: all done. 1: at least one dead or cancelled. `undefined`: some have not ended. */
export const exitCodeOf = ({ total, done, failed, cancelled }: Tally): 0 | 1 | undefined => (done === total ? 0 : done + failed + cancelled === total ? 1 : undefined);

/** The last non-empty lines of an output, cut where they are long. */
export const lastLinesOf = (output: string, max: number = lastLinesMax): ReadonlyArray<string> =>
  output
    .split(/\r?\n/)
    .map((line) => printable(line).trimEnd())
    .filter((line) => line !== "")
    .slice(-max)
    .map((line) => (line.length > lineLengthMax ? `${line.slice(0, lineLengthMax)}…` : line));

/** Without colours and other control sequences: output of a command must not move the reader's cursor. */
export const printable = (line: string): string =>
  line
    .replace(/\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007]*(?:\u0007|\u001b\\)|.)/g, "")
    .replace(/\t/g, "  ")
    .replace(/[\u0000-\u001f\u007f-\u009f]/g, "");

/** The summary for people, with what failed and why. */
export const summaryText = (summary: Summary): string => {
  const { tally, failed, endedBefore } = summary;
  const parts = [
    `${tally.done} done`,
    ...(tally.failed > 0 ? [`${tally.failed} dead`] : []),
    ...(tally.cancelled > 0 ? [`${tally.cancelled} cancelled`] : []),
    ...(tally.running + tally.waiting > 0 ? [`${tally.running + tally.waiting} not ended`] : []),
  ];
  const before = endedBefore > 0 ? ` (${endedBefore} had ended before and were not repeated)` : "";
  const lines = [`${tally.total === 1 ? "1 task" : `${tally.total} tasks`}: ${parts.join(", ")}, in ${durationText(summary.elapsedMs)}${before}`];
  if (failed.length > 0) lines.push("");
  for (const task of failed.slice(0, failuresToldMax)) lines.push(...failedText(task));
  if (failed.length > failuresToldMax) lines.push(`  … and ${failed.length - failuresToldMax} more: taskwright ps --state dead`);
  return lines.join("\n");
};

const failedText = ({ id, state, reason, attempts, exitCode, signal, lastLines }: FailedTask): ReadonlyArray<string> => {
  const how = [
    attempts === 1 ? "1 attempt" : `${attempts} attempts`,
    ...(exitCode !== null && !reason.includes("exit code") ? [`exit code ${exitCode}`] : []),
    ...(signal !== null && !reason.includes(signal) ? [`ended by ${signal}`] : []),
  ];
  return [`  ${state} ${id}: ${reason} (${how.join(", ")})`, ...lastLines.map((line) => `    | ${line}`)];
};
