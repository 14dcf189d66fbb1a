/*
 * An endpoint, as a program: `node endpoint-process.js FOLDER NAME`. It writes what it begins to FOLDER/seen-NAME.log,
 * answers after a moment, and remembers in a file what it has accepted.
 */
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { connectEndpoint, fileMemory } from "../../../src/broker/index.ts";
import { heartbeatMs } from "./policy.ts";

const [folder = ".", name = ""] = process.argv.slice(2);
const append = (value: unknown) => {
  const file = openSync(join(folder, `seen-${name}.log`), "a");
  writeSync(file, `${JSON.stringify(value)}\n`);
  fsyncSync(file);
  closeSync(file);
};
const client = connectEndpoint({
  endpoint: name,
  owner: String(process.pid),
  broker: { path: join(folder, "broker.sock") },
  memory: fileMemory(join(folder, `memory-${name}.log`)),
  heartbeat: heartbeatMs,
  onMessage: async (message, { assignment, isResumed }) => {
    append({ message: message.id, assignment, isResumed });
    await pause(5);
    if (Number(message.id.slice(1)) % 17 === 0) throw new Error("this one can't be done");
    return `${name} did ${message.id}`;
  },
});
await client.attached();
writeSync(1, `${JSON.stringify({ attached: process.pid })}\n`);
process.stdin.resume();
process.stdin.on("end", () => process.kill(process.pid, "SIGKILL"));
