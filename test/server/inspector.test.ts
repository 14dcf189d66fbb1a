import { once } from "node:events";
import type { AddressInfo } from "node:net";
import express from "express";
import { describe, expect, onTestFinished, test } from "vitest";
import { openEngine } from "../../src/index.ts";
import { makeInspector } from "../../src/inspector/index.ts";
import { makeServer, newToken, nodeHandler } from "../../src/server/index.ts";
import { counter } from "./stand.ts";

const host = async (mount: (app: express.Express, engine: Awaited<ReturnType<typeof openEngine>>) => void) => {
  const engine = await openEngine({ machines: [counter], log: () => {} });
  await engine.start(counter, "1");
  const app = express();
  mount(app, engine);
  const http = app.listen(0, "127.0.0.1");
  await once(http, "listening");
  onTestFinished(async () => {
    http.close();
    http.closeAllConnections();
    await engine.close({ grace: 0 });
  });
  return { engine, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` };
};
const overviewOf = async (url: string, headers: Record<string, string> = {}) => (await fetch(`${url}/api/overview`, { headers })).json();
const partsOf = async (url: string) => {
  const page = await fetch(url, { headers: { accept: "text/html" } });
  const text = await page.text();
  const part = /(?:src|href)="\.?\/?([^"]+\.(?:js|css))"/.exec(text)?.[1] ?? "none";
  return { page, part: await fetch(new URL(part, page.url)) };
};

describe("server > an inspector of its own", () => {
  test("is given as it was made: the token's role decides, its name stands in the history, and the engine's machines are drawn", async () => {
    const [reader, operator] = [newToken("eve", ["read"]), newToken("ada", ["operate"])];
    const bearer = ({ token }: { readonly token: string }) => ({ authorization: `Bearer ${token}` });
    const { engine, url } = await host((app, engine) => {
      app.use("/tw", nodeHandler(makeServer({ engine, tokens: [reader.stored, operator.stored], inspector: makeInspector({ engine }) })));
    });
    expect((await fetch(`${url}/tw/inspector/api/overview`)).status).toBe(401);
    expect(await overviewOf(`${url}/tw/inspector`, bearer(reader))).toMatchObject({ role: "viewer" });
    const overview = await overviewOf(`${url}/tw/inspector`, bearer(operator));
    expect(overview).toMatchObject({ role: "operator" });
    expect(JSON.stringify(overview)).toContain("counter");
    const send = (headers: Record<string, string>) =>
      fetch(`${url}/tw/inspector/api/send`, {
        method: "POST",
        headers: { ...headers, "content-type": "application/json", "x-taskwright-inspector": "1" },
        body: JSON.stringify({ address: "counter/1", event: { type: "ADD" } }),
      });
    expect((await send(bearer(reader))).status).toBe(403);
    expect((await send(bearer(operator))).status).toBe(200);
    expect((await engine.history("counter/1")).at(-1)).toMatchObject({ event: { type: "ADD" }, from: "ada" });
  });

  test.each(["a server", "itself"])("is found with and without a slash at the end, mounted as %s where the host takes its path off", async (as) => {
    const { url } = await host((app, engine) => {
      const inspector = makeInspector({ engine });
      if (as === "itself") app.use("/tw/inspector", nodeHandler(inspector));
      else app.use("/tw", nodeHandler(makeServer({ engine, inspector })));
    });
    for (const path of ["/tw/inspector", "/tw/inspector/", "/tw/inspector?theme=dark"]) {
      const { page, part } = await partsOf(`${url}${path}`);
      expect([page.status, new URL(page.url).pathname, part.status]).toEqual([200, "/tw/inspector/", 200]);
    }
    expect(await overviewOf(`${url}/tw/inspector`)).toMatchObject({ role: as === "itself" ? "viewer" : "operator" });
  });
});
