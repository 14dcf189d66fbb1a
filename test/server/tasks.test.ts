import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { bearer, stand, tokens } from "./stand.ts";
import { yard } from "./yard.ts";

const kinds = { greet: {}, echo: { run: (input: never) => input } };

describe("server > tasks", () => {
  test("are submitted once, one or many, listed in pages, and read", async () => {
    const { ask, dispatcher } = await yard({ kinds });
    expect(await ask("POST", "/v1/tasks", { body: { id: "a", kind: "echo", input: { n: 1 } } })).toMatchObject({ status: 201, body: { id: "a", duplicate: false } });
    expect(await ask("POST", "/v1/tasks", { body: { id: "a", kind: "echo", input: { n: 1 } } })).toMatchObject({ status: 200, body: { id: "a", duplicate: true } });
    const many = await ask("POST", "/v1/tasks/bulk", { body: { tasks: ["b", "c", "d"].map((id) => ({ id, kind: "echo", input: id, tags: ["letters"] })) } });
    expect(many.body.submitted.map(({ id }: { id: string }) => id)).toEqual(["b", "c", "d"]);
    await dispatcher.whenEnded(["a", "b", "c", "d"]);
    const first = await ask("GET", "/v1/tasks?tag=letters&limit=2");
    const second = await ask("GET", `/v1/tasks?tag=letters&limit=2&cursor=${first.body.next}`);
    expect([...first.body.items, ...second.body.items].map(({ id }: { id: string }) => id)).toEqual(["b", "c", "d"]);
    expect((await ask("GET", "/v1/tasks/a")).body).toMatchObject({ id: "a", state: "done", result: { n: 1 }, attempts: 1 });
    expect(await ask("GET", "/v1/tasks/nobody")).toMatchObject({ status: 404, body: { code: "unknown_task" } });
    expect(await ask("POST", "/v1/tasks", { body: { kind: "nothing" } })).toMatchObject({ status: 400, body: { code: "invalid_task" } });
  });

  test("without an id are named by the key of their request: a repetition finds them", async () => {
    const { stored, operate } = tokens();
    const { ask, dispatcher } = await yard({ kinds, tokens: stored });
    const submit = (key: string, path = "", body: object = { kind: "greet", input: 1 }) => ask("POST", `/v1/tasks${path}`, { body, headers: { ...bearer(operate), "idempotency-key": key } });
    const first = await submit("k1");
    expect(first).toMatchObject({ status: 201, body: { duplicate: false } });
    expect(first.headers.get("location")).toBe(`v1/tasks/${first.body.id}`);
    expect(await submit("k1")).toMatchObject({ status: 200, body: { id: first.body.id, duplicate: true } });
    expect((await submit("k2")).body.id).not.toBe(first.body.id);
    const many = { tasks: [{ kind: "greet" }, { id: "named", kind: "greet" }, { kind: "greet" }] };
    const bulk = (await submit("k3", "/bulk", many)).body.submitted;
    expect(bulk[1]).toEqual({ id: "named", duplicate: false });
    expect((await submit("k3", "/bulk", many)).body.submitted).toEqual(bulk.map(({ id }: { id: string }) => ({ id, duplicate: true })));
    expect((await dispatcher.list()).tasks).toHaveLength(5);
    expect((await submit("")).status).toBe(400);
    // Another request with the key: nothing of it is stored, also not what came beyond the first one.
    const reused = { status: 422, body: { code: "key_reused", retryable: false, data: { key: "k1", address: `task/${first.body.id}` } } };
    expect(await submit("k1", "", { kind: "greet", input: 2 })).toMatchObject(reused);
    expect(await submit("k1", "/bulk", { tasks: [{ kind: "greet", input: 1 }, { kind: "greet" }] })).toMatchObject(reused);
    expect(await submit("k3", "/bulk", { tasks: [...many.tasks, { kind: "greet" }] })).toMatchObject({ status: 422, body: { code: "key_reused" } });
    expect(await submit("k1", "", { input: 1, kind: "greet" })).toMatchObject({ status: 200, body: { duplicate: true } });
    expect((await dispatcher.list()).tasks).toHaveLength(5);
  });

  test("are listed from either end, and read with a tag that stays while they are the same", async () => {
    const { ask, dispatcher } = await yard({ kinds });
    await dispatcher.submit(["a", "b", "c"].map((id) => ({ id, kind: "greet" })));
    const ids = ({ body }: Awaited<ReturnType<typeof ask>>) => body.items.map(({ id }: { id: string }) => id);
    const latest = await ask("GET", "/v1/tasks?sort=-created&limit=2");
    expect(ids(latest)).toEqual(["c", "b"]);
    expect(ids(await ask("GET", `/v1/tasks?sort=-created&limit=2&cursor=${latest.body.next}`))).toEqual(["a"]);
    const listed = (await ask("GET", "/v1/tasks")).headers.get("etag") ?? "";
    const list = () => ask("GET", "/v1/tasks", { headers: { "if-none-match": listed } });
    expect((await list()).status).toBe(304);
    const tagOf = async (path: string) => ({ headers: { "if-none-match": (await ask("GET", path)).headers.get("etag") ?? "" } });
    const [queues, workers] = [await tagOf("/v1/queues"), await tagOf("/v1/workers")];
    expect((await ask("GET", "/v1/queues", queues)).status).toBe(304);
    expect((await ask("GET", "/v1/workers", workers)).status).toBe(304);
    await dispatcher.queues.pause("default", { by: "test", why: "to change it" });
    expect(await ask("GET", "/v1/queues", queues)).toMatchObject({ status: 200, body: { items: [{ state: "paused" }] } });
    await dispatcher.workers.connect({ id: "w", owner: "o", transport: "remote", kinds: ["greet"], slots: 1 });
    expect(await ask("GET", "/v1/workers", workers)).toMatchObject({ status: 200, body: { items: expect.arrayContaining([expect.objectContaining({ id: "w" })]) } });
    const etag = (await ask("GET", "/v1/tasks/a")).headers.get("etag") ?? "";
    expect(etag).toMatch(/^"[\w-]{22}"$/);
    const again = () => ask("GET", "/v1/tasks/a", { headers: { "if-none-match": etag } });
    expect(await again()).toMatchObject({ status: 304, text: "" });
    await dispatcher.pause(["a"], { by: "test", why: "to change it" });
    expect(await again()).toMatchObject({ status: 200, body: { state: "paused" } });
    expect(await list()).toMatchObject({ status: 200, body: { items: [{ state: "paused" }, {}, {}] } });
    // Of a choice that was not met there is one word, not one for each thing that it is not.
    const { body } = await ask("GET", "/v1/tasks?state=bogus");
    expect(body.data.issues).toEqual([{ path: "state", detail: expect.stringMatching(/^must be one of "waiting", "queued", .*, got "bogus"$/) }]);
  });

  test("are counted, and the names of all metrics are those that are documented", async () => {
    const { ask, dispatcher } = await yard({ kinds });
    await dispatcher.submit([1, 2].map((input) => ({ kind: "greet", queue: "slow", input })));
    await ask("POST", "/v1/worker/register", { body: { id: "w1", owner: "o", kinds: ["other"], slots: 2 } });
    const { text } = await ask("GET", "/metrics");
    expect(text).toMatch(/^taskwright_tasks_waiting\{queue="slow"\} 2$/m);
    expect(text).toMatch(/^taskwright_tasks_running\{queue="slow"\} 0$/m);
    expect(text).toMatch(/^taskwright_dead_letters 0$/m);
    const named = (shown: string) => [...shown.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`);
    const outside = await stand();
    const { text: other } = await outside.ask("GET", "/metrics");
    const page = readFileSync(new URL("../../docs/operating/observability.md", import.meta.url), "utf8");
    const documented = [...page.matchAll(/^\| `(taskwright_\w+)` \| (\w+) \|/gm)].map(([, name, type]) => `${name} ${type}`);
    expect([...new Set([...named(text), ...named(other)])].sort()).toEqual(documented.sort());
  });

  test("take orders, and their history says who gave them", async () => {
    const { ask, engine } = await yard({ kinds });
    for (const id of ["a", "b"]) await ask("POST", "/v1/tasks", { body: { id, kind: "greet" } });
    const order = (body: object) => ask("POST", "/v1/tasks/orders", { body });
    expect((await order({ order: "pause", which: ["a"] })).body).toMatchObject({ done: ["a"] });
    expect((await order({ order: "resume", which: ["a"] })).body).toMatchObject({ done: ["a"] });
    expect((await order({ order: "reprioritise", which: ["a"], priority: 5 })).body).toMatchObject({ done: ["a"] });
    expect(await order({ order: "reprioritise", which: ["a"] })).toMatchObject({ status: 400, body: { data: { issues: [{ path: "priority" }] } } });
    expect(await order({ order: "answer", which: { kind: "greet" }, answer: 1 })).toMatchObject({ status: 400 });
    expect((await order({ order: "answer", which: ["a"], answer: 1 })).body).toMatchObject({ refused: [{ id: "a" }] });
    expect((await order({ order: "cancel", which: { kind: "greet" }, why: "no need" })).body.done.sort()).toEqual(["a", "b"]);
    expect((await engine.history("task/a")).map(({ event }) => event)).toContainEqual(expect.objectContaining({ type: "CANCEL", by: "local", why: "no need" }));
  });

  test("have queues and workers that can be ordered, and say why they wait and what they take", async () => {
    const { ask } = await yard({ kinds });
    await ask("POST", "/v1/tasks", { body: { id: "a", kind: "greet", queue: "slow" } });
    expect((await ask("POST", "/v1/queues/slow/policy", { body: { slotsMax: 1 } })).status).toBe(200);
    expect((await ask("POST", "/v1/queues/slow/orders", { body: { order: "pause", why: "lunch" } })).status).toBe(200);
    expect((await ask("GET", "/v1/queues")).body.items).toContainEqual(expect.objectContaining({ name: "slow", state: "paused", waiting: 1 }));
    await ask("POST", "/v1/worker/register", { body: { id: "w1", owner: "o", kinds: ["greet"], slots: 2 } });
    expect((await ask("GET", "/v1/workers")).body.items).toContainEqual(expect.objectContaining({ id: "w1", state: "active", slots: 2 }));
    expect((await ask("POST", "/v1/workers/w1/orders", { body: { order: "retire" } })).status).toBe(200);
    expect((await ask("GET", "/v1/actors/task%2Fa/moves")).body.items.map(({ type }: { type: string }) => type)).toContain("CANCEL");
    expect((await ask("GET", "/v1/actors/task%2Fa/why")).body).toMatchObject({ address: "task/a", verdict: expect.any(String) });
  });
});
