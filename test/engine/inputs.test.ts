import * as Effect from "effect/Effect";
import * as Schema from "effect/Schema";
import { describe, expect } from "vitest";
import { createMachine, setup } from "xstate";
import { defaultLimits } from "../../src/domain/limits.ts";
import type { DurableMachine, SentEvent } from "../../src/engine/index.ts";
import { type Bench, inBothJournals, inMemory, type TestEngine, testEngine } from "../../src/testing/index.ts";
import { Held } from "./held.ts";
import { job } from "./job.ts";
import { counter, list } from "./machines.ts";

/** Runs a refused call and proves that it changed nothing, for nobody. */
const refused = async (engine: TestEngine, call: () => Promise<unknown>, error: Record<string, unknown>): Promise<void> => {
  const reader = await engine.reader();
  const rows = () => Effect.runPromise(Effect.all([reader.list({ limit: 100 }), reader.deadLetters({ limit: 100 })]));
  const before = await rows();
  await expect(call()).rejects.toMatchObject(error);
  await engine.settled();
  expect(await rows()).toEqual(before);
  expect(await engine.send("counter/1", { type: "ADD" })).toMatchObject({ outcome: "handled" });
};

const opened = async (bench: Bench, machines: ReadonlyArray<DurableMachine> = []): Promise<TestEngine> => {
  const engine = await bench.engine({ machines: [counter, list, ...machines] });
  await engine.start("counter", "1");
  await engine.start("list", "1");
  return engine;
};

