import { describe, expect, test } from "vitest";
import { type AnyActorRef, assign, enqueueActions, forwardTo, fromPromise, sendTo, setup, stopChild } from "xstate";
import { ActorReference, type ActorState, actorRef, type Command, decode, define, encode, parseJson, start, step } from "../../src/actor/index.ts";
import { at, begin, pending, stored } from "./begin.ts";

const ping = { type: "PING" };
const hub = define(
  setup({
    types: {} as {
      context: { refs: Readonly<Record<string, AnyActorRef>> };
      input: { refs: Readonly<Record<string, AnyActorRef>> } | undefined;
      events: { type: "KEEP"; name: string; ref: AnyActorRef } | { type: "TELL"; name: string } | { type: "SPAWN" | "SELF" | "SPAWN_AND_TELL" | "STOP" | "FORWARD" | "GIVE" | "BY_SYSTEM_ID" };
    },
    actors: { job: fromPromise<unknown, unknown>(pending) },
    actions: {
      spawn: assign({ refs: ({ context, spawn }) => ({ ...context.refs, kid: spawn("job", { id: "kid", systemId: "the kid", input: {} }) }) }),
      keepSelf: assign({ refs: ({ context, self }) => ({ ...context.refs, self: self as AnyActorRef }) }),
    },
  }).createMachine({
    id: "hub",
    context: ({ input }) => ({ refs: input?.refs ?? {} }),
    initial: "on",
    states: {
      on: {
        on: {
          KEEP: { actions: assign({ refs: ({ context, event }) => ({ ...context.refs, [event.name]: event.ref }) }) },
          TELL: { actions: sendTo(({ context, event }) => context.refs[event.name] as AnyActorRef, ping) },
          SPAWN: { actions: "spawn" },
          SELF: { actions: "keepSelf" },
          SPAWN_AND_TELL: { actions: ["spawn", sendTo(({ context }) => context.refs.kid as AnyActorRef, ping), sendTo(({ system }) => system.get("the kid"), ping)] },
          STOP: { actions: stopChild(({ context }) => context.refs.kid as AnyActorRef) },
          FORWARD: { actions: forwardTo(({ context }) => context.refs.friend as AnyActorRef) },
          GIVE: "giving",
          BY_SYSTEM_ID: { actions: sendTo(({ system }) => system.get("the kid"), ping) },
        },
      },
      giving: {
        invoke: {
          id: "taker",
          src: "job",
          input: ({ self, context }: { self: AnyActorRef; context: { refs: Readonly<Record<string, AnyActorRef>> } }) => ({ boss: self, friend: context.refs.friend }),
        },
      },
    },
  }),
);

/** The same in memory and through the store. */
const both = (state: ActorState): ReadonlyArray<ActorState> => [state, stored(hub, state)];
const targetOf = (commands: ReadonlyArray<Command>): unknown => (commands[0]?.type === "send" ? commands[0].to : commands);
const tell = (state: ActorState, name: string): unknown => targetOf(step(hub, state, { type: "TELL", name }, at).commands);

