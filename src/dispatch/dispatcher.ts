import type { Failure } from "../domain/json.ts";

/** What a worker carries out: a program with its arguments, or a line for the shell. */
export type CommandLine = { readonly argv: ReadonlyArray<string> } | { readonly shell: string };

/** A task as it is submitted. */
export interface TaskSpec {
  readonly id: string;
  readonly command: CommandLine;
  /** Absolute. Default: the folder of the process. */
  readonly cwd?: string;
  /** Added to the environment of the process. */
  readonly env?: Readonly<Record<string, string>>;
  /** How often a failed or timed-out attempt is repeated. Default 0. */
  readonly retries?: number;
  /** How long one attempt may run, in milliseconds. Default: one hour. */
  readonly timeoutMs?: number;
  /** Ids of tasks that must be done before this one starts. */
  readonly needs?: ReadonlyArray<string>;
  /** Higher goes first. Default 0. */
  readonly priority?: number;
}

export type TaskState = "waiting" | "queued" | "assigned" | "running" | "backingOff" | "done" | "dead" | "cancelled";

export const endedStates: ReadonlySet<TaskState> = new Set(["done", "dead", "cancelled"]);

/** What a command left behind. */
export interface CommandResult {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The last bytes of each stream (at most 64 KiB). */
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
}

/** A task as it stands. */
export interface TaskView {
  readonly id: string;
  readonly spec: TaskSpec;
  readonly state: TaskState;
  /** Attempts that were given to a worker; numbers them. */
  readonly attempts: number;
  /** The worker that has it now. */
  readonly worker: string | undefined;
  /** Why it is dead or cancelled, or why the last attempt failed. */
  readonly failure: Failure | undefined;
  /** Of the last attempt that ended. */
  readonly result: CommandResult | undefined;
  /** When it moves by itself, in milliseconds since 1970 (end of a back-off or time-out). */
  readonly until: number | undefined;
  readonly createdAt: number;
  readonly at: number;
}

export interface Dispatcher {
  /** Starts tasks; those that exist already go on as they are. The graph of `needs` was checked by the caller. */
  readonly submit: (tasks: ReadonlyArray<TaskSpec>) => Promise<void>;
  /** All tasks of the journal. */
  readonly tasks: () => Promise<ReadonlyArray<TaskView>>;
  /** Hears each task whenever it changed. Returns how to stop. */
  readonly observe: (listener: (task: TaskView) => void) => () => void;
  /** Resolves with the tasks, in the order of `ids`, when all have ended (done, dead or cancelled). After `stop` it never does. */
  readonly whenEnded: (ids: ReadonlyArray<string>) => Promise<ReadonlyArray<TaskView>>;
  readonly cancel: (id: string, reason: string) => Promise<void>;
  /** Gives out nothing more; resolves when the running commands have ended, by themselves or by `stop`. */
  readonly drain: () => Promise<void>;
  /** Ends the workers and what they run, now. What was running is run again when the journal is next opened, at no cost. */
  readonly stop: () => Promise<void>;
}
