import * as Effect from "effect/Effect";
import * as Metric from "effect/Metric";
import * as Stream from "effect/Stream";
import { describe, expect, test } from "vitest";
import { assign, enqueueActions, sendTo, setup } from "xstate";
import { actorRef } from "../../src/actor/index.ts";
import { checkLimits, defaultLimits } from "../../src/domain/limits.ts";
import { JournalError } from "../../src/journal/index.ts";
import { limitReached } from "../../src/engine/refusals.ts";
import { inBothJournals, inMemory, type TestEngine, testEngine } from "../../src/testing/index.ts";
import { everything } from "../../src/testing/journal-conformance/rows.ts";
import { faulty } from "./faulty.ts";
import { Held } from "./held.ts";
import { job } from "./job.ts";
import { counter, echo, list } from "./machines.ts";

/** Everything that is stored, to prove that a refusal changed nothing. */
const stored = async (engine: TestEngine) => Effect.runPromise(everything(await engine.reader()));

/** Asks for as much as it is told. */
const greedy = setup({
  types: { events: {} as { type: "SEND" | "LOG" | "ACT" | "NEST" | "NAME"; count: number } },
  actors: { echo },
  actions: { hang: (() => new Promise(() => {})) as never },
}).createMachine({
  id: "greedy",
  on: {
    SEND: {
      actions: enqueueActions(({ enqueue, event }) => {
        for (let sent = 0; sent < event.count; sent++) enqueue.sendTo(() => actorRef("list/1"), { type: "SAY", word: sent });
      }),
    },
    LOG: {
      actions: enqueueActions(({ enqueue, event }) => {
        for (let said = 0; said < event.count; said++) enqueue.emit({ type: "SAID" } as never);
      }),
    },
    ACT: {
      actions: enqueueActions(({ enqueue, event }) => {
        for (let asked = 0; asked < event.count; asked++) enqueue("hang");
      }),
    },
    NAME: {
      actions: enqueueActions(({ enqueue, event }) => {
        enqueue.spawnChild("echo", { id: "x".repeat(event.count) });
      }),
    },
  },
});

const nest = (depth: number) => {
  let machine = setup({}).createMachine({ id: `nest${depth}`, initial: "on", states: { on: {} } });
  for (let level = depth - 1; level > 0; level--)
    machine = setup({ actors: { kid: machine } }).createMachine({ id: `nest${level}`, initial: "on", states: { on: { invoke: { src: "kid", id: "k" } } } }) as never;
  return machine;
};

describe("engine > limits > commandsMax", () => {
  inBothJournals("a transition may ask for so many, and not for one more", async (bench) => {
    const engine = await bench.engine({ machines: [greedy], limits: { commandsMax: 5 } });
    await engine.start("greedy", "1");
    expect(await engine.send("greedy/1", { type: "LOG", count: 5 })).toMatchObject({ outcome: "handled" });
    await expect(engine.send("greedy/1", { type: "LOG", count: 6 })).rejects.toMatchObject({ _tag: "ActorFailed", detail: expect.stringContaining("commandsMax") });
    expect(engine.taskwright.status().refused).toEqual({ commandsMax: 1 });
  });
});

