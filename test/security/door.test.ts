import { request } from "node:http";
import { describe, expect, test } from "vitest";
import { document, makeAsk } from "../server/conforming.ts";
import { bearer, sharedStand, stand, tokens } from "../server/stand.ts";
import { yard } from "../server/yard.ts";
import { listen, makeServer, newToken } from "../../src/server/index.ts";

const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    method: method.toUpperCase(),
    path: path.replace(/\{(\w+)\}/g, (_, name) => (name === "address" ? "counter%2F1" : "1")),
    role: operation["x-role"],
  })),
);
const guarded = operations.filter(({ role }) => role !== undefined);
const body = (method: string) => (method === "GET" || method === "DELETE" ? {} : { body: {} });

/** A request with headers that `fetch` would not send. */
const withHeaders = (port: number, method: string, path: string, headers: Readonly<Record<string, string>>): Promise<{ readonly status: number; readonly body: string }> =>
  new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, method, path, headers, setHost: false }, (response) => {
      let text = "";
      response.on("data", (piece) => (text += piece)).on("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    sent.on("error", reject);
    sent.end(method === "POST" ? "{}" : undefined);
  });

describe("security > tokens", () => {
  test("are demanded by every path but those for everybody", async () => {
    const { stored } = tokens();
    const { ask } = await stand({ tokens: stored });
    for (const { method, path, role } of operations) {
      const { status, headers } = await ask(method, path, body(method));
      if (role === undefined) expect([200, 503], `${method} ${path}`).toContain(status);
      else {
        expect(status, `${method} ${path}`).toBe(401);
        expect(headers.get("www-authenticate")).toMatch(/^Bearer/);
      }
    }
  });

  test("of another role are refused by every path", async () => {
    const { stored, read, operate, worker } = tokens();
    const { ask } = await stand({ tokens: stored });
    for (const { method, path, role } of guarded) {
      for (const [token, has] of [
        [read, ["read"]],
        [operate, ["read", "operate"]],
        [worker, ["worker"]],
      ] as const) {
        if ((has as ReadonlyArray<string>).includes(role ?? "")) continue;
        expect((await ask(method, path, { ...body(method), headers: bearer(token) })).body, `${method} ${path}`).toMatchObject({ status: 403, code: "role_missing" });
      }
    }
  });

  const good = newToken("anna", ["operate"]);
  const [, id, secret] = /^tw_([^_]+)_(.*)$/.exec(good.token) ?? [];
  const wrong: ReadonlyArray<readonly [what: string, headers: Readonly<Record<string, string>>]> = [
    ["no secret", bearer(`tw_${id}_`)],
    ["another secret", bearer(`tw_${id}_${"x".repeat(43)}`)],
    ["one character off", bearer(`${good.token.slice(0, -1)}${good.token.endsWith("a") ? "b" : "a"}`)],
    ["one character more", bearer(`${good.token}a`)],
    ["another id", bearer(`tw_aaaaaaaaaaaa_${secret}`)],
    ["the id of an object's own", bearer(`tw_constructor_${secret}`)],
    ["the id __proto__", bearer(`tw___proto___${secret}`)],
    ["the hash instead of the secret", bearer(`tw_${id}_${good.stored.hash}`)],
    ["another scheme", { authorization: `Basic ${Buffer.from(`anna:${good.token}`).toString("base64")}` }],
    ["an empty one", { authorization: "Bearer " }],
    ["a comma list", { authorization: `Bearer x, Bearer ${good.token}` }],
    ["a very long one", bearer("x".repeat(4_000))],
    ["none at all", {}],
    ["in a foreign cookie", { cookie: `other=${good.token}` }],
    ["in a cookie whose name ends so", { cookie: `xtaskwright_token=${good.token}` }],
    ["the whole token's hash in the cookie", { cookie: `taskwright_token=${good.stored.hash}` }],
    ["in a header of its own", { "x-api-key": good.token, "x-auth-token": good.token }],
    ["with quotes", { authorization: `Bearer "${good.token}"` }],
    ["behind two blanks and a word", { authorization: `Bearer token ${good.token}` }],
    ["as a subprotocol of something else", { "sec-websocket-protocol": `xtaskwright.token.${good.token}` }],
    ["as basic credentials of the forwarding proxy", { "proxy-authorization": `Bearer ${good.token}` }],
    ["a forwarded user", { "x-forwarded-user": "anna", "x-remote-user": "anna", forwarded: "for=127.0.0.1" }],
  ];
  const guarding = sharedStand({ tokens: [good.stored], limits: { wrongTokensBurst: 1_000 } });
  test.each(wrong)("that are wrong are refused: %s", async (what, headers) => {
    const { ask } = await guarding();
    expect(await ask("GET", `/v1/status?token=${good.token}`, { headers }), what).toMatchObject({ status: 401, body: { code: "unauthenticated" } });
  });

  test("whose time is over are refused", async () => {
    const over = newToken("anna", ["read"], Date.now() - 1);
    const later = newToken("anna", ["read"], Date.now() + 60_000);
    const { ask } = await stand({ tokens: [over.stored, later.stored] });
    expect((await ask("GET", "/v1/status", { headers: bearer(over.token) })).status).toBe(401);
    expect((await ask("GET", "/v1/status", { headers: bearer(later.token) })).status).toBe(200);
  });

  test("that are wrong too often close the door for that address, also to a right one, and to no log their text", async () => {
    const { ask, logged } = await stand({ tokens: [good.stored], limits: { wrongTokensBurst: 3 } });
    const guess = () => ask("GET", "/v1/status", { headers: bearer(`tw_${id}_${"y".repeat(43)}`) });
    for (let n = 0; n < 3; n++) expect((await guess()).status).toBe(401);
    const closed = await guess();
    expect(closed).toMatchObject({ status: 429, body: { code: "too_many_requests", retryable: true } });
    expect(Number(closed.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await ask("GET", "/v1/status", { headers: bearer(good.token) })).status).toBe(429);
    expect(JSON.stringify(logged)).not.toContain("yyy");
  });

  test("of a browser's cookie count, and are given by the page alone", async () => {
    const { url } = await stand({ tokens: [good.stored], inspector: async () => new Response("the inspector") });
    const page = await fetch(`${url}/inspector`, { headers: { accept: "text/html" } });
    expect({ status: page.status, html: (await page.text()).includes('type="password"') }).toEqual({ status: 401, html: true });
    const form = (token: string) => fetch(`${url}/session`, { method: "POST", body: new URLSearchParams({ token }), redirect: "manual" });
    expect((await form("tw_no_no")).headers.getSetCookie()).toEqual([]);
    const given = await form(good.token);
    const [cookie] = given.headers.getSetCookie();
    expect(cookie).toMatch(/^taskwright_token=tw_.*; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(await (await fetch(`${url}/inspector`, { headers: { cookie: (cookie ?? "").split(";")[0] as string } })).text()).toBe("the inspector");
  });
});

describe("security > places", () => {
  const hosts = [
    "evil.example",
    "evil.example:80",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "127.0.0.2",
    "",
    "local host",
    "[::1",
    "0.0.0.0",
    "localhost:99999x",
    "user@localhost",
    "LOCALHOST.",
    "127.0.0.1:80:80",
    "localhost/x",
    "xn--lcalhost-2za",
    "2130706433",
    "0x7f.1",
    "127.1",
    "[::ffff:127.0.0.1]",
    "localhost,evil.example",
    "localhost\tevil.example",
    "tasks.example.",
  ];
  const plain = sharedStand();
  test.each(hosts)("that are not the server's are refused as Host: %j", async (host) => {
    const { port } = await plain();
    const { status, body } = await withHeaders(port, "GET", "/v1/status", { host });
    expect([400, 421], body).toContain(status);
  });
  const named = sharedStand({ allowedHosts: ["tasks.example"] });
  test.each(["localhost", "LOCALHOST:1234", "127.0.0.1", "[::1]:80", "tasks.example:8443"])("that are its own are taken as Host: %j", async (host) => {
    const { port } = await named();
    expect((await withHeaders(port, "GET", "/v1/status", { host })).status).toBe(200);
  });

  const origins = [
    "https://evil.example",
    "null",
    "http://localhost.evil.example",
    "https://good.example.evil.example",
    "http://good.example",
    "https://good.example:8443",
    "file://",
    "chrome-extension://abc",
    "http://127.0.0.1:1",
    "HTTPS://GOOD.EXAMPLE/",
    "https://good.example ",
    "https://good.example@evil.example",
    "https://good.example#.evil.example",
    "http://localhost:1",
    "data:text/html,x",
  ];
  const visited = sharedStand({ allowedOrigins: ["https://good.example"] });
  test.each(origins)("of foreign pages are refused as Origin: %j", async (origin) => {
    const { port } = await visited();
    for (const method of ["GET", "POST"]) {
      const { status, body } = await withHeaders(port, method, "/v1/actors", { host: "localhost", origin, "content-type": "application/json" });
      // Node takes blanks off the end of a header.
      if (origin.trim() === "https://good.example") expect([200, 400]).toContain(status);
      else expect(JSON.parse(body), `${method}`).toMatchObject({ status: 403, code: "foreign_origin" });
    }
  });
  test("of its own pages and of those that are allowed may read, others are told nothing", async () => {
    const { port, url } = await stand({ allowedOrigins: ["https://good.example"] });
    const from = (origin: string, method = "GET") => fetch(`${url}/v1/status`, { method, headers: { origin, ...(method === "OPTIONS" ? { "access-control-request-method": "POST" } : {}) } });
    expect((await from(`http://127.0.0.1:${port}`)).status).toBe(200);
    expect((await from("https://good.example")).headers.get("access-control-allow-origin")).toBe("https://good.example");
    expect((await from("https://good.example", "OPTIONS")).headers.get("access-control-allow-methods")).toContain("POST");
    const foreign = await from("https://evil.example", "OPTIONS");
    expect({ status: foreign.status, allowed: foreign.headers.get("access-control-allow-origin") }).toEqual({ status: 403, allowed: null });
  });
  test("that a browser calls another site's may change nothing", async () => {
    const { port } = await stand();
    const headers = { host: "localhost", "sec-fetch-site": "cross-site", "content-type": "application/json" };
    expect((await withHeaders(port, "POST", "/v1/actors", headers)).status).toBe(403);
  });

  test("beyond this machine are not listened on without tokens", async () => {
    const { engine } = await stand();
    for (const host of ["0.0.0.0", "::", "192.0.2.1", "example.org"]) await expect(listen(makeServer({ engine }), { host, port: 0 })).rejects.toMatchObject({ code: "unsafe_server" });
    const open = await listen(makeServer({ engine, tokens: tokens().stored }), { host: "0.0.0.0", port: 0 });
    await open.close();
    expect(await makeServer({ engine }).fetch(new Request("http://localhost/v1/status"))).toMatchObject({ status: 401 });
    expect(await makeServer({ engine }).fetch(new Request("http://localhost/v1/status"), { peer: "192.0.2.7" })).toMatchObject({ status: 401 });
    expect(await makeServer({ engine }).fetch(new Request("http://localhost/v1/status", { headers: { "x-forwarded-for": "127.0.0.1" } }), { peer: "192.0.2.7" })).toMatchObject({ status: 401 });
  });
});

describe("security > names and values", () => {
  const paths = [
    "/../../etc/passwd",
    "/..%2f..%2fetc%2fpasswd",
    "/v1/../../../etc/passwd",
    "/docs/../../package.json",
    "/docs/%2e%2e/%2e%2e/package.json",
    "/v1/actors/..%2F..%2Fsecret",
    "/openapi.json/..",
    "/v1//actors",
    "//v1/actors",
    "/v1/actors/",
    "/v1/%61ctors",
    "/v1/actors%00",
    "/V1/actors",
    "/v1/actors;x=1",
    "/v1/.git/config",
    "/.env",
    "/v1/machines/__proto__",
    "/v1/machines/constructor",
    "/v1/outboxes/__proto__/entries",
    "/v1/actors/__proto__",
    "/v1/dead-letters/NaN",
    "/v1/dead-letters/-1",
    "/v1/dead-letters/1e99",
    "/v1/actors/%E0%A4%A",
    "/v1/actors/%ff",
    "/v1/schedules/a/moments?count=-1",
    "/v1/actors?limit=1.5",
    "/v1/actors?cursor=DROP",
  ]; // prettier-ignore
  const plain = sharedStand();
  test.each(paths)("lead nowhere: %s", async (path) => {
    const { port } = await plain();
    const { status, body } = await withHeaders(port, "GET", path, { host: "localhost" });
    if (path === "/v1/outboxes/__proto__/entries") expect(status).toBe(404);
    expect([400, 404], body).toContain(status);
    expect(body).not.toMatch(/root:|"dependencies"|node_modules|\.ts:\d/);
  });

  const keys = ['{"type":"ADD","__proto__":{"by":7}}', '{"type":"ADD","constructor":{"prototype":{"polluted":1}}}', '{"type":"ADD","by":{"__proto__":{"polluted":1}}}', '{"__proto__":{"type":"ADD"}}'];
  test.each(keys)("of prototypes change nothing: %s", async (text) => {
    const { ask, engine } = await stand();
    await engine.start("counter", "1");
    await ask("POST", "/v1/actors/counter%2F1/events", { body: text });
    await ask("POST", "/v1/actors", { body: text.replace('"type":"ADD"', '"machine":"counter","id":"2"') });
    expect(({} as { polluted?: number; by?: number }).polluted).toBeUndefined();
    expect(({} as { by?: number }).by).toBeUndefined();
    expect((await ask("GET", "/v1/status")).status).toBe(200);
  });

  const bodies: ReadonlyArray<readonly [what: string, text: string]> = [
    ["nothing", ""],
    ["null", "null"],
    ["a number", "1"],
    ["a list", "[]"],
    ["a text", '"x"'],
    ["half of an object", '{"type":'],
    ["two objects", "{}{}"],
    ["a comment", '{/**/"type":"ADD"}'],
    ["no type", '{"by":1}'],
    ["a type that is no text", '{"type":{}}'],
    ["an empty type", '{"type":""}'],
    ["the engine's own type", '{"type":"taskwright.timer","id":"x","token":1}'],
    ["a wildcard", '{"type":"*"}'],
    ["XState's own", '{"type":"xstate.done.actor.work"}'],
    ["a zero byte", '{"type":"A\\u0000B"}'],
    ["half a pair", '{"type":"\\ud800"}'],
    ["endless nesting", `{"type":"ADD","x":${"[".repeat(5_000)}${"]".repeat(5_000)}}`],
    ["deep objects", `{"type":"ADD","x":${'{"a":'.repeat(200)}1${"}".repeat(200)}}`],
    ["a number beyond numbers", '{"type":"ADD","by":1e999}'],
    ["not UTF-8", '{"type":"\xff"}'],
  ]; // prettier-ignore
  test.each(bodies)("that are no event are refused: %s", async (what, text) => {
    const { ask, engine } = await plain();
    await engine.start("counter", what);
    const { status, body } = await ask("POST", `/v1/actors/counter%2F${encodeURIComponent(what)}/events`, { body: text });
    if (what === "not UTF-8") return expect(status).toBe(200);
    expect(status, JSON.stringify(body)).toBe(400);
    expect((await engine.history(`counter/${what}`)).length).toBe(1);
  });

  test("that a machine has not are refused in a start", async () => {
    const { ask } = await stand();
    for (const machine of ["__proto__", "constructor", "toString", "taskwright.system", "activity", "supervisor", "", "a/b"]) {
      expect((await ask("POST", "/v1/actors", { body: { machine, id: "1" } })).status, machine).toBeGreaterThanOrEqual(400);
    }
    for (const id of ["__proto__", "", "a/b", "\u0000", "x".repeat(201), "\ud800"]) expect((await ask("POST", "/v1/actors", { body: { machine: "counter", id } })).status, id).toBe(400);
  });
});

describe("security > traces and names in histories", () => {
  const hostile: ReadonlyArray<readonly [what: string, traceparent: string]> = [
    ["a long one", `00-${"a".repeat(5_000)}-01`],
    ["zeros", `00-${"0".repeat(32)}-${"0".repeat(16)}-01`],
    ["large letters", `00-${"AB".repeat(16)}-${"CD".repeat(8)}-01`],
    ["a version that is none", `ff-${"ab".repeat(16)}-${"cd".repeat(8)}-01`],
    ["with more behind it", `00-${"ab".repeat(16)}-${"cd".repeat(8)}-01, x: y`],
  ];
  test("a hostile traceparent goes no further", async () => {
    const { ask, dispatcher } = await yard();
    for (const [index, [what, traceparent]] of hostile.entries()) {
      expect((await ask("POST", "/v1/tasks", { body: { id: `t${index}`, kind: "greet" }, headers: { traceparent } })).status, what).toBe(201);
      expect((await dispatcher.get(`t${index}`))?.spec.traceparent, what).toBeUndefined();
      expect(await ask("POST", "/v1/tasks", { body: { kind: "greet", traceparent } }), what).toMatchObject({ status: 400, body: { code: "invalid_task" } });
    }
  });

  test("nobody signs with another name: the history has that of the token", async () => {
    const { stored, operate } = tokens();
    const { ask, engine, dispatcher } = await yard({ tokens: stored });
    const headers = { ...bearer(operate), "x-forwarded-user": "root" };
    await ask("POST", "/v1/tasks", { body: { id: "a", kind: "greet", by: "root" }, headers });
    expect(await dispatcher.get("a")).toBeUndefined();
    await ask("POST", "/v1/tasks", { body: { id: "a", kind: "greet" }, headers });
    await ask("POST", "/v1/tasks/orders", { body: { order: "cancel", which: ["a"], by: "root", why: "x" }, headers });
    await ask("POST", "/v1/tasks/orders", { body: { order: "cancel", which: ["a"], why: "x" }, headers });
    const signed = (await engine.history("task/a")).map(({ event, from }) => (event as { readonly by?: string }).by ?? from);
    expect(signed[0]).toBe("olaf");
    expect(signed).not.toContain("root");
    expect((await ask("POST", "/v1/queues/q/orders", { body: { order: "pause", by: "root" }, headers })).status).toBe(400);
    await ask("POST", "/v1/queues/q/policy", { body: { slotsMax: 1 }, headers });
    expect((await engine.history("queue/q")).map(({ from }) => from)).toEqual(["olaf"]);
  });
});

describe("security > rates", () => {
  test("of one token are bounded, and cost others nothing", async () => {
    const { stored, read, operate } = tokens();
    const { url } = await stand({ tokens: stored, limits: { requestsPerSecond: 1, requestsBurst: 5 } });
    const asRita = makeAsk(url, bearer(read));
    const statuses = await Promise.all(Array.from({ length: 12 }, async () => (await asRita("GET", "/v1/status")).status));
    expect(statuses.filter((status) => status === 200)).toHaveLength(5);
    expect(statuses.filter((status) => status === 429)).toHaveLength(7);
    expect((await makeAsk(url, bearer(operate))("GET", "/v1/status")).status).toBe(200);
    expect((await asRita("GET", "/health/live")).status).toBe(200);
  });
});
