import { and, assign, fromPromise, not, setup, stateIn } from "xstate";

const clerk = setup({ types: { output: {} as { readonly ok: boolean } } }).createMachine({ id: "clerk", version: "1", initial: "done", states: { done: { type: "final" } } });

/** A machine with everything that a graph has a word for. */
export const everything = setup({
  types: { context: {} as { readonly tries: number }, events: {} as { type: "GO" } | { type: "STOP" } | { type: "BACK" } | { type: "LOOK"; deep: boolean }, tags: "busy" as string },
  actors: { clerk, fetch: fromPromise(async () => 1) },
  guards: { isFresh: ({ context }) => context.tries === 0, isDeep: ({ event }) => event.type === "LOOK" && event.deep },
  actions: { count: assign({ tries: ({ context }) => context.tries + 1 }), greet: () => {}, part: () => {} },
  delays: { patience: 5_000, growing: ({ context }) => context.tries * 1_000 },
}).createMachine({
  id: "everything",
  version: "3",
  description: "All of it.",
  context: { tries: 0 },
  initial: "idle",
  on: { STOP: { target: ".over", description: "Enough." } },
  states: {
    idle: {
      description: "Nothing happens.",
      tags: ["busy"],
      entry: ["greet"],
      exit: "part",
      on: {
        GO: [
          { guard: and(["isFresh", not("isDeep")]), target: "working", actions: "count" },
          { guard: stateIn("idle"), target: "both" },
          { target: "idle", reenter: true },
        ],
        LOOK: { guard: ({ context }) => context.tries > 5, actions: assign({ tries: 0 }) },
      },
    },
    working: {
      description: "The clerk has it.",
      meta: { since: 3 },
      invoke: { id: "clerk", src: "clerk", onDone: "checking", onError: "over", onSnapshot: { actions: "count" } },
      after: { patience: { target: "over", actions: "part" }, growing: "idle", 100: { actions: "count" } },
    },
    checking: { description: "For a moment.", always: [{ guard: "isFresh", target: "idle" }, { target: "both" }] },
    both: {
      description: "Two at once.",
      type: "parallel",
      states: {
        left: { initial: "a", states: { a: { on: { GO: "b" } }, b: { type: "final" } } },
        right: { initial: "a", states: { a: { on: { GO: "b" } }, b: { type: "final" }, memory: { type: "history", history: "deep" } } },
      },
      onDone: "over",
      on: { BACK: ".right.memory" },
    },
    over: { type: "final", description: "It is over." },
  },
});
