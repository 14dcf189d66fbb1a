import { describe, expect, test } from "vitest";
import { sharedStand, stand } from "./stand.ts";

const home = "/v1/actors/counter%2F1";
const shared = sharedStand();

describe("server > actors", () => {
  test("are started once, by one request or many at once", async () => {
    const { ask, engine } = await stand();
    const first = await ask("POST", "/v1/actors", { body: { machine: "counter", id: "1" } });
    expect(first).toMatchObject({ status: 201, body: { address: "counter/1", seq: 1, outcome: "handled", duplicate: false } });
    expect(first.headers.get("location")).toBe("v1/actors/counter%2F1");
    expect(await ask("POST", "/v1/actors", { body: { machine: "counter", id: "1" } })).toMatchObject({ status: 200, body: { duplicate: true } });
    const many = await ask("POST", "/v1/actors/bulk", { body: { actors: ["1", "2", "3"].map((id) => ({ machine: "counter", id })) } });
    expect(many.body.receipts.map(({ address, duplicate }: { address: string; duplicate: boolean }) => [address, duplicate])).toEqual([
      ["counter/1", true],
      ["counter/2", false],
      ["counter/3", false],
    ]);
    expect((await engine.list({ machine: "counter" })).length).toBe(3);
  });

  test("take events, once per idempotency key, and the history says who sent them", async () => {
    const { ask, engine } = await stand();
    await engine.start("counter", "1");
    const send = (key?: string) => ask("POST", `${home}/events`, { body: { type: "ADD", by: 2 }, headers: key === undefined ? {} : { "idempotency-key": key } });
    const first = await send("a");
    expect(first).toMatchObject({ status: 200, body: { seq: 2, outcome: "handled", duplicate: false } });
    expect((await send("a")).body).toEqual({ ...first.body, duplicate: true });
    const other = { body: { type: "ADD", by: 1 }, headers: { "idempotency-key": "a" } };
    expect(await ask("POST", `${home}/events`, other)).toMatchObject({ status: 422, body: { code: "key_reused", title: "Key reused", retryable: false, data: { key: "a", event: "ADD", seq: 2 } } });
    expect(await ask("POST", `${home}/questions`, other)).toMatchObject({ status: 422, body: { code: "key_reused" } });
    await send();
    expect((await engine.snapshot("counter/1")).context).toEqual({ count: 4 });
    expect((await engine.history("counter/1")).map(({ from }) => from)).toEqual(["", "local", "local"]);
  });

  test("can be asked, and asked whether they would take an event", async () => {
    const { ask, engine } = await stand();
    await engine.start("counter", "1");
    expect((await ask("POST", `${home}/questions`, { body: { type: "ASK" } })).body).toEqual({ type: "COUNTED", count: 0 });
    expect(await ask("POST", `${home}/questions?timeoutMs=50`, { body: { type: "ADD" } })).toMatchObject({ status: 504, body: { code: "timed_out", retryable: true } });
    expect((await ask("POST", `${home}/can`, { body: { type: "ADD" } })).body).toEqual({ can: true });
    expect((await ask("POST", `${home}/can`, { body: { type: "OTHER" } })).body).toEqual({ can: false });
  });

  test("are read with a tag that stays while nothing happens", async () => {
    const { ask, engine } = await stand();
    await engine.start("counter", "1");
    const { headers, body } = await ask("GET", home);
    const etag = headers.get("etag") ?? "";
    expect(body).toMatchObject({ address: "counter/1", value: "on", context: { count: 0 }, timers: expect.any(Object) });
    for (const tags of [etag, `"x", W/${etag}`, "*"]) expect((await ask("GET", home, { headers: { "if-none-match": tags } })).status).toBe(304);
    await engine.send("counter/1", { type: "ADD" });
    expect(await ask("GET", home, { headers: { "if-none-match": etag } })).toMatchObject({ status: 200, body: { context: { count: 1 } } });
  });

  test("are listed with a tag that stays while nothing is stored, and then are not even read", async () => {
    const { ask, engine } = await stand();
    await engine.start("counter", "1");
    const first = await ask("GET", "/v1/actors?machine=counter");
    const etag = first.headers.get("etag") ?? "";
    const again = (path = "/v1/actors?machine=counter") => ask("GET", path, { headers: { "if-none-match": etag } });
    expect(await again()).toMatchObject({ status: 304, text: "" });
    expect((await again("/v1/actors?limit=0")).status).toBe(400);
    await engine.send("counter/1", { type: "ADD" });
    const then = await again();
    expect(then).toMatchObject({ status: 200, body: { items: [{ context: { count: 1 } }] } });
    expect(then.headers.get("etag")).not.toBe(etag);
    expect((await (await stand()).ask("GET", "/v1/actors", { headers: { "if-none-match": etag } })).status).toBe(200);
  });

  test("are listed in pages, by filters, in both orders", async () => {
    const { ask, engine } = await stand();
    for (const id of ["1", "2", "3", "4", "5"]) await engine.start("counter", id);
    await engine.send("counter/2", { type: "END" });
    const all = async (query: string) => {
      const found: Array<string> = [];
      for (let cursor = ""; ; ) {
        const { body } = await ask("GET", `/v1/actors?machine=counter&limit=2${query}${cursor}`);
        found.push(...body.items.map(({ address }: { address: string }) => address.slice("counter/".length)));
        if (body.next === undefined) return found.join("");
        cursor = `&cursor=${body.next}`;
      }
    };
    expect(await all("")).toBe("12345");
    expect(await all("&sort=-created")).toBe("54321");
    expect(await all("&status=active")).toBe("1345");
    expect(await all("&status=done&sort=-created")).toBe("2");
    expect(await all("&status=error")).toBe("");
    const children = await ask("GET", "/v1/actors?parent=counter%2F1");
    expect(children.body.items.map(({ address }: { address: string }) => address)).toEqual(["counter/1/work"]);
    expect((await ask("GET", "/v1/actors?top=true")).body.items.every(({ address }: { address: string }) => address.split("/").length === 2)).toBe(true);
  });

  test("have their history in pages, and as lines", async () => {
    const { ask, engine } = await stand();
    await engine.start("counter", "1");
    for (let n = 0; n < 4; n++) await engine.send("counter/1", { type: "ADD" });
    const first = await ask("GET", `${home}/history?limit=3`);
    expect(first.body.items.map(({ seq }: { seq: number }) => seq)).toEqual([1, 2, 3]);
    const second = await ask("GET", `${home}/history?limit=3&after=${first.body.next}`);
    expect(second.body).toMatchObject({ items: [{ seq: 4 }, { seq: 5 }] });
    expect(second.body.next).toBeUndefined();
    const { text } = await ask("GET", `${home}/export`);
    expect(
      text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as object),
    ).toEqual([...first.body.items, ...second.body.items]);
    const changes = await ask("GET", "/v1/changes?limit=2");
    expect(changes.body.items.map(({ address }: { address: string }) => address)).toHaveLength(2);
    const rest = await ask("GET", `/v1/changes?after=${changes.body.next}`);
    const lines = (await ask("GET", "/v1/changes/export")).text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(lines).toEqual([...changes.body.items, ...rest.body.items]);
  });

  test("of any name are found by their encoded address", async () => {
    const { ask, engine } = await stand();
    for (const id of ["a b", "50%", "ä?&#", "%2F", "..", "x+y", "~1"]) {
      await engine.start("counter", id);
      expect((await ask("GET", `/v1/actors/${encodeURIComponent(`counter/${id}`)}`)).body.address).toBe(`counter/${id}`);
    }
  });
});

