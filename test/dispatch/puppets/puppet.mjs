/*
 * A command that does what a test tells it. It calls the test over the socket whose path is its first argument, says
 * who it is, and carries out one instruction per line. That the line is cut tells the test that it is gone.
 */
import { spawn } from "node:child_process";
import { connect } from "node:net";
import { createInterface } from "node:readline";

const [, program, socketPath, name = process.env.TASKWRIGHT_TASK] = process.argv;
const socket = connect(socketPath);
const { TASKWRIGHT_TASK, TASKWRIGHT_ATTEMPT, COLOUR } = process.env;
socket.write(`${JSON.stringify({ name, pid: process.pid, task: TASKWRIGHT_TASK, attempt: TASKWRIGHT_ATTEMPT, colour: COLOUR, cwd: process.cwd() })}\n`);
// The test is gone.
socket.on("close", () => process.exit(99));
process.on("SIGTERM", () => socket.write('{"heard":"SIGTERM"}\n'));

const instructions = {
  print: ({ stream, text, times = 1 }) =>
    new Promise((resolve) => {
      process[stream].write(text.repeat(times), resolve);
    }),
  exit: ({ code }) => process.exit(code),
  die: ({ signal }) => {
    process.removeAllListeners("SIGTERM");
    process.kill(process.pid, signal);
  },
  /** Another one of its kind, which keeps its output open. */
  breed: ({ name: child, detached }) => {
    spawn(process.execPath, [program, socketPath, child], { stdio: "inherit", detached });
  },
};

for await (const line of createInterface({ input: socket })) {
  const { what, ...rest } = JSON.parse(line);
  await instructions[what](rest);
}
