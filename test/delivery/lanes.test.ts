import * as Effect from "effect/Effect";
import { describe, expect } from "vitest";
import type { OutboxContext } from "../../machines/outbox.ts";
import { delivered, retry } from "../../src/delivery/index.ts";
import type { OutboxPolicy } from "../../src/domain/outbox.ts";
import { type Bench, inBothJournals } from "../../src/testing/index.ts";
import { Host, message } from "../scenarios/host.ts";
import { Receiver } from "./receiver.ts";

const steady: Partial<OutboxPolicy> = { retry: { attemptsMax: 100, backoff: { kind: "fixed", baseMs: 1_000 } }, attemptTimeoutMs: 30_000 };
const open = async (bench: Bench, receiver: Receiver, policy: Partial<OutboxPolicy> = {}) => {
  const host = await Host.open(bench, { outboxes: { box: { destination: receiver.destination, policy: { ...steady, ...policy } } } });
  const context = async () => (await host.engine.snapshot("outbox/box")).context as OutboxContext;
  const state = async () => (await host.engine.snapshot("outbox/box")).value;
  return { host, context, state };
};
const lane = (name: string, key: string = name) => message(key, { lane: name });
/** What begins with "hangs" is not answered; the others are. */
const hanging = () => new Receiver(({ key }) => (key.startsWith("hangs") ? undefined : delivered));

