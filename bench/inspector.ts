/*
 * What looking costs. A fleet of parcels goes round in an engine with fsync in this process; a page of the inspector
 * looks at it in a Chromium beside it.
 *   (a) 1,000 events a second: how much of one core the page takes: its main thread, and all processes of the browser;
 *   (b) as many events as go: which part of this process' time goes into the feed: what a page takes away from the engine;
 *   (c) the same with and without the page in turns: events per second of processor time, and of the clock. On a machine
 *       that does other things, and with few cores, this also knows that the browser needs some of them.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, CDPSession, Page } from "playwright-core";
import { openEngine } from "../src/engine/index.ts";
import { listenOnLoopback, makeInspector } from "../src/inspector/index.ts";
import { openBrowser } from "../test/inspector/browser.ts";
import { parcel, parcelRound } from "./parcel.ts";
import { type Figure, median } from "./report.ts";

/** Of one core, while 1,000 events a second come. */
const pageShareMax = 0.5;
/** Of the engine's time, while it does as much as it can. */
const feedShareMax = 0.05;
const eventsPerSecond = 1_000;
const fleetSize = 1_000;
const inFlight = 100;

type Engine = Awaited<ReturnType<typeof openEngine>>;
const later = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const processorSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** Sends each parcel the next event of its way. */
const driver = (engine: Engine) => {
  const places = new Uint32Array(fleetSize);
  let next = 0;
  const one = () => {
    const number = next++ % fleetSize;
    const type = parcelRound[(places[number] as number) % parcelRound.length] as string;
    places[number] = (places[number] as number) + 1;
    return engine.send(`parcel/${number}`, { type });
  };
  return {
    /** So many a second, for so long. */
    paced: async (seconds: number) => {
      const from = performance.now();
      const sent: Array<Promise<unknown>> = [];
      for (let count = 0; ; ) {
        const passed = performance.now() - from;
        for (; count < (passed / 1_000) * eventsPerSecond; count++) sent.push(one());
        if (passed >= seconds * 1_000) break;
        await later(10);
      }
      await Promise.all(sent);
    },
    /** As many as go. Answers how many a second went, of the processor and of the clock. */
    flooded: async (seconds: number) => {
      const [from, busy] = [performance.now(), processorSeconds()];
      let count = 0;
      await Promise.all(
        Array.from({ length: inFlight }, async () => {
          for (; performance.now() - from < seconds * 1_000; count++) await one();
        }),
      );
      return { perProcessor: count / (processorSeconds() - busy), perSecond: count / ((performance.now() - from) / 1_000) };
    },
  };
};

/** What runs for a page alone: the feed, and the server that it is asked by. */
const ofFeed = /\/src\/inspector\/|^node:(_http|net\b|internal\/(http|webstreams|streams|stream_base|deps\/undici))/;

/** Which part of the time in which this process did something went into the feed. */
const feedShare = async (work: () => Promise<unknown>): Promise<number> => {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: 500 });
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
    sums[kinds.get(id) ?? "other"] += timeDeltas[index] ?? 0;
  });
  return sums.feed / (sums.feed + sums.other);
};

interface Use {
  /** Seconds of the page's main thread. */
  readonly main: number;
  /** Processor seconds of the page's process, and of all of the browser. */
  readonly page: number;
  readonly browser: number;
}

const usedBy = async (page: CDPSession, browser: CDPSession): Promise<Use> => {
  const { metrics } = await page.send("Performance.getMetrics");
  const { processInfo } = await browser.send("SystemInfo.getProcessInfo");
  // A page that was left may keep its process for a while; it does nothing there.
  const sum = (kind?: string) => processInfo.filter(({ type }) => kind === undefined || type === kind).reduce((all, { cpuTime }) => all + cpuTime, 0);
  return { main: metrics.find(({ name }) => name === "TaskDuration")?.value ?? 0, page: sum("renderer"), browser: sum() };
};

const open = async (page: Page, url: string, place: string, shown: string): Promise<void> => {
  await page.goto("about:blank");
  await page.goto(`${url}#/${place}`);
  await page.locator(shown).first().waitFor();
};

const places = (hash: string) =>
  [
    { name: "overview", place: "overview", shown: ".chips .chip" },
    { name: "chart", place: `machine/${hash}`, shown: ".state-count" },
    { name: "actors", place: "actors?machine=parcel", shown: ".actor-row a" },
    { name: "actor", place: "actor/parcel%2F1/now", shown: ".state.active" },
  ] as const;

