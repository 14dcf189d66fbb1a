import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEngine } from "../src/engine/index.ts";
import { parking } from "./parking.ts";
import type { Figure } from "./report.ts";

const collect = () => (globalThis as { gc?: () => void }).gc?.();
const megabytes = () => {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1024 / 1024;
};

/** Memory with many parked actors (each waits on a timer), and the time to open a journal that holds them. */
export const memory = async (actors: number): Promise<ReadonlyArray<Figure>> => {
  const folder = mkdtempSync(join(tmpdir(), "taskwright-bench-"));
  const database = join(folder, "parked.db");
  try {
    const before = megabytes();
    const engine = await openEngine({ database, machines: [parking] });
    const batch = 5_000;
    for (let first = 0; first < actors; first += batch) {
      await engine.startAll(Array.from({ length: Math.min(batch, actors - first) }, (_, i) => ({ machine: "parking", id: String(first + i), input: { note: `actor ${first + i}` } })));
    }
    const parked = megabytes() - before;
    const { residents } = engine.status();
    await engine.close();
    const from = performance.now();
    const again = await openEngine({ database, machines: [parking] });
    const opened = performance.now() - from;
    const first = performance.now();
    await again.send("parking/1", { type: "PING" });
    const answered = performance.now() - first;
    await again.close();
    return [
      { name: "core.memory.parked", value: parked, unit: `MB for ${actors} parked actors` },
      { name: "core.memory.residents", value: residents, unit: "actors in memory" },
      { name: "core.open.unfinished", value: opened, unit: `ms to open ${actors} unfinished` },
      { name: "core.open.first", value: answered, unit: "ms to the first receipt" },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
