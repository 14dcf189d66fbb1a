import { describe, expect } from "vitest";
import { type AnyActorRef, type AnyStateMachine, assign, createMachine, enqueueActions, sendParent, sendTo, setup, stopChild } from "xstate";
import { inBothJournals, inThreeModes } from "../../src/testing/index.ts";
import { Held } from "./held.ts";
import { echo } from "./machines.ts";

/** Ends at once with its input, or waits for END, or fails. */
const kid = setup({
  types: { context: {} as { name: string }, input: {} as { name: string; atOnce?: boolean }, output: {} as string, events: {} as { type: "END" | "FAIL" | "SHOUT" } },
  guards: { isBrief: ({ context }) => context.name.startsWith("brief") },
}).createMachine({
  id: "kid",
  context: ({ input }) => ({ name: input.name }),
  initial: "open",
  states: {
    open: { always: { guard: "isBrief", target: "ended" }, on: { END: "ended", SHOUT: { actions: sendParent(({ context }) => ({ type: "HEARD", name: context.name })) } } },
    ended: { type: "final" },
  },
  output: ({ context }) => `${context.name} is done`,
});

/** Invokes a child in one state; AGAIN enters that state anew. */
const parent = setup({
  types: { context: {} as { log: ReadonlyArray<unknown>; name: string }, input: {} as { name?: string } | undefined },
  actors: { kid },
  actions: { note: assign({ log: ({ context, event }) => [...context.log, "output" in event ? event.output : event.type] }) },
}).createMachine({
  id: "parent",
  context: ({ input }) => ({ log: [], name: input?.name ?? "kid" }),
  initial: "with",
  on: { HEARD: { actions: "note" }, TELL: { actions: sendTo("kid", { type: "SHOUT" }) }, END: { actions: sendTo("kid", { type: "END" }) } },
  states: {
    with: {
      invoke: { src: "kid", id: "kid", input: ({ context }) => ({ name: context.name }), onDone: { target: "without", actions: "note" }, onError: { target: "failed", actions: "note" } },
      on: { AGAIN: { target: "with", reenter: true }, LEAVE: "without" },
    },
    without: { on: { BACK: "with" } },
    failed: {},
  },
});

