/*
 * One of two who take a journal from each other: `node pause-process.js FILE LEASE-MS HEARTBEAT-MS`. It takes the
 * journal whenever it reads a line, as soon as it is not refused; its first event is stored before it says so. Then it
 * sends one event after the other until its engine stops, and says in one JSON line each what became of them.
 */
import { createInterface } from "node:readline";
import { openEngine, type Taskwright } from "../../../src/engine/index.ts";
import { account } from "../bank-machines.ts";

const [database = "", leaseMs, heartbeatMs] = process.argv.slice(2);
const say = (line: Readonly<Record<string, unknown>>) => process.stdout.write(`${JSON.stringify(line)}\n`);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** How long one that was refused waits. Milliseconds. */
const againMs = 25;

const take = async (): Promise<Taskwright> => {
  for (;;) {
    try {
      return await openEngine({ database, machines: [account], limits: { leaseMs: Number(leaseMs), heartbeatMs: Number(heartbeatMs) }, log: () => {} });
    } catch (error) {
      const { _tag, reason } = error as { _tag?: string; reason?: string };
      if (_tag === "JournalError") say({ refused: reason });
      else if (_tag !== "JournalOwned") throw error;
      await pause(againMs);
    }
  }
};

const send = async (engine: Taskwright, id: string): Promise<boolean> => {
  try {
    const { address, seq } = await engine.send("account/a", { type: "ADD", id }, { key: id });
    say({ ack: "event", id, address, seq });
    return true;
  } catch (error) {
    const { _tag, detail } = error as { _tag?: string; detail?: string };
    say({ failed: id, error: _tag, detail });
    return false;
  }
};

for await (const _line of createInterface({ input: process.stdin })) {
  const engine = await take();
  const { epoch } = engine.status().owner;
  let isOver = false;
  try {
    await engine.start("account", "a");
    isOver = !(await send(engine, `e${epoch}-0`));
  } catch (error) {
    say({ failed: "start", error: String(error) });
    isOver = true;
  }
  say({ opened: epoch });
  void (async () => {
    for (let n = 1; !isOver; n++) {
      isOver = !(await send(engine, `e${epoch}-${n}`));
      await pause(4 + (n % 5));
    }
    const { state, cause } = engine.status();
    await engine.close({ grace: 0 });
    say({ stopped: epoch, state, cause: (cause as { name?: string } | null)?.name });
  })();
}
process.exit(0);
