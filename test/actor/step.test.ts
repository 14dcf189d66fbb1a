import { describe, expect, test } from "vitest";
import { assign, createActor, emit, fromPromise, log, raise, setup } from "xstate";
import { decode, define, encode, step, traceOf } from "../../src/actor/index.ts";
import { at, begin, pending, stored } from "./begin.ts";
import { lamp } from "./machines/lamp.ts";

describe("step > completions", () => {
  const shop = define(
    setup({ types: {} as { context: { paid: unknown } }, actors: { pay: fromPromise<unknown>(pending) } }).createMachine({
      id: "shop",
      context: { paid: null },
      initial: "paying",
      states: {
        paying: {
          invoke: { id: "pay", src: "pay", input: { sum: 3 }, onDone: { target: "paid", actions: assign({ paid: ({ event }) => event.output }) }, onError: "failed" },
          on: { AGAIN: { target: "paying", reenter: true }, LEAVE: "left" },
        },
        paid: {},
        failed: {},
        left: { invoke: { id: "bye", src: "pay" } },
      },
    }),
  );

  test("an invoked promise is started with its input and a token", () => {
    const first = begin(shop);
    expect(first.commands).toEqual([{ type: "child.start", id: "pay", src: "pay", token: 1, input: { sum: 3 } }]);
    expect(first.state.children).toEqual({ pay: { src: "pay", token: 1 } });
  });

  test("a completion moves the actor once", () => {
    const done = { type: "taskwright.done", child: "pay", token: 1, output: 9 } as const;
    const paid = step(shop, stored(shop, begin(shop).state), done, at);
    expect([paid.state.snapshot.value, paid.state.snapshot.context, paid.outcome]).toEqual(["paid", { paid: 9 }, "handled"]);
    expect(paid.commands).toEqual([]);
    expect(step(shop, stored(shop, paid.state), done, at).outcome).toBe("stale");
  });

  test("a completion of an invoke that was re-entered since is stale", () => {
    const again = step(shop, begin(shop).state, { type: "AGAIN" }, at);
    expect(again.commands).toEqual([
      { type: "child.stop", id: "pay", token: 1 },
      { type: "child.start", id: "pay", src: "pay", token: 2, input: { sum: 3 } },
    ]);
    for (const late of [
      { type: "taskwright.done", child: "pay", token: 1 },
      { type: "taskwright.error", child: "pay", token: 1, error: { name: "Error", message: "late" } },
    ] as const) {
      expect(step(shop, stored(shop, again.state), late, at)).toMatchObject({ outcome: "stale", commands: [] });
    }
    expect(step(shop, again.state, { type: "taskwright.done", child: "pay", token: 2 }, at).state.snapshot.value).toBe("paid");
  });

  test("a completion of a child that was left, or of nobody, is stale", () => {
    const left = step(shop, begin(shop).state, { type: "LEAVE" }, at).state;
    for (const child of ["pay", "nobody", "constructor"]) expect(step(shop, left, { type: "taskwright.done", child, token: 1 }, at).outcome).toBe("stale");
  });

  test("a completion that no state takes ends the child and nothing else", () => {
    const left = step(shop, begin(shop).state, { type: "LEAVE" }, at).state;
    const ended = step(shop, stored(shop, left), { type: "taskwright.done", child: "bye", token: 2 }, at);
    expect(ended).toMatchObject({ outcome: "ignored", commands: [], state: { children: { bye: { ended: true } } } });
    expect(step(shop, stored(shop, ended.state), { type: "taskwright.done", child: "bye", token: 2 }, at).outcome).toBe("stale");
    expect(step(shop, ended.state, { type: "taskwright.stop" }, at).commands).toEqual([]);
  });

  test("an error that no state takes ends the actor in error, as a record", () => {
    const left = step(shop, begin(shop).state, { type: "LEAVE" }, at).state;
    const error = { name: "CardRefused", message: "no", code: "E1", stack: "CardRefused: no", data: { sum: 3 }, cause: { name: "Error", message: "deep" } };
    const failed = step(shop, left, { type: "taskwright.error", child: "bye", token: 2, error }, at).state;
    expect(failed.snapshot).toMatchObject({ status: "error", error });
    expect(JSON.parse(encode(failed))).toMatchObject({ status: "error", error });
    expect(encode(stored(shop, failed))).toBe(encode(failed));
  });
});