describe("engine > bad input", () => {
  inBothJournals("an unknown machine is named, with those that are known", async (bench) => {
    const engine = await opened(bench);
    await refused(engine, () => engine.start("count", "1"), {
      _tag: "UnknownMachine",
      machine: "count",
      known: ["counter", "list"],
      code: "unknown_machine",
      status: 404,
      message: expect.stringContaining("counter, list"),
    });
    for (const machine of ["activity", "supervisor", "engine", "__proto__", "constructor", ""]) await refused(engine, () => engine.start(machine, "1"), { _tag: "UnknownMachine" });
  });

  inBothJournals("an unknown actor is named", async (bench) => {
    const engine = await opened(bench);
    for (const address of ["counter/2", "nobody/1", "counter/1/child", "__proto__/1", "counter/__proto__", "constructor/toString"]) {
      await refused(engine, () => engine.send(address, { type: "ADD" }), { _tag: "UnknownActor", address, code: "unknown_actor", status: 404, retryable: false });
    }
  });

  inBothJournals("what is no address is refused", async (bench) => {
    const engine = await opened(bench);
    for (const address of ["", "/", "counter", "counter/", "/1", "counter//1", undefined, null, 7, {}, "ask/1", "taskwright.x/1", "xstate.x/1"]) {
      await refused(engine, () => engine.send(address as string, { type: "ADD" }), { _tag: "InvalidAddress", code: "invalid_address", status: 400 });
    }
    for (const id of ["", "a/b", "line\nbreak", "\u0000", "x".repeat(201), "__proto__", 7, null, undefined, {}]) {
      await refused(engine, () => engine.start("counter", id as string), { _tag: "InvalidAddress" });
    }
    for (const id of ["x".repeat(200), "ünïcödé 任務 🏭", "..", "%2F", "a~1", "constructor", "hasOwnProperty"]) expect(await engine.start("counter", id)).toMatchObject({ address: `counter/${id}` });
  });

  inBothJournals("nobody outside may send what belongs to the engine or to XState", async (bench) => {
    const engine = await opened(bench);
    const forged = [
      "xstate.stop",
      "xstate.init",
      "xstate.done.actor.x",
      "xstate.error.actor.x",
      "xstate.after.1000.x",
      "@xstate.microstep",
      "taskwright.stop",
      "taskwright.start",
      "taskwright.timer",
      "taskwright.restart",
      "taskwright.fail",
      "*",
    ];
    for (const type of forged) await refused(engine, () => engine.send("list/1", { type, id: "x", token: 1, word: 1 }), { _tag: "InvalidEvent", path: "type", code: "invalid_event", status: 400 });
    expect(await engine.snapshot("list/1")).toMatchObject({ seq: 1, status: "active" });
  });

  inBothJournals("an event without a string type is refused", async (bench) => {
    const engine = await opened(bench);
    const nothing = [{}, { type: "" }, { type: 5 }, { type: null }, { type: undefined }, { type: {} }, { type: ["ADD"] }];
    for (const event of nothing) await refused(engine, () => engine.send("list/1", event as never), { _tag: "InvalidEvent", path: "type" });
    for (const event of [null, undefined, "ADD", 7, true, [], [{ type: "ADD" }], () => {}, Symbol("ADD")])
      await refused(engine, () => engine.send("list/1", event as never), { _tag: "InvalidEvent", path: "" });
    const getter = Object.defineProperty({}, "type", {
      enumerable: true,
      get: () => {
        throw new Error("the getter broke");
      },
    });
    await refused(engine, () => engine.send("list/1", getter as SentEvent), { _tag: "InvalidEvent" });
  });

  const cycle: Record<string, unknown> = {};
  cycle.again = cycle;
  const values: ReadonlyArray<readonly [string, unknown, string]> = [
    ["NaN", Number.NaN, "word"],
    ["Infinity", { deep: [Number.POSITIVE_INFINITY] }, "word.deep[0]"],
    ["a Date", { at: new Date(0) }, "word.at"],
    ["a Map", new Map(), "word"],
    ["a Set", [new Set()], "word[0]"],
    ["a BigInt", 1n, "word"],
    ["a function", () => {}, "word"],
    ["a symbol", Symbol("x"), "word"],
    ["a class instance", new (class Thing {})(), "word"],
    ["a typed array", new Uint8Array(1), "word"],
    ["undefined in a list", [undefined], "word[0]"],
    ["a hole in a list", new Array(1), "word[0]"],
    ["an own __proto__ key", JSON.parse('{"__proto__":{"admin":true}}'), "word.__proto__"],
    ["a cycle", cycle, "word"],
    ["a promise", Promise.resolve(1), "word"],
  ];
  for (const [what, word, path] of values) {
    inBothJournals(`${what} is refused, in events and inputs, and the place is named`, async (bench) => {
      const engine = await opened(bench);
      await refused(engine, () => engine.send("list/1", { type: "SAY", word }), {
        _tag: "InvalidEvent",
        address: "list/1",
        path: expect.stringMatching(new RegExp(`^${path.replace(/[[\]]/g, "\\$&")}`)),
      });
      await refused(engine, () => engine.start("counter", "2", { word }), { _tag: "InvalidEvent", path: expect.stringContaining(path) });
      expect(({} as { admin?: boolean }).admin).toBeUndefined();
    });
  }

  inMemory("what JSON would change without loss is taken as JSON has it: no undefined keys, no negative zero", async (bench) => {
    const engine = await opened(bench);
    const word = { kept: 1, gone: undefined, zero: -0, error: new TypeError("as data") };
    await engine.send("list/1", { type: "SAY", word });
    expect(await engine.snapshot("list/1")).toMatchObject({ context: { words: [{ kept: 1, zero: 0, error: { name: "TypeError", message: "as data" } }] } });
    expect(Object.keys(((await engine.snapshot("list/1")).context as { words: ReadonlyArray<object> }).words[0] ?? {})).toEqual(["kept", "zero", "error"]);
  });

  inMemory("what the sender changes after the call is not seen", async (bench) => {
    const engine = await opened(bench);
    const word = { list: [1] };
    const sent = engine.send("list/1", { type: "SAY", word });
    word.list.push(2);
    await sent;
    expect(await engine.snapshot("list/1")).toMatchObject({ context: { words: [{ list: [1] }] } });
  });

  inBothJournals("a payload is taken up to the limit, to the byte", async (bench) => {
    const engine = await opened(bench);
    const max = defaultLimits.payloadBytesMax;
    const empty = Buffer.byteLength(JSON.stringify({ type: "IGNORED", word: "" }));
    for (const [excess, letter] of [
      [-1, "x"],
      [0, "x"],
      [1, "x"],
    ] as const) {
      const event = { type: "IGNORED", word: letter.repeat(max - empty + excess) };
      if (excess <= 0) expect(await engine.send("list/1", event)).toMatchObject({ outcome: "ignored" });
      else await refused(engine, () => engine.send("list/1", event), { _tag: "PayloadTooLarge", bytes: max + 1, bytesMax: max, code: "payload_too_large", status: 413 });
    }
    // Three bytes each: few characters, too many bytes.
    await refused(engine, () => engine.send("list/1", { type: "IGNORED", word: "任".repeat(max / 3) }), { _tag: "PayloadTooLarge" });
    await refused(engine, () => engine.start("counter", "2", "x".repeat(max)), { _tag: "PayloadTooLarge", address: "counter/2" });
  });

  inBothJournals("nesting is taken up to its limit", async (bench) => {
    const engine = await opened(bench);
    const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
    expect(await engine.send("list/1", { type: "SAY", word: nested(defaultLimits.payloadDepthMax - 4) })).toMatchObject({ outcome: "handled" });
    await refused(engine, () => engine.send("list/1", { type: "SAY", word: nested(defaultLimits.payloadDepthMax) }), { _tag: "InvalidEvent" });
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level++) deep = [deep];
    await refused(engine, () => engine.send("list/1", { type: "SAY", word: deep }), { _tag: "InvalidEvent" });
  });

  const strict: DurableMachine = {
    machine: setup({}).createMachine({ id: "strict", on: { PAY: {} } }),
    events: Schema.Union(Schema.Struct({ type: Schema.Literal("PAY"), amount: Schema.Positive }), Schema.Struct({ type: Schema.Literal("NOTE"), text: Schema.String })),
    input: Schema.Struct({ name: Schema.NonEmptyString }),
  };

  inBothJournals("events and inputs that their schema refuses are not stored", async (bench) => {
    const engine = await opened(bench, [strict]);
    await refused(engine, () => engine.start("strict", "1"), { _tag: "InvalidEvent", path: "input" });
    await refused(engine, () => engine.start("strict", "1", { name: "" }), { _tag: "InvalidEvent", path: "input.name" });
    await engine.start("strict", "1", { name: "Ada" });
    await refused(engine, () => engine.send("strict/1", { type: "PAY", amount: -1 }), { _tag: "InvalidEvent", path: "amount", detail: expect.stringContaining("positive") });
    await refused(engine, () => engine.send("strict/1", { type: "OTHER" }), { _tag: "InvalidEvent" });
    expect(await engine.send("strict/1", { type: "PAY", amount: 1 })).toMatchObject({ seq: 2, outcome: "handled" });
  });

  inBothJournals("the engine's own actors take no events from outside", async (bench) => {
    const engine = await opened(bench, [job(new Held())]);
    await engine.start("job", "1");
    for (const type of ["SUCCEEDED", "FAILED", "INTERRUPTED"]) await refused(engine, () => engine.send("job/1/work", { type, attempt: 1 }), { _tag: "InvalidAddress", address: "job/1/work" });
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "working" });
  });

  inBothJournals("a full intake refuses with EngineBusy, and takes again when it has emptied", async (bench) => {
    const engine = await bench.engine({ machines: [counter], limits: { intakeMax: 10 } });
    await engine.start("counter", "1");
    const settled = await Promise.allSettled(Array.from({ length: 25 }, () => engine.send("counter/1", { type: "ADD" })));
    expect(settled.slice(0, 10).every(({ status }) => status === "fulfilled")).toBe(true);
    for (const result of settled.slice(10))
      expect(result).toMatchObject({ status: "rejected", reason: { _tag: "EngineBusy", waiting: 10, waitingMax: 10, code: "engine_busy", status: 429, retryable: true } });
    expect(await engine.send("counter/1", { type: "ADD" })).toMatchObject({ outcome: "handled" });
    expect(await engine.snapshot("counter/1")).toMatchObject({ context: { count: 11 } });
  });

  inBothJournals("one bad call does not harm the others of its turn", async (bench) => {
    const engine = await opened(bench, [strict]);
    const calls = [
      engine.send("counter/1", { type: "ADD" }),
      engine.send("counter/none", { type: "ADD" }),
      engine.send("list/1", { type: "SAY", word: Number.NaN }),
      engine.start("strict", "9", {}),
      engine.send("counter/1", { type: "ADD" }),
    ];
    expect((await Promise.allSettled(calls)).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "rejected", "fulfilled"]);
    expect(await engine.snapshot("counter/1")).toMatchObject({ context: { count: 2 } });
  });
});

