import * as Effect from "effect/Effect";
import { describe, expect } from "vitest";
import { sendTo, setup } from "xstate";
import { delivered, type Destination, outboxRef, retry } from "../../src/delivery/index.ts";
import type { OutboxPolicy, Verdict } from "../../src/domain/outbox.ts";
import { type Journal, JournalError } from "../../src/journal/index.ts";
import { type Bench, inBothJournals, inMemory, inThreeModes, inTwoModes } from "../../src/testing/index.ts";
import { Host, message } from "../scenarios/host.ts";
import { Receiver } from "./receiver.ts";

const steady: Partial<OutboxPolicy> = { retry: { attemptsMax: 100, backoff: { kind: "fixed", baseMs: 1_000 } } };
const open = (bench: Bench, destination: Destination, policy: Partial<OutboxPolicy> = {}) =>
  Host.open(bench, { outboxes: { box: { destination, policy: { ...steady, ...policy } }, heir: { destination, policy: steady } } });
const stateOf = async (host: Host, box = "box") => (await host.engine.snapshot(`outbox/${box}`)).value;
const contextOf = async (host: Host, box = "box") => (await host.engine.snapshot(`outbox/${box}`)).context;
const down = () => retry("down");

describe("delivery > pace", () => {
  inThreeModes("entries that come one by one keep it as a batch does", async (bench) => {
    const moments: Array<number> = [];
    const host = await open(
      bench,
      () => {
        moments.push(host.engine.time.now());
      },
      { perSecondMax: 2, order: "independent" },
    );
    for (let n = 1; n <= 7; n++) await host.enqueue("box", message(`${n}`));
    await host.call(host.outboxes.force("box"));
    await host.advance(5);
    expect(moments).toHaveLength(7);
    for (const moment of moments) expect(moments.filter((other) => other >= moment && other < moment + 1_000).length).toBeLessThanOrEqual(2);
  });

  inMemory("a failing lane's long back-off does not hold up what came meanwhile", async (bench) => {
    const receiver = new Receiver(({ lane }) => (lane === "bad" ? retry("down", 60_000) : undefined));
    const host = await open(bench, receiver.destination, { perSecondMax: 100 });
    await host.enqueue("box", message("1", { lane: "bad" }), message("2"));
    await host.enqueue("box", message("3", { lane: "other" }));
    receiver.rule = () => delivered;
    receiver.last.answer(delivered);
    await host.advance(1);
    expect(receiver.keys).toEqual(["1", "2", "3"]);
  });
});

describe("delivery > breaker", () => {
  inThreeModes("a destination that is down is not told so by every lane of a batch", async (bench) => {
    const receiver = new Receiver(down);
    const host = await open(bench, receiver.destination, { order: "independent", parallelMax: 1, breaker: { failuresMax: 3, cooldownMs: 10_000 }, restartClearsBackoff: false });
    await host.enqueue("box", ...Array.from({ length: 50 }, (_, n) => message(`${n}`)));
    expect(receiver.calls).toHaveLength(3);
    expect(await stateOf(host)).toEqual({ open: "broken" });
    await host.advance(10);
    expect(receiver.calls).toHaveLength(4);
    receiver.rule = () => delivered;
    await host.advance(10);
    expect(await host.keys("box")).toEqual([]);
  });
});

describe("delivery > pause", () => {
  inBothJournals("what is under way ends and is recorded, nothing is begun after it, and nothing is sent twice", async (bench) => {
    const receiver = new Receiver();
    const host = await open(bench, receiver.destination);
    await host.enqueue("box", message("1"), message("2"), message("3"));
    await host.call(host.outboxes.pause("box"));
    expect(await stateOf(host)).toEqual({ draining: "pausing" });
    receiver.last.answer(delivered);
    await host.engine.settled();
    expect([await stateOf(host), receiver.keys, await host.keys("box")]).toEqual(["paused", ["1"], ["2", "3"]]);
    await host.call(host.outboxes.resume("box"));
    expect(receiver.keys).toEqual(["1", "2"]);
    await host.call(host.outboxes.pause("box"));
    await host.call(host.outboxes.resume("box"));
    receiver.rule = () => delivered;
    receiver.last.answer(delivered);
    await host.engine.settled();
    expect(receiver.keys).toEqual(["1", "2", "3"]);
    expect(receiver.calls.some(({ signal }) => signal.aborted)).toBe(false);
    expect(await contextOf(host)).toMatchObject({ delivered: 3, pending: 0 });
  });

  inBothJournals("after a crash it is paused, closed or handed over, as was decided", async (bench) => {
    for (const [decide, state] of [
      [(host: Host) => host.outboxes.pause("box"), "paused"],
      [(host: Host) => host.outboxes.close("box"), "closed"],
      [(host: Host) => host.outboxes.adopt("heir", "box"), "closed"],
    ] as const) {
      const receiver = new Receiver();
      const host = await open(bench, receiver.destination);
      await host.enqueue("box", message("1"), message("2"));
      await host.call(decide(host));
      expect(await stateOf(host)).toMatchObject({ draining: expect.anything() });
      await host.restart();
      expect(await stateOf(host)).toBe(state);
    }
  });
});

