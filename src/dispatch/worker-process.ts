/*
 * The program of a worker process: carries out one command per assignment and reports over the IPC channel. When the
 * channel closes, the engine's process is gone: every command is ended at once, so that a repeated run never works
 * beside a leftover of this one. It waits for nothing by itself; time-outs stand in the assignment's machine.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
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
  let seen = 0;
  stream?.on("data", (chunk: Buffer) => {
    seen++;
    kept.push(chunk);
    bytes += chunk.length;
    if (bytes > 2 * outputBytesMax) {
      kept = [Buffer.concat(kept).subarray(-outputBytesMax)];
      bytes = outputBytesMax;
    }
  });
  return { seen: () => seen, text: () => textOf(Buffer.concat(kept).subarray(-outputBytesMax)) };
};

/** A tail may begin in the middle of a character: what is left of it is dropped. */
const textOf = (bytes: Buffer): string => {
  let start = 0;
  while (start < 3 && bytes.length >= outputBytesMax && ((bytes[start] ?? 0) & 0b1100_0000) === 0b1000_0000) start++;
  return bytes.subarray(start).toString("utf8");
};

/** Rounds of the event loop without output after which nothing more can come from a command that has ended. */
const quietRounds = 3;

const carryOut = ({ assignment, attempt, work }: Extract<ToWorker, { type: "offer" }>) => {
  const key = `${assignment} ${attempt}`;
  if (running.has(key)) return;
  const { command, cwd } = work;
  const env = { ...process.env, ...work.env, TASKWRIGHT_TASK: work.id, TASKWRIGHT_ATTEMPT: String(attempt) };
  const startedAt = performance.now();
  const options = { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] as ["ignore", "pipe", "pipe"] };
  // Before it begins: a command that kills this process at once must not look as if it had never been begun.
  report({ type: "accepted", assignment, attempt });
  let child: ChildProcess;
  try {
    const [program, ...args] = "argv" in command ? command.argv : [];
    child = "shell" in command ? spawn(command.shell, { ...options, shell: true }) : spawn(program ?? "", args, options);
  } catch (error) {
    report({ type: "ended", assignment, attempt, reason: `it could not be started: ${error instanceof Error ? error.message : String(error)}` });
    return;
  }
  running.set(key, child);
  // At once: if this process is killed now, the engine's process must know the group.
  if (child.pid !== undefined) report({ type: "began", assignment, attempt, pid: child.pid });
  const stdout = tail(child.stdout);
  const stderr = tail(child.stderr);
  child.once("error", (error) => {
    if (!running.delete(key)) return;
    const detail = (error as { code?: string }).code === "ENOENT" && !existsSync(cwd) ? `there is no folder "${cwd}"` : error.message;
    report({ type: "ended", assignment, attempt, reason: `it could not be started: ${detail}` });
  });
  child.once("close", (exitCode, signal) => {
    if (!running.delete(key)) return;
    report({ type: "ended", assignment, attempt, result: { exitCode, signal, stdout: stdout.text(), stderr: stderr.text(), durationMs: Math.round(performance.now() - startedAt) } });
  });
  child.once("exit", () => {
    // What the command left running in its group ends with it, and one that left the group may keep the pipes open:
    // neither holds the slot. What the command itself wrote is in the pipes by now, and read in the next rounds.
    signalGroup(child, "SIGKILL");
    let seen = -1;
    let quiet = 0;
    const listen = () => {
      const heard = stdout.seen() + stderr.seen();
      quiet = heard === seen ? quiet + 1 : 0;
      seen = heard;
      if (!running.has(key)) return;
      if (quiet < quietRounds) setImmediate(listen);
      else {
        child.stdout?.destroy();
        child.stderr?.destroy();
      }
    };
    setImmediate(listen);
  });
};

const end = () => {
  for (const child of running.values()) signalGroup(child, "SIGKILL");
  process.exit(0);
};

process.on("message", (message: ToWorker) => {
  switch (message.type) {
    case "offer":
      return carryOut(message);
    case "revoke": {
      const child = running.get(`${message.assignment} ${message.attempt}`);
      if (child !== undefined) signalGroup(child, message.force ? "SIGKILL" : "SIGTERM");
      return;
    }
    case "end":
      end();
  }
});
process.once("disconnect", end);
// The terminal sends these to the whole group; the engine's process decides what they mean.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const) process.on(signal, () => {});

report({ type: "ready" });
