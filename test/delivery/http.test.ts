import { createHmac } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { type Entry, httpDestination, type HttpOptions, retry, unknownOutcome } from "../../src/delivery/index.ts";
import type { Verdict } from "../../src/domain/outbox.ts";
import { VirtualTime } from "../../src/testing/index.ts";
import { certificate } from "./http-certificate.ts";
import { type Got, LocalServer } from "./http-server.ts";

const at = Date.UTC(2030, 0, 1);
const entry: Entry = { outbox: "outbox/box", key: "order-1", type: "message", lane: "message", payload: { total: 10 }, occurredAt: at - 5_000 };

const servers: Array<LocalServer> = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});
const serve = async (answer: (response: ServerResponse, got: Got, number: number) => void): Promise<LocalServer> => {
  const server = await LocalServer.http(answer);
  servers.push(server);
  return server;
};
const serveRaw = async (connected: (socket: Socket) => void): Promise<LocalServer> => {
  const server = await LocalServer.raw(connected);
  servers.push(server);
  return server;
};
const answering = (status: number, headers: Record<string, string> = {}, body = "") => serve((response) => response.writeHead(status, headers).end(body));

/** A destination that may go to loopback, and one attempt of it. */
const make = (options: HttpOptions, time = new VirtualTime(at)) => {
  const destination = httpDestination({ allowPrivate: true, time, keepAliveMs: 0, ...options });
  const controller = new AbortController();
  const deliver = async (more: Partial<Entry> = {}, attempt = 1) => (await destination({ ...entry, ...more }, { attempt, signal: controller.signal })) as Verdict;
  return { time, deliver, abort: () => controller.abort(new Error("the engine closed")) };
};
const verdictOf = async (options: HttpOptions) => make(options).deliver();

describe("delivery > http > a request", () => {
  test("carries the payload as JSON, the key, and when it happened", async () => {
    const server = await answering(200);
    expect(await verdictOf({ url: server.url })).toEqual({ verdict: "delivered" });
    expect(server.got).toHaveLength(1);
    expect(server.got[0]).toMatchObject({
      method: "POST",
      path: "/in",
      body: '{"total":10}',
      headers: { "content-type": "application/json", "content-length": "12", "idempotency-key": "order-1", "occurred-at": "2029-12-31T23:59:55.000Z" },
    });
    expect(server.got[0]?.headers).not.toHaveProperty("webhook-signature");
  });

  test("has the method, body, url and headers that the options make of the entry", async () => {
    const server = await answering(204);
    const { deliver } = make({
      url: ({ type }) => `${server.url}/${type}`,
      method: "PUT",
      body: ({ type, payload }) => ({ type, data: payload }),
      headers: async ({ lane }, { attempt }) => ({ "X-Lane": lane, "X-Attempt": String(attempt), "Content-Type": "application/cloudevents+json" }),
    });
    await deliver({}, 3);
    expect(server.got[0]).toMatchObject({
      method: "PUT",
      path: "/in/message",
      body: '{"type":"message","data":{"total":10}}',
      headers: { "x-lane": "message", "x-attempt": "3", "content-type": "application/cloudevents+json" },
    });
  });

  test("has the same key and body at every attempt", async () => {
    const server = await answering(503);
    const { deliver } = make({ url: server.url });
    for (const attempt of [1, 2, 3]) await deliver({}, attempt);
    expect(new Set(server.got.map(({ body, headers }) => `${headers["idempotency-key"]} ${headers["occurred-at"]} ${body}`))).toHaveLength(1);
  });

  test("writes a key that a header can't carry so that different keys stay different", async () => {
    const server = await answering(200);
    const { deliver } = make({ url: server.url });
    for (const key of ["a b", "a%20b", "a\r\nX-Evil: 1", "käse", "🧀", "\ud800"]) await deliver({ key });
    expect(server.got.map(({ headers }) => headers["idempotency-key"])).toEqual(["a%20b", "a%2520b", "a%0D%0AX-Evil:%201", "k%C3%A4se", "%F0%9F%A7%80", "%EF%BF%BD"]);
    expect(server.got.every(({ headers }) => !("x-evil" in headers))).toBe(true);
  });

  test("shares connections, and no more than it may", async () => {
    const held: Array<ServerResponse> = [];
    const server = await serve((response, _, number) => (number <= 2 ? held.push(response) : response.end()));
    const { deliver } = make({ url: server.url, connectionsMax: 2, keepAliveMs: 4_000 });
    const deliveries = Array.from({ length: 10 }, (_, index) => deliver({ key: `k${index}` }));
    await server.hasGot(2);
    expect(server.connections).toBe(2);
    for (const response of held) response.end();
    await Promise.all(deliveries);
    expect(server.got).toHaveLength(10);
    expect(server.connections).toBe(2);
  });
});

