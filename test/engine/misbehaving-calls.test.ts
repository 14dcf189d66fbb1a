import * as Schema from "effect/Schema";
import { describe, expect, test } from "vitest";
import { assign, emit, fromPromise, sendTo, setup } from "xstate";
import { actorRef } from "../../src/domain/reference.ts";
import type { SentEvent } from "../../src/engine/index.ts";
import { memoryStore, testEngine } from "../../src/testing/index.ts";
import { counter } from "./machines.ts";
import { recordUncaught, stands } from "./misbehaving/stand.ts";
import { onGo } from "./misbehaving/transitions.ts";
import { overflow, thrown, throwing, trap, unstorable, withGetter } from "./misbehaving/values.ts";

const plain = onGo({ target: ".there" });

/** An event whose fields are others each time that they are read. */
const shifty = (...types: ReadonlyArray<string>): SentEvent => {
  let reads = 0;
  return Object.defineProperty({}, "type", { enumerable: true, get: () => types[Math.min(reads++, types.length - 1)] }) as SentEvent;
};

describe("engine > misbehaving code > events and inputs", () => {
  recordUncaught();

  const events: ReadonlyArray<readonly [string, () => unknown]> = [
    ["nothing", () => undefined],
    ["null", () => null],
    ["a text", () => "GO"],
    ["a list", () => [{ type: "GO" }]],
    ["a function", () => Object.assign(() => 1, { type: "GO" })],
    ["a type that throws", () => withGetter("type")],
    ["a type that is a symbol", () => ({ type: Symbol("GO") })],
    ["a type that is the engine's", () => ({ type: "taskwright.stop" })],
    ["a type that becomes XState's while it is read", () => shifty("GO", "xstate.stop")],
    ["a type that becomes the engine's when it is read once more", () => shifty("GO", "GO", "taskwright.fail")],
    [
      "an instance of a class",
      () =>
        new (class Sent {
          type = "GO";
        })(),
    ],
    ...unstorable.map(([what, make]) => [`with ${what}`, () => ({ type: "GO", value: make() })] as const),
  ];
  for (const [what, make] of events) {
    test(`an event: ${what}`, () =>
      stands(plain, async (engine) => {
        await engine.start("bad", "1");
        const outcome = await engine.taskwright.send("bad/1", make() as SentEvent).then(
          ({ outcome: stored }) => stored,
          ({ _tag }) => _tag,
        );
        if (what.includes("once more")) expect(["InvalidEvent", "handled"]).toContain(outcome);
        else expect(["InvalidEvent", "PayloadTooLarge"]).toContain(outcome);
        expect((await engine.taskwright.history("bad/1")).map(({ event }) => event.type).filter((type) => type !== "taskwright.start" && type !== "GO")).toEqual([]);
        expect(await engine.send("bad/1", { type: "GO" })).toMatchObject({ outcome: "handled" });
      }));
  }

  for (const [what, make] of unstorable) {
    test(`an input with ${what}`, () =>
      stands(plain, async (engine) => {
        await expect(engine.taskwright.start("bad", "1", { value: make() })).rejects.toMatchObject({ _tag: expect.stringMatching(/InvalidEvent|PayloadTooLarge/) });
        expect(await engine.start("bad", "1", { fine: true })).toMatchObject({ duplicate: false });
      }));
  }

  for (const [what, make] of [
    ["a symbol", () => Symbol("bad")],
    ["nothing", () => undefined],
    ["an object whose text throws", () => ({ toString: throwing(new Error("no text")) })],
    ["a trap", trap],
  ] as const) {
    test(`an address, an id, a machine and a key that are ${what}`, () =>
      stands(plain, async (engine) => {
        await engine.start("bad", "1");
        const { taskwright } = engine;
        await expect(taskwright.send(make() as never, { type: "GO" })).rejects.toBeDefined();
        await expect(taskwright.start("bad", make() as never)).rejects.toBeDefined();
        await expect(taskwright.start({ id: make() } as never, "x")).rejects.toBeDefined();
        if (what !== "nothing") await expect(taskwright.send("bad/1", { type: "GO" }, { key: make() as never })).rejects.toBeDefined();
        await expect(taskwright.snapshot(make() as never)).rejects.toBeDefined();
      }));
  }

  test("a schema of events that throws", () =>
    stands({ machine: plain, events: Schema.Struct({ type: Schema.String }).pipe(Schema.filter(throwing(new Error("the schema threw")))) }, async (engine) => {
      await engine.start("bad", "1");
      await expect(engine.taskwright.send("bad/1", { type: "GO" })).rejects.toBeDefined();
      expect(await engine.taskwright.history("bad/1")).toHaveLength(1);
    }));

  for (const [what, make, cause] of thrown.filter(([name]) => !name.includes("20 MB"))) {
    test(`a first context that throws ${what}`, () =>
      stands(onGo({}, {}, { context: () => throwing(make())() }), async (engine) => {
        await expect(engine.taskwright.start("bad", "1")).rejects.toMatchObject({ _tag: "ActorFailed", detail: expect.stringMatching(cause) });
        await expect(engine.snapshot("bad/1")).rejects.toMatchObject({ _tag: "UnknownActor" });
      }));
  }
});

