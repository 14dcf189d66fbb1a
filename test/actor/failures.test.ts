import { describe, expect, test } from "vitest";
import { type AnyActorRef, type AnyStateMachine, assign, enqueueActions, fromPromise, raise, sendParent, sendTo, setup } from "xstate";
import { type ActorState, decode, define, encode, start, step, TransitionFailed } from "../../src/actor/index.ts";
import { at, begin, pending } from "./begin.ts";

const failure = (run: () => unknown): TransitionFailed => {
  try {
    run();
  } catch (error) {
    if (error instanceof TransitionFailed) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
};

const boom = (): never => {
  throw new Error("boom");
};

describe("step > failures", () => {
  const brittle = define(
    setup({
      types: {} as { context: { n: number; list: Array<number> } },
      actors: { job: fromPromise<unknown, unknown>(pending) },
      guards: { explode: boom },
      delays: { explode: boom, nan: () => Number.NaN },
      actions: { explode: assign(boom), count: assign({ n: ({ context }) => context.n + 1 }) },
    }).createMachine({
      id: "brittle",
      context: { n: 0, list: [1] },
      initial: "calm",
      states: {
        calm: {
          after: { 1000: "late" },
          on: {
            GUARD: { guard: "explode", target: "late" },
            ASSIGN: { target: "late", actions: ["count", "explode"] },
            DELAY: "delayed",
            NAN: { actions: raise({ type: "X" }, { delay: "nan" }) },
            INPUT: "working",
            OUTPUT: "over",
            PARAMS: { actions: { type: "count", params: boom } },
            EVENT: { actions: raise(boom) },
            NOBODY: { actions: sendTo("nobody", { type: "X" }) },
            NOTHING: { actions: sendTo(() => ({}) as AnyActorRef, { type: "X" }) },
            PARENT: { actions: sendParent({ type: "X" }) },
            NULL: {
              guard: () => {
                throw null;
              },
              target: "late",
            },
          },
        },
        late: {},
        delayed: { after: { explode: "late" } },
        working: { invoke: { src: "job", input: boom } },
        over: { type: "final", output: boom },
      },
      output: ({ event }) => (event as { output?: unknown }).output,
    }),
  );

  for (const [type, message] of [
    ["GUARD", /Unable to evaluate guard 'explode'.*boom/s],
    ["ASSIGN", /boom/],
    ["DELAY", /boom/],
    ["NAN", /is not a number/],
    ["INPUT", /boom/],
    ["OUTPUT", /boom/],
    ["PARAMS", /boom/],
    ["EVENT", /boom/],
    ["NOBODY", /Unable to send event to actor 'nobody'/],
    ["NOTHING", /sendTo\(\) was given no actor/],
    ["PARENT", /Unable to send event to actor '#_parent'/],
    ["NULL", /./],
  ] as const) {
    test(`what is thrown on ${type} becomes a TransitionFailed, and the state it was given is untouched`, () => {
      const { state } = begin(brittle);
      const before = encode(state);
      const error = failure(() => step(brittle, state, { type }, at));
      expect(error).toMatchObject({ name: "TransitionFailed", address: "brittle/1", machine: "brittle", eventType: type });
      expect(error.message).toMatch(message);
      expect(error.message).toMatch(/^brittle\/1: the transition on "[A-Z]+" failed: /);
      expect(encode(state)).toBe(before);
      expect(step(brittle, state, { type: "taskwright.timer", id: "after.1000.brittle.calm", token: 1 }, at).state.snapshot.value).toBe("late");
    });
  }

  test("the thrown value is the cause", () => {
    expect(failure(() => step(brittle, begin(brittle).state, { type: "ASSIGN" }, at)).cause).toMatchObject({ message: "boom" });
  });

  test("a failed step leaves no trace in the next one", () => {
    const { state } = begin(brittle);
    failure(() => step(brittle, state, { type: "ASSIGN" }, at));
    expect(step(brittle, state, { type: "UNKNOWN" }, at)).toMatchObject({ outcome: "ignored", commands: [] });
  });

  const failing = (machine: AnyStateMachine, input?: unknown) => failure(() => start(define(machine), "m/1", undefined, input, at));

  test("a throwing context, entry, always or input of the first state fails the start", () => {
    expect(failing(setup({}).createMachine({ id: "m", context: boom })).message).toBe('m/1: the transition on "taskwright.start" failed: boom');
    expect(failing(setup({ actions: { explode: assign(boom) } }).createMachine({ id: "m", context: {}, entry: "explode" })).message).toMatch(/boom/);
    expect(failing(setup({ guards: { explode: boom } }).createMachine({ id: "m", initial: "a", states: { a: { always: { guard: "explode", target: "b" } }, b: {} } })).message).toMatch(/boom/);
    expect(failing(setup({ actors: { job: fromPromise<unknown, unknown>(pending) } }).createMachine({ id: "m", invoke: { src: "job", input: boom } })).message).toMatch(/boom/);
  });

  test("loops of eventless transitions and of raised events end with the limit", () => {
    const always = setup({}).createMachine({ id: "m", initial: "a", states: { a: { always: "b" }, b: { always: "a" } } });
    expect(failing(always).message).toMatch(/Infinite loop detected.*more than 1000 microsteps/);
    const raised = define(setup({}).createMachine({ id: "m", initial: "a", states: { a: { on: { GO: { actions: raise({ type: "GO" }) } } } } }), {
      limits: { ...define(brittle.original).limits, microstepsMax: 20 },
    });
    expect(failure(() => step(raised, begin(raised).state, { type: "GO" }, at)).message).toMatch(/more than 20 microsteps/);
  });

  test("a machine's own maxIterations counts where it is lower", () => {
    const loop = define(setup({}).createMachine({ id: "m", options: { maxIterations: 5 }, initial: "a", states: { a: { on: { GO: { actions: raise({ type: "GO" }) } } } } }));
    expect(failure(() => step(loop, begin(loop).state, { type: "GO" }, at)).message).toMatch(/more than 5 microsteps/);
  });

  test("the wildcard is no event", () => {
    expect(failure(() => step(brittle, begin(brittle).state, { type: "*" }, at)).message).toMatch(/wildcard/);
  });
});

describe("step > failures > things without a stable name", () => {
  // Inline logic that makes a child of its own, under a name that it knows, while it is made.
  const inlineFamily = setup({ types: {} as { context: { job: unknown } }, actors: { job: fromPromise(pending) } }).createMachine({
    id: "family",
    context: ({ spawn }) => ({ job: spawn("job", { id: "grandchild" }) }),
  });
  const sneaky = define(
    setup({ types: {} as { context: { ref: unknown } }, actors: { job: fromPromise(pending) } }).createMachine({
      id: "sneaky",
      context: { ref: null },
      on: {
        ACTION: { actions: enqueueActions(({ enqueue }) => enqueue(() => {})) },
        NAMED_FUNCTION: { actions: enqueueActions(({ enqueue }) => enqueue(function wave() {})) },
        SPAWN: { actions: assign({ ref: ({ spawn }) => spawn(fromPromise(pending) as never, { id: "inline" } as never) as unknown }) },
        SPAWN_AFTER: {
          actions: [enqueueActions(({ enqueue }) => enqueue.spawnChild("job", { id: "first" })), assign({ ref: ({ spawn }) => (spawn as unknown as (src: unknown) => unknown)(fromPromise(pending)) })],
        },
        SPAWN_FAMILY: { actions: assign({ ref: ({ spawn }) => (spawn as unknown as (src: unknown) => unknown)(inlineFamily) }) },
        SPAWN_CHILD: { actions: enqueueActions(({ enqueue }) => enqueue.spawnChild(fromPromise(pending) as never, { id: "inline" } as never)) },
        SPAWN_NO_ID: { actions: enqueueActions(({ enqueue }) => enqueue.spawnChild("job")) },
        SPAWN_MISSING: { actions: assign({ ref: ({ spawn }) => (spawn as unknown as (src: string) => unknown)("missing") }) },
        PROTO_TIMER: { actions: raise({ type: "X" }, { id: "__proto__", delay: 1 }) },
        PROTO_CHILD: { actions: assign({ ref: ({ spawn }) => spawn("job", { id: "__proto__" }) as unknown }) },
        SEND: { actions: assign({ ref: ({ self }) => self.send({ type: "X" }) }) },
        SUBSCRIBE: { guard: ({ context }) => context.ref !== null, actions: assign({ ref: ({ context }) => (context.ref as { subscribe(): unknown }).subscribe() }) },
        SYSTEM: { actions: sendTo(({ system }) => system.get("somebody"), { type: "X" }) },
      },
    }),
  );
  const { state } = begin(sneaky);

  for (const [type, message] of [
    ["ACTION", /the inline action "\(anonymous\)" has no stable name; move it to setup\(\{ actions \}\)/],
    ["NAMED_FUNCTION", /the inline action "wave" has no stable name/],
    ["SPAWN", /the child "inline" was spawned from inline logic without a stable name; move it to setup\(\{ actors \}\)/],
    ["SPAWN_AFTER", /was spawned from inline logic/],
    ["SPAWN_FAMILY", /was spawned from inline logic/],
    ["SPAWN_CHILD", /the child "inline" was spawned from inline logic/],
    ["SPAWN_NO_ID", /spawnChild\(\) without an id/],
    ["SPAWN_MISSING", /Actor logic 'missing' not implemented/],
    ["PROTO_TIMER", /__proto__ is refused/],
    ["PROTO_CHILD", /__proto__ is refused/],
    ["SEND", /a transition is pure: use sendTo\(\)/],
  ] as const) {
    test(`${type} is refused with a remedy`, () => expect(failure(() => step(sneaky, state, { type }, at)).message).toMatch(message));
  }

  test("subscribing to a reference is refused", () => {
    const withRef = decode(
      sneaky,
      "sneaky/1",
      undefined,
      encode(state).replace('"ref":null', () => '"ref":{"xstate$$type":1,"id":"1","address":"other/1"}'),
    );
    expect(failure(() => step(sneaky, withRef, { type: "SUBSCRIBE" }, at)).message).toMatch(/subscribe\(\) can't be called/);
  });
});

describe("step > failures > supervision", () => {
  const worker = define(
    setup({ types: {} as { context: { n: number }; input: { n: number } }, actors: { job: fromPromise(pending) } }).createMachine({
      id: "worker",
      context: ({ input }) => ({ n: input.n }),
      initial: "busy",
      on: { COUNT: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
      states: { busy: { after: { 1000: "late" }, invoke: { id: "job", src: "job" } }, late: {} },
    }),
  );
  const busy: ActorState = step(worker, begin(worker, { n: 1 }).state, { type: "COUNT" }, at).state;

  test("an actor that is given up ends in error with all that it had under way", () => {
    const given = step(worker, busy, { type: "taskwright.fail", error: { name: "Error", message: "enough" } }, at);
    expect(given).toMatchObject({ outcome: "handled", state: { timers: {}, children: {}, snapshot: { status: "error", error: { message: "enough" }, children: {} } } });
    expect(given.commands).toEqual([
      { type: "timer.cancel", id: "after.1000.worker.busy" },
      { type: "child.stop", id: "job", token: 2 },
    ]);
    expect(encode(decode(worker, "worker/1", undefined, encode(given.state)))).toBe(encode(given.state));
  });

  test("an actor that begins again gives out new tokens", () => {
    const again = step(worker, busy, { type: "taskwright.restart", input: { n: 5 } }, at + 10);
    expect(again.commands).toEqual([
      { type: "timer.cancel", id: "after.1000.worker.busy" },
      { type: "child.stop", id: "job", token: 2 },
      { type: "timer.set", id: "after.1000.worker.busy", due: at + 1010, token: 3 },
      { type: "child.start", id: "job", src: "job", token: 4, input: undefined },
    ]);
    expect(again.state.snapshot.context).toEqual({ n: 5 });
    expect(step(worker, again.state, { type: "taskwright.timer", id: "after.1000.worker.busy", token: 1 }, at + 1000).outcome).toBe("stale");
  });
});
