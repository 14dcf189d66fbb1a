/*
 * What an outbox costs beside what it can't do without. In one process and one run, with entries in eight lanes:
 *   (a) a bare loop: reads a thousand rows of a table like that of an outbox (the same columns, the same indexes), sends
 *       them (eight lanes at a time), and in one transaction writes a row that records the attempts (number, key, attempt
 *       of each) and deletes them by number; no retries, no lanes that wait, no recovery, no state;
 *   (b) an outbox, from the moment at which it may send until its last delivery is stored.
 * Both with synchronous=FULL on a file, once to a destination that does nothing, once over HTTP to a receiver in another
 * thread. Rounds alternate, and the ratio b/a of each pair is what counts.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import * as Effect from "effect/Effect";
import { delivered, type Destination, httpDestination, makeOutboxes } from "../src/delivery/index.ts";
import { openEngine } from "../src/engine/index.ts";
import { openRaw } from "./raw.ts";
import { type Figure, median } from "./report.ts";

const seconds = (from: number) => (performance.now() - from) / 1000;
const lanes = 8;
const batch = 1_000;
const payload = { customer: "anna", order: 1234, lines: ["a pen", "paper"] };

type Send = (key: string, body: unknown) => Promise<unknown> | undefined;

const tables = `
  create table entries(outbox text not null, seq integer not null, key text not null, lane text not null, replaces text not null, type text not null, payload text not null,
    occurred_at integer not null, due integer not null, attempts integer not null, status text not null, error text not null, primary key(outbox, seq)) without rowid;
  create unique index entries_key on entries(outbox, key);
  create index entries_replaces on entries(outbox, replaces) where replaces <> '';
  create index entries_lane on entries(outbox, status, lane);
  create table record(id integer primary key, attempts text not null);
`;

/** Entries per second of the bare loop. */
const bare = async (folder: string, count: number, send: Send): Promise<number> => {
  const raw = await openRaw(join(folder, `bare-${Math.random()}.db`));
  raw.exec("pragma journal_mode=wal; pragma synchronous=full; pragma wal_autocheckpoint=8000;");
  raw.exec(tables);
  raw.exec("begin");
  for (let n = 1; n <= count; n++) raw.run("insert into entries values('outbox/box', ?, ?, ?, '', 'message', ?, 0, 0, 0, 'pending', '')", n, `key-${n}`, `lane-${n % lanes}`, JSON.stringify(payload));
  raw.exec("commit");
  const from = performance.now();
  for (let left = count; left > 0; ) {
    const rows = raw.all("select seq, key, lane, payload from entries where outbox = 'outbox/box' and status = 'pending' order by seq limit ?", batch) as ReadonlyArray<{
      seq: number;
      key: string;
      lane: string;
      payload: string;
    }>;
    const byLane = new Map<string, Array<(typeof rows)[number]>>();
    for (const row of rows) {
      const own = byLane.get(row.lane);
      if (own === undefined) byLane.set(row.lane, [row]);
      else own.push(row);
    }
    await Promise.all(
      [...byLane.values()].map(async (own) => {
        for (const { key, payload: text } of own) await send(key, JSON.parse(text));
      }),
    );
    raw.run("begin immediate");
    raw.run("insert into record(attempts) values(?)", JSON.stringify(rows.map(({ seq, key }) => [seq, key, 1])));
    raw.run("delete from entries where outbox = 'outbox/box' and seq in (select value from json_each(?))", JSON.stringify(rows.map(({ seq }) => seq)));
    raw.run("commit");
    left -= rows.length;
  }
  const rate = count / seconds(from);
  raw.close();
  return rate;
};

/** Entries per second of an outbox. */
const outbox = async (folder: string, count: number, destination: Destination): Promise<number> => {
  const outboxes = makeOutboxes({ box: { destination, policy: { startsPaused: true, entriesMax: count } } });
  const engine = await openEngine({ database: join(folder, `engine-${Math.random()}.db`), machines: [], plugins: [outboxes] });
  for (let first = 0; first < count; first += batch) {
    const entries = Array.from({ length: Math.min(batch, count - first) }, (_, n) => ({ key: `key-${first + n}`, type: "message", lane: `lane-${(first + n) % lanes}`, payload }));
    await Effect.runPromise(outboxes.enqueue("box", entries));
  }
  const from = performance.now();
  await Effect.runPromise(outboxes.resume("box"));
  await engine.waitFor("outbox/box", ({ context }) => (context as { delivered: number }).delivered === count, { timeout: "10 minutes" });
  const rate = count / seconds(from);
  await engine.close();
  return rate;
};

export const outboxBench = async (options: { readonly rounds: number; readonly entries: number; readonly requests: number }): Promise<ReadonlyArray<Figure>> => {
  const folder = mkdtempSync(join(tmpdir(), "taskwright-bench-"));
  const receiver = new Worker(new URL(import.meta.url.endsWith(".ts") ? "./outbox-receiver.ts" : "./outbox-receiver.js", import.meta.url));
  const agent = new Agent({ keepAlive: true, maxSockets: lanes });
  try {
    const port = await new Promise<number>((resolve) => receiver.once("message", resolve));
    const url = `http://127.0.0.1:${port}/`;
    const post: Send = (key, body) =>
      new Promise((resolve, reject) => {
        const text = JSON.stringify(body);
        const sent = request(url, { agent, method: "POST", headers: { "content-type": "application/json", "content-length": Buffer.byteLength(text), "idempotency-key": key } }, (response) => {
          response.resume();
          response.on("end", resolve);
        });
        sent.on("error", reject);
        sent.end(text);
      });
    const figures: Array<Figure> = [];
    const compare = async (name: string, count: number, send: Send, destination: Destination) => {
      const pairs: Array<{ a: number; b: number }> = [];
      for (let round = 0; round <= options.rounds; round++) {
        const a = await bare(folder, count, send);
        const b = await outbox(folder, count, destination);
        if (round > 0) pairs.push({ a, b }); // the first pair warms up
      }
      figures.push(
        { name: `outbox.${name}.bare`, value: median(pairs.map((pair) => pair.a)), unit: "entries/s" },
        { name: `outbox.${name}.outbox`, value: median(pairs.map((pair) => pair.b)), unit: "entries/s" },
        { name: `outbox.${name}.ratio`, value: median(pairs.map((pair) => pair.b / pair.a)), unit: "b/a" },
      );
    };
    await compare(
      "nothing",
      options.entries,
      async () => undefined,
      () => delivered,
    );
    await compare("http", options.requests, post, httpDestination({ url, allowPrivate: true }));
    return figures;
  } finally {
    agent.destroy();
    await receiver.terminate();
    rmSync(folder, { recursive: true, force: true });
  }
};
