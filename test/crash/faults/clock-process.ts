/*
 * One engine whose wall clock jumps: `node clock-process.js FOLDER JUMP-MS`, with the shim. An alarm that is nearly due,
 * one of an hour, and one far away are set; the clock jumps; and the process says in one JSON line what followed.
 */
import { join } from "node:path";
import { openEngine } from "../../../src/engine/index.ts";
import { account, alarm } from "../bank-machines.ts";
import { Control } from "./shim.ts";

export interface ClockCase {
  /** How far `Date.now()` went: the proof that the clock jumped. Milliseconds. */
  readonly jumped: number;
  /** Milliseconds by the monotonic clock from setting the near alarm to its ring. */
  readonly nearMs: number;
  /** From the jump to the ring of the alarm of an hour; absent if it did not ring. */
  readonly hourMs?: number;
  readonly farRang: boolean;
  /** What an engine was told that wanted the journal when the clock had jumped and the lease was renewed. */
  readonly rival: string;
  /** Of the first engine, at its end. */
  readonly state: string;
  /** An engine that wanted the journal right after a jump, before the lease was renewed: refused, or the first is fenced. */
  readonly atOnce: string;
}

const [folder = ".", jump] = process.argv.slice(2);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
export const nearMs = 700;
const hour = 3_600_000;
const heartbeatMs = 200;

const control = Control.open(process.env.TASKWRIGHT_FAULTS as string);
const options = { database: join(folder, "work.db"), machines: [account, alarm], limits: { leaseMs: 2_000, heartbeatMs }, log: () => {} };
const engine = await openEngine(options);
await engine.start("account", "a");
await engine.start("alarm", "hour", { ms: hour / 2 });
await engine.start("alarm", "far", { ms: 60 * 24 * hour });
const setAt = performance.now();
await engine.start("alarm", "near", { ms: nearMs });
await pause(100);
const before = Date.now();
const jumpedAt = performance.now();
control.skew(Number(jump));
const jumped = Date.now() - before;
await engine.send("account/a", { type: "ADD", id: "jumped" });
const rung = async (id: string, ms: number): Promise<number | undefined> => {
  const isThere = await engine
    .waitFor(`alarm/${id}`, (view) => view.value === "rung", { timeout: ms })
    .then(
      () => true,
      () => false,
    );
  return isThere ? performance.now() : undefined;
};
const near = await rung("near", 10_000);
const hourly = await rung("hour", 3 * heartbeatMs);
const far = await rung("far", heartbeatMs);
const rival = await openEngine(options).then(
  async (other) => {
    await other.close();
    return "opened";
  },
  (error: { _tag?: string }) => String(error._tag),
);
// And back, as a correction of the clock does.
control.skew(0);
await pause(2 * heartbeatMs);
await engine.send("account/a", { type: "ADD", id: "back" });
const { state } = engine.status();
await engine.close();
/** The wall clock jumps, and nobody has renewed the lease yet. */
const openAtOnce = () => {
  control.skew(Number(jump));
  return openEngine(options).catch((error: { _tag?: string }) => {
    if (error._tag === "JournalOwned") return undefined;
    throw error;
  });
};
// Another life begins behind what is stored.
const again = await openEngine(options);
await again.send("account/a", { type: "ADD", id: "again" });
const other = await openAtOnce();
const told = await again.send("account/a", { type: "ADD", id: "first" }).then(
  () => "stored",
  (error: { _tag?: string }) => String(error._tag),
);
const atOnce = other === undefined ? `refused, the first one ${told}` : `taken, the first one ${told}`;
await other?.send("account/a", { type: "ADD", id: "second" });
await again.close();
await other?.close();
const said: ClockCase = {
  jumped,
  nearMs: (near ?? Number.POSITIVE_INFINITY) - setAt,
  ...(hourly === undefined ? {} : { hourMs: hourly - jumpedAt }),
  farRang: far !== undefined,
  rival,
  state,
  atOnce,
};
console.log(JSON.stringify(said));