describe("step > references", () => {
  test("a reference to the actor itself means itself", () => {
    for (const state of both(step(hub, begin(hub).state, { type: "SELF" }, at).state)) expect(tell(state, "self")).toEqual({ kind: "self" });
  });

  test("a reference to a child means the child, also in the step that made it", () => {
    const { state, commands } = step(hub, begin(hub).state, { type: "SPAWN_AND_TELL" }, at);
    expect(commands).toEqual([
      { type: "child.start", id: "kid", src: "job", token: 1, input: {}, systemId: "the kid" },
      { type: "send", to: { kind: "child", id: "kid" }, event: ping },
      { type: "send", to: { kind: "child", id: "kid" }, event: ping },
    ]);
    for (const kept of both(state)) {
      expect(tell(kept, "kid")).toEqual({ kind: "child", id: "kid" });
      expect(targetOf(step(hub, kept, { type: "BY_SYSTEM_ID" }, at).commands)).toEqual({ kind: "child", id: "kid" });
      expect(step(hub, kept, { type: "STOP" }, at).commands).toEqual([{ type: "child.stop", id: "kid", token: 1 }]);
    }
  });

  test("a reference to a child that is gone is its address", () => {
    const gone = step(hub, step(hub, begin(hub).state, { type: "SPAWN" }, at).state, { type: "STOP" }, at).state;
    for (const state of both(gone)) expect(tell(state, "kid")).toEqual({ kind: "address", address: "hub/1/kid" });
  });

  test("a reference to the parent, as one that was passed in the input, means the parent", () => {
    const first = start(hub, "boss/1/hub", "boss/1", { refs: { boss: new ActorReference("boss/1") } }, at).state;
    for (const state of both(first)) expect(tell(state, "boss")).toEqual({ kind: "parent" });
  });

  test("references in inputs and events, and actorRef(address), mean the actor at that address", () => {
    const first = start(hub, "hub/1", undefined, { refs: { friend: actorRef("order/42") } }, at).state;
    const second = step(hub, first, { type: "KEEP", name: "live", ref: new ActorReference("task/1/job") }, at).state;
    const third = step(hub, second, { type: "KEEP", name: "parsed", ref: parseJson(JSON.stringify(new ActorReference("task/2"))) }, at).state;
    for (const state of both(third)) {
      expect(tell(state, "friend")).toEqual({ kind: "address", address: "order/42" });
      expect(tell(state, "live")).toEqual({ kind: "address", address: "task/1/job" });
      expect(tell(state, "parsed")).toEqual({ kind: "address", address: "task/2" });
      expect(targetOf(step(hub, state, { type: "FORWARD" }, at).commands)).toEqual({ kind: "address", address: "order/42" });
      expect(encode(stored(hub, state))).toBe(encode(state));
    }
  });

  test("actorRef(address) of the actor itself, its parent or its child is recognised", () => {
    const refs = { self: actorRef("boss/1/hub"), boss: actorRef("boss/1"), kid: actorRef("boss/1/hub/kid"), other: actorRef("boss/1/other") };
    const first = step(hub, start(hub, "boss/1/hub", "boss/1", { refs }, at).state, { type: "SPAWN" }, at).state;
    for (const state of both(step(hub, first, { type: "KEEP", name: "kid", ref: refs.kid }, at).state)) {
      expect(["self", "boss", "kid", "other"].map((name) => tell(state, name))).toEqual([
        { kind: "self" },
        { kind: "parent" },
        { kind: "child", id: "kid" },
        { kind: "address", address: "boss/1/other" },
      ]);
    }
  });

  test("what is stored of a reference is its address", () => {
    const { state } = step(hub, begin(hub).state, { type: "SPAWN" }, at);
    expect(JSON.parse(encode(state)).context).toEqual({ refs: { kid: { xstate$$type: 1, id: "kid", address: "hub/1/kid" } } });
    expect((stored(hub, state).snapshot.context as { refs: { kid: unknown } }).refs.kid).toEqual((state.snapshot.context as { refs: { kid: unknown } }).refs.kid);
  });

  test("references that are passed on to a child carry their addresses", () => {
    const { state } = start(hub, "hub/1", undefined, { refs: { friend: actorRef("order/42") } }, at);
    const [started] = step(hub, state, { type: "GIVE" }, at).commands;
    expect(JSON.parse(JSON.stringify(started))).toMatchObject({ input: { boss: { xstate$$type: 1, address: "hub/1" }, friend: { xstate$$type: 1, address: "order/42" } } });
  });

  test("a child's id with slashes and percent signs keeps its address a path, and comes back", () => {
    const odd = define(
      setup({ types: {} as { context: { ref: unknown } }, actors: { job: fromPromise(pending) } }).createMachine({
        id: "odd",
        context: { ref: null },
        on: {
          SPAWN: { actions: assign({ ref: ({ spawn }) => spawn("job", { id: "a/b%2F" }) as unknown }) },
          TELL: { actions: enqueueActions(({ context, enqueue }) => enqueue.sendTo(context.ref as AnyActorRef, ping as never)) },
        },
      }),
    );
    const { state } = step(odd, begin(odd).state, { type: "SPAWN" }, at);
    for (const kept of [state, decode(odd, "odd/1", undefined, encode(state))]) {
      expect((kept.snapshot.context as { ref: ActorReference }).ref).toMatchObject({ id: "a/b%2F", address: "odd/1/a%2Fb%252F" });
      expect(targetOf(step(odd, kept, { type: "TELL" }, at).commands)).toEqual({ kind: "child", id: "a/b%2F" });
    }
  });
});
