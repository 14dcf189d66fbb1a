import * as Effect from "effect/Effect";
import { describe, expect } from "vitest";
import { assign, setup } from "xstate";
import { JournalError } from "../../src/journal/index.ts";
import { inBothJournals, inMemory, inThreeModes, inTwoModes, testEngine } from "../../src/testing/index.ts";
import { Held } from "./held.ts";
import { counter, list, relay } from "./machines.ts";

/** What is broken, and may be mended while an engine runs: as a new build does. */
const faults = { guard: true, timer: true, done: true, action: true, start: true };
const breaking = (part: keyof typeof faults) => {
  if (faults[part]) throw new Error(`the ${part} is broken`);
  return true;
};
const breakAll = () => Object.assign(faults, { guard: true, timer: true, done: true, action: true, start: true });
const mend = () => Object.assign(faults, { guard: false, timer: false, done: false, action: false, start: false });

const held = new Held();
const done: Array<unknown> = [];

const fragile = setup({
  types: {
    context: {} as { paid: ReadonlyArray<unknown>; output: unknown },
    events: {} as { type: "PAY"; amount: number } | { type: "WAIT" } | { type: "WORK" } | { type: "ACT"; what: string } | { type: "LEAVE" } | { type: "SAY" },
  },
  actors: { work: held.logic },
  guards: { works: () => breaking("guard") },
  actions: {
    pay: assign({ paid: ({ context, event }) => [...context.paid, event.type === "PAY" ? event.amount : event.type] }),
    act: (_, params: { what: string }) => {
      breaking("action");
      done.push(params.what);
    },
  },
}).createMachine({
  id: "fragile",
  context: { paid: [], output: null },
  initial: "idle",
  on: {
    PAY: { guard: "works", actions: "pay" },
    ACT: { actions: { type: "act", params: ({ event }) => ({ what: event.what }) } },
    WAIT: ".waiting",
    WORK: ".working",
    LEAVE: ".idle",
  },
  states: {
    idle: {},
    waiting: { after: { 1000: { guard: () => breaking("timer"), target: "rung" } } },
    rung: {},
    working: { invoke: { src: "work", id: "work", onDone: { guard: () => breaking("done"), target: "worked", actions: assign({ output: ({ event }) => event.output }) } } },
    worked: {},
  },
});

const open = (bench: Parameters<Parameters<typeof inThreeModes>[1]>[0], options: object = {}) => {
  breakAll();
  done.length = 0;
  return bench.engine({ machines: [fragile, counter, list, relay], ...options });
};