describe("engine > misbehaving code > listeners", () => {
  recordUncaught();
  const speaking = onGo({ target: ".there", actions: emit({ type: "SAID" }) });

  for (const [what, make] of thrown.filter(([name]) => !name.includes("20 MB"))) {
    test(`listeners, logs and predicates that throw ${what}`, () => {
      const heard: Array<string> = [];
      return stands(
        speaking,
        async (engine) => {
          const { taskwright } = engine;
          const spoil = () => throwing(make())();
          taskwright.observe(spoil);
          taskwright.observe(({ event }) => heard.push(event.type));
          taskwright.onEmitted(spoil);
          taskwright.onEmitted((_, event) => heard.push(event.type));
          await engine.start("bad", "1");
          const waiting = expect(
            taskwright
              .waitFor("bad/1", ({ value }) => (value === "there" ? spoil() : false))
              .then(
                () => "came",
                () => "threw",
              ),
          ).resolves.toBe("threw");
          await engine.settled();
          expect(await engine.send("bad/1", { type: "GO" })).toMatchObject({ outcome: "handled" });
          await waiting;
          expect(
            await taskwright
              .waitFor("bad/1", () => spoil())
              .then(
                () => "came",
                () => "threw",
              ),
          ).toBe("threw");
          expect(heard).toEqual(["taskwright.start", "GO", "SAID"].sort((left, right) => Number(left === "GO") - Number(right === "GO")));
        },
        { log: () => throwing(make())() },
      );
    });
  }

  test("a listener that calls the engine again, stops itself and adds others while it is told", () =>
    stands(speaking, async (engine) => {
      const { taskwright } = engine;
      let told = 0;
      const stop = taskwright.observe(({ event }) => {
        told++;
        stop();
        if (event.type === "GO") {
          void taskwright.send("bad/1", { type: "NUDGE" });
          taskwright.observe(() => told++);
        }
      });
      await engine.start("bad", "1");
      await engine.send("bad/1", { type: "GO" });
      await engine.settled();
      expect(told).toBe(1);
    }));

  test("a listener that changes the transition that it is shown", () =>
    stands(onGo({ actions: assign({ n: 5 } as never) }), async (engine) => {
      engine.taskwright.observe((transition) => {
        try {
          Object.assign(transition.event, { type: "taskwright.stop" });
          Object.assign(transition, { address: "counter/innocent", seq: 99 });
        } catch {
          // A frozen one is as well.
        }
      });
      await engine.start("bad", "1");
      await engine.send("bad/1", { type: "GO" });
      expect((await engine.taskwright.history("bad/1")).map(({ event, seq }) => [event.type, seq])).toEqual([
        ["taskwright.start", 1],
        ["GO", 2],
      ]);
    }));

  test("a predicate that changes the view that it is shown", () =>
    stands(onGo({ target: ".there" }), async (engine) => {
      await engine.start("bad", "1");
      const spoil = (view: { context: unknown; value: unknown }): boolean => {
        (view.context as { list: Array<number> }).list.length = 0;
        Object.assign(view, { value: "nowhere" });
        return false;
      };
      const waiting = engine.taskwright.waitFor("bad/1", spoil, { timeout: "1 second" }).catch(({ _tag }) => _tag);
      await engine.settled();
      await engine.send("bad/1", { type: "GO" });
      await engine.advance("1 second");
      expect(await waiting).toBe("TimedOut");
      expect(await engine.snapshot("bad/1")).toMatchObject({ value: "there", context: { list: [1, 2] } });
    }));

  test("a listener whose promise rejects: the host's process hears of it", () =>
    stands(
      plain,
      async (engine) => {
        const stop = engine.taskwright.observe((async () => throwing(new Error("let go"))()) as never);
        await engine.start("bad", "1");
        stop();
      },
      { leaks: 1 },
    ));
});

