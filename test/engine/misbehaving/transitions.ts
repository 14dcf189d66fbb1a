import { type AnyStateMachine, assign, cancel, emit, enqueueActions, fromPromise, log, raise, sendParent, sendTo, setup, spawnChild, stopChild } from "xstate";
import { deep, overflow, throwing, withGetter } from "./values.ts";

interface Parts {
  readonly guards?: Readonly<Record<string, unknown>>;
  readonly delays?: Readonly<Record<string, unknown>>;
  readonly actions?: Readonly<Record<string, unknown>>;
  readonly actors?: Readonly<Record<string, unknown>>;
}

/** A machine that does one thing on GO, with its parts under names. */
export const onGo = (transition: unknown, parts: Parts = {}, more: object = {}): AnyStateMachine =>
  setup(parts as never).createMachine({
    id: "bad",
    context: { n: 0, list: [1, 2] },
    initial: "idle",
    on: { GO: transition, NUDGE: { actions: assign({ n: ({ context }: { context: { n: number } }) => context.n + 1 } as never) } },
    states: { idle: {}, there: {} },
    ...more,
  } as never) as unknown as AnyStateMachine;

const itself = (({ self }: { self: unknown }) => self) as never;
const oops = (..._: ReadonlyArray<unknown>): never => {
  throw new Error("on purpose");
};
const kid = setup({}).createMachine({ id: "kid", initial: "a", states: { a: {} } });

