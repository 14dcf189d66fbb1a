import { describe, expect, test } from "vitest";
import { assign, fromPromise, raise, sendTo, setup, spawnChild, stopChild } from "xstate";
import { type ActorState, define, encode, step } from "../../src/actor/index.ts";
import { at, begin, pending, stored } from "./begin.ts";

describe("step > children", () => {
  const family = define(
    setup({ types: {} as { context: { refs: ReadonlyArray<unknown> } }, actors: { job: fromPromise<unknown, unknown>(pending) } }).createMachine({
      id: "family",
      context: { refs: [] },
      initial: "home",
      on: {
        NAMED: { actions: spawnChild("job", { id: "kid", input: { n: 1 } }) },
        UNNAMED: { actions: assign({ refs: ({ context, spawn }) => [...context.refs, spawn("job", { input: { n: 2 } })] }) },
        STOP: { actions: stopChild("kid") },
        STOP_OTHER: { actions: stopChild({ id: "kid", address: "other/1/kid", getSnapshot: () => undefined } as never) },
        BRIEFLY: { actions: [spawnChild("job", { id: "brief" }), sendTo("brief", { type: "HI" }), stopChild("brief")] },
      },
      states: { home: { on: { PASS: "passed" } }, passed: { invoke: { id: "glimpse", src: "job" }, always: "home" } },
    }),
  );

  test("a spawn without an id gets one that follows from the state alone", () => {
    const twice = (state: ActorState) => step(family, step(family, state, { type: "UNNAMED" }, at).state, { type: "UNNAMED" }, at);
    const once = twice(begin(family).state);
    expect(Object.keys(once.state.children)).toEqual(["x:0", "x:1"]);
    expect(encode(twice(stored(family, begin(family).state)).state)).toBe(encode(once.state));
    expect(Object.keys(step(family, stored(family, once.state), { type: "UNNAMED" }, at).state.children)).toEqual(["x:0", "x:1", "x:2"]);
  });

  test("a counted id is never given out twice, also after its child is gone", () => {
    const shrinking = define(
      setup({ types: {} as { context: { ref: unknown } }, actors: { job: fromPromise(pending) } }).createMachine({
        id: "shrinking",
        context: { ref: null },
        on: { GO: { actions: [assign({ ref: ({ spawn }) => spawn("job") }), stopChild(({ context }) => context.ref as never)] } },
      }),
    );
    const seen = new Set<string>();
    let { state } = begin(shrinking);
    for (let i = 0; i < 5; i++) {
      ({ state } = step(shrinking, stored(shrinking, state), { type: "GO" }, at));
      seen.add((state.snapshot.context as { ref: { id: string } }).ref.id);
    }
    expect(seen.size).toBe(5);
  });

  test("a child that takes the id of a living one replaces it", () => {
    const first = step(family, begin(family).state, { type: "NAMED" }, at).state;
    const second = step(family, stored(family, first), { type: "NAMED" }, at);
    expect(second.commands).toEqual([
      { type: "child.stop", id: "kid", token: 1 },
      { type: "child.start", id: "kid", src: "job", token: 2, input: { n: 1 } },
    ]);
    expect(step(family, second.state, { type: "taskwright.done", child: "kid", token: 1 }, at).outcome).toBe("stale");
  });

  test("a child that is started and stopped within one step never runs and is sent nothing", () => {
    expect(step(family, begin(family).state, { type: "BRIEFLY" }, at)).toMatchObject({ commands: [], state: { children: {} } });
    expect(step(family, begin(family).state, { type: "PASS" }, at)).toMatchObject({ commands: [], state: { children: {} } });
  });

  test("what an entry action sends to the child that its state invokes is marked as for that child", () => {
    const parent = define(
      setup({ actors: { job: fromPromise(pending) } }).createMachine({
        id: "parent",
        initial: "a",
        states: { a: { entry: sendTo("job", { type: "HI" }), exit: sendTo("job", { type: "BYE" }), invoke: { id: "job", src: "job" }, on: { AGAIN: { target: "a", reenter: true } } } },
      }),
    );
    const early = { type: "send", to: { kind: "child", id: "job" }, event: { type: "HI" } };
    expect(begin(parent).commands).toMatchObject([
      { ...early, early: 1 },
      { type: "child.start", token: 1 },
    ]);
    const again = step(parent, begin(parent).state, { type: "AGAIN" }, at).commands;
    expect(again.map((command) => (command.type === "send" ? command.event.type : command.type))).toEqual(["BYE", "child.stop", "HI", "child.start"]);
    expect(again[2]).toMatchObject({ ...early, early: 2 });
  });

  test("stopping an actor of the same id that is somebody else's child is refused", () => {
    const { state } = step(family, begin(family).state, { type: "NAMED" }, at);
    expect(step(family, state, { type: "STOP" }, at).commands).toEqual([{ type: "child.stop", id: "kid", token: 1 }]);
    expect(() => step(family, state, { type: "STOP_OTHER" }, at)).toThrow(/no child of this actor/);
  });

  test("more children or timers than the limits allow are refused", () => {
    const limits = { ...family.limits, childrenMax: 2, timersMax: 2 };
    const few = define(family.original, { limits });
    const two = step(few, step(few, begin(few).state, { type: "UNNAMED" }, at).state, { type: "UNNAMED" }, at).state;
    expect(() => step(few, two, { type: "UNNAMED" }, at)).toThrow(/limit childrenMax/);
    const drip = define(setup({}).createMachine({ id: "drip", on: { DRIP: { actions: raise({ type: "DROP" }, { delay: 10 }) } } }), { limits });
    const wet = step(drip, step(drip, begin(drip).state, { type: "DRIP" }, at).state, { type: "DRIP" }, at).state;
    expect(() => step(drip, wet, { type: "DRIP" }, at)).toThrow(/limit timersMax/);
  });
});
