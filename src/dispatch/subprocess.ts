import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { systemTime } from "../engine/index.ts";
import type { CommandInput } from "./task-spec.ts";
import type { FromWorker, ToWorker } from "./worker-protocol.ts";
import type { AttemptReport, Report, WorkerTransport } from "./worker-transport.ts";

interface Worker {
  readonly process: ChildProcess;
  readonly incarnation: number;
  /** Process groups of the commands that it runs, by assignment and attempt. */
  readonly groups: Map<string, number>;
  /** Resolves when the process is gone and everything that it said was heard. */
  readonly gone: Promise<void>;
  /** Takes the end by force back. */
  spare: () => void;
}

/** How long a worker process may take to end its commands and itself before it is killed. Milliseconds. */
const endGraceMs = 1_000;

// In the source tree (tests) the compiled program is used: Node 20 can't run TypeScript.
const defaultProgram = fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? "../../dist/src/dispatch/worker-process.js" : "./worker-process.js", import.meta.url));

/**
 * Worker processes on this machine, each for one command at a time. Until `attach`, requests are dropped: they are
 * leftovers of an earlier process, whose workers are about to be told that they were lost.
 */
export const makeSubprocesses = (program: string = defaultProgram): WorkerTransport => {
  const time = systemTime();
  /** The process that each worker has now. One that was given up is in `living` only, until it is gone. */
  const current = new Map<string, Worker>();
  const living = new Set<Worker>();
  let report: Report | undefined;

  const killGroups = (worker: Worker) => {
    for (const pid of worker.groups.values()) killGroup(pid);
    worker.groups.clear();
  };
  /**
   * What it says from now on counts for nothing. It ends itself, because a command that it begins at this moment is
   * known to nobody else; only one that hangs is killed.
   */
  const stop = (address: string) => {
    const worker = current.get(address);
    if (worker === undefined) return;
    current.delete(address);
    killGroups(worker);
    if (worker.process.connected) worker.process.send({ type: "end" } satisfies ToWorker, () => {});
    worker.spare = time.wakeAt(time.now() + endGraceMs, () => worker.process.kill("SIGKILL"));
  };
  const start = (address: string, incarnation: number) => {
    stop(address);
    const child = fork(program, [], { stdio: ["ignore", "ignore", "inherit", "ipc"], serialization: "json", execArgv: [] });
    let goes = () => {};
    const gone = new Promise<void>((resolve) => {
      goes = resolve;
    });
    const worker: Worker = { process: child, incarnation, groups: new Map(), gone, spare: () => {} };
    current.set(address, worker);
    living.add(worker);
    const isCurrent = () => current.get(address) === worker;
    const lose = (reason: string) => {
      living.delete(worker);
      worker.spare();
      goes();
      // Its commands lead process groups of their own, so they outlive it unless they are ended here.
      killGroups(worker);
      child.kill("SIGKILL");
      if (!isCurrent()) return;
      current.delete(address);
      report?.(address, { type: "LOST", incarnation, reason });
    };
    child.on("message", (message: FromWorker) => {
      switch (message.type) {
        case "ready":
          if (isCurrent()) report?.(address, { type: "READY", incarnation });
          return;
        case "accepted":
          if (isCurrent()) report?.(message.assignment, { type: "ACCEPTED", attempt: message.attempt, incarnation });
          return;
        case "began":
          if (!isCurrent()) return killGroup(message.pid);
          worker.groups.set(`${message.assignment} ${message.attempt}`, message.pid);
          return;
        case "ended":
          worker.groups.delete(`${message.assignment} ${message.attempt}`);
          if (isCurrent()) report?.(message.assignment, endOf(message, incarnation));
      }
    });
    child.on("error", (error) => lose(`its process failed: ${error.message}`));
    // Not at "exit": what it said last may still be on its way then, a command that it began among it.
    child.once("close", (code, signal) => lose(`its process ended (${signal ?? `exit code ${code}`})`));
  };
  const tell = (address: string, message: ToWorker) => {
    const worker = current.get(address);
    if (worker?.process.connected === true) worker.process.send(message, () => {});
  };

  return {
    start: (address, incarnation) => {
      if (report !== undefined) start(address, incarnation);
    },
    stop,
    offer: ({ worker, incarnation, assignment, attempt, task, input }) => {
      // The process that had the slot is gone: its assignments are given back, another one must not begin them.
      if (current.get(worker)?.incarnation !== incarnation) return;
      const { command, cwd = process.cwd(), env = {} } = input as CommandInput;
      tell(worker, { type: "offer", assignment, attempt, work: { id: task, command, cwd, env } });
    },
    revoke: ({ worker, assignment, attempt, force }) => tell(worker, { type: "revoke", assignment, attempt, force }),
    attach: (to) => {
      report = to;
    },
    endAll: async () => {
      report = undefined;
      for (const address of [...current.keys()]) stop(address);
      await Promise.all([...living].map(({ gone }) => gone));
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

/** The end of a command, as its assignment is told. */
const endOf = ({ attempt, result, reason }: Extract<FromWorker, { type: "ended" }>, incarnation: number): AttemptReport => {
  const ok = result !== undefined && result.exitCode === 0;
  const failure = ok ? undefined : { name: "CommandFailed", code: "command_failed", message: reason ?? failureText(result?.exitCode ?? null, result?.signal ?? null) };
  return { type: "ENDED", attempt, incarnation, outcome: ok ? "ok" : "error", ...(result === undefined ? {} : { result }), ...(failure === undefined ? {} : { failure }) };
};

const failureText = (exitCode: number | null, signal: string | null): string => (signal === null ? `the command ended with exit code ${exitCode}` : `the command was ended by ${signal}`);
