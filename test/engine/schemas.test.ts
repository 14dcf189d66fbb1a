import * as Effect from "effect/Effect";
import * as Schema from "effect/Schema";
import { describe, expect } from "vitest";
import { type AnyStateMachine, assign, emit, type NonReducibleUnknown, sendTo, setup } from "xstate";
import { actorRef } from "../../src/actor/index.ts";
import type { DurableMachine, MachineOptions, ReplyTo } from "../../src/engine/index.ts";
import { inBothJournals, inMemory, inThreeModes, type TestEngine } from "../../src/testing/index.ts";
import { callable, later, standard, word } from "./standard.ts";

/** Keeps everything that it hears, and what it began with. */
const listener = (id = "listener") =>
  setup({ types: { context: {} as { heard: ReadonlyArray<unknown>; input: unknown }, input: {} as NonReducibleUnknown } }).createMachine({
    id,
    version: "1",
    context: ({ input }) => ({ heard: [], input: input ?? null }),
    on: {
      END: ".ended",
      "*": { actions: assign({ heard: ({ context, event }) => [...context.heard, Object.fromEntries(Object.entries(event).filter(([key]) => key !== "replyTo"))] }) },
    },
    initial: "open",
    states: { open: {}, ended: {} },
  });
const checked = (schemas: Partial<MachineOptions>, machine: AnyStateMachine = listener() as unknown as AnyStateMachine): DurableMachine => ({ machine, ...schemas });
const heard = async (engine: TestEngine, address = "listener/1") => ((await engine.snapshot(address)).context as { heard: ReadonlyArray<unknown> }).heard;

const waiting = Effect.promise(async () => 1);

const pay = Schema.Struct({ type: Schema.Literal("PAY"), amount: Schema.NumberFromString, note: Schema.optionalWith(Schema.Trim, { default: () => "none" }) });

