import { describe, expect, test } from "vitest";
import { type AnyStateMachine, assign, fromPromise, sendTo, setup } from "xstate";
import { compareVersions } from "../../src/domain/version.ts";
import type { DurableMachine, StoredActor } from "../../src/engine/index.ts";
import { inBothJournals, inThreeModes, type TestEngine } from "../../src/testing/index.ts";
import { Held } from "./held.ts";

const hour = 60 * 60 * 1000;

/** An order that waits for its payment. What a version does not say is as in the first. */
const order = (version: string | undefined, states: object, options: object = {}): AnyStateMachine =>
  setup({
    types: { context: {} as Record<string, unknown> },
    actions: { count: assign({ seen: ({ context }) => Number(context.seen ?? 0) + 1 }) },
    ...options,
  }).createMachine({ id: "order", ...(version === undefined ? {} : { version }), context: { amount: 10 }, initial: "open", states } as never) as never as AnyStateMachine;

const first = { open: { on: { PAY: "paid", LOOK: { actions: "count" } }, after: { [hour]: "late" } }, paid: { type: "final" }, late: {} };
const v1 = order("1", first);
/** `open` is called `waiting` here, and amounts are in cents. */
const v2 = order("2", { waiting: { on: { PAY: "paid" }, after: { [2 * hour]: "late" } }, open: {}, paid: { type: "final" }, late: {} });
const toCents: NonNullable<DurableMachine["migrate"]> = ({ value, context }) => ({
  value: value === "open" ? "waiting" : value,
  context: { cents: (context as { amount: number }).amount * 100 },
});

const types = async (engine: TestEngine, address: string) => (await engine.taskwright.history(address)).map(({ event }) => event.type);
const moveOf = async (engine: TestEngine, address: string) => (await engine.taskwright.history(address)).find(({ event }) => event.type === "taskwright.migrate")?.event;

describe("domain > versions", () => {
  test("are ordered as semantic versioning has it", () => {
    const ordered = ["0.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0", "1.0.1", "1.2", "1.10", "2", "10"];
    for (const [i, left] of ordered.entries()) for (const [j, right] of ordered.entries()) expect([left, right, Math.sign(compareVersions(left, right))]).toEqual([left, right, Math.sign(i - j)]);
    for (const [left, right] of [
      ["1", "1.0.0"],
      ["v1.2", "1.2"],
      ["1.2+build", "1.2"],
    ] as const)
      expect(compareVersions(left, right)).toBe(0);
  });
});

describe("engine > versions > an opening", () => {
  inBothJournals("says which running actors are parked, why, and what to do; nothing where none is", async (bench) => {
    const engine = await bench.engine({ machines: [v1] });
    const warnings = () => engine.logged.filter(({ level }) => level === "warning").map(({ message }) => message);
    for (const id of ["a", "b", "c", "d", "paid"]) await engine.start("order", id);
    await engine.send("order/paid", { type: "PAY" });
    await engine.redeploy({ machines: [v2, v1] });
    expect(warnings()).toEqual([]);
    await engine.redeploy({ machines: [v2] });
    const why = 'version "1" of machine "order" wrote it, and none of the registered ones ("2") has a `migrate`';
    expect(warnings()).toEqual([
      `4 actors are parked and do nothing until that is mended: order/a, order/b, order/c (${why}) and others; ` +
        'register the machine that wrote it beside the present one, or give the present one a `migrate`. engine.parked() and "taskwright parked" list all',
    ]);
    await engine.redeploy({ machines: [{ machine: v2, migrate: toCents }] });
    expect(warnings()).toHaveLength(1);
  });
});

