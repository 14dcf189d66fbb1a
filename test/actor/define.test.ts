import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import {
  type AnyStateMachine,
  and,
  assign,
  createMachine,
  emit,
  enqueueActions,
  fromCallback,
  fromEventObservable,
  fromObservable,
  fromPromise,
  fromTransition,
  log,
  not,
  raise,
  sendTo,
  setup,
  spawnChild,
  stateIn,
} from "xstate";
import { define, MachineRefused, step } from "../../src/actor/index.ts";
import { at, begin, pending, types } from "./begin.ts";
import { fixtures } from "./machines.ts";

const loose = (config: object, implementations: object = {}): AnyStateMachine => createMachine(config as never, implementations as never) as unknown as AnyStateMachine;
const problemsOf = (machine: AnyStateMachine, actions: ReadonlyArray<string> = []): ReadonlyArray<string> => {
  try {
    define(machine, { actions });
  } catch (error) {
    if (error instanceof MachineRefused) return error.problems;
    throw error;
  }
  return [];
};

describe("define > what is refused", () => {
  test("everything that is wrong is listed at once, with the state, the place and the remedy", () => {
    const problems = problemsOf(
      loose(
        {
          initial: "a",
          entry: () => {},
          on: { GO: { actions: [function wave() {}, "missing"] } },
          states: {
            a: {
              initial: { target: "b", actions: () => {} },
              exit: spawnChild(fromPromise(pending) as never, { id: "inline" } as never),
              invoke: { src: "nobody" },
              states: { b: { always: { guard: () => false, actions: () => {} }, entry: spawnChild("job" as never) }, c: { entry: [spawnChild("nobody" as never, { id: "x" } as never), "sneaky"] } },
            },
          },
        },
        { actors: { job: fromPromise(pending) }, actions: { sneaky: spawnChild("job" as never) } },
      ),
    );
    expect(problems).toEqual([
      'the machine has no id: add `id: "order"` to its config, because addresses and stored rows begin with it',
      'state "(machine)", entry: the inline function "entry" is a side effect without a stable name; move it to setup({ actions: { someName } }) and write actions: "someName"',
      'state "(machine)", on "GO": the inline function "wave" is a side effect without a stable name; move it to setup({ actions: { someName } }) and write actions: "someName"',
      'state "(machine)", on "GO": nothing implements the action "missing"; add it to setup({ actions }) or to the actions given at registration',
      'state "a", exit: spawnChild() of inline logic has no stable name; move the logic to setup({ actors: { someName } }) and write spawnChild("someName", { id })',
      'state "a", initial: the inline function "actions" is a side effect without a stable name; move it to setup({ actions: { someName } }) and write actions: "someName"',
      'state "a": nothing implements the actor "nobody"; add it to setup({ actors })',
      'state "a.b", entry: spawnChild() without an id can\'t be addressed; write spawnChild(…, { id: "someId" })',
      'state "a.b", always: the inline function "actions" is a side effect without a stable name; move it to setup({ actions: { someName } }) and write actions: "someName"',
      'state "a.c", entry: nothing implements the actor "nobody"; add it to setup({ actors })',
      'action "sneaky": spawnChild() without an id can\'t be addressed; write spawnChild(…, { id: "someId" })',
    ]);
  });

  test("the refusal shows the machine and all of its problems", () => {
    const refuse = () => define(loose({ id: "rude", entry: "missing", exit: "gone" }));
    expect(refuse).toThrow(/machine "rude" can't be made durable:\n {2}- state "rude", entry: nothing implements the action "missing".*\n {2}- state "rude", exit: .*"gone"/);
    expect(refuse).toThrow(MachineRefused);
  });

  test("side effects and names are found on every kind of transition", () => {
    const problems = problemsOf(
      loose(
        {
          id: "all",
          initial: "a",
          states: {
            a: {
              after: { 100: { actions: () => {} } },
              invoke: { id: "job", src: "job", onDone: { actions: "m1" }, onError: [{ guard: "m2" }, { actions: "m3" }], onSnapshot: { actions: "m4" } },
              initial: "b",
              onDone: { actions: "m5" },
              states: { b: { type: "final" } },
              on: { "*": { actions: "m6" } },
            },
          },
        },
        { actors: { job: fromPromise(pending) } },
      ),
    );
    expect(problems.map((problem) => /"m\d"|inline/.exec(problem)?.[0])).toEqual(expect.arrayContaining(["inline", '"m1"', '"m2"', '"m3"', '"m4"', '"m5"', '"m6"']));
    expect(problems).toHaveLength(7);
  });

  test("a delay that nothing implements is refused: XState would take it for none", () => {
    expect(
      problemsOf(
        loose({
          id: "late",
          initial: "a",
          states: {
            a: {
              after: { acceptanceTimeout: "a" },
              on: { X: { actions: [raise({ type: "Y" }, { delay: "soon" as never }), sendTo(({ self }) => self, { type: "Y" }, { delay: "later" as never })] } },
            },
          },
        }),
      ),
    ).toEqual([
      'state "a", entry: nothing implements the delay "acceptanceTimeout"; add it to setup({ delays })',
      'state "a", on "X": nothing implements the delay "soon"; add it to setup({ delays })',
      'state "a", on "X": nothing implements the delay "later"; add it to setup({ delays })',
    ]);
  });

  test("a guard that nothing implements is refused, also within and(), or(), not() and other guards", () => {
    const guards = { fine: () => true, joined: and(["hidden" as never, "fine" as never]) };
    expect(
      problemsOf(
        loose(
          {
            id: "g",
            on: {
              A: { guard: "plain" },
              B: { guard: { type: "withParams", params: {} } },
              C: { guard: and(["fine", not("inner" as never), stateIn("x")] as never) },
              D: { guard: "joined" },
              E: { guard: "toString" },
            },
          },
          { guards },
        ),
      ).map((problem) => /guard "(\w+)"; add/.exec(problem)?.[1]),
    ).toEqual(["plain", "withParams", "inner", "hidden", "toString"]);
  });

  test("logic that XState does not make is refused, whether it is invoked or spawned", () => {
    const actors = { odd: { config: {}, start: () => {} }, odder: 5 };
    expect(problemsOf(loose({ id: "m", invoke: [{ src: "odd" }, { src: { nothing: true } }], entry: spawnChild("odder" as never, { id: "x" } as never) }, { actors }))).toEqual([
      'state "m", entry: the spawned actor "odder" is no logic that XState 5 makes (fromPromise, fromCallback, …, createMachine)',
      'state "m": the invoked actor "odd" is no logic that XState 5 makes (fromPromise, fromCallback, …, createMachine)',
      'state "m": the invoked actor "xstate.invoke.1.m" is no logic that XState 5 makes (fromPromise, fromCallback, …, createMachine)',
    ]);
  });

  test("two invoked actors of one state with one id are refused: they would have one address", () => {
    const config = {
      id: "m",
      initial: "a",
      states: {
        a: {
          invoke: [
            { src: "job", id: "x" },
            { src: "job", id: "y" },
            { src: "job", id: "x" },
          ],
        },
      },
    };
    expect(problemsOf(loose(config, { actors: { job: fromPromise(pending) } }))).toEqual(['state "a": two invoked actors have the id "x": they would have one address; give each its own']);
  });

  test("an id that can't begin an address is refused, and so is what is no machine", () => {
    expect(problemsOf(loose({ id: "a/b" }))[0]).toMatch(/slash/);
    for (const wrong of [undefined, null, 5, {}, fromPromise(pending)]) expect(problemsOf(wrong as never)[0]).toMatch(/not an XState machine/);
  });

  test("an action that the host implements outside of the machine is known by its name", () => {
    expect(problemsOf(loose({ id: "m", entry: "notify" }))).toHaveLength(1);
    expect(problemsOf(loose({ id: "m", entry: "notify" }), ["notify"])).toEqual([]);
  });
});

describe("define > what is fine", () => {
  test("inline assigns, guards, delays, expressions and XState's own actions", () => {
    const fine = setup({ types: {} as { context: { n: number } } }).createMachine({
      id: "fine",
      context: () => ({ n: 0 }),
      initial: "a",
      entry: [
        assign({ n: 1 }),
        assign(({ context }) => ({ n: context.n + 1 })),
        raise({ type: "X" }),
        raise(() => ({ type: "X" }), { delay: () => 10 }),
        emit({ type: "e" } as never),
        log("l"),
        enqueueActions(({ enqueue }) => enqueue.assign({ n: 2 })),
      ],
      states: { a: { after: { 100: { guard: ({ context }) => context.n > 0, target: "b" } } }, b: { type: "final", output: () => 1 } },
      output: () => 2,
    });
    expect(problemsOf(fine as unknown as AnyStateMachine)).toEqual([]);
  });

  test("logic that stands in an invoke itself: its state and its place there are its name, and its code does not run in a step", () => {
    let runs = 0;
    const inner = setup({}).createMachine({ id: "inner", context: () => ({ runs: ++runs }) });
    const inline = define(
      loose(
        {
          id: "inline",
          initial: "a",
          states: { a: { invoke: [{ src: "named", id: "named" }, { src: fromPromise(pending), id: "promise" }, { src: inner }] }, b: { id: "elsewhere", invoke: { src: inner, id: "single" } } },
          on: { B: ".b" },
        },
        { actors: { named: fromPromise(pending) } },
      ),
    );
    expect([...inline.sources].map(([name, { kind }]) => [name, kind])).toEqual([
      ["named", "promise"],
      ["xstate.invoke.1.inline.a", "promise"],
      ["xstate.invoke.2.inline.a", "machine"],
      ["xstate.invoke.0.elsewhere", "machine"],
    ]);
    const { state, commands } = begin(inline);
    expect(commands.map((command) => (command.type === "child.start" ? [command.id, command.src] : command.type))).toEqual([
      ["named", "named"],
      ["promise", "xstate.invoke.1.inline.a"],
      ["2.inline.a", "xstate.invoke.2.inline.a"],
    ]);
    expect(types(step(inline, state, { type: "B" }, at).commands)).toEqual(["child.stop", "child.stop", "child.stop", "child.start"]);
    expect(runs).toBe(0);
  });

  test("every kind of source is recognised", () => {
    const nothing = { subscribe: () => ({ unsubscribe: () => {} }) };
    const { sources } = define(
      loose(
        { id: "kinds" },
        {
          actors: {
            promise: fromPromise(pending),
            callback: fromCallback(() => {}),
            observable: fromObservable(() => nothing as never),
            eventObservable: fromEventObservable(() => nothing as never),
            transition: fromTransition((state) => state, 0),
            machine: loose({ id: "m" }),
            unknown: {},
          },
        },
      ),
    );
    expect([...sources.values()].every(({ name, kind }) => name === kind)).toBe(true);
    expect(sources.size).toBe(7);
  });

  test("the machine that was given is left as it is", () => {
    const { machine } = fixtures.find((fixture) => fixture.machine.id === "checkout") as (typeof fixtures)[number];
    const before = [machine.config, machine.options, machine.implementations, JSON.stringify(machine.config)];
    define(machine);
    expect([machine.config, machine.options, machine.implementations, JSON.stringify(machine.config)]).toEqual(before);
    expect(define(machine).original).toBe(machine);
  });
});

describe("define > the hash", () => {
  const chart = { id: "m", initial: "a", states: { a: { on: { GO: { target: "b", guard: "ok" } } }, b: { after: { 100: "a" } } } };
  const hashOf = (config: object, implementations: object = { guards: { ok: () => true } }) => define(loose(config, implementations)).hash;
  const base = hashOf(chart);

  test("changes with the chart", () => {
    const variants = [
      { ...chart, id: "n" },
      { ...chart, version: "2" },
      { ...chart, initial: "b" },
      { ...chart, states: { ...chart.states, c: {} } },
      { ...chart, states: { ...chart.states, b: { after: { 200: "a" } } } },
      { ...chart, states: { ...chart.states, a: { on: { GO: "b" } } } },
      { ...chart, states: { ...chart.states, a: { on: { GO: { target: "b", guard: "ok" }, NO: {} } } } },
      { ...chart, states: { b: chart.states.b, a: chart.states.a } },
      { ...chart, context: { n: 0 } },
      { ...chart, invoke: { src: fromPromise(pending) } },
      { ...chart, invoke: { src: fromCallback(() => {}) } },
    ];
    expect(new Set([base, ...variants.map((variant) => hashOf(variant))]).size).toBe(variants.length + 1);
  });

  test("does not change with the body of a function, nor with the order of keys that has no meaning", () => {
    expect(hashOf(chart, { guards: { ok: () => false } })).toBe(base);
    expect(hashOf({ states: chart.states, initial: "a", id: "m" })).toBe(base);
    const inline = (guard: () => boolean) => hashOf({ ...chart, states: { ...chart.states, a: { on: { GO: { target: "b", guard } } } } });
    expect(inline(() => true)).toBe(inline(() => false));
  });

  test("is the same in a second process", () => {
    const run = [fileURLToPath(new URL("../../node_modules/vite-node/vite-node.mjs", import.meta.url)), fileURLToPath(new URL("hash.ts", import.meta.url))];
    const printed = JSON.parse(execFileSync(process.execPath, run, { encoding: "utf8" })) as Record<string, string>;
    expect(printed).toEqual(Object.fromEntries(fixtures.map(({ machine }) => [machine.id, define(machine).hash])));
    expect(new Set(Object.values(printed)).size).toBe(fixtures.length);
  });
});