describe("engine > schemas of events", () => {
  inThreeModes("what the schema returns is what is stored, and what the machine hears", async (bench) => {
    const engine = await bench.engine({ machines: [checked({ events: pay })] });
    await engine.start("listener", "1");
    expect(await engine.send("listener/1", { type: "PAY", amount: "12", note: "  thanks ", more: 1 })).toMatchObject({ outcome: "handled", seq: 2 });
    await engine.send("listener/1", { type: "PAY", amount: "1" });
    const expected = [
      { type: "PAY", amount: 12, note: "thanks" },
      { type: "PAY", amount: 1, note: "none" },
    ];
    expect(await heard(engine)).toEqual(expected);
    expect((await engine.taskwright.history("listener/1", { after: 1 })).map(({ event }) => event)).toEqual(expected);
  });

  inThreeModes("a map has a schema per type; what is not in it is refused, and the place is named", async (bench) => {
    const engine = await bench.engine({ machines: [checked({ events: { PAY: pay, SAY: word } })] });
    await engine.start("listener", "1");
    await engine.send("listener/1", { type: "SAY", word: " hello " });
    await expect(engine.send("listener/1", { type: "SAY", word: 5, times: "x" })).rejects.toMatchObject({
      _tag: "InvalidEvent",
      path: "word",
      detail: "a word must be a text; times[0]: must be a number",
    });
    await expect(engine.send("listener/1", { type: "PAY", amount: "x" })).rejects.toMatchObject({ _tag: "InvalidEvent", path: "amount", code: "invalid_event" });
    await expect(engine.send("listener/1", { type: "toString" })).rejects.toMatchObject({ _tag: "InvalidEvent", path: "type", detail: expect.stringContaining("PAY, SAY") });
    expect(await heard(engine)).toEqual([{ type: "SAY", word: "hello", times: 1 }]);
    expect(await engine.snapshot("listener/1")).toMatchObject({ seq: 2 });
    expect(await engine.taskwright.deadLetters()).toEqual([]);
  });

  inMemory("a star in the map stands for every other type", async (bench) => {
    const engine = await bench.engine({ machines: [checked({ events: { SAY: word, "*": Schema.Struct({ type: Schema.String, n: Schema.Number }) } })] });
    await engine.start("listener", "1");
    await engine.send("listener/1", { type: "COUNT", n: 1, x: 2 });
    await expect(engine.send("listener/1", { type: "COUNT" })).rejects.toMatchObject({ path: "n" });
    await expect(engine.send("listener/1", { type: "SAY", n: 1 })).rejects.toMatchObject({ path: "word" });
    expect(await heard(engine)).toEqual([{ type: "COUNT", n: 1 }]);
  });

  inBothJournals("a repeated key is answered from the first time, by what was sent and not by what a schema made of it; a refused event takes none", async (bench) => {
    const engine = await bench.engine({ machines: [checked({ events: pay })] });
    await engine.start("listener", "1");
    await expect(engine.send("listener/1", { type: "PAY", amount: "x" }, { key: "k" })).rejects.toMatchObject({ _tag: "InvalidEvent" });
    const key = { key: "k", exact: true };
    expect(await engine.send("listener/1", { type: "PAY", amount: "1" }, key)).toMatchObject({ duplicate: false, seq: 2 });
    expect(await engine.send("listener/1", { type: "PAY", amount: "1" }, key)).toMatchObject({ duplicate: true, seq: 2 });
    await expect(engine.send("listener/1", { type: "PAY", amount: "x" }, key)).rejects.toMatchObject({ _tag: "KeyReused" });
  });

  inThreeModes("children are checked by their own schema, at their full address", async (bench) => {
    const child = listener("child");
    const parent = setup({ actors: { child } }).createMachine({ id: "parent", version: "1", invoke: { src: "child", id: "c" } });
    const engine = await bench.engine({ machines: [parent, checked({ events: { SAY: word } }, child as unknown as AnyStateMachine)] });
    await engine.start(parent, "1");
    await engine.send("parent/1/c", { type: "SAY", word: " a " });
    await expect(engine.send("parent/1/c", { type: "SAY" })).rejects.toMatchObject({ _tag: "InvalidEvent", address: "parent/1/c", path: "word" });
    expect(await heard(engine, "parent/1/c")).toEqual([{ type: "SAY", word: "a", times: 1 }]);
  });

  inThreeModes("a message that the receiver's schema refuses is a dead letter as it was sent; sender and receiver go on", async (bench) => {
    const sender = setup({ types: { context: {} as { sent: number }, events: {} as { type: "TELL"; word: unknown } } }).createMachine({
      id: "sender",
      context: { sent: 0 },
      on: { TELL: { actions: [assign({ sent: ({ context }) => context.sent + 1 }), sendTo(actorRef("listener/1"), ({ event, self }) => ({ type: "SAY", word: event.word, by: self }))] } },
    });
    const engine = await bench.engine({ machines: [sender, checked({ events: { SAY: word } })] });
    await engine.start("listener", "1");
    await engine.start(sender, "1");
    await engine.send("sender/1", { type: "TELL", word: 5 });
    await engine.send("sender/1", { type: "TELL", word: " b " });
    expect(await heard(engine)).toEqual([{ type: "SAY", word: "b", times: 1 }]);
    expect(await engine.snapshot("sender/1")).toMatchObject({ context: { sent: 2 } });
    expect(await engine.snapshot("listener/1")).toMatchObject({ seq: 2 });
    expect(await engine.taskwright.deadLetters()).toMatchObject([
      { address: "listener/1", from: "sender/1", event: { type: "SAY", word: 5 }, error: { name: "InvalidEvent", code: "invalid_event", data: { path: "word" } } },
    ]);
  });

  inMemory("references to actors in a message survive a schema", async (bench) => {
    const answering = setup({ types: { events: {} as { type: "ASK"; replyTo: ReplyTo<{ type: "SAID" }> } } }).createMachine({
      id: "answering",
      on: { ASK: { actions: sendTo(({ event }) => event.replyTo, { type: "SAID" }) } },
    });
    const asking = setup({}).createMachine({
      id: "asking",
      entry: sendTo(actorRef("answering/1"), ({ self }) => ({ type: "ASK", replyTo: self })),
      initial: "a",
      states: { a: { on: { SAID: "b" } }, b: {} },
    });
    const engine = await bench.engine({ machines: [asking, checked({ events: { ASK: Schema.Struct({ replyTo: Schema.Unknown }) } }, answering as unknown as AnyStateMachine)] });
    await engine.start("answering", "1");
    await engine.start("asking", "1");
    expect(await engine.snapshot("asking/1")).toMatchObject({ value: "b" });
  });

  inMemory("the schema of a question need not know of its replyTo", async (bench) => {
    const answering = setup({ types: { events: {} as { type: "ASK"; n: number; replyTo: ReplyTo<{ type: "SAID"; n: number }> } } }).createMachine({
      id: "answering",
      on: {
        ASK: {
          actions: sendTo(
            ({ event }) => event.replyTo,
            ({ event }) => ({ type: "SAID", n: event.n }),
          ),
        },
      },
    });
    const strict = standard((value) => (Object.keys(value as object).join() === "type,n" ? { value: { ...(value as object), n: 7 } } : { issues: [{ message: "too much" }] }));
    const engine = await bench.engine({ machines: [checked({ events: strict }, answering as unknown as AnyStateMachine)] });
    await engine.start("answering", "1");
    expect(await engine.taskwright.ask("answering/1", { type: "ASK", n: 1 })).toEqual({ type: "SAID", n: 7 });
  });

  inBothJournals("a report that is refused is a dead letter", async (bench) => {
    const engine = await bench.engine({ machines: [checked({ events: pay })] });
    await engine.start("listener", "1");
    engine.taskwright.report("listener/1", { type: "PAY", amount: "x" });
    engine.taskwright.report("listener/1", { type: "PAY", amount: "2" });
    await engine.settled();
    expect(await heard(engine)).toEqual([{ type: "PAY", amount: 2, note: "none" }]);
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ address: "listener/1", event: { type: "PAY", amount: "x" }, error: { name: "InvalidEvent" } }]);
  });

  inBothJournals("an event on which the machine throws is buried as it was sent", async (bench) => {
    const poisoned = setup({ types: { events: {} as { type: "PAY" } } }).createMachine({
      id: "poisoned",
      context: {},
      on: {
        PAY: {
          actions: assign(() => {
            throw new Error("poison");
          }),
        },
      },
    });
    const engine = await bench.engine({ machines: [checked({ events: pay }, poisoned as unknown as AnyStateMachine)] });
    await engine.start("poisoned", "1");
    await expect(engine.send("poisoned/1", { type: "PAY", amount: "3" })).rejects.toMatchObject({ _tag: "ActorFailed" });
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ event: { type: "PAY", amount: "3" } }]);
    expect(await engine.taskwright.history("poisoned/1", { after: 1 })).toMatchObject([{ outcome: "failed", event: { type: "PAY", amount: 3 } }]);
  });

  const refusals: ReadonlyArray<readonly [string, MachineOptions["events"] & object, object]> = [
    ["is asynchronous", later, { detail: expect.stringContaining("asynchronous") }],
    ["is an effect that waits", Schema.transformOrFail(Schema.Unknown, Schema.Unknown, { decode: () => waiting, encode: () => waiting }), { detail: expect.stringContaining("asynchronous") }],
    ["throws", standard(() => null as never), { detail: expect.stringContaining("threw") }],
    ["returns what JSON can't carry", standard(() => ({ value: { type: "X", at: [new Date(0)] } })), { path: "at[0]", detail: expect.stringContaining("Date") }],
    ["returns no object", standard(() => ({ value: 5 })), { detail: expect.stringContaining("object") }],
    ["changes the type", standard(() => ({ value: { type: "Y" } })), { path: "type" }],
    ["gives no reason", standard(() => ({ issues: [] })), { detail: "its schema refuses it" }],
  ];
  for (const [what, events, error] of refusals) {
    inMemory(`a schema that ${what} refuses, and nothing is stored`, async (bench) => {
      const engine = await bench.engine({ machines: [checked({ events })] });
      await engine.start("listener", "1");
      await expect(engine.send("listener/1", { type: "X" })).rejects.toMatchObject({ _tag: "InvalidEvent", address: "listener/1", ...error });
      expect(await engine.snapshot("listener/1")).toMatchObject({ seq: 1 });
    });
  }

  inMemory("what a schema makes is bound as what is sent", async (bench) => {
    const engine = await bench.engine({ machines: [checked({ events: standard(() => ({ value: { text: "x".repeat(10_000) } })) })], limits: { payloadBytesMax: 5_000 } });
    await engine.start("listener", "1");
    await expect(engine.send("listener/1", { type: "X" })).rejects.toMatchObject({ _tag: "PayloadTooLarge" });
  });

  inMemory("an implementation of Standard Schema by others is taken: Effect's own", async (bench) => {
    const published = { "~standard": Schema.standardSchemaV1(Schema.Struct({ items: Schema.Array(Schema.Struct({ price: Schema.NumberFromString })) }))["~standard"] };
    const engine = await bench.engine({ machines: [checked({ events: { BUY: published } })] });
    await engine.start("listener", "1");
    await expect(engine.send("listener/1", { type: "BUY", items: [{ price: "1" }, { price: "x" }] })).rejects.toMatchObject({ _tag: "InvalidEvent", path: "items[1].price" });
    await engine.send("listener/1", { type: "BUY", items: [{ price: "1" }] });
    expect(await heard(engine)).toEqual([{ type: "BUY", items: [{ price: 1 }] }]);
  });

  inMemory("a schema may be a function, as arktype's are", async (bench) => {
    const engine = await bench.engine({ machines: [checked({ events: callable })] });
    await engine.start("listener", "1");
    expect(await engine.send("listener/1", { type: "X" })).toMatchObject({ outcome: "handled" });
  });
});

