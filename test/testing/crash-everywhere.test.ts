import { describe, expect, test } from "vitest";
import { assign, fromPromise, sendTo, setup } from "xstate";
import { actorRef } from "../../src/actor/index.ts";
import { makeOutboxes, outboxRef, retry } from "../../src/index.ts";
import { type CrashBench, crashEverywhere, matchers, StandIn } from "../../src/testing/index.ts";

expect.extend(matchers);

const account = setup({
  types: { context: {} as { balance: number }, events: {} as { type: "DEPOSIT"; amount: number } },
  actions: { book: assign({ balance: ({ context, event }) => context.balance + event.amount }) },
}).createMachine({ id: "account", context: { balance: 0 }, on: { DEPOSIT: { actions: "book" } } });

const order = setup({
  types: { context: {} as { receipt: unknown }, events: {} as { type: "PAY" } },
  actors: { charge: fromPromise<string, { amount: number }>(async () => "unused") },
  actions: { keep: assign({ receipt: ({ event }) => (event as unknown as { output: unknown }).output }), book: sendTo(actorRef("account/shop"), { type: "DEPOSIT", amount: 5 }) },
}).createMachine({
  id: "order",
  context: { receipt: null },
  initial: "open",
  states: {
    open: { on: { PAY: "paying" }, after: { 60000: "expired" } },
    paying: { invoke: { src: "charge", id: "charge", input: { amount: 5 }, onDone: { target: "paid", actions: ["keep", "book"] } } },
    paid: { after: { 1000: "closed" } },
    closed: { type: "final" },
    expired: { type: "final" },
  },
});

const buy = async (bench: CrashBench, charge = new StandIn<{ amount: number }, string>(({ info }) => `receipt of ${info.address}`)) => {
  const engine = await bench.engine({ machines: [order.provide({ actors: { charge: charge.logic } }), account] });
  await engine.start("account", "shop");
  await engine.start("order", "1");
  await engine.send("order/1", { type: "PAY" });
  expect(await engine.snapshot("order/1")).toBeIn("paid");
  await engine.advance("1 second");
  return charge.calls.length > 0;
};

describe("testing > crashEverywhere", () => {
  test("a durable scenario ends the same, wherever the process ends", async () => {
    const { points } = await crashEverywhere(buy);
    expect(points.length).toBeGreaterThanOrEqual(10);
    expect(points.map(({ what }) => what).join("; ")).toMatch(/taskwright.start of order\/1.*PAY.*SUCCEEDED.*taskwright.timer/);
  });

  test("a receiver that answers a repeated call in another way is found, with the place and both outcomes", async () => {
    const scenario = async (bench: CrashBench) => {
      let receipts = 0;
      await buy(bench, new StandIn<{ amount: number }, string>(() => `receipt ${++receipts}`));
    };
    await expect(crashEverywhere(scenario)).rejects.toThrow(/crashed before commit \d+ \(SUCCEEDED of actor \d.*\), the outcome is another one[\s\S]*receipt 2[\s\S]*receipt 1/);
  });

  test("says what differs, and nothing else", async () => {
    let runs = 0;
    const error = await crashEverywhere(async (bench) => {
      await buy(bench);
      return { same: 1, run: Math.min(2, ++runs) };
    }).catch((error: unknown) => error as Error);
    expect((error as Error).message.split("\n").slice(1)).toEqual(["  returned, run: 2; without a crash: 1"]);
  });

  test("an outbox whose receiver is down at first is the same when its entries are delivered", async () => {
    const teller = setup({
      actions: { tell: sendTo(outboxRef("books"), ({ self }) => ({ type: "ENQUEUE", entries: [{ key: self.id, type: "told", payload: 1 }] })) },
    }).createMachine({ id: "teller", initial: "open", states: { open: { on: { PAY: { target: "told", actions: "tell" } } }, told: {} } });
    const { points } = await crashEverywhere(async (bench) => {
      let attempts = 0;
      const outboxes = makeOutboxes({ books: { destination: () => (++attempts < 3 ? retry("down") : undefined) } });
      const engine = await bench.engine({ machines: [teller], plugins: [outboxes] });
      await engine.start("teller", "1");
      await engine.send("teller/1", { type: "PAY" });
      await engine.advance("1 hour");
      expect((await engine.snapshot("outbox/books")).context).toMatchObject({ delivered: 1 });
    });
    expect(points.length).toBeGreaterThan(5);
  });

  test("an effect that is counted and returned is found: it may happen twice", async () => {
    const scenario = async (bench: CrashBench) => {
      const charge = new StandIn<{ amount: number }, string>(() => "receipt");
      await buy(bench, charge);
      return charge.calls.length;
    };
    await expect(crashEverywhere(scenario)).rejects.toThrow(/the outcome is another one/);
  });

  test("a scenario that fails after a crash says where", async () => {
    const scenario = async (bench: CrashBench) => {
      const engine = await bench.engine({ machines: [account] });
      await engine.start("account", "1");
      const logged = engine.logged.length;
      await engine.send("account/1", { type: "DEPOSIT", amount: 1 });
      expect(engine.taskwright.status().owner.epoch, `after ${logged}`).toBe(1);
    };
    await expect(crashEverywhere(scenario)).rejects.toThrow(/crashed before commit 1 .*the scenario failed/);
  });
});