describe("delivery > http > the status", () => {
  const expected: ReadonlyArray<readonly [number, Verdict["verdict"]]> = [
    ...[200, 201, 202, 204, 299, 409].map((status) => [status, "delivered"] as const),
    ...[408, 429, 500, 501, 502, 503, 504, 507, 599, 600, 999, 401, 403].map((status) => [status, "retry"] as const),
    ...[300, 303, 304, 305, 400, 402, 404, 405, 406, 410, 411, 412, 413, 414, 415, 418, 421, 422, 425, 426, 428, 431, 451, 499].map((status) => [status, "refused"] as const),
  ];
  test.each(expected)("%i is %s", async (status, verdict) => {
    const server = await answering(status);
    expect((await verdictOf({ url: server.url })).verdict).toBe(verdict);
  });

  test("that refuses comes with the beginning of what the receiver said", async () => {
    const server = await answering(422, {}, `no such\n\u0000 account ${"x".repeat(1_000)}`);
    const verdict = await verdictOf({ url: server.url });
    expect(verdict).toEqual({ verdict: "refused", reason: `answered 422: no such account ${"x".repeat(184)}…` });
  });

  test.each([
    ["120", 120_000],
    ["0", 0],
    ["999999999999", 3_600_000],
    ["Tue, 01 Jan 2030 00:02:00 GMT", 120_000],
    ["Mon, 31 Dec 2029 00:00:00 GMT", 0],
    ["Fri, 01 Jan 2031 00:00:00 GMT", 3_600_000],
    ["soon", undefined],
    ["-5", undefined],
    ["1.5", undefined],
    ["2031-01-01", undefined],
  ])("503 with Retry-After %j is tried again after %j ms at the earliest", async (text, afterMs) => {
    const server = await serve((response) => {
      response.sendDate = false;
      response.writeHead(503, { "retry-after": text }).end();
    });
    expect(await verdictOf({ url: server.url })).toEqual(retry("answered 503", afterMs));
  });

  test("429 with a date is measured by the receiver's own clock", async () => {
    const server = await answering(429, { date: "Sat, 01 Jan 2000 00:00:00 GMT", "retry-after": "Sat, 01 Jan 2000 00:00:30 GMT" });
    expect(await verdictOf({ url: server.url })).toEqual(retry("answered 429", 30_000));
  });

  test("and what is behind it can be judged by the host", async () => {
    const server = await serve((response, { body }) => response.end(body === "1" ? '{"accepted":false}' : '{"accepted":true}'));
    const { deliver } = make({ url: server.url, judge: ({ body }) => (JSON.parse(body).accepted === true ? undefined : retry("not accepted")) });
    expect(await deliver({ payload: 1 })).toEqual(retry("not accepted"));
    expect(await deliver({ payload: 2 })).toEqual({ verdict: "delivered" });
  });

  test("with bad JSON behind it is delivered, and unknown where the host can't judge it", async () => {
    const server = await answering(200, { "content-type": "application/json" }, '{"accepted":');
    expect(await verdictOf({ url: server.url })).toEqual({ verdict: "delivered" });
    expect(await verdictOf({ url: server.url, judge: ({ body }) => JSON.parse(body) })).toMatchObject({ verdict: "unknown", reason: expect.stringContaining("can't be judged") });
  });
});