describe("engine > schemas of inputs", () => {
  const named = Schema.Struct({ name: Schema.Trim, level: Schema.optionalWith(Schema.Int, { default: () => 1 }) });

  inThreeModes("what the schema returns is what the actor begins with, and begins with again", async (bench) => {
    const machine = checked({ input: named, supervision: { strategy: "restart" } }, failing as unknown as AnyStateMachine);
    const engine = await bench.engine({ machines: [machine] });
    await expect(engine.start("failing", "1", { level: 1.5 })).rejects.toMatchObject({ _tag: "InvalidEvent", path: "input.name" });
    await expect(engine.start("failing", "1", { level: 1.5 })).rejects.toThrow(/^the input for "failing\/1" is refused: name: .*; level: /);
    await expect(engine.start("failing", "1")).rejects.toMatchObject({ _tag: "InvalidEvent", path: "input", message: expect.stringMatching(/^the input for "failing\/1" is refused: /) });
    await engine.start("failing", "1", { name: " Ada " });
    expect((await engine.snapshot("failing/1")).context).toEqual({ input: { name: "Ada", level: 1 } });
    await expect(engine.send("failing/1", { type: "BREAK" })).rejects.toMatchObject({ _tag: "ActorFailed" });
    await engine.settled();
    expect((await engine.snapshot("failing/1")).context).toEqual({ input: { name: "Ada", level: 1 } });
    expect((await engine.taskwright.history("failing/1")).map(({ event }) => event.type)).toEqual(["taskwright.start", "BREAK", "taskwright.restart"]);
  });

  const failing = setup({ types: { context: {} as { input: unknown }, input: {} as unknown } }).createMachine({
    id: "failing",
    context: ({ input }) => ({ input }),
    on: {
      BREAK: {
        actions: assign(() => {
          throw new Error("broken");
        }),
      },
    },
  });

  inThreeModes("a child whose input is refused does not begin, and its parent is told", async (bench) => {
    const child = listener("child");
    const parent = setup({ actors: { child }, types: { context: {} as { name: unknown; error: unknown }, input: {} as { name: unknown } } }).createMachine({
      id: "parent",
      version: "1",
      context: ({ input }) => ({ name: input.name, error: null }),
      initial: "on",
      states: {
        on: {
          invoke: {
            src: "child",
            id: "c",
            input: ({ context }) => ({ name: context.name }),
            onError: { target: "off", actions: assign({ error: ({ event }) => (event.error as { code: unknown }).code }) },
          },
        },
        off: {},
      },
    });
    const engine = await bench.engine({ machines: [parent, checked({ input: named }, child as unknown as AnyStateMachine)] });
    await engine.start(parent, "1", { name: 5 });
    expect(await engine.snapshot("parent/1")).toMatchObject({ value: "off", context: { error: "invalid_event" } });
    await engine.start(parent, "2", { name: " Ada " });
    expect(await engine.snapshot("parent/2/c")).toMatchObject({ context: { input: { name: "Ada", level: 1 } } });
  });
});