describe("engine > registration", () => {
  const refuses = (name: string, machines: ReadonlyArray<unknown>, ...messages: ReadonlyArray<string>) =>
    inMemory(`refuses ${name}`, async (bench) => {
      const failure = await bench.engine({ machines: machines as never }).then(
        () => undefined,
        (error: { _tag: string; message: string; code: string }) => error,
      );
      expect(failure).toMatchObject({ _tag: "InvalidOptions", code: "invalid_options" });
      for (const message of messages) expect(failure?.message).toContain(message);
    });

  refuses("two machines with one id", [counter, setup({}).createMachine({ id: "counter" })], '"counter"');
  refuses(
    "side effects without a name, and says where and how to name them",
    [setup({}).createMachine({ id: "inline", entry: () => {}, initial: "a", states: { a: { on: { GO: { actions: () => {} } } } } })],
    'state "inline", entry',
    'state "a", on "GO"',
    "setup({ actions",
  );
  refuses("what nobody implements", [createMachine({ id: "hollow", entry: "nothing", invoke: { src: "nobody" } } as never)], '"nothing"', '"nobody"');
  refuses("a machine without an id", [setup({}).createMachine({})], "id");
  refuses("what is no machine", [{ id: "x" }, null, 5, { machine: {} }], "not an XState machine");
  refuses("the engine's own names", [setup({}).createMachine({ id: "activity" })], "activity");
  refuses(
    "a machine that nobody could address",
    [setup({}).createMachine({ id: "ask" }), setup({}).createMachine({ id: "xstate.mine" }), setup({}).createMachine({ id: "taskwright.mine" })],
    '"ask"',
    '"xstate.mine"',
    '"taskwright.mine"',
  );
  refuses(
    "options of an activity that the machine does not have, or that can't be carried out",
    [{ ...job(new Held()), activities: { wrok: {}, work: { timeoutMs: -1, retry: { attemptsMax: 0, backoff: { kind: "fixed", baseMs: 1 } } } } }],
    "wrok",
    "work",
    "timeoutMs",
    "retry",
  );

  inMemory("refuses limits that contradict each other, all at once", async (bench) => {
    await expect(bench.engine({ machines: [counter], limits: { leaseMs: 10, heartbeatMs: 10, intakeMax: -1, turnEnvelopesMax: 1.5 } })).rejects.toMatchObject({
      _tag: "InvalidOptions",
      problems: [expect.stringContaining("intakeMax"), expect.stringContaining("turnEnvelopesMax"), expect.stringContaining("leaseMs")],
    });
  });

  inMemory("a journal that was opened for a refused registration can be opened again", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    await engine.taskwright.close();
    await expect(testEngine({ machines: [counter, setup({}).createMachine({ id: "counter" })], journal: engine.store })).rejects.toMatchObject({ _tag: "InvalidOptions" });
    const second = await testEngine({ machines: [counter], journal: engine.store, time: engine.time });
    await second.end();
  });
});
