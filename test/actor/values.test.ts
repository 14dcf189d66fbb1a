import { describe, expect, test } from "vitest";
import { assign, emit, fromPromise, log, sendTo, setup } from "xstate";
import { define, encode, start, step, TransitionFailed } from "../../src/actor/index.ts";
import { failureOf, NotJson, RevivedError } from "../../src/domain/json.ts";
import { at, begin, pending, stored } from "./begin.ts";

class Money {
  readonly amount = 1;
}
const cycle: { self?: unknown } = {};
cycle.self = { deeper: cycle };
const deep = JSON.parse(`${'{"a":'.repeat(101)}1${"}".repeat(101)}`) as unknown;
const evil: unknown = JSON.parse('{"__proto__":{"isAdmin":true}}');

const refused: ReadonlyArray<readonly [what: string, value: unknown, where: string, message: RegExp]> = [
  ["a Date", new Date(0), "", /a Date does not survive JSON; store its time in milliseconds/],
  ["a Map", new Map([[1, 2]]), "", /a Map does not survive JSON/],
  ["a Set", new Set([1]), "", /a Set does not survive JSON/],
  ["NaN", Number.NaN, "", /NaN has no JSON form/],
  ["an infinity", Number.NEGATIVE_INFINITY, "", /-Infinity has no JSON form/],
  ["a BigInt", 1n, "", /a bigint has no JSON form/],
  ["a symbol", Symbol("s"), "", /a symbol has no JSON form/],
  ["a function", () => {}, "", /a function has no JSON form/],
  ["a class instance", new Money(), "", /a Money does not survive JSON/],
  ["a promise", Promise.resolve(), "", /a Promise does not survive JSON/],
  ["bytes", new Uint8Array(1), "", /a Uint8Array does not survive JSON/],
  ["a __proto__ key", evil, ".__proto__", /the key __proto__ is refused/],
  ["a hole in a list", [1, undefined], "[1]", /undefined in a list becomes null/],
  ["a cycle", cycle, "", /is nested deeper than 100 levels, or contains itself/],
  ["nesting without end", deep, "", /is nested deeper than 100 levels/],
];

/** Puts any value anywhere; the value comes from outside the event, so that nothing but the step can refuse it. */
let planted: unknown;
const machine = define(
  setup({
    types: {} as { context: { bag: { readonly item?: unknown; readonly list?: ReadonlyArray<unknown> } } },
    actors: { job: fromPromise<unknown, unknown>(pending) },
    actions: { act: () => {}, plant: assign({ bag: () => ({ item: planted }) }), plantInList: assign({ bag: () => ({ list: [0, { here: planted }] }) }) },
  }).createMachine({
    id: "bag",
    context: { bag: {} },
    initial: "open",
    states: {
      open: {
        on: {
          CONTEXT: { actions: "plant" },
          LIST: { actions: "plantInList" },
          OUTPUT: "over",
          PARAMS: { actions: { type: "act", params: () => ({ deep: { item: planted } }) } },
          SEND: {
            actions: sendTo(
              ({ self }) => self,
              () => ({ type: "X", payload: planted }),
            ),
          },
          DELAYED: {
            actions: sendTo(
              ({ self }) => self,
              () => ({ type: "X", payload: planted }),
              { delay: 5 },
            ),
          },
          EMIT: { actions: emit((() => ({ type: "x", payload: planted })) as never) },
          INPUT: "working",
          LOG: { actions: log(() => planted) },
        },
      },
      working: { invoke: { id: "job", src: "job", input: () => [planted] } },
      over: { type: "final" },
    },
    output: () => ({ result: planted }),
  }),
);