describe("engine > limits > mailboxMax", () => {
  inBothJournals("so many messages wait, and a transition that would add one more is refused, and nothing of it stored", async (bench) => {
    const engine = await bench.engine({ machines: [greedy, list], limits: { mailboxMax: 4, turnMessagesMax: 1 } });
    await engine.start("list", "1");
    await engine.start("greedy", "1");
    const before = await stored(engine);
    await expect(engine.send("greedy/1", { type: "SEND", count: 5 })).rejects.toMatchObject({ _tag: "EngineBusy", limit: "mailboxMax", waiting: 0, waitingMax: 4, status: 429, retryable: true });
    expect(await stored(engine)).toEqual(before);
    expect(await engine.send("greedy/1", { type: "SEND", count: 4 })).toMatchObject({ outcome: "handled" });
    await engine.settled();
    expect(await engine.snapshot("list/1")).toMatchObject({ context: { words: [0, 1, 2, 3] } });
    expect(engine.taskwright.status().refused).toEqual({ mailboxMax: 1 });
  });

  inBothJournals("a flood between actors ends in dead letters, not on the disk", async (bench) => {
    const flood = setup({ types: { events: {} as { type: "GO" } } }).createMachine({ id: "flood", on: { GO: { actions: [1, 2].map(() => sendTo(({ self }) => self, { type: "GO" })) } } });
    const engine = await bench.engine({ machines: [flood, counter], limits: { mailboxMax: 50, turnMessagesMax: 20, deadLettersMax: 30 } });
    await engine.start("flood", "1");
    await engine.start("counter", "1");
    await engine.taskwright.send("flood/1", { type: "GO" });
    // It goes on for ever; others are served, and nothing grows.
    for (let turns = 0; turns < 30; turns++) await engine.taskwright.send("counter/1", { type: "ADD" });
    const reader = await engine.reader();
    expect((await Effect.runPromise(reader.mail(0, 1_000))).length).toBeLessThanOrEqual(50 + 20);
    expect(await Effect.runPromise(reader.deadLetterCount)).toBeLessThanOrEqual(30);
    expect(engine.taskwright.status().refused).toMatchObject({ mailboxMax: expect.any(Number), deadLettersMax: expect.any(Number) });
    expect((await engine.taskwright.deadLetters({ limit: 1 }))[0]).toMatchObject({ error: { name: "BeyondLimit", message: expect.stringContaining("limit mailboxMax") } });
    engine.crash();
    engine.skipFold();
  });
});

describe("engine > limits > effectsMax", () => {
  inBothJournals("so many actions are owed, and one more is refused until one has ended", async (bench) => {
    const held: Array<() => void> = [];
    const acting = setup({
      types: { events: {} as { type: "ACT" } | { type: "REST" } },
      actions: { act: (() => new Promise<void>((resolve) => held.push(resolve))) as never },
    }).createMachine({ id: "acting", on: { ACT: { actions: "act" }, REST: {} } });
    const engine = await bench.engine({ machines: [acting], limits: { effectsMax: 2 } });
    await engine.start("acting", "1");
    for (let sent = 0; sent < 2; sent++) expect(await engine.send("acting/1", { type: "ACT" })).toMatchObject({ outcome: "handled" });
    const before = await stored(engine);
    await expect(engine.send("acting/1", { type: "ACT" }, { key: "once" })).rejects.toMatchObject({ _tag: "EngineBusy", limit: "effectsMax", waiting: 2, waitingMax: 2 });
    expect(await stored(engine)).toEqual(before);
    expect(await engine.send("acting/1", { type: "REST" })).toMatchObject({ outcome: "handled" });
    held[0]?.();
    await engine.settled();
    expect(await engine.send("acting/1", { type: "ACT" }, { key: "once" })).toMatchObject({ outcome: "handled", duplicate: false });
    expect(engine.taskwright.status().refused).toEqual({ effectsMax: 1 });
    for (const end of held) end();
  });

  inBothJournals("a start that asks for too many is refused, and there is no actor", async (bench) => {
    const acting = setup({ actions: { hang: (() => new Promise(() => {})) as never } }).createMachine({ id: "acting", entry: ["hang", "hang"] });
    const engine = await bench.engine({ machines: [acting], limits: { effectsMax: 3 } });
    await engine.start("acting", "1");
    await expect(engine.start("acting", "2")).rejects.toMatchObject({ _tag: "EngineBusy", limit: "effectsMax" });
    expect(await engine.taskwright.list()).toHaveLength(1);
    engine.crash();
  });
});

describe("engine > limits > addresses", () => {
  inBothJournals("a tree has so many levels, and one that would be deeper does not start there", async (bench) => {
    const engine = await bench.engine({ machines: [nest(4)], limits: { addressDepthMax: 4 } });
    await engine.start("nest1", "1");
    expect((await engine.taskwright.list()).map(({ address }) => address)).toEqual(["nest1/1", "nest1/1/k", "nest1/1/k/k", "nest1/1/k/k/k"]);
    const deep = await bench.engine({ machines: [nest(5)], limits: { addressDepthMax: 4 } });
    await deep.start("nest1", "1");
    const failed = await deep.snapshot("nest1/1");
    expect(failed).toMatchObject({ status: "error" });
    expect((await deep.taskwright.history("nest1/1/k/k")).at(-1)).toMatchObject({ event: { type: "taskwright.error", error: { message: expect.stringContaining("addressDepthMax") } } });
    expect(deep.taskwright.status().refused).toEqual({ addressDepthMax: 1 });
  });

  inBothJournals("a child's address has so many characters, escapes and all", async (bench) => {
    const engine = await bench.engine({ machines: [greedy, echo], limits: { addressLengthMax: 40 } });
    await engine.start("greedy", "1");
    const room = 40 - "greedy/1/".length;
    expect(await engine.send("greedy/1", { type: "NAME", count: room })).toMatchObject({ outcome: "handled" });
    await expect(engine.send("greedy/1", { type: "NAME", count: room + 1 })).rejects.toMatchObject({ _tag: "ActorFailed", detail: expect.stringContaining("addressLengthMax") });
    expect(await engine.taskwright.list()).toHaveLength(2);
  });
});

