import { mkdtempSync, rmSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEngine, systemTime, type Time } from "../src/engine/index.ts";
import { listenOnLoopback, makeInspector } from "../src/inspector/index.ts";
import { parcel, parcelRound } from "./parcel.ts";

/** Parcels of one fleet, and events that are under way while as many go as can. */
const fleetSize = 1_000;
const inFlight = 100;
const eventsPerSecond = 1_000;

/** What was done, and what it took. Seconds. */
export interface Worked {
  readonly events: number;
  /** Of this process, all its threads. */
  readonly processor: number;
  readonly clock: number;
}

/** What such a process is told. */
export interface Orders {
  /** 1,000 events a second. */
  readonly paced: (seconds: number) => Promise<Worked>;
  /** As many events as go. */
  readonly flooded: (seconds: number) => Promise<Worked>;
  /** The same, and which part of its processor time went into the feed. */
  readonly profiled: (seconds: number) => Promise<number>;
  readonly close: () => Promise<void>;
}

const later = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** What runs for a page alone: the feed, and the server that it is asked by. */
const ofFeed = /\/src\/inspector\/|^node:(_http|net\b|internal\/(http|webstreams|streams|stream_base|deps\/undici))/;

/** Between two looks of the profiler, and what one of them counts at most: this process may have waited for its turn, or for the disk. Microseconds. */
const lookEvery = 500;
const lookMax = 1_000;

const feedShare = async (work: () => Promise<unknown>): Promise<number> => {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: lookEvery });
  await session.post("Profiler.start");
  await work();
  const { nodes, samples = [], timeDeltas = [] } = (await session.post("Profiler.stop")).profile;
  session.disconnect();
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const kinds = new Map<number, "feed" | "idle" | "other">();
  const visit = (id: number, isFeed: boolean) => {
    const node = byId.get(id);
    if (node === undefined) return;
    const { functionName, url } = node.callFrame;
    const isOwn = isFeed || ofFeed.test(url);
    kinds.set(id, functionName === "(idle)" || functionName === "(program)" ? "idle" : isOwn ? "feed" : "other");
    for (const child of node.children ?? []) visit(child, isOwn);
  };
  visit(nodes[0]?.id ?? 0, false);
  const sums = { feed: 0, idle: 0, other: 0 };
  samples.forEach((id, index) => {
    sums[kinds.get(id) ?? "other"] += Math.min(timeDeltas[index] ?? 0, lookMax);
  });
  return sums.feed / (sums.feed + sums.other);
};

const folder = mkdtempSync(join(tmpdir(), "taskwright-bench-"));
const engine = await openEngine({ database: join(folder, "bench.db"), machines: [parcel] });
await engine.startAll(Array.from({ length: fleetSize }, (_, id) => ({ machine: "parcel", id: String(id) })));
const clock = systemTime();
/** An inspector forgets where all stand half a minute after its last page has gone; here at once, so that nobody looks when no page does. */
const time: Time = { ...clock, wakeAt: (due, callback) => clock.wakeAt(due - clock.now() < 20_000 ? due : clock.now() + 20, callback) };
const { url, close } = await listenOnLoopback(makeInspector({ engine, machines: [parcel], time }));

const places = new Uint32Array(fleetSize);
let next = 0;
/** Sends a parcel the next event of its way, one parcel after the other. */
const moveNext = () => {
  const number = next++ % fleetSize;
  const place = places[number] as number;
  places[number] = place + 1;
  return engine.send(`parcel/${number}`, { type: parcelRound[place % parcelRound.length] as string });
};

const measured = async (work: () => Promise<number>): Promise<Worked> => {
  const [from, before] = [performance.now(), process.cpuUsage()];
  const events = await work();
  const { user, system } = process.cpuUsage(before);
  return { events, processor: (user + system) / 1e6, clock: (performance.now() - from) / 1_000 };
};

const orders: Orders = {
  paced: (seconds) =>
    measured(async () => {
      const from = performance.now();
      const sent: Array<Promise<unknown>> = [];
      for (;;) {
        const passed = performance.now() - from;
        while (sent.length < (passed / 1_000) * eventsPerSecond) sent.push(moveNext());
        if (passed >= seconds * 1_000) break;
        await later(10);
      }
      await Promise.all(sent);
      return sent.length;
    }),
  flooded: (seconds) =>
    measured(async () => {
      const from = performance.now();
      let events = 0;
      // All at once, each time: turns of one size, which cost the same. Sent one by one they fall into turns as it happens.
      for (; performance.now() - from < seconds * 1_000; events += inFlight) await Promise.all(Array.from({ length: inFlight }, moveNext));
      return events;
    }),
  profiled: (seconds) => feedShare(() => orders.flooded(seconds)),
  close: async () => {
    await close();
    await engine.close();
    rmSync(folder, { recursive: true, force: true });
  },
};

const hash = (await engine.list({ limit: 1 }))[0]?.hash ?? "";
process.on("message", ({ number, name, seconds }: { readonly number: number; readonly name: keyof Orders; readonly seconds: number }) => {
  void orders[name](seconds).then(
    (told) => process.send?.({ number, told }),
    (error: unknown) => process.send?.({ number, wrong: String(error) }),
  );
});
process.on("disconnect", () => process.exit());
process.send?.({ url, hash });