describe("delivery > close", () => {
  inBothJournals("what is under way is recorded, the rest stays, and nothing is taken meanwhile", async (bench) => {
    const receiver = new Receiver();
    const host = await open(bench, receiver.destination);
    await host.enqueue("box", message("1"), message("2"));
    await host.call(host.outboxes.close("box"));
    expect(await host.failure(host.outboxes.enqueue("box", message("3")))).toMatchObject({ _tag: "OutboxClosed" });
    receiver.last.answer(delivered);
    await host.engine.settled();
    expect([await stateOf(host), await host.keys("box"), receiver.keys]).toEqual(["closed", ["2"], ["1"]]);
  });

  inThreeModes("what an actor sends to a closed one is among the dead letters, and the actor goes on", async (bench) => {
    const receiver = new Receiver(() => delivered);
    const worker = setup({ types: { events: {} as { type: "WORK" } } }).createMachine({
      id: "worker",
      on: { WORK: { actions: sendTo(outboxRef("box"), { type: "ENQUEUE", entries: [message("late")] }) } },
    });
    const host = await Host.open(bench, { outboxes: { box: { destination: receiver.destination } }, machines: [worker] });
    await host.engine.start(worker, "1");
    await host.call(host.outboxes.close("box"));
    await host.engine.send("worker/1", { type: "WORK" });
    await host.engine.settled();
    const [letter, ...more] = await host.engine.taskwright.deadLetters();
    expect([letter, more]).toMatchObject([
      { address: "outbox/box", from: "worker/1", event: { type: "ENQUEUE", entries: [{ key: "late" }] }, error: { name: "EventRefused", code: "event_refused" } },
      [],
    ]);
    expect((await host.engine.snapshot("worker/1")).status).toBe("active");
  });

  inBothJournals("an engine that closes lets attempts end within the grace, and records them", async (bench) => {
    const receiver = new Receiver();
    const host = await open(bench, receiver.destination);
    await host.enqueue("box", message("1"), message("2"));
    const closing = host.engine.taskwright.close({ grace: "1 minute" });
    await host.engine.settled();
    receiver.last.answer(delivered);
    await closing;
    expect(receiver.keys).toEqual(["1"]);
    receiver.rule = () => delivered;
    await host.restart();
    expect(receiver.keys).toEqual(["1", "2"]);
  });

  inMemory("an engine whose grace is over does not wait for an attempt that hangs", async (bench) => {
    const receiver = new Receiver();
    const host = await open(bench, receiver.destination);
    await host.enqueue("box", message("1"));
    await host.engine.taskwright.close({ grace: 0 });
    expect(receiver.last.signal.aborted).toBe(true);
  });
});

describe("delivery > hand-over", () => {
  inBothJournals("what both outboxes take while a drain of the other one ends is neither lost nor overwritten", async (bench) => {
    const receiver = new Receiver();
    const host = await open(bench, receiver.destination);
    await host.enqueue("box", message("1"), message("2"));
    await host.call(host.outboxes.adopt("heir", "box"));
    await host.call(host.outboxes.pause("heir"));
    await host.enqueue("heir", message("own 1"), message("own 2"), message("own 3"));
    await host.enqueue("box", message("3"));
    receiver.last.answer(retry("down"));
    await host.engine.settled();
    expect(await host.keys("heir")).toEqual(["own 1", "own 2", "own 3", "1", "2", "3"]);
    expect(await contextOf(host, "heir")).toMatchObject({ pending: 6 });
    await host.enqueue("heir", message("own 4"));
    receiver.rule = () => delivered;
    await host.call(host.outboxes.resume("heir"));
    expect(receiver.keys.slice(1)).toEqual(["own 1", "own 2", "own 3", "1", "2", "3", "own 4"]);
    expect([await stateOf(host), await host.keys("heir"), await host.keys("box")]).toEqual(["closed", [], []]);
  });

  inBothJournals("a crash at any commit of it loses nothing, also where each of its messages takes a turn of its own", async (bench) => {
    for (const commits of [1, 2, 3, 4, 5, 6]) {
      const receiver = new Receiver();
      const slow: Bench = { ...bench, engine: (options) => bench.engine({ ...options, limits: { turnMessagesMax: 1 } }) };
      const host = await open(slow, receiver.destination);
      await host.enqueue("box", message("1"), message("2"));
      await host.enqueue("heir", message("own", { lane: "own" }));
      receiver.rule = () => delivered;
      const crashed = host.engine.crashAfterCommits(commits);
      Effect.runFork(host.outboxes.adopt("heir", "box"));
      const isAlive = Promise.race([crashed, new Promise((resolve) => setImmediate(resolve)).then(() => host.engine.settled())]).catch(() => {});
      for (const call of receiver.calls) call.answer(retry("down"));
      await isAlive;
      await host.restart();
      if ((await stateOf(host)) !== "closed") await host.call(host.outboxes.adopt("heir", "box"));
      await host.enqueue("heir", message("later"));
      expect(await stateOf(host), `after ${commits} commits`).toBe("closed");
      expect(receiver.keys.filter((key) => key !== "own").at(-1)).toBe("later");
      expect(new Set(receiver.keys)).toEqual(new Set(["1", "2", "own", "later"]));
      expect([await host.keys("box"), await host.keys("heir")]).toEqual([[], []]);
    }
  });

  inThreeModes("an outbox whose heir is gone goes on by itself", async (bench) => {
    const receiver = new Receiver(() => delivered);
    const host = await open(bench, receiver.destination);
    await host.call(host.outboxes.close("heir"));
    await host.call(Effect.promise(() => host.engine.taskwright.send("outbox/box", { type: "SURRENDER", to: "outbox/heir" })));
    expect(await stateOf(host)).toBe("surrendering");
    await host.advance(60);
    await host.enqueue("box", message("1"));
    expect(receiver.keys).toEqual(["1"]);
  });
});

