import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createActor, SimulatedClock } from "xstate";
import { openEngine } from "../../src/index.ts";
import { player } from "../../src/inspector/app/player.ts";
import { fileSource, inspect, listenOnLoopback, makeInspector, type StatelyEvent, statelyEvents } from "../../src/inspector/index.ts";
import type { ActorList, ActorPage, Frame, History, Moment, Overview, WhatIf } from "../../src/inspector/wire.ts";
import { readHistories } from "../../src/replay/index.ts";
import { counter, shopMachines } from "./shop.ts";
import { openStage } from "./stage.ts";

const at = (path: string, init?: RequestInit) => new Request(`http://localhost/${path}`, init);
const post = (path: string, body: unknown, headers: Record<string, string> = { "x-taskwright-inspector": "1" }) => at(path, { method: "POST", body: JSON.stringify(body), headers });

describe("inspector > feed", () => {
  let stage: Awaited<ReturnType<typeof openStage>>;
  const ask = async <A>(path: string): Promise<A> => (await (await stage.inspector.fetch(at(`api/${path}`))).json()) as A;
  beforeAll(async () => {
    stage = await openStage();
    await stage.play();
  });
  afterAll(() => stage.close());

  it("tells a policy by which the page can load nothing but itself", async () => {
    const page = await stage.inspector.fetch(at(""));
    expect(page.status).toBe(200);
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(page.headers.get("content-security-policy")).not.toMatch(/unsafe|\*|https?:/);
    expect((await stage.inspector.fetch(at("../../package.json"))).status).toBe(404);
    expect((await stage.inspector.fetch(at("%2e%2e/package.json"))).status).toBe(404);
  });

  it("hides what is to be hidden, in contexts, moments and exports", async () => {
    const shown = [await ask<ActorPage>("actor?address=order/1"), await ask<Moment>("moment?address=order/1&seq=1"), await (await stage.inspector.fetch(at("api/export?address=order/1"))).text()];
    expect(JSON.stringify(shown)).toContain("[hidden]");
    expect(JSON.stringify(shown)).not.toContain("4111");
  });

  it("lets a viewer look and do nothing, and a page of another site not even ask", async () => {
    const inspector = makeInspector({ engine: stage.engine, machines: shopMachines });
    const event = { address: "order/10", event: { type: "REJECT", reason: "no" } };
    expect((await inspector.fetch(post("api/send", event))).status).toBe(403);
    expect((await inspector.fetch(post("api/bulk", { action: "drop", letters: [1] }))).status).toBe(403);
    expect((await stage.inspector.fetch(post("api/send", event, {}))).status).toBe(403);
    expect((await stage.engine.snapshot("order/10")).value).toBe("awaitingApproval");
    inspector.close();
  });

  it("says in its errors what is wrong", async () => {
    expect((await stage.inspector.fetch(at("api/actor?address=order/none"))).status).toBe(404);
    expect((await stage.inspector.fetch(at("api/actor"))).status).toBe(400);
    expect((await stage.inspector.fetch(at("api/actors?limit=-1"))).status).toBe(400);
    const refused = await stage.inspector.fetch(post("api/send", { address: "order/10", event: { type: "APPROVE" } }));
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([400, "invalid_event"]);
  });

  it("counts where actors stand as the engine does", async () => {
    const { machines } = await ask<Overview>("overview");
    const { total, lines } = await ask<ActorList>("actors?machine=order&limit=1000");
    expect(total).toBe(40);
    const fleet = machines.find(({ machine, version }) => machine === "order" && version === "1")?.fleet;
    for (const { address, state } of lines) {
      const { value } = await stage.engine.snapshot(address);
      if (typeof value === "string") expect(state).toBe(value);
    }
    expect(fleet?.states["order.awaitingApproval"]).toBe(lines.filter(({ state }) => state === "awaitingApproval").length);
  });

  it("tells what moved at most once per frame, and holds one frame for a page that is slow", async () => {
    const { machines } = await ask<Overview>("overview");
    const hash = machines.find(({ machine }) => machine === "counter")?.hash;
    const stream = (await stage.inspector.fetch(at(`api/events?hashes=${hash}&actor=counter/1`))).body as ReadableStream<Uint8Array>;
    const reader = stream.getReader();
    const frames: Array<Frame> = [];
    const read = async () => {
      const { value } = await reader.read();
      for (const [, json] of new TextDecoder().decode(value).matchAll(/^data: (.*)$/gm)) frames.push(JSON.parse(json as string) as Frame);
    };
    await read();
    const before = (await stage.engine.snapshot("counter/1")).seq;
    for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 50 }, () => stage.engine.send("counter/1", { type: "TICK" })));
    while (frames.at(-1)?.actors["counter/1"]?.seq !== before + 1_000) await read();
    expect(frames.reduce((sum, { transitions }) => sum + transitions, 0)).toBeGreaterThanOrEqual(1_000);
    expect(frames.length).toBeLessThan(200);
    for (const [index, frame] of frames.entries()) if (index > 1) expect(frame.at - (frames[index - 1]?.at ?? 0)).toBeGreaterThanOrEqual(95);
    await reader.cancel();
  });

  it("sends no frames to who only wants to know that the feed is there", async () => {
    const { machines } = await ask<Overview>("overview");
    const hash = machines.find(({ machine }) => machine === "counter")?.hash;
    const readerOf = async (hashes: string) => ((await stage.inspector.fetch(at(`api/events?hashes=${hashes}`))).body as ReadableStream<Uint8Array>).getReader();
    const [silent, told] = [await readerOf(""), await readerOf(`${hash}`)];
    const text = async (reader: typeof silent) => new TextDecoder().decode((await reader.read()).value);
    expect([await text(silent), await text(told)]).toEqual([":\n\n", ":\n\n"]);
    const next = text(silent);
    await stage.engine.send("counter/1", { type: "TICK" });
    expect(await text(told)).toMatch(/^data: /);
    expect(await Promise.race([next, Promise.resolve("nothing")])).toBe("nothing");
    await Promise.all([silent.cancel(), told.cancel()]);
  });

  it("tells with an actor what its page does not know of its way", async () => {
    await stage.engine.send("counter/1", { type: "TICK" });
    const { seq } = await stage.engine.snapshot("counter/1");
    const { entries } = await ask<History>(`history?address=counter/1&from=${seq - 1}`);
    expect((await ask<ActorPage>(`actor?address=counter/1&after=${seq - 2}`)).way).toEqual(entries);
    expect((await ask<ActorPage>(`actor?address=counter/1&after=${seq}`)).way).toEqual([]);
    expect((await ask<ActorPage>("actor?address=counter/1")).way).toBeUndefined();
  });

  it("steps a history again, and goes on where it grows", async () => {
    const first = await ask<History>("history?address=counter/1&from=1&limit=1000");
    await stage.engine.send("counter/1", { type: "TICK" });
    const { last, entries, broken } = await ask<History>(`history?address=counter/1&from=${first.last}&limit=10`);
    expect([last, entries.length, broken]).toEqual([first.last + 1, 2, undefined]);
    const moment = await ask<Moment>(`moment?address=counter/1&seq=${last}`);
    expect(moment.context).toEqual((await stage.engine.snapshot("counter/1")).context);
    expect(moment.edges).toHaveLength(1);
  });

  it("tells an actor what it was not told, and says what is different from what came", async () => {
    const tell = async (seq: number, events: unknown) => stage.inspector.fetch(post("api/what-if", { address: "order/4", seq, events }));
    const whatIf = async (seq: number, ...events: ReadonlyArray<unknown>) => (await (await tell(seq, events)).json()) as WhatIf;
    const { last, entries } = await ask<History>("history?address=order/4&from=1");
    expect(entries.map(({ type }) => type).slice(2)).toEqual(["PACKED", "LABELLED"]);
    const fork = await whatIf(2, { type: "NOTE", text: "call first" }, { type: "BREAK" }, { type: "HOLD" });
    expect(fork.entries.map(({ type, outcome, state }) => [type, outcome, state])).toEqual([
      ["NOTE", "handled", "fulfilling.parcel.open, fulfilling.label.missing"],
      ["BREAK", "failed", "fulfilling.parcel.open, fulfilling.label.missing"],
      ["HOLD", "handled", "held"],
    ]);
    expect(fork.entries[1]?.threw).toContain("out of paper");
    expect(fork.entries[0]?.edges).toHaveLength(1);
    expect([fork.really.map(({ type, state }) => [type, state]), fork.last]).toEqual([entries.slice(2).map(({ type, state }) => [type, state]), last]);
    expect(fork.fields).toContainEqual({ path: "value", left: "shipping", right: "held" });
    expect(fork.fields).toContainEqual({ path: "context.notes[0]", right: "call first" });
    // What is hidden is not told as a difference either, and nothing was stored.
    expect(JSON.stringify(await whatIf(1, { type: "NOTE", text: "x" }))).not.toContain("4111");
    expect((await ask<History>("history?address=order/4&from=1")).last).toBe(last);
    expect((await tell(2, [{}])).status).toBe(400);
    expect((await tell(99, [{ type: "HOLD" }])).status).toBe(404);
  });

  it("opens what it exported, without the engine", async () => {
    const text = await (await stage.inspector.fetch(at("api/export?address=counter/1"))).text();
    const inspector = inspect(fileSource(readHistories(text), "counter.jsonl"), [counter], { role: "operator" });
    const of = async <A>(path: string): Promise<A> => (await (await inspector.fetch(at(`api/${path}`))).json()) as A;
    const { seq, context } = await stage.engine.snapshot("counter/1");
    expect(await of<History>(`history?address=counter/1&from=${seq}`)).toMatchObject({ last: seq });
    expect((await of<Moment>(`moment?address=counter/1&seq=${seq}`)).context).toEqual(context);
    expect(await of<Overview>("overview")).toMatchObject({ source: "file", role: "viewer" });
    inspector.close();
  });

  it("is served under the name of this machine only", async () => {
    const { url, close } = await listenOnLoopback(makeInspector({ engine: stage.engine, machines: [] }));
    const { request } = await import("node:http");
    const status = await new Promise((resolve) => request(url, { headers: { host: "evil.example" } }, ({ statusCode }) => resolve(statusCode)).end());
    expect(status).toBe(421);
    await close();
  });

  it("tells an inspector of Stately actors, events and snapshots", async () => {
    const told: Array<StatelyEvent> = [];
    const stop = statelyEvents(stage.engine, (event) => told.push(event));
    await stage.engine.start("counter", "stately");
    await stage.engine.send("counter/stately", { type: "TICK" });
    stop();
    const own = told.filter(({ sessionId }) => sessionId === "counter/stately");
    expect(own.map(({ type }) => type)).toEqual(["@xstate.actor", "@xstate.event", "@xstate.snapshot", "@xstate.event", "@xstate.snapshot"]);
    expect(own.at(-1)).toMatchObject({ rootId: "counter/stately", event: { type: "TICK" }, snapshot: { status: "active", value: "odd", context: { count: 1 } } });
    expect(JSON.parse((own[0] as { definition: string }).definition)).toMatchObject({ id: "counter" });
  });
});

