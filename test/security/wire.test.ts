import { setTimeout as after } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { stand } from "../server/stand.ts";
import { head, raw, silent } from "./raw.ts";

const host = "host: localhost";

describe("security > the wire", () => {
  const malformed: ReadonlyArray<readonly [what: string, bytes: string]> = [
    ["no HTTP at all", "hello\r\n\r\n"],
    ["two lengths", head(["POST /v1/actors HTTP/1.1", host, "content-type: application/json", "content-length: 2", "content-length: 3"])],
    ["a length and chunks (smuggling)", `${head(["POST /v1/actors HTTP/1.1", host, "content-type: application/json", "content-length: 5", "transfer-encoding: chunked"])}0\r\n\r\n`],
    ["chunks with an odd name", `${head(["POST /v1/actors HTTP/1.1", host, "content-type: application/json", "transfer-encoding: xchunked"])}0\r\n\r\n`],
    ["a bare line feed in the head", "GET /v1/status HTTP/1.1\nhost: localhost\n\n"],
    ["a blank before the colon", head(["GET /v1/status HTTP/1.1", "host : localhost"])],
    ["a folded header", head(["GET /v1/status HTTP/1.1", host, "x: a", " b"])],
    ["a zero byte in a header", head(["GET /v1/status HTTP/1.1", host, "x: a\u0000b"])],
    ["no host", head(["GET /v1/status HTTP/1.1"])],
    ["two hosts", head(["GET /v1/status HTTP/1.1", host, "host: evil.example"])],
    ["the form for proxies", head(["GET http://evil.example/v1/status HTTP/1.1", host, "connection: close"])],
    ["a tunnel", head(["CONNECT evil.example:443 HTTP/1.1", host])],
    ["a star", head(["GET * HTTP/1.1", host, "connection: close"])],
    ["an unknown method", head(["BREW /v1/status HTTP/1.1", host])],
    ["trace", head(["TRACE /v1/status HTTP/1.1", host, "connection: close"])],
    ["HTTP/2 by the front door", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["an upgrade to something", head(["GET /v1/status HTTP/1.1", host, "connection: upgrade", "upgrade: h2c"])],
    ["a chunk without end", `${head(["POST /v1/actors HTTP/1.1", host, "content-type: application/json", "transfer-encoding: chunked"])}FFFFFFFFFFFFFFFFF\r\n`],
    ["a negative length", head(["POST /v1/actors HTTP/1.1", host, "content-type: application/json", "content-length: -1"])],
  ];
  /** All of them to one server at once: those that wait for more wait together. */
  let answers: ReadonlyMap<string, Awaited<ReturnType<typeof raw>>>;
  test("goes on whatever is sent to it", async () => {
    const { port, ask } = await stand({ limits: { keepAliveMs: 100 } });
    answers = new Map(await Promise.all(malformed.map(async ([what, bytes]) => [what, await raw(port, bytes, { patienceMs: 1_000 })] as const)));
    expect((await ask("GET", "/health/live")).status).toBe(200);
  });
  test.each(malformed)("refuses what is not well-formed: %s", (what) => {
    const { status, text } = answers.get(what) as Awaited<ReturnType<typeof raw>>;
    // One that waits for the rest of it is not answered; an upgrade that nobody asked for may be, as the plain request that it is.
    expect([0, 400, 404, 405, 421, 501, ...(what.startsWith("an upgrade") ? [200] : [])], text.slice(0, 200)).toContain(status);
  });

  test("answers a head that is too large with 431, a URL with 414", async () => {
    const { port, url } = await stand();
    expect((await raw(port, head(["GET /v1/status HTTP/1.1", host, `x: ${"y".repeat(20_000)}`]))).status).toBe(431);
    expect((await raw(port, head(["GET /v1/status HTTP/1.1", host, ...Array.from({ length: 3_000 }, (_, n) => `x${n}: 1`)]))).status).toBe(431);
    expect((await fetch(`${url}/v1/actors?machine=${"x".repeat(9_000)}`)).status).toBe(414);
  });

  test("answers a body that is too large with 413, told or counted", async () => {
    const { port } = await stand({ limits: { bodyBytesMax: 1_000 } });
    const told = head(["POST /v1/actors HTTP/1.1", host, "content-type: application/json", "content-length: 100000000"]);
    const counted = `${head(["POST /v1/actors HTTP/1.1", host, "content-type: application/json", "transfer-encoding: chunked"])}${`400\r\n${"x".repeat(1_024)}\r\n`.repeat(3)}`;
    for (const bytes of [told, counted]) expect(await raw(port, bytes)).toMatchObject({ status: 413, text: expect.stringContaining("body_too_large") });
  });

  test("closes a head, and a body, that never comes to its end", async () => {
    const { port } = await stand({ limits: { headersTimeoutMs: 300, requestTimeoutMs: 600, keepAliveMs: 300 } });
    const heads = await Promise.all([raw(port, "GET /v1/status HTTP/1.1\r\nhost: loc"), raw(port, "")]);
    for (const { status } of heads) expect([0, 408]).toContain(status);
    const body = await raw(port, `${head(["POST /v1/actors HTTP/1.1", host, "content-type: application/json", "content-length: 100"])}{`);
    expect([0, 408]).toContain(body.status);
    // Without the limits a head may take a minute, and a body five: longer than it is waited for here.
    expect([...heads, body].map(({ isLeft }) => isLeft)).toEqual([false, false, false]);
  });

  test("lets nobody write headers through values", async () => {
    const { url, ask } = await stand();
    const split = encodeURIComponent("counter/1\r\nset-cookie: evil=1");
    const response = await fetch(`${url}/v1/actors/${split}`);
    expect({ status: response.status, cookie: response.headers.get("set-cookie") }).toEqual({ status: 404, cookie: null });
    expect((await ask("POST", "/v1/actors", { body: { machine: "counter", id: "a\r\nx: y" } })).status).toBe(400);
    const started = await ask("POST", "/v1/actors", { body: { machine: "counter", id: "ü ☃" } });
    expect(started.headers.get("location")).toBe(`v1/actors/${encodeURIComponent("counter/ü ☃")}`);
  });

  test("sends with every answer what keeps browsers from guessing and framing", async () => {
    const { url } = await stand();
    for (const path of ["/v1/status", "/v1/nothing", "/docs", "/openapi.json", "/health/live"]) {
      const { headers } = await fetch(`${url}${path}`);
      expect(headers.get("x-content-type-options"), path).toBe("nosniff");
      expect(headers.get("content-security-policy"), path).toContain("default-src 'none'");
      expect(headers.get("content-security-policy"), path).toContain("frame-ancestors 'none'");
      expect(headers.get("server"), path).toBeNull();
      expect(headers.get("x-powered-by"), path).toBeNull();
    }
  });
});

describe("security > floods", () => {
  test("of silent connections do not keep others out", async () => {
    const { port, ask } = await stand({ limits: { connectionsMax: 50, subscribersMax: 40, headersTimeoutMs: 500, requestTimeoutMs: 500 } });
    const sockets = await Promise.all(Array.from({ length: 60 }, () => silent(port, "GET /v1/st").catch(() => undefined)));
    // Those beyond the limit were closed at once, the others when their head did not come.
    // Sooner than Node itself would close them, which is after a minute.
    await expect.poll(async () => (await ask("GET", "/health/live").catch(() => undefined))?.status, { timeout: 30_000, interval: 100 }).toBe(200);
    for (const socket of sockets) socket?.destroy();
  });

  test("of a thousand silent subscribers leave the engine on time: they are dropped, it is not", async () => {
    const { port, ask, engine, logged } = await stand({ limits: { dropGraceMs: 300, subscriberEventsMax: 50 } });
    await engine.start("counter", "1");
    const bytes = head(["GET /v1/stream HTTP/1.1", host]);
    const sockets = await Promise.all(Array.from({ length: 1_000 }, () => silent(port, bytes)));
    await expect.poll(async () => (await ask("GET", "/metrics")).text, { interval: 250 }).toMatch(/^taskwright_http_subscribers 1000$/m);
    expect(await ask("GET", "/v1/stream")).toMatchObject({ status: 503, body: { code: "too_many_subscribers" } });
    // Large events fill what the kernel takes, and then our queues.
    const text = "x".repeat(20_000);
    let sent = 0;
    const dropped = () => logged.filter(({ message }) => message.includes("too slowly")).length;
    for (; sent < 400 && dropped() < 1_000; sent++) {
      // One that waited for those that do not read would not come back.
      await engine.send("counter/1", { type: "ADD", by: 1, text } as never);
      if (sent % 20 === 0) await after(1);
    }
    expect((await engine.snapshot("counter/1")).context).toEqual({ count: sent });
    await expect.poll(async () => (await ask("GET", "/metrics")).text, { interval: 100 }).toMatch(/^taskwright_http_subscribers 0$/m);
    expect(dropped()).toBe(1_000);
    expect((await ask("GET", "/health/live")).status).toBe(200);
    for (const socket of sockets) socket.destroy();
  });

  test("of requests are answered or refused, and nothing is lost", async () => {
    const { ask, engine } = await stand();
    await engine.start("counter", "1");
    const statuses = await Promise.all(
      Array.from({ length: 500 }, async (_, n) => (await ask("POST", "/v1/actors/counter%2F1/events", { body: { type: "ADD" }, headers: { "idempotency-key": `k${n % 250}` } })).status),
    );
    expect(statuses.filter((status) => status === 200)).toHaveLength(500);
    expect((await engine.snapshot("counter/1")).context).toEqual({ count: 250 });
  });
});
