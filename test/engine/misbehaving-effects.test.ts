import * as Effect from "effect/Effect";
import { describe, expect, test } from "vitest";
import { type AnyStateMachine, fromCallback, fromPromise, sendTo } from "xstate";
import { currentActivity, type DurableMachine } from "../../src/engine/index.ts";
import { recordUncaught, stands } from "./misbehaving/stand.ts";
import { onGo } from "./misbehaving/transitions.ts";
import { thrown, throwing, trap, unstorable } from "./misbehaving/values.ts";

type Act = (info: { readonly event: Record<string, unknown>; readonly context: { n: number; list: Array<number> }; readonly self: { send: (event: unknown) => void } }) => unknown;
const acting = (act: Act): AnyStateMachine => onGo({ target: ".there", actions: "act" }, { actions: { act } });

const then = "then";
/** A promise by its looks: it does what it likes with those who wait for it. */
const thenable = (wait: (yes: () => void, no: (error: unknown) => void) => unknown): object => Object.defineProperty({}, then, { value: wait });

/** Objects that say that they are promises, and lie. */
const liars: ReadonlyArray<readonly [string, () => unknown, "fails" | "ends" | "stays"]> = [
  ["a promise that is not one, whose `then` throws", () => thenable(throwing(new Error("then threw"))), "fails"],
  ["something whose `then` can't be read", () => Object.defineProperty({}, then, { get: throwing(new Error("no then")) }), "fails"],
  ["a trap", trap, "fails"],
  ["a promise that is not one, which answers twice", () => thenable((yes) => [yes(), yes()]), "ends"],
  ["a promise that is not one, which answers and refuses", () => thenable((yes, no) => [yes(), no(new Error("both")), yes()]), "ends"],
  ["a promise that is not one, which answers and throws", () => thenable((yes) => [yes(), throwing(new Error("after"))()]), "ends"],
  ["a promise that never ends", () => new Promise(() => {}), "stays"],
];