describe("engine > versions > side by side", () => {
  inThreeModes("running actors stay on theirs, new ones start with the highest", async (bench) => {
    const engine = await bench.engine({ machines: [v1] });
    await engine.start("order", "old");
    await engine.redeploy({ machines: [v2, v1] });
    await engine.start("order", "new");
    expect(await engine.snapshot("order/old")).toMatchObject({ version: "1", value: "open" });
    expect(await engine.snapshot("order/new")).toMatchObject({ version: "2", value: "open" });
    await engine.send("order/old", { type: "LOOK" });
    await engine.advance("1 hour");
    expect(await engine.snapshot("order/old")).toMatchObject({ version: "1", value: "late", context: { seen: 1 } });
    expect(await types(engine, "order/old")).toEqual(["taskwright.start", "LOOK", "taskwright.timer"]);
    expect((await engine.taskwright.list()).map(({ address, version }) => [address, version])).toEqual([
      ["order/old", "1"],
      ["order/new", "2"],
    ]);
  });

  inBothJournals("new actors start with the one that is marked as current", async (bench) => {
    const engine = await bench.engine({ machines: [v2, { machine: v1, current: true }] });
    await engine.start("order", "1");
    expect(await engine.snapshot("order/1")).toMatchObject({ version: "1" });
  });

  inThreeModes("a child runs the machine that its parent's version has, also a promise", async (bench) => {
    const make = (version: string) => {
      const kid = setup({
        actors: { work: fromPromise(async () => `work ${version}`) },
        actions: { keep: assign({ made: ({ event }) => (event as never as { output: string }).output }) },
      }).createMachine({
        id: "kid",
        version,
        context: { by: version, made: "" },
        initial: "idle",
        states: { idle: { on: { GO: "working" } }, working: { invoke: { src: "work", id: "work", onDone: { target: "idle", actions: "keep" } } } },
      } as never);
      return setup({ actors: { kid } }).createMachine({
        id: "boss",
        version,
        initial: "off",
        states: { off: { on: { ON: "on" } }, on: { invoke: { src: "kid", id: "kid" }, on: { GO: { actions: sendTo("kid", { type: "GO" } as never) } } } },
      });
    };
    const engine = await bench.engine({ machines: [make("1")] });
    await engine.start("boss", "old");
    await engine.redeploy({ machines: [make("1"), make("2")] });
    await engine.start("boss", "new");
    for (const id of ["old", "new"]) {
      await engine.send(`boss/${id}`, { type: "ON" });
      await engine.send(`boss/${id}`, { type: "GO" });
      await engine.settled();
    }
    expect(await engine.snapshot("boss/old/kid")).toMatchObject({ version: "1", context: { by: "1", made: "work 1" } });
    expect(await engine.snapshot("boss/new/kid")).toMatchObject({ version: "2", context: { by: "2", made: "work 2" } });
  });

  inBothJournals("each version refuses events by its own schema", async (bench) => {
    const Schema = await import("effect/Schema");
    const engine = await bench.engine({ machines: [{ machine: v1, events: Schema.Struct({ type: Schema.Literal("LOOK") }) }] });
    await engine.start("order", "old");
    await engine.redeploy({
      machines: [
        { machine: v1, events: Schema.Struct({ type: Schema.Literal("LOOK") }) },
        { machine: v2, events: Schema.Struct({ type: Schema.Literal("PAY") }) },
      ],
    });
    await engine.start("order", "new");
    await expect(engine.send("order/old", { type: "PAY" })).rejects.toMatchObject({ _tag: "InvalidEvent" });
    await expect(engine.send("order/new", { type: "LOOK" })).rejects.toMatchObject({ _tag: "InvalidEvent" });
    expect(await engine.send("order/old", { type: "LOOK" })).toMatchObject({ outcome: "handled" });
    expect(await engine.send("order/new", { type: "PAY" })).toBeDefined();
  });

  const refused: ReadonlyArray<readonly [string, ReadonlyArray<AnyStateMachine | DurableMachine>, string]> = [
    ["two charts of one version", [v1, order("1", { other: {}, open: {} })], 'the id "order" and the version "1", with different charts'],
    ["versions of equal rank", [v1, order("1.0", first)], "of equal rank"],
    [
      "two that are current",
      [
        { machine: v1, current: true },
        { machine: v2, current: true },
      ],
      "marked as `current`",
    ],
    ["options for one chart twice", [v1, { machine: order("1", first), migrate: () => ({}) }], "stands twice"],
    ["a migrate that is no function", [{ machine: v2, migrate: {} as never }], "migrate must be a function"],
  ];
  for (const [what, machines, problem] of refused) {
    inBothJournals(`${what} are refused at once`, async (bench) => {
      await expect(bench.engine({ machines })).rejects.toMatchObject({ _tag: "InvalidOptions", message: expect.stringContaining(problem) });
    });
  }

  inBothJournals("the same chart twice is one machine", async (bench) => {
    const engine = await bench.engine({ machines: [v1, order("1", first)] });
    expect(await engine.start("order", "1")).toMatchObject({ duplicate: false });
  });
});

