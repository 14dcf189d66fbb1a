import { hostname } from "node:os";
import { attemptsMax, standingOf, type TaskView } from "../dispatch/index.ts";
import { isAlive } from "../engine/index.ts";
import type { OwnerRow } from "../journal/index.ts";
import { commandResultOf } from "./command-task.ts";
import { durationText } from "./duration.ts";
import { reasonOf } from "./task-event.ts";

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
  const said = standingOf(task, { reason: reasonOf(task), states });
  switch (task.state) {
    case "waiting":
      return task.until === undefined ? said : `begins${until}`;
    case "running":
      if (!isWorkedWith(owner, now)) return `attempt ${task.attempts} of ${attemptsMax(task)} was cut short; it is run again by the next engine`;
      return task.until === undefined ? said : `${said}, given up${until}`;
    case "backingOff":
      return `${said}${until}`;
    case "parked":
      return task.until === undefined ? said : `${said}; given up${until}`;
    case "verifying":
      return task.until === undefined ? said : `${said}, at most${until}`;
    case "done": {
      const result = commandResultOf(task);
      return result === undefined ? said : `in ${durationText(result.durationMs)}`;
    }
    default:
      return said;
  }
};

/** Whether the process that claimed the journal still has it: its lease runs, and it lives, as far as that can be seen from here. */
export const isWorkedWith = (owner: OwnerRow | undefined, now: number): owner is OwnerRow => owner !== undefined && owner.until >= now && (owner.host !== hostname() || isAlive(owner.pid));

/** Whether somebody works with the journal; without, nothing in it moves. */
export const ownerText = (owner: OwnerRow | undefined, now: number): string =>
  isWorkedWith(owner, now)
    ? `process ${owner.pid} on ${owner.host} works with this journal since ${timeText(owner.since)}`
    : "no engine works with this journal at the moment; to go on, start the program that has it, or run its task file again";

export const timeText = (at: number): string => new Date(at).toISOString().replace("T", " ");
