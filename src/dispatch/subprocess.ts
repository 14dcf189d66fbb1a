import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { ActionInfo } from "../engine/index.ts";
import type { FromWorker, ToWorker, Work } from "./worker-protocol.ts";

/** Where reports of worker processes go: events for actors of the engine. */
export type Report = (address: string, event: { readonly type: string; readonly [key: string]: unknown }) => void;

/**
 * Worker processes on this machine. Carries out what the `worker` and `assignment` machines ask for, and tells them
 * what it sees; decides nothing. Until `attach`, requests are dropped: they are leftovers of an earlier process,
 * whose workers are about to be told that they were lost.
 */
export interface Subprocesses {
  readonly actions: {
    readonly worker: Readonly<Record<"startProcess" | "stopProcess", (info: ActionInfo) => void>>;
    readonly assignment: Readonly<Record<"offer" | "revoke", (info: ActionInfo) => void>>;
  };
  readonly attach: (report: Report) => void;
  /** Ends every worker process and what it runs; nothing is reported any more. */
  readonly endAll: () => Promise<void>;
}

interface Worker {
  readonly process: ChildProcess;
  readonly incarnation: number;
  /** Process groups of the commands that it runs, by assignment and attempt. */
  readonly groups: Map<string, number>;
}

// In the source tree (tests) the compiled program is used: Node 20 can't run TypeScript.
const defaultProgram = fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? "../../dist/src/dispatch/worker-process.js" : "./worker-process.js", import.meta.url));

export const makeSubprocesses = (program: string = defaultProgram): Subprocesses => {
  const workers = new Map<string, Worker>();
  let report: Report | undefined;

  const end = (worker: Worker) => {
    for (const pid of worker.groups.values()) killGroup(pid);
    worker.process.removeAllListeners();
    worker.process.on("error", () => {});
    if (worker.process.connected) worker.process.disconnect();
    worker.process.kill("SIGKILL");
  };
  const stop = (address: string) => {
    const worker = workers.get(address);
    workers.delete(address);
    if (worker !== undefined) end(worker);
  };
  const start = (address: string, incarnation: number) => {
    stop(address);
    const child = fork(program, [], { stdio: ["ignore", "ignore", "inherit", "ipc"], serialization: "json", execArgv: [] });
    const worker: Worker = { process: child, incarnation, groups: new Map() };
    workers.set(address, worker);
    const lose = (reason: string) => {
      if (workers.get(address) !== worker) return;
      workers.delete(address);
      // Its commands lead process groups of their own, so they outlive it unless they are ended here.
      for (const pid of worker.groups.values()) killGroup(pid);
      report?.(address, { type: "LOST", incarnation, reason });
    };
    child.on("message", (message: FromWorker) => {
      if (workers.get(address) !== worker) return;
      switch (message.type) {
        case "ready":
          return report?.(address, { type: "READY", incarnation });
        case "accepted":
          worker.groups.set(`${message.assignment} ${message.attempt}`, message.pid);
          return report?.(message.assignment, { type: "ACCEPTED", attempt: message.attempt });
        case "ended": {
          worker.groups.delete(`${message.assignment} ${message.attempt}`);
          const { attempt, result, reason } = message;
          const ok = result !== undefined && result.exitCode === 0;
          const failure = ok ? undefined : { name: "CommandFailed", code: "command_failed", message: reason ?? failureText(result?.exitCode ?? null, result?.signal ?? null) };
          return report?.(message.assignment, { type: "ENDED", attempt, ok, ...(result === undefined ? {} : { result }), ...(failure === undefined ? {} : { failure }) });
        }
      }
    });
    child.once("error", (error) => lose(`its process failed: ${error.message}`));
    child.once("exit", (code, signal) => lose(`its process ended (${signal ?? `exit code ${code}`})`));
  };
  const tell = (address: string, message: ToWorker) => {
    const worker = workers.get(address);
    if (worker?.process.connected === true) worker.process.send(message, () => {});
  };

  return {
    actions: {
      worker: {
        startProcess: ({ address, params }) => {
          if (report !== undefined) start(address, (params as { incarnation: number }).incarnation);
        },
        stopProcess: ({ address }) => stop(address),
      },
      assignment: {
        offer: ({ address, params }) => {
          const { worker, attempt, work } = params as { worker: string; attempt: number; work: Work };
          tell(worker, { type: "offer", assignment: address, attempt, work });
        },
        revoke: ({ address, params }) => {
          const { worker, attempt, force } = params as { worker: string; attempt: number; force: boolean };
          tell(worker, { type: "revoke", assignment: address, attempt, force });
        },
      },
    },
    attach: (to) => {
      report = to;
    },
    endAll: async () => {
      report = undefined;
      const ended = [...workers.values()].map((worker) => new Promise<void>((resolve) => (worker.process.exitCode !== null || worker.process.signalCode !== null ? resolve() : worker.process.once("close", () => resolve()))));
      const all = [...workers.values()];
      workers.clear();
      for (const worker of all) {
        for (const pid of worker.groups.values()) killGroup(pid);
        worker.process.kill("SIGKILL");
      }
      await Promise.all(ended);
    },
  };
};

const killGroup = (pid: number) => {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
};

const failureText = (exitCode: number | null, signal: string | null): string => (signal === null ? `the command ended with exit code ${exitCode}` : `the command was ended by ${signal}`);