describe("delivery > destinations", () => {
  inBothJournals("where nothing implements one, entries wait and spend no attempt, and the next program sends them", async (bench) => {
    const receiver = new Receiver(() => delivered);
    const host = await open(bench, receiver.destination);
    await host.call(host.outboxes.open("later", "unheard of"));
    await host.enqueue("later", message("1"));
    await host.advance(24 * 3_600);
    expect((await host.call(host.outboxes.entries("later"))).map(({ key, attempts, status }) => [key, attempts, status])).toEqual([["1", 0, "pending"]]);
    expect((await host.engine.taskwright.history("outbox/later", { limit: 10_000 })).length).toBeLessThan(500);
    expect(host.engine.logged.map(({ message: text }) => text)).toContainEqual(expect.stringContaining('nothing implements the destination "unheard of"'));
  });

  const cyclic: { self?: unknown } = {};
  cyclic.self = cyclic;
  const odd: Readonly<Record<string, unknown>> = {
    nothing: null,
    aNumber: 7,
    big: 7n,
    cyclic,
    withoutReason: { verdict: "retry" },
    withMore: { verdict: "retry", reason: "down", more: 7n },
    neverAfter: { verdict: "retry", reason: "down", afterMs: Number.POSITIVE_INFINITY },
    notANumber: { verdict: "retry", reason: "down", afterMs: Number.NaN },
    before: { verdict: "retry", reason: "down", afterMs: -1 },
    long: { verdict: "retry", reason: "x\u0000".repeat(1_000_000) },
    oddReason: { verdict: "retry", reason: { code: 7 } },
    superseded: { verdict: "superseded" },
  };
  inBothJournals("whatever one answers or throws, the entry is tried again and the engine goes on", async (bench) => {
    const answers = Object.values(odd);
    const throwing = [undefined, null, "text", new Error("no"), cyclic];
    let tries = 0;
    const host = await open(bench, () => {
      const index = tries++;
      if (index < answers.length) return answers[index] as Verdict;
      if (index < answers.length + throwing.length) throw throwing[index - answers.length];
      return delivered;
    });
    await host.enqueue("box", message("1"));
    for (let index = 0; index < answers.length + throwing.length; index++) {
      const [row] = await host.call(host.outboxes.entries("box"));
      expect(row, Object.keys(odd)[index]).toMatchObject({ status: "pending", attempts: index + 1 });
      expect(row?.error.length).toBeGreaterThan(0);
      expect(row?.error.length).toBeLessThanOrEqual(1_001);
      await host.advance(1);
    }
    expect(await host.keys("box")).toEqual([]);
    expect(host.engine.taskwright.status().state).toBe("running");
  });

  inTwoModes("one attempt of a host that enqueues as soon as it is open is not begun twice", async (bench) => {
    const receiver = new Receiver();
    const host = await open(bench, receiver.destination);
    await host.enqueue("box", message("1"));
    host.engine.crash();
    await host.engine.open({ ownerIsDead: true });
    const call = host.call(host.outboxes.enqueue("box", message("2")));
    await host.engine.settled();
    await call;
    expect(receiver.keys).toEqual(["1", "1"]);
    expect(receiver.last.signal.aborted).toBe(false);
  });

  inThreeModes("an entry that is too old is dropped with a record, also behind one that waits", async (bench) => {
    const receiver = new Receiver(({ key }) => (key === "head" ? retry("down", 20_000) : delivered));
    const host = await open(bench, receiver.destination, { timeToLiveMs: 30_000, restartClearsBackoff: false });
    await host.enqueue("box", message("old", { occurredAt: host.engine.time.now() - 29_000, lane: "head" }));
    await host.enqueue("box", message("head", { lane: "head" }));
    await host.enqueue("box", message("older", { occurredAt: host.engine.time.now() - 29_000, lane: "head" }));
    await host.advance(2);
    await host.enqueue("box", message("other"));
    expect(await host.keys("box")).toEqual(["head"]);
    expect(host.heard.filter(({ type }) => type === "outbox.dropped")).toEqual([{ type: "outbox.dropped", key: "older", reason: "expired" }]);
    expect(await contextOf(host)).toMatchObject({ pending: 1, dropped: 1, delivered: 2 });
  });

  inMemory("a key with a character that a store can't keep is refused", async (bench) => {
    const host = await open(bench, () => delivered);
    for (const wrong of [{ key: "a\u0000b" }, { key: "" }, { lane: "\u0000" }, { replaces: "\u0000" }])
      expect(await host.failure(host.outboxes.enqueue("box", { ...message("1"), ...wrong }))).toMatchObject({ _tag: "InvalidEvent" });
  });
});

