import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Effect, Fiber } from "effect";
import { openEngine } from "../src/engine/index.ts";
import { SqliteJournal } from "../src/journal/index.ts";
import { errand, receipt } from "./errand.ts";
import type { Figure } from "./report.ts";

const inFlight = 100;
const samplesCount = 50;
/** What may stay of 100,000 tasks. Bytes. */
const growthMax = 1024 * 1024;

/** What a process holds after everything that nobody needs was collected. */
interface Sample {
  readonly tasks: number;
  readonly heap: number;
  /** Timers, sockets and requests that keep the process. */
  readonly handles: number;
  readonly listeners: number;
  /** Of Effect: roots, and all that they began. */
  readonly fibers: number;
  readonly residents: number;
}

const collect = async () => {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error("node --expose-gc is needed");
  // Twice, with the event loop running: what was queued for the end of a turn goes as well.
  for (let time = 0; time < 2; time++) {
    await new Promise((resolve) => setImmediate(resolve));
    gc();
  }
};

const countFibers = Effect.gen(function* () {
  let count = 0;
  for (const open = [...(yield* Fiber.roots)]; open.length > 0; count++) open.push(...(yield* (open.pop() as Fiber.RuntimeFiber<unknown, unknown>).children));
  return count;
});

/** Growth per task, over the last 80 %: least squares. */
const slope = (samples: ReadonlyArray<Sample>, of: (sample: Sample) => number): number => {
  const late = samples.slice(Math.floor(samples.length / 5));
  const mean = (values: ReadonlyArray<number>) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(late.map(({ tasks }) => tasks)), mean(late.map(of))];
  return late.reduce((sum, sample) => sum + (sample.tasks - x) * (of(sample) - y), 0) / late.reduce((sum, { tasks }) => sum + (tasks - x) ** 2, 0);
};

/**
 * So many tasks through one process, each with an activity and a child, and what stays of them in memory. The rows are
 * on disk, without fsync: nothing is measured of it here. Few actors stay resident, so that the bound is reached early.
 */
export const soak = async (tasks: number): Promise<ReadonlyArray<Figure>> => {
  const folder = mkdtempSync(join(tmpdir(), "taskwright-soak-"));
  try {
    const journal = SqliteJournal.layer({ file: join(folder, "soak.db"), synchronous: "OFF" });
    const engine = await openEngine({ journal, machines: [errand, receipt], limits: { residentActorsMax: 2_000 } });
    const samples: Array<Sample> = [];
    const take = async (done: number) => {
      await engine.settled();
      await collect();
      const listeners = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
      samples.push({
        tasks: done,
        heap: process.memoryUsage().heapUsed,
        handles: process.getActiveResourcesInfo().length,
        listeners,
        fibers: await Effect.runPromise(countFibers),
        residents: engine.status().residents,
      });
    };
    const from = performance.now();
    const round = Math.ceil(tasks / samplesCount);
    for (let first = 0; first < tasks; first += round) {
      let next = first;
      const end = Math.min(tasks, first + round);
      const runner = async () => {
        for (let id = next++; id < end; id = next++) {
          const { address } = await engine.start("errand", String(id), { number: id });
          await engine.waitFor(address, ({ status }) => status !== "active");
        }
      };
      await Promise.all(Array.from({ length: inFlight }, runner));
      await take(end);
    }
    const rate = tasks / ((performance.now() - from) / 1_000);
    const counts = await engine.counts();
    const ended = counts.filter(({ machine, status }) => machine === "errand" && status === "done").reduce((sum, { count }) => sum + count, 0);
    await engine.close();
    if (ended !== tasks) throw new Error(`${ended} of ${tasks} tasks ended`);
    const growth = slope(samples, ({ heap }) => heap) * 100_000;
    const late = samples.slice(Math.floor(samples.length / 5));
    const spread = (of: (sample: Sample) => number) => Math.max(...late.map(of)) - Math.min(...late.map(of));
    if (growth > growthMax) {
      console.error(`the heap grows by ${Math.round(growth / 1024)} KiB for 100,000 tasks, more than ${growthMax / 1024}`);
      process.exitCode = 1;
    }
    return [
      { name: "soak.tasks", value: tasks, unit: "tasks, each with an activity and a child" },
      { name: "soak.rate", value: rate, unit: "tasks/s, collections included" },
      { name: "soak.heap.first", value: (late[0] as Sample).heap / 1024, unit: "KiB after 20 %" },
      { name: "soak.heap.last", value: (late.at(-1) as Sample).heap / 1024, unit: "KiB at the end" },
      { name: "soak.heap.growth", value: growth / 1024, unit: "KiB for 100,000 tasks, over the last 80 %" },
      { name: "soak.handles.spread", value: spread(({ handles }) => handles), unit: "between the most and the fewest" },
      { name: "soak.listeners.spread", value: spread(({ listeners }) => listeners), unit: "between the most and the fewest" },
      { name: "soak.fibers.spread", value: spread(({ fibers }) => fibers), unit: "between the most and the fewest" },
      { name: "soak.fibers.last", value: (late.at(-1) as Sample).fibers, unit: "running" },
      { name: "soak.residents.last", value: (late.at(-1) as Sample).residents, unit: "actors in memory" },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