describe("engine > misbehaving code > closing", () => {
  for (const place of ["guard", "action", "promise", "listener"] as const) {
    test(`a ${place} that closes the engine: it closes in order, and another one goes on`, async () => {
      const calls: Array<() => unknown> = [];
      const run = (where: string) => (where === place ? calls.splice(0).map((call) => call()) : []);
      const machine = onGo(
        { guard: "g", target: ".working", actions: "a" },
        {
          guards: { g: () => run("guard").length >= 0 },
          actions: { a: () => void run("action") },
          actors: { work: fromPromise(async () => void run("promise")) },
        },
        { states: { idle: {}, working: { invoke: { src: "work", onDone: "done" } }, done: {} } },
      );
      const store = memoryStore();
      const engine = await testEngine({ machines: [machine, counter], journal: store });
      await engine.start("bad", "1");
      await engine.start("counter", "1");
      const closed = new Promise<void>((resolve) => calls.push(() => void engine.taskwright.close({ grace: 0 }).then(resolve)));
      engine.taskwright.observe(({ event }) => (event.type === "GO" ? run("listener") : undefined));
      expect(await engine.taskwright.send("bad/1", { type: "GO" })).toMatchObject({ outcome: "handled" });
      await closed;
      await expect(engine.taskwright.send("counter/1", { type: "ADD" })).rejects.toMatchObject({ _tag: "EngineClosed" });
      await engine.restart();
      expect(await engine.send("counter/1", { type: "ADD" })).toMatchObject({ seq: 2 });
      await engine.settled();
      expect(await engine.snapshot("bad/1")).toMatchObject({ value: "done" });
      await engine.end();
      await store.dispose();
    });
  }
});

describe("engine > misbehaving code > what never ends", () => {
  recordUncaught();

  const busy = setup({}).createMachine({ id: "bad", initial: "a", states: { a: { on: { GO: "b" } }, b: { after: { 0: { target: "b", reenter: true } }, on: { STOP: "a" } } } });
  test("a deadline of no time, over and over, leaves room for others", () =>
    stands(busy, async (engine) => {
      await engine.start("bad", "1");
      await engine.send("bad/1", { type: "GO" });
      for (let round = 2; round < 20; round++) expect(await engine.send("counter/other", { type: "ADD" }).catch(({ _tag }) => _tag)).toBe("UnknownActor");
      expect(await engine.send("bad/1", { type: "STOP" })).toMatchObject({ outcome: "handled" });
      expect(await engine.snapshot("bad/1")).toMatchObject({ value: "a", timers: {} });
    }));

  const player = setup({ types: { context: {} as { on: boolean }, events: {} as { type: "BALL" } | { type: "STOP" } } }).createMachine({
    id: "bad",
    context: { on: true },
    on: {
      BALL: { guard: ({ context }) => context.on, actions: sendTo(({ self }) => actorRef((self as unknown as { address: string }).address === "bad/1" ? "bad/2" : "bad/1"), { type: "BALL" }) },
      STOP: { actions: assign({ on: false }) },
    },
  });
  test("a ball between two actors that is never dropped leaves room for others", () =>
    stands(
      player,
      async (engine) => {
        for (const id of ["1", "2"]) await engine.start("bad", id);
        void engine.taskwright.send("bad/1", { type: "BALL" });
        for (let round = 0; round < 20; round++) await expect(engine.send("counter/other", { type: "ADD" })).rejects.toMatchObject({ _tag: "UnknownActor" });
        for (const id of ["1", "2"]) expect(await engine.taskwright.send(`bad/${id}`, { type: "STOP" })).toMatchObject({ outcome: "handled" });
      },
      { limits: { turnMessagesMax: 50 } },
    ));

  const endless = setup({}).createMachine({ id: "kid", entry: assign(throwing(new Error("never")) as never) });
  const parent = setup({ actors: { endless } }).createMachine({ id: "bad", initial: "trying", states: { trying: { invoke: { src: "endless", onError: { target: "trying", reenter: true } } } } });
  test("a child that fails at its start, and a parent that begins it again each time, leave room for others", () =>
    stands(
      parent,
      async (engine) => {
        void engine.taskwright.start("bad", "1");
        for (let round = 0; round < 20; round++) await expect(engine.taskwright.send("counter/other", { type: "ADD" })).rejects.toMatchObject({ _tag: "UnknownActor" });
        expect(await engine.taskwright.send("counter/innocent", { type: "ADD" })).toMatchObject({ outcome: "handled" });
        engine.crash();
        throw new Error("enough");
      },
      { limits: { turnMessagesMax: 50 } },
    ).catch((error) => expect(error.message).toBe("enough")));

  test("a delay that overflows the stack", () =>
    stands(onGo(".late", { delays: { d: overflow } }, { states: { idle: {}, late: { after: { d: "idle" } } } }), async (engine) => {
      await engine.start("bad", "1");
      await expect(engine.send("bad/1", { type: "GO" })).rejects.toMatchObject({ _tag: "ActorFailed" });
    }));
});
