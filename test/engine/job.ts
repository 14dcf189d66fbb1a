import { assign, setup } from "xstate";
import type { ActivityOptions, DurableMachine } from "../../src/engine/index.ts";
import type { Held } from "./held.ts";

/** Invokes one promise as "work" and keeps what comes of it. */
export const job = (held: Held, options: ActivityOptions = {}): DurableMachine => ({
  machine: setup({
    types: { context: {} as { output: unknown; error: unknown }, events: {} as { type: "CANCEL" | "AGAIN" } },
    actors: { work: held.logic },
    actions: {
      keepOutput: assign({ output: ({ event }) => (event as unknown as { output: unknown }).output ?? null }),
      keepError: assign({ error: ({ event }) => (event as unknown as { error: { name: string; message: string } }).error }),
    },
  }).createMachine({
    id: "job",
    context: { output: null, error: null },
    initial: "working",
    states: {
      working: {
        invoke: { src: "work", id: "work", input: { amount: 7 }, onDone: { target: "done", actions: "keepOutput" }, onError: { target: "failed", actions: "keepError" } },
        on: { CANCEL: "cancelled", AGAIN: { target: "working", reenter: true } },
      },
      done: {},
      failed: {},
      cancelled: {},
    },
  }),
  activities: { work: options },
});

/** Invokes one promise and does not say what should happen if it fails. */
export const carefree = (held: Held): DurableMachine => ({
  machine: setup({ actors: { work: held.logic } }).createMachine({ id: "carefree", initial: "working", states: { working: { invoke: { src: "work", id: "work", onDone: "done" } }, done: {} } }),
});
