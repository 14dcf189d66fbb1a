import { describe, expect, test } from "vitest";
import { type AnyStateMachine, assign, fromPromise, setup } from "xstate";
import { decode, define, encode, parseState, StateMismatch, step } from "../../src/actor/index.ts";
import { at, begin, pending } from "./begin.ts";

const task = define(
  setup({ types: {} as { context: { n: number } }, actors: { job: fromPromise(pending) } }).createMachine({
    id: "task",
    context: { n: 0 },
    initial: "queued",
    states: {
      queued: { after: { 1000: "working" }, on: { GO: "working", RESUME: "working.last" } },
      working: {
        initial: "careful",
        invoke: { id: "job", src: "job" },
        on: { STOP: "queued", BOTH: "both", COUNT: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
        states: { careful: { on: { FASTER: "fast" } }, fast: {}, last: { type: "history" } },
      },
      both: { type: "parallel", states: { left: { initial: "a", states: { a: {}, b: {} } }, right: { initial: "a", states: { a: {}, b: {} } } } },
    },
  }),
);
const walked = ["GO", "FASTER", "COUNT", "STOP"].reduce((state, type) => step(task, state, { type }, at).state, begin(task).state);
const text = encode(walked);
const read = (json: string) => decode(task, "task/1", undefined, json);
const changed = (change: Record<string, unknown>): string => JSON.stringify({ ...(JSON.parse(text) as object), ...change });

describe("step > the stored state", () => {
  test("is ours: no name of XState's in it, keys in a fixed order, nothing that is empty", () => {
    expect(text).toBe(
      '{"status":"active","value":"queued","context":{"n":1},"history":{"task.working.last":["task.working.fast"]},"timers":{"after.1000.task.queued":{"due":1001000,"token":3}},"tokens":3}',
    );
    expect(encode(begin(define(setup({}).createMachine({ id: "bare" }))).state)).toBe('{"status":"active","value":{},"context":{}}');
  });

  test("has every state that its value names, also where XState leaves one out until the snapshot is restored", () => {
    for (const target of [["#torn.a.p", "#torn.b"], "#torn.b", "#torn.a"] as const) {
      const back = { initial: "one", states: { one: { on: { GO: "past" } }, past: { type: "history" } } } as const;
      const torn = define(
        setup({}).createMachine({
          id: "torn",
          type: "parallel",
          states: { a: { type: "parallel", tags: ["t"], states: { p: {}, q: back, r: { on: { GO: { target: target as never } } } } }, b: {} },
        }),
      );
      const { state } = step(torn, begin(torn).state, { type: "GO" }, at);
      const restored = decode(torn, "torn/1", undefined, encode(state));
      const shown = ({ snapshot }: typeof state) => [(snapshot as unknown as { _nodes: ReadonlyArray<{ id: string }> })._nodes.map(({ id }) => id), [...snapshot.tags], JSON.stringify(snapshot.value)];
      expect(shown(state)).toEqual(shown(restored));
      expect(encode(restored)).toBe(encode(state));
    }
  });

  test("is read as it was written, and goes on from there", () => {
    const back = read(text);
    expect(encode(back)).toBe(text);
    expect(step(task, back, { type: "RESUME" }, at).state.snapshot.value).toEqual({ working: "fast" });
    expect(back.snapshot.matches("queued")).toBe(true);
    expect(back.snapshot.can({ type: "GO" })).toBe(true);
  });

  test("of two actors is shared in nothing that one of them could change", () => {
    const [left, right] = [read(text), read(text)];
    expect(left.snapshot.context).not.toBe(right.snapshot.context);
    expect(step(task, left, { type: "GO" }, at).state.snapshot.value).toEqual({ working: "careful" });
    expect(right.snapshot.value).toBe("queued");
  });

  for (const [what, json] of [
    ["text that is no JSON", "{"],
    ["no object", "[]"],
    ["null", "null"],
    ["an unknown status", changed({ status: "asleep" })],
    ["no value", changed({ value: undefined })],
    ["a value that is a number", changed({ value: 5 })],
    ["no context", changed({ context: undefined })],
    ["a context that is a text", changed({ context: "text" })],
    ["a state that is gone", changed({ value: "gone" })],
    ["a state that an object happens to have", changed({ value: "constructor" })],
    ["a nested state that is gone", changed({ value: { working: "gone" } })],
    ["a compound state without its child", changed({ value: "working" })],
    ["a child below an atomic state", changed({ value: { queued: "deeper" } })],
    ["a region less", changed({ value: { both: { left: "a" } } })],
    ["a region more", changed({ value: { both: { left: "a", right: "a", middle: "a" } } })],
    ["two states of one region", changed({ value: { queued: {}, working: "fast" } })],
    ["a nested value that is a number", changed({ value: { working: 5 } })],
    ["a nested value that is null", changed({ value: { working: null } })],
    ["a history of states that are gone", changed({ history: { "task.working.last": ["task.working.gone"] } })],
    ["a history that is no list", changed({ history: { "task.working.last": "task.working.fast" } })],
    ["children that are a list", changed({ children: [] })],
    ["a child without a source", changed({ children: { job: { token: 1 } } })],
    ["a child without a token", changed({ children: { job: { src: "job" } } })],
    ["timers that are a number", changed({ timers: 3 })],
    ["a timer without a due time", changed({ timers: { x: { token: 1 } } })],
    ["a timer without a token", changed({ timers: { x: { due: 1 } } })],
    ["a timer with an event without a type", changed({ timers: { x: { due: 1, token: 1, event: {} } } })],
    ["a timer for nobody", changed({ timers: { x: { due: 1, token: 1, to: { kind: "moon" } } } })],
    ["a counter that is a text", changed({ tokens: "3" })],
  ] as const) {
    test(`with ${what} is a StateMismatch`, () => expect(() => read(json)).toThrow(StateMismatch));
  }

  test("that does not fit says what is missing", () => {
    expect(() => read(changed({ value: "gone" }))).toThrow('machine "task" has no state gone');
    expect(() => read(changed({ value: "working" }))).toThrow('machine "task" would read the state working as {"working":"careful"}');
    expect(() => read(changed({ history: { "task.working.last": ["task.working.gone"] } }))).toThrow('machine "task" has no state node "task.working.gone" that the stored history names');
  });

  test("is readable without its machine", () => {
    expect(parseState(text)).toMatchObject({ status: "active", value: "queued", context: { n: 1 }, tokens: 3 });
  });

  test("in more configurations than are kept ready is read all the same", () => {
    const regions = Object.fromEntries(Array.from({ length: 14 }, (_, i) => [`r${i}`, { initial: "a", states: { a: {}, b: {} } }]));
    const wide = define(setup({}).createMachine({ id: "wide", type: "parallel", states: regions } as never) as unknown as AnyStateMachine);
    const configuration = (number: number) => Object.fromEntries(Object.keys(regions).map((region, bit) => [region, (number >> bit) & 1 ? "b" : "a"]));
    const first = wide.template(configuration(0));
    expect(wide.template(configuration(0))).toBe(first);
    for (let number = 1; number < 2 ** 14; number++) wide.template(configuration(number));
    expect(wide.template(configuration(0))).not.toBe(first);
    expect(decode(wide, "wide/1", undefined, JSON.stringify({ status: "active", value: configuration(0), context: {} })).snapshot.value).toEqual(configuration(0));
  });
});