const watch = (engine: Engine) => listenOnLoopback(makeInspector({ engine, machines: [parcel] }));

export const inspector = async ({ seconds, pairs }: { readonly seconds: number; readonly pairs: number }): Promise<ReadonlyArray<Figure>> => {
  const folder = mkdtempSync(join(tmpdir(), "taskwright-bench-"));
  let browser: Browser | undefined;
  const engine = await openEngine({ database: join(folder, "bench.db"), machines: [parcel] });
  try {
    browser = await openBrowser();
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    const [own, all] = [await page.context().newCDPSession(page), await browser.newBrowserCDPSession()];
    await own.send("Performance.enable");
    await engine.startAll(Array.from({ length: fleetSize }, (_, id) => ({ machine: "parcel", id: String(id) })));
    const fleet = driver(engine);
    const figures: Array<Figure> = [];
    const wrong: Array<string> = [];
    const hash = (await engine.list({ limit: 1 }))[0]?.hash ?? "";
    const { url, close } = await watch(engine);
    const alone = processorSeconds();
    await fleet.paced(seconds);
    figures.push({ name: "inspector.engine.alone", value: ((processorSeconds() - alone) / seconds) * 100, unit: `% of a core, ${eventsPerSecond} events/s and no page` });
    for (const { name, place, shown } of places(hash)) {
      await open(page, url, place, shown);
      await fleet.paced(1);
      const before = await usedBy(own, all);
      const [from, busy] = [performance.now(), processorSeconds()];
      await fleet.paced(seconds);
      const after = await usedBy(own, all);
      const passed = (performance.now() - from) / 1_000;
      const share = (of: (use: Use) => number) => ((of(after) - of(before)) / passed) * 100;
      figures.push(
        { name: `inspector.${name}.main`, value: share(({ main }) => main), unit: "% of a core, the page's main thread" },
        { name: `inspector.${name}.page`, value: share(({ page: one }) => one), unit: "% of a core, the page's process" },
        { name: `inspector.${name}.browser`, value: share(({ browser: one }) => one), unit: "% of a core, all of the browser" },
        { name: `inspector.${name}.engine`, value: ((processorSeconds() - busy) / passed) * 100, unit: "% of a core, the engine and its feed" },
      );
      if (share(({ browser: one }) => one) > pageShareMax * 100) wrong.push(`the page takes more than ${pageShareMax * 100} % of a core on ${name}`);
    }
    await page.goto("about:blank");
    await close();
    // What is compiled later would count for whoever comes first.
    await fleet.flooded(seconds);
    let without = await fleet.flooded(seconds / 2);
    for (const { name, place, shown } of places(hash)) {
      const rates: Array<{ readonly processor: number; readonly clock: number }> = [];
      let share = 0;
      for (let pair = 0; pair < pairs; pair++) {
        const watched = await watch(engine);
        await open(page, watched.url, place, shown);
        const beside = await fleet.flooded(seconds / 2);
        if (pair === 0) share = await feedShare(() => fleet.flooded(seconds / 2));
        await page.goto("about:blank");
        await watched.close();
        // What is beside it on both sides: a machine that grows warm, or busy, is not taken for the page.
        const [first, second] = [without, await fleet.flooded(seconds / 2)];
        rates.push({ processor: (2 * beside.perProcessor) / (first.perProcessor + second.perProcessor), clock: (2 * beside.perSecond) / (first.perSecond + second.perSecond) });
        without = second;
      }
      figures.push(
        { name: `inspector.${name}.feed`, value: share * 100, unit: "% of the engine's time, as many events as go" },
        { name: `inspector.${name}.throughput`, value: median(rates.map(({ processor }) => processor)), unit: "of the events per processor second without a page" },
        { name: `inspector.${name}.throughput.clock`, value: median(rates.map(({ clock }) => clock)), unit: "of the events/s without a page" },
      );
      if (share > feedShareMax) wrong.push(`the feed of ${name} takes more than ${feedShareMax * 100} % of the engine's time`);
    }
    figures.push({ name: "inspector.flood", value: without.perSecond, unit: `events/s with ${inFlight} in flight and no page` });
    for (const text of wrong) console.error(text);
    if (wrong.length > 0) process.exitCode = 1;
    return figures;
  } finally {
    await browser?.close();
    await engine.close();
    rmSync(folder, { recursive: true, force: true });
  }
};