describe("server > problems", () => {
  test("are made from the engine's errors: code, status, whether to try again, and the fields", async () => {
    const { ask, engine } = await stand();
    await engine.start("counter", "1");
    expect(await ask("GET", "/v1/actors/counter%2F9")).toMatchObject({
      status: 404,
      body: { type: "urn:taskwright:problem:unknown_actor", title: "Unknown actor", status: 404, code: "unknown_actor", retryable: false, data: { address: "counter/9" } },
    });
    expect(await ask("POST", "/v1/actors", { body: { machine: "nothing", id: "1" } })).toMatchObject({
      status: 404,
      body: { code: "unknown_machine", data: { known: expect.arrayContaining(["counter"]) } },
    });
    expect(await ask("POST", `${home}/events`, { body: { type: "taskwright.start" } })).toMatchObject({ status: 400, body: { code: "invalid_event" } });
    expect(await ask("POST", `${home}/events`, { body: { type: "ADD", text: "x".repeat(1_100_000) } })).toMatchObject({ status: 413, body: { code: "payload_too_large" } });
    expect(await ask("POST", `${home}/events`, { body: { type: "ADD" }, headers: { "idempotency-key": "k".repeat(1_001) } })).toMatchObject({
      status: 400,
      body: { code: "invalid_event", data: { path: "key" } },
    });
  });

  test.each<[string, unknown, string]>([
    [`${home}/events`, [{ type: "ADD" }], 'the body must be an object like {"type":"PAY","amount":5}, got a list'],
    [`${home}/events`, "5", 'the body must be an object like {"type":"PAY","amount":5}, got 5'],
    [`${home}/can`, "null", 'the body must be an object like {"type":"PAY","amount":5}, got null'],
    [`${home}/events`, { type: 5 }, "type: must be a string, got 5"],
    ["/v1/actors/bulk", { actors: [5] }, 'actors.0: must be an object like {"machine":"…","id":"…"}, got 5'],
    ["/v1/actors/bulk", { actors: {} }, 'actors: must be a list like [{"machine":"…","id":"…"}], got an object'],
    ["/v1/tasks", [], 'the body must be an object like {"id":"mail-7","kind":"mail","input":{"to":"ada@example.org"}}, got a list'],
    ["/v1/dead-letters/drop", [7], 'the body must be an object like {"ids":[1]} or an object like {"filter":{"machine":"order"}}, got a list'],
    ["/v1/dead-letters/drop", { id: [7] }, 'id: there is no id (did you mean "ids"?)\nids: is missing\nfilter: is missing'],
    ["/v1/tasks/orders", { order: "cancel", which: { stat: "done" } }, 'which.stat: there is no stat (did you mean "state" or "tag"?)'],
    ["/v1/tasks/orders", { order: "cancl", which: ["a"] }, 'order: must be one of "cancel", .*, got "cancl" \\(did you mean "cancel"\\?\\)'],
  ])("say what a path takes, with an example: %s %j", async (path, body, detail) => {
    const { ask } = await shared();
    const answer = await ask("POST", path, { body });
    expect(answer).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    if (detail.includes(".*")) expect(answer.body.detail).toMatch(new RegExp(`^${detail}$`));
    else expect(answer.body.detail).toBe(detail);
  });

  test("show an example of each body that the server itself takes", async () => {
    const { ask, url } = await shared();
    const { components } = (await (await fetch(`${url}/openapi.json`)).json()) as { readonly components: { readonly schemas: Readonly<Record<string, { readonly examples: ReadonlyArray<object> }>> } };
    for (const [name, path] of [
      ["Event", `${home}/can`],
      ["NewSchedule", "/v1/schedules"],
      ["Registration", "/v1/worker/register"],
      ["TaskSpec", "/v1/tasks"],
    ] as const) {
      const [example = {}] = components.schemas[name]?.examples ?? [];
      const answer = await ask("POST", path, { body: name === "NewSchedule" ? { name: "s", schedule: example } : example });
      expect(Object.keys(example).length, name).toBeGreaterThan(0);
      expect(answer.body.code, name).not.toBe("invalid_request");
    }
  });

  test("are none where somebody goes away before the answer", async () => {
    const { engine, url, ask, logged } = await stand();
    await engine.start("counter", "1");
    const leaving = new AbortController();
    const asked = fetch(`${url}${home}/questions?timeoutMs=20000`, { method: "POST", headers: { "content-type": "application/json" }, body: '{"type":"ADD"}', signal: leaving.signal });
    await engine.waitFor("counter/1", ({ context }) => (context as { readonly count: number }).count === 1);
    leaving.abort();
    await expect(asked).rejects.toThrow();
    await expect.poll(async () => (await ask("GET", "/metrics")).text).toMatch(/\{status="499"\} 1/);
    expect(logged).toEqual([]);
  });

  test("name every place of a request that does not fit", async () => {
    const { ask } = await stand();
    expect((await ask("POST", "/v1/actors", { body: { machine: 5, extra: 1 } })).body.data.issues.map(({ path }: { path: string }) => path).sort()).toEqual(["extra", "id", "machine"]);
    expect(await ask("GET", "/v1/actors?limit=0&nonsense=1")).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    expect(await ask("GET", "/v1/actors?cursor=hello")).toMatchObject({ status: 400, body: { code: "invalid_request", data: { issues: [{ path: "cursor" }] } } });
    expect(await ask("POST", "/v1/actors", { body: "{" })).toMatchObject({
      status: 400,
      body: { detail: 'the body is no JSON; it must be an object like {"machine":"…","id":"…"}' },
    });
    expect(await ask("POST", "/v1/actors", { body: "a=b", headers: { "content-type": "application/x-www-form-urlencoded" } })).toMatchObject({ status: 415, body: { code: "unsupported_body" } });
    expect(await ask("GET", "/v1/nothing")).toMatchObject({ status: 404, body: { code: "unknown_path" } });
    expect(await ask("GET", "/v1/actors/order/1")).toMatchObject({ status: 404, body: { code: "unknown_path", detail: expect.stringContaining("/v1/actors/order%2F42") } });
    expect(await ask("DELETE", "/v1/actors")).toMatchObject({ status: 405, body: { code: "method_not_allowed", data: { allowed: ["POST", "GET"] } } });
  });

  test("of a machine that throws tell its reason and no stack, nor do its dead letters", async () => {
    const { ask, engine } = await stand();
    await engine.start("counter", "1");
    const broken = await ask("POST", `${home}/events`, { body: { type: "BREAK" } });
    expect(broken).toMatchObject({ status: 422, body: { code: "actor_failed", data: { event: "BREAK" } } });
    const { body, text } = await ask("GET", "/v1/dead-letters");
    expect(body.items).toMatchObject([{ address: "counter/1", event: { type: "BREAK" }, kind: "event", error: { message: expect.stringContaining("it is broken") } }]);
    for (const shown of [broken.text, text, (await ask("GET", `/v1/dead-letters/${body.items[0].id}`)).text]) expect(shown).not.toMatch(/"stack"|node_modules|\.ts:\d+/);
  });

  test("tell of a defect under a reference alone; the log has the rest", async () => {
    const broken = await stand();
    const { ask, logged } = broken;
    Object.assign(broken.engine.effect, {
      counts: undefined,
      status: () => {
        throw new Error("secret /var/lib/x");
      },
    }); // prettier-ignore
    const { status, body, text } = await ask("GET", "/v1/status");
    expect({ status, code: body.code }).toEqual({ status: 500, code: "internal_error" });
    expect(text).not.toContain("secret");
    expect(logged).toContainEqual(expect.objectContaining({ level: "error", data: expect.objectContaining({ reference: body.data.reference }) }));
  });
});