/** Places in a transition where user code runs, with what goes wrong there. Each refuses the event. */
export const failing: ReadonlyArray<readonly [string, AnyStateMachine, RegExp]> = [
  ["a guard that overflows the stack", onGo({ guard: "g", target: ".there" }, { guards: { g: overflow } }), /call stack/],
  ["a guard that throws nothing", onGo({ guard: "g" }, { guards: { g: throwing(undefined) } }), /./],
  ["an assign that sends through its actor", onGo({ actions: assign({ n: ({ self }: { self: { send: (event: object) => void } }) => self.send({ type: "X" }) } as never) }), /pure/],
  ["a message to a parent that is not there", onGo({ actions: sendParent({ type: "X" } as never) }), /#_parent/],
  ["a message to a child that is not there", onGo({ actions: sendTo("nobody", { type: "X" } as never) }), /nobody/],
  ["a combined guard that throws", onGo({ guard: { type: "g", params: oops } }, { guards: { g: () => true } }), /on purpose/],
  ["parameters of an action that throw", onGo({ actions: { type: "a", params: oops } }, { actions: { a: () => {} } }), /on purpose/],
  [
    "an assign that throws after it changed the context in place",
    onGo({ actions: "a" }, { actions: { a: assign({ n: ({ context }: { context: { list: Array<number> } }) => oops(context.list.push(9)) } as never) } }),
    /on purpose/,
  ],
  ["an assign that throws in its second property", onGo({ actions: assign({ n: 9, list: oops } as never) }), /on purpose/],
  ["a delay that throws", onGo(".late", { delays: { d: oops } }, { states: { idle: {}, there: {}, late: { after: { d: "idle" } } } }), /on purpose/],
  ["a delay that is NaN", onGo(".late", { delays: { d: () => Number.NaN } }, { states: { idle: {}, there: {}, late: { after: { d: "idle" } } } }), /not a number/],
  ["an entry that throws", onGo(".late", {}, { states: { idle: {}, late: { entry: assign(oops as never) } } }), /on purpose/],
  ["an exit that throws", onGo({ target: ".there" }, {}, { states: { idle: { exit: assign(oops as never) }, there: {} } }), /on purpose/],
  ["an input that throws", onGo(".late", { actors: { kid } }, { states: { idle: {}, late: { invoke: { src: "kid", input: oops } } } }), /on purpose/],
  ["an input that can't be stored", onGo(".late", { actors: { kid } }, { states: { idle: {}, late: { invoke: { src: "kid", input: () => ({ fn: () => 1 }) } } } }), /function/],
  ["an output that throws", onGo(".over", {}, { states: { idle: {}, over: { type: "final" } }, output: oops }), /on purpose/],
  ["an output that can't be stored", onGo(".over", {}, { states: { idle: {}, over: { type: "final" } }, output: () => withGetter() }), /getter/],
  ["a receiver that throws", onGo({ actions: sendTo(oops as never, { type: "X" } as never) }), /on purpose/],
  ["a receiver that is nobody", onGo({ actions: sendTo((() => ({})) as never, { type: "X" } as never) }), /no actor/],
  ["a message without a type", onGo({ actions: sendTo(itself, { kind: "X" } as never) }), /./],
  ["a message that throws while it is made", onGo({ actions: sendTo(itself, oops as never) }), /on purpose/],
  ["a message that can't be stored", onGo({ actions: sendTo(itself, { type: "X", fn: () => 1 } as never) }), /function/],
  ["a message of 2 MB", onGo({ actions: sendTo(itself, (() => ({ type: "X", text: "x".repeat(2_000_000) })) as never) }), /payloadBytesMax/],
  ["something emitted that throws", onGo({ actions: emit(oops as never) }), /on purpose/],
  ["something emitted that can't be stored", onGo({ actions: emit({ type: "X", at: new Date(0) } as never) }), /Date/],
  ["a line of a log that throws", onGo({ actions: log(oops as never) }), /on purpose/],
  ["an event raised for ever", onGo({ actions: raise({ type: "GO" } as never) }), /infinite|loop|iterations/i],
  [
    "a transition without an event for ever",
    onGo(".late", {}, { states: { idle: {}, late: { always: { target: "late", reenter: true, actions: assign({ n: ({ context }: { context: { n: number } }) => context.n + 1 } as never) } } } }),
    /infinite|loop|iterations/i,
  ],
  ["actions put together that throw", onGo({ actions: enqueueActions(oops as never) }), /on purpose/],
  [
    "two thousand children",
    onGo(
      {
        actions: enqueueActions((({ enqueue }: { enqueue: { spawnChild: (src: string, options: object) => void } }) => {
          for (let i = 0; i < 2_000; i++) enqueue.spawnChild("kid", { id: `k${i}` });
        }) as never),
      },
      { actors: { kid } },
    ),
    /childrenMax/,
  ],
  [
    "two thousand deadlines",
    onGo({
      actions: enqueueActions((({ enqueue }: { enqueue: { raise: (event: object, options: object) => void } }) => {
        for (let i = 0; i < 2_000; i++) enqueue.raise({ type: "X" }, { id: `t${i}`, delay: 1_000 });
      }) as never),
    }),
    /timersMax/,
  ],
  [
    "a child made of logic without a name",
    onGo({ actions: assign({ n: ({ spawn }: { spawn: (logic: unknown, options: object) => unknown }) => spawn(kid, { id: "x" }) } as never) }),
    /setup\(\{ actors \}\)/,
  ],
  ["a child called __proto__", onGo({ actions: spawnChild("kid" as never, { id: "__proto__" } as never) }, { actors: { kid } }), /__proto__/],
  ["a child that is stopped and lives elsewhere", onGo({ actions: stopChild((() => ({ id: "x", address: "counter/innocent" })) as never) }), /no child/],
  ["a context that is no object", onGo({ actions: assign((() => ({ n: deep(200) })) as never) }), /deeper/],
];

/** What is odd but allowed: the event is handled, and the engine stands. */
export const odd: ReadonlyArray<readonly [string, AnyStateMachine]> = [
  ["a delay in the past", onGo(".late", { delays: { d: () => -1_000_000 } }, { states: { idle: {}, late: { after: { d: "idle" } } } })],
  ["a delay for ever", onGo(".late", { delays: { d: () => Number.POSITIVE_INFINITY } }, { states: { idle: {}, late: { after: { d: "idle" } } } })],
  ["a delay that is a text", onGo(".late", { delays: { d: () => "soon" } }, { states: { idle: {}, late: { after: { d: "idle" } } } })],
  ["a deadline taken away that was never set", onGo({ actions: cancel("nothing") })],
  ["keys that look like the prototype's", onGo({ actions: assign({ n: () => ({ constructor: { prototype: { polluted: true } }, hasOwnProperty: 1, toString: 2 }) } as never) })],
  ["a frozen context", onGo({ actions: assign((({ context }: { context: object }) => Object.freeze({ ...context, n: Object.freeze({ deep: 1 }) })) as never) })],
  ["a sealed context", onGo({ actions: assign((({ context }: { context: object }) => Object.seal({ ...context })) as never) })],
  ["a text with half of a surrogate pair and a null character", onGo({ actions: assign({ n: () => "\ud800 \u0000" } as never) })],
  ["a line of a log that can't be stored", onGo({ actions: log((() => ({ fn: () => 1, big: 1n })) as never) })],
  [
    "a child whose start throws",
    onGo(".late", { actors: { kid: setup({}).createMachine({ id: "kid", context: oops as never }) } }, { states: { idle: {}, late: { invoke: { src: "kid", onError: "there" } }, there: {} } }),
  ],
  ["a promise that is no function", onGo(".late", { actors: { work: fromPromise(7 as never) } }, { states: { idle: {}, late: { invoke: { src: "work", onError: "there" } }, there: {} } })],
];
