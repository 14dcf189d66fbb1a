import { describe, expect } from "vitest";
import { assign, type EventObject, fromCallback, sendTo, setup, spawnChild, stopChild } from "xstate";
import { type ActivityOptions, type DurableMachine, EngineBusy } from "../../src/engine/index.ts";
import { inBothJournals, inMemory, inThreeModes, inTwoModes, type TestEngine } from "../../src/testing/index.ts";
import { HeldCallback, HeldObservable } from "./live-code.ts";

interface Heard {
  heard: ReadonlyArray<unknown>;
}

/** Invokes one live actor as "code" while it listens, and keeps what it hears. */
const listener = (logic: HeldCallback["logic"] | HeldObservable["values"] | HeldObservable["events"], options: ActivityOptions = {}): DurableMachine => ({
  machine: setup({
    types: { context: {} as Heard, events: {} as EventObject & { [key: string]: unknown } },
    actors: { code: logic as HeldCallback["logic"] },
    actions: {
      keep: assign({ heard: ({ context, event }) => [...context.heard, event] }),
      keepValue: assign({ heard: ({ context, event }) => [...context.heard, (event as unknown as { snapshot: { context: unknown } }).snapshot.context ?? null] }),
      keepError: assign({ heard: ({ context, event }) => [...context.heard, (event as unknown as { error: Error }).error.message] }),
    },
  }).createMachine({
    id: "listener",
    context: { heard: [] },
    initial: "listening",
    states: {
      listening: {
        invoke: {
          src: "code",
          id: "code",
          input: { room: 5 },
          onSnapshot: { actions: "keepValue" },
          onDone: "done",
          onError: { target: "failed", actions: "keepError" },
        },
        on: { TICK: { actions: "keep" }, SAY: { actions: sendTo("code", ({ event }) => ({ type: "SAID", text: event.text }) as never) }, LEAVE: "left" },
      },
      left: { on: { BACK: "listening", TICK: { actions: "keep" } } },
      done: {},
      failed: {},
    },
  }),
  activities: { code: options },
});

const heardOf = async (engine: TestEngine): Promise<ReadonlyArray<unknown>> => ((await engine.snapshot("listener/1")).context as Heard).heard;
/** Lets what the code just did be stored. */
const stored = async (engine: TestEngine, what: () => void): Promise<void> => {
  what();
  await engine.settled();
};