describe("server > operations", () => {
  test("take dead letters, by ids or by a filter, and a history says who did, and why", async () => {
    const { ask, engine } = await stand();
    await engine.start("counter", "1");
    for (let n = 0; n < 3; n++) await ask("POST", `${home}/events`, { body: { type: "BREAK" } });
    const ids = (await ask("GET", "/v1/dead-letters?limit=2")).body.items.map(({ id }: { id: number }) => id);
    expect(ids).toHaveLength(2);
    expect((await ask("POST", "/v1/dead-letters/drop", { body: { ids, why: "a trial" } })).body).toEqual({ count: 2 });
    expect(await ask("POST", "/v1/dead-letters/requeue", { body: { ids } })).toMatchObject({ status: 404, body: { code: "unknown_dead_letter", data: { ids } } });
    expect((await ask("POST", "/v1/dead-letters/requeue", { body: { filter: { type: "BREAK" } } })).body).toEqual({ count: 1 });
    expect(await ask("POST", "/v1/dead-letters/drop", { body: {} })).toMatchObject({ status: 400 });
    const { body } = await ask("GET", "/v1/actors/dead-letters%2Ftaken/history?after=1");
    const note = (id: number) => ({ id, address: "counter/1", type: "BREAK" });
    expect(body.items).toMatchObject([
      { from: "local", event: { type: "DROPPED", letters: ids.map(note), why: "a trial" } },
      { from: "local", event: { type: "REQUEUED", letters: [note(3)] } },
    ]);
  });

  test("show outboxes with their entries, and order them", async () => {
    const { ask, engine } = await stand();
    await engine.start("counter", "1");
    await engine.send("counter/1", { type: "END" });
    await engine.waitFor("outbox/outside", ({ context }) => (context as { pending: number }).pending === 1);
    expect((await ask("GET", "/v1/outboxes")).body.items).toMatchObject([{ name: "outside", pending: 1 }]);
    const tag = { "if-none-match": (await ask("GET", "/v1/outboxes")).headers.get("etag") ?? "" };
    expect((await ask("GET", "/v1/outboxes", { headers: tag })).status).toBe(304);
    const entries = await ask("GET", "/v1/outboxes/outside/entries");
    expect(entries.body.items).toMatchObject([{ key: "n0", type: "counted", payload: 0, status: "pending" }]);
    for (const order of ["pause", "resume", "force"]) expect((await ask("POST", "/v1/outboxes/outside/orders", { body: { order } })).status).toBe(200);
    expect((await ask("POST", "/v1/outboxes/outside/drop", { body: { seqs: [entries.body.items[0].seq] } })).status).toBe(200);
    expect((await ask("GET", "/v1/outboxes", { headers: tag })).status).toBe(200);
    expect((await ask("POST", "/v1/outboxes/outside/requeue", { body: { seqs: [1] } })).status).toBe(200);
    expect(await ask("GET", "/v1/outboxes/nowhere/entries")).toMatchObject({ status: 404, body: { code: "unknown_actor" } });
  });

  test("show machines, with versions, graph and picture", async () => {
    const { ask, engine } = await stand();
    await engine.start("counter", "1");
    const { body } = await ask("GET", "/v1/machines");
    expect(body.items.find(({ id }: { id: string }) => id === "counter")).toMatchObject({ version: "1", description: "Counts.", actors: { active: 1 }, versions: [{ version: "1" }] });
    expect((await ask("GET", "/v1/machines/counter")).body).toMatchObject({ id: "counter" });
    expect(JSON.stringify((await ask("GET", "/v1/machines/counter/graph")).body)).toContain("It counts.");
    expect((await ask("GET", "/v1/machines/counter/mermaid")).text).toContain("on --> off: END");
    expect(await ask("GET", "/v1/machines/nothing")).toMatchObject({ status: 404, body: { code: "unknown_machine" } });
    expect((await ask("GET", "/v1/parked")).body).toEqual({ items: [] });
  });

  test("tell how the server is", async () => {
    const { ask, server } = await stand();
    expect((await ask("GET", "/health/live")).body).toEqual({ live: true });
    expect((await ask("GET", "/health/ready")).body).toEqual({ ready: true });
    expect((await ask("GET", "/version")).body).toMatchObject({ name: "taskwright", node: process.versions.node });
    expect((await ask("GET", "/v1/status")).body).toMatchObject({ state: "running" });
    expect((await ask("GET", "/v1/caller")).body).toMatchObject({ name: "local" });
    expect((await ask("GET", "/metrics")).text).toMatch(/^taskwright_engine_state\{state="running"\} 1$/m);
    void server.close();
    expect(await ask("GET", "/health/ready")).toMatchObject({ status: 503, body: { ready: false, state: "closing" } });
    expect(await ask("GET", "/v1/status")).toMatchObject({ status: 503, body: { code: "server_closing", retryable: true } });
  });

  test("without a part of the engine say that it is not served", async () => {
    const { makeServer } = await import("../../src/server/index.ts");
    const { engine } = await stand();
    const response = await makeServer({ engine }).fetch(new Request("http://localhost/v1/outboxes"), { peer: "127.0.0.1" });
    expect(await response.json()).toMatchObject({ status: 501, code: "not_served", data: { part: "outboxes" } });
  });
});
