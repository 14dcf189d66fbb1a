import { assign, fromPromise, setup } from "xstate";
import { act } from "./observer.ts";

/** A promise that never settles by itself: the tests complete it. */
const pending = () => new Promise<never>(() => {});
const charge = fromPromise<{ total: number }, { amount: number }>(pending);

/** One invoked promise: done with guards, error, re-entered, left, and one without onError, which ends the machine. */
export const payment = setup({
  types: {} as { context: { total: number; paid: number; failures: ReadonlyArray<string> }; events: { type: "ADD"; price: number } | { type: "PAY" | "RETRY" | "CANCEL" | "REFUND" } },
  actors: { charge, refund: fromPromise<string>(pending) },
  guards: { isEnough: (_, params: { paid: number; total: number }) => params.paid >= params.total },
  actions: {
    add: assign({ total: ({ context, event }) => context.total + (event.type === "ADD" ? event.price : 0) }),
    pay: assign({ paid: (_, params: { amount: number }) => params.amount }),
    fail: assign({ failures: ({ context }, params: { message: string }) => [...context.failures, params.message].slice(-3) }),
    receipt: act("receipt"),
  },
}).createMachine({
  id: "payment",
  context: { total: 0, paid: 0, failures: [] },
  initial: "cart",
  states: {
    cart: { on: { ADD: { actions: "add" }, PAY: { guard: ({ context }) => context.total > 0, target: "paying" } } },
    paying: {
      entry: "receipt",
      invoke: {
        id: "charge",
        src: "charge",
        input: ({ context }) => ({ amount: context.total }),
        onDone: [
          {
            guard: { type: "isEnough", params: ({ context, event }) => ({ paid: event.output.total, total: context.total }) },
            target: "paid",
            actions: { type: "pay", params: ({ event }) => ({ amount: event.output.total }) },
          },
          { target: "cart", actions: { type: "fail", params: { message: "too little" } } },
        ],
        onError: { target: "failed", actions: { type: "fail", params: ({ event }) => ({ message: (event.error as Error).message }) } },
      },
      on: { CANCEL: "cart", RETRY: { target: "paying", reenter: true }, ADD: { actions: "add" } },
    },
    failed: { on: { RETRY: "paying", CANCEL: "cart" } },
    paid: { on: { REFUND: "refunding" } },
    refunding: { invoke: { src: "refund", onDone: { target: "cart", actions: assign({ total: 0, paid: 0 }) } }, on: { CANCEL: "paid" } },
  },
});

/** Several invokes: in one state, in two regions, of the root itself, inline logic, a system id, completions nobody takes. */
export const checkout = setup({
  types: {} as { context: { checks: ReadonlyArray<string>; beats: number }; events: { type: "START" | "ABORT" | "AGAIN" | "SKIP" } },
  actors: { stock: fromPromise<number, { item: string }>(pending), fraud: fromPromise<number>(pending), heart: fromPromise<number>(pending) },
  actions: {
    check: assign({ checks: ({ context }, params: { what: string }) => [...context.checks, params.what].slice(-5) }),
    beat: assign({ beats: ({ context }) => context.beats + 1 }),
    alarm: act("alarm"),
  },
}).createMachine({
  id: "checkout",
  context: { checks: [], beats: 0 },
  initial: "idle",
  invoke: { id: "heart", src: "heart", systemId: "heart", onDone: { actions: "beat" }, onError: { actions: ["beat", "alarm"] } },
  states: {
    idle: { on: { START: "checking", AGAIN: { target: "#checkout", reenter: true } } },
    checking: {
      type: "parallel",
      onDone: "done",
      on: { ABORT: "idle" },
      states: {
        goods: {
          initial: "asking",
          states: {
            asking: {
              invoke: [
                { id: "stock", src: "stock", input: { item: "shoe" }, onDone: { actions: { type: "check", params: ({ event }) => ({ what: `stock ${event.output}` }) } }, onError: "short" },
                { id: "audit", src: "fraud" },
              ],
              on: { SKIP: "known", AGAIN: { target: "asking", reenter: true } },
            },
            short: { on: { AGAIN: "asking", SKIP: "known" } },
            known: { type: "final" },
          },
        },
        buyer: {
          initial: "asking",
          states: {
            asking: {
              invoke: {
                src: fromPromise<string>(pending),
                onDone: { target: "known", actions: { type: "check", params: ({ event }: { event: { output: unknown } }) => ({ what: `buyer ${event.output}` }) } },
                onError: { target: "known" },
              },
            },
            known: { type: "final" },
          },
        },
      },
    },
    done: { on: { START: "idle" } },
  },
});
