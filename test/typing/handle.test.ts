import type * as Effect from "effect/Effect";
import type * as Stream from "effect/Stream";
import { describe, expectTypeOf, test } from "vitest";
import { type AnyStateMachine, assign, createMachine, emit, sendTo, setup } from "xstate";
import type { Engine } from "../../src/effect.ts";
import { type ActorHandle, durable, type Receipt, type ReplyTo, type SendError, type SentEvent, type StartOptions, type Taskwright, type UnknownMachine, type ViewOf } from "../../src/index.ts";

interface Order {
  readonly amount: number;
  readonly paid: number;
}
const order = setup({
  types: {
    input: {} as { amount: number },
    context: {} as Order,
    events: {} as
      | { type: "PAY"; amount: number }
      | { type: "CANCEL" }
      | { type: "TOTAL"; currency?: string; replyTo: ReplyTo<{ type: "TOTALLED"; left: number }> }
      | { type: "NAME"; replyTo: ReplyTo<{ type: "NAMED"; name: string }> },
    output: {} as { receipt: string },
    emitted: {} as { type: "PAID"; amount: number } | { type: "CANCELLED" },
    tags: {} as "open" | "closed",
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
      states: { waiting: {}, asked: {} },
      on: {
        PAY: { actions: ["add", emit(({ event }) => ({ type: "PAID", amount: event.amount }))] },
        CANCEL: "done",
        TOTAL: {
          actions: sendTo(
            ({ event }) => event.replyTo,
            ({ context }) => ({ type: "TOTALLED", left: context.amount - context.paid }),
          ),
        },
      },
    },
    done: { type: "final" },
  },
  output: { receipt: "r" },
});

const bare = createMachine({ id: "bare", initial: "on", states: { on: {} } });
const optional = setup({ types: { input: {} as { name: string } | undefined } }).createMachine({ id: "optional" });

declare const engine: Taskwright;
declare const effects: Engine;
/** Looked at by the compiler, never run. */
const compiled = (_: (orders: ActorHandle<typeof order>) => unknown): void => {};

describe("types > a machine that is started", () => {
  test("demands its input exactly where it needs one; one that is named by its id takes anything", () => {
    compiled(() => {
      expectTypeOf(engine.start(order, "42", { amount: 1 })).toEqualTypeOf<Promise<Receipt>>();
      expectTypeOf(effects.start(order, "42", { amount: 1 }, { by: "ada" })).toEqualTypeOf<Effect.Effect<Receipt, SendError>>();
      // @ts-expect-error the machine needs an input
      engine.start(order, "42");
      // @ts-expect-error an amount is a number
      engine.start(order, "42", { amount: "1" });
      // @ts-expect-error an amount is a number
      effects.start(order, "42", { amount: "1" });
      // @ts-expect-error there is no such option
      engine.start(order, "42", { amount: 1 }, { from: "ada" });
      engine.start(bare, "1");
      engine.start(bare, "1", undefined, { by: "ada" });
      engine.start(optional, "1");
      engine.start(optional, "1", { name: "Ada" });
      // @ts-expect-error a name is a string
      engine.start(optional, "1", { name: 1 });
      engine.start(order as AnyStateMachine, "1", { anything: true });
      engine.start("order", "42", { anything: true }, { by: "ada" });
      engine.start("order", "42");
      const entry = durable(order, { activities: {} });
      expectTypeOf(engine.start(entry, "42", { amount: 1 })).toEqualTypeOf<Promise<Receipt>>();
      expectTypeOf(engine.actor(entry)).toEqualTypeOf<ActorHandle<typeof order>>();
      // @ts-expect-error an amount is a number
      engine.start({ machine: order }, "42", { amount: "1" });
      // @ts-expect-error an amount is a number
      effects.start(entry, "42", { amount: "1" });
    });
  });
});

