/*
 * What looking costs. Two processes each have a fleet of parcels in an engine with fsync, and an inspector of it; a
 * Chromium looks at one of them.
 *   (a) 1,000 events a second in the fleet that it looks at: how much of one core the page takes: its main thread, and
 *       all processes of the browser;
 *   (b) as many events as go in both fleets at the same time, and the browser looks at the one or at the other. What it
 *       takes of the cores, and whatever else runs there, slows both alike; what is left between the one that is looked
 *       at and the other is what being looked at costs: events per second of its own processor time. Both change places
 *       all the time, so that no difference between the two processes counts. The median of many blocks, and between which
 *       values it lies in 95 of 100 such runs: where other work runs beside, they are far apart;
 *   (c) which part of the engine's processor time goes into the feed, by a profile.
 */
import { type ChildProcess, fork } from "node:child_process";
import type { Browser, CDPSession, Page } from "playwright-core";
import { openBrowser } from "../test/inspector/browser.ts";
import { type Figure, median } from "./report.ts";
import type { Orders } from "./watched-fleet.ts";

/** Of one core, while 1,000 events a second come. */
const pageShareMax = 0.5;
/** Events per second of the engine's processor time with a page that looks at it, of those without. */
const throughputMin = 0.95;
/** Of fewer blocks the median says too little. */
const blocksMin = 10;
/** Until a page that turned to a view does what it does all the time. Seconds. */
const warmUp = 0.4;

interface Fleet extends Orders {
  readonly url: string;
  readonly hash: string;
}