describe("engine > limits > historyMax", () => {
  inBothJournals("an actor has so many entries, and then takes no more events; others go on", async (bench) => {
    const engine = await bench.engine({ machines: [counter], limits: { historyMax: 3 } });
    for (const id of ["1", "2"]) await engine.start("counter", id);
    for (let sent = 0; sent < 2; sent++) await engine.send("counter/1", { type: "ADD" });
    const before = await stored(engine);
    await expect(engine.send("counter/1", { type: "ADD" }, { key: "k" })).rejects.toMatchObject({
      _tag: "HistoryFull",
      entries: 3,
      entriesMax: 3,
      code: "history_full",
      status: 409,
      retryable: false,
    });
    await expect(engine.taskwright.ask("counter/1", { type: "ADD" })).rejects.toMatchObject({ _tag: "HistoryFull" });
    expect(await stored(engine)).toEqual(before);
    expect(await engine.send("counter/2", { type: "ADD" })).toMatchObject({ outcome: "handled" });
    expect(engine.taskwright.status().refused).toEqual({ historyMax: 2 });
  });

  inBothJournals("messages to it are dead letters and its deadlines rest, until it may have more", async (bench) => {
    const full = setup({ types: { context: {} as { heard: number }, events: {} as { type: "SAY" } }, actions: { hear: assign({ heard: ({ context }) => context.heard + 1 }) } }).createMachine({
      id: "full",
      context: { heard: 0 },
      initial: "waiting",
      on: { SAY: { actions: "hear" } },
      states: { waiting: { after: { 1000: "rung" } }, rung: {} },
    });
    const sender = setup({}).createMachine({ id: "sender", on: { SAY: { actions: sendTo(() => actorRef("full/1"), { type: "SAY" }) } } });
    const first = await bench.engine({ machines: [full, sender], limits: { historyMax: 2 } });
    await first.start("full", "1");
    await first.start("sender", "1");
    await first.send("full/1", { type: "SAY" });
    await first.send("sender/1", { type: "SAY" });
    await first.advance("5 minutes");
    expect(await first.snapshot("full/1")).toMatchObject({ value: "waiting", seq: 2 });
    expect(await first.taskwright.deadLetters()).toMatchObject([{ address: "full/1", from: "sender/1", error: { code: "history_full" } }]);
    expect(first.taskwright.status().turns).toBeLessThan(50);
    await first.taskwright.close();
    first.crash();
    const second = await testEngine({ machines: [full, sender], journal: first.store, time: first.time });
    await second.advance("2 minutes");
    expect(await second.taskwright.requeue({})).toBe(1);
    expect(await second.snapshot("full/1")).toMatchObject({ value: "rung", context: { heard: 2 } });
    await second.taskwright.close();
    await second.dispose();
  });

  inBothJournals("a parent that ends takes a child whose history is full with it", async (bench) => {
    const parent = setup({ actors: { echo } }).createMachine({ id: "parent", initial: "on", states: { on: { invoke: { src: "echo", id: "kid" }, on: { END: "off" } }, off: {} } });
    const engine = await bench.engine({ machines: [parent], limits: { historyMax: 2 } });
    await engine.start("parent", "1");
    await engine.send("parent/1/kid", { type: "NOTHING" });
    await expect(engine.send("parent/1/kid", { type: "NOTHING" })).rejects.toMatchObject({ _tag: "HistoryFull" });
    await engine.send("parent/1", { type: "END" });
    expect(await engine.snapshot("parent/1/kid")).toMatchObject({ status: "stopped" });
  });
});

