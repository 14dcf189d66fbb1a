import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Schema from "effect/Schema";
import { describe, expect, test } from "vitest";
import { assign, emit, sendTo, setup } from "xstate";
import { Engine, layer, MemoryJournal } from "../../src/effect.ts";
import { openEngine, type ReplyTo, UnknownMachine } from "../../src/engine/index.ts";
import { inBothJournals, inMemory, inThreeModes } from "../../src/testing/index.ts";
import { counter } from "./machines.ts";

const order = setup({
  types: {
    input: {} as { amount: number },
    context: {} as { amount: number; paid: number },
    events: {} as { type: "PAY"; amount: number } | { type: "SHIP" } | { type: "BREAK" } | { type: "LEFT"; replyTo: ReplyTo<{ type: "LEFT_IS"; amount: number }> },
    output: {} as { paid: number },
    emitted: {} as { type: "PAID"; amount: number },
    tags: {} as "open",
  },
  guards: {
    isPaid: ({ context }) => context.paid >= context.amount,
    isWhole: ({ event }) => {
      if (event.type === "PAY" && event.amount < 0) throw new Error("less than nothing");
      return true;
    },
  },
  actions: { add: assign({ paid: ({ context, event }) => context.paid + (event.type === "PAY" ? event.amount : 0) }) },
}).createMachine({
  id: "order",
  version: "1",
  context: ({ input }) => ({ amount: input.amount, paid: 0 }),
  initial: "taking",
  states: {
    taking: {
      tags: "open",
      initial: "waiting",
      states: { waiting: {} },
      on: {
        PAY: { guard: "isWhole", actions: ["add", emit(({ event }) => ({ type: "PAID", amount: event.amount }))] },
        SHIP: { guard: "isPaid", target: "shipped" },
        LEFT: {
          actions: sendTo(
            ({ event }) => event.replyTo,
            ({ context }) => ({ type: "LEFT_IS", amount: context.amount - context.paid }),
          ),
        },
      },
    },
    shipped: { type: "final" },
  },
  output: ({ context }) => ({ paid: context.paid }),
});
const shop = setup({ actors: { order } }).createMachine({ id: "shop", version: "1", invoke: { src: "order", id: "first", input: { amount: 3 } } });