const failed = (run: () => unknown): TransitionFailed => {
  let thrown: unknown;
  try {
    run();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(TransitionFailed);
  return thrown as TransitionFailed;
};

describe("step > values", () => {
  const { state } = begin(machine);

  for (const [what, value, inside, message] of refused) {
    test(`${what} is refused wherever it would be stored or sent, and the refusal names the path`, () => {
      planted = value;
      for (const [type, path] of [
        ["CONTEXT", "context.bag.item"],
        ["LIST", "context.bag.list[1].here"],
        ["OUTPUT", "output.result"],
        ["PARAMS", 'parameters of "act".deep.item'],
        ["SEND", "event.payload"],
        ["DELAYED", "event.payload"],
        ["EMIT", "event.payload"],
        ["INPUT", 'input of "job"[0]'],
      ] as const) {
        const error = failed(() => step(machine, state, { type }, at));
        expect(error.message).toMatch(message);
        expect(error.cause).toBeInstanceOf(NotJson);
        expect((error.cause as NotJson).path.slice(0, path.length + inside.length)).toBe(`${path}${inside}`);
      }
      expect(encode(state)).toBe(encode(begin(machine).state));
    });
  }

  test("a first context that can't be stored fails the start", () => {
    const dated = define(setup({}).createMachine({ id: "dated", context: { at: new Date(0) } as object }));
    expect(failed(() => start(dated, "dated/1", undefined, undefined, at)).message).toBe(
      'dated/1: the transition on "taskwright.start" failed: context.at: a Date does not survive JSON; store its time in milliseconds',
    );
    const computed = define(setup({}).createMachine({ id: "dated", context: () => ({ list: [1, [Number.NaN]] }) as object }));
    expect(failed(() => start(computed, "dated/1", undefined, undefined, at)).message).toMatch(/context\.list\[1\]\[0\]: NaN/);
  });

  test("an event's value that can't be stored is refused when it comes to rest in the context", () => {
    const keeper = define(
      setup({ types: {} as { context: { last: unknown } } }).createMachine({ id: "keeper", context: { last: null }, on: { "*": { actions: assign({ last: ({ event }) => event }) } } }),
    );
    expect(failed(() => step(keeper, begin(keeper).state, { type: "GOT", at: new Date(0) }, at)).message).toMatch(/context\.last\.at: a Date/);
    expect(step(keeper, begin(keeper).state, { type: "GOT", at: 0, gone: undefined }, at).state.snapshot.context).toEqual({ last: { type: "GOT", at: 0 } });
  });

  test("a log line is written whatever it holds", () => {
    for (const [value, text] of [
      [new Date(0), expect.any(String)],
      [Number.NaN, "NaN"],
      [{ fine: true }, { fine: true }],
      [undefined, undefined],
      [new Error("e"), { name: "Error", message: "e" }],
    ] as const) {
      planted = value;
      expect(step(machine, state, { type: "LOG" }, at).commands).toEqual([{ type: "log", label: undefined, value: text }]);
    }
  });

  test("keys that hold undefined vanish in memory as they do in JSON", () => {
    planted = { kept: 1, gone: undefined, nested: { gone: undefined } };
    const { state: planting } = step(machine, state, { type: "CONTEXT" }, at);
    expect(planting.snapshot.context).toStrictEqual({ bag: { item: { kept: 1, nested: {} } } });
    expect(stored(machine, planting).snapshot.context).toStrictEqual(planting.snapshot.context);
    const optional = define(
      setup({ types: {} as { context: { note?: string | undefined } } }).createMachine({
        id: "optional",
        context: { note: undefined },
        on: { CLEAR: { actions: assign({ note: undefined }) }, SET: { actions: assign({ note: "n" }) } },
      }),
    );
    const first = begin(optional).state;
    expect(first.snapshot.context).toStrictEqual({});
    const cleared = step(optional, step(optional, first, { type: "SET" }, at).state, { type: "CLEAR" }, at).state;
    expect(cleared.snapshot.context).toStrictEqual({});
    expect(optional.original.config.context).toStrictEqual({ note: undefined });
  });

  test("minus zero is zero, and a record without a prototype is an ordinary one", () => {
    planted = Object.assign(Object.create(null) as object, { n: -0 });
    const { item } = (step(machine, state, { type: "CONTEXT" }, at).state.snapshot.context as { bag: { item: { n: number } } }).bag;
    expect(Object.is(item.n, 0)).toBe(true);
    expect(Object.getPrototypeOf(item)).toBe(Object.prototype);
  });

  test("what did not change is the same object before and after", () => {
    const two = define(
      setup({ types: {} as { context: { big: object; n: number } } }).createMachine({
        id: "two",
        context: () => ({ big: { a: [1] }, n: 0 }),
        on: { ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
      }),
    );
    const first = begin(two).state;
    expect((step(two, first, { type: "ADD" }, at).state.snapshot.context as { big: object }).big).toBe((first.snapshot.context as { big: object }).big);
  });
});

describe("step > values > errors", () => {
  class CardRefused extends Error {
    override readonly name = "CardRefused";
    readonly code = "E42";
    readonly sum = 3;
  }
  const teller = define(
    setup({ types: {} as { context: { error: unknown } }, actors: { pay: fromPromise(pending) } }).createMachine({
      id: "teller",
      context: { error: null },
      invoke: { id: "pay", src: "pay", onError: { actions: assign({ error: ({ event }) => event.error }) } },
      on: { OWN: { actions: assign({ error: () => new CardRefused("own", { cause: new TypeError("deep") }) }) } },
    }),
  );

  test("an error that a machine makes becomes a record, without the stack that a replay elsewhere would not reach", () => {
    const { state } = step(teller, begin(teller).state, { type: "OWN" }, at);
    expect(state.snapshot.context).toStrictEqual({ error: { name: "CardRefused", message: "own", code: "E42", data: { sum: 3 }, cause: { name: "TypeError", message: "deep" } } });
    expect(encode(stored(teller, state))).toBe(encode(state));
  });

  test("a failure stays the same record however often it is revived and read", () => {
    const failure = { name: "CardRefused", message: "no", code: "E42", data: { sum: 3 }, cause: { name: "Error", message: "deep" } };
    expect(failureOf(failure)).toBe(failure);
    expect(failureOf(new RevivedError(failure))).toBe(failure);
    expect(failureOf(JSON.parse(JSON.stringify(new RevivedError(failure))))).toEqual(failure);
    // Something that only looks like one is read like any other thrown value.
    expect(failureOf({ name: "Odd", message: "m", more: 1 })).toEqual({ name: "Odd", message: "m", data: { more: 1 } });
    expect(failureOf({ name: "Odd", message: "m", data: new Date(0) })).toEqual({ name: "Odd", message: "m" });
  });

  test("an error that came as an event is an Error for the machine and stays the record that it was, stack included", () => {
    const seen: Array<unknown> = [];
    const looking = define(
      setup({ types: {} as { context: { error: unknown } }, actors: { pay: fromPromise(pending) } }).createMachine({
        id: "looking",
        context: { error: null },
        invoke: {
          id: "pay",
          src: "pay",
          onError: {
            actions: assign({
              error: ({ event }) => {
                const error = event.error as Error & { code: string; sum: number; failure: unknown };
                seen.push(error instanceof Error, error.name, error.message, error.code, error.sum, (error.cause as Error).message);
                return error;
              },
            }),
          },
        },
      }),
    );
    const failure = {
      name: "CardRefused",
      message: "no",
      code: "E42",
      stack: "CardRefused: no\n  at bank",
      data: { sum: 3, failure: "a field of that name" },
      cause: { name: "Error", message: "deep" },
    };
    const { state } = step(looking, stored(looking, begin(looking).state), { type: "taskwright.error", child: "pay", token: 1, error: failure }, at);
    expect(seen).toEqual([true, "CardRefused", "no", "E42", 3, "deep"]);
    expect(state.snapshot.context).toStrictEqual({ error: failure });
    expect(encode(stored(looking, state))).toBe(encode(state));
  });
});