describe("delivery > lanes", () => {
  inBothJournals("an attempt that hangs holds up no other lane: not what was there, not what comes", async (bench) => {
    const receiver = hanging();
    const { host, context, state } = await open(bench, receiver);
    await host.enqueue("box", lane("hangs"), lane("hangs", "behind"), lane("a", "a1"));
    await host.enqueue("box", lane("b", "b1"));
    await host.enqueue("box", lane("a", "a2"), lane("b", "b2"));
    expect([...receiver.keys].sort()).toEqual(["a1", "a2", "b1", "b2", "hangs"]);
    // What was delivered is recorded while the other one hangs.
    expect(await host.keys("box")).toEqual(expect.arrayContaining(["hangs", "behind"]));
    expect((await context()).pending).toBeLessThanOrEqual(4);
    receiver.rule = () => delivered;
    receiver.calls[0]?.answer(delivered);
    await host.engine.settled();
    expect(receiver.keys.at(-1)).toBe("behind");
    expect([await host.keys("box"), await state(), (await context()).delivered]).toEqual([[], { open: "idle" }, 6]);
    expect(new Set(receiver.keys).size).toBe(receiver.keys.length);
  });

  inBothJournals("deliver() is told of its own attempt, also while another lane hangs", async (bench) => {
    const receiver = hanging();
    const { host } = await open(bench, receiver);
    await host.enqueue("box", lane("hangs"));
    expect(await host.call(host.outboxes.deliver("box", lane("a")))).toEqual({ delivered: true });
    receiver.rule = ({ lane: name }) => (name === "hangs" ? undefined : retry("down"));
    expect(await host.call(host.outboxes.deliver("box", lane("b", "b1")))).toEqual({ delivered: false, pending: true });
    // Nothing of its lane is tried before the back-off of the first one ends.
    expect(await host.call(host.outboxes.deliver("box", lane("b", "b2")))).toEqual({ delivered: false, pending: true });
    expect(receiver.keys).toEqual(["hangs", "a", "b1"]);
  });

  inBothJournals("the back-off of one lane ends in time while another one hangs", async (bench) => {
    let isUp = false;
    const receiver = new Receiver(({ lane: name }) => (name === "hangs" ? undefined : isUp ? delivered : retry("down")));
    const { host, state } = await open(bench, receiver);
    await host.enqueue("box", lane("hangs"), lane("a"));
    expect(await state()).toEqual({ draining: "deferring" });
    await host.engine.advance("3 seconds");
    expect(receiver.keys).toEqual(["hangs", "a", "a", "a", "a"]);
    isUp = true;
    await host.engine.advance("1250 millis");
    expect(await host.keys("box")).toEqual(["hangs"]);
  });

  inBothJournals("a back-off that began before the drain ends in time, too", async (bench) => {
    const receiver = new Receiver(({ lane: name }) => (name === "hangs" ? undefined : retry("down", 5_000)));
    const { host } = await open(bench, receiver);
    await host.enqueue("box", lane("a"));
    await host.enqueue("box", lane("hangs"));
    receiver.rule = () => delivered;
    await host.engine.advance("5 seconds");
    expect(receiver.keys).toEqual(["a", "hangs", "a"]);
    await host.engine.advance("250 millis");
    expect(await host.keys("box")).toEqual(["hangs"]);
  });

  inBothJournals("what was delivered is recorded soon, also where the rest of its lane takes long", async (bench) => {
    for (const order of ["lanes", "fifo"] as const) {
      const receiver = hanging();
      const { host, context } = await open(bench, receiver, { order });
      await host.enqueue("box", message("1"), message("2"), message("hangs"), message("3"));
      await host.engine.advance("250 millis");
      expect(await host.keys("box")).toEqual(["hangs", "3"]);
      expect(await context()).toMatchObject({ delivered: 2, pending: 2, drain: 1 });
    }
  });

  inBothJournals("as many hang at a time as may be under way, and the next one goes when the first of them is given up", async (bench) => {
    const receiver = hanging();
    const { host } = await open(bench, receiver, { parallelMax: 2, attemptTimeoutMs: 10_000 });
    await host.enqueue("box", lane("hangs 1"), lane("hangs 2"), lane("a"));
    expect(receiver.keys).toEqual(["hangs 1", "hangs 2"]);
    await host.engine.advance("9 seconds");
    await host.enqueue("box", lane("b"));
    expect(receiver.keys).toEqual(["hangs 1", "hangs 2"]);
    await host.engine.advance("1 second");
    expect(receiver.keys.slice(2, 4)).toEqual(["a", "b"]);
  });

  inBothJournals("small batches do not hold up what is behind them", async (bench) => {
    const receiver = hanging();
    const { host } = await open(bench, receiver, { batchMax: 2 });
    await host.enqueue("box", lane("hangs"), ...Array.from({ length: 20 }, (_, n) => lane(`lane ${n % 5}`, `${n}`)));
    await host.engine.advance("1 second");
    expect(receiver.keys).toHaveLength(21);
    expect(await host.keys("box")).toEqual(expect.arrayContaining(["hangs"]));
  });

  inBothJournals("a crash while some hang sends again what was under way, and nothing that was recorded", async (bench) => {
    const receiver = hanging();
    const { host } = await open(bench, receiver);
    await host.enqueue("box", lane("hangs"), lane("a"));
    await host.enqueue("box", lane("b"));
    await host.enqueue("box", lane("c"));
    const before = receiver.calls.length;
    const kept = new Set(await host.keys("box"));
    receiver.rule = () => delivered;
    await host.restart();
    expect(new Set(receiver.keys.slice(before))).toEqual(kept);
    expect(await host.keys("box")).toEqual([]);
  });

  inBothJournals("a pause, or a close, waits for those that hang", async (bench) => {
    const receiver = hanging();
    const { host, state } = await open(bench, receiver);
    await host.enqueue("box", lane("hangs"));
    await host.enqueue("box", lane("a"));
    await host.call(host.outboxes.pause("box"));
    await host.enqueue("box", lane("b"));
    expect(await state()).toEqual({ draining: "pausing" });
    await host.engine.advance("30 seconds");
    expect([await state(), receiver.keys, await host.keys("box")]).toEqual(["paused", ["hangs", "a"], ["hangs", "b"]]);
  });

  inBothJournals("with a pace, what hangs counts when it begins", async (bench) => {
    const moments: Array<number> = [];
    const receiver = new Receiver(({ lane: name }) => {
      moments.push(host.engine.time.now());
      return name === "hangs" ? undefined : delivered;
    });
    const { host } = await open(bench, receiver, { perSecondMax: 2 });
    await host.enqueue("box", lane("hangs"), ...Array.from({ length: 6 }, (_, n) => lane(`lane ${n}`)));
    await host.advance(5);
    expect(moments).toHaveLength(7);
    for (const moment of moments) expect(moments.filter((other) => other >= moment && other < moment + 1_000).length).toBeLessThanOrEqual(2);
  });

  inBothJournals("in strict order nothing goes beside the one that hangs, and asking costs no turns", async (bench) => {
    const receiver = hanging();
    const { host } = await open(bench, receiver, { order: "fifo" });
    await host.enqueue("box", lane("hangs"));
    for (let n = 0; n < 5; n++) await host.enqueue("box", lane("a", `${n}`));
    expect(receiver.keys).toEqual(["hangs"]);
    expect(await host.engine.taskwright.history("outbox/box", { limit: 100 })).toHaveLength(7);
    receiver.calls[0]?.answer(delivered);
    await host.engine.settled();
    expect(receiver.keys).toEqual(["hangs", "0", "1", "2", "3", "4"]);
  });

  inBothJournals("entries of the lane that hangs cost no turns either", async (bench) => {
    const receiver = hanging();
    const { host } = await open(bench, receiver);
    await host.enqueue("box", lane("hangs"));
    for (let n = 0; n < 5; n++) await host.enqueue("box", lane("hangs", `${n}`));
    expect(await host.engine.taskwright.history("outbox/box", { limit: 100 })).toHaveLength(7);
  });

  inBothJournals("what is sent is not dropped for the bound", async (bench) => {
    const receiver = hanging();
    const { host } = await open(bench, receiver, { entriesMax: 2 });
    await host.enqueue("box", lane("hangs"));
    receiver.rule = () => retry("down");
    await host.enqueue("box", lane("a", "1"), lane("a", "2"), lane("a", "3"));
    expect(await host.keys("box")).toEqual(["hangs", "3"]);
    receiver.calls[0]?.answer(delivered);
    await host.engine.settled();
    expect(await host.keys("box")).toEqual(["3"]);
  });
});