describe("engine > a handle for the actors of one machine", () => {
  inThreeModes("starts, sends, asks, reads and waits by the id alone", async (bench) => {
    const engine = await bench.engine({ machines: [order] });
    const orders = () => engine.taskwright.actor(order);
    expect(orders().address("42")).toBe("order/42");
    await engine.start(order, "42", { amount: 10 });
    expect(await orders().start("42", { amount: 10 })).toMatchObject({ address: "order/42", duplicate: true });
    expect(await orders().send("42", { type: "PAY", amount: 4 }, { key: "k" })).toMatchObject({ outcome: "handled", duplicate: false });
    expect(await orders().send("42", { type: "PAY", amount: 4 }, { key: "k" })).toMatchObject({ duplicate: true });
    expect(await orders().ask("42", { type: "LEFT" }, { timeout: "1 minute" })).toEqual({ type: "LEFT_IS", amount: 6 });
    const open = await orders().snapshot("42");
    expect([open.matches("taking"), open.matches({ taking: "waiting" }), open.matches("shipped"), open.hasTag("open"), open.context.paid]).toEqual([true, true, false, true, 4]);
    await orders().send("42", { type: "PAY", amount: 6 });
    const waiting = orders().waitFor("42", (view) => view.status === "done");
    await orders().send("42", { type: "SHIP" });
    const shipped = await waiting;
    expect([shipped.output.paid, shipped.matches("shipped"), shipped.hasTag("open")]).toEqual([10, true, false]);
    expect((await orders().history("42", { after: 1, limit: 2 })).map(({ event }) => event.type)).toEqual(["PAY", "LEFT"]);
  });

  inMemory("starts many at once, in order", async (bench) => {
    const engine = await bench.engine({ machines: [order] });
    const receipts = await engine.taskwright.actor(order).startAll(["a", "b", "a"].map((id) => ({ id, input: { amount: 1 } })));
    expect(receipts.map(({ address, duplicate }) => [address, duplicate])).toEqual([
      ["order/a", false],
      ["order/b", false],
      ["order/a", true],
    ]);
  });

  inThreeModes("reaches children at their full address", async (bench) => {
    const engine = await bench.engine({ machines: [shop] });
    await engine.start(shop, "1");
    const first = () => engine.taskwright.actor(order).at("shop/1/first");
    expect(first().address).toBe("shop/1/first");
    await first().send({ type: "PAY", amount: 1 });
    expect(await first().ask({ type: "LEFT" })).toEqual({ type: "LEFT_IS", amount: 2 });
    expect(await first().can({ type: "SHIP" })).toBe(false);
    expect((await first().waitFor((view) => view.context.paid === 1)).matches("taking")).toBe(true);
    expect((await first().snapshot()).machine).toBe("order");
    expect(await first().history({ after: 1 })).toMatchObject([{ event: { type: "PAY" } }, { event: { type: "LEFT" } }]);
    for await (const view of first().watch()) {
      expect(view.hasTag("open")).toBe(true);
      break;
    }
  });

  inMemory("watch gives the present view and each later one", async (bench) => {
    const engine = await bench.engine({ machines: [order] });
    const orders = engine.taskwright.actor(order);
    await orders.start("1", { amount: 1 });
    const seen: Array<unknown> = [];
    for await (const view of orders.watch("1")) {
      seen.push([view.context.paid, view.matches("shipped")]);
      if (view.status === "done") break;
      if (view.context.paid === 0) void orders.send("1", { type: "PAY", amount: 1 });
      else void orders.send("1", { type: "SHIP" });
    }
    expect(seen).toEqual([
      [0, false],
      [1, false],
      [1, true],
    ]);
  });

  inMemory("hears what its own machine emits, wherever the actor is, and nothing else", async (bench) => {
    const other = setup({ types: { emitted: {} as { type: "PAID" } } }).createMachine({ id: "other", on: { GO: { actions: emit({ type: "PAID" }) } } });
    const engine = await bench.engine({ machines: [order, shop, other] });
    const heard: Array<unknown> = [];
    const stop = engine.taskwright.actor(order).onEmitted((event, address) => heard.push([address, event.amount]));
    await engine.start(order, "1", { amount: 9 });
    await engine.start(shop, "1");
    await engine.start(other, "1");
    await engine.send("order/1", { type: "PAY", amount: 1 });
    await engine.send("shop/1/first", { type: "PAY", amount: 2 });
    await engine.send("other/1", { type: "GO" });
    stop();
    await engine.send("order/1", { type: "PAY", amount: 3 });
    expect(heard).toEqual([
      ["order/1", 1],
      ["shop/1/first", 2],
    ]);
  });

  inMemory("fails with the same typed errors", async (bench) => {
    const engine = await bench.engine({ machines: [order] });
    const orders = engine.taskwright.actor(order);
    await expect(orders.send("1", { type: "SHIP" })).rejects.toMatchObject({ _tag: "UnknownActor", address: "order/1" });
    await expect(orders.snapshot("1")).rejects.toMatchObject({ _tag: "UnknownActor" });
    await expect(orders.send("a//b", { type: "SHIP" })).rejects.toMatchObject({ _tag: "InvalidAddress" });
    await orders.start("1", { amount: 1 });
    await expect(orders.send("1", { type: "PAY", amount: Number.NaN })).rejects.toMatchObject({ _tag: "InvalidEvent", path: "amount" });
    await expect(orders.ask("1", { type: "BREAK" } as never)).rejects.toMatchObject({ _tag: "Unanswered", outcome: "ignored" });
  });

  inMemory("is refused for a machine that is not registered, or in another version", async (bench) => {
    const engine = await bench.engine({ machines: [order] });
    expect(() => engine.taskwright.actor(counter)).toThrowError(UnknownMachine);
    expect(() => engine.taskwright.actor(setup({}).createMachine({ id: "order", version: "2" }))).toThrowError(
      expect.objectContaining({ _tag: "UnknownMachine", machine: "order", known: ["order in version 1"] }),
    );
    expect(() => engine.taskwright.actor(setup({}).createMachine({ id: "activity", version: "1" }))).toThrowError(UnknownMachine);
    expect(engine.taskwright.actor(order.provide({})).address("1")).toBe("order/1");
  });

  test("on the Effect face the calls are effects with typed failures", async () => {
    const live = layer({ machines: [order] }).pipe(Layer.provide(MemoryJournal.layer()));
    const program = Effect.gen(function* () {
      const engine = yield* Engine;
      const missing = yield* engine.actor(counter).pipe(Effect.catchTag("UnknownMachine", ({ machine }) => Effect.succeed(machine)));
      const orders = yield* engine.actor(order);
      yield* orders.start("1", { amount: 5 });
      const nobody = yield* orders.send("2", { type: "SHIP" }).pipe(Effect.catchTag("UnknownActor", ({ address }) => Effect.succeed(address)));
      const { amount } = yield* orders.ask("1", { type: "LEFT" });
      return [missing, nobody, amount, yield* orders.can("1", { type: "SHIP" }), (yield* orders.waitFor("1", (view) => view.matches("taking"))).hasTag("open")];
    });
    expect(await Effect.runPromise(Effect.provide(program, live))).toEqual(["counter", "order/2", 5, false, true]);
  });
});