describe("delivery > http > a receiver that is not well", () => {
  test("refuses connections: tried again", async () => {
    const server = await answering(200);
    const { url } = server;
    await server.close();
    servers.length = 0;
    expect(await verdictOf({ url })).toMatchObject({ verdict: "retry", reason: expect.stringContaining("ECONNREFUSED") });
  });

  test("has no address: tried again", async () => {
    const lookup = () => Promise.reject(new Error("getaddrinfo ENOTFOUND"));
    expect(await verdictOf({ url: "http://nobody.example/", lookup })).toEqual(retry("it could not be sent: getaddrinfo ENOTFOUND"));
    expect(await verdictOf({ url: "http://nobody.example/", lookup: async () => [] })).toMatchObject({ verdict: "retry", reason: expect.stringContaining("no address") });
  });

  test("is not reached because its headers take too long: tried again", async () => {
    const server = await answering(200);
    const { deliver, time } = make({ url: server.url, headers: () => new Promise(() => {}), timeoutMs: 1_000 });
    const verdict = deliver();
    verdict.catch(() => {});
    await new Promise(setImmediate);
    time.advance(1_000);
    await expect(verdict).rejects.toThrow("longer than 1000 ms");
    expect(server.connections).toBe(0);
  });

  test("hangs before the request was written: tried again", async () => {
    const { deliver, time } = make({ url: "http://slow.example/", lookup: () => new Promise(() => {}), timeoutMs: 1_000 });
    const verdict = deliver();
    await new Promise(setImmediate);
    time.advance(1_000);
    expect(await verdict).toEqual(retry("it could not be sent: it took longer than 1000 ms"));
  });

  test("never ends its handshake: tried again", async () => {
    const server = await serveRaw((socket) => socket.resume());
    const { deliver, time } = make({ url: server.url.replace("http:", "https:"), timeoutMs: 1_000 });
    const verdict = deliver();
    await server.isConnected();
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    time.advance(1_000);
    expect(await verdict).toEqual(retry("it could not be sent: it took longer than 1000 ms"));
  });

  test.each<readonly [string, (socket: Socket) => void]>([
    ["answers without encryption", (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")],
    ["resets", (socket) => socket.resetAndDestroy()],
    ["closes", (socket) => socket.end()],
  ])("%s in the handshake: tried again", async (_, act) => {
    const server = await serveRaw((socket) => socket.once("data", () => act(socket)));
    expect(await verdictOf({ url: server.url.replace("http:", "https:") })).toMatchObject({ verdict: "retry", reason: expect.stringContaining("could not be sent") });
    expect(server.connections).toBe(1);
  });

  test("takes the beginning of a long request, and hangs: tried again", async () => {
    const server = await serveRaw((socket) => socket.pause());
    const { deliver, time } = make({ url: server.url, timeoutMs: 1_000 });
    const verdict = deliver({ payload: "x".repeat(32 * 1024 * 1024) });
    await server.isConnected();
    time.advance(1_000);
    expect(await verdict).toMatchObject({ verdict: "retry" });
  });

  test("takes the beginning of a long request, and resets: tried again", async () => {
    const server = await serveRaw((socket) => socket.once("data", () => socket.resetAndDestroy()));
    expect(await verdictOf({ url: server.url, body: () => "x".repeat(32 * 1024 * 1024) })).toMatchObject({ verdict: "retry" });
  });

  test("reads the request, and hangs: unknown", async () => {
    const server = await serve(() => {});
    const { deliver, time } = make({ url: server.url, timeoutMs: 1_000 });
    const verdict = deliver();
    await server.hasGot(1);
    time.advance(999);
    expect(await Promise.race([verdict, new Promise((resolve) => setImmediate(() => resolve("under way")))])).toBe("under way");
    time.advance(1);
    expect(await verdict).toEqual(unknownOutcome("it was sent, and not answered: it took longer than 1000 ms"));
  });

  test("reads the request, and resets: unknown", async () => {
    const server = await serve((response) => response.socket?.resetAndDestroy());
    expect(await verdictOf({ url: server.url })).toMatchObject({ verdict: "unknown" });
  });

  test("reads the request, and closes without a word: unknown", async () => {
    const server = await serve((response) => response.socket?.end());
    expect(await verdictOf({ url: server.url })).toMatchObject({ verdict: "unknown", reason: expect.stringContaining("hang up") });
  });

  test("answers what is no HTTP: unknown", async () => {
    const server = await serveRaw((socket) => socket.once("data", () => socket.end("SSH-2.0-OpenSSH_9.6\r\n")));
    expect(await verdictOf({ url: server.url })).toMatchObject({ verdict: "unknown" });
  });

  test("wants another protocol: unknown", async () => {
    const server = await serveRaw((socket) => socket.once("data", () => socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")));
    expect(await verdictOf({ url: server.url })).toMatchObject({ verdict: "unknown" });
  });

  test("answers after the time-out: unknown, and the answer changes nothing", async () => {
    let answer = () => {};
    const server = await serve((response) => {
      answer = () => response.writeHead(200).end();
    });
    const { deliver, time } = make({ url: server.url, timeoutMs: 1_000 });
    const verdict = deliver();
    await server.hasGot(1);
    time.advance(1_000);
    answer();
    expect((await verdict).verdict).toBe("unknown");
  });

  test("answers with a body that does not end: the status counts", async () => {
    const server = await serve((response, { body }) => (body === "1" ? response.writeHead(200).write("a") : response.end()));
    const { deliver, time } = make({ url: server.url, timeoutMs: 1_000, judge: ({ isWhole, body }) => (isWhole ? undefined : retry(`only ${body}`)) });
    const patient = deliver({ payload: 1 });
    await server.hasGot(1);
    // What was written before this one was sent has come when this one is answered.
    await deliver({ payload: 2 });
    await new Promise(setImmediate);
    time.advance(1_000);
    expect(await patient).toEqual(retry("only a"));
  });

  test("answers with a body that breaks off: the status counts", async () => {
    const server = await serveRaw((socket) => socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")));
    expect(await verdictOf({ url: server.url })).toEqual({ verdict: "delivered" });
    expect(await verdictOf({ url: server.url, judge: ({ isWhole, body }) => (isWhole ? undefined : retry(`only ${body}`)) })).toEqual(retry("only half"));
  });

  test("answers with an endless body: so much is read, and the connection is closed", async () => {
    let closed = (_: unknown) => {};
    const over = new Promise((resolve) => {
      closed = resolve;
    });
    const server = await serve((response) => {
      response.writeHead(200);
      response.on("close", closed);
      const pour = () => {
        while (response.write("x".repeat(65_536)));
      };
      response.on("drain", pour);
      pour();
    });
    let read = 0;
    expect(
      await verdictOf({
        url: server.url,
        answerBytesMax: 100_000,
        judge: ({ body, isWhole }) => {
          read = body.length;
          return isWhole ? retry("whole") : undefined;
        },
      }),
    ).toEqual({ verdict: "delivered" });
    expect(read).toBe(100_000);
    await over;
  });

  test("is not waited for when the engine closes", async () => {
    const server = await serve(() => {});
    const { deliver, abort } = make({ url: server.url });
    const verdict = deliver();
    await server.hasGot(1);
    abort();
    expect(await verdict).toEqual(unknownOutcome("it was sent, and not answered: the engine closed"));
    expect(await deliver()).toMatchObject({ verdict: "retry" });
    expect(server.got).toHaveLength(1);
  });
});

describe("delivery > http > encryption", () => {
  const serveSecurely = async (answer: (response: ServerResponse) => void) => {
    const server = await LocalServer.http(answer, certificate);
    servers.push(server);
    const lookup = async () => [{ address: "127.0.0.1", family: 4 }];
    return { server, options: { url: `https://hooks.example:${server.port}/`, lookup, tls: { ca: certificate.cert } } };
  };

  test("goes to a receiver with a certificate that is trusted, over connections that are kept", async () => {
    const { server, options } = await serveSecurely((response) => response.end());
    const { deliver } = make({ ...options, keepAliveMs: 4_000 });
    for (let n = 0; n < 3; n++) expect(await deliver()).toEqual({ verdict: "delivered" });
    expect(server.got).toHaveLength(3);
    expect(server.connections).toBe(1);
  });

  test("with a certificate that nobody vouches for, or for another name, sends nothing: tried again", async () => {
    const { server, options } = await serveSecurely((response) => response.end());
    for (const wrong of [{ tls: {} }, { url: `https://other.example:${server.port}/` }])
      expect(await verdictOf({ ...options, ...wrong })).toMatchObject({ verdict: "retry", reason: expect.stringContaining("could not be sent") });
    expect(server.connections).toBe(2);
    expect(server.got).toHaveLength(0);
  });

  test("is not given up for a redirect, also to a host that is named", async () => {
    const plain = await answering(200);
    const { server, options } = await serveSecurely((response) => response.writeHead(307, { location: plain.url }).end());
    expect(await verdictOf({ ...options, redirectHosts: [`127.0.0.1:${plain.port}`] })).toMatchObject({ verdict: "refused", reason: expect.stringContaining("not encrypted") });
    expect(server.got).toHaveLength(1);
    expect(plain.connections).toBe(0);
  });

  test("that breaks off after the request was read has an unknown outcome, also on a connection that was kept", async () => {
    let count = 0;
    const { server, options } = await serveSecurely((response) => (++count === 2 ? response.socket?.destroy() : response.end()));
    const { deliver } = make({ ...options, keepAliveMs: 4_000 });
    expect([await deliver(), await deliver(), await deliver()].map(({ verdict }) => verdict)).toEqual(["delivered", "unknown", "delivered"]);
    expect(server.connections).toBe(2);
  });
});

describe("delivery > http > credentials", () => {
  const guarded = (valid: () => string) => serve((response, { headers }) => response.writeHead(headers.authorization === valid() ? 200 : 401).end());

  test("are renewed once after a 401, and the request is sent again", async () => {
    const server = await guarded(() => "Bearer 1");
    let token = 0;
    const { deliver } = make({ url: server.url, headers: () => ({ authorization: `Bearer ${token}` }), recover: () => void token++ });
    expect(await deliver()).toEqual({ verdict: "delivered" });
    expect(server.got.map(({ headers }) => [headers.authorization, headers["idempotency-key"]])).toEqual([
      ["Bearer 0", "order-1"],
      ["Bearer 1", "order-1"],
    ]);
  });

  test("that don't help leave a failure that is tried again", async () => {
    const server = await answering(403);
    const asked: Array<number> = [];
    expect(await verdictOf({ url: server.url, recover: (status) => void asked.push(status) })).toEqual(retry("answered 403"));
    expect(asked).toEqual([403]);
    expect(server.got).toHaveLength(2);
  });

  test("that can't be renewed leave a failure that is tried again", async () => {
    const server = await answering(401);
    const recover = () => Promise.reject(new Error("the vault is sealed"));
    expect(await verdictOf({ url: server.url, recover })).toEqual(retry("answered 401, and the credentials could not be renewed: the vault is sealed"));
    expect(server.got).toHaveLength(1);
  });

  test("are renewed once for all that are under way", async () => {
    const server = await guarded(() => "Bearer 1");
    let token = 0;
    let renewals = 0;
    const recover = async () => {
      renewals++;
      await server.hasGot(5);
      token = 1;
    };
    const { deliver } = make({ url: server.url, headers: () => ({ authorization: `Bearer ${token}` }), recover });
    const verdicts = await Promise.all(Array.from({ length: 5 }, (_, index) => deliver({ key: `k${index}` })));
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(Array(5).fill("delivered"));
    expect(renewals).toBe(1);
  });

  test("that take too long don't hold up the attempt, nor the next one", async () => {
    const server = await answering(401);
    let asked = (_: unknown) => {};
    const first = new Promise((resolve) => {
      asked = resolve;
    });
    let renewals = 0;
    const recover = () => {
      asked(undefined);
      return renewals++ === 0 ? new Promise(() => {}) : undefined;
    };
    const { deliver, time } = make({ url: server.url, recover, timeoutMs: 1_000 });
    const verdict = deliver();
    await first;
    time.advance(1_000);
    expect(await verdict).toMatchObject({ verdict: "retry", reason: expect.stringContaining("longer than 1000 ms") });
    expect(await deliver()).toEqual(retry("answered 401"));
    expect(renewals).toBe(2);
  });
});

describe("delivery > http > redirects", () => {
  const elsewhere = (to: () => string, status = 307) => serve((response) => response.writeHead(status, { location: to() }).end());

  test.each([301, 302, 307, 308])("by %i within the origin keep method, body and headers", async (status) => {
    const server = await serve((response, { path }) => (path === "/in" ? response.writeHead(status, { location: "/there" }) : response.writeHead(200)).end());
    expect(await verdictOf({ url: server.url, headers: { "x-tenant": "7" } })).toEqual({ verdict: "delivered" });
    expect(server.got[1]).toMatchObject({ method: "POST", path: "/there", body: '{"total":10}', headers: { "x-tenant": "7", "idempotency-key": "order-1" } });
  });

  test("in a loop end after so many", async () => {
    const server = await elsewhere(() => "/in");
    expect(await verdictOf({ url: server.url, redirectsMax: 5 })).toMatchObject({ verdict: "refused", reason: expect.stringContaining("5 redirects") });
    expect(server.got).toHaveLength(6);
  });

  test("are not followed at all where none are allowed", async () => {
    const server = await elsewhere(() => "/there");
    expect((await verdictOf({ url: server.url, redirectsMax: 0 })).verdict).toBe("refused");
    expect(server.got).toHaveLength(1);
  });

  test("to another host are refused, and nothing is sent there", async () => {
    const other = await answering(200);
    const server = await elsewhere(() => other.url);
    expect(await verdictOf({ url: server.url })).toMatchObject({ verdict: "refused", reason: expect.stringContaining(`127.0.0.1:${other.port}`) });
    expect(other.connections).toBe(0);
  });

  test("to a host that is named are followed, without the headers for the first one", async () => {
    const other = await answering(200);
    const server = await elsewhere(() => other.url);
    const headers = { authorization: "Bearer 1", cookie: "a=1" };
    expect(await verdictOf({ url: server.url, headers, redirectHosts: [`127.0.0.1:${other.port}`] })).toEqual({ verdict: "delivered" });
    expect(server.got[0]?.headers).toMatchObject(headers);
    expect(other.got[0]?.headers).toMatchObject({ "idempotency-key": "order-1" });
    expect(other.got[0]?.headers).not.toHaveProperty("authorization");
    expect(other.got[0]?.headers).not.toHaveProperty("cookie");
  });

  test("whose receiver breaks off have an unknown outcome", async () => {
    const server = await serve((response, { path }) => (path === "/in" ? response.writeHead(307, { location: "/there" }).end() : response.socket?.resetAndDestroy()));
    expect((await verdictOf({ url: server.url })).verdict).toBe("unknown");
  });

  test.each(["ftp://127.0.0.1/", "http://user:secret@127.0.0.1/", "http://[::1", "file:///etc/passwd", "gopher://127.0.0.1:70/_x"])("to %s are refused", async (location) => {
    const server = await elsewhere(() => location);
    expect((await verdictOf({ url: server.url })).verdict).toBe("refused");
  });
});

describe("delivery > http > signatures", () => {
  // The vector that the reference libraries of Standard Webhooks test with.
  const vector = { secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: 1614265330, test: 2432232314 };
  const other = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

  test("are those of the specification", async () => {
    const server = await answering(200);
    const { signatureHeaders } = await import("../../src/delivery/http-signature.ts");
    expect(signatureHeaders([vector.secret], { id: vector.id, at: vector.timestamp * 1_000, body: '{"test": 2432232314}' })).toEqual({
      "webhook-id": vector.id,
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    });
    const { deliver } = make({ url: server.url, secrets: [vector.secret] }, new VirtualTime(vector.timestamp * 1_000 + 999));
    await deliver({ key: vector.id, payload: { test: vector.test } });
    const { headers, body } = server.got[0] as Got;
    const byHand = createHmac("sha256", Buffer.from("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "base64")).update(`${vector.id}.${vector.timestamp}.${body}`).digest("base64");
    expect(headers).toMatchObject({ "webhook-id": vector.id, "webhook-timestamp": "1614265330", "webhook-signature": `v1,${byHand}` });
  });

  test("are made with the old and the new secret while they are changed", async () => {
    const server = await answering(200);
    await verdictOf({ url: server.url, secrets: () => [other, vector.secret] });
    const { headers, body } = server.got[0] as Got;
    const sign = (key: Buffer) =>
      `v1,${createHmac("sha256", key)
        .update(`order-1.${at / 1_000}.${body}`)
        .digest("base64")}`;
    expect(headers["webhook-signature"]).toBe(`${sign(Buffer.alloc(32, 7))} ${sign(Buffer.from("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "base64"))}`);
  });

  test("have the time of the attempt, and the id of the entry", async () => {
    const server = await answering(503);
    const { deliver, time } = make({ url: server.url, secrets: [other] });
    await deliver();
    time.advance(60_000);
    await deliver({}, 2);
    expect(server.got.map(({ headers }) => [headers["webhook-id"], Number(headers["webhook-timestamp"]) * 1_000 - at])).toEqual([
      ["order-1", 0],
      ["order-1", 60_000],
    ]);
    expect(new Set(server.got.map(({ headers }) => headers["webhook-signature"]))).toHaveLength(2);
  });
});

describe("delivery > http > options that can't be", () => {
  const url = "https://hooks.example/";
  const wrong: ReadonlyArray<readonly [string, HttpOptions, RegExp]> = [
    ["no url", { url: "hooks.example" }, /no URL/],
    ["another protocol", { url: "ftp://hooks.example/" }, /not spoken/],
    ["a password", { url: "https://a:b@hooks.example/" }, /headers/],
    ["a private address", { url: "http://10.0.0.1/" }, /allowPrivate/],
    ["a time-out of nothing", { url, timeoutMs: 0 }, /timeoutMs/],
    ["half a redirect", { url, redirectsMax: 0.5 }, /redirectsMax/],
    ["a short secret", { url, secrets: ["whsec_c2hvcnQ="] }, /5 bytes/],
    ["a secret that is none", { url, secrets: ["whsec_%%%"] }, /base64/],
    ["a header of the destination", { url, headers: { "Idempotency-Key": "x" } }, /leave it out/],
    ["a signature", { url, headers: { "Webhook-Signature": "x" } }, /leave it out/],
    ["a header that is two", { url, headers: { "x-a": "1\r\nx-b: 2" } }, /x-a/],
  ];
  test.each(wrong)("are refused at once: %s", (_, options, message) => {
    expect(() => httpDestination(options)).toThrow(message);
  });

  test("don't tell the secret", () => {
    expect(() => httpDestination({ url, secrets: ["whsec_c2VjcmV0"] })).not.toThrow(/c2VjcmV0|secret0/);
  });
});