describe("delivery > bound", () => {
  inBothJournals("it holds while the destination is left alone", async (bench) => {
    const receiver = new Receiver(() => retry("down"));
    const { host, state, context } = await open(bench, receiver, { entriesMax: 3, breaker: { failuresMax: 1, cooldownMs: 60_000 } });
    await host.enqueue("box", lane("a"));
    const { brokenTo } = await context();
    for (let n = 1; n <= 6; n++) {
      await host.engine.advance("1 second");
      await host.enqueue("box", lane("a", `${n}`));
    }
    expect(await host.keys("box")).toEqual(["4", "5", "6"]);
    expect([await state(), (await context()).brokenTo, receiver.calls.length]).toEqual([{ open: "broken" }, brokenTo, 1]);
    expect(host.heard.filter(({ type }) => type === "outbox.broken")).toHaveLength(1);
    receiver.rule = () => delivered;
    await host.engine.advance(Math.max(0, brokenTo - host.engine.time.now()));
    expect(receiver.keys).toEqual(["a", "4", "5", "6"]);
  });

  inBothJournals("it holds while the pace is kept", async (bench) => {
    const receiver = new Receiver(() => delivered);
    const { host, state } = await open(bench, receiver, { entriesMax: 3, perSecondMax: 0.1 });
    await host.enqueue("box", lane("a"));
    for (let n = 1; n <= 6; n++) await host.enqueue("box", lane("a", `${n}`));
    expect([await host.keys("box"), await state(), receiver.keys]).toEqual([["4", "5", "6"], { open: "pacing" }, ["a"]]);
  });
});

describe("delivery > effects", () => {
  inBothJournals("an effect that hangs is interrupted by the time-out", async (bench) => {
    let interrupted = 0;
    const receiver = new Receiver(() => delivered);
    const destination = () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => void interrupted++));
    const host = await Host.open(bench, { outboxes: { box: { destination, policy: { ...steady, attemptTimeoutMs: 1_000 } } } });
    await host.enqueue("box", lane("a"));
    await host.engine.advance("1 second");
    expect([interrupted, receiver.calls.length]).toEqual([1, 0]);
  });
});
