import * as Effect from "effect/Effect";
import { describe, expect } from "vitest";
import { sendTo, setup } from "xstate";
import { delivered, type Destination, outboxRef, refused, retry } from "../../src/delivery/index.ts";
import type { NewEntry, OutboxPolicy, Verdict } from "../../src/domain/outbox.ts";
import { type Bench, inBothJournals, inThreeModes, inTwoModes } from "../../src/testing/index.ts";
import { Receiver } from "../delivery/receiver.ts";
import { Host, message } from "./host.ts";

/** As a relay's append log: strict order, twelve attempts, 1 s doubling to 60 s between half and the whole. */
const policy: Partial<OutboxPolicy> = {
  order: "fifo",
  retry: { attemptsMax: 12, backoff: { kind: "exponential", baseMs: 1_000, capMs: 60_000 }, jitter: { min: 0.5, max: 1 } },
};
const down: Verdict = retry("down");
const openLog = (bench: Bench, destination: Destination, more: Partial<OutboxPolicy> = {}) => Host.open(bench, { outboxes: { log: { destination, policy: { ...policy, ...more } } } });

describe("scenarios > relay", () => {
  inThreeModes("B1 a head that is not due holds up everything behind it, of any type", async (bench) => {
    let isUp = false;
    const receiver = new Receiver(() => (isUp ? delivered : down));
    const host = await openLog(bench, receiver.destination, { restartClearsBackoff: false });
    await host.enqueue("log", message("1"));
    await host.enqueue("log", message("2", { type: "other" }), message("3", { lane: "elsewhere" }));
    expect(new Set(receiver.keys)).toEqual(new Set(["1"]));
    isUp = true;
    await host.advance(60);
    expect(receiver.keys.slice(-3)).toEqual(["1", "2", "3"]);
  });

  inThreeModes("B2 append keeps every event; coalesce replaces earlier ones that were not sent", async (bench) => {
    let isUp = false;
    const receiver = new Receiver(() => (isUp ? delivered : down));
    const host = await openLog(bench, receiver.destination, { restartClearsBackoff: false });
    await host.enqueue("log", message("head"));
    for (const n of [1, 2, 3]) await host.enqueue("log", message(`append ${n}`), message(`coalesce ${n}`, { replaces: "progress" }), message(`mood ${n}`, { replaces: "mood" }));
    expect(await host.keys("log")).toEqual(["head", "append 1", "append 2", "append 3", "coalesce 3", "mood 3"]);
    isUp = true;
    await host.advance(60);
    expect(receiver.keys.slice(-6)).toEqual(["head", "append 1", "append 2", "append 3", "coalesce 3", "mood 3"]);
  });

  inTwoModes("B2 an entry that is being sent is not replaced", async (bench) => {
    const receiver = new Receiver();
    const host = await openLog(bench, receiver.destination);
    await host.enqueue("log", message("1", { replaces: "progress" }));
    await host.enqueue("log", message("2", { replaces: "progress" }));
    await host.enqueue("log", message("3", { replaces: "progress" }));
    expect(await host.keys("log")).toEqual(["1", "3"]);
    receiver.last.answer(delivered);
    await host.engine.settled();
    expect(receiver.keys).toEqual(["1", "3"]);
    receiver.last.answer(delivered);
    await host.engine.settled();
    expect(await host.keys("log")).toEqual([]);
  });

  inThreeModes("B3 occurredAt is stamped once, and the key is the same through retries and restarts", async (bench) => {
    const receiver = new Receiver(() => down);
    const host = await openLog(bench, receiver.destination);
    const at = host.engine.time.now();
    await host.enqueue("log", { type: "turn", payload: { n: 1 }, occurredAt: at });
    await host.advance(5);
    await host.restart();
    await host.advance(5);
    expect(receiver.calls.length).toBeGreaterThan(3);
    expect(new Set(receiver.calls.map(({ entry }) => entry.occurredAt))).toEqual(new Set([at]));
    const keys = new Set(receiver.keys);
    expect(keys.size).toBe(1);
    // Derived from what it is and when: the same is the same entry, anything else is another one.
    const same: NewEntry = { type: "turn", payload: { n: 1 }, occurredAt: at };
    await host.enqueue("log", same);
    expect(await host.keys("log")).toEqual([...keys]);
    await host.enqueue("log", { ...same, payload: { n: 2 } }, { ...same, occurredAt: at + 1 }, { ...same, type: "other" });
    expect(new Set(await host.keys("log")).size).toBe(4);
    await host.enqueue("log", message("mine", { occurredAt: 5 }));
    expect((await host.call(host.outboxes.entries("log"))).at(-1)).toMatchObject({ key: "mine", occurredAt: 5 });
  });

  let first: ReadonlyArray<number> | undefined;
  inThreeModes("B4 delays are 1 s doubling to 60 s, between half and the whole; the same in every run", async (bench) => {
    const receiver = new Receiver(() => down);
    const host = await openLog(bench, receiver.destination, { restartClearsBackoff: false });
    await host.enqueue("log", message("a"), message("b", { lane: "b" }));
    const moments = await host.advance(240, () => receiver.calls.length);
    const found = moments.map((moment, index) => moment - (moments[index - 1] ?? 0));
    const whole = [1, 2, 4, 8, 16, 32].map((seconds) => seconds * 1_000);
    for (const [index, delay] of found.entries()) {
      expect(delay).toBeGreaterThanOrEqual((whole[index] ?? 60_000) / 2);
      expect(delay).toBeLessThanOrEqual(whole[index] ?? 60_000);
    }
    expect(found.some((delay, index) => delay !== whole[index])).toBe(true);
    first ??= found;
    expect(found).toEqual(first);
  });

  inThreeModes("B5 after twelve attempts the head is poisoned: kept, told, and the log goes on; it can be listed, requeued and deleted", async (bench) => {
    const receiver = new Receiver(({ key }) => (key.startsWith("bad") ? down : delivered));
    const host = await openLog(bench, receiver.destination, { restartClearsBackoff: false });
    await host.enqueue("log", message("bad 1"), message("good"), message("bad 2"));
    await host.advance(3600);
    const tried = (key: string) => receiver.keys.filter((each) => each === key).length;
    expect([tried("bad 1"), tried("good"), tried("bad 2")]).toEqual([12, 1, 12]);
    expect(receiver.keys.indexOf("good")).toBe(12);
    expect(host.heard.filter(({ type }) => type === "outbox.poisoned")).toEqual(["bad 1", "bad 2"].map((key) => ({ type: "outbox.poisoned", key, attempts: 12, reason: "down" })));
    const [first, second] = await host.call(host.outboxes.entries("log", { status: "poisoned" }));
    expect(first).toMatchObject({ key: "bad 1", attempts: 12, error: "down", payload: { text: "bad 1" } });
    receiver.rule = () => delivered;
    await host.call(host.outboxes.requeue("log", [first?.seq ?? 0]));
    expect(receiver.last).toMatchObject({ attempt: 1, entry: { key: "bad 1" } });
    await host.call(host.outboxes.drop("log", [second?.seq ?? 0]));
    expect(await host.keys("log")).toEqual([]);
    expect((await host.engine.snapshot("outbox/log")).context).toMatchObject({ pending: 0, poisoned: 0, delivered: 2, dropped: 1 });
  });

  inThreeModes("B6 over the bound the oldest poisoned entries go first, then the oldest live ones; each is counted and told", async (bench) => {
    const receiver = new Receiver(() => down);
    const host = await openLog(bench, receiver.destination, { entriesMax: 3, restartClearsBackoff: false, retry: { attemptsMax: 2, backoff: { kind: "fixed", baseMs: 1_000 } } });
    await host.enqueue("log", message("p1"));
    await host.advance(1);
    await host.enqueue("log", message("p2"));
    await host.advance(1);
    expect(await host.keys("log", "poisoned")).toEqual(["p1", "p2"]);
    await host.enqueue("log", message("1"), message("2"));
    expect(await host.keys("log")).toEqual(["p2", "1", "2"]);
    await host.enqueue("log", message("3"));
    expect(await host.keys("log")).toEqual(["1", "2", "3"]);
    await host.enqueue("log", message("4"), message("5"));
    expect(await host.keys("log")).toEqual(["3", "4", "5"]);
    expect(host.heard.filter(({ type }) => type === "outbox.dropped").map(({ key, reason }) => `${key} ${reason}`)).toEqual(["p1 full", "p2 full", "1 full", "2 full"]);
    expect((await host.engine.snapshot("outbox/log")).context).toMatchObject({ pending: 3, poisoned: 0, dropped: 4 });
  });

  inThreeModes("B6 the bound holds while it is paused, and sends nothing for it", async (bench) => {
    const receiver = new Receiver(() => delivered);
    const host = await openLog(bench, receiver.destination, { entriesMax: 3, startsPaused: true });
    for (const n of [1, 2, 3, 4, 5]) await host.enqueue("log", message(`${n}`));
    expect(await host.keys("log")).toEqual(["3", "4", "5"]);
    expect(receiver.calls).toEqual([]);
    expect(await host.engine.snapshot("outbox/log")).toMatchObject({ value: "paused", context: { pending: 3, dropped: 2 } });
  });

  inThreeModes("B6 or new ones are refused, with an error that says so", async (bench) => {
    const receiver = new Receiver(() => down);
    const host = await openLog(bench, receiver.destination, { entriesMax: 2, whenFull: "refuse" });
    await host.enqueue("log", message("1"), message("2"));
    expect(await host.failure(host.outboxes.enqueue("log", message("3")))).toMatchObject({ _tag: "OutboxFull", entriesMax: 2 });
    expect(await host.keys("log")).toEqual(["1", "2"]);
  });

  inThreeModes("B7 a restart clears the back-off and keeps the attempts", async (bench) => {
    const receiver = new Receiver(() => down);
    const host = await openLog(bench, receiver.destination);
    await host.enqueue("log", message("a"));
    await host.advance(10);
    const { attempt } = receiver.last;
    expect(attempt).toBeGreaterThan(3);
    await host.restart();
    expect(receiver.last.attempt).toBe(attempt + 1);
    expect(receiver.calls).toHaveLength(attempt + 1);
  });

  inThreeModes("B8 409 is acknowledged, 401 recovers the credentials once and then counts as a failure, an unknown kind goes to the dead letters", async (bench) => {
    const statuses = new Map([
      ["unwanted", 409],
      ["locked", 401],
    ]);
    let recoveries = 0;
    const asked: Array<string> = [];
    const destination: Destination = ({ key, type }) => {
      if (type === "odd") return refused(`nobody knows what "${type}" is`);
      const ask = () => {
        asked.push(key);
        return statuses.get(key) ?? 200;
      };
      let status = ask();
      if (status === 401 || status === 403) {
        recoveries++;
        status = ask();
      }
      return status === 409 || status < 300 ? delivered : retry(`status ${status}`);
    };
    const host = await openLog(bench, destination, { restartClearsBackoff: false });
    await host.enqueue("log", message("unwanted"), message("odd", { type: "odd" }), message("locked"), message("behind"));
    expect(asked).toEqual(["unwanted", "locked", "locked"]);
    expect(recoveries).toBe(1);
    expect(await host.keys("log", "pending")).toEqual(["locked", "behind"]);
    expect(host.heard).toContainEqual({ type: "outbox.refused", key: "odd", reason: 'nobody knows what "odd" is' });
    statuses.set("locked", 200);
    await host.advance(1);
    expect(asked.slice(3)).toEqual(["locked", "behind"]);
    expect((await host.engine.snapshot("outbox/log")).context).toMatchObject({ delivered: 3, refused: 1 });
  });

  inTwoModes("B9 a burst of one tick is stored before anything is sent, so that coalescing works", async (bench) => {
    const receiver = new Receiver(() => delivered);
    const host = await openLog(bench, receiver.destination);
    const burst = ["1", "2", "3", "4"].map((key) => host.outboxes.enqueue("log", message(key, { replaces: "progress" })));
    await host.call(Effect.all(burst, { concurrency: "unbounded" }));
    expect(receiver.keys).toEqual(["4"]);
    expect(await host.keys("log")).toEqual([]);
  });

  inThreeModes("B9 what an actor sends is stored with its transition", async (bench) => {
    const receiver = new Receiver(() => delivered);
    const worker = setup({ types: { events: {} as { type: "WORK"; n: number } } }).createMachine({
      id: "worker",
      on: {
        WORK: {
          actions: sendTo(outboxRef("log"), ({ event }) => ({ type: "ENQUEUE", entries: [1, 2].map((part) => ({ key: `${event.n}.${part}`, type: "done", payload: event.n })) })),
        },
      },
    });
    const host = await Host.open(bench, { outboxes: { log: { destination: receiver.destination, policy } }, machines: [worker] });
    await host.engine.start(worker, "1");
    await host.engine.send("worker/1", { type: "WORK", n: 7 });
    await host.engine.settled();
    expect([...new Set(receiver.keys)]).toEqual(["7.1", "7.2"]);
    expect(await host.keys("log")).toEqual([]);
  });

  inThreeModes("B10 a status is not replayed stale: after ten minutes without a server the last one goes out", async (bench) => {
    let isUp = false;
    const receiver = new Receiver(() => (isUp ? delivered : down));
    const host = await Host.open(bench, {
      outboxes: { log: { destination: receiver.destination, policy }, status: { destination: receiver.destination, policy: { ...policy, retry: { ...policy.retry!, attemptsMax: 1_000_000 } } } },
    });
    for (let minute = 0; minute < 6; minute++) {
      await host.enqueue("status", message(`status ${minute}`, { replaces: "status" }));
      await host.advance(100);
    }
    isUp = true;
    const before = receiver.calls.length;
    await host.advance(60);
    expect(receiver.keys.slice(before)).toEqual(["status 5"]);
    expect(await host.keys("status")).toEqual([]);
  });

  /** A server whose open obligations somebody reads. */
  class Server {
    value: ReadonlyArray<string> = ["reply to anna"];
    isUp = true;
    readings = 0;
    /** Answers only when it is told to. */
    answer: (() => void) | undefined;
    isSlow = false;
    readonly read = async (): Promise<ReadonlyArray<string>> => {
      this.readings++;
      const { value } = this;
      if (!this.isUp) throw new Error("connect ECONNREFUSED");
      if (this.isSlow)
        await new Promise<void>((resolve) => {
          this.answer = resolve;
        });
      return value;
    };
  }
  const openObligations = (bench: Bench, server: Server, refreshMs?: number) =>
    Host.open(bench, { outboxes: {}, obligations: { server: { read: server.read, ...(refreshMs === undefined ? {} : { refreshMs }) } } });

  inThreeModes("B11 a snapshot of remote obligations is there at once, and refreshed in the background and on a hint", async (bench) => {
    const server = new Server();
    const host = await openObligations(bench, server, 60_000);
    const known = () => host.call(host.obligations.current("server"));
    expect(await known()).toMatchObject({ value: ["reply to anna"], isCurrent: true });
    const readings = server.readings;
    for (let n = 0; n < 5; n++) await known();
    expect(server.readings).toBe(readings);
    server.value = [];
    await host.advance(60);
    expect((await known()).value).toEqual([]);
    server.value = ["call ben"];
    await host.call(host.obligations.hint("server"));
    expect(await known()).toMatchObject({ value: ["call ben"], isCurrent: true, readAt: host.engine.time.now() });
  });

  inThreeModes("B11 while the server is down the last good value is served, and it is asked less and less often", async (bench) => {
    const server = new Server();
    const host = await openObligations(bench, server, 60_000);
    server.isUp = false;
    const readings = server.readings;
    await host.advance(60 + 1 + 2 + 4 + 8 + 16 + 32 + 60);
    expect(server.readings - readings).toBe(8);
    await host.call(host.obligations.hint("server"));
    expect(server.readings - readings).toBe(8);
    expect(await host.call(host.obligations.current("server"))).toMatchObject({ value: ["reply to anna"], isCurrent: false, error: "connect ECONNREFUSED" });
    server.isUp = true;
    server.value = ["call ben"];
    await host.advance(60);
    expect(await host.call(host.obligations.current("server"))).toMatchObject({ value: ["call ben"], isCurrent: true, error: undefined });
  });

  inBothJournals("B11 one reading at a time: any number of hints that come meanwhile are one more", async (bench) => {
    const server = new Server();
    const host = await openObligations(bench, server);
    server.isSlow = true;
    server.value = ["old"];
    await host.call(host.obligations.hint("server"));
    const readings = server.readings;
    server.value = ["new"];
    for (let n = 0; n < 5; n++) await host.call(host.obligations.hint("server"));
    expect(server.readings).toBe(readings);
    expect(await host.call(host.obligations.current("server"))).toMatchObject({ value: ["reply to anna"], isCurrent: false });
    server.isSlow = false;
    server.answer?.();
    await host.engine.settled();
    expect(server.readings).toBe(readings + 1);
    expect(await host.call(host.obligations.current("server"))).toMatchObject({ value: ["new"], isCurrent: true });
  });

  inThreeModes("B11 the last good value is there after a restart, also where the server is down", async (bench) => {
    const server = new Server();
    const host = await openObligations(bench, server, 60_000);
    server.isUp = false;
    await host.restart();
    await host.advance(120);
    await host.restart();
    expect(await host.call(host.obligations.current("server"))).toMatchObject({ value: ["reply to anna"], isCurrent: false });
  });

  inThreeModes("B12 an entry after the stop is a typed error; pending and poisoned ones are counted", async (bench) => {
    const receiver = new Receiver(({ key }) => (key === "bad" ? down : undefined));
    const host = await openLog(bench, receiver.destination, { order: "independent", retry: { attemptsMax: 1, backoff: { kind: "fixed", baseMs: 1 } } });
    await host.call(host.outboxes.pause("log"));
    await host.enqueue("log", message("bad"), message("held"));
    await host.call(host.outboxes.resume("log"));
    receiver.last.answer(down);
    await host.engine.settled();
    if (bench.mode === "normal") expect(await host.call(host.outboxes.counts("log"))).toEqual({ pending: 0, poisoned: 2, unknown: 0 });
    await host.call(host.outboxes.close("log"));
    expect(await host.failure(host.outboxes.enqueue("log", message("late")))).toMatchObject({ _tag: "OutboxClosed", outbox: "log" });
    expect(await host.keys("log")).toEqual(["bad", "held"]);
    await host.engine.taskwright.close({ grace: 0 });
    expect(await Effect.runPromise(Effect.flip(host.outboxes.enqueue("log", message("late"))))).toMatchObject({ _tag: "EngineClosed" });
  });
});