describe("engine > can", () => {
  inThreeModes("says what a send would answer, and stores nothing", async (bench) => {
    const engine = await bench.engine({ machines: [order] });
    await engine.start(order, "1", { amount: 2 });
    const can = (type: string, rest: object = {}) => engine.taskwright.can("order/1", { type, ...rest });
    expect([await can("SHIP"), await can("PAY", { amount: 2 }), await can("NOTHING")]).toEqual([false, true, false]);
    expect(await engine.snapshot("order/1")).toMatchObject({ seq: 1, context: { paid: 0 } });
    await engine.send("order/1", { type: "PAY", amount: 2 });
    expect(await can("SHIP")).toBe(true);
    await engine.send("order/1", { type: "SHIP" });
    expect([await can("SHIP"), await can("PAY", { amount: 1 })]).toEqual([false, false]);
    expect((await engine.taskwright.history("order/1")).length).toBe(3);
  });

  inBothJournals("is false where the machine would throw, and fails where a send would be refused", async (bench) => {
    const engine = await bench.engine({ machines: [{ machine: order, events: { PAY: Schema.Struct({ amount: Schema.NumberFromString }), SHIP: Schema.Struct({}) } }] });
    await engine.start(order, "1", { amount: 2 });
    const { can } = engine.taskwright;
    expect([await can("order/1", { type: "PAY", amount: "1" }), await can("order/1", { type: "PAY", amount: "-1" })]).toEqual([true, false]);
    await expect(can("order/1", { type: "PAY", amount: 1 })).rejects.toMatchObject({ _tag: "InvalidEvent", path: "amount" });
    await expect(can("order/1", { type: "xstate.stop" })).rejects.toMatchObject({ _tag: "InvalidEvent", path: "type" });
    await expect(can("order/2", { type: "SHIP" })).rejects.toMatchObject({ _tag: "UnknownActor" });
    await expect(can("order", { type: "SHIP" })).rejects.toMatchObject({ _tag: "InvalidAddress" });
    expect(await engine.taskwright.deadLetters()).toEqual([]);
  });

  test("fails when the engine is closed", async () => {
    const engine = await openEngine({ machines: [order] });
    await engine.close();
    await expect(engine.can("order/1", { type: "SHIP" })).rejects.toMatchObject({ _tag: "EngineClosed" });
  });
});
