import { assign, sendParent, sendTo, setup } from "xstate";
import { actorRef } from "../../src/actor/index.ts";

/** Counts up to its limit; ignores RESET until it is full. */
export const counter = setup({
  types: { context: {} as { count: number; limit: number }, input: {} as { limit?: number } | undefined, events: {} as { type: "ADD"; by?: number } | { type: "RESET" } | { type: "CLOSE" } },
  guards: { isFull: ({ context }) => context.count >= context.limit },
  actions: { add: assign({ count: ({ context, event }) => context.count + (event.type === "ADD" ? (event.by ?? 1) : 0) }), clear: assign({ count: 0 }) },
}).createMachine({
  id: "counter",
  context: ({ input }) => ({ count: 0, limit: input?.limit ?? 1_000_000 }),
  initial: "counting",
  states: {
    counting: { on: { ADD: { actions: "add" }, CLOSE: "closed" }, always: { guard: "isFull", target: "full" } },
    full: { on: { RESET: { target: "counting", actions: "clear" } } },
    closed: { type: "final" },
  },
});

/** Keeps the words that it hears, in order. */
export const list = setup({
  types: { context: {} as { words: ReadonlyArray<unknown> }, events: {} as { type: "SAY"; word: unknown } },
  actions: { keep: assign({ words: ({ context, event }) => [...context.words, event.word] }) },
}).createMachine({ id: "list", context: { words: [] }, on: { SAY: { actions: "keep" } } });

/** Sends what it is told to somebody else. */
export const relay = setup({
  types: { events: {} as { type: "PASS"; to: string; word: unknown; times?: number } },
}).createMachine({
  id: "relay",
  on: {
    PASS: {
      actions: sendTo(
        ({ event }) => actorRef(event.to),
        ({ event }) => ({ type: "SAY", word: event.word }),
      ),
    },
  },
});

/** Two of them send a ball to and fro until it was hit `left` times. */
export const player = setup({
  types: { context: {} as { hits: number }, events: {} as { type: "BALL"; left: number; other: string; me: string } },
}).createMachine({
  id: "player",
  context: { hits: 0 },
  on: {
    BALL: [
      {
        guard: ({ event }) => event.left > 0,
        actions: [
          assign({ hits: ({ context }) => context.hits + 1 }),
          sendTo(
            ({ event }) => actorRef(event.other),
            ({ event }) => ({ type: "BALL", left: event.left - 1, other: event.me, me: event.other }),
          ),
        ],
      },
      { actions: assign({ hits: ({ context }) => context.hits + 1 }) },
    ],
  },
});

/** A child that answers its parent. */
export const echo = setup({
  types: { context: {} as { said: number }, events: {} as { type: "SAY"; word: unknown } | { type: "END" } },
}).createMachine({
  id: "echo",
  context: { said: 0 },
  initial: "open",
  states: {
    open: {
      on: {
        SAY: { actions: [assign({ said: ({ context }) => context.said + 1 }), sendParent(({ event }) => ({ type: "HEARD", word: event.word }))] },
        END: "ended",
      },
    },
    ended: { type: "final" },
  },
  output: ({ context }) => context.said,
});
