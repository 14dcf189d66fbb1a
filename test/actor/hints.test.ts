import { describe, expect, test } from "vitest";
import { and, assign, cancel, createMachine, enqueueActions, fromPromise, not, raise, sendTo, setup, stateIn } from "xstate";
import type { AnyStateMachine } from "xstate";
import { hintsOf } from "../../src/actor/index.ts";
import * as machines from "../../machines/index.ts";

const loose = (config: object, implementations: object = {}): AnyStateMachine => createMachine(config as never, implementations as never) as unknown as AnyStateMachine;
const said = (machine: AnyStateMachine) => hintsOf(machine).map(({ where, what }) => `${where}: ${what}`);

describe("hints > what a machine could say better", () => {
  test("a version, names for assigns, guards, delays and logic, ids for delayed sends and invoked actors: with state paths", () => {
    const work = fromPromise(async () => 1);
    const machine = loose(
      {
        id: "rough",
        context: { n: 0 },
        initial: "a",
        entry: [assign({ n: 1 }), "remind"],
        states: {
          a: {
            initial: { target: "b", actions: assign({ n: 2 }) },
            exit: enqueueActions(() => {}),
            after: { 1000: "c", named: "c" },
            invoke: [{ src: work }, { src: "work", id: "work" }],
            states: {
              b: {
                always: { guard: and([() => false, "fine", not(() => true), stateIn("x")] as never), target: "#rough.c" },
                on: { GO: { guard: () => true, actions: [sendTo(({ self }) => self, { type: "X" }, { delay: () => 5 }), raise({ type: "Y" }, { delay: "named", id: "y" } as never), cancel("y")] } },
              },
            },
          },
          c: {},
        },
      },
      { actors: { work }, guards: { fine: () => true }, delays: { named: 5 }, actions: { remind: raise({ type: "Z" }, { delay: 20 } as never) } },
    );
    expect(said(machine)).toEqual([
      "machine: it has no version",
      'state "rough", entry: an inline assign',
      'action "remind": an inline delay (20 ms)',
      'action "remind": a delayed raise() without an id: it can\'t be cancelled, and its timer is called "auto.<number>"',
      'state "a", exit: inline enqueueActions',
      'state "a", initial: an inline assign',
      'state "a", after: an inline delay (1000 ms)',
      'state "a", invoke: inline invoked logic: it is found again by its state\'s path, and lost where that changes',
      'state "a", invoke: an invoked actor without an id: its address ends in "0.rough.a", and changes with the state\'s path',
      'state "a.b", on "GO": an inline guard',
      'state "a.b", on "GO": an inline delay',
      'state "a.b", on "GO": a delayed sendTo() without an id: it can\'t be cancelled, and its timer is called "auto.<number>"',
      'state "a.b", always: an inline guard',
      'state "a.b", always: an inline guard',
    ]);
    expect(hintsOf(machine).every(({ machine: id, remedy }) => id === "rough" && remedy.length > 10)).toBe(true);
  });

  test("nothing, where everything has its name", () => {
    const machine = setup({
      types: { context: {} as { n: number } },
      actors: { work: fromPromise(async () => 1) },
      guards: { isDone: () => true },
      actions: { count: assign({ n: 1 }) },
      delays: { timeout: 1000 },
    }).createMachine({
      id: "smooth",
      version: "3",
      context: { n: 0 },
      initial: "a",
      states: { a: { entry: "count", invoke: { id: "work", src: "work", onDone: { guard: "isDone", target: "b" } }, after: { timeout: "b" } }, b: { entry: raise({ type: "X" }) } },
    });
    expect(hintsOf(machine as unknown as AnyStateMachine)).toEqual([]);
  });

  test("the machines that come with the package leave nothing to say but what they mean to do", () => {
    for (const machine of Object.values(machines)) if (typeof machine === "object" && "root" in machine) expect(said(machine as unknown as AnyStateMachine)).toEqual([]);
  });
});
