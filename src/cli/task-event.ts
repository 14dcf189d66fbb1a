import { attemptsMax, endedStates, type TaskView } from "../dispatch/index.ts";
import type { Question } from "../domain/task.ts";
import { commandResultOf } from "./command-task.ts";
import { durationText } from "./duration.ts";

/** What is worth telling about a task while it runs. */
export type TaskEvent =
  | { readonly event: "started"; readonly id: string; readonly at: number; readonly attempt: number; readonly attemptsMax: number }
  | { readonly event: "retrying"; readonly id: string; readonly at: number; readonly attempt: number; readonly reason: string; readonly until: number | undefined }
  | { readonly event: "asked"; readonly id: string; readonly at: number; readonly question: Question | undefined }
  | {
      readonly event: "done" | "failed" | "dead" | "cancelled" | "expired";
      readonly id: string;
      readonly at: number;
      readonly attempts: number;
      readonly exitCode: number | null;
      readonly durationMs: number;
      readonly reason: string | undefined;
    };

/** What happened between two views of a task; nothing where it only moved within the queue. */
export const taskEvent = (before: TaskView | undefined, after: TaskView): TaskEvent | undefined => {
  const { id, at, state, attempts } = after;
  if (endedStates.has(state)) {
    if (before !== undefined && endedStates.has(before.state)) return undefined;
    const reason = state === "done" ? undefined : reasonOf(after);
    const result = commandResultOf(after);
    return { event: state as "done" | "failed" | "dead" | "cancelled" | "expired", id, at, attempts, exitCode: result?.exitCode ?? null, durationMs: result?.durationMs ?? after.usage.wallMs, reason };
  }
  if (state === "running" && (before?.state !== "running" || before.attempts !== attempts)) return { event: "started", id, at, attempt: attempts, attemptsMax: attemptsMax(after) };
  if (state === "parked" && (before?.state !== "parked" || before.question?.id !== after.question?.id)) return { event: "asked", id, at, question: after.question };
  const wasTried = before?.state === "running" || before?.state === "assigned";
  if (state === "backingOff" ? before?.state !== "backingOff" : state === "queued" && wasTried) return { event: "retrying", id, at, attempt: attempts, reason: reasonOf(after), until: after.until };
  return undefined;
};

/** Why a task failed, in a few words. */
export const reasonOf = (task: TaskView): string => {
  if (task.failure !== undefined) return task.failure.message;
  const result = commandResultOf(task);
  if (result === undefined) return "no reason was recorded";
  return result.signal === null ? `exit code ${result.exitCode}` : `ended by ${result.signal}`;
};

/** The event as a line for people. */
export const eventText = (event: TaskEvent): string => {
  const label = event.event.padEnd(9);
  switch (event.event) {
    case "started":
      return `${label} ${event.id}${event.attempt > 1 ? ` (attempt ${event.attempt} of ${event.attemptsMax})` : ""}`;
    case "retrying":
      return `${label} ${event.id}: ${event.reason}${event.until === undefined ? "" : `; again in ${durationText(Math.max(0, event.until - event.at))}`}`;
    case "asked":
      return `${label} ${event.id}: ${event.question?.text ?? ""}`;
    case "done":
      return `${label} ${event.id} in ${durationText(event.durationMs)}${event.attempts > 1 ? ` (${event.attempts} attempts)` : ""}`;
    default:
      return `${label} ${event.id}: ${event.reason}${event.attempts > 1 ? ` (${event.attempts} attempts)` : ""}`;
  }
};