describe("engine > live actors", () => {
  inTwoModes("a run that has ended is not begun again by what is stored before its end", async (bench) => {
    const held = new HeldObservable();
    // One event per turn: the value is stored alone, before the end that came with it.
    const engine = await bench.engine({ machines: [listener(held.values)], limits: { turnEnvelopesMax: 1 } });
    await engine.start("listener", "1");
    held.last.next(1);
    held.last.complete();
    await engine.settled();
    expect(held.subscriptions).toHaveLength(1);
    expect(await engine.snapshot("listener/1")).toMatchObject({ value: "done" });
  });

  describe("callbacks", () => {
    inThreeModes("what a callback sends back is stored, and its parent is told", async (bench) => {
      const held = new HeldCallback();
      const engine = await bench.engine({ machines: [listener(held.logic)] });
      await engine.start("listener", "1");
      expect(held.last.input).toEqual({ room: 5 });
      await stored(engine, () => held.last.sendBack({ type: "TICK", at: 1 } as EventObject));
      expect(await heardOf(engine)).toContainEqual({ type: "TICK", at: 1 });
      const history = await engine.taskwright.history("listener/1/code");
      expect(history.map(({ event }) => event)).toContainEqual({ type: "taskwright.live.sent", run: held.runs.length, event: { type: "TICK", at: 1 } });
    });

    inTwoModes("what it is sent is stored before it hears of it", async (bench) => {
      const held = new HeldCallback();
      const engine = await bench.engine({ machines: [listener(held.logic)] });
      await engine.start("listener", "1");
      await engine.send("listener/1", { type: "SAY", text: "hello" });
      await engine.settled();
      expect(held.last.told).toEqual([{ type: "SAID", text: "hello" }]);
      expect((await engine.taskwright.history("listener/1/code")).at(-1)?.event).toEqual({ type: "SAID", text: "hello" });
    });

    inThreeModes("leaving the state that invoked it ends it, and what it says then is not heard", async (bench) => {
      const held = new HeldCallback();
      const engine = await bench.engine({ machines: [listener(held.logic)] });
      await engine.start("listener", "1");
      const { last } = held;
      await engine.send("listener/1", { type: "LEAVE" });
      await engine.settled();
      expect(last.ended).toBe(true);
      await stored(engine, () => last.sendBack({ type: "TICK" }));
      expect(await heardOf(engine)).not.toContainEqual({ type: "TICK" });
      await engine.send("listener/1", { type: "BACK" });
      await engine.settled();
      expect(held.last).not.toBe(last);
      expect(held.last.ended).toBe(false);
    });

    inBothJournals("it begins anew after a crash, from its input", async (bench) => {
      const held = new HeldCallback();
      const engine = await bench.engine({ machines: [listener(held.logic)] });
      await engine.start("listener", "1");
      const before = held.last;
      await engine.restart();
      expect(held.runs).toHaveLength(2);
      expect(held.last.input).toEqual({ room: 5 });
      // The process that died says nothing any more; the new one does.
      await stored(engine, () => before.sendBack({ type: "TICK", from: "the dead" } as EventObject));
      await stored(engine, () => held.last.sendBack({ type: "TICK", from: "the living" } as EventObject));
      expect(await heardOf(engine)).toContainEqual({ type: "TICK", from: "the living" });
      expect(await heardOf(engine)).not.toContainEqual({ type: "TICK", from: "the dead" });
    });

    inBothJournals("closing suspends it, opening resumes it: a graceful end is no crash", async (bench) => {
      const held = new HeldCallback();
      const engine = await bench.engine({ machines: [listener(held.logic)] });
      await engine.start("listener", "1");
      for (let closed = 0; closed < 7; closed++) {
        await engine.taskwright.close();
        expect(held.last.ended).toBe(true);
        await engine.open();
        await engine.settled();
      }
      expect(await engine.snapshot("listener/1/code")).toMatchObject({ value: "running", context: { run: 8, crashes: 0 } });
    });

    inBothJournals("code that ends every process at once is given up, and its parent is told", async (bench) => {
      const held = new HeldCallback();
      const engine = await bench.engine({ machines: [listener(held.logic, { interruptionsMax: 2 })] });
      await engine.start("listener", "1");
      for (let crash = 0; crash < 3; crash++) await engine.restart();
      expect(await engine.snapshot("listener/1")).toMatchObject({ value: "failed" });
      expect(await heardOf(engine)).toContainEqual(expect.stringContaining("the process ended 3 times"));
    });

    inThreeModes("one that throws at once is told as onError", async (bench) => {
      const broken = fromCallback(() => {
        throw new Error("no such room");
      });
      const engine = await bench.engine({ machines: [listener(broken as HeldCallback["logic"])] });
      await engine.start("listener", "1");
      await engine.settled();
      expect(await engine.snapshot("listener/1")).toMatchObject({ value: "failed" });
      expect(await heardOf(engine)).toContain("no such room");
    });

    inMemory("one that throws at what it is told, or rejects later, is told as onError", async (bench) => {
      const deaf = fromCallback(({ receive }) => {
        receive(() => {
          throw new Error("I will not listen");
        });
      });
      const late = fromCallback((async () => {
        await Promise.resolve();
        throw new Error("it went wrong later");
      }) as never);
      for (const [logic, message] of [
        [deaf, "I will not listen"],
        [late, "it went wrong later"],
      ] as const) {
        const engine = await bench.engine({ machines: [listener(logic as HeldCallback["logic"])] });
        await engine.start("listener", "1");
        await engine.send("listener/1", { type: "SAY", text: "hello" });
        await engine.settled();
        expect(await heardOf(engine)).toContain(message);
      }
    });

    inMemory("with a retry policy it begins again after its back-off", async (bench) => {
      let calls = 0;
      const flaky = fromCallback(({ sendBack }) => {
        if (++calls < 3) throw new Error("not yet");
        sendBack({ type: "TICK", calls } as EventObject);
      });
      const engine = await bench.engine({ machines: [listener(flaky as HeldCallback["logic"], { retry: { attemptsMax: 5, backoff: { kind: "fixed", baseMs: 1_000 } } })] });
      await engine.start("listener", "1");
      await engine.advance("999 millis");
      expect(calls).toBe(1);
      await engine.advance("1001 millis");
      expect(await heardOf(engine)).toContainEqual({ type: "TICK", calls: 3 });
    });

    inMemory("what it says must be an event that may be sent", async (bench) => {
      const held = new HeldCallback();
      const engine = await bench.engine({ machines: [listener(held.logic)] });
      await engine.start("listener", "1");
      for (const wrong of [{ type: "taskwright.stop" }, { type: "" }, { type: "TICK", when: 1n }, "TICK"]) expect(() => held.last.sendBack(wrong as EventObject)).toThrow(/is refused/);
      expect(await heardOf(engine)).not.toContainEqual(expect.objectContaining({ type: "TICK" }));
    });

    inMemory("one that is faster than the store is refused, as a host is", async (bench) => {
      const held = new HeldCallback();
      const engine = await bench.engine({ machines: [listener(held.logic)], limits: { intakeMax: 10 } });
      await engine.start("listener", "1");
      const flood = () => {
        for (let tick = 0; tick < 20; tick++) held.last.sendBack({ type: "TICK" });
      };
      expect(flood).toThrow(EngineBusy);
      await engine.settled();
      expect((await heardOf(engine)).filter((event) => (event as EventObject | null)?.type === "TICK")).toHaveLength(10);
    });

    inMemory("it is heard of at once by whoever listens to what it emits", async (bench) => {
      const held = new HeldCallback();
      const engine = await bench.engine({ machines: [listener(held.logic)] });
      await engine.start("listener", "1");
      const heard: Array<unknown> = [];
      engine.taskwright.onEmitted((address, event) => void heard.push([address, event]));
      await stored(engine, () => held.last.emit({ type: "NEWS" }));
      expect(heard).toEqual([["listener/1/code", { type: "NEWS" }]]);
    });

    inMemory("a clean-up that throws is logged, and nothing else comes of it", async (bench) => {
      const messy = fromCallback(() => () => {
        throw new Error("can't be cleaned");
      });
      const engine = await bench.engine({ machines: [listener(messy as HeldCallback["logic"])] });
      await engine.start("listener", "1");
      await engine.send("listener/1", { type: "LEAVE" });
      await engine.settled();
      expect(await engine.snapshot("listener/1")).toMatchObject({ value: "left" });
      expect(engine.logged).toContainEqual(expect.objectContaining({ level: "error", address: "listener/1/code" }));
    });
  });

  describe("observables", () => {
    inThreeModes("each value is stored and shown to the parent, the end is its onDone", async (bench) => {
      const held = new HeldObservable();
      const engine = await bench.engine({ machines: [listener(held.values)] });
      await engine.start("listener", "1");
      await stored(engine, () => held.last.next({ degrees: 21 }));
      await stored(engine, () => held.last.next({ degrees: 22 }));
      expect(await heardOf(engine)).toEqual(expect.arrayContaining([{ degrees: 21 }, { degrees: 22 }]));
      expect(await engine.snapshot("listener/1/code")).toMatchObject({ context: { value: { degrees: 22 } } });
      await stored(engine, () => held.last.complete());
      expect(await engine.snapshot("listener/1")).toMatchObject({ value: "done" });
    });

    inThreeModes("an event observable's events are told to the parent", async (bench) => {
      const held = new HeldObservable();
      const engine = await bench.engine({ machines: [listener(held.events)] });
      await engine.start("listener", "1");
      await stored(engine, () => held.last.next({ type: "TICK", n: 1 }));
      expect(await heardOf(engine)).toContainEqual({ type: "TICK", n: 1 });
    });

    inThreeModes("one that fails is told as onError and unsubscribed", async (bench) => {
      const held = new HeldObservable();
      const engine = await bench.engine({ machines: [listener(held.values)] });
      await engine.start("listener", "1");
      const { last } = held;
      await stored(engine, () => last.error(new Error("the line is dead")));
      expect(await engine.snapshot("listener/1")).toMatchObject({ value: "failed" });
      expect(await heardOf(engine)).toContain("the line is dead");
      expect(last.ended).toBe(true);
    });

    inMemory("a value that can't be stored ends it with its cause", async (bench) => {
      const held = new HeldObservable();
      const engine = await bench.engine({ machines: [listener(held.values)] });
      await engine.start("listener", "1");
      await stored(engine, () => held.last.next({ of: () => 1 }));
      expect(await heardOf(engine)).toContainEqual(expect.stringMatching(/is refused/));
    });

    inBothJournals("after a crash it is subscribed to anew", async (bench) => {
      const held = new HeldObservable();
      const engine = await bench.engine({ machines: [listener(held.values)] });
      await engine.start("listener", "1");
      await engine.restart();
      await stored(engine, () => held.last.next(3));
      expect(held.subscriptions).toHaveLength(2);
      expect(await heardOf(engine)).toContain(3);
    });
  });

  inMemory("many of them end when the engine closes, also those that begin while it closes", async (bench) => {
    const held = new HeldCallback();
    const family = setup({ actors: { code: held.logic }, actions: {} }).createMachine({
      id: "family",
      entry: Array.from({ length: 20 }, (_, index) => spawnChild("code", { id: `code-${index}` })),
      on: { STOP: { actions: stopChild("code-3") } },
    });
    const engine = await bench.engine({ machines: [family] });
    await engine.start("family", "1");
    await engine.send("family/1", { type: "STOP" });
    await engine.settled();
    expect(held.runs.filter((run) => run.ended)).toHaveLength(1);
    await engine.taskwright.close();
    expect(held.runs.every((run) => run.ended)).toBe(true);
    await engine.open();
    await engine.settled();
    expect(held.runs).toHaveLength(20 + 19);
  });
});