describe("types > a handle for the actors of one machine", () => {
  test("start demands the input exactly where the machine does", () => {
    compiled(() => {
      const orders = engine.actor(order);
      expectTypeOf(orders.start).parameters.toEqualTypeOf<[id: string, input: { amount: number }, options?: StartOptions]>();
      expectTypeOf(orders.start("42", { amount: 1 })).toEqualTypeOf<Promise<Receipt>>();
      // @ts-expect-error the machine needs an input
      orders.start("42");
      // @ts-expect-error an amount is a number
      orders.start("42", { amount: "1" });
      expectTypeOf(orders.startAll([{ id: "1", input: { amount: 1 } }])).toEqualTypeOf<Promise<ReadonlyArray<Receipt>>>();
      // @ts-expect-error each needs an input
      orders.startAll([{ id: "1" }]);
      engine.actor(bare).startAll([{ id: "1" }]);
      engine.actor(optional).start("1");
      engine.actor(optional).start("1", { name: "Ada" });
      // @ts-expect-error a name is a string
      engine.actor(optional).start("1", { name: 1 });
      engine.actor(bare).start("1");
    });
  });

  test("send takes the machine's events and no others", () => {
    compiled((orders) => {
      expectTypeOf(orders.send("42", { type: "PAY", amount: 10 }, { key: "k" })).toEqualTypeOf<Promise<Receipt>>();
      orders.at("shop/1/order").send({ type: "CANCEL" });
      // @ts-expect-error an amount is needed
      orders.send("42", { type: "PAY" });
      // @ts-expect-error an amount is a number
      orders.send("42", { type: "PAY", amount: "10" });
      // @ts-expect-error there is no such event
      orders.send("42", { type: "PAYS", amount: 10 });
      // @ts-expect-error and no such field
      orders.send("42", { type: "CANCEL", amount: 10 });
      // @ts-expect-error the same at a full address
      orders.at("shop/1/order").send({ type: "PAYS" });
      engine.actor(bare).send("1", { type: "ANYTHING", at: 1 });
    });
  });

  test("ask takes the questions, without their replyTo, and knows the answer of each", () => {
    compiled((orders) => {
      expectTypeOf(orders.ask("42", { type: "TOTAL" })).toEqualTypeOf<Promise<{ type: "TOTALLED"; left: number }>>();
      expectTypeOf(orders.ask("42", { type: "TOTAL", currency: "EUR" }, { timeout: "1 second" })).resolves.toEqualTypeOf<{ type: "TOTALLED"; left: number }>();
      expectTypeOf(orders.at("a/b").ask({ type: "NAME" })).resolves.toEqualTypeOf<{ type: "NAMED"; name: string }>();
      // @ts-expect-error nobody answers to this event
      orders.ask("42", { type: "CANCEL" });
      // @ts-expect-error a currency is a text
      orders.ask("42", { type: "TOTAL", currency: 1 });
      // @ts-expect-error there is no such field
      orders.ask("42", { type: "TOTAL", curency: "EUR" });
      expectTypeOf(engine.actor(bare).ask("1", { type: "ANYTHING" })).resolves.toEqualTypeOf<SentEvent>();
    });
  });

  test("can takes the machine's events", () => {
    compiled((orders) => {
      expectTypeOf(orders.can("42", { type: "PAY", amount: 1 })).toEqualTypeOf<Promise<boolean>>();
      // @ts-expect-error there is no such event
      orders.can("42", { type: "PAYS" });
    });
  });

  test("a snapshot has the value, context, tags and output of the machine", () => {
    compiled(async (orders) => {
      const view = await orders.snapshot("42");
      expectTypeOf(view.value).toEqualTypeOf<"done" | { taking: "waiting" | "asked" }>();
      expectTypeOf(view.context).toEqualTypeOf<Order>();
      expectTypeOf(view.tags).toEqualTypeOf<ReadonlyArray<"open" | "closed">>();
      expectTypeOf(view.output).toEqualTypeOf<{ receipt: string } | undefined>();
      if (view.status === "done") expectTypeOf(view.output).toEqualTypeOf<{ receipt: string }>();
      view.matches("taking");
      view.matches({ taking: "waiting" });
      view.hasTag("open");
      // @ts-expect-error there is no such state
      view.matches("takin");
      // @ts-expect-error there is no such state within that
      view.matches({ taking: "done" });
      // @ts-expect-error there is no such tag
      view.hasTag("opn");
    });
  });

  test("waitFor and watch give such snapshots, and a predicate narrows what is waited for", () => {
    compiled(async (orders) => {
      const ended = await orders.waitFor("42", (view) => view.status === "done");
      expectTypeOf(ended.output).toEqualTypeOf<{ receipt: string }>();
      expectTypeOf(await orders.waitFor("42", (view) => view.context.paid > 1, { timeout: "1 minute" })).toEqualTypeOf<ViewOf<typeof order>>();
      // @ts-expect-error there is no such field
      orders.waitFor("42", (view) => view.context.payed > 1);
      for await (const view of orders.watch("42")) expectTypeOf(view).toEqualTypeOf<ViewOf<typeof order>>();
    });
  });

  test("onEmitted hears the machine's own events", () => {
    compiled((orders) => {
      orders.onEmitted((event, address) => {
        expectTypeOf(event).toEqualTypeOf<{ type: "PAID"; amount: number } | { type: "CANCELLED" }>();
        expectTypeOf(address).toEqualTypeOf<string>();
      });
    });
  });

  test("on the Effect face the same calls are effects with typed failures", () => {
    compiled(() => {
      expectTypeOf(effects.actor(order)).toEqualTypeOf<Effect.Effect<ActorHandle<typeof order, "effect">, UnknownMachine>>();
      const orders = {} as ActorHandle<typeof order, "effect">;
      expectTypeOf(orders.send("42", { type: "PAY", amount: 1 })).toEqualTypeOf<Effect.Effect<Receipt, SendError>>();
      expectTypeOf(orders.ask("42", { type: "NAME" })).toExtend<Effect.Effect<{ type: "NAMED"; name: string }, { _tag: string }>>();
      expectTypeOf(orders.watch("42")).toExtend<Stream.Stream<ViewOf<typeof order>, { _tag: string }>>();
      // @ts-expect-error there is no such event
      orders.send("42", { type: "PAYS" });
      // @ts-expect-error the machine needs an input
      orders.start("42");
    });
  });
});