describe("engine > schemas of what a machine makes", () => {
  const counter = setup({
    types: { context: {} as { n: number }, events: {} as { type: "ADD"; by: number } | { type: "END" } | { type: "SHOUT" }, input: {} as { n: number } | undefined },
    actors: {},
  }).createMachine({
    id: "tally",
    context: ({ input }) => ({ n: input?.n ?? 0 }),
    initial: "open",
    states: {
      open: {
        on: {
          ADD: { actions: assign({ n: ({ context, event }) => context.n + event.by }) },
          END: "ended",
          SHOUT: { actions: [assign({ n: ({ context }) => context.n + 1 }), emit(({ context }) => ({ type: "SHOUTED", n: context.n }))] },
        },
      },
      ended: { type: "final" },
    },
    output: ({ context }) => ({ total: context.n }),
  });
  const tally = counter as unknown as AnyStateMachine;

  inThreeModes("a context that its schema refuses fails the transition, and is not stored", async (bench) => {
    const engine = await bench.engine({ machines: [checked({ context: Schema.Struct({ n: Schema.Int.pipe(Schema.between(0, 10)) }) }, tally)] });
    await expect(engine.start("tally", "0", { n: 11 })).rejects.toMatchObject({ _tag: "ActorFailed", detail: expect.stringContaining("context") });
    await engine.start("tally", "1");
    await engine.send("tally/1", { type: "ADD", by: 10 });
    await expect(engine.send("tally/1", { type: "ADD", by: 1 })).rejects.toMatchObject({ _tag: "ActorFailed", detail: expect.stringMatching(/its context would not fit the schema: n: /) });
    expect(await engine.snapshot("tally/1")).toMatchObject({ context: { n: 10 }, seq: 3 });
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ address: "tally/1", event: { type: "ADD", by: 1 }, error: { code: "contract_broken" } }]);
    await engine.send("tally/1", { type: "ADD", by: -5 });
    expect(await engine.snapshot("tally/1")).toMatchObject({ context: { n: 5 } });
  });

  inThreeModes("an output that its schema refuses is not stored: the actor does not end", async (bench) => {
    const engine = await bench.engine({
      machines: [checked({ output: standard((value) => ((value as { total: number }).total > 0 ? { value } : { issues: [{ message: "nothing counted", path: ["total"] }] })) }, tally)],
    });
    await engine.start("tally", "1");
    await expect(engine.send("tally/1", { type: "END" })).rejects.toMatchObject({ _tag: "ActorFailed", detail: "its output would not fit the schema: total: nothing counted" });
    expect(await engine.snapshot("tally/1")).toMatchObject({ status: "active" });
    await engine.send("tally/1", { type: "ADD", by: 1 });
    await engine.send("tally/1", { type: "END" });
    expect(await engine.snapshot("tally/1")).toMatchObject({ status: "done", output: { total: 1 } });
  });

  inMemory("an emitted event that its schema refuses is not told, and its transition did not happen", async (bench) => {
    const engine = await bench.engine({ machines: [checked({ emitted: { SHOUTED: Schema.Struct({ n: Schema.Literal(1) }) } }, tally)] });
    const told: Array<unknown> = [];
    engine.taskwright.onEmitted((address, event, machine) => told.push([address, event, machine]));
    await engine.start("tally", "1");
    await engine.send("tally/1", { type: "SHOUT" });
    await expect(engine.send("tally/1", { type: "SHOUT" })).rejects.toMatchObject({ _tag: "ActorFailed", detail: expect.stringContaining('emitted "SHOUTED"') });
    expect(told).toEqual([["tally/1", { type: "SHOUTED", n: 1 }, "tally"]]);
    expect(await engine.snapshot("tally/1")).toMatchObject({ context: { n: 1 } });
  });
});

