import { describe, expect, test } from "vitest";
import { VirtualTime } from "../../src/testing/index.ts";
import { defaultServerLimits } from "../../src/server/limits.ts";
import { Subscriber } from "../../src/server/subscriber.ts";
import { follow } from "./events.ts";
import { stand } from "./stand.ts";

describe("server > streams", () => {
  test("tell what happens from now on, and go on behind the last id after a break", async () => {
    const { url, engine } = await stand();
    await engine.start("counter", "1");
    const first = await follow(`${url}/v1/stream?machine=counter`);
    expect(first.response.headers.get("content-type")).toBe("text/event-stream");
    await engine.send("counter/1", { type: "ADD" });
    const [told] = await first.take(1);
    expect(told).toMatchObject({ event: "change", data: { address: "counter/1", seq: 2, event: { type: "ADD" }, outcome: "handled" } });
    expect(told?.id).toBe(String(told?.data.id));
    first.leave();
    for (let by = 2; by < 5; by++) await engine.send("counter/1", { type: "ADD", by });
    const second = await follow(`${url}/v1/stream?machine=counter`, { "last-event-id": told?.id ?? "" });
    expect((await second.take(3)).map(({ data }) => data.event.by)).toEqual([2, 3, 4]);
    await engine.send("counter/1", { type: "ADD", by: 5 });
    expect((await second.take(1))[0]?.data.event.by).toBe(5);
  });

  test("of one actor count by its own sequence", async () => {
    const { url, engine, ask } = await stand();
    for (const id of ["1", "2"]) await engine.start("counter", id);
    const stream = await follow(`${url}/v1/actors/counter%2F1/stream?after=1`);
    for (const id of ["2", "1", "2", "1"]) await engine.send(`counter/${id}`, { type: "ADD" });
    expect((await stream.take(2)).map(({ id, data }) => [id, data.address])).toEqual([
      ["2", "counter/1"],
      ["3", "counter/1"],
    ]);
    expect((await ask("GET", "/v1/actors/counter%2F9/stream")).status).toBe(404);
  });

  test("lose nothing and repeat nothing, whoever reconnects while a thousand things happen", async () => {
    const { url, engine } = await stand();
    await engine.start("counter", "1");
    const sending = (async () => {
      for (let n = 0; n < 50; n++) await Promise.all(Array.from({ length: 20 }, () => engine.send("counter/1", { type: "ADD" })));
    })();
    const ids: Array<number> = [];
    while (ids.length < 1_000) {
      const stream = await follow(`${url}/v1/actors/counter%2F1/stream?after=1`, ids.length === 0 ? {} : { "last-event-id": String(ids.at(-1)) });
      for (const { data } of await stream.take(Math.min(137, 1_000 - ids.length))) ids.push(data.seq as number);
      stream.leave();
    }
    await sending;
    expect(ids).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 2));
  });

  test("end with a reason when the server closes", async () => {
    const { url, server } = await stand();
    const stream = await follow(`${url}/v1/stream`);
    await Promise.all([server.close(), expect(stream.next()).resolves.toMatchObject({ event: "end", data: { code: "server_closing", retryable: true } })]);
    expect(await stream.next()).toBeUndefined();
  });

  test("are refused beyond their number, and taken again when one has left", async () => {
    const { url, ask, engine } = await stand({ limits: { subscribersMax: 2 } });
    await engine.start("counter", "1");
    const streams = [await follow(`${url}/v1/stream`), await follow(`${url}/v1/stream`)];
    expect(await ask("GET", "/v1/stream")).toMatchObject({ status: 503, body: { code: "too_many_subscribers", retryable: true } });
    streams[0]?.leave();
    await expect.poll(async () => (await ask("GET", "/metrics")).text).toMatch(/^taskwright_http_subscribers 1$/m);
    expect((await follow(`${url}/v1/stream`)).response.status).toBe(200);
  });
});

describe("server > slow readers", () => {
  const slow = () => {
    const time = new VirtualTime();
    const ended: Array<string | undefined> = [];
    const subscriber = new Subscriber({
      after: undefined,
      readAfter: async () => ({ items: [], last: 0, isWhole: true }),
      limits: { ...defaultServerLimits, subscriberEventsMax: 3, dropGraceMs: 5_000, streamHeartbeatMs: 15_000 },
      time,
      onOver: (reason) => ended.push(reason),
    });
    const reader = subscriber.stream.getReader();
    const read = async () => new TextDecoder().decode((await reader.read()).value);
    const push = (count: number) => {
      for (let id = 1; id <= count; id++) subscriber.push({ id, text: `id: ${id}\n\n` });
    };
    return { time, ended, subscriber, reader, read, push };
  };

  test("are told why, and their stream ends", async () => {
    const { ended, reader, read, push } = slow();
    push(4);
    expect(await read()).toMatch(/^event: end\ndata: .*"code":"slow_reader"/);
    expect((await reader.read()).done).toBe(true);
    expect(ended).toEqual(["slow_reader"]);
  });

  test("that do not even take the reason are cut off after a grace", async () => {
    const { time, ended, reader, push } = slow();
    push(4);
    time.advance(4_999);
    expect(ended).toEqual([]);
    time.advance(1);
    expect(ended).toEqual(["slow_reader"]);
    await expect(reader.closed).rejects.toThrow("slow_reader");
  });

  test("that keep up are not dropped, and hear that the stream is alive", async () => {
    const { time, ended, read, push } = slow();
    expect(await read()).toBe("retry: 2000\n\n");
    push(3);
    expect(await read()).toBe("id: 1\n\nid: 2\n\nid: 3\n\n");
    time.advance(15_000);
    expect(await read()).toBe(": still here\n\n");
    expect(ended).toEqual([]);
  });
});
