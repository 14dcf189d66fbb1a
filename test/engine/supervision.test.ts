import { describe, expect } from "vitest";
import { assign, sendTo, setup } from "xstate";
import type { DurableMachine } from "../../src/engine/index.ts";
import { inBothJournals, inThreeModes, type TestEngine } from "../../src/testing/index.ts";
import { Held } from "./held.ts";

type Supervision = NonNullable<DurableMachine["supervision"]>;

/** Counts what it is told, and breaks on BREAK. */
const brittle = (supervision: Supervision): DurableMachine => ({
  machine: setup({
    types: { context: {} as { count: number; name: string }, input: {} as { name?: string } | undefined, events: {} as { type: "ADD" | "BREAK" } },
    actions: {
      count: assign({ count: ({ context }) => context.count + 1 }),
      breaking: assign(() => {
        throw new Error("broken");
      }),
    },
  }).createMachine({
    id: "brittle",
    context: ({ input }) => ({ count: 0, name: input?.name ?? "" }),
    initial: "open",
    states: { open: { after: { 60000: "aged" }, on: { ADD: { actions: "count" }, BREAK: { actions: "breaking" } } }, aged: { on: { ADD: { actions: "count" } } } },
  }),
  supervision,
});

/** Three children a, b and c, and what became of them. */
const family = (kid: DurableMachine, handlesErrors = true): DurableMachine => ({
  machine: setup({
    types: { context: {} as { errors: ReadonlyArray<string> } },
    actors: { kid: kid.machine as never },
    actions: { note: assign({ errors: ({ context, event }) => [...context.errors, (event as never as { error: Error }).error.message] }) },
  }).createMachine({
    id: "family",
    context: { errors: [] },
    invoke: ["a", "b", "c"].map((id) => ({ src: "kid" as const, id, input: { name: id }, ...(handlesErrors ? { onError: { actions: "note" as const } } : {}) })) as never,
    on: {
      TELL: {
        actions: sendTo(
          ({ event }) => (event as never as { to: string }).to,
          ({ event }) => (event as never as { told: { type: string } }).told,
        ),
      },
    },
  }),
});

const children = async (engine: TestEngine) =>
  Promise.all(
    ["a", "b", "c"].map(async (id) => {
      const { context, status } = await engine.snapshot(`family/1/${id}`);
      return [status, (context as { count: number }).count];
    }),
  );

const addToAll = async (engine: TestEngine) => {
  for (const id of ["a", "b", "c"]) await engine.send(`family/1/${id}`, { type: "ADD" });
};
const broken = (engine: TestEngine, address: string) => expect(engine.send(address, { type: "BREAK" })).rejects.toMatchObject({ _tag: "ActorFailed", detail: "broken" });

