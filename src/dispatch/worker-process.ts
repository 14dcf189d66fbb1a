/*
 * The program of a worker process: carries out one command per assignment and reports over the IPC channel. When the
 * channel closes, the engine's process is gone: every command is ended at once, so that a repeated run never works
 * beside a leftover of this one. It waits for nothing by itself; time-outs stand in the assignment's machine.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { type FromWorker, outputBytesMax, type ToWorker } from "./worker-protocol.ts";

const running = new Map<string, ChildProcess>();

const report = (message: FromWorker) => {
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
};

const signalGroup = (child: ChildProcess, signal: NodeJS.Signals) => {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // The group has ended already.
  }
};

/** The last bytes of a stream. */
const tail = (stream: NodeJS.ReadableStream | null) => {
  let kept: Array<Buffer> = [];
  let bytes = 0;
  stream?.on("data", (chunk: Buffer) => {
    kept.push(chunk);
    bytes += chunk.length;
    if (bytes > 2 * outputBytesMax) {
      kept = [Buffer.concat(kept).subarray(-outputBytesMax)];
      bytes = outputBytesMax;
    }
  });
  return () => Buffer.concat(kept).subarray(-outputBytesMax).toString("utf8");
};

const carryOut = ({ assignment, attempt, work }: Extract<ToWorker, { type: "offer" }>) => {
  const key = `${assignment} ${attempt}`;
  if (running.has(key)) return;
  const { command, cwd } = work;
  const env = { ...process.env, ...work.env, TASKWRIGHT_TASK: work.id, TASKWRIGHT_ATTEMPT: String(attempt) };
  const startedAt = performance.now();
  const options = { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] as ["ignore", "pipe", "pipe"] };
  let child: ChildProcess;
  try {
    const [program, ...args] = "argv" in command ? command.argv : [];
    child = "shell" in command ? spawn(command.shell, { ...options, shell: true }) : spawn(program ?? "", args, options);
  } catch (error) {
    report({ type: "ended", assignment, attempt, reason: error instanceof Error ? error.message : String(error) });
    return;
  }
  running.set(key, child);
  const stdout = tail(child.stdout);
  const stderr = tail(child.stderr);
  child.once("spawn", () => report({ type: "accepted", assignment, attempt, pid: child.pid ?? 0 }));
  child.once("error", (error) => {
    if (!running.delete(key)) return;
    report({ type: "ended", assignment, attempt, reason: `it could not be started: ${error.message}` });
  });
  child.once("close", (exitCode, signal) => {
    if (!running.delete(key)) return;
    report({ type: "ended", assignment, attempt, result: { exitCode, signal, stdout: stdout(), stderr: stderr(), durationMs: Math.round(performance.now() - startedAt) } });
  });
  // A grandchild that keeps the pipes open must not hold the slot: the command itself has ended.
  child.once("exit", () => setImmediate(() => signalGroup(child, "SIGKILL")));
};

process.on("message", (message: ToWorker) => {
  if (message.type === "offer") carryOut(message);
  else {
    const child = running.get(`${message.assignment} ${message.attempt}`);
    if (child !== undefined) signalGroup(child, message.force ? "SIGKILL" : "SIGTERM");
  }
});

process.once("disconnect", () => {
  for (const child of running.values()) signalGroup(child, "SIGKILL");
  process.exit(0);
});
// The terminal sends these to the whole group; the engine's process decides what they mean.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});

report({ type: "ready" });
