import * as Effect from "effect/Effect";
import { describe, expect } from "vitest";
import { setup, sendTo } from "xstate";
import { delivered, makeInboxes, makeOutboxes, outboxRef, type OutboxOptions, refused, retry, unknownOutcome } from "../../src/delivery/index.ts";
import type { NewEntry, Verdict } from "../../src/domain/outbox.ts";
import { type Bench, inBothJournals, inMemory, inThreeModes } from "../../src/testing/index.ts";
import { Receiver } from "./receiver.ts";

const entry = (key: string, more: Partial<NewEntry> = {}): NewEntry => ({ key, type: "message", payload: { key }, ...more });
const always = (verdict: Verdict) => () => verdict;

const open = async (bench: Bench, receiver: Receiver, policy: OutboxOptions["policy"] = {}) => {
  const outboxes = makeOutboxes({ box: { destination: receiver.destination, policy } });
  const engine = await bench.engine({ machines: [], plugins: [outboxes] });
  await engine.settled();
  const run = async <A>(effect: Effect.Effect<A, unknown>): Promise<A> => {
    const exit = Effect.runPromise(effect);
    exit.catch(() => {});
    await engine.settled();
    return exit;
  };
  return { outboxes, engine, run, enqueue: (...entries: ReadonlyArray<NewEntry>) => run(outboxes.enqueue("box", entries)), counts: () => run(outboxes.counts("box")) };
};

