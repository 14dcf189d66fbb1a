import * as Effect from "effect/Effect";
import { describe, expect } from "vitest";
import { assign, emit, log, setup } from "xstate";
import type { ActionInfo, DurableMachine } from "../../src/engine/index.ts";
import { inBothJournals, inMemory, inThreeModes } from "../../src/testing/index.ts";

type Told = { type: "NOTE" | "HOST" | "BOTH" | "BREAK" | "TWICE" | "EMIT" | "LOG" | "BAD_PARAMS"; word?: unknown };

/** A machine whose custom actions write into `notes`; `host` is only implemented at registration. */
const noting = (notes: Array<unknown>, actions: DurableMachine["actions"] = {}): DurableMachine => ({
  machine: setup({
    types: { context: {} as { count: number }, events: {} as Told },
    actions: {
      note: ({ context, event, self }, params: { word: unknown }) => {
        notes.push({ own: params.word, count: context.count, event: event.type, self: (self as unknown as { address: string }).address });
      },
      breaking: () => {
        throw new Error("the action broke");
      },
      count: assign({ count: ({ context }) => context.count + 1 }),
    },
  }).createMachine({
    id: "noting",
    context: { count: 0 },
    on: {
      NOTE: { actions: ["count", { type: "note", params: ({ event }) => ({ word: event.word }) }] },
      HOST: { actions: [{ type: "host" as "note", params: ({ event }) => ({ word: event.word }) }] },
      BREAK: { actions: ["breaking", "count"] },
      TWICE: {
        actions: [
          { type: "note", params: { word: "first" } },
          { type: "note", params: { word: "second" } },
        ],
      },
      EMIT: { actions: [emit(({ event }) => ({ type: "SPOKE", word: event.word })), "count"] },
      LOG: { actions: [log(({ context, event }) => ({ count: context.count, word: event.word }), "said"), "count"] },
      BAD_PARAMS: { actions: [{ type: "note", params: () => ({ word: () => {} }) }] },
    },
  }),
  actions,
});

const host = () => {};
const effectsOf = async (engine: { reader: () => Promise<{ effects: (after: number, limit: number) => Effect.Effect<ReadonlyArray<unknown>, unknown> }> }) =>
  Effect.runPromise((await engine.reader()).effects(0, 100));

describe("engine > custom actions", () => {
  inThreeModes("an action runs after the transition is stored, with its parameters, event and context", async (bench) => {
    const notes: Array<unknown> = [];
    const engine = await bench.engine({ machines: [noting(notes, { host })] });
    await engine.start("noting", "1");
    await engine.send("noting/1", { type: "NOTE", word: { deep: [1] } });
    await engine.settled();
    expect(notes).toEqual([{ own: { deep: [1] }, count: 1, event: "NOTE", self: "noting/1" }]);
    expect(await effectsOf(engine)).toEqual([]);
  });

  inThreeModes("actions of one transition run in order", async (bench) => {
    const notes: Array<unknown> = [];
    const engine = await bench.engine({ machines: [noting(notes, { host })] });
    await engine.start("noting", "1");
    await engine.send("noting/1", { type: "TWICE" });
    await engine.settled();
    expect(notes).toMatchObject([{ own: "first" }, { own: "second" }]);
  });

  inThreeModes("an action that the host implements is told address, entry, event, context and parameters", async (bench) => {
    const told: Array<ActionInfo> = [];
    const engine = await bench.engine({ machines: [noting([], { host: (info) => void told.push(info) })] });
    await engine.start("noting", "1");
    await engine.send("noting/1", { type: "HOST", word: 5 });
    await engine.settled();
    expect(told).toEqual([{ address: "noting/1", seq: 2, key: expect.stringMatching(/^[\w-]{43}$/), event: { type: "HOST", word: 5 }, context: { count: 0 }, params: { word: 5 } }]);
  });

  inBothJournals("the host's implementation goes before the machine's own", async (bench) => {
    const notes: Array<unknown> = [];
    const engine = await bench.engine({ machines: [noting(notes, { host, note: () => void notes.push("host's") })] });
    await engine.start("noting", "1");
    await engine.send("noting/1", { type: "NOTE", word: 1 });
    await engine.settled();
    expect(notes).toEqual(["host's"]);
  });

  inBothJournals("promises, thenables and Effects are waited for; until then the action is owed", async (bench) => {
    for (const wrap of [
      (promise: Promise<void>) => promise,
      // biome-ignore lint/suspicious/noThenProperty: some libraries return such objects
      (promise: Promise<void>) => ({ then: (done: () => void, fail: (error: unknown) => void) => promise.then(done, fail) }),
      (promise: Promise<void>) => Effect.promise(() => promise),
    ]) {
      let end = () => {};
      const ended = new Promise<void>((resolve) => {
        end = resolve;
      });
      const engine = await bench.engine({ machines: [noting([], { host: () => wrap(ended) })] });
      await engine.start("noting", "1");
      await engine.send("noting/1", { type: "HOST" });
      await engine.settled();
      expect(await effectsOf(engine)).toHaveLength(1);
      end();
      await engine.settled();
      expect(await effectsOf(engine)).toHaveLength(0);
    }
  });

  inBothJournals("a crash before an action was struck from the list runs it again: at least once", async (bench) => {
    const notes: Array<unknown> = [];
    const engine = await bench.engine({ machines: [noting(notes, { host: () => Effect.never })] });
    await engine.start("noting", "1");
    // Stored, and nobody heard of it.
    const crashed = engine.crashAfterCommits(1);
    void engine.taskwright.send("noting/1", { type: "NOTE", word: "a" });
    await crashed;
    expect(notes).toEqual([]);
    await engine.restart();
    expect(notes).toMatchObject([{ own: "a", event: "NOTE", self: "noting/1" }]);
    // Carried out for ever: begins again with each engine.
    await engine.send("noting/1", { type: "HOST" });
    await engine.restart();
    expect(await effectsOf(engine)).toMatchObject([{ action: "host", seq: 3 }]);
    // Carried out, but not struck from the list.
    const again = engine.crashAfterCommits(2);
    void engine.taskwright.send("noting/1", { type: "NOTE", word: "b" });
    await again;
    await engine.restart();
    expect(notes.slice(1)).toMatchObject([{ own: "b" }]);
  });

  inThreeModes("an action that throws is a dead letter, once, and the actor goes on", async (bench) => {
    const engine = await bench.engine({ machines: [noting([], { host: () => Effect.fail({ _tag: "Refused", message: "no" }) })] });
    await engine.start("noting", "1");
    expect(await engine.send("noting/1", { type: "BREAK" })).toMatchObject({ outcome: "handled" });
    await engine.settled();
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ address: "noting/1", event: { type: "BREAK" }, error: { message: "the action broke" } }]);
    await engine.send("noting/1", { type: "HOST" });
    await engine.settled();
    expect(await engine.taskwright.deadLetters()).toMatchObject([{}, { event: { type: "HOST" }, error: { message: "no" } }]);
    expect(await engine.snapshot("noting/1")).toMatchObject({ context: { count: 1 }, status: "active" });
    expect(await effectsOf(engine)).toEqual([]);
    expect(engine.logged.filter(({ level }) => level === "error")).toMatchObject([{ address: "noting/1" }, { address: "noting/1" }]);
  });

  inThreeModes("parameters that are no JSON fail the event", async (bench) => {
    const engine = await bench.engine({ machines: [noting([], { host })] });
    await engine.start("noting", "1");
    await expect(engine.send("noting/1", { type: "BAD_PARAMS" })).rejects.toMatchObject({ _tag: "ActorFailed", detail: expect.stringContaining("word") });
  });

  inMemory("an action may send to its own actor", async (bench) => {
    const machine = setup({
      types: { context: {} as { heard: boolean }, events: {} as { type: "GO" | "BACK" } },
      actions: { reply: ({ self }) => self.send({ type: "BACK" }) },
    }).createMachine({ id: "selfish", context: { heard: false }, on: { GO: { actions: "reply" }, BACK: { actions: assign({ heard: true }) } } });
    const engine = await bench.engine({ machines: [machine] });
    await engine.start("selfish", "1");
    await engine.send("selfish/1", { type: "GO" });
    await engine.settled();
    expect(await engine.snapshot("selfish/1")).toMatchObject({ context: { heard: true } });
  });
});

