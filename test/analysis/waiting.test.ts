import * as Schema from "effect/Schema";
import { describe, expect, test } from "vitest";
import { assign, setup } from "xstate";
import { type ActorView, durable } from "../../src/engine/index.ts";
import { type Move, move, moves, stuck, type Waiting, why, whyWaiting } from "../../src/analysis/index.ts";
import { inThreeModes, inMemory, StandIn } from "../../src/testing/index.ts";

const charge = new StandIn<undefined, number>();

const order = setup({
  types: {
    context: {} as { readonly amount: number; readonly open: boolean },
    events: {} as { type: "PAY"; amount: number } | { type: "SHIP" } | { type: "CLOSE" } | { type: "BREAK" } | { type: "REST" },
  },
  actors: { charge: charge.logic },
  guards: { isOpen: ({ context }) => context.open, isEnough: ({ context, event }) => event.type === "PAY" && event.amount >= context.amount },
  actions: {
    fall: assign(() => {
      throw new Error("it fell");
    }),
    close: assign({ open: false }),
  },
  delays: { patience: 60_000, breaking: 1_000 },
}).createMachine({
  id: "order",
  version: "1",
  meta: { senders: { PAY: "the customer", SHIP: "the warehouse", CLOSE: "an operator", BREAK: "a test", REST: "a test" } },
  context: { amount: 10, open: true },
  initial: "unpaid",
  states: {
    unpaid: {
      description: "Waits for the money.",
      on: { PAY: { guard: "isEnough", target: "charging" }, SHIP: { guard: "isOpen", target: "shipped" }, CLOSE: { actions: "close" }, BREAK: "breaking", REST: "resting" },
      after: { patience: "shipped" },
    },
    charging: { description: "The bank is asked.", invoke: { id: "charge", src: "charge", onDone: "shipped", onError: "unpaid" } },
    breaking: { description: "It is about to fall.", after: { breaking: { target: "shipped", actions: "fall" } } },
    resting: { description: "No limit: it is a rest.", on: { SHIP: "shipped" } },
    shipped: { type: "final", description: "It is gone." },
  },
});

const entry = durable(order, {
  activities: { charge: { timeoutMs: 30_000 } },
  early: { SHIP: "keep" },
  events: { PAY: Schema.Struct({ type: Schema.Literal("PAY"), amount: Schema.Number }), SHIP: Schema.Struct({ type: Schema.Literal("SHIP") }), "*": Schema.Struct({ type: Schema.String }) },
});

const short = (all: ReadonlyArray<Move>) => Object.fromEntries(all.map(({ type, accepted, reason }) => [type, reason === undefined ? accepted : `${accepted}: ${reason}`]));

describe("analysis > moves", () => {
  inThreeModes("are those that the actor takes now, with the guard that refuses the others", async ({ engine }) => {
    const bench = await engine({ machines: [entry] });
    await bench.start(order, "1");
    const { taskwright } = bench;
    expect(short(await moves(taskwright, "order/1"))).toEqual({ PAY: 'depends: the guard "isEnough" looks at what it carries: amount', SHIP: "yes", CLOSE: "yes", BREAK: "yes", REST: "yes" });
    await bench.send("order/1", { type: "CLOSE" });
    const found = await moves(bench.taskwright, "order/1");
    expect(short(found).SHIP).toBe('no: the guard "isOpen" says no');
    expect(found.find(({ type }) => type === "SHIP")).toMatchObject({
      from: "the warehouse",
      early: "keep",
      asked: [{ edge: "order.unpaid:event SHIP:0", targets: ["order.shipped"], guard: "isOpen", says: "fails" }],
    });
    expect(found.find(({ type }) => type === "PAY")?.schema).toMatchObject({ type: "object", properties: { amount: { type: "number" } } });
    await bench.send("order/1", { type: "REST" });
    expect(short(await moves(bench.taskwright, "order/1")).PAY).toBe("no: no active state takes it; it is taken in unpaid");
  });

  inMemory("agree with the engine about an event that is whole", async ({ engine }) => {
    const bench = await engine({ machines: [entry] });
    await bench.start(order, "1");
    const events = [...[9, 10].map((amount) => ({ type: "PAY", amount })), ...["SHIP", "CLOSE", "BREAK", "REST", "NOISE"].map((type) => ({ type }))];
    for (const told of [{ type: "NOISE" }, { type: "CLOSE" }, { type: "REST" }]) {
      await bench.send("order/1", told);
      for (const event of events) {
        const { accepted } = await move(bench.taskwright, "order/1", event);
        expect({ told, event, accepted }).toEqual({ told, event, accepted: (await bench.taskwright.can("order/1", event)) ? "yes" : "no" });
      }
    }
    expect((await move(bench.taskwright, "order/1", { type: "NOISE" })).reason).toBe("no state of the machine takes it");
    await bench.send("order/1", { type: "SHIP" });
    expect(await move(bench.taskwright, "order/1", { type: "SHIP" })).toMatchObject({ accepted: "no", reason: "the actor is done" });
    expect(await moves(bench.taskwright, "order/1")).toEqual([]);
  });
});