describe("engine > dead letters", () => {
  inThreeModes("a letter that is requeued is delivered from its sender, and gone", async (bench) => {
    const engine = await open(bench);
    await engine.start("fragile", "1");
    await expect(engine.send("fragile/1", { type: "PAY", amount: 5 })).rejects.toMatchObject({ _tag: "ActorFailed" });
    const [letter] = await engine.taskwright.deadLetters();
    expect(await engine.taskwright.deadLetter(letter!.id)).toEqual(letter);
    expect(letter).toMatchObject({ kind: "event", address: "fragile/1", event: { type: "PAY", amount: 5 }, error: { message: expect.stringContaining("the guard is broken") } });
    mend();
    expect(await engine.taskwright.requeue(letter!.id)).toBe(1);
    expect(await engine.taskwright.deadLetters()).toEqual([]);
    expect(await engine.snapshot("fragile/1")).toMatchObject({ context: { paid: [5] } });
    expect((await engine.taskwright.history("fragile/1")).map(({ event, outcome }) => `${event.type} ${outcome}`)).toEqual(["taskwright.start handled", "PAY failed", "PAY handled"]);
  });

  inThreeModes("one that fails again is a new letter with a new id", async (bench) => {
    const engine = await open(bench);
    await engine.start("fragile", "1");
    await expect(engine.send("fragile/1", { type: "PAY", amount: 5 })).rejects.toThrow();
    const [first] = await engine.taskwright.deadLetters();
    expect(await engine.taskwright.requeue([first!.id])).toBe(1);
    const [second, ...others] = await engine.taskwright.deadLetters();
    expect(others).toEqual([]);
    expect(second!.id).toBeGreaterThan(first!.id);
    await expect(engine.taskwright.requeue(first!.id)).rejects.toMatchObject({ _tag: "UnknownDeadLetter", ids: [first!.id], code: "unknown_dead_letter", status: 404 });
  });

  inThreeModes("a message to nobody is delivered once there is somebody", async (bench) => {
    const engine = await open(bench);
    await engine.start("relay", "1");
    await engine.send("relay/1", { type: "PASS", to: "list/1", word: "late" });
    await engine.settled();
    const [letter] = await engine.taskwright.deadLetters();
    expect(await engine.taskwright.requeue(letter!.id)).toBe(1);
    await engine.settled();
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ address: "list/1", from: "relay/1", error: { code: "unknown_actor" } }]);
    await engine.start("list", "1");
    expect(await engine.taskwright.requeue({ address: "list/1" })).toBe(1);
    expect(await engine.snapshot("list/1")).toMatchObject({ context: { words: ["late"] } });
    expect((await engine.taskwright.history("list/1")).at(-1)).toMatchObject({ from: "relay/1" });
    expect(await engine.taskwright.deadLetters()).toEqual([]);
  });

  inThreeModes("a deadline is told while its state lasts, although it is long past", async (bench) => {
    const engine = await open(bench);
    await engine.start("fragile", "1");
    await engine.send("fragile/1", { type: "WAIT" });
    await engine.advance("1 second");
    await engine.advance("1 hour");
    expect(await engine.snapshot("fragile/1")).toMatchObject({ value: "waiting" });
    mend();
    expect(await engine.taskwright.requeue({ type: "taskwright.timer" })).toBe(1);
    expect(await engine.snapshot("fragile/1")).toMatchObject({ value: "rung", timers: {} });
    expect(await engine.taskwright.deadLetters()).toEqual([]);
  });

  inThreeModes("a deadline of a state that was left is stale, also when the state was entered again", async (bench) => {
    const engine = await open(bench);
    await engine.start("fragile", "1");
    await engine.send("fragile/1", { type: "WAIT" });
    await engine.advance("1 second");
    await engine.send("fragile/1", { type: "LEAVE" });
    await engine.send("fragile/1", { type: "WAIT" });
    mend();
    expect(await engine.taskwright.requeue({})).toBe(1);
    expect(await engine.snapshot("fragile/1")).toMatchObject({ value: "waiting" });
    expect((await engine.taskwright.history("fragile/1")).at(-1)).toMatchObject({ event: { type: "taskwright.timer" }, outcome: "stale" });
    await engine.advance("1 second");
    expect(await engine.snapshot("fragile/1")).toMatchObject({ value: "rung" });
  });

  inThreeModes("a deadline goes with its letter when that is dropped", async (bench) => {
    const engine = await open(bench);
    await engine.start("fragile", "1");
    await engine.send("fragile/1", { type: "WAIT" });
    await engine.advance("1 second");
    expect(Object.values((await engine.snapshot("fragile/1")).timers ?? {})).toMatchObject([{ held: true }]);
    expect(await engine.taskwright.drop({ machine: "fragile" })).toBe(1);
    expect((await engine.snapshot("fragile/1")).timers).toEqual({});
    expect(await engine.taskwright.deadLetters()).toEqual([]);
    mend();
    await engine.advance("1 hour");
    expect(await engine.snapshot("fragile/1")).toMatchObject({ value: "waiting" });
  });

  inTwoModes("a completion that its parent could not take is told again, while the parent waits for that child", async (bench) => {
    const engine = await open(bench);
    await engine.start("fragile", "1");
    await engine.send("fragile/1", { type: "WORK" });
    held.last.resolve("result");
    await engine.settled();
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ event: { type: "taskwright.done", child: "work" }, from: "fragile/1/work" }]);
    mend();
    expect(await engine.taskwright.requeue({ kind: "event" })).toBe(1);
    expect(await engine.snapshot("fragile/1")).toMatchObject({ value: "worked", context: { output: "result" } });
  });

  inTwoModes("a completion of a child that was started anew meanwhile is stale", async (bench) => {
    const engine = await open(bench);
    await engine.start("fragile", "1");
    await engine.send("fragile/1", { type: "WORK" });
    held.last.resolve("first");
    await engine.settled();
    await engine.send("fragile/1", { type: "LEAVE" });
    await engine.send("fragile/1", { type: "WORK" });
    mend();
    expect(await engine.taskwright.requeue({})).toBe(1);
    expect(await engine.snapshot("fragile/1")).toMatchObject({ value: "working" });
    held.last.resolve("second");
    await engine.settled();
    expect(await engine.snapshot("fragile/1")).toMatchObject({ value: "worked", context: { output: "second" } });
  });

  inThreeModes("an action that failed is owed again, with its parameters", async (bench) => {
    const engine = await open(bench);
    await engine.start("fragile", "1");
    await engine.send("fragile/1", { type: "ACT", what: "mail" });
    await engine.settled();
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ kind: "action", action: "act", seq: 2, event: { type: "ACT" } }]);
    expect(await engine.taskwright.requeue({ kind: "action" })).toBe(1);
    await engine.settled();
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ kind: "action", action: "act", seq: 2 }]);
    expect(done).toEqual([]);
    mend();
    expect(await engine.taskwright.requeue({ kind: "action" })).toBe(1);
    await engine.settled();
    expect(done).toEqual(["mail"]);
    expect(await engine.taskwright.deadLetters()).toEqual([]);
    expect(await Effect.runPromise((await engine.reader()).effects(0, 10))).toEqual([]);
  });

  inThreeModes("an event that was kept for a later state is a letter as it was sent, when the machine throws on it there", async (bench) => {
    let broken = true;
    const shop = setup({
      types: { context: {} as { sold: ReadonlyArray<number> }, events: {} as { type: "OPEN" } | { type: "SELL"; amount: number } },
      guards: {
        works: () => {
          if (broken) throw new Error("not yet");
          return true;
        },
      },
    }).createMachine({
      id: "shop",
      context: { sold: [] },
      initial: "closed",
      states: { closed: { on: { OPEN: "open" } }, open: { on: { SELL: { guard: "works", actions: assign({ sold: ({ context, event }) => [...context.sold, event.amount] }) } } } },
    });
    const engine = await bench.engine({ machines: [{ machine: shop, early: { SELL: "keep" } }] });
    await engine.start("shop", "1");
    expect(await engine.send("shop/1", { type: "SELL", amount: 3 })).toMatchObject({ outcome: "kept" });
    await engine.send("shop/1", { type: "OPEN" });
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ address: "shop/1", event: { type: "SELL", amount: 3 } }]);
    broken = false;
    expect(await engine.taskwright.requeue({ type: "SELL" })).toBe(1);
    expect(await engine.snapshot("shop/1")).toMatchObject({ context: { sold: [3] } });
  });

  inBothJournals("a filter chooses by address, beginning, machine, type, kind and time, and pages", async (bench) => {
    const engine = await open(bench);
    const begin = engine.time.now();
    for (const id of ["1", "10"]) await engine.start("fragile", id);
    for (const id of ["1", "10"]) await expect(engine.send(`fragile/${id}`, { type: "PAY", amount: 1 })).rejects.toThrow();
    await engine.advance("1 minute");
    await engine.send("fragile/1", { type: "ACT", what: "x" });
    await engine.start("relay", "1");
    await engine.send("relay/1", { type: "PASS", to: "list/none", word: 1 });
    await engine.settled();
    const found = async (filter: Parameters<typeof engine.taskwright.deadLetters>[0]) => (await engine.taskwright.deadLetters(filter)).map(({ id }) => id);
    expect(await found({})).toEqual([1, 2, 3, 4]);
    expect(await found({ address: "fragile/1" })).toEqual([1, 3]);
    expect(await found({ prefix: "fragile/1" })).toEqual([1, 2, 3]);
    expect(await found({ machine: "list" })).toEqual([4]);
    expect(await found({ machine: "li" })).toEqual([]);
    expect(await found({ type: "PAY" })).toEqual([1, 2]);
    expect(await found({ kind: "action" })).toEqual([3]);
    expect(await found({ before: begin + 1 })).toEqual([1, 2]);
    expect(await found({ since: begin + 60_000 })).toEqual([3, 4]);
    expect(await found({ after: 1, limit: 2 })).toEqual([2, 3]);
    expect(await engine.taskwright.drop({ machine: "fragile", limit: 2 })).toBe(2);
    expect(await found({})).toEqual([3, 4]);
  });

  inThreeModes("who took which, and why, is stored with the taking, and stands in a history", async (bench) => {
    const engine = await open(bench);
    await engine.start("fragile", "1");
    for (const amount of [1, 2, 3]) await expect(engine.send("fragile/1", { type: "PAY", amount })).rejects.toThrow();
    await engine.send("fragile/1", { type: "ACT", what: "mail" });
    await engine.settled();
    mend();
    expect(await engine.taskwright.requeue([1, 4], { by: "anna", why: "the guard was mended" })).toBe(2);
    await engine.settled();
    expect(await engine.taskwright.drop(2, { by: "bert" })).toBe(1);
    // A program that takes them of itself need not say so.
    expect(await engine.taskwright.drop(3)).toBe(1);
    const record = (await engine.taskwright.history("dead-letters/taken")).slice(1).map(({ from, event, outcome }) => ({ from, outcome, letters: event.letters, ...event }));
    const note = (id: number, type = "PAY") => ({ id, address: "fragile/1", type });
    const [first, second] = [note(1), note(4, "act")];
    // The three modes put a restart between two events of one call: then each is an entry.
    const requeued = record.filter(({ type }) => type === "REQUEUED");
    expect(requeued.flatMap(({ letters }) => letters)).toEqual([first, second]);
    for (const entry of requeued) expect(entry).toMatchObject({ from: "anna", outcome: "handled", why: "the guard was mended" });
    expect(record.slice(requeued.length)).toEqual([{ type: "DROPPED", from: "bert", outcome: "handled", letters: [note(2)] }]);
    expect(await engine.snapshot("dead-letters/taken")).toMatchObject({ machine: "dead-letters", context: { requeued: 2, dropped: 1 } });
    expect(done).toEqual(["mail"]);
    await expect(engine.send("dead-letters/taken", { type: "DROPPED", letters: [] })).rejects.toMatchObject({ _tag: "InvalidAddress" });
    for (const by of ["a/b", ""]) await expect(engine.taskwright.drop([], { by })).rejects.toMatchObject({ _tag: "InvalidEvent", path: "by" });
  });

  inBothJournals("an unknown id refuses the whole call, and nothing is touched", async (bench) => {
    const engine = await open(bench);
    await engine.start("fragile", "1");
    await expect(engine.send("fragile/1", { type: "PAY", amount: 5 })).rejects.toThrow();
    for (const call of [engine.taskwright.requeue([1, 9, 4]), engine.taskwright.drop([9, 4, 1, 9])]) await expect(call).rejects.toMatchObject({ _tag: "UnknownDeadLetter", ids: [4, 9] });
    await expect(engine.taskwright.deadLetter(2)).rejects.toMatchObject({ _tag: "UnknownDeadLetter", ids: [2] });
    expect(await engine.taskwright.deadLetters()).toHaveLength(1);
    expect(await engine.snapshot("fragile/1")).toMatchObject({ seq: 2 });
    expect(await engine.taskwright.requeue({ machine: "nobody" })).toBe(0);
    expect(await engine.taskwright.requeue([])).toBe(0);
  });

  inBothJournals("hundreds are requeued in their order, each once, however often one asks", async (bench) => {
    const engine = await open(bench);
    await engine.start("fragile", "1");
    const amounts = Array.from({ length: 450 }, (_, amount) => amount);
    await Promise.allSettled(amounts.map((amount) => engine.taskwright.send("fragile/1", { type: "PAY", amount })));
    mend();
    const taken = await Promise.all([engine.taskwright.requeue({}), engine.taskwright.requeue({}), engine.taskwright.drop({})]);
    expect(taken).toEqual([450, 0, 0]);
    expect(await engine.snapshot("fragile/1")).toMatchObject({ context: { paid: amounts } });
  });

  for (const when of ["before", "after"] as const) {
    inMemory(`a requeue whose commit fails ${when} it was stored neither loses nor doubles the letter`, async (bench) => {
      const engine = await open(bench);
      await engine.start("fragile", "1");
      await expect(engine.send("fragile/1", { type: "PAY", amount: 5 })).rejects.toThrow();
      mend();
      const broken = () => {
        engine.store.faults.beforeCommit = undefined;
        engine.store.faults.afterCommit = undefined;
        return new JournalError({ reason: "failed", where: "test", detail: "on purpose" });
      };
      if (when === "before") engine.store.faults.beforeCommit = broken;
      else engine.store.faults.afterCommit = broken;
      const call = engine.taskwright.requeue(1);
      if (when === "before") await expect(call).rejects.toMatchObject({ _tag: "EngineDegraded" });
      else expect(await call).toBe(1);
      await engine.advance("1 minute");
      expect(await engine.taskwright.deadLetters()).toHaveLength(when === "before" ? 1 : 0);
      expect(await engine.snapshot("fragile/1")).toMatchObject({ context: { paid: when === "before" ? [] : [5] } });
    });

    inMemory(`a drop whose commit fails ${when} it was stored says what became of it`, async (bench) => {
      const engine = await open(bench);
      await engine.start("fragile", "1");
      await expect(engine.send("fragile/1", { type: "PAY", amount: 5 })).rejects.toThrow();
      const broken = () => {
        engine.store.faults.beforeCommit = undefined;
        engine.store.faults.afterCommit = undefined;
        return new JournalError({ reason: "failed", where: "test", detail: "on purpose" });
      };
      if (when === "before") engine.store.faults.beforeCommit = broken;
      else engine.store.faults.afterCommit = broken;
      const call = engine.taskwright.drop(1);
      if (when === "before") await expect(call).rejects.toMatchObject({ _tag: "EngineDegraded" });
      else expect(await call).toBe(1);
      await engine.advance("1 minute");
      expect(await engine.taskwright.deadLetters()).toHaveLength(when === "before" ? 1 : 0);
    });
  }

  inBothJournals("a crash right after the commit of a requeue leaves its work done, once", async (bench) => {
    const engine = await open(bench);
    await engine.start("fragile", "1");
    await engine.send("fragile/1", { type: "ACT", what: "mail" });
    await expect(engine.send("fragile/1", { type: "PAY", amount: 5 })).rejects.toThrow();
    await engine.settled();
    mend();
    const crashed = engine.crashAfterCommits(1);
    void engine.taskwright.requeue({});
    await crashed;
    await engine.restart();
    expect(await engine.snapshot("fragile/1")).toMatchObject({ context: { paid: [5] } });
    expect(done).toEqual(["mail"]);
    expect(await engine.taskwright.deadLetters()).toEqual([]);
  });

  inBothJournals("nothing is requeued by an engine that closes or is closed", async (bench) => {
    const engine = await open(bench);
    await engine.start("fragile", "1");
    await expect(engine.send("fragile/1", { type: "PAY", amount: 5 })).rejects.toThrow();
    const { taskwright } = engine;
    await taskwright.close();
    await expect(taskwright.requeue(1)).rejects.toMatchObject({ _tag: "EngineClosed" });
    engine.crash();
    await engine.open();
    expect(await engine.taskwright.deadLetters()).toHaveLength(1);
  });

  inBothJournals("an action of an earlier incarnation is owed to that one", async (bench) => {
    const seen: Array<unknown> = [];
    let broken = true;
    const kid = setup({
      types: { context: {} as { name: string }, input: {} as { name: string } },
      actions: {
        tell: ({ context }) => {
          if (broken) throw new Error("not yet");
          seen.push(context.name);
        },
      },
    }).createMachine({ id: "kid", context: ({ input }) => ({ name: input.name }), entry: "tell" });
    const parent = setup({ types: { events: {} as { type: "NEXT"; name: string } }, actors: { kid } }).createMachine({
      id: "parent",
      initial: "off",
      on: { NEXT: { target: ".on", reenter: true } },
      states: { off: {}, on: { invoke: { src: "kid", id: "kid", input: ({ event }) => ({ name: (event as { name: string }).name }) } } },
    });
    const engine = await bench.engine({ machines: [parent] });
    await engine.start("parent", "1");
    await engine.send("parent/1", { type: "NEXT", name: "first" });
    await engine.settled();
    broken = false;
    await engine.send("parent/1", { type: "NEXT", name: "second" });
    await engine.settled();
    expect(await engine.taskwright.requeue({ kind: "action" })).toBe(1);
    await engine.settled();
    expect(seen).toEqual(["second", "first"]);
  });

  inBothJournals("the letter of an actor that is parked stays a letter until its machine is back", async (bench) => {
    const first = await open(bench);
    await first.start("fragile", "1");
    await first.send("fragile/1", { type: "ACT", what: "mail" });
    await expect(first.send("fragile/1", { type: "PAY", amount: 5 })).rejects.toThrow();
    await first.settled();
    await first.taskwright.close();
    first.crash();
    const second = await testEngine({ machines: [counter], journal: first.store, time: first.time });
    expect(await second.taskwright.requeue({})).toBe(2);
    expect((await second.taskwright.deadLetters()).map(({ kind, error }) => `${kind} ${error.code}`).sort()).toEqual(["action actor_parked", "event actor_parked"]);
    await second.taskwright.close();
    second.crash();
    mend();
    await first.open();
    expect(await first.taskwright.requeue({})).toBe(2);
    await first.settled();
    expect(await first.snapshot("fragile/1")).toMatchObject({ context: { paid: [5] } });
    expect(done).toEqual(["mail"]);
  });
});

describe("engine > dead letters > supervision", () => {
  inBothJournals("what a restarted actor is told again is told to its new life", async (bench) => {
    breakAll();
    const engine = await bench.engine({ machines: [{ machine: fragile, supervision: { strategy: "restart" } }] });
    await engine.start("fragile", "1");
    await engine.send("fragile/1", { type: "WAIT" });
    await engine.advance("1 second");
    expect(await engine.snapshot("fragile/1")).toMatchObject({ value: "idle" });
    mend();
    expect(await engine.taskwright.requeue({})).toBe(1);
    expect((await engine.taskwright.history("fragile/1")).at(-1)).toMatchObject({ event: { type: "taskwright.timer" }, outcome: "stale" });
  });
});
