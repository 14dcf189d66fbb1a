import * as Effect from "effect/Effect";
import { describe, expect } from "vitest";
import { assign, enqueueActions, sendTo, setup } from "xstate";
import { actorRef } from "../../src/actor/index.ts";
import { JournalError, type Turn } from "../../src/journal/index.ts";
import { type Bench, inBothJournals, type TestEngine, type TestEngineOptions } from "../../src/testing/index.ts";
import { Held } from "./held.ts";
import { list } from "./machines.ts";

/** A process that ends where it is told to: nothing that it does afterwards is stored or heard. */
class Mortal {
  engine!: TestEngine;
  deaths = 0;
  /** Addresses, actions or names at which the process ends. */
  readonly lethal = new Set<string>();

  pass(where: string): boolean {
    if (!this.lethal.has(where)) return true;
    this.deaths++;
    this.engine.crash();
    throw new Error("nobody hears this");
  }

  async open(bench: Bench, options: TestEngineOptions): Promise<TestEngine> {
    this.engine = await bench.engine(options);
    return this.engine;
  }

  /** Opens again as long as that ends the process. Answers how often it did. */
  async revive(opensMax = 10): Promise<number> {
    for (let opens = 1; opens <= opensMax; opens++) {
      const before = this.deaths;
      try {
        await this.engine.restart();
      } catch (error) {
        if (this.deaths === before) throw error;
      }
      if (this.deaths === before) return opens;
    }
    throw new Error(`it ended ${this.deaths} times, and goes on so`);
  }

  /** Does something on which the process ends. */
  async killedBy(call: () => Promise<unknown>): Promise<void> {
    void call().catch(() => {});
    for (let waits = 0; this.deaths === 0; waits++) {
      if (waits > 1_000) throw new Error("it did not end");
      await new Promise(setImmediate);
    }
  }
}

const scene = () => {
  const mortal = new Mortal();
  const acted: Array<string> = [];
  const victim = setup({
    types: { context: {} as { got: ReadonlyArray<string>; rang: boolean }, events: {} as { type: "TELL"; word: string } | { type: "WAIT" } | { type: "ACT"; name: string } },
    guards: { survives: ({ event }) => event.type !== "TELL" || mortal.pass(event.word) },
    actions: {
      keep: assign({ got: ({ context, event }) => [...context.got, event.type === "TELL" ? event.word : ""] }),
      ring: assign({ rang: ({ self }) => mortal.pass(`timer of ${(self as unknown as { address: string }).address}`) }),
      act: (_, { name }: { name: string }) => {
        mortal.pass(name);
        acted.push(name);
      },
    },
  }).createMachine({
    id: "victim",
    context: { got: [], rang: false },
    initial: "idle",
    on: { TELL: { guard: "survives", actions: "keep" }, WAIT: ".waiting", ACT: { actions: { type: "act", params: ({ event }) => ({ name: event.name }) } } },
    states: { idle: {}, waiting: { after: { 1000: { target: "rung", actions: "ring" } } }, rung: {} },
  });
  /** Sends many words, each to its own actor, in one transition. */
  const spray = setup({ types: { events: {} as { type: "SPRAY"; words: ReadonlyArray<readonly [string, string]> } } }).createMachine({
    id: "spray",
    on: {
      SPRAY: {
        actions: enqueueActions(({ enqueue, event }) => {
          for (const [id, word] of event.words) enqueue.sendTo(() => actorRef(`victim/${id}`), { type: "TELL", word });
        }),
      },
    },
  });
  return { mortal, victim, spray, acted };
};

const words = async (engine: TestEngine, id: string) => ((await engine.snapshot(`victim/${id}`)).context as { got: ReadonlyArray<string> }).got;
const attemptsIn = async (engine: TestEngine) => Effect.runPromise((await engine.reader()).attempts);

