import * as Effect from "effect/Effect";
import { describe, expect } from "vitest";
import { assign, cancel, enqueueActions, raise, sendTo, setup } from "xstate";
import { actorRef } from "../../src/actor/index.ts";
import { inBothJournals, inMemory, inThreeModes, inTwoModes, testEngine, VirtualTime } from "../../src/testing/index.ts";
import { list } from "./machines.ts";

const day = 24 * 60 * 60 * 1000;

/** Everything in XState that waits. */
const waiter = setup({
  types: {
    context: {} as { rings: ReadonlyArray<string>; delay: number },
    input: {} as { delay?: number } | undefined,
    events: {} as { type: "GO" | "STOP" | "RING" | "CANCEL" | "SHORTER" | "AGAIN"; name?: string },
  },
  delays: { named: ({ context }) => context.delay },
  actions: { ring: assign({ rings: ({ context, event }) => [...context.rings, event.name ?? event.type] }) },
}).createMachine({
  id: "waiter",
  context: ({ input }) => ({ rings: [], delay: input?.delay ?? 1_000 }),
  initial: "idle",
  on: {
    RING: { actions: "ring" },
    CANCEL: { actions: cancel("later") },
    SHORTER: { actions: raise({ type: "RING", name: "shorter" }, { id: "later", delay: 10 }) },
    AGAIN: { actions: raise({ type: "RING", name: "again" }, { id: "later", delay: 5_000 }) },
  },
  states: {
    idle: { on: { GO: "waiting" } },
    waiting: {
      entry: [raise({ type: "RING", name: "later" }, { id: "later", delay: 500 }), sendTo(actorRef("list/1"), { type: "SAY", word: "hello" }, { id: "word", delay: 700 })],
      after: { named: { target: "late", actions: assign({ rings: ({ context }) => [...context.rings, "after"] }) } },
      on: { STOP: "idle" },
    },
    late: {},
  },
});

const rings = async (engine: { snapshot: (address: string) => Promise<{ context: unknown }> }, address = "waiter/1") =>
  ((await engine.snapshot(address)).context as { rings: ReadonlyArray<string> }).rings;