describe("engine > misbehaving code > custom actions", () => {
  recordUncaught();

  const expectFailed = async (machine: AnyStateMachine | DurableMachine, cause: RegExp) =>
    stands(machine, async (engine) => {
      await engine.start("bad", "1");
      expect(await engine.send("bad/1", { type: "GO" })).toMatchObject({ outcome: "handled" });
      await engine.settled();
      const [letter, ...others] = await engine.taskwright.deadLetters();
      expect(letter).toMatchObject({ address: "bad/1", event: { type: "GO" } });
      expect(letter?.error.message).toMatch(cause);
      expect(others).toEqual([]);
      expect(await engine.snapshot("bad/1")).toMatchObject({ value: "there", status: "active" });
      await engine.taskwright.settled();
    });

  for (const [what, make, cause] of thrown) {
    test(`one that throws ${what}`, () =>
      expectFailed(
        acting(() => throwing(make())()),
        cause,
      ));
    test(`one that rejects with ${what}`, () =>
      expectFailed(
        acting(() => Promise.reject(make())),
        cause,
      ));
  }
  test("one that overflows the stack", () =>
    expectFailed(
      acting(function again(info): unknown {
        return [again(info)];
      }),
      /call stack/,
    ));
  test("an Effect that dies", () =>
    expectFailed(
      acting(() => Effect.die(new Error("it died"))),
      /it died/,
    ));
  test("an Effect that is interrupted", () =>
    expectFailed(
      acting(() => Effect.interrupt),
      /./,
    ));
  test("an Effect that throws where it is made", () =>
    expectFailed(
      acting(() => Effect.suspend(throwing(new Error("not made")))),
      /not made/,
    ));
  test("one of the host that throws", () =>
    expectFailed({ machine: onGo({ target: ".there", actions: "act" }, { actions: { act: () => {} } }), actions: { act: throwing(new Error("the host's")) } }, /the host's/));

  for (const [what, make, end] of liars) {
    test(`one that returns ${what}`, () =>
      stands(acting(make), async (engine) => {
        await engine.start("bad", "1");
        await engine.send("bad/1", { type: "GO" });
        await engine.settled();
        expect(await engine.taskwright.deadLetters()).toHaveLength(end === "fails" ? 1 : 0);
        // What it owes is struck off exactly once; one that never ends is owed still.
        const left = await Effect.runPromise((await engine.reader()).effects(0, 10));
        expect(left).toHaveLength(end === "stays" ? 1 : 0);
        if (end !== "stays") await engine.taskwright.settled();
      }));
  }

  test("one that changes the event, the context and the parameters that it is given", () =>
    stands(
      acting(({ event, context }) => {
        event.type = "taskwright.stop";
        context.n = 99;
        context.list.length = 0;
      }),
      async (engine) => {
        await engine.start("bad", "1");
        await engine.send("bad/1", { type: "GO" });
        expect(await engine.send("bad/1", { type: "NUDGE" })).toMatchObject({ outcome: "handled" });
        expect(await engine.snapshot("bad/1")).toMatchObject({ context: { n: 1, list: [1, 2] } });
        expect((await engine.taskwright.history("bad/1")).map(({ event }) => event.type)).toEqual(["taskwright.start", "GO", "NUDGE"]);
      },
    ));

  test("one that spoils its event before it throws", () =>
    expectFailed(
      acting(({ event }) => {
        event.big = 1n;
        throw new Error("spoilt");
      }),
      /spoilt/,
    ));

  test("one that sends nonsense through itself", () =>
    stands(
      acting(({ self }) => {
        for (const event of [undefined, null, 7, "X", {}, { type: 7 }, { type: "xstate.stop" }, trap()]) self.send(event);
      }),
      async (engine) => {
        await engine.start("bad", "1");
        await engine.send("bad/1", { type: "GO" });
        expect(await engine.taskwright.history("bad/1")).toHaveLength(2);
      },
    ));

  test("one that calls the engine again, and waits for it", () => {
    const calls: Array<() => unknown> = [];
    return stands(
      acting(() => Promise.all(calls.map((call) => call()))),
      async (engine) => {
        const { taskwright } = engine;
        calls.push(
          () => taskwright.send("bad/1", { type: "NUDGE" }),
          () => taskwright.start("bad", "2"),
          () => taskwright.snapshot("bad/1"),
          () => taskwright.send("bad/none", { type: "X" }).catch(() => {}),
        );
        await engine.start("bad", "1");
        await engine.send("bad/1", { type: "GO" });
        await engine.settled();
        await taskwright.settled();
        expect(await engine.snapshot("bad/1")).toMatchObject({ context: { n: 1 } });
        expect(await engine.snapshot("bad/2")).toMatchObject({ value: "idle" });
        expect(await taskwright.deadLetters()).toEqual([]);
      },
    );
  });

  test("one that lets a promise go that rejects: the host's process hears of it, the engine goes on", () =>
    stands(
      acting(() => void Promise.reject(new Error("let go"))),
      async (engine) => {
        await engine.start("bad", "1");
        expect(await engine.send("bad/1", { type: "GO" })).toMatchObject({ outcome: "handled" });
        expect(await engine.taskwright.deadLetters()).toEqual([]);
      },
      { leaks: 1 },
    ));
});

type Work = (args: { readonly signal: AbortSignal }) => unknown;
/** Its promise leads on to "done" or "failed", with what came of it. */
const working = (work: Work): AnyStateMachine =>
  onGo(
    ".working",
    { actors: { work: fromPromise(work as never) } },
    {
      states: { idle: {}, working: { invoke: { src: "work", id: "work", onDone: "done", onError: "failed" }, on: { LEAVE: "idle" } }, done: {}, failed: {} },
    },
  );

describe("engine > misbehaving code > promise actors", () => {
  recordUncaught();

  const leadsTo = (work: Work, value: "done" | "failed" | "working", cause = /./, options: { leaks?: number } = {}) =>
    stands(
      working(work),
      async (engine) => {
        await engine.start("bad", "1");
        await engine.send("bad/1", { type: "GO" });
        await engine.settled();
        expect(await engine.snapshot("bad/1")).toMatchObject({ value, status: "active" });
        expect(await engine.taskwright.deadLetters()).toEqual([]);
        if (value !== "failed") return;
        const told = (await engine.taskwright.history("bad/1")).at(-1);
        expect(told).toMatchObject({ outcome: "handled", event: { type: "taskwright.error", child: "work" } });
        expect((told?.event as unknown as { error: { message: string } } | undefined)?.error.message).toMatch(cause);
      },
      options,
    );

  for (const [what, make, cause] of thrown) {
    test(`one that throws ${what}`, () => leadsTo(() => throwing(make())(), "failed", cause));
    test(`one that rejects with ${what}`, () => leadsTo(() => Promise.reject(make()), "failed", cause));
  }
  for (const [what, make] of unstorable) test(`one that ends with ${what}`, () => leadsTo(async () => make(), "failed"));
  for (const [what, make, end] of liars) {
    if (what === "a trap") continue;
    test(`one that returns ${what}`, () => leadsTo(make, end === "ends" ? "done" : end === "fails" ? "failed" : "working"));
  }
  test("one that is no function", () => leadsTo(7 as never, "failed", /not a function/));
  test("one that overflows the stack", () =>
    leadsTo(
      function again(args): unknown {
        return [again(args)];
      },
      "failed",
      /call stack/,
    ));

  for (const [what, details] of unstorable) {
    test(`one whose heartbeat says ${what}`, () => leadsTo(async () => currentActivity()?.heartbeat(details()), "failed"));
  }
  test("one whose heart beats on after its end", () =>
    leadsTo(async () => {
      const info = currentActivity();
      queueMicrotask(() => queueMicrotask(() => info?.heartbeat("late")));
    }, "done"));
  test("one that lets another promise go, which rejects: the host's process hears of it", () => leadsTo(async () => void Promise.reject(new Error("let go")), "done", /./, { leaks: 1 }));

  test("one that pays no heed to its abort, and ends or fails late", () => {
    const late: Array<() => void> = [];
    return stands(
      working(({ signal }) => new Promise((resolve, reject) => late.push(() => (signal.aborted && late.length % 2 === 0 ? reject(new Error("late")) : resolve("late"))))),
      async (engine) => {
        await engine.start("bad", "1");
        for (let round = 0; round < 2; round++) {
          await engine.send("bad/1", { type: "GO" });
          await engine.send("bad/1", { type: "LEAVE" });
          for (const end of late) end();
          await engine.settled();
        }
        expect(await engine.snapshot("bad/1")).toMatchObject({ value: "idle" });
        expect(await engine.taskwright.deadLetters()).toEqual([]);
      },
    );
  });

  test("one whose abort listener throws: the host's process hears of it, the actor has left all the same", () =>
    stands(
      working(({ signal }) => {
        signal.addEventListener("abort", throwing(new Error("the listener threw")));
        return new Promise(() => {});
      }),
      async (engine) => {
        await engine.start("bad", "1");
        await engine.send("bad/1", { type: "GO" });
        await engine.settled();
        expect(await engine.send("bad/1", { type: "LEAVE" })).toMatchObject({ outcome: "handled" });
        await engine.settled();
        expect(await engine.snapshot("bad/1")).toMatchObject({ value: "idle" });
      },
      { leaks: 1 },
    ));
});

type Callback = (args: { readonly sendBack: (event: unknown) => void; readonly receive: (listener: (event: unknown) => void) => void; readonly emit: (event: unknown) => void }) => unknown;
/** Its callback leads on to "failed" when it breaks; NUDGE is handed on to it. */
const calling = (callback: Callback): AnyStateMachine =>
  onGo(
    ".calling",
    { actors: { call: fromCallback(callback as never) } },
    {
      states: { idle: {}, calling: { invoke: { src: "call", id: "call", onError: "failed" }, on: { HAND: { actions: sendTo("call", { type: "HELLO" } as never) }, LEAVE: "idle" } }, failed: {} },
    },
  );

describe("engine > misbehaving code > callback actors", () => {
  recordUncaught();

  const leads = (callback: Callback, value: "calling" | "failed", options: { leaks?: number; hand?: boolean } = {}) =>
    stands(
      calling(callback),
      async (engine) => {
        await engine.start("bad", "1");
        await engine.send("bad/1", { type: "GO" });
        await engine.settled();
        if (options.hand === true) await engine.send("bad/1", { type: "HAND" });
        await engine.settled();
        expect(await engine.snapshot("bad/1")).toMatchObject({ value, status: "active" });
        expect(await engine.send("bad/1", { type: "LEAVE" })).toMatchObject({ outcome: value === "failed" ? "ignored" : "handled" });
        await engine.settled();
      },
      options.leaks === undefined ? {} : { leaks: options.leaks },
    );

  for (const [what, make] of thrown) {
    test(`one that throws ${what}`, () => leads(() => throwing(make())(), "failed"));
    test(`one that rejects with ${what}`, () => leads(() => Promise.reject(make()), "failed"));
  }
  for (const [what, make] of unstorable) {
    test(`one that sends back ${what}`, () => leads(({ sendBack }) => sendBack({ type: "X", value: make() }), "failed"));
    test(`one that emits ${what}`, () => leads(({ emit }) => emit({ type: "X", value: make() }), "failed"));
  }
  test("one that sends back what is the engine's", () => leads(({ sendBack }) => sendBack({ type: "taskwright.stop" }), "failed"));
  test("one whose listener throws", () => leads(({ receive }) => receive(throwing(new Error("it would not listen"))), "failed", { hand: true }));
  test("one whose clean-up throws", () => leads(() => throwing(new Error("it would not clean up")), "calling"));
  test("one whose clean-up is a trap", () => leads(trap, "failed"));
  test("one that lets a promise go that rejects: the host's process hears of it", () => leads(() => void Promise.reject(new Error("let go")), "calling", { leaks: 1 }));
});