describe("engine > what ends the process", () => {
  for (const redeliveriesMax of [2, 3, 5]) {
    inBothJournals(`a message is given up after ${redeliveriesMax} redeliveries, and all others are delivered once, in order`, async (bench) => {
      const { mortal, victim, spray } = scene();
      const engine = await mortal.open(bench, { machines: [victim, spray], limits: { turnMessagesMax: 1, redeliveriesMax } });
      for (const id of ["a", "b"]) await engine.start("victim", id);
      await engine.start("spray", "1");
      mortal.lethal.add("kill");
      const sent = [
        ["a", "a1"],
        ["b", "b1"],
        ["a", "a2"],
        ["b", "kill"],
        ["b", "b2"],
        ["a", "a3"],
      ];
      await mortal.killedBy(() => engine.taskwright.send("spray/1", { type: "SPRAY", words: sent }));
      expect(await mortal.revive()).toBe(redeliveriesMax + 1);
      expect(mortal.deaths).toBe(1 + redeliveriesMax);
      expect([await words(engine, "a"), await words(engine, "b")]).toEqual([
        ["a1", "a2", "a3"],
        ["b1", "b2"],
      ]);
      const letters = await engine.taskwright.deadLetters();
      expect(letters).toMatchObject([{ address: "victim/b", from: "spray/1", event: { type: "TELL", word: "kill" }, error: { name: "PoisonEvent", code: "poison_event" } }]);
      expect(letters[0]?.error.message).toContain(`ended ${redeliveriesMax} times`);
      expect((await engine.taskwright.history("victim/b")).filter(({ event }) => event.word === "kill").map(({ outcome }) => outcome)).toEqual(["failed"]);
      expect(await attemptsIn(engine)).toEqual([]);
      mortal.lethal.clear();
      expect(await engine.taskwright.requeue({})).toBe(1);
      expect(await words(engine, "b")).toEqual(["b1", "b2", "kill"]);
    });
  }

  inBothJournals("several that end it are given up one after the other", async (bench) => {
    const { mortal, victim, spray } = scene();
    const engine = await mortal.open(bench, { machines: [victim, spray], limits: { turnMessagesMax: 1, redeliveriesMax: 2 } });
    await engine.start("victim", "a");
    await engine.start("spray", "1");
    const sent = Array.from({ length: 30 }, (_, word) => ["a", `w${word}`]);
    for (const word of ["w3", "w4", "w20"]) mortal.lethal.add(word);
    await mortal.killedBy(() => engine.taskwright.send("spray/1", { type: "SPRAY", words: sent }));
    await mortal.revive(20);
    expect((await engine.taskwright.deadLetters()).map(({ event }) => event.word)).toEqual(["w3", "w4", "w20"]);
    expect(await words(engine, "a")).toEqual(sent.map(([, word]) => word).filter((word) => !mortal.lethal.has(word as string)));
  });

  inBothJournals("a deadline is given up, set aside and can be told later; others ring in due order", async (bench) => {
    const { mortal, victim } = scene();
    const rang: Array<string> = [];
    const engine = await mortal.open(bench, { machines: [victim] });
    for (const id of ["a", "b", "c", "d"]) {
      await engine.start("victim", id);
      await engine.send(`victim/${id}`, { type: "WAIT" });
      await engine.advance("10 millis");
    }
    mortal.lethal.add("timer of victim/b");
    await mortal.killedBy(async () => engine.advance("2 seconds"));
    engine.time.advance(2_000);
    expect(await mortal.revive()).toBe(4);
    engine.taskwright.observe(({ address }) => rang.push(address));
    expect(await Promise.all(["a", "b", "c", "d"].map(async (id) => (await engine.snapshot(`victim/${id}`)).value))).toEqual(["rung", "waiting", "rung", "rung"]);
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ address: "victim/b", event: { type: "taskwright.timer" }, error: { code: "poison_event" } }]);
    expect((await engine.taskwright.history("victim/b")).map(({ event, outcome }) => `${event.type} ${outcome}`).slice(-2)).toEqual(["taskwright.timer failed", "taskwright.hold handled"]);
    expect(await mortal.revive()).toBe(1);
    mortal.lethal.clear();
    expect(await engine.taskwright.requeue({})).toBe(1);
    expect(await engine.snapshot("victim/b")).toMatchObject({ value: "rung", context: { rang: true } });
    expect(await attemptsIn(engine)).toEqual([]);
  });

  inBothJournals("an action is given up, and the others are carried out", async (bench) => {
    const { mortal, victim, acted } = scene();
    const engine = await mortal.open(bench, { machines: [victim] });
    await engine.start("victim", "a");
    mortal.lethal.add("kill");
    const crashed = engine.crashAfterCommits(1);
    for (const name of ["one", "kill", "two", "three"]) void engine.taskwright.send("victim/a", { type: "ACT", name }).catch(() => {});
    await crashed;
    expect(await mortal.revive()).toBe(4);
    // "one" ran at the first try too: its end was not stored before the process ended.
    expect([...new Set(acted)].sort()).toEqual(["one", "three", "two"]);
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ kind: "action", action: "act", address: "victim/a", error: { code: "poison_event" } }]);
    expect(await attemptsIn(engine)).toEqual([]);
    expect(await Effect.runPromise((await engine.reader()).effects(0, 10))).toEqual([]);
    mortal.lethal.clear();
    expect(await engine.taskwright.requeue({ kind: "action" })).toBe(1);
    await engine.settled();
    expect(acted.at(-1)).toBe("kill");
  });

  inBothJournals("an action that ends it later does not take those with it that ran beside it", async (bench) => {
    const mortal = new Mortal();
    const ended: Array<string> = [];
    let release: Array<() => void> = [];
    const slow = setup({
      types: { events: {} as { type: "ACT"; name: string } },
      actions: {
        act: (async (_: unknown, { name }: { name: string }) => {
          await new Promise<void>((resolve) => release.push(resolve));
          mortal.pass(name);
          ended.push(name);
        }) as never,
      },
    }).createMachine({ id: "slow", on: { ACT: { actions: { type: "act", params: ({ event }: { event: { name: string } }) => ({ name: event.name }) } as never } } });
    const engine = await mortal.open(bench, { machines: [slow], limits: { redeliveriesMax: 2 } });
    await engine.start("slow", "1");
    for (const name of ["one", "kill", "two"]) await engine.send("slow/1", { type: "ACT", name });
    mortal.lethal.add("kill");
    /** Lets what runs come to its end, the latest first: the others are still running then. */
    for (let rounds = 0; rounds < 40; rounds++) {
      if (!isOpen(engine)) {
        release = [];
        await engine.restart().catch(() => {});
      }
      for (const go of release.splice(0).reverse()) {
        if (isOpen(engine)) go();
        await new Promise(setImmediate);
      }
      await new Promise(setImmediate);
    }
    await engine.settled();
    expect(mortal.deaths).toBe(3);
    expect([...new Set(ended)].sort()).toEqual(["one", "two"]);
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ kind: "action", event: { name: "kill" } }]);
  });

  inBothJournals("a child whose start ends it is an error to its parent", async (bench) => {
    const mortal = new Mortal();
    const fatal = setup({}).createMachine({ id: "fatal", context: () => ({ alive: mortal.pass("start") }) });
    const parent = setup({ types: { context: {} as { error: unknown } }, actors: { fatal, list } }).createMachine({
      id: "parent",
      context: { error: null },
      initial: "off",
      on: { GO: ".on" },
      states: {
        off: {},
        on: {
          invoke: [
            { src: "list", id: "first" },
            { src: "fatal", id: "second", onError: { target: "broken", actions: assign({ error: ({ event }) => (event.error as { code?: string }).code }) } },
          ],
        },
        broken: {},
      },
    });
    // One message per turn: the second child's start waits in the mailbox.
    const engine = await mortal.open(bench, { machines: [parent], limits: { turnMessagesMax: 1 } });
    await engine.start("parent", "1");
    mortal.lethal.add("start");
    await mortal.killedBy(() => engine.taskwright.send("parent/1", { type: "GO" }));
    await mortal.revive();
    expect(await engine.snapshot("parent/1")).toMatchObject({ value: "broken", context: { error: "poison_event" } });
    expect(await engine.taskwright.deadLetters()).toEqual([]);
  });

  inBothJournals("supervision decides on what was given up as on what threw", async (bench) => {
    const { mortal, victim, spray } = scene();
    const engine = await mortal.open(bench, { machines: [{ machine: victim, supervision: { strategy: "restart" } }, spray], limits: { turnMessagesMax: 1 } });
    await engine.start("victim", "a");
    await engine.start("spray", "1");
    mortal.lethal.add("kill");
    const sent = ["w1", "w2", "kill", "w3"].map((word) => ["a", word]);
    await mortal.killedBy(() => engine.taskwright.send("spray/1", { type: "SPRAY", words: sent }));
    await mortal.revive();
    const events = (await engine.taskwright.history("victim/a")).map(({ event, outcome }) => `${event.word ?? event.type} ${outcome}`);
    expect(events).toContain("kill failed");
    expect(events).toContain("taskwright.restart handled");
    expect(events).toContain("w3 handled");
  });

  inBothJournals("what comes of giving up is counted in its turn: a parent that ends it as well is given up after its child", async (bench) => {
    const mortal = new Mortal();
    const kid = setup({ types: { events: {} as { type: "TELL" } }, guards: { survives: () => mortal.pass("kid") } }).createMachine({ id: "kid", on: { TELL: { guard: "survives" } } });
    const parent = setup({ types: { events: {} as { type: "PASS" } }, actors: { kid, list }, guards: { survives: () => mortal.pass("parent") } }).createMachine({
      id: "parent",
      initial: "on",
      states: {
        on: {
          invoke: { src: "kid", id: "kid", onError: { guard: "survives", target: "broken" } },
          on: { PASS: { actions: [sendTo(() => actorRef("list/1"), { type: "SAY", word: 1 }), sendTo("kid", { type: "TELL" })] } },
        },
        broken: {},
      },
    });
    const machines = [parent, { machine: kid, supervision: { strategy: "escalate" as const } }, list];
    const engine = await mortal.open(bench, { machines, limits: { turnMessagesMax: 1, redeliveriesMax: 2 } });
    await engine.start("list", "1");
    await engine.start("parent", "1");
    mortal.lethal.add("kid");
    mortal.lethal.add("parent");
    await mortal.killedBy(() => engine.taskwright.send("parent/1", { type: "PASS" }));
    await mortal.revive();
    expect((await engine.taskwright.deadLetters()).map(({ address, event, error }) => [address, event.type, error.code])).toEqual([
      ["parent/1/kid", "TELL", "poison_event"],
      ["parent/1", "taskwright.error", "poison_event"],
    ]);
    mortal.lethal.clear();
    expect(await engine.taskwright.requeue({ address: "parent/1" })).toBe(1);
    expect(await engine.snapshot("parent/1")).toMatchObject({ value: "broken" });
  });

  inBothJournals("a parent that ends it when it hears of an activity that ended it too often is given up", async (bench) => {
    const mortal = new Mortal();
    const held = new Held();
    const working = setup({ actors: { work: held.logic }, guards: { survives: () => mortal.pass("onError") } }).createMachine({
      id: "working",
      initial: "on",
      states: { on: { invoke: { src: "work", id: "work", onError: { guard: "survives", target: "failed" } } }, failed: {} },
    });
    const engine = await mortal.open(bench, { machines: [{ machine: working, activities: { work: { interruptionsMax: 1 } } }], limits: { redeliveriesMax: 2 } });
    await engine.start("working", "1");
    mortal.lethal.add("onError");
    for (let restarts = 0; mortal.deaths === 0 && restarts < 5; restarts++) await engine.restart().catch(() => {});
    await mortal.revive();
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ address: "working/1", event: { type: "taskwright.error", child: "work" }, error: { code: "poison_event" } }]);
  });

  inBothJournals("hosts are served while there is much to be careful with", async (bench) => {
    const { mortal, victim, spray } = scene();
    const engine = await mortal.open(bench, { machines: [victim, spray], limits: { turnMessagesMax: 1, turnEnvelopesMax: 1 } });
    for (const id of ["a", "b"]) await engine.start("victim", id);
    await engine.start("spray", "1");
    const crashed = engine.crashAfterCommits(1);
    void engine.taskwright.send("spray/1", { type: "SPRAY", words: Array.from({ length: 40 }, (_, word) => ["a", `w${word}`]) }).catch(() => {});
    await crashed;
    await engine.open({ ownerIsDead: true });
    await engine.taskwright.send("victim/b", { type: "TELL", word: "host" });
    expect((await words(engine, "a")).length).toBeLessThan(40);
    await engine.settled();
    expect(await words(engine, "a")).toHaveLength(40);
  });

  inBothJournals("what an engine leaves behind properly is taken without a word about attempts", async (bench) => {
    const { mortal, victim, spray } = scene();
    const turns: Array<Turn> = [];
    const engine = await mortal.open(bench, {
      machines: [victim, spray],
      limits: { turnMessagesMax: 1 },
      wrap: (journal) => ({
        ...journal,
        commit: (turn) =>
          Effect.zipRight(
            Effect.sync(() => turns.push(turn)),
            journal.commit(turn),
          ),
      }),
    });
    await engine.start("victim", "a");
    await engine.send("victim/a", { type: "WAIT" });
    await engine.taskwright.close();
    engine.crash();
    engine.time.advance(5_000);
    await engine.open();
    await engine.settled();
    expect(await engine.snapshot("victim/a")).toMatchObject({ value: "rung" });
    expect(turns.every(({ attempts, attemptsDone, deadLettersTaken }) => attempts === undefined && attemptsDone === undefined && deadLettersTaken === undefined)).toBe(true);
    await engine.restart();
    expect(turns.some(({ attempts }) => attempts !== undefined)).toBe(true);
  });

  inBothJournals("a store that refuses in the middle of it leaves nothing out, and nothing marked", async (bench) => {
    const { mortal, victim, spray } = scene();
    const held = new Held();
    const working = setup({ actors: { work: held.logic } }).createMachine({ id: "working", invoke: { src: "work", id: "work" } });
    let refusals = 0;
    let commits = 0;
    const engine = await mortal.open(bench, {
      machines: [victim, spray, working],
      limits: { turnMessagesMax: 1, turnEnvelopesMax: 2, dueTimersMax: 2 },
      wrap: (journal) => ({
        ...journal,
        // Every second one, in turn before and after everything is stored.
        commit: (turn) => {
          if (refusals === 0 || commits++ % 2 === 0) return journal.commit(turn);
          refusals--;
          const error = new JournalError({ reason: "failed", where: "test", detail: "on purpose" });
          return commits % 4 === 0 ? Effect.fail(error) : Effect.zipRight(journal.commit(turn), Effect.fail(error));
        },
      }),
    });
    await engine.start("working", "1");
    await engine.start("spray", "1");
    for (const id of ["a", "b", "c"]) {
      await engine.start("victim", id);
      await engine.send(`victim/${id}`, { type: "WAIT" });
      await engine.send(`victim/${id}`, { type: "ACT", name: id });
    }
    const crashed = engine.crashAfterCommits(1);
    const sent = Array.from({ length: 12 }, (_, word) => ["a", `w${word}`]);
    void engine.taskwright.send("spray/1", { type: "SPRAY", words: sent }).catch(() => {});
    await crashed;
    engine.time.advance(5_000);
    await engine.open({ ownerIsDead: true });
    refusals = 12;
    await engine.advance("10 minutes");
    expect(refusals).toBe(0);
    expect(await words(engine, "a")).toEqual(sent.map(([, word]) => word));
    expect(await Promise.all(["a", "b", "c"].map(async (id) => (await engine.snapshot(`victim/${id}`)).value))).toEqual(["rung", "rung", "rung"]);
    expect(await attemptsIn(engine)).toEqual([]);
    expect(await engine.taskwright.deadLetters()).toEqual([]);
    expect(held.calls).toHaveLength(2);
  });

  inBothJournals("an opening that fails half-way does not pass for a proper end", async (bench) => {
    const { mortal, victim, spray } = scene();
    let unreadable = false;
    const engine = await mortal.open(bench, {
      machines: [victim, spray],
      limits: { turnMessagesMax: 1, redeliveriesMax: 2 },
      wrap: (journal) => ({ ...journal, effects: (after, limit) => (unreadable ? Effect.die(new Error("unreadable")) : journal.effects(after, limit)) }),
    });
    await engine.start("victim", "a");
    await engine.start("spray", "1");
    mortal.lethal.add("kill");
    const sent = ["w1", "w2", "kill"].map((word) => ["a", word]);
    await mortal.killedBy(() => engine.taskwright.send("spray/1", { type: "SPRAY", words: sent }));
    unreadable = true;
    await expect(engine.open({ ownerIsDead: true })).rejects.toThrow("unreadable");
    unreadable = false;
    expect(await mortal.revive()).toBe(3);
    expect(await engine.taskwright.deadLetters()).toHaveLength(1);
  });

  inBothJournals("an engine that closes while an action runs forgives it: it ended nothing", async (bench) => {
    const hang = setup({ actions: { hang: (() => new Promise(() => {})) as never } }).createMachine({ id: "hang", entry: "hang" });
    const engine = await bench.engine({ machines: [hang], limits: { redeliveriesMax: 2 } });
    await engine.start("hang", "1");
    for (let times = 0; times < 5; times++) {
      await engine.restart();
      const closed = engine.taskwright.close({ grace: "1 second" });
      engine.time.advance(1_000);
      await closed;
      engine.crash();
      await engine.open();
    }
    expect(await engine.taskwright.deadLetters()).toEqual([]);
    expect(await Effect.runPromise((await engine.reader()).effects(0, 10))).toHaveLength(1);
  });
});

const isOpen = (engine: TestEngine): boolean => {
  try {
    return engine.taskwright !== undefined;
  } catch {
    return false;
  }
};
