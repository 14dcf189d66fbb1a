import type { TaskView } from "../dispatch/index.ts";
import type { OwnerRow } from "../journal/index.ts";
import { commandResultOf } from "./command-task.ts";
import { durationText } from "./duration.ts";
import { attemptsMax, reasonOf } from "./task-event.ts";

/** What a task's standing depends on. */
export interface Surrounding {
  /** Of the tasks that it may need. */
  readonly states: ReadonlyMap<string, string>;
  readonly owner: OwnerRow | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** In words: why a task stands where it does, and until when. */
export const standingText = (task: TaskView, { states, owner, now }: Surrounding): string => {
  const until = task.until === undefined ? "" : task.until > now ? ` in ${durationText(task.until - now)}` : " as soon as an engine runs";
  switch (task.state) {
    case "waiting":
      return task.needs.length === 0 || task.until !== undefined ? `begins${until === "" ? " at its moment" : until}` : `needs ${needsText(task, states)}`;
    case "queued":
      return task.failure === undefined ? "waits for a free slot" : `waits for a free slot, after: ${reasonOf(task)}`;
    case "assigned":
      return `offered to ${task.worker ?? "a worker"}`;
    case "running":
      if (!isWorkedWith(owner, now)) return `attempt ${task.attempts} of ${attemptsMax(task)} was cut short; it is run again by the next engine`;
      return `attempt ${task.attempts} of ${attemptsMax(task)} on ${task.worker ?? "a worker"}${task.until === undefined ? "" : `, given up${until}`}`;
    case "backingOff":
      return `${reasonOf(task)}; next attempt${until}`;
    case "parked":
      return `asks: ${task.question?.text ?? ""}${task.until === undefined ? "" : `; given up${until}`}`;
    case "verifying":
      return `waits to be verified${task.until === undefined ? "" : `, at most${until}`}`;
    case "paused":
      return "was set aside; resume it to go on";
    case "done": {
      const result = commandResultOf(task);
      return result === undefined ? "" : `in ${durationText(result.durationMs)}`;
    }
    default:
      return reasonOf(task);
  }
};

const needsMax = 5;

const needsText = ({ needs }: TaskView, states: ReadonlyMap<string, string>): string => {
  const open = needs.filter((need) => states.get(need) !== "done");
  const shown = open.slice(0, needsMax).map((need) => `${need} (${states.get(need) ?? "unknown"})`);
  return `${shown.join(", ")}${open.length > needsMax ? ` and ${open.length - needsMax} more` : ""}`;
};

const isWorkedWith = (owner: OwnerRow | undefined, now: number): owner is OwnerRow => owner !== undefined && owner.until >= now;

/** Whether somebody works with the journal; without, nothing in it moves. */
export const ownerText = (owner: OwnerRow | undefined, now: number): string =>
  isWorkedWith(owner, now)
    ? `process ${owner.pid} on ${owner.host} works with this journal since ${timeText(owner.since)}`
    : "no engine works with this journal at the moment; to go on, start the program that has it, or run its task file again";

export const timeText = (at: number): string => new Date(at).toISOString().replace("T", " ");
