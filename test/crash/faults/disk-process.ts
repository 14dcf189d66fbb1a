/*
 * One engine on a disk that fails again and again: `node disk-process.js FOLDER SEED COUNT`, with the shim. It plans the
 * faults itself, sends events while they strike, each again with its key until it is stored, and says in one JSON line
 * each what was acknowledged and how every case ended. The engine is opened once.
 */
import { writeSync } from "node:fs";
import { join } from "node:path";
import { openEngine } from "../../../src/engine/index.ts";
import { account } from "../bank-machines.ts";
import { random } from "../random.ts";
import { calls, Control, type Fault } from "./shim.ts";

export interface DiskCase {
  readonly case: string;
  /** How often the fault came. */
  readonly fired: number;
  /** What callers were told meanwhile, `EngineDegraded/full` for example, and how often. */
  readonly errors: Readonly<Record<string, number>>;
  /** From the end of the fault until everything was stored. Milliseconds. */
  readonly recoveredMs: number;
  /** What went wrong. */
  readonly wrong: ReadonlyArray<string>;
}

const [folder = ".", seed, count] = process.argv.slice(2);
const say = (line: Readonly<Record<string, unknown>> | DiskCase) => writeSync(1, `${JSON.stringify(line)}\n`);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const { between } = random(Number(seed));

const callers = 3;
/** How long a lasting fault lasts after callers felt it. Milliseconds. */
const lastsMs = 150;
/** A case that takes longer hangs. Milliseconds. */
const patienceMs = 20_000;

type Kind = { readonly name: string; readonly fault: () => Fault; readonly lasts: boolean };
const kinds: ReadonlyArray<Kind> = [
  { name: "EIO on one write", lasts: false, fault: () => ({ kind: "fail", at: between(1, 12), calls: calls.write, times: 1, error: "EIO" }) },
  { name: "EIO on one sync", lasts: false, fault: () => ({ kind: "fail", at: between(1, 5), calls: calls.sync, times: 1, error: "EIO" }) },
  { name: "EIO on every sync", lasts: true, fault: () => ({ kind: "fail", at: between(1, 3), calls: calls.sync, times: -1, error: "EIO" }) },
  { name: "ENOSPC from a write on", lasts: true, fault: () => ({ kind: "fail", at: between(1, 12), calls: calls.write, times: -1, error: "ENOSPC" }) },
  { name: "EIO on everything", lasts: true, fault: () => ({ kind: "fail", at: between(1, 12), calls: calls.all, times: -1, error: "EIO" }) },
  { name: "slow syncs", lasts: false, fault: () => ({ kind: "delay", at: 1, calls: calls.sync, times: 2, ms: 300 }) },
];

const control = Control.open(process.env.TASKWRIGHT_FAULTS as string);
const engine = await openEngine({ database: join(folder, "work.db"), machines: [account], limits: { heartbeatMs: 60, leaseMs: 10_000 }, log: () => {} });
await engine.start("account", "a");

const one = async ({ name, fault, lasts }: Kind, number: number): Promise<DiskCase> => {
  const errors: Record<string, number> = {};
  const wrong: Array<string> = [];
  const until = Date.now() + patienceMs;
  let isOver = false;
  let endedAt = performance.now();
  const send = async (id: string): Promise<void> => {
    while (Date.now() < until) {
      try {
        const { address, seq } = await engine.send("account/a", { type: "ADD", id }, { key: id });
        say({ ack: "event", id, address, seq });
        return;
      } catch (error) {
        const { _tag = String(error), reason } = error as { _tag?: string; reason?: string };
        const text = reason === undefined ? _tag : `${_tag}/${reason}`;
        errors[text] = (errors[text] ?? 0) + 1;
        if (_tag !== "EngineDegraded") wrong.push(`a caller was told ${text}`);
        await pause(10);
      }
    }
    wrong.push(`"${id}" was not stored within ${patienceMs} ms`);
  };
  control.arm(fault());
  const end = async () => {
    // Until it strikes, and, where it lasts, until somebody felt it.
    while (Date.now() < until && (control.fired === 0 || (lasts && engine.status().state !== "degraded"))) await pause(5);
    if (lasts) {
      await pause(lastsMs);
      // What is stored can be read meanwhile, or it is said why not.
      await engine.snapshot("account/a").catch((error: { _tag?: string }) => error._tag === "JournalError" || wrong.push(`a reader was told ${String(error)}`));
    }
    control.disarm();
    endedAt = performance.now();
    isOver = true;
  };
  const caller = async (which: number) => {
    for (let n = 1; !isOver || n <= 2; n++) {
      await send(`c${number}-${which}-${n}`);
      if (n > 2) await pause(5);
    }
  };
  await Promise.all([end(), ...Array.from({ length: callers }, (_, which) => caller(which))]);
  const { fired } = control;
  if (fired === 0) wrong.push("the fault never came");
  while (Date.now() < until && engine.status().state !== "running") await pause(5);
  if (engine.status().state !== "running") wrong.push(`the engine is ${engine.status().state}`);
  return { case: name, fired, errors, recoveredMs: Math.round(performance.now() - endedAt), wrong };
};

for (let number = 1; number <= Number(count); number++) say(await one(kinds[number % kinds.length] as Kind, number));
await engine.close();
say({ ended: true });
