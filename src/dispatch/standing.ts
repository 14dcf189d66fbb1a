import type { TaskView } from "./task-spec.ts";

/** The latest attempt is under way, waits for an answer, or ended well. */
const goesOn: ReadonlySet<TaskView["state"]> = new Set(["assigned", "running", "parked", "verifying", "done"]);

/**
 * How many attempts there can be. Only failures count against the bound: one that asked, or lost its worker, leaves room for
 * another, so that an attempt is never "2 of 1".
 */
export const attemptsMax = ({ state, attempts, failures, spec }: TaskView): number => attempts + Math.max(0, spec.retry.attemptsMax - failures - (goesOn.has(state) ? 1 : 0));

const needsMax = 5;

export interface Standing {
  /** What a task in the queue waits for, where more is known of it than that. */
  readonly slot?: string;
  /** Why the last attempt failed. Default: what the task says of its failure. */
  readonly reason?: string;
  /** How tasks stand that this one may need. */
  readonly states?: ReadonlyMap<string, string>;
}

/** In words, but for the times: why a task stands where it does. Of one that has ended, why it came to no good end. */
export const standingOf = (task: TaskView, { slot = "waits for a free slot", reason = task.failure?.message ?? "", states }: Standing = {}): string => {
  switch (task.state) {
    case "waiting":
      return task.needs.length === 0 || task.until !== undefined ? "begins at its moment" : `needs ${needsText(task.needs, states)}`;
    case "queued":
      return task.failure === undefined ? slot : `${slot}, after: ${reason}`;
    case "assigned":
      return `offered to ${task.worker ?? "a worker"}`;
    case "running":
      return `attempt ${task.attempts} of ${attemptsMax(task)} on ${task.worker ?? "a worker"}`;
    case "backingOff":
      return `${reason === "" ? "its last attempt failed" : reason}; next attempt`;
    case "parked":
      return `asks: ${task.question?.text ?? ""}`;
    case "verifying":
      return "waits to be verified";
    case "paused":
      return "was set aside; resume it to go on";
    case "done":
      return "";
    default:
      return reason;
  }
};

const needsText = (needs: ReadonlyArray<string>, states: ReadonlyMap<string, string> | undefined): string => {
  const open = needs.filter((need) => states?.get(need) !== "done");
  const shown = open.slice(0, needsMax).map((need) => (states === undefined ? need : `${need} (${states.get(need) ?? "unknown"})`));
  return `${shown.join(", ")}${open.length > needsMax ? ` and ${open.length - needsMax} more` : ""}`;
};
