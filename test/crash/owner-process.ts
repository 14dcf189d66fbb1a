/*
 * An engine that a test holds by its strings: `node owner-process.js FILE LEASE-MS HEARTBEAT-MS`. It says in one JSON
 * line each whether it was opened or refused, and what became of every event that it was told to send:
 *
 *   send ID      sends one event, and says when the engine is at rest again
 *   flood NAME   sends one event after another, a few milliseconds apart, until it is refused
 *   close        closes the engine and ends
 */
import { createInterface } from "node:readline";
import { openEngine } from "../../src/engine/index.ts";
import { account } from "./bank-machines.ts";

const [database = "", leaseMs, heartbeatMs] = process.argv.slice(2);
const say = (line: Readonly<Record<string, unknown>>) => process.stdout.write(`${JSON.stringify(line)}\n`);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const startedAt = performance.now();
const opening = openEngine({ database, machines: [account], limits: { leaseMs: Number(leaseMs), heartbeatMs: Number(heartbeatMs) }, log: () => {} });
const engine = await opening.catch((error: { _tag: string; pid?: number; until?: number; message: string }) => {
  say({ refused: error._tag, pid: error.pid, until: error.until, message: error.message });
  process.exit(3);
});
await engine.start("account", "a");
say({ opened: engine.status().owner.epoch, pid: process.pid, tookMs: Math.round(performance.now() - startedAt) });

const send = async (id: string): Promise<boolean> => {
  try {
    const { seq } = await engine.send("account/a", { type: "ADD", id });
    say({ sent: id, seq });
    return true;
  } catch (error) {
    const { state, cause } = engine.status();
    say({ failed: id, error: (error as { _tag: string })._tag, state, reason: (cause?.data as { reason?: string } | undefined)?.reason });
    return false;
  }
};

for await (const line of createInterface({ input: process.stdin })) {
  const [command, name = ""] = line.split(" ");
  if (command === "send") {
    await send(name);
    await engine.settled();
    say({ settled: name });
  }
  if (command === "close") break;
  if (command === "flood") {
    void (async () => {
      for (let n = 1; await send(`${name}-${n}`); n++) await pause(20);
      say({ flooded: name });
    })();
  }
}
await engine.close();
// An open pipe would keep the process.
process.stdin.destroy();
