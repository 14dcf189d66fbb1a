import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dispatchMachines, openDispatcher } from "../src/dispatch/index.ts";
import { openEngine } from "../src/engine/index.ts";
import { listen, makeServer, remoteWorkers } from "../src/server/index.ts";
import { startWorker, type WebSocketConstructor } from "../src/worker/index.ts";
import { WebSocket } from "ws";
import type { Figure } from "./report.ts";

const inFlight = 50;
const bulkSize = 100;

const percentile = (values: ReadonlyArray<number>, share: number): number => [...values].sort((left, right) => left - right)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0;

/** Tasks over HTTP to a server in this process, with fsync: submits per second one by one and in bulk, and what a task takes with a remote worker. */
export const http = async ({ singles, bulks, alone }: { readonly singles: number; readonly bulks: number; readonly alone: number }): Promise<ReadonlyArray<Figure>> => {
  const folder = mkdtempSync(join(tmpdir(), "taskwright-bench-"));
  const remote = remoteWorkers();
  const dispatch = dispatchMachines({ kinds: { parked: {}, echo: {} }, transports: { remote: remote.transport } });
  const engine = await openEngine({ database: join(folder, "bench.db"), machines: [], plugins: [dispatch] });
  const dispatcher = await openDispatcher(engine, dispatch);
  const limits = { requestsPerSecond: 1_000_000, requestsBurst: 1_000_000 };
  const { url, close } = await listen(makeServer({ engine, dispatcher, remoteWorkers: remote, limits }), { port: 0 });
  const post = async (path: string, body: unknown): Promise<void> => {
    const response = await fetch(`${url}${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(await response.text());
    await response.arrayBuffer();
  };
  /** So many requests, `inFlight` at a time; returns how many per second. */
  const rate = async (count: number, one: (n: number) => Promise<void>): Promise<number> => {
    let next = 0;
    const began = performance.now();
    await Promise.all(
      Array.from({ length: Math.min(inFlight, count) }, async () => {
        while (next < count) await one(next++);
      }),
    );
    return count / ((performance.now() - began) / 1000);
  };
  try {
    const single = await rate(singles, (n) => post("/v1/tasks", { id: `s${n}`, kind: "parked", input: n }));
    const bulk = await rate(bulks, (n) => post("/v1/tasks/bulk", { tasks: Array.from({ length: bulkSize }, (_, index) => ({ id: `b${n}.${index}`, kind: "parked", input: index })) }));
    const worker = startWorker({ url, id: "bench", slots: 10, WebSocket: WebSocket as unknown as WebSocketConstructor, kinds: { echo: (input: never) => input } });
    const times: Array<number> = [];
    for (let n = 0; n < alone; n++) {
      const began = performance.now();
      await post("/v1/tasks", { id: `t${n}`, kind: "echo", input: n });
      await dispatcher.whenEnded([`t${n}`]);
      times.push(performance.now() - began);
    }
    worker.close();
    return [
      { name: `submits, one a request, ${inFlight} in flight`, value: single, unit: "tasks/s" },
      { name: `submits, ${bulkSize} a request`, value: bulk * bulkSize, unit: "tasks/s" },
      { name: "task with a remote worker, p50", value: percentile(times, 0.5), unit: "ms" },
      { name: "task with a remote worker, p99", value: percentile(times, 0.99), unit: "ms" },
    ];
  } finally {
    await close();
    await dispatcher.stop();
    await engine.close({ grace: 0 });
    rmSync(folder, { recursive: true, force: true });
  }
};