describe("engine > emit and log", () => {
  inBothJournals("what a machine emits is heard after it is stored", async (bench) => {
    const engine = await bench.engine({ machines: [noting([], { host })] });
    await engine.start("noting", "1");
    const heard: Array<unknown> = [];
    const stop = engine.taskwright.onEmitted((address, event) => heard.push([address, event]));
    await engine.send("noting/1", { type: "EMIT", word: 1 });
    expect(heard).toEqual([["noting/1", { type: "SPOKE", word: 1 }]]);
    stop();
    await engine.send("noting/1", { type: "EMIT", word: 2 });
    expect(heard).toHaveLength(1);
  });

  inBothJournals("what a machine logs goes to the engine's log, after it is stored", async (bench) => {
    const engine = await bench.engine({ machines: [noting([], { host })] });
    await engine.start("noting", "1");
    await engine.send("noting/1", { type: "LOG", word: "x" });
    expect(engine.logged.filter(({ address }) => address !== undefined)).toEqual([{ level: "info", message: "said", address: "noting/1", data: { count: 0, word: "x" } }]);
  });

  inMemory("a transition that is not stored neither emits nor logs", async (bench) => {
    const { JournalError } = await import("../../src/journal/index.ts");
    const engine = await bench.engine({ machines: [noting([], { host })] });
    await engine.start("noting", "1");
    const heard: Array<unknown> = [];
    engine.taskwright.onEmitted((_, event) => heard.push(event));
    engine.store.faults.beforeCommit = () => new JournalError({ reason: "failed", where: "memory", detail: "on purpose" });
    await expect(engine.send("noting/1", { type: "EMIT" })).rejects.toMatchObject({ _tag: "EngineDegraded" });
    engine.store.faults.beforeCommit = undefined;
    await engine.advance("1 minute");
    await engine.send("noting/1", { type: "LOG" });
    expect(heard).toEqual([]);
    expect(engine.logged.filter(({ level, address }) => level === "info" && address !== undefined)).toHaveLength(1);
  });

  inMemory("listeners and a log that throw stop nobody", async (bench) => {
    const engine = await bench.engine({
      machines: [noting([], { host })],
      log: () => {
        throw new Error("the log broke");
      },
    });
    const heard: Array<unknown> = [];
    const breaking = () => {
      throw new Error("the listener broke");
    };
    engine.taskwright.onEmitted(breaking);
    engine.taskwright.observe(breaking);
    engine.taskwright.onEmitted((_, event) => heard.push(event));
    engine.taskwright.observe(({ event }) => heard.push(event.type));
    await engine.start("noting", "1");
    expect(await engine.send("noting/1", { type: "LOG" })).toMatchObject({ outcome: "handled" });
    expect(await engine.send("noting/1", { type: "EMIT" })).toMatchObject({ outcome: "handled" });
    expect(await engine.send("noting/1", { type: "BREAK" })).toMatchObject({ outcome: "handled" });
    expect(heard).toEqual(["taskwright.start", "LOG", { type: "SPOKE" }, "EMIT", "BREAK"]);
    expect(engine.taskwright.status().state).toBe("running");
  });
});
