import { describe, expect, test } from "vitest";
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