describe("engine > timers", () => {
  inThreeModes("after, a named delay, delayed raise and delayed sendTo come in due order, each at its moment", async (bench) => {
    const engine = await bench.engine({ machines: [waiter, list] });
    await engine.start("waiter", "1");
    await engine.start("list", "1");
    const began = engine.time.now();
    await engine.send("waiter/1", { type: "GO" });
    await engine.advance(499);
    expect(await rings(engine)).toEqual([]);
    await engine.advance(1);
    expect(await rings(engine)).toEqual(["later"]);
    await engine.advance(200);
    expect(await engine.snapshot("list/1")).toMatchObject({ context: { words: ["hello"] } });
    await engine.advance(300);
    expect(await engine.snapshot("waiter/1")).toMatchObject({ value: "late", context: { rings: ["later", "after"] }, timers: {} });
    expect((await engine.taskwright.history("waiter/1")).map(({ at, event }) => [event.type, at - began])).toEqual([
      ["taskwright.start", 0],
      ["GO", 0],
      ["taskwright.timer", 500],
      ["taskwright.timer", 700],
      ["taskwright.timer", 1_000],
    ]);
    const [, said] = await engine.taskwright.history("list/1");
    expect(said).toMatchObject({ from: "waiter/1", at: began + 700 });
    expect(engine.time.next ?? Number.POSITIVE_INFINITY).toBeGreaterThan(began + 3_600_000);
  });

  inThreeModes("leaving the state cancels its after; what was raised and sent with a delay still comes", async (bench) => {
    const engine = await bench.engine({ machines: [waiter, list] });
    await engine.start("waiter", "1");
    await engine.start("list", "1");
    await engine.send("waiter/1", { type: "GO" });
    await engine.send("waiter/1", { type: "STOP" });
    await engine.advance("1 hour");
    expect(await engine.snapshot("waiter/1")).toMatchObject({ value: "idle", context: { rings: ["later"] } });
    expect(await engine.snapshot("list/1")).toMatchObject({ context: { words: ["hello"] } });
  });

  inThreeModes("a cancelled timer never comes, and a replaced one comes once, at its new moment", async (bench) => {
    const engine = await bench.engine({ machines: [waiter, list] });
    for (const id of ["1", "2", "3"]) await engine.start("waiter", id, { delay: day });
    await engine.start("list", "1");
    for (const id of ["1", "2", "3"]) await engine.send(`waiter/${id}`, { type: "GO" });
    await engine.send("waiter/1", { type: "CANCEL" });
    await engine.send("waiter/2", { type: "SHORTER" });
    await engine.send("waiter/3", { type: "AGAIN" });
    await engine.advance(10);
    expect([await rings(engine, "waiter/1"), await rings(engine, "waiter/2"), await rings(engine, "waiter/3")]).toEqual([[], ["shorter"], []]);
    await engine.advance(4_989);
    expect(await rings(engine, "waiter/3")).toEqual([]);
    await engine.advance(1);
    expect([await rings(engine, "waiter/1"), await rings(engine, "waiter/2"), await rings(engine, "waiter/3")]).toEqual([[], ["shorter"], ["again"]]);
  });

  inTwoModes("a delay beyond 2^31 milliseconds is kept to the millisecond", async (bench) => {
    const engine = await bench.engine({ machines: [waiter, list] });
    const delay = 60 * day;
    await engine.start("waiter", "1", { delay });
    await engine.send("waiter/1", { type: "GO" });
    await engine.advance(delay - 1);
    expect(await engine.snapshot("waiter/1")).toMatchObject({ value: "waiting" });
    await engine.advance(1);
    expect(await engine.snapshot("waiter/1")).toMatchObject({ value: "late" });
  });

  for (const delay of [0, -5, 0.4, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY]) {
    inBothJournals(`a delay of ${delay} is taken for what it can mean`, async (bench) => {
      const engine = await bench.engine({ machines: [waiter, list] });
      await engine.start("waiter", "1", { delay: delay === Number.POSITIVE_INFINITY ? 1 : delay });
      await engine.send("waiter/1", { type: "GO" });
      await engine.settled();
      expect(await engine.snapshot("waiter/1")).toMatchObject({ value: delay < 1 ? "late" : "waiting" });
    });
  }

  inBothJournals("a deadline that passed while the engine was down fires at start", async (bench) => {
    const engine = await bench.engine({ machines: [waiter, list] });
    await engine.start("waiter", "1");
    await engine.send("waiter/1", { type: "GO" });
    engine.crash();
    engine.time.advance(day);
    await engine.restart();
    expect(await engine.snapshot("waiter/1")).toMatchObject({ value: "late", context: { rings: ["later", "after"] } });
  });

  inBothJournals("a deadline that is not due yet waits on after a restart", async (bench) => {
    const engine = await bench.engine({ machines: [waiter, list] });
    await engine.start("waiter", "1");
    await engine.send("waiter/1", { type: "GO" });
    await engine.advance(400);
    await engine.restart();
    expect(await rings(engine)).toEqual([]);
    await engine.advance(99);
    expect(await rings(engine)).toEqual([]);
    await engine.advance(1);
    expect(await rings(engine)).toEqual(["later"]);
  });

  inBothJournals("a clock that was set back while the engine was down does not take time back", async (bench) => {
    const engine = await bench.engine({ machines: [waiter, list] });
    await engine.start("waiter", "1");
    await engine.send("waiter/1", { type: "GO" });
    const sent = engine.time.now();
    engine.crash();
    const second = await testEngine({
      machines: [waiter, list],
      journal: engine.store,
      time: new VirtualTime(sent - 10 * day),
      wrap: (journal) => ({ ...journal, open: (info) => journal.open({ ...info, isAlive: () => false }) }),
    });
    expect(second.time.now()).toBe(sent);
    expect(await second.send("waiter/1", { type: "RING" })).toMatchObject({ at: sent });
    await second.advance(1_000);
    expect(await second.snapshot("waiter/1")).toMatchObject({ value: "late", context: { rings: ["RING", "later", "after"] } });
    await second.end();
  });

  inBothJournals("a clock that jumps forward fires each deadline once", async (bench) => {
    const engine = await bench.engine({ machines: [waiter, list] });
    await engine.start("list", "1");
    await engine.start("waiter", "1");
    await engine.send("waiter/1", { type: "GO" });
    engine.time.advanceTo(engine.time.now() + 3_650 * day);
    engine.time.advance(0);
    await engine.settled();
    expect(await rings(engine)).toEqual(["later", "after"]);
    expect(await engine.snapshot("list/1")).toMatchObject({ context: { words: ["hello"] } });
    expect((await engine.taskwright.history("waiter/1")).filter(({ event }) => event.type === "taskwright.timer")).toHaveLength(3);
  });

  inBothJournals("a thousand deadlines that are due at once come in due order, in bounded turns", async (bench) => {
    const engine = await bench.engine({ machines: [waiter], limits: { dueTimersMax: 150 } });
    const delays = Array.from({ length: 1_000 }, (_, id) => 1_000 + ((id * 7_919) % 1_000));
    await engine.taskwright.startAll(delays.map((delay, id) => ({ machine: "waiter", id: String(id), input: { delay } })));
    await Promise.all(delays.map((_, id) => engine.send(`waiter/${id}`, { type: "GO" })));
    engine.crash();
    engine.time.advance(day);
    const heard: Array<{ address: string; name: string }> = [];
    await engine.open({ ownerIsDead: true });
    engine.taskwright.observe(({ address, event }) => {
      if (event.type === "taskwright.timer") heard.push({ address, name: (event as { id: string }).id });
    });
    await engine.settled();
    expect(heard).toHaveLength(3_000);
    const dueOf = ({ address, name }: { address: string; name: string }) => (name === "later" ? 500 : name === "word" ? 700 : delays[Number(address.slice("waiter/".length))]!);
    expect(heard.map(dueOf)).toEqual(heard.map(dueOf).sort((left, right) => left - right));
  });

  inBothJournals("one actor's deadlines that are due at once come in due order, then in the order in which they were set", async (bench) => {
    const many = setup({
      types: { context: {} as { rings: ReadonlyArray<string> }, events: {} as { type: "RING"; name: string } },
    }).createMachine({
      id: "many",
      context: { rings: [] },
      entry: enqueueActions(({ enqueue }) => {
        for (const [name, delay] of [
          ["c", 30],
          ["a", 10],
          ["e", 50],
          ["b1", 20],
          ["b2", 20],
          ["d", 40],
        ] as const)
          enqueue.raise({ type: "RING", name }, { id: name, delay });
      }),
      on: { RING: { actions: assign({ rings: ({ context, event }) => [...context.rings, event.name] }) } },
    });
    const engine = await bench.engine({ machines: [many] });
    await engine.start("many", "1");
    engine.crash();
    engine.time.advance(day);
    await engine.restart();
    expect(await rings(engine, "many/1")).toEqual(["a", "b1", "b2", "c", "d", "e"]);
  });

  inBothJournals("a deadline that an earlier one of the same moment takes away does not come", async (bench) => {
    const pair = setup({ types: { context: {} as { rings: ReadonlyArray<string> }, events: {} as { type: "FIRST" | "SECOND" } } }).createMachine({
      id: "pair",
      context: { rings: [] },
      entry: [raise({ type: "FIRST" }, { id: "first", delay: 10 }), raise({ type: "SECOND" }, { id: "second", delay: 20 })],
      on: {
        FIRST: { actions: [cancel("second"), assign({ rings: ({ context }) => [...context.rings, "first"] })] },
        SECOND: { actions: assign({ rings: ({ context }) => [...context.rings, "second"] }) },
      },
    });
    const engine = await bench.engine({ machines: [pair] });
    await engine.start("pair", "1");
    engine.crash();
    engine.time.advance(day);
    await engine.restart();
    expect(await rings(engine, "pair/1")).toEqual(["first"]);
    expect(await engine.taskwright.history("pair/1")).toHaveLength(2);
  });

  inMemory("an actor that waits costs the engine one callback, however many there are", async (bench) => {
    const engine = await bench.engine({ machines: [waiter] });
    await engine.taskwright.startAll(Array.from({ length: 2_000 }, (_, id) => ({ machine: "waiter", id: String(id) })));
    await Promise.all(Array.from({ length: 2_000 }, (_, id) => engine.send(`waiter/${id}`, { type: "GO" })));
    let asked = 0;
    const { wakeAt } = engine.time;
    const counting = (due: number, callback: () => void) => {
      asked++;
      return wakeAt(due, callback);
    };
    Object.assign(engine.time, { wakeAt: counting });
    await engine.advance(500);
    expect(asked).toBeLessThan(20);
  });

  inThreeModes("an ended actor waits for nothing", async (bench) => {
    const short = setup({ types: { events: {} as { type: "END" } } }).createMachine({
      id: "short",
      initial: "open",
      states: { open: { after: { 1000: "late" }, on: { END: "ended" } }, late: {}, ended: { type: "final" } },
    });
    const engine = await bench.engine({ machines: [short] });
    await engine.start("short", "1");
    await engine.send("short/1", { type: "END" });
    expect(await Effect.runPromise((await engine.reader()).nextWakeAfter(0))).toBeUndefined();
    await engine.advance("1 hour");
    expect(await engine.taskwright.history("short/1")).toHaveLength(2);
  });
});
