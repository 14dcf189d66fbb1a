import { describe, expect, test } from "vitest";
import { cancel, emit, fromPromise, raise, sendParent, sendTo, setup } from "xstate";
import { type ActorState, define, encode, nextDue, start, step } from "../../src/actor/index.ts";
import { at, begin, pending, stored, types } from "./begin.ts";
import { lamp } from "./machines/lamp.ts";

describe("step > timers", () => {
  const lit = step(lamp, begin(lamp).state, { type: "ON" }, at).state;

  test("a delay becomes a deadline counted from the event, with a token", () => {
    expect(lit.timers).toEqual({ "after.1000.lamp.on": { due: at + 1000, token: 1 } });
    expect(nextDue(lit)).toBe(at + 1000);
  });

  test("a timer that is due moves the actor and is gone", () => {
    const { state, outcome, commands } = step(lamp, stored(lamp, lit), { type: "taskwright.timer", id: "after.1000.lamp.on", token: 1 }, at + 1000);
    expect([state.snapshot.value, state.timers, outcome]).toEqual(["off", {}, "handled"]);
    expect(commands).toEqual([]);
    expect(nextDue(state)).toBeUndefined();
  });

  test("a replaced timer's old token is stale", () => {
    const again = step(lamp, lit, { type: "ON" }, at + 500);
    expect(again.commands).toEqual([
      { type: "timer.cancel", id: "after.1000.lamp.on" },
      { type: "timer.set", id: "after.1000.lamp.on", due: at + 1500, token: 2 },
    ]);
    const late = step(lamp, stored(lamp, again.state), { type: "taskwright.timer", id: "after.1000.lamp.on", token: 1 }, at + 1000);
    expect(late).toMatchObject({ outcome: "stale", commands: [], microsteps: [] });
    expect(encode(late.state)).toBe(encode(again.state));
  });

  test("a cancelled timer, and one that never was, are stale", () => {
    const off = step(lamp, lit, { type: "OFF" }, at).state;
    for (const id of ["after.1000.lamp.on", "no such timer", "constructor", "__proto__"]) expect(step(lamp, off, { type: "taskwright.timer", id, token: 1 }, at).outcome).toBe("stale");
  });

  test("a delayed event whose id is in use replaces the earlier one", () => {
    const nag = define(
      setup({}).createMachine({
        id: "nag",
        on: { AGAIN: { actions: raise({ type: "NAG", loud: true }, { id: "nag", delay: 100 }) }, STOP: { actions: cancel("nag") }, NAG: { actions: emit({ type: "nagged" } as never) } },
      }),
    );
    const first = step(nag, begin(nag).state, { type: "AGAIN" }, at).state;
    const second = step(nag, stored(nag, first), { type: "AGAIN" }, at + 50);
    expect(second.state.timers).toEqual({ nag: { due: at + 150, token: 2, event: { type: "NAG", loud: true } } });
    expect(second.commands).toEqual([{ type: "timer.set", id: "nag", due: at + 150, token: 2 }]);
    expect(step(nag, second.state, { type: "taskwright.timer", id: "nag", token: 1 }, at + 100).outcome).toBe("stale");
    expect(types(step(nag, stored(nag, second.state), { type: "taskwright.timer", id: "nag", token: 2 }, at + 150).commands)).toEqual(["emit"]);
    expect(step(nag, second.state, { type: "STOP" }, at + 60)).toMatchObject({ state: { timers: {} }, commands: [{ type: "timer.cancel", id: "nag" }] });
  });

  test("delayed events without an id stand side by side", () => {
    const drip = define(setup({}).createMachine({ id: "drip", on: { DRIP: { actions: raise({ type: "DROP" }, { delay: 10 }) } } }));
    const twice = step(drip, step(drip, begin(drip).state, { type: "DRIP" }, at).state, { type: "DRIP" }, at + 1).state;
    expect(Object.keys(twice.timers)).toEqual(["auto.1", "auto.2"]);
  });

  test("an id that looks like one of ours does not collide with it", () => {
    const tricky = define(
      setup({}).createMachine({
        id: "tricky",
        initial: "a",
        states: {
          a: {
            entry: [raise({ type: "X" }, { id: "after.1000.tricky.a", delay: 5 }), raise({ type: "Y" }, { id: "auto.2", delay: 6 })],
            after: { 1000: "b" },
            on: { CLEAR: { actions: [cancel("after.1000.tricky.a"), cancel("auto.2")] } },
          },
          b: {},
        },
      }),
    );
    const { state } = begin(tricky);
    expect(Object.keys(state.timers).sort()).toEqual(["'after.1000.tricky.a", "'auto.2", "after.1000.tricky.a"]);
    expect(Object.keys(step(tricky, stored(tricky, state), { type: "CLEAR" }, at).state.timers)).toEqual(["after.1000.tricky.a"]);
  });

  test("a delay below zero is due at once, and one beyond all time at its end", () => {
    const odd = define(setup({}).createMachine({ id: "odd", entry: [raise({ type: "X" }, { id: "past", delay: -5 }), raise({ type: "X" }, { id: "never", delay: Number.POSITIVE_INFINITY })] }));
    expect(begin(odd).state.timers).toMatchObject({ past: { due: at }, never: { due: Number.MAX_SAFE_INTEGER } });
  });

  test("a delayed event for another actor is sent when it is due, without moving its sender", () => {
    const child = define(setup({}).createMachine({ id: "child", entry: sendParent({ type: "LATE" }, { id: "late", delay: 10 }) }));
    const { state } = start(child, "boss/1/child", "boss/1", undefined, at);
    expect(step(child, stored(child, state), { type: "taskwright.timer", id: "late", token: 1 }, at + 10)).toMatchObject({
      outcome: "handled",
      commands: [{ type: "send", to: { kind: "parent" }, event: { type: "LATE" } }],
      state: { timers: {} },
    });
  });

  test("a delayed event for a child that was replaced is stale", () => {
    const boss = define(
      setup({ actors: { job: fromPromise(pending) } }).createMachine({
        id: "boss",
        initial: "busy",
        states: {
          busy: {
            entry: sendTo("job", { type: "TICK" }, { id: "tick", delay: 10 }),
            invoke: { id: "job", src: "job" },
            on: { POKE: { actions: sendTo("job", { type: "POKE" }, { id: "poke", delay: 20 }) }, AGAIN: { target: "busy", reenter: true } },
          },
        },
      }),
    );
    const poked = step(boss, begin(boss).state, { type: "POKE" }, at).state;
    const fire = (state: ActorState, id: string) => step(boss, stored(boss, state), { type: "taskwright.timer", id, token: state.timers[id]?.token ?? 0 }, at + 20);
    expect(fire(poked, "poke").commands).toEqual([{ type: "send", to: { kind: "child", id: "job" }, event: { type: "POKE" } }]);
    expect(fire(poked, "tick").outcome).toBe("handled");
    const again = step(boss, poked, { type: "AGAIN" }, at).state;
    expect(fire(again, "poke")).toMatchObject({ outcome: "stale", commands: [] });
    expect(fire(again, "poke").state.timers).not.toHaveProperty("poke");
    expect(fire(again, "tick").commands).toHaveLength(1);
  });

  test("an actor that ends cancels what it waited for", () => {
    const brief = define(setup({}).createMachine({ id: "brief", initial: "a", entry: raise({ type: "X" }, { id: "x", delay: 10 }), states: { a: { on: { END: "z" } }, z: { type: "final" } } }));
    expect(step(brief, begin(brief).state, { type: "END" }, at)).toMatchObject({ state: { timers: {} }, commands: [{ type: "timer.cancel", id: "x" }] });
  });
});