describe("engine > limits > waitersMax", () => {
  inBothJournals("so many calls wait, and one more is refused until one has its answer", async (bench) => {
    const engine = await bench.engine({ machines: [counter, list], limits: { waitersMax: 3 } });
    await engine.start("counter", "1");
    const waiting = [1, 2].map((count) => engine.taskwright.waitFor("counter/1", ({ context }) => (context as { count: number }).count >= count));
    const watched = engine.taskwright.watch("counter/1")[Symbol.asyncIterator]();
    await watched.next();
    const refused = { _tag: "EngineBusy", limit: "waitersMax", waiting: 3, waitingMax: 3 };
    await expect(engine.taskwright.waitFor("counter/1", () => true)).rejects.toMatchObject(refused);
    await expect(engine.taskwright.ask("counter/1", { type: "ADD" })).rejects.toMatchObject(refused);
    await expect(engine.taskwright.watch("counter/1")[Symbol.asyncIterator]().next()).rejects.toMatchObject(refused);
    expect(await engine.snapshot("counter/1")).toMatchObject({ seq: 1 });
    await engine.send("counter/1", { type: "ADD" });
    await waiting[0];
    expect(await engine.taskwright.waitFor("counter/1", () => true)).toMatchObject({ seq: 2 });
    await engine.send("counter/1", { type: "ADD" });
    await waiting[1];
    await watched.return?.();
    expect(engine.taskwright.status().refused).toEqual({ waitersMax: 3 });
  });
});

describe("engine > limits > watchedMax", () => {
  inMemory("a slow watcher has so many snapshots before it, and skips the oldest", async (bench) => {
    const engine = await bench.engine({ machines: [counter], limits: { watchedMax: 3 } });
    await engine.start("counter", "1");
    const seen: Array<number> = [];
    const watched = engine.taskwright.effect.watch("counter/1").pipe(
      Stream.takeUntil(({ seq }) => seq === 11),
      Stream.runForEach(({ seq }) =>
        Effect.promise(async () => {
          if (seen.push(seq) > 1) return;
          for (let sent = 0; sent < 10; sent++) await engine.send("counter/1", { type: "ADD" });
        }),
      ),
    );
    await Effect.runPromise(watched);
    expect(seen).toEqual([1, 9, 10, 11]);
  });
});

describe("engine > limits > reportsMax", () => {
  inMemory("so many reports wait for the store, and one more is refused aloud", async (bench) => {
    const engine = await bench.engine({ machines: [counter], limits: { intakeMax: 2, reportsMax: 3 } });
    await engine.start("counter", "1");
    engine.store.faults.beforeCommit = () => new JournalError({ reason: "full", where: "test", detail: "no room" });
    await expect(engine.send("counter/1", { type: "ADD" })).rejects.toMatchObject({ _tag: "EngineDegraded" });
    for (let said = 0; said < 5; said++) engine.taskwright.report("counter/1", { type: "ADD" });
    expect(() => engine.taskwright.report("counter/1", { type: "ADD" })).toThrow(expect.objectContaining({ _tag: "EngineBusy", limit: "reportsMax", waiting: 5, waitingMax: 5 }));
    engine.store.faults.beforeCommit = undefined;
    await engine.advance("1 minute");
    expect(await engine.snapshot("counter/1")).toMatchObject({ context: { count: 5 } });
    expect(engine.taskwright.status().refused).toEqual({ reportsMax: 1 });
  });
});

describe("engine > limits > deadLettersMax", () => {
  inBothJournals("so many letters are kept; then the oldest go, and the log says so", async (bench) => {
    const engine = await bench.engine({ machines: [greedy, list], limits: { deadLettersMax: 3 } });
    await engine.start("greedy", "1");
    await engine.send("greedy/1", { type: "SEND", count: 3 });
    await engine.settled();
    const words = async () => (await engine.taskwright.deadLetters()).map(({ event }) => event.word);
    expect(await words()).toEqual([0, 1, 2]);
    expect(engine.logged.filter(({ message }) => message.includes("deadLettersMax"))).toEqual([]);
    await engine.send("greedy/1", { type: "SEND", count: 1 });
    await engine.settled();
    expect(await words()).toEqual([1, 2, 0]);
    expect(engine.logged.filter(({ message }) => message.includes("deadLettersMax"))).toMatchObject([{ level: "warning" }]);
    await engine.send("greedy/1", { type: "SEND", count: 5 });
    await engine.settled();
    expect(await words()).toEqual([2, 3, 4]);
    expect(engine.taskwright.status().refused).toEqual({ deadLettersMax: 1 + 5 });
    await engine.restart();
    expect(await engine.taskwright.requeue({ limit: 2 })).toBe(2);
    expect(await words()).toEqual([4, 2, 3]);
  });
});