describe("delivery > a store that can't be read", () => {
  const faulty = (bench: Bench, receiver: Receiver, fails: { entries: boolean; counts: boolean }) => {
    const error = new JournalError({ reason: "failed", where: "here", detail: "a bad sector" });
    const wrap = (journal: Journal): Journal => ({
      ...journal,
      entries: (filter) => (fails.entries ? Effect.fail(error) : journal.entries(filter)),
      entryCounts: (outbox) => (fails.counts ? Effect.fail(error) : journal.entryCounts(outbox)),
    });
    return Host.open({ ...bench, engine: (options) => bench.engine({ ...options, wrap, log: () => {} }) }, { outboxes: { box: { destination: receiver.destination, policy: steady } } });
  };

  inMemory("before a drain: nothing is sent, and it is tried again", async (bench) => {
    const receiver = new Receiver(() => delivered);
    const fails = { entries: true, counts: false };
    const host = await faulty(bench, receiver, fails);
    await host.enqueue("box", message("1"));
    await host.advance(10);
    expect(receiver.calls).toEqual([]);
    fails.entries = false;
    await host.advance(1);
    expect(receiver.keys).toEqual(["1"]);
    expect(await stateOf(host)).toEqual({ open: "idle" });
  });

  inMemory("after the sending: what was sent is recorded, and not sent again", async (bench) => {
    const receiver = new Receiver(() => delivered);
    const fails = { entries: false, counts: true };
    const host = await faulty(bench, receiver, fails);
    await host.enqueue("box", message("1"));
    fails.counts = false;
    await host.advance(2);
    expect(receiver.keys).toEqual(["1"]);
    expect(await contextOf(host)).toMatchObject({ pending: 0, delivered: 1 });
    expect(await stateOf(host)).toEqual({ open: "idle" });
  });
});

describe("delivery > inboxes", () => {
  inBothJournals("a command that comes to the heir while the other one still handles it is not carried out twice", async (bench) => {
    const handled: Array<string> = [];
    let end = () => {};
    const handler = (command: { readonly cursor: { readonly requestId: string } }) => {
      handled.push(command.cursor.requestId);
      return new Promise<void>((resolve) => {
        end = resolve;
      });
    };
    const host = await Host.open(bench, { outboxes: { box: { destination: () => delivered } }, inboxes: { first: { outbox: "box", handler }, second: { outbox: "box", handler } } });
    const stop = (createdAt: number) => ({ cursor: { createdAt, requestId: `r${createdAt}` }, type: "stop", payload: {} });
    await host.call(host.inboxes.receive("first", stop(1)));
    await host.call(host.inboxes.adopt("second", "first"));
    for (const at of [1, 2]) expect(await host.call(host.inboxes.receive("second", stop(at)))).toMatchObject({ outcome: "kept" });
    // However long it takes.
    for (let minutes = 0; minutes < 10; minutes++) await host.engine.advance("1 minute");
    expect(handled).toEqual(["r1"]);
    end();
    await host.engine.settled();
    expect(handled).toEqual(["r1", "r2"]);
    end();
    await host.engine.settled();
    expect(await host.call(host.inboxes.cursor("second"))).toEqual({ createdAt: 2, requestId: "r2" });
  });
});
