import type { TaskState } from "../dispatch/index.ts";

/** In the order of a task's life. */
export const taskStates: ReadonlyArray<TaskState> = ["waiting", "queued", "assigned", "running", "backingOff", "done", "dead", "cancelled"];