describe("inspector > journal", () => {
  it("shows a journal beside its engine, and what is stored meanwhile", async () => {
    const folder = mkdtempSync(join(tmpdir(), "inspector-"));
    const { invoke } = await import("../../src/cli/invoke.ts");
    const Effect = await import("effect/Effect");
    const engine = await openEngine({ database: join(folder, "work.db"), machines: [counter] });
    await engine.start("counter", "1");
    let stop: (signal: "SIGINT") => void = () => {};
    let url = "";
    const listening = new Promise<void>((resolve) => {
      const out = (text: string) => {
        url = /http:\S+/.exec(text)?.[0] ?? "";
        if (url !== "") resolve();
      };
      const streams = { out, error: out, isTerminal: false, columns: () => 80, input: async () => "" };
      const source = (listener: (signal: "SIGINT" | "SIGTERM") => void) => {
        stop = listener;
        return () => {};
      };
      over = Effect.runPromise(invoke(["node", "taskwright", "inspect", "--database", join(folder, "work.db")], streams, source));
    });
    await listening;
    const read = async () => ((await (await fetch(`${url}api/actors?machine=counter`)).json()) as ActorList).lines[0]?.state;
    expect(await read()).toBe("even");
    await engine.send("counter/1", { type: "TICK" });
    await expect.poll(read).toBe("odd");
    stop("SIGINT");
    expect(await over).toBe(0);
    await engine.close();
    rmSync(folder, { recursive: true });
  });
  let over: Promise<number> = Promise.resolve(0);
});