describe("engine > versions > another chart of the same version", () => {
  const more = order("1", { ...first, open: { ...first.open, on: { ...first.open.on, CANCEL: "cancelled" } }, cancelled: {} });

  inThreeModes("takes an actor on that fits, says so in its history once, and keeps its deadline", async (bench) => {
    const engine = await bench.engine({ machines: [v1] });
    const { at } = await engine.start("order", "1");
    const before = await engine.snapshot("order/1");
    await engine.redeploy({ machines: [more] });
    // Nothing is stored before it is told something.
    expect(await engine.snapshot("order/1")).toMatchObject({ hash: before.hash, seq: 1, value: "open" });
    expect(await engine.send("order/1", { type: "LOOK" })).toMatchObject({ seq: 3, outcome: "handled" });
    await engine.send("order/1", { type: "LOOK" });
    expect(await types(engine, "order/1")).toEqual(["taskwright.start", "taskwright.migrate", "LOOK", "LOOK"]);
    const after = await engine.snapshot("order/1");
    expect(after.hash).not.toBe(before.hash);
    expect(after.timers).toMatchObject({ [`after.${hour}.order.open`]: { due: at + hour } });
    expect(await moveOf(engine, "order/1")).toMatchObject({ by: "structure", from: { version: "1", hash: before.hash }, to: { version: "1", hash: after.hash }, state: { value: "open" } });
    expect(await engine.send("order/1", { type: "CANCEL" })).toMatchObject({ outcome: "handled" });
  });

  inThreeModes("a deadline that falls due is what loads the actor, and is not lost", async (bench) => {
    const engine = await bench.engine({ machines: [v1] });
    await engine.start("order", "1");
    await engine.redeploy({ machines: [more] });
    await engine.advance("1 hour");
    expect(await engine.snapshot("order/1")).toMatchObject({ value: "late" });
    expect(await types(engine, "order/1")).toEqual(["taskwright.start", "taskwright.migrate", "taskwright.timer"]);
  });

  const kid = setup({}).createMachine({ id: "kid", initial: "on", states: { on: {} } });
  const wide = (id: string, states: object, actors: object = { kid }): AnyStateMachine => setup({ actors: actors as never }).createMachine({ id, initial: "on", states } as never) as never;
  const misfits: ReadonlyArray<readonly [string, AnyStateMachine, AnyStateMachine, string]> = [
    ["a state that has others inside now", wide("m", { on: {} }), wide("m", { on: { initial: "deep", states: { deep: {} } } }), "would read the state"],
    ["a deadline that is another one", wide("m", { on: { after: { 1000: "off" } }, off: {} }), wide("m", { on: { after: { 2000: "off" } }, off: {} }), 'the deadline "after.1000.m.on"'],
    ["a child's actor that is gone", wide("m", { on: { invoke: { src: "kid", id: "a" } } }), wide("m", { on: { invoke: { src: "kid2", id: "a" } } }, { kid2: kid }), 'runs the actor "kid"'],
    ["an invoke that is gone", wide("m", { on: { invoke: { src: "kid", id: "a" } } }), wide("m", { on: {}, off: { invoke: { src: "kid", id: "a" } } }), "invoked by no active state"],
    ["an invoke without an id that is gone", wide("m", { on: { invoke: { src: "kid" } } }), wide("m", { on: {} }), "invoked by no active state"],
    ["an invoke that was never started", wide("m", { on: {} }), wide("m", { on: { invoke: { src: "kid", id: "a" } } }), "never started"],
    [
      "a region that came with a parallel state",
      setup({}).createMachine({ id: "m", type: "parallel", states: { a: { initial: "x", states: { x: {} } }, b: { initial: "y", states: { y: {} } } } }),
      setup({}).createMachine({ id: "m", type: "parallel", states: { a: { initial: "x", states: { x: {} } }, b: { initial: "z", states: { z: {} } } } }),
      "state",
    ],
  ];
  for (const [what, before, after, cause] of misfits) {
    inBothJournals(`parks an actor over ${what}, says so, and leaves its row as it is`, async (bench) => {
      const engine = await bench.engine({ machines: [before] });
      await engine.start("m", "1");
      const [row] = await engine.taskwright.list({ machine: "m" });
      await engine.redeploy({ machines: [after] });
      const parked = { reason: "misfit", detail: expect.stringContaining(cause) };
      await expect(engine.send("m/1", { type: "ANY" })).rejects.toMatchObject({ _tag: "ActorParked", ...parked, message: expect.stringContaining("another version") });
      expect(await engine.taskwright.parked()).toMatchObject([{ address: "m/1", machine: "m", version: "1", ...parked }]);
      await engine.advance("1 hour");
      expect((await engine.taskwright.list({ machine: "m" }))[0]).toEqual(row);
      await engine.redeploy({ machines: [before] });
      expect(await engine.taskwright.parked()).toEqual([]);
      expect(await engine.send("m/1", { type: "ANY" })).toMatchObject({ outcome: "ignored" });
    });
  }

  inThreeModes("remembers its history states where they exist, and parks where they don't", async (bench) => {
    const make = (inner: string) =>
      setup({}).createMachine({
        id: "m",
        initial: "work",
        states: { work: { initial: "a", states: { a: { on: { NEXT: inner } }, [inner]: {}, back: { type: "history" } }, on: { PAUSE: "paused" } }, paused: { on: { GO: "work.back" } } },
      } as never) as never as AnyStateMachine;
    const engine = await bench.engine({ machines: [make("b")] });
    await engine.start("m", "1");
    await engine.send("m/1", { type: "NEXT" });
    await engine.send("m/1", { type: "PAUSE" });
    const changed = make("b");
    await engine.redeploy({ machines: [setup({}).createMachine({ ...changed.config, description: "changed" } as never) as never] });
    await engine.send("m/1", { type: "GO" });
    expect(await engine.snapshot("m/1")).toMatchObject({ value: { work: "b" } });
    await engine.send("m/1", { type: "PAUSE" });
    await engine.redeploy({ machines: [make("c")] });
    await expect(engine.send("m/1", { type: "GO" })).rejects.toMatchObject({ _tag: "ActorParked", reason: "misfit", detail: expect.stringContaining("m.work.b") });
  });
});