describe("delivery > outbox", () => {
  inBothJournals("one that nobody made is an error to read, one that holds nothing is not", async (bench) => {
    const { outboxes, run } = await open(bench, new Receiver(always(delivered)));
    for (const read of [outboxes.counts("bxo"), outboxes.entries("bxo"), outboxes.entry("bxo", 1)])
      await expect(run(read as Effect.Effect<unknown, unknown>)).rejects.toThrow(/there is no actor "outbox\/bxo"/);
    await run(outboxes.open("made", "box"));
    for (const name of ["box", "made"])
      expect([await run(outboxes.counts(name)), await run(outboxes.entries(name)), await run(outboxes.entry(name, 1))]).toEqual([{ pending: 0, poisoned: 0, unknown: 0 }, [], undefined]);
  });

  inBothJournals("whoever gets an engine finds its outboxes and inboxes there", async (bench) => {
    const plugins = [makeOutboxes({ box: { destination: () => {} } }), makeInboxes({ orders: { handler: () => {} } })];
    const engine = await bench.engine({ machines: [], plugins });
    expect(await Promise.all(["outbox/box", "inbox/orders"].map((address) => engine.taskwright.snapshot(address)))).toMatchObject([{ seq: 1 }, { seq: 1 }]);
  });

  inThreeModes("an entry is stored, sent and gone", async (bench) => {
    const receiver = new Receiver(always(delivered));
    const { enqueue, counts, engine } = await open(bench, receiver);
    await enqueue(entry("a"));
    await engine.settled();
    expect(receiver.keys).toEqual(["a"]);
    expect(receiver.last.entry).toMatchObject({ key: "a", type: "message", lane: "message", payload: { key: "a" }, outbox: "outbox/box" });
    expect(await counts()).toEqual({ pending: 0, poisoned: 0, unknown: 0 });
    expect(await engine.snapshot("outbox/box")).toMatchObject({ value: { open: "idle" }, context: { delivered: 1 } });
  });

  inThreeModes("entries without a key that say the same in one millisecond are entries of their own, unless they say when it occurred", async (bench) => {
    const receiver = new Receiver(always(delivered));
    const said = { type: "paid", payload: { euros: 5 } };
    const shop = setup({ actions: { tell: sendTo(outboxRef("box"), { type: "ENQUEUE", entries: [said, said] } as never) } }).createMachine({ id: "shop", entry: "tell" });
    const outboxes = makeOutboxes({ box: { destination: receiver.destination } });
    const engine = await bench.engine({ machines: [shop], plugins: [outboxes] });
    await engine.taskwright.startAll([1, 2].map((id) => ({ machine: "shop", id: String(id) })));
    await engine.settled();
    expect(receiver.calls.map(({ entry: { type, payload, occurredAt } }) => ({ type, payload, occurredAt }))).toEqual(new Array(4).fill({ ...said, occurredAt: engine.time.now() }));
    await Promise.all([Effect.runPromise(outboxes.deliver("box", said)), Effect.runPromise(outboxes.deliver("box", said)), engine.settled()]);
    await Effect.runPromise(outboxes.enqueue("box", [said, { ...said, occurredAt: 5 }, { ...said, occurredAt: 5 }]));
    await engine.settled();
    expect(receiver.calls).toHaveLength(8);
    expect(new Set(receiver.keys).size).toBe(8);
  });

  inMemory("what is true again is told again, though the same is under way and something else took its place meanwhile", async (bench) => {
    const receiver = new Receiver();
    const { enqueue, engine } = await open(bench, receiver);
    const status = (count: number): NewEntry => ({ type: "status", lane: "status", replaces: "status", payload: { count } });
    await enqueue(status(1));
    await enqueue(status(2));
    await enqueue(status(1));
    receiver.last.answer(delivered);
    await engine.settled();
    receiver.last.answer(delivered);
    await engine.settled();
    expect(receiver.calls.map(({ entry }) => (entry.payload as { count: number }).count)).toEqual([1, 1]);
    expect(new Set(receiver.keys).size).toBe(2);
  });

  inThreeModes("what fails is tried again after its back-off, with the same key and occurredAt", async (bench) => {
    const receiver = new Receiver((_, attempt) => (attempt < 3 ? retry("down") : delivered));
    const { enqueue, engine } = await open(bench, receiver, { retry: { attemptsMax: 5, backoff: { kind: "exponential", baseMs: 1_000, capMs: 60_000 } }, restartClearsBackoff: false });
    const at = engine.time.now();
    await enqueue(entry("a"));
    await engine.settled();
    expect(receiver.calls).toHaveLength(1);
    await engine.advance("999 millis");
    expect(receiver.calls).toHaveLength(1);
    await engine.advance("1 millis");
    expect(receiver.calls).toHaveLength(2);
    await engine.advance("2 seconds");
    expect(receiver.calls.map(({ attempt, entry: { key, occurredAt } }) => [attempt, key, occurredAt])).toEqual([1, 2, 3].map((attempt) => [attempt, "a", at]));
    expect((await engine.snapshot("outbox/box")).value).toEqual({ open: "idle" });
  });

  inThreeModes("a failing lane holds up nobody but itself", async (bench) => {
    const receiver = new Receiver(({ lane }) => (lane === "bad" ? retry("down") : delivered));
    const { enqueue, engine } = await open(bench, receiver);
    await enqueue(entry("1", { lane: "bad" }), entry("2", { lane: "bad" }), entry("3", { lane: "good" }), entry("4", { lane: "good" }));
    await engine.settled();
    expect([...receiver.keys].sort()).toEqual(["1", "3", "4"]);
    expect(receiver.keys.indexOf("3")).toBeLessThan(receiver.keys.indexOf("4"));
  });

  inBothJournals("what the receiver never wants is gone, and told", async (bench) => {
    const receiver = new Receiver(always(refused("no such account")));
    const { enqueue, counts, engine } = await open(bench, receiver);
    const heard: Array<unknown> = [];
    engine.taskwright.onEmitted((address, event) => void heard.push([address, event]));
    await enqueue(entry("a"));
    await engine.settled();
    expect(await counts()).toEqual({ pending: 0, poisoned: 0, unknown: 0 });
    expect(heard).toContainEqual(["outbox/box", { type: "outbox.refused", key: "a", reason: "no such account" }]);
  });

  inThreeModes("after its attempts it is poisoned, and the next one goes on; an operator tries it again", async (bench) => {
    const receiver = new Receiver(({ key }) => (key === "a" ? retry("broken") : delivered));
    const { enqueue, counts, engine, outboxes, run } = await open(bench, receiver, { retry: { attemptsMax: 2, backoff: { kind: "fixed", baseMs: 1_000 } } });
    await enqueue(entry("a"), entry("b"));
    await engine.advance("1 second");
    expect(await counts()).toEqual({ pending: 0, poisoned: 1, unknown: 0 });
    expect(receiver.keys).toEqual(["a", "a", "b"]);
    const [poisoned] = await run(outboxes.entries("box", { status: "poisoned" }));
    expect(poisoned).toMatchObject({ key: "a", attempts: 2, error: "broken", payload: { key: "a" } });
    receiver.rule = always(delivered);
    await run(outboxes.requeue("box", [poisoned?.seq ?? 0]));
    await engine.settled();
    expect(await counts()).toEqual({ pending: 0, poisoned: 0, unknown: 0 });
    expect(receiver.last).toMatchObject({ attempt: 1, entry: { key: "a" } });
  });

  inMemory("an attempt without an answer is given up in time, and its outcome is unknown", async (bench) => {
    const receiver = new Receiver();
    const { outboxes, engine, counts } = await open(bench, receiver, { attemptTimeoutMs: 5_000, unknownOutcome: "stop" });
    await Effect.runPromise(outboxes.enqueue("box", entry("a")));
    await engine.settled();
    await engine.advance("5 seconds");
    expect(receiver.last.signal.aborted).toBe(true);
    expect(await counts()).toEqual({ pending: 0, poisoned: 0, unknown: 1 });
  });

  inMemory("an unknown outcome is tried again with the same key, where the policy says so", async (bench) => {
    const receiver = new Receiver((_, attempt) => (attempt === 1 ? unknownOutcome("cut off") : delivered));
    const { enqueue, engine } = await open(bench, receiver);
    await enqueue(entry("a"));
    await engine.advance("1 second");
    expect(receiver.keys).toEqual(["a", "a"]);
  });
});