describe("step > outcomes", () => {
  const on = step(lamp, begin(lamp).state, { type: "ON" }, at).state;

  test("an event that no state takes is ignored, and the state is the same object", () => {
    const { state } = begin(lamp);
    expect(step(lamp, state, { type: "OFF" }, at)).toEqual({ state, commands: [], outcome: "ignored", microsteps: expect.anything() });
    expect(step(lamp, state, { type: "OFF" }, at).state).toBe(state);
  });

  test("a transition without a target is handled, whether it acts, assigns or does nothing", () => {
    expect(step(lamp, on, { type: "PEEK" }, at)).toMatchObject({ outcome: "handled", commands: [{ type: "act", action: "blink" }] });
    expect(step(lamp, on, { type: "KEEP" }, at)).toMatchObject({ outcome: "handled", state: { snapshot: { context: { peeks: 1 } } } });
    expect(step(lamp, on, { type: "NOTHING" }, at)).toMatchObject({ outcome: "handled", commands: [] });
  });

  test("an event whose guards all refuse is ignored", () => {
    const picky = define(setup({ guards: { never: () => false } }).createMachine({ id: "picky", initial: "a", states: { a: { on: { GO: { guard: "never", target: "b" } } }, b: {} } }));
    expect(step(picky, begin(picky).state, { type: "GO" }, at).outcome).toBe("ignored");
  });

  test("an actor that is done, stopped or failed takes nothing more, whatever comes", () => {
    const ending = define(
      setup({ actors: { job: fromPromise(pending) } }).createMachine({
        id: "ending",
        initial: "a",
        on: { LATE: { actions: emit({ type: "x" } as never) } },
        states: { a: { invoke: { id: "job", src: "job" }, on: { END: "z" } }, z: { type: "final" } },
      }),
    );
    const active = begin(ending).state;
    const ends = [{ type: "END" }, { type: "taskwright.stop" }, { type: "taskwright.error", child: "job", token: 1, error: { name: "E", message: "e" } }] as const;
    for (const end of ends) {
      const { state, commands } = step(ending, active, end, at);
      expect(commands.filter((command) => command.type === "child.stop")).toHaveLength(end.type === "taskwright.error" ? 0 : 1);
      for (const event of [{ type: "LATE" }, { type: "taskwright.stop" }, { type: "taskwright.done", child: "job", token: 1 }] as const) {
        expect(step(ending, stored(ending, state), event, at)).toMatchObject({ outcome: "ended", commands: [] });
        expect(step(ending, state, event, at).state).toBe(state);
      }
    }
  });
});

describe("step > regions", () => {
  const region = { initial: "idle" } as const;
  const pair = define(
    setup({
      types: {} as { context: { order: ReadonlyArray<string>; isOpen: boolean } },
      guards: { isOpen: ({ context }) => context.isOpen },
      actions: { open: assign({ isOpen: true }), note: assign({ order: ({ context }, params: { by: string }) => [...context.order, params.by] }) },
    }).createMachine({
      id: "pair",
      type: "parallel",
      context: { order: [], isOpen: false },
      on: { OPEN: { actions: "open" } },
      states: {
        left: { ...region, states: { idle: { on: { LEFT: "ready" } }, ready: { always: { guard: "isOpen", target: "gone", actions: { type: "note", params: { by: "left" } } } }, gone: {} } },
        right: { ...region, states: { idle: { on: { RIGHT: "ready" } }, ready: { always: { guard: "isOpen", target: "gone", actions: { type: "note", params: { by: "right" } } } }, gone: {} } },
      },
    }),
  );
  const events = [{ type: "RIGHT" }, { type: "LEFT" }];
  const ready = events.reduce((state, event) => step(pair, state, event, at).state, begin(pair).state);

  test("regions move in document order, whatever order they were entered in, in memory and stored", () => {
    for (const state of [ready, stored(pair, ready)]) expect(step(pair, state, { type: "OPEN" }, at).state.snapshot.context).toEqual({ order: ["left", "right"], isOpen: true });
  });

  test("a live actor moves them in the order of their last entry, and after its own restart in document order", () => {
    const live = createActor(pair.original).start();
    for (const event of events) live.send(event);
    const restarted = createActor(pair.original, { snapshot: JSON.parse(JSON.stringify(live.getPersistedSnapshot())) }).start();
    for (const actor of [live, restarted]) actor.send({ type: "OPEN" });
    expect(live.getSnapshot().context.order).toEqual(["right", "left"]);
    expect(restarted.getSnapshot().context.order).toEqual(["left", "right"]);
  });

  test("a stored value is read whatever the order of its regions", () => {
    const text = encode(begin(pair).state).replace('{"left":"idle","right":"idle"}', '{"right":"idle","left":"idle"}');
    expect(encode(decode(pair, "pair/1", undefined, text))).toBe(encode(begin(pair).state));
  });
});

describe("step > trace", () => {
  test("says which transitions were taken, on what, with which guard, and where that led", () => {
    const chain = define(
      setup({ guards: { isReady: () => true } }).createMachine({
        id: "chain",
        initial: "a",
        states: {
          a: { on: { "go.*": { guard: "isReady", target: "b" } } },
          b: { always: { guard: () => true, target: "c" } },
          c: { entry: raise({ type: "ON" }), on: { ON: { target: "c", reenter: true, actions: log("again"), guard: ({ event }) => event.type === "OFF" }, "*": "d" } },
          d: {},
        },
      }),
    );
    expect(traceOf(step(chain, begin(chain).state, { type: "go.now" }, at).microsteps)).toEqual([
      { event: "go.now", value: "b", transitions: [{ source: "chain.a", on: "go.*", targets: ["chain.b"], guard: "isReady" }] },
      { event: "go.now", value: "c", transitions: [{ source: "chain.b", on: "", targets: ["chain.c"], guard: "guard" }] },
      { event: "ON", value: "d", transitions: [{ source: "chain.c", on: "*", targets: ["chain.d"] }] },
    ]);
    expect(traceOf(step(lamp, step(lamp, begin(lamp).state, { type: "ON" }, at).state, { type: "ON" }, at).microsteps)).toEqual([
      { event: "ON", value: "on", transitions: [{ source: "lamp.on", on: "ON", targets: ["lamp.on"], reenter: true }] },
    ]);
    expect(traceOf(begin(lamp).microsteps)).toEqual([]);
  });
});