describe("engine > versions > another version", () => {
  inBothJournals("is never guessed: without a migrate the actor is parked, though its state would fit", async (bench) => {
    const engine = await bench.engine({ machines: [v1] });
    await engine.start("order", "1");
    await engine.redeploy({ machines: [v2] });
    await expect(engine.send("order/1", { type: "PAY" })).rejects.toMatchObject({ _tag: "ActorParked", reason: "unregistered", detail: expect.stringContaining('version "1"') });
    expect((await engine.taskwright.list())[0]).toMatchObject({ version: "1", value: "open", seq: 1 });
  });

  inBothJournals("that is newer than all registered ones parks the actor, also where there is a migrate", async (bench) => {
    let calls = 0;
    const engine = await bench.engine({ machines: [v2] });
    await engine.start("order", "1");
    await engine.redeploy({
      machines: [
        {
          machine: v1,
          migrate: () => {
            calls++;
            return {};
          },
        },
      ],
    });
    await expect(engine.send("order/1", { type: "PAY" })).rejects.toMatchObject({ reason: "newer", detail: expect.stringContaining('version "2"') });
    expect(await engine.taskwright.migrate("order")).toMatchObject({ moved: 0, parked: 1 });
    expect(calls).toBe(0);
  });

  inThreeModes("is moved to by its migrate when the actor is next told something; its deadline is set anew", async (bench) => {
    const asked: Array<StoredActor> = [];
    const engine = await bench.engine({ machines: [v1] });
    await engine.start("order", "1");
    const { hash } = await engine.snapshot("order/1");
    await engine.advance("30 minutes");
    await engine.redeploy({
      machines: [
        {
          machine: v2,
          migrate: (stored, from) => {
            asked.push(stored);
            return toCents(stored, from);
          },
        },
      ],
    });
    expect(await engine.snapshot("order/1")).toMatchObject({ version: "1", value: "open", context: { amount: 10 }, seq: 1 });
    const { at } = await engine.send("order/1", { type: "ANY" });
    expect(await engine.snapshot("order/1")).toMatchObject({ version: "2", value: "waiting", context: { cents: 1000 }, timers: { [`after.${2 * hour}.order.waiting`]: { due: at + 2 * hour } } });
    expect((await engine.snapshot("order/1")).timers).not.toHaveProperty(`after.${hour}.order.open`);
    expect(asked[0]).toMatchObject({ address: "order/1", version: "1", hash, value: "open", context: { amount: 10 } });
    expect(await types(engine, "order/1")).toEqual(["taskwright.start", "taskwright.migrate", "ANY"]);
    expect(await moveOf(engine, "order/1")).toMatchObject({
      by: "migrate",
      from: { version: "1" },
      to: { version: "2" },
      dropped: { timers: [`after.${hour}.order.open`] },
      state: { value: "waiting" },
    });
    await engine.advance("2 hours");
    expect(await engine.snapshot("order/1")).toMatchObject({ value: "late" });
  });

  const failing: ReadonlyArray<readonly [string, NonNullable<DurableMachine["migrate"]>, string]> = [
    [
      "throws",
      () => {
        throw new Error("no idea");
      },
      "no idea",
    ],
    [
      "throws null",
      () => {
        throw null;
      },
      "failed",
    ],
    ["declines", () => undefined, "returned nothing"],
    ["names a state that is not there", () => ({ value: "nowhere" }), "nowhere"],
    ["makes a context that JSON can't carry", () => ({ context: { at: new Date(0) } }), "context"],
    ["makes no context", () => ({ context: null }), "context"],
    ["returns a promise", (async () => ({})) as never, "promise"],
    ["returns more than it may", () => ({ status: "done" }) as never, '"status"'],
    ["makes a child of an actor that is not there", () => ({ value: "waiting", children: { x: { src: "gone", token: "1" } } }) as never, "child"],
    ["makes a timer without a due time", () => ({ value: "waiting", timers: { x: {} } }) as never, "timer"],
  ];
  for (const [what, migrate, cause] of failing) {
    inBothJournals(`whose migrate ${what} leaves the actor parked with that cause, and its row as it is`, async (bench) => {
      const engine = await bench.engine({ machines: [v1] });
      await engine.start("order", "1");
      const [row] = await engine.taskwright.list();
      await engine.redeploy({ machines: [{ machine: v2, migrate }] });
      await expect(engine.send("order/1", { type: "PAY" })).rejects.toMatchObject({ _tag: "ActorParked", reason: "migration", detail: expect.stringContaining(cause) });
      expect(await engine.taskwright.parked()).toMatchObject([{ address: "order/1", reason: "migration" }]);
      expect((await engine.taskwright.list())[0]).toEqual(row);
      await engine.redeploy({ machines: [{ machine: v2, migrate: toCents }] });
      await engine.send("order/1", { type: "PAY" });
      expect(await engine.snapshot("order/1")).toMatchObject({ status: "done", context: { cents: 1000 } });
    });
  }

  inThreeModes("keeps a deadline that its state has in both versions, at its moment", async (bench) => {
    const engine = await bench.engine({ machines: [v1] });
    const { at } = await engine.start("order", "1");
    await engine.advance("30 minutes");
    await engine.redeploy({ machines: [{ machine: order("2", first), migrate: () => ({}) }] });
    await engine.send("order/1", { type: "LOOK" });
    expect(await engine.snapshot("order/1")).toMatchObject({ version: "2", timers: { [`after.${hour}.order.open`]: { due: at + hour } } });
  });

  inThreeModes("stops a child also where an old deadline is what loads the actor, and nothing is due any more", async (bench) => {
    const kid = setup({}).createMachine({ id: "kid", initial: "on", states: { on: {} } });
    const boss = (version: string, on: object): AnyStateMachine => setup({ actors: { kid } }).createMachine({ id: "boss", version, initial: "on", states: { on, late: {} } } as never) as never;
    const engine = await bench.engine({ machines: [boss("1", { after: { [hour]: "late" }, invoke: { src: "kid", id: "kid" } })] });
    await engine.start("boss", "1");
    await engine.redeploy({ machines: [{ machine: boss("2", { after: { [2 * hour]: "late" } }), migrate: () => ({}) }] });
    await engine.advance("1 hour");
    expect(await engine.snapshot("boss/1")).toMatchObject({ version: "2", value: "on" });
    expect(await engine.snapshot("boss/1/kid")).toMatchObject({ status: "stopped" });
    await engine.advance("2 hours");
    expect(await engine.snapshot("boss/1")).toMatchObject({ value: "late" });
  });

  inBothJournals("is held to the schema of its context, too", async (bench) => {
    const Schema = await import("effect/Schema");
    const context = Schema.Struct({ cents: Schema.Number });
    const engine = await bench.engine({ machines: [v1] });
    await engine.start("order", "1");
    await engine.redeploy({ machines: [{ machine: v2, context, migrate: () => ({ value: "waiting", context: { cents: "ten" } }) }] });
    await expect(engine.send("order/1", { type: "PAY" })).rejects.toMatchObject({ _tag: "ActorParked", reason: "migration", detail: expect.stringContaining("cents") });
    await engine.redeploy({ machines: [{ machine: v2, context, migrate: () => ({ value: "waiting", context: { cents: 10 } }) }] });
    expect(await engine.send("order/1", { type: "PAY" })).toMatchObject({ outcome: "handled" });
  });

  inThreeModes("moves over several versions in one migrate, and again with the next one", async (bench) => {
    const v3 = order("3", { waiting: {}, open: {} });
    const engine = await bench.engine({ machines: [v1] });
    await engine.start("order", "1");
    await engine.redeploy({ machines: [{ machine: v2, migrate: toCents }] });
    await engine.send("order/1", { type: "ANY" });
    await engine.start("order", "2");
    await engine.redeploy({ machines: [v1] });
    await engine.redeploy({ machines: [{ machine: v3, migrate: (_, { version }) => ({ value: "waiting", context: { was: version } }) }] });
    for (const id of ["1", "2"]) await engine.send(`order/${id}`, { type: "ANY" });
    expect(await engine.snapshot("order/1")).toMatchObject({ version: "3", context: { was: "2" } });
    expect((await types(engine, "order/1")).filter((type) => type === "taskwright.migrate")).toHaveLength(2);
  });

  inBothJournals("leaves actors alone that have ended: they can be read, and answer that they have", async (bench) => {
    const engine = await bench.engine({ machines: [v1] });
    await engine.start("order", "1");
    await engine.send("order/1", { type: "PAY" });
    const before = await engine.snapshot("order/1");
    await engine.redeploy({ machines: [order("2", { open: {} })] });
    expect(await engine.send("order/1", { type: "LOOK" })).toMatchObject({ outcome: "ended" });
    expect(await engine.snapshot("order/1")).toMatchObject({ status: "done", value: "paid", version: "1", hash: before.hash, context: before.context });
    expect(await engine.taskwright.parked()).toEqual([]);
  });

  inThreeModes("starts and stops children as its states want them; those that it knows run on", async (bench) => {
    const named = (name: string) => setup({}).createMachine({ id: name, version: "1", initial: "on", states: { on: { on: { HELLO: {} } } } });
    const [kept, lost, fresh] = ["kept", "lost", "fresh"].map(named);
    const make = (version: string, second: string, actors: object) =>
      setup({ actors: actors as never }).createMachine({
        id: "boss",
        version,
        initial: "on",
        states: {
          on: {
            invoke: [
              { src: "kept", id: "kept" },
              { src: second, id: second },
            ],
            on: { HI: { actions: sendTo(second, { type: "HELLO" } as never) } },
          },
        },
      } as never) as never as AnyStateMachine;
    const engine = await bench.engine({ machines: [make("1", "lost", { kept, lost })] });
    await engine.start("boss", "1");
    await engine.redeploy({ machines: [{ machine: make("2", "fresh", { kept, fresh }), migrate: () => ({}) }, lost as AnyStateMachine] });
    await engine.send("boss/1", { type: "HI" });
    await engine.settled();
    expect(await engine.snapshot("boss/1/kept")).toMatchObject({ status: "active", seq: 1 });
    expect(await engine.snapshot("boss/1/lost")).toMatchObject({ status: "stopped" });
    // It is started before it is sent anything.
    expect(await types(engine, "boss/1/fresh")).toEqual(["taskwright.start", "HELLO"]);
    expect(await moveOf(engine, "boss/1")).toMatchObject({ dropped: { children: ["lost"] } });
    expect(await engine.taskwright.deadLetters()).toEqual([]);
  });

  inThreeModes("is each child's own affair: it moves by the migrate of its machine", async (bench) => {
    const kid = (version: string, state: string): AnyStateMachine => setup({}).createMachine({ id: "kid", version, initial: state, states: { [state]: { on: { HELLO: {} } } } } as never) as never;
    const boss = (logic: AnyStateMachine): AnyStateMachine => setup({ actors: { kid: logic as never } }).createMachine({ id: "boss", invoke: { src: "kid", id: "kid" } } as never) as never;
    const [kid1, kid2] = [kid("1", "on"), kid("2", "up")];
    const engine = await bench.engine({ machines: [boss(kid1)] });
    await engine.start("boss", "1");
    await engine.redeploy({ machines: [boss(kid2)] });
    await expect(engine.send("boss/1/kid", { type: "HELLO" })).rejects.toMatchObject({ _tag: "ActorParked", reason: "unregistered" });
    await engine.redeploy({ machines: [boss(kid2), { machine: kid2, migrate: () => ({ value: "up" }) }] });
    expect(await engine.send("boss/1/kid", { type: "HELLO" })).toMatchObject({ outcome: "handled" });
    expect(await engine.snapshot("boss/1/kid")).toMatchObject({ version: "2", value: "up" });
    expect(await engine.snapshot("boss/1")).toMatchObject({ version: "1", seq: 1 });
  });

  inBothJournals("aborts an activity whose state is left by the move, and lets one run on that its state still wants", async (bench) => {
    const [stay, go] = [new Held(), new Held()];
    const make = (version: string, invoke: ReadonlyArray<string>) =>
      setup({ actors: { stay: stay.logic, go: go.logic } }).createMachine({
        id: "m",
        version,
        initial: "on",
        states: { on: { invoke: invoke.map((src) => ({ src, id: src, onDone: "done" })) }, done: {} },
      } as never) as never as AnyStateMachine;
    const engine = await bench.engine({ machines: [make("1", ["stay", "go"])] });
    await engine.start("m", "1");
    await engine.settled();
    await engine.redeploy({ machines: [make("1", ["stay", "go"]), { machine: make("2", ["stay"]), migrate: () => ({}) }] });
    expect(await engine.taskwright.migrate("m")).toMatchObject({ version: "2", moved: 1 });
    await engine.settled();
    expect(go.last.info.signal.aborted).toBe(true);
    expect(stay.last.info.signal.aborted).toBe(false);
    stay.last.resolve();
    await engine.settled();
    expect(await engine.snapshot("m/1")).toMatchObject({ version: "2", value: "done" });
  });
});

