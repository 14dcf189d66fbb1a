import { describe, expect, onTestFinished, test } from "vitest";
import { dispatchMachines, makeSchedules, openDispatcher, openEngine } from "../../src/index.ts";
import { listen, makeServer } from "../../src/server/index.ts";
import { makeAsk } from "./conforming.ts";
import { stand } from "./stand.ts";

const hour = 3_600_000;

describe("server > schedules", () => {
  test("are made once, listed, read, changed, ordered, made up for and removed, and their history says by whom", async () => {
    const schedules = makeSchedules();
    const dispatch = dispatchMachines({ kinds: { echo: { run: (input: never) => input } } });
    const engine = await openEngine({ machines: [], plugins: [schedules, dispatch] });
    const dispatcher = await openDispatcher(engine, dispatch);
    schedules.attach(dispatcher);
    const server = makeServer({ engine, dispatcher, schedules });
    const listening = await listen(server, { port: 0 });
    onTestFinished(async () => {
      await listening.close();
      await dispatcher.stop();
      await engine.close({ grace: 0 });
    });
    const ask = makeAsk(listening.url);
    const schedule = { when: { cron: "0 * * * *" }, task: { kind: "echo", input: 1 } };
    const create = (body: object) => ask("POST", "/v1/schedules", { body });
    expect(await create({ name: "hourly", schedule })).toMatchObject({ status: 201, body: { name: "hourly", duplicate: false } });
    expect(await create({ name: "hourly", schedule })).toMatchObject({ status: 200, body: { duplicate: true } });
    expect(await create({ name: "hourly", schedule: { ...schedule, overlap: "queue" } })).toMatchObject({ status: 409, body: { code: "schedule_exists" } });
    expect(await create({ name: "never", schedule: { ...schedule, when: { cron: "0 0 31 2 *" } } })).toMatchObject({ status: 400, body: { code: "invalid_schedule" } });
    expect((await create({ name: "x" })).status).toBe(400);
    expect((await ask("GET", "/v1/schedules")).body.items).toMatchObject([{ name: "hourly", isPaused: false }]);
    expect((await ask("GET", "/v1/schedules/hourly")).body).toMatchObject({ name: "hourly", spec: { when: schedule.when } });
    for (const name of ["nothing", "__proto__", "..%2F..%2Fsecret", "constructor"])
      expect(await ask("GET", `/v1/schedules/${name}`)).toMatchObject({ status: 404, body: { code: "unknown_schedule" } });
    for (const name of ["", "a/b", "\u0000", "x".repeat(201)]) expect(await create({ name, schedule })).toMatchObject({ status: 400, body: { code: "invalid_schedule" } });
    const { moments } = (await ask("GET", "/v1/schedules/hourly/moments?count=3")).body as { readonly moments: ReadonlyArray<number> };
    expect(moments.map((moment) => moment % hour)).toEqual([0, 0, 0]);
    const tag = { "if-none-match": (await ask("GET", "/v1/schedules")).headers.get("etag") ?? "" };
    expect((await ask("GET", "/v1/schedules", { headers: tag })).status).toBe(304);
    const order = (body: object) => ask("POST", "/v1/schedules/hourly/orders", { body });
    expect((await order({ order: "pause", why: "lunch" })).status).toBe(200);
    expect((await ask("GET", "/v1/schedules", { headers: tag })).status).toBe(200);
    expect((await ask("GET", "/v1/schedules/hourly")).body).toMatchObject({ isPaused: true, note: expect.stringContaining("lunch") });
    const { task } = (await order({ order: "trigger" })).body as { readonly task: string };
    expect((await dispatcher.whenEnded([task], { mayCome: true }))[0]).toMatchObject({ state: "done", spec: { attributes: { schedule: "hourly" } } });
    const to = (moments[0] ?? 0) - hour;
    const filled = await ask("POST", "/v1/schedules/hourly/backfills", { body: { from: to - hour, to } });
    expect(filled.body.moments).toEqual([to - hour, to]);
    expect(await ask("POST", "/v1/schedules/hourly/backfills", { body: { from: to, to: to - hour } })).toMatchObject({ status: 400 });
    expect((await order({ order: "resume" })).status).toBe(200);
    expect((await ask("PUT", "/v1/schedules/hourly", { body: { ...schedule, overlap: "queue" } })).status).toBe(200);
    expect((await ask("GET", "/v1/schedules/hourly")).body.spec.overlap).toBe("queue");
    expect((await ask("DELETE", "/v1/schedules/hourly")).status).toBe(200);
    expect((await ask("GET", "/v1/schedules")).body.items).toEqual([]);
    const told = (await engine.history("schedule/hourly")).filter(({ from }) => from === "local").map(({ event }) => event.type);
    expect(told).toEqual(["taskwright.start", "TRIGGER", "BACKFILL", "CHANGE", "REMOVE"]);
  });

  test("a server without them says so", async () => {
    const { ask } = await stand();
    expect(await ask("GET", "/v1/schedules")).toMatchObject({ status: 501, body: { code: "not_served" } });
  });
});
