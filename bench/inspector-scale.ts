import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEngine } from "../src/engine/index.ts";
import { listenOnLoopback, makeInspector } from "../src/inspector/index.ts";
import { openBrowser } from "../test/inspector/browser.ts";
import { parcel, parcelRound } from "./parcel.ts";
import type { Figure } from "./report.ts";

const megabyte = 1024 * 1024;

/** How long somebody waits who looks at many actors, and at a long history; and what the page and the feed hold for it. */
export const inspectorScale = async ({ actors, entries }: { readonly actors: number; readonly entries: number }): Promise<ReadonlyArray<Figure>> => {
  const folder = mkdtempSync(join(tmpdir(), "taskwright-bench-"));
  const engine = await openEngine({ database: join(folder, "bench.db"), machines: [parcel] });
  const batch = 5_000;
  for (let first = 0; first < actors; first += batch)
    await engine.startAll(Array.from({ length: Math.min(batch, actors - first) }, (_, index) => ({ machine: "parcel", id: String(first + index).padStart(6, "0") })));
  const traveller = "parcel/000001";
  for (let sent = 1; sent < entries; ) {
    const round = Array.from({ length: Math.min(500, entries - sent) }, () => engine.send(traveller, { type: parcelRound[(sent++ - 1) % parcelRound.length] as string }));
    await Promise.all(round);
  }
  const browser = await openBrowser();
  const { url, close } = await listenOnLoopback(makeInspector({ engine, machines: [parcel] }));
  try {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    const figures: Array<Figure> = [];
    const timed = async (name: string, unit: string, work: () => Promise<unknown>) => {
      const from = performance.now();
      await work();
      figures.push({ name: `inspector.${name}`, value: performance.now() - from, unit });
    };
    const collect = () => (globalThis as { gc?: () => void }).gc?.();
    const row = (address: string) => page.getByRole("link", { name: address, exact: true }).waitFor();
    collect();
    const before = process.memoryUsage().heapUsed;
    await page.goto(`${url}#/overview`);
    await page.locator(".lamp.live").waitFor();
    const last = `parcel/${String(actors - 1).padStart(6, "0")}`;
    const middle = `parcel/${String(actors / 2).padStart(6, "0")}`;
    await timed("scale.first", `ms to the first row of ${actors} actors`, async () => {
      await page.goto(`${url}#/actors?sort=address&order=down`);
      await row(last);
    });
    collect();
    figures.push({ name: "inspector.scale.feed", value: (process.memoryUsage().heapUsed - before) / megabyte, unit: "MB more of this process' heap" });
    await timed("scale.sort", "ms to sort them the other way", async () => {
      await page.getByRole("button", { name: "Address" }).click();
      await row("parcel/000000");
    });
    await timed("scale.middle", "ms to scroll to the middle", async () => {
      await page.evaluate("(() => { const box = document.querySelector('.virtual'); box.scrollTop = (box.scrollHeight - box.clientHeight) / 2; })()");
      await row(middle);
    });
    await timed("scale.history", `ms to open a history of ${entries} entries at its middle`, async () => {
      await page.goto(`${url}#/actor/${encodeURIComponent(traveller)}/time?seq=${entries / 2}`);
      await page.locator(`input[type=range][aria-valuetext^='entry ${entries / 2} of ${entries},']`).waitFor();
    });
    await timed("scale.end", "ms from there to its end", async () => {
      await page.getByRole("button", { name: "To the end" }).click();
      await page.locator(`input[type=range][aria-valuetext^='entry ${entries} of ${entries},']`).waitFor();
    });
    const session = await page.context().newCDPSession(page);
    await session.send("HeapProfiler.collectGarbage");
    const { usedSize } = await session.send("Runtime.getHeapUsage");
    figures.push({ name: "inspector.scale.page", value: usedSize / megabyte, unit: "MB of the page's heap" });
    return figures;
  } finally {
    await browser.close();
    await close();
    await engine.close();
    rmSync(folder, { recursive: true, force: true });
  }
};