describe("engine > versions > in bulk", () => {
  const machines = [v1, { machine: v2, migrate: ((stored, from) => (stored.address === "order/3" ? undefined : toCents(stored, from))) as DurableMachine["migrate"] }] as never;

  inBothJournals("all running actors are moved now, in batches; a dry run only says what would be", async (bench) => {
    const engine = await bench.engine({ machines: [v1] });
    for (let i = 0; i < 7; i++) await engine.start("order", String(i));
    await engine.send("order/0", { type: "PAY" });
    await engine.redeploy({ machines });
    await engine.start("order", "new");
    const report = { machine: "order", version: "2", current: 1, moved: 5, stayed: 1, parked: 0, causes: [{ address: "order/3", detail: expect.stringContaining("returned nothing") }] };
    expect(await engine.taskwright.migrate("order", { dryRun: true, batch: 2 })).toEqual(report);
    expect((await engine.taskwright.list()).filter(({ version }) => version === "2")).toHaveLength(1);
    expect(await engine.taskwright.migrate("order", { batch: 2 })).toEqual(report);
    expect(await engine.taskwright.migrate("order")).toMatchObject({ current: 6, moved: 0, stayed: 1 });
    expect((await engine.taskwright.list()).map(({ version }) => version)).toEqual(["1", "2", "2", "1", "2", "2", "2", "2"]);
    await expect(engine.taskwright.migrate("nothing")).rejects.toMatchObject({ _tag: "UnknownMachine" });
  });

  inBothJournals("a crash in the middle leaves each actor before or after its move, and the rest is moved by another try", async (bench) => {
    const engine = await bench.engine({ machines: [v1] });
    for (let i = 10; i < 20; i++) await engine.start("order", String(i));
    await engine.redeploy({ machines });
    const crashed = engine.crashAfterCommits(2);
    void engine.taskwright.migrate("order", { batch: 3 });
    await crashed;
    await engine.restart();
    const versions = (await engine.taskwright.list()).map(({ version }) => version);
    expect(versions).toEqual([..."2222221111"]);
    expect(await engine.taskwright.migrate("order", { batch: 3 })).toMatchObject({ current: 6, moved: 4 });
    for (let i = 10; i < 20; i++) expect(await types(engine, `order/${i}`)).toEqual(["taskwright.start", "taskwright.migrate"]);
  });
});

describe("engine > versions > builds", () => {
  inBothJournals("it can be told which build wrote an actor's state last", async (bench) => {
    const engine = await bench.engine({ machines: [v1] });
    await engine.start("order", "0");
    await engine.redeploy({ build: "a1" });
    for (const id of ["1", "2"]) await engine.start("order", id);
    await engine.redeploy({ build: "a1" });
    await engine.redeploy({ build: "b2" });
    await engine.send("order/2", { type: "LOOK" });
    const builds = await Promise.all(["0", "1", "2"].map(async (id) => (await engine.taskwright.buildOf(`order/${id}`))?.build));
    expect(builds).toEqual(["", "a1", "b2"]);
    expect(await engine.taskwright.buildOf("order/nobody")).toBeUndefined();
  });
});