describe("engine > supervision", () => {
  inThreeModes("resume: the event is a dead letter, the actor goes on from the state it had", async (bench) => {
    const engine = await bench.engine({ machines: [brittle({})] });
    await engine.start("brittle", "1");
    await engine.send("brittle/1", { type: "ADD" });
    await broken(engine, "brittle/1");
    await engine.settled();
    expect(await engine.snapshot("brittle/1")).toMatchObject({ status: "active", context: { count: 1 } });
    expect(await engine.taskwright.counts()).toHaveLength(1);
  });

  inThreeModes("restart: from its initial state, with the input it was started with, its deadlines anew", async (bench) => {
    const engine = await bench.engine({ machines: [brittle({ strategy: "restart" })] });
    await engine.start("brittle", "1", { name: "Ada" });
    await engine.send("brittle/1", { type: "ADD" });
    await engine.advance("30 seconds");
    await broken(engine, "brittle/1");
    await engine.settled();
    expect(await engine.snapshot("brittle/1")).toMatchObject({ status: "active", value: "open", context: { count: 0, name: "Ada" } });
    await engine.advance(59_999);
    expect(await engine.snapshot("brittle/1")).toMatchObject({ value: "open" });
    await engine.advance(1);
    expect(await engine.snapshot("brittle/1")).toMatchObject({ value: "aged" });
    expect((await engine.taskwright.history("brittle/1")).map(({ event, outcome }) => [event.type, outcome])).toEqual([
      ["taskwright.start", "handled"],
      ["ADD", "handled"],
      ["BREAK", "failed"],
      ["taskwright.restart", "handled"],
      ["taskwright.timer", "handled"],
    ]);
    expect(await engine.taskwright.deadLetters()).toHaveLength(1);
  });

  inThreeModes("stop: the actor ends, and its parent is not told", async (bench) => {
    const kid = brittle({ strategy: "stop" });
    const engine = await bench.engine({ machines: [family(kid), kid] });
    await engine.start("family", "1");
    await broken(engine, "family/1/b");
    await engine.settled();
    expect(await children(engine)).toEqual([
      ["active", 0],
      ["stopped", 0],
      ["active", 0],
    ]);
    expect(await engine.snapshot("family/1")).toMatchObject({ status: "active", seq: 1 });
    expect(await engine.send("family/1/b", { type: "ADD" })).toMatchObject({ outcome: "ended" });
  });

  inThreeModes("escalate: the actor ends in error, and its parent handles it", async (bench) => {
    const kid = brittle({ strategy: "escalate" });
    const engine = await bench.engine({ machines: [family(kid), kid] });
    await engine.start("family", "1");
    await broken(engine, "family/1/b");
    await engine.settled();
    expect(await engine.snapshot("family/1/b")).toMatchObject({ status: "error", error: { message: "broken" } });
    expect(await engine.snapshot("family/1")).toMatchObject({ status: "active", context: { errors: ["broken"] } });
    expect(await children(engine)).toEqual([
      ["active", 0],
      ["error", 0],
      ["active", 0],
    ]);
  });

  inThreeModes("escalate to a parent that does not handle it: the parent fails in turn, with all its children", async (bench) => {
    const kid = brittle({ strategy: "escalate" });
    const engine = await bench.engine({ machines: [family(kid, false), kid] });
    await engine.start("family", "1");
    await broken(engine, "family/1/b");
    await engine.settled();
    expect(await engine.snapshot("family/1")).toMatchObject({ status: "error", error: { message: "broken" } });
    expect((await children(engine)).map(([status]) => status)).toEqual(["stopped", "error", "stopped"]);
  });

  inThreeModes("one more restart than the intensity allows escalates; restarts outside of the window don't count", async (bench) => {
    const engine = await bench.engine({ machines: [brittle({ strategy: "restart", restartsMax: 2, withinMs: 10_000 })] });
    await engine.start("brittle", "1");
    for (let round = 0; round < 4; round++) {
      await broken(engine, "brittle/1");
      await engine.advance("6 seconds");
      expect(await engine.snapshot("brittle/1")).toMatchObject({ status: "active" });
    }
    await broken(engine, "brittle/1");
    await engine.settled();
    await broken(engine, "brittle/1");
    await engine.settled();
    expect(await engine.snapshot("brittle/1")).toMatchObject({ status: "error", error: { message: "broken" } });
  });

  inThreeModes("one_for_one: its siblings are untouched", async (bench) => {
    const kid = brittle({ strategy: "restart", scope: "one_for_one" });
    const engine = await bench.engine({ machines: [family(kid), kid] });
    await engine.start("family", "1");
    await addToAll(engine);
    await broken(engine, "family/1/b");
    await engine.settled();
    expect(await children(engine)).toEqual([
      ["active", 1],
      ["active", 0],
      ["active", 1],
    ]);
  });

  inThreeModes("one_for_all: its siblings begin again, too", async (bench) => {
    const kid = brittle({ strategy: "restart", scope: "one_for_all" });
    const engine = await bench.engine({ machines: [family(kid), kid] });
    await engine.start("family", "1");
    await addToAll(engine);
    await broken(engine, "family/1/b");
    await engine.settled();
    expect(await children(engine)).toEqual([
      ["active", 0],
      ["active", 0],
      ["active", 0],
    ]);
    expect(await engine.snapshot("family/1")).toMatchObject({ status: "active", seq: 1 });
  });

  inThreeModes("rest_for_one: those that were started after it begin again, too", async (bench) => {
    const kid = brittle({ strategy: "restart", scope: "rest_for_one" });
    const engine = await bench.engine({ machines: [family(kid), kid] });
    await engine.start("family", "1");
    await addToAll(engine);
    await broken(engine, "family/1/b");
    await engine.settled();
    expect(await children(engine)).toEqual([
      ["active", 1],
      ["active", 0],
      ["active", 0],
    ]);
    await engine.send("family/1/a", { type: "ADD" });
    expect(await children(engine)).toEqual([
      ["active", 2],
      ["active", 0],
      ["active", 0],
    ]);
  });

  inBothJournals("a restart that waits in the mailbox survives a crash", async (bench) => {
    const engine = await bench.engine({ machines: [brittle({ strategy: "restart" })] });
    await engine.start("brittle", "1", { name: "Ada" });
    await engine.send("brittle/1", { type: "ADD" });
    const crashed = engine.crashAfterCommits(1);
    void engine.taskwright.send("brittle/1", { type: "BREAK" });
    await crashed;
    await engine.restart();
    expect(await engine.snapshot("brittle/1")).toMatchObject({ status: "active", context: { count: 0, name: "Ada" } });
  });

  inThreeModes("an actor that begins again stops its own children and starts them anew", async (bench) => {
    const held = new Held();
    const kid = brittle({});
    const boss: DurableMachine = {
      machine: setup({
        types: { context: {} as { done: number } },
        actors: { kid: kid.machine as never, work: held.logic },
        actions: {
          breaking: assign(() => {
            throw new Error("broken");
          }),
        },
      }).createMachine({
        id: "boss",
        context: { done: 0 },
        invoke: [
          { src: "kid", id: "kid", input: {} as never },
          { src: "work", id: "work" },
        ],
        on: { BREAK: { actions: "breaking" } },
      }),
      supervision: { strategy: "restart" },
    };
    const engine = await bench.engine({ machines: [boss, kid] });
    await engine.start("boss", "1");
    await engine.send("boss/1/kid", { type: "ADD" });
    await broken(engine, "boss/1");
    await engine.settled();
    expect(await engine.snapshot("boss/1/kid")).toMatchObject({ status: "active", seq: 1, context: { count: 0 } });
    expect(await engine.taskwright.list({ machine: "brittle", status: "stopped" })).toHaveLength(1);
    if (bench.mode !== "restart") expect(held.calls.map(({ info }) => info.signal.aborted)).toEqual([true, false]);
  });

  inThreeModes("references in the input are references again after a restart", async (bench) => {
    const kid: DurableMachine = {
      machine: setup({
        types: { context: {} as { boss: unknown }, input: {} as { boss: unknown } },
        actions: {
          breaking: assign(() => {
            throw new Error("broken");
          }),
        },
      }).createMachine({
        id: "kid",
        context: ({ input }) => ({ boss: input.boss }),
        on: { CALL: { actions: sendTo(({ context }) => context.boss as never, { type: "CALLED" } as never) }, BREAK: { actions: "breaking" } },
      }),
      supervision: { strategy: "restart" },
    };
    const boss = setup({ types: { context: {} as { calls: number } }, actors: { kid: kid.machine as never } }).createMachine({
      id: "boss",
      context: { calls: 0 },
      invoke: { src: "kid", id: "kid", input: (({ self }: { self: unknown }) => ({ boss: self })) as never },
      on: { CALLED: { actions: assign({ calls: ({ context }) => context.calls + 1 }) } },
    });
    const engine = await bench.engine({ machines: [boss, kid] });
    await engine.start("boss", "1");
    await engine.send("boss/1/kid", { type: "CALL" });
    await broken(engine, "boss/1/kid");
    await engine.settled();
    expect(await engine.send("boss/1/kid", { type: "CALL" })).toMatchObject({ outcome: "handled" });
    expect(await engine.snapshot("boss/1")).toMatchObject({ context: { calls: 2 } });
  });

  inThreeModes("an actor whose start throws whenever it begins again ends after its intensity", async (bench) => {
    let starts = 0;
    const moody: DurableMachine = {
      machine: setup({
        types: { context: {} as { started: number } },
        actions: {
          breaking: assign(() => {
            throw new Error("broken");
          }),
        },
      }).createMachine({
        id: "moody",
        context: () => {
          if (starts++ > 0) throw new Error("never again");
          return { started: 1 };
        },
        on: { BREAK: { actions: "breaking" } },
      }),
      supervision: { strategy: "restart", restartsMax: 3 },
    };
    const engine = await bench.engine({ machines: [moody] });
    await engine.start("moody", "1");
    await broken(engine, "moody/1");
    await engine.settled();
    expect(await engine.snapshot("moody/1")).toMatchObject({ status: "error", error: { message: "never again" } });
    expect(engine.taskwright.status().state).toBe("running");
    engine.skipFold(); // a machine that is not pure can't be folded
  });

  inBothJournals("what the host told an actor in the turn of its failure is handled after its restart, or before, but not lost", async (bench) => {
    const engine = await bench.engine({ machines: [brittle({ strategy: "restart" })] });
    await engine.start("brittle", "1");
    const settled = await Promise.allSettled(["ADD", "BREAK", "ADD", "ADD"].map((type) => engine.send("brittle/1", { type })));
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
    await engine.settled();
    expect((await engine.taskwright.history("brittle/1")).map(({ event }) => event.type).sort()).toEqual(["ADD", "ADD", "ADD", "BREAK", "taskwright.restart", "taskwright.start"]);
  });

  for (const supervision of [{ strategy: "restrat" }, { restartsMax: -1 }, { withinMs: Number.NaN }, { scope: "all" }]) {
    inBothJournals(`${JSON.stringify(supervision)} is refused at registration`, async (bench) => {
      await expect(bench.engine({ machines: [brittle(supervision as never)] })).rejects.toMatchObject({ _tag: "InvalidOptions", message: expect.stringContaining("brittle") });
    });
  }
});