describe("engine > child machines", () => {
  inThreeModes("a child that ends tells its parent, with its output", async (bench) => {
    const engine = await bench.engine({ machines: [parent] });
    await engine.start("parent", "1");
    expect(await engine.snapshot("parent/1/kid")).toMatchObject({ machine: "kid", status: "active", context: { name: "kid" } });
    await engine.send("parent/1", { type: "TELL" });
    await engine.send("parent/1/kid", { type: "END" });
    expect(await engine.snapshot("parent/1/kid")).toMatchObject({ status: "done", output: "kid is done" });
    expect(await engine.snapshot("parent/1")).toMatchObject({ value: "without", context: { log: ["HEARD", "kid is done"] } });
  });

  inThreeModes("leaving the state stops the child; what it would say is not heard", async (bench) => {
    const engine = await bench.engine({ machines: [parent] });
    await engine.start("parent", "1");
    await engine.send("parent/1", { type: "LEAVE" });
    expect(await engine.snapshot("parent/1/kid")).toMatchObject({ status: "stopped" });
    expect(await engine.send("parent/1/kid", { type: "END" })).toMatchObject({ outcome: "ended" });
    expect(await engine.snapshot("parent/1")).toMatchObject({ value: "without", context: { log: [] }, children: {} });
  });

  inThreeModes("a state entered anew has a new child; the earlier one keeps its history at address~id", async (bench) => {
    const engine = await bench.engine({ machines: [parent] });
    await engine.start("parent", "1");
    await engine.send("parent/1/kid", { type: "SHOUT" });
    for (let round = 0; round < 3; round++) await engine.send("parent/1", { type: "AGAIN" });
    expect(await engine.snapshot("parent/1/kid")).toMatchObject({ status: "active", seq: 1 });
    const earlier = (await engine.taskwright.list({ machine: "kid" })).map(({ address, status }) => [address, status]);
    expect(earlier).toEqual([
      ["parent/1/kid~2", "stopped"],
      ["parent/1/kid~3", "stopped"],
      ["parent/1/kid~4", "stopped"],
      ["parent/1/kid", "active"],
    ]);
    expect((await engine.taskwright.history("parent/1/kid~2")).map(({ event }) => event.type)).toEqual(["taskwright.start", "SHOUT", "taskwright.stop"]);
    await engine.send("parent/1/kid", { type: "END" });
    expect(await engine.snapshot("parent/1")).toMatchObject({ value: "without", context: { log: ["HEARD", "kid is done"] } });
  });

  inThreeModes("a child that ends at once can be invoked again and again within one turn", async (bench) => {
    const serial = setup({ types: { context: {} as { rounds: number } }, actors: { kid } }).createMachine({
      id: "serial",
      context: { rounds: 0 },
      initial: "idle",
      states: {
        idle: { on: { GO: "working" } },
        working: {
          invoke: {
            src: "kid",
            id: "kid",
            input: { name: "brief" },
            onDone: [{ guard: ({ context }) => context.rounds < 4, target: "working", reenter: true, actions: assign({ rounds: ({ context }) => context.rounds + 1 }) }, { target: "over" }],
          },
        },
        over: { on: { AGAIN: { target: "working", actions: assign({ rounds: 0 }) } } },
      },
    });
    const engine = await bench.engine({ machines: [serial] });
    await engine.start("serial", "1");
    expect(await engine.send("serial/1", { type: "GO" })).toMatchObject({ outcome: "handled" });
    await engine.settled();
    expect(await engine.snapshot("serial/1")).toMatchObject({ value: "over", context: { rounds: 4 } });
    expect(await engine.send("serial/1", { type: "AGAIN" })).toMatchObject({ outcome: "handled" });
    await engine.settled();
    expect(await engine.snapshot("serial/1")).toMatchObject({ value: "over", context: { rounds: 4 } });
    expect(await engine.taskwright.list({ machine: "kid" })).toHaveLength(10);
  });

  inThreeModes("a child with children of its own can be invoked again and again", async (bench) => {
    const middle = setup({ actors: { echo, work: new Held().logic } }).createMachine({
      id: "middle",
      invoke: [
        { src: "echo", id: "leaf" },
        { src: "work", id: "work" },
      ],
    });
    const top = setup({ actors: { middle } }).createMachine({
      id: "top",
      initial: "with",
      states: { with: { invoke: { src: "middle", id: "middle" }, on: { AGAIN: { target: "with", reenter: true } } } },
    });
    const engine = await bench.engine({ machines: [top] });
    await engine.start("top", "1");
    for (let round = 0; round < 4; round++) expect(await engine.send("top/1", { type: "AGAIN" })).toMatchObject({ outcome: "handled" });
    expect(engine.taskwright.status().state).toBe("running");
    const all = await engine.taskwright.list({});
    expect(all.filter(({ machine }) => machine === "echo").map(({ status }) => status)).toEqual(["stopped", "stopped", "stopped", "stopped", "active"]);
    expect(new Set(all.map(({ address }) => address)).size).toBe(16);
    expect(await engine.send("top/1/middle/leaf", { type: "SAY", word: 1 })).toMatchObject({ outcome: "handled" });
  });

  inThreeModes("spawned children are addressed by their ids, stopped by stopChild, and may be spawned again", async (bench) => {
    const host = setup({
      types: { context: {} as { refs: Record<string, unknown>; heard: ReadonlyArray<unknown> }, events: {} as { type: "SPAWN" | "STOP" | "TELL"; id: string } | { type: "HEARD"; name: string } },
      actors: { kid },
    }).createMachine({
      id: "host",
      context: { refs: {}, heard: [] },
      on: {
        SPAWN: { actions: assign({ refs: ({ context, event, spawn }) => ({ ...context.refs, [event.id]: spawn("kid", { id: event.id, input: { name: event.id } }) }) }) },
        STOP: { actions: stopChild(({ event }) => event.id) },
        TELL: { actions: sendTo(({ context, event }) => context.refs[event.id] as AnyActorRef, { type: "SHOUT" }) },
        HEARD: { actions: assign({ heard: ({ context, event }) => [...context.heard, event.name] }) },
      },
    });
    const engine = await bench.engine({ machines: [host] });
    await engine.start("host", "1");
    const ids = ["a", "b/slash", "c%percent", "a~3"];
    for (const id of ids) await engine.send("host/1", { type: "SPAWN", id });
    for (const id of ids) await engine.send("host/1", { type: "TELL", id });
    expect(await engine.snapshot("host/1/b%2Fslash")).toMatchObject({ context: { name: "b/slash" } });
    await engine.send("host/1", { type: "STOP", id: "a" });
    expect(await engine.snapshot("host/1/a")).toMatchObject({ status: "stopped" });
    await engine.send("host/1", { type: "SPAWN", id: "a" });
    await engine.send("host/1", { type: "TELL", id: "a" });
    expect(await engine.snapshot("host/1")).toMatchObject({ context: { heard: [...ids, "a"] } });
  });

  inThreeModes("a parent that ends stops its children, all the way down", async (bench) => {
    const inner = setup({ actors: { echo } }).createMachine({ id: "inner", invoke: { src: "echo", id: "leaf" } });
    const outer = setup({ actors: { inner } }).createMachine({
      id: "outer",
      initial: "open",
      states: { open: { invoke: { src: "inner", id: "inner" }, on: { END: "ended" } }, ended: { type: "final" } },
    });
    const engine = await bench.engine({ machines: [outer] });
    await engine.start("outer", "1");
    await engine.send("outer/1", { type: "END" });
    expect((await engine.taskwright.list({})).map(({ address, status }) => [address, status])).toEqual([
      ["outer/1", "done"],
      ["outer/1/inner", "stopped"],
      ["outer/1/inner/leaf", "stopped"],
    ]);
  });

  inThreeModes("an error that no parent handles ends the parent in error, and its other children", async (bench) => {
    const held = new Held();
    const careless = setup({ actors: { echo, work: held.logic } }).createMachine({
      id: "careless",
      invoke: [
        { src: "echo", id: "other" },
        { src: "work", id: "work" },
      ],
    });
    const engine = await bench.engine({ machines: [careless] });
    await engine.start("careless", "1");
    held.last.reject(new Error("no use"));
    await engine.settled();
    expect(await engine.snapshot("careless/1")).toMatchObject({ status: "error", error: { message: "no use" } });
    expect(await engine.snapshot("careless/1/other")).toMatchObject({ status: "stopped" });
  });

  inBothJournals("children that invoke themselves end at a depth, not on the stack", async (bench) => {
    // A chain of different machines: XState has no way to name a machine inside itself.
    let machine: AnyStateMachine = createMachine({ id: "level0" });
    for (let level = 1; level <= 200; level++) machine = createMachine({ id: `level${level}`, invoke: { src: "next", id: "n" } }, { actors: { next: machine } } as never);
    const engine = await bench.engine({ machines: [machine] });
    await engine.start("level200", "1");
    expect(await engine.taskwright.counts()).toHaveLength(201);
    expect(await engine.snapshot(`level200/1${"/n".repeat(200)}`)).toMatchObject({ machine: "level0", status: "active" });
  });

  inThreeModes("a hundred children answer in one turn", async (bench) => {
    const crowd = setup({ types: { context: {} as { heard: number } }, actors: { echo } }).createMachine({
      id: "crowd",
      context: { heard: 0 },
      entry: enqueueActions(({ enqueue }) => {
        for (let id = 0; id < 100; id++) enqueue.spawnChild("echo", { id: `e${id}` });
      }),
      on: {
        ALL: {
          actions: enqueueActions(({ enqueue }) => {
            for (let id = 0; id < 100; id++) enqueue.sendTo(`e${id}`, { type: "SAY", word: id });
          }),
        },
        HEARD: { actions: assign({ heard: ({ context }) => context.heard + 1 }) },
      },
    });
    const engine = await bench.engine({ machines: [crowd] });
    await engine.start("crowd", "1");
    await engine.send("crowd/1", { type: "ALL" });
    expect(await engine.snapshot("crowd/1")).toMatchObject({ context: { heard: 100 } });
  });
});
