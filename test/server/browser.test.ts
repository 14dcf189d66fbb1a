import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { build, type Rollup } from "vite";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { openBrowser } from "../inspector/browser.ts";
import { tokens } from "./stand.ts";
import { yard } from "./yard.ts";

/** The worker's client as one module for browsers, bundled as a page's own tools would. */
const bundle = async (): Promise<string> => {
  const entry = fileURLToPath(new URL("../../src/worker/index.ts", import.meta.url));
  const built = (await build({
    configFile: false,
    logLevel: "error",
    build: { write: false, minify: false, lib: { entry, formats: ["es"], fileName: "worker" } },
  })) as ReadonlyArray<Rollup.RollupOutput>;
  return built[0]?.output[0].code ?? "";
};

/** The page: its own script, with the client as its tools bundled it. */
const script = `import { startWorker } from "/worker.js";
const greet = async (input, work) => {
  work.progress("half");
  if (input.who === "nobody" && work.attempt === 1) throw new TypeError("there is nobody");
  return "hello " + input.who + " from " + (navigator.userAgent.includes("Chrome") ? "Chrome" : "somewhere");
};
globalThis.begin = (options) => void startWorker({ ...options, kinds: { greet } });`;
const html = `<!doctype html><title>a worker</title><link rel="icon" href="data:,"><script type="module">${script}</script>`;

describe("server > remote worker in a browser", () => {
  let code: string;
  let browser: Browser;
  beforeAll(async () => {
    [code, browser] = await Promise.all([bundle(), openBrowser()]);
  });
  afterAll(() => browser?.close());

  test.each(["polls", "webSocket"] as const)("over %s, from a page of another origin, carries out what it is offered", async (over) => {
    const page = createServer((request, response) => {
      const isModule = request.url === "/worker.js";
      response.writeHead(200, { "content-type": isModule ? "text/javascript" : "text/html" }).end(isModule ? code : html);
    });
    await new Promise<void>((resolve) => page.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void page.close());
    const origin = `http://127.0.0.1:${(page.address() as AddressInfo).port}`;
    const { stored, worker: token } = tokens();
    const { url, dispatcher } = await yard({ tokens: stored, allowedOrigins: [origin] });
    const tab = await browser.newPage();
    const complaints: Array<string> = [];
    tab.on("pageerror", (error) => complaints.push(error.message)).on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    await tab.goto(origin);
    await tab.waitForFunction(() => "begin" in globalThis);
    await tab.evaluate((options) => (globalThis as unknown as { readonly begin: (options: object) => void }).begin(options), { url, token, over, id: "tab", pollMs: 500, heartbeatMs: 500, slots: 2 });
    const submitted = await dispatcher.submit([
      { kind: "greet", input: { who: "anna" } },
      { kind: "greet", input: { who: "nobody" }, retry: { attemptsMax: 2, backoff: { kind: "fixed", baseMs: 1 } } },
    ]);
    const ended = await dispatcher.whenEnded(submitted.map(({ id }) => id));
    expect(ended).toMatchObject([
      { state: "done", result: "hello anna from Chrome", progress: "half", attempts: 1 },
      { state: "done", result: "hello nobody from Chrome", attempts: 2 },
    ]);
    // A page that goes is a worker that is away, and comes back as another life of it.
    await tab.close();
    expect(complaints).toEqual([]);
  });
});