const openFleet = async (): Promise<Fleet> => {
  const child: ChildProcess = fork(new URL(import.meta.url.endsWith(".ts") ? "./watched-fleet.ts" : "./watched-fleet.js", import.meta.url));
  const asked = new Map<number, (answer: { readonly told?: unknown; readonly wrong?: string }) => void>();
  let count = 0;
  const fail = new Promise<never>((_resolve, reject) => child.once("exit", (code) => reject(new Error(`a process with a fleet ended with ${code}`))));
  fail.catch(() => {});
  const begun = new Promise<{ readonly url: string; readonly hash: string }>((resolve) => child.once("message", resolve));
  const about = await Promise.race([begun, fail]);
  child.on("message", ({ number, ...answer }: { readonly number: number; readonly told?: unknown; readonly wrong?: string }) => {
    asked.get(number)?.(answer);
    asked.delete(number);
  });
  const order = async <A>(name: keyof Orders, seconds = 0): Promise<A> => {
    const number = count++;
    const answer = new Promise<{ readonly told?: unknown; readonly wrong?: string }>((resolve) => asked.set(number, resolve));
    child.send({ number, name, seconds });
    const { told, wrong } = await Promise.race([answer, fail]);
    if (wrong !== undefined) throw new Error(wrong);
    return told as A;
  };
  return {
    ...about,
    paced: (seconds) => order("paced", seconds),
    flooded: (seconds) => order("flooded", seconds),
    profiled: (seconds) => order("profiled", seconds),
    close: async () => {
      await order("close");
      child.disconnect();
    },
  };
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

interface View {
  readonly name: string;
  readonly place: string;
  /** What is there when it is drawn. */
  readonly shown: string;
}

const viewsOf = ({ hash }: Fleet): ReadonlyArray<View> => [
  { name: "overview", place: "overview", shown: ".chips .chip" },
  { name: "chart", place: `machine/${hash}`, shown: ".state-count" },
  { name: "actors", place: "actors?machine=parcel", shown: ".actor-row a" },
  { name: "actor", place: "actor/parcel%2F1/now", shown: ".state.active" },
];

/** Shows a view of a fleet. */
const look = async (page: Page, { url }: Fleet, { place, shown }: View): Promise<void> => {
  await page.goto(`${url}#/${place}`);
  await page.locator(shown).first().waitFor();
};

/** Nobody looks: the inspector of the fleet that it showed hears nothing of its engine any more. */
const lookAway = async (page: Page): Promise<void> => {
  await page.goto("about:blank");
};

interface Watch {
  readonly fleet: Fleet;
  readonly page: Page;
}

/**
 * What an engine does while a page looks at it, of what the other one does at the same time. A block is four short runs:
 * the page looks at the first, the second, the second, the first; what changes slowly, and the turning to and fro, is on
 * both sides.
 */
const blocksOf = async (first: Watch, second: Watch, view: View, { blocks, seconds }: { readonly blocks: number; readonly seconds: number }) => {
  const both = (long: number) => Promise.all([first.fleet.flooded(long), second.fleet.flooded(long)]);
  const ratios: Array<{ readonly processor: number; readonly clock: number }> = [];
  let at: Watch | undefined;
  for (let block = 0; block < blocks; block++) {
    const logs = { processor: 0, clock: 0 };
    for (const one of [first, second, second, first]) {
      if (at !== one) {
        await lookAway(one === first ? second.page : first.page);
        await look(one.page, one.fleet, view);
        at = one;
        await both(warmUp);
      }
      const [left, right] = await both(seconds);
      const [beside, without] = one === first ? [left, right] : [right, left];
      for (const of of ["processor", "clock"] as const) logs[of] += Math.log(beside.events / beside[of] / (without.events / without[of]));
    }
    ratios.push({ processor: Math.exp(logs.processor / 4), clock: Math.exp(logs.clock / 4) });
  }
  return ratios;
};

/** Between which of the values their median lies, with 95 % confidence: by their order alone, whatever they are spread like. */
const intervalOf = (values: ReadonlyArray<number>): readonly [number, number] => {
  const sorted = [...values].sort((left, right) => left - right);
  const rank = Math.max(0, Math.floor(sorted.length / 2 - 0.98 * Math.sqrt(sorted.length)));
  return [sorted[rank] as number, sorted[sorted.length - 1 - rank] as number];
};

export interface InspectorBench {
  /** Of each run at 1,000 events a second. */
  readonly pacedSeconds: number;
  /** Of each of the four runs of a block. */
  readonly seconds: number;
  readonly blocks: number;
}

export const inspector = async ({ pacedSeconds, seconds, blocks }: InspectorBench): Promise<ReadonlyArray<Figure>> => {
  const figures: Array<Figure> = [];
  const wrong: Array<string> = [];
  const [fleet, other] = await Promise.all([openFleet(), openFleet()]);
  let browser: Browser | undefined;
  try {
    const opened = await openBrowser();
    browser = opened;
    const open = () => opened.newPage({ viewport: { width: 1440, height: 900 } });
    const alone = await fleet.paced(pacedSeconds);
    figures.push({ name: "inspector.engine.alone", value: (alone.processor / alone.clock) * 100, unit: "% of a core, 1,000 events/s and no page" });
    const page = await open();
    const [own, all] = [await page.context().newCDPSession(page), await opened.newBrowserCDPSession()];
    await own.send("Performance.enable");
    for (const view of viewsOf(fleet)) {
      await look(page, fleet, view);
      await fleet.paced(1);
      const before = await usedBy(own, all);
      const { processor, clock } = await fleet.paced(pacedSeconds);
      const after = await usedBy(own, all);
      const share = (of: (use: Use) => number) => ((of(after) - of(before)) / clock) * 100;
      figures.push(
        { name: `inspector.${view.name}.main`, value: share(({ main }) => main), unit: "% of a core, the page's main thread" },
        { name: `inspector.${view.name}.page`, value: share(({ page: one }) => one), unit: "% of a core, the page's process" },
        { name: `inspector.${view.name}.browser`, value: share(({ browser: one }) => one), unit: "% of a core, all of the browser" },
        { name: `inspector.${view.name}.engine`, value: (processor / clock) * 100, unit: "% of a core, the engine and its feed" },
      );
      if (share(({ browser: one }) => one) > pageShareMax * 100) wrong.push(`the page takes more than ${pageShareMax * 100} % of a core on ${view.name}`);
    }
    await own.detach();
    const [watched, beside] = [
      { fleet, page },
      { fleet: other, page: await open() },
    ];
    await Promise.all([fleet.flooded(2), other.flooded(2)]);
    for (const view of viewsOf(fleet)) {
      const ratios = await blocksOf(watched, beside, view, { blocks, seconds });
      const [processor, clock] = [ratios.map((ratio) => ratio.processor), ratios.map((ratio) => ratio.clock)];
      const throughput = median(processor);
      const [low, high] = intervalOf(processor);
      await lookAway(beside.page);
      await look(page, fleet, view);
      await fleet.flooded(warmUp);
      figures.push(
        { name: `inspector.${view.name}.throughput`, value: throughput, unit: "of the events per processor second where no page looks" },
        ...(blocks < blocksMin
          ? []
          : [
              { name: `inspector.${view.name}.throughput.low`, value: low, unit: `of them at least, with 95 % confidence, by ${blocks} blocks` },
              { name: `inspector.${view.name}.throughput.high`, value: high, unit: "of them at most" },
            ]),
        { name: `inspector.${view.name}.throughput.clock`, value: median(clock), unit: "of the events/s where no page looks" },
        { name: `inspector.${view.name}.feed`, value: (await fleet.profiled(2)) * 100, unit: "% of the engine's processor time, as many events as go" },
      );
      if (blocks >= blocksMin && throughput < throughputMin) {
        const text = `looked at on ${view.name}, the engine does less than ${throughputMin * 100} % of what one does that is not`;
        if (high < throughputMin) wrong.push(text);
        else console.error(`${text}, or not: too much else runs here to tell`);
      }
    }
    await lookAway(page);
    const { events, clock } = await fleet.flooded(2);
    figures.push({ name: "inspector.flood", value: events / clock, unit: "events/s, as many as go, and no page" });
    for (const text of wrong) console.error(text);
    if (wrong.length > 0) process.exitCode = 1;
    return figures;
  } finally {
    await browser?.close();
    await Promise.all([fleet.close(), other.close()]);
  }
};