describe("analysis > why", () => {
  inThreeModes("names what would move it, who owes that, and the latest moment", async ({ engine }) => {
    const bench = await engine({ machines: [entry] });
    const at = bench.time.now();
    await bench.start(order, "1");
    const waiting = await why(bench.taskwright, "order/1");
    expect(waiting).toMatchObject({
      verdict: "waits",
      states: ["order.unpaid"],
      descriptions: ["Waits for the money."],
      by: at + 60_000,
      because: 'it waits for "PAY" from the customer, "BREAK" from a test, "REST" from a test, "SHIP" from the warehouse or 1 more, until its deadline "patience" at the latest',
      deadlines: [{ name: "patience", due: at + 60_000, sure: true, overdue: false }],
    });
    expect(waiting.events.map(({ type, accepted }) => [type, accepted])).toEqual([
      ["PAY", "depends"],
      ["BREAK", "yes"],
      ["REST", "yes"],
      // Another state takes it, too.
      ["SHIP", "yes"],
      // It leads nowhere.
      ["CLOSE", "yes"],
    ]);
    await bench.send("order/1", { type: "REST" });
    expect(await why(bench.taskwright, "order/1")).toMatchObject({ verdict: "open", because: 'it waits for "SHIP" from the warehouse; no limit: it is a rest.', deadlines: [] });
    await bench.send("order/1", { type: "SHIP" });
    expect(await why(bench.taskwright, "order/1")).toMatchObject({ verdict: "ended", because: expect.stringMatching(/^it has ended in "\w+"$/) });
  });

  inMemory("goes on with the children that it waits for", async ({ engine }) => {
    const bench = await engine({ machines: [entry] });
    await bench.start(order, "1");
    const at = bench.time.now();
    await bench.send("order/1", { type: "PAY", amount: 10 });
    await bench.settled();
    expect(await why(bench.taskwright, "order/1")).toMatchObject({
      verdict: "waits",
      by: at + 30_000,
      because: 'it waits for the end of its child "charge"',
      children: [{ id: "charge", src: "charge", address: "order/1/charge", waiting: { machine: "activity", verdict: "waits", by: at + 30_000 } }],
    });
  });

  inMemory("stuck lists what is overdue, and nothing else", async ({ engine }) => {
    const bench = await engine({ machines: [entry] });
    await bench.start(order, "1");
    await bench.start(order, "2");
    await bench.send("order/2", { type: "BREAK" });
    expect(await stuck(bench.taskwright)).toEqual([]);
    await bench.advance(2_000);
    const found = await stuck(bench.taskwright);
    expect(found.map(({ address, because }) => ({ address, because }))).toEqual([
      { address: "order/2", because: 'the machine threw on its deadline "breaking": the dead letter waits for an operator' },
    ]);
    expect(await why(bench.taskwright, "order/2")).toMatchObject({ verdict: "overdue", deadlines: [{ held: true }] });
  });

  const view = (more: Partial<ActorView>): ActorView => ({
    id: 1,
    address: "order/1",
    machine: "order",
    version: "1",
    hash: "h",
    status: "active",
    value: "charging",
    context: { amount: 10, open: true },
    tags: [],
    output: undefined,
    error: undefined,
    children: { charge: { src: "charge", token: 1 } },
    timers: {},
    seq: 1,
    at: 1_000,
    createdAt: 0,
    ...more,
  });
  const ask = (actor: ActorView, now: number, children: ReadonlyArray<ActorView> = []): Waiting =>
    whyWaiting(actor, { now, machineOf: ({ machine }) => (machine === "order" ? entry : undefined), childrenOf: () => children });

  test("tells a deadline that nobody told from one that is to come", () => {
    const waiting = view({ value: "unpaid", children: {}, timers: { "after.patience.order.unpaid": { due: 61_000, token: 1 } } });
    expect(ask(waiting, 66_000).verdict).toBe("waits");
    expect(ask(waiting, 66_001)).toMatchObject({ verdict: "overdue", because: 'its deadline "patience" has passed and was not told: no engine works with the journal, or it is behind' });
  });

  test("notices a child that is over or gone, of which its parent knows nothing", () => {
    const child = (status: ActorView["status"]) => view({ id: 2, address: "order/1/charge", machine: "activity", value: "running", children: {}, status });
    expect(ask(view({}), 6_000, []).verdict).toBe("open");
    expect(ask(view({}), 6_001, [])).toMatchObject({ verdict: "overdue", because: 'its child "charge" is over or not there, and it was not told' });
    expect(ask(view({}), 6_001, [child("done")]).children).toMatchObject([{ missing: true }]);
    expect(ask(view({}), 6_001, [child("active")])).toMatchObject({ verdict: "open", children: [{ waiting: { verdict: "unknown" } }] });
  });

  test("says so where the machine is not known, or the state can't be read", () => {
    expect(ask(view({ machine: "other" }), 0)).toMatchObject({
      verdict: "unknown",
      because: 'the form of the machine "other" that wrote it is not known here; give it with --machines, or register it',
    });
    expect(ask(view({ value: "gone" }), 0)).toMatchObject({ verdict: "unknown", because: expect.stringContaining("it can't be read") });
  });
});
