import type { CommandLine, CommandResult } from "./task-spec.ts";

/** What the engine's process tells a worker process, over Node's IPC channel. */
export type ToWorker =
  | { readonly type: "offer"; readonly assignment: string; readonly attempt: number; readonly work: Work }
  /** Politely first (SIGTERM to the whole process group), by force when the grace is over (SIGKILL). */
  | { readonly type: "revoke"; readonly assignment: string; readonly attempt: number; readonly force: boolean }
  /** Ends everything that it runs, and itself. */
  | { readonly type: "end" };

/** What a worker process reports. */
export type FromWorker =
  | { readonly type: "ready" }
  /** Said before the command begins: from here on a loss of the worker costs the command an attempt. */
  | { readonly type: "accepted"; readonly assignment: string; readonly attempt: number }
  | { readonly type: "began"; readonly assignment: string; readonly attempt: number; readonly pid: number }
  | { readonly type: "ended"; readonly assignment: string; readonly attempt: number; readonly result?: CommandResult; readonly reason?: string };

/** One command, with all that it needs. */
export interface Work {
  readonly id: string;
  readonly command: CommandLine;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Bytes of each output stream that are kept: the last ones. */
export const outputBytesMax = 64 * 1024;
