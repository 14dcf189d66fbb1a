import { describe, expect } from "vitest";
import { assign, createMachine, forwardTo, sendParent, setup } from "xstate";
import { inThreeModes } from "../../src/testing/index.ts";
import { Journey, Service } from "./journey.ts";

/**
 * After examples/workflow-reusing-functions: a parent hands events on to its child, which tells it at its end. The
 * inline action of the original's wildcard has a name here; its `onSnapshot`, which only prints, is left out.
 */
const make = () => {
  const check = new Service<{ available: boolean }, { amount: number }>();
  const mail = new Service<void, { text: string }>();
  const heard: Array<unknown> = [];
  const confirmation = setup({
    types: {
      context: {} as { customer: string | null; amount: number | null; funds: { available: boolean } | null },
      events: {} as { type: "PAID"; customer: string; amount: number },
    },
    actors: { check: check.logic, mail: mail.logic },
    guards: { hasFunds: ({ context }) => context.funds?.available === true },
  }).createMachine({
    id: "confirmation",
    context: { customer: null, amount: null, funds: null },
    initial: "pending",
    states: {
      pending: { on: { PAID: { target: "received", actions: assign({ customer: ({ event }) => event.customer, amount: ({ event }) => event.amount }) } } },
      received: {
        invoke: { src: "check", input: ({ context }) => ({ amount: context.amount ?? 0 }), onDone: { target: "checked", actions: assign({ funds: ({ event }) => event.output }) } },
      },
      checked: { always: [{ guard: "hasFunds", target: "thanking" }, { target: "refusing" }] },
      thanking: { invoke: { src: "mail", input: ({ context }) => ({ text: `thank you, ${context.customer}` }), onDone: "ended" } },
      refusing: { invoke: { src: "mail", input: ({ context }) => ({ text: `not enough, ${context.customer}` }), onDone: "ended" } },
      ended: { type: "final", entry: sendParent(({ context }) => ({ type: "CONFIRMED", amount: context.amount })) },
    },
  });
  const account = createMachine(
    {
      id: "account",
      invoke: { id: "confirmation", src: "confirmation" },
      on: { PAID: { actions: forwardTo("confirmation") }, "*": { actions: "hear" } },
    },
    { actors: { confirmation }, actions: { hear: ({ event }) => void heard.push(event) } },
  );
  return { account, check, mail, heard };
};

describe("examples > payment", () => {
  for (const [amount, text] of [
    [100, "thank you, Ada"],
    [5_000, "not enough, Ada"],
  ] as const) {
    inThreeModes(`a payment of ${amount} is answered with "${text}", and the parent hears of its end`, async (bench) => {
      const { account, check, mail, heard } = make();
      const bank = await Journey.begin(bench, account);
      await bank.send({ type: "PAID", customer: "Ada", amount });
      expect(await bank.engine.snapshot("account/1/confirmation")).toMatchObject({ value: "received", context: { customer: "Ada", amount } });
      await bank.answer(check, { available: amount < 1_000 });
      await bank.answer(mail, undefined);
      expect(mail.asked[0]).toEqual({ text });
      expect(await bank.engine.snapshot("account/1/confirmation")).toMatchObject({ value: "ended", status: "done" });
      expect(heard.filter((event) => (event as { type: string }).type === "CONFIRMED")).toEqual(Array(2).fill({ type: "CONFIRMED", amount }));
    });
  }
});