describe("engine > limits > what was there before", () => {
  inBothJournals("is counted too: payloads, depth, children, timers, states, microsteps, the intake", async (bench) => {
    const engine = await bench.engine({ machines: [faulty, list, counter], limits: { payloadBytesMax: 100, stateBytesMax: 170, payloadDepthMax: 10, intakeMax: 2 } });
    await engine.start("faulty", "1");
    await engine.start("list", "1");
    await engine.start("counter", "1");
    await expect(engine.send("faulty/1", { type: "LOOP_FOREVER" })).rejects.toThrow("microstepsMax");
    await expect(engine.send("list/1", { type: "SAY", word: "x".repeat(100) })).rejects.toMatchObject({ _tag: "PayloadTooLarge" });
    await expect(engine.send("list/1", { type: "SAY", word: JSON.parse(`${"[".repeat(20)}1${"]".repeat(20)}`) })).rejects.toMatchObject({ _tag: "InvalidEvent" });
    await engine.send("list/1", { type: "SAY", word: "x".repeat(70) });
    await expect(engine.send("list/1", { type: "SAY", word: "x".repeat(70) })).rejects.toThrow("stateBytesMax");
    await Promise.allSettled([1, 2, 3].map(() => engine.taskwright.send("counter/1", { type: "ADD" })));
    expect(engine.taskwright.status().refused).toEqual({ microstepsMax: 1, payloadBytesMax: 1, payloadDepthMax: 1, stateBytesMax: 1, intakeMax: 1 });
  });

  inMemory("is a metric with the limit as its tag", async (bench) => {
    const before = (await Effect.runPromise(Metric.value(Metric.tagged(limitReached, "limit", "payloadBytesMax")))).count;
    const engine = await bench.engine({ machines: [list], limits: { payloadBytesMax: 100 } });
    await engine.start("list", "1");
    await expect(engine.send("list/1", { type: "SAY", word: "x".repeat(100) })).rejects.toThrow();
    expect((await Effect.runPromise(Metric.value(Metric.tagged(limitReached, "limit", "payloadBytesMax")))).count).toBe(before + 1);
  });

  test("engine > limits > redeliveriesMax is at least 2, because what goes together is tried alone first", () => {
    expect(checkLimits({ ...defaultLimits, redeliveriesMax: 2 })).toEqual([]);
    expect(checkLimits({ ...defaultLimits, redeliveriesMax: 1 })).toEqual([expect.stringContaining("redeliveriesMax")]);
  });
});

describe("engine > limits > a defect of the engine's own", () => {
  inBothJournals("buries a message once: it is struck from the mailbox with its letter", async (bench) => {
    let broken = false;
    const held = new Held();
    const engine = await bench.engine({
      machines: [greedy, list, job(held)],
      limits: { turnMessagesMax: 1 },
      wrap: (journal) => ({ ...journal, actors: (addresses) => (broken && addresses.includes("list/1") ? Effect.die(new Error("a defect")) : journal.actors(addresses)) }),
    });
    await engine.start("list", "1");
    await engine.start("greedy", "1");
    const crashed = engine.crashAfterCommits(1);
    void engine.taskwright.send("greedy/1", { type: "SEND", count: 3 }).catch(() => {});
    await crashed;
    broken = true;
    await engine.restart();
    await engine.advance("1 minute");
    expect((await engine.taskwright.deadLetters()).map(({ event }) => event.word)).toEqual([1, 2]);
    expect(await Effect.runPromise((await engine.reader()).mail(0, 10))).toEqual([]);
    broken = false;
    await engine.restart();
    expect(await engine.taskwright.deadLetters()).toHaveLength(2);
    expect(await engine.taskwright.requeue({})).toBe(2);
    expect(await engine.snapshot("list/1")).toMatchObject({ context: { words: [0, 1, 2] } });
  });
});