describe("engine > registration of schemas", () => {
  inMemory("refuses what is no schema, and what makes values that JSON can't carry, all at once and with the place", async (bench) => {
    const machine = listener() as unknown as AnyStateMachine;
    const bad = {
      machine,
      events: {
        A: Schema.Struct({ type: Schema.Literal("A"), deep: Schema.Array(Schema.Struct({ at: Schema.Date })) }),
        B: { not: "a schema" },
        C: Schema.Struct({ n: Schema.optional(Schema.BigInt) }),
      },
      input: Schema.Map({ key: Schema.String, value: Schema.String }),
      context: 5,
    };
    await expect(bench.engine({ machines: [bad as never] })).rejects.toMatchObject({
      _tag: "InvalidOptions",
      problems: [
        expect.stringMatching(/machine "listener", events\.A: deep\[\]\.at: decodes to DateFromSelf/),
        expect.stringMatching(/events\.B: this is no schema/),
        expect.stringMatching(/events\.C: n: decodes to a BigInt/),
        expect.stringMatching(/input: .*decodes to/),
        expect.stringMatching(/context: this is no schema/),
      ],
    });
  });

  inMemory("takes recursive schemas, and dates where they are only looked at", async (bench) => {
    interface Tree {
      readonly name: string;
      readonly parts: ReadonlyArray<Tree>;
    }
    const Tree: Schema.Schema<Tree> = Schema.Struct({ name: Schema.String, parts: Schema.Array(Schema.suspend(() => Tree)) });
    const engine = await bench.engine({ machines: [checked({ input: Tree, output: Schema.Date, events: { GROW: Schema.Struct({ tree: Tree }) } })] });
    await engine.start("listener", "1", { name: "a", parts: [{ name: "b", parts: [] }] });
    await expect(engine.send("listener/1", { type: "GROW", tree: { name: "a", parts: [{ name: "b" }] } })).rejects.toMatchObject({ path: "tree.parts[0].parts" });
  });
});