describe("inspector > player", () => {
  const start = () => {
    const clock = new SimulatedClock();
    const actor = createActor(player, { input: { seq: 0 }, clock }).start();
    actor.send({ type: "BOUNDS", first: 3, last: 8 });
    return { clock, actor, seq: () => actor.getSnapshot().context.seq, state: () => actor.getSnapshot().value };
  };

  it("begins at the end, steps within its bounds, and jumps", () => {
    const { actor, seq } = start();
    expect(seq()).toBe(8);
    actor.send({ type: "STEP", by: 1 });
    expect(seq()).toBe(8);
    actor.send({ type: "JUMP", to: 1 });
    expect(seq()).toBe(3);
    actor.send({ type: "STEP", by: 2 });
    expect(seq()).toBe(5);
  });

  it("plays from the beginning where it stands at the end, at its pace, and stops there", () => {
    const { clock, actor, seq, state } = start();
    actor.send({ type: "PLAY" });
    expect([seq(), state()]).toEqual([3, "playing"]);
    clock.increment(250);
    expect(seq()).toBe(4);
    actor.send({ type: "SPEED", speed: 10 });
    actor.send({ type: "PAUSE" });
    clock.increment(5_000);
    expect([seq(), state()]).toEqual([4, "paused"]);
    actor.send({ type: "PLAY" });
    for (let pace = 0; pace < 10; pace++) clock.increment(100);
    expect([seq(), state()]).toEqual([8, "paused"]);
  });
});
