import { assign, fromPromise, setup } from "xstate";
import type { Json } from "../src/domain/json.ts";
import { type Backoff, backoffMs } from "../src/domain/retry.ts";

/**
 * What another system wants of this one, as it was read last: always there to be looked at, never newer than it was true.
 *
 *   reading ──done──▶ fresh ──refreshDelay, DIRTY──▶ reading
 *      │  ▲
 *      │  └──retryDelay── stale ◀──error── reading
 *      └──done, and DIRTY came meanwhile──▶ reading
 *
 * One reading at a time: however many hints come while one runs, one more follows.
 */
export interface ObligationsInput {
  /** Read again so long after a reading; absent: only on a hint. Milliseconds. */
  readonly refreshMs?: number;
  /** How long to wait after readings that failed. Default: 1 s, doubling, at most 60 s. */
  readonly backoff?: Backoff;
}

/** A reading of the other system. */
export interface Reading {
  readonly value: Json;
  /** When it was read, in milliseconds since 1970. */
  readonly at: number;
}

export interface ObligationsContext {
  readonly refreshMs: number | null;
  readonly backoff: Backoff;
  /** The last one that succeeded; null before the first. Invariant: its `at` never goes back. */
  readonly reading: Reading | null;
  /** Hints so far. */
  readonly hints: number;
  /** Hints that had come when the reading that runs, or ran last, began. */
  readonly asked: number;
  /** Hints that had come when the last good one began: where there are more, it is out of date. */
  readonly seen: number;
  /** Readings in a row that failed. */
  readonly failures: number;
  /** Why the latest one failed; null where it did not. */
  readonly error: string | null;
}

/** The value changed over there, or may have. */
export type ObligationsEvent = { readonly type: "DIRTY" };

const defaultBackoff: Backoff = { kind: "exponential", baseMs: 1_000, capMs: 60_000 };

export const obligations = setup({
  types: { input: {} as ObligationsInput, context: {} as ObligationsContext, events: {} as ObligationsEvent },
  actors: {
    /** The host gives the code. */
    read: fromPromise<Reading, null>(async () => {
      throw new Error("nobody reads these obligations");
    }),
  },
  guards: {
    isOutOfDate: ({ context }) => context.hints > context.asked,
    isRefreshed: ({ context }) => context.refreshMs !== null,
  },
  actions: {
    recordHint: assign({ hints: ({ context }) => context.hints + 1 }),
    ask: assign({ asked: ({ context }) => context.hints }),
    recordReading: assign(({ context }, reading: Reading) => ({
      reading: context.reading !== null && context.reading.at > reading.at ? context.reading : reading,
      seen: context.asked,
      failures: 0,
      error: null,
    })),
    recordFailure: assign(({ context }, error: string) => ({ failures: context.failures + 1, error })),
  },
  delays: {
    refreshDelay: ({ context }) => context.refreshMs ?? 0,
    retryDelay: ({ context }) => backoffMs(context.backoff, Math.max(1, context.failures)),
  },
}).createMachine({
  id: "obligations",
  meta: { senders: { DIRTY: "whoever hears of a change over there" } },
  version: "1",
  description: "What another system wants of this one, as it was read last.",
  context: ({ input }) => ({ refreshMs: input.refreshMs ?? null, backoff: input.backoff ?? defaultBackoff, reading: null, hints: 0, asked: 0, seen: 0, failures: 0, error: null }),
  initial: "reading",
  states: {
    reading: {
      description: "The other system is asked. No limit but that of the activity: its options limit it in time.",
      entry: "ask",
      invoke: {
        id: "read",
        src: "read",
        input: null,
        onDone: [
          { guard: "isOutOfDate", target: "reading", reenter: true, actions: { type: "recordReading", params: ({ event }) => event.output } },
          { guard: "isRefreshed", target: "fresh", actions: { type: "recordReading", params: ({ event }) => event.output } },
          { target: "resting", actions: { type: "recordReading", params: ({ event }) => event.output } },
        ],
        onError: { target: "stale", actions: { type: "recordFailure", params: ({ event }) => String((event.error as Error).message) } },
      },
      on: { DIRTY: { actions: "recordHint" } },
    },
    fresh: {
      description: "What was read is served until it is read again.",
      on: { DIRTY: { target: "reading", actions: "recordHint" } },
      after: { refreshDelay: "reading" },
    },
    resting: { description: "What was read is served. No limit: a hint ends it.", on: { DIRTY: { target: "reading", actions: "recordHint" } } },
    stale: {
      description: "The other system can't be read; the last good value is served. A hint does not ask a system that is down more often.",
      on: { DIRTY: { actions: "recordHint" } },
      after: { retryDelay: "reading" },
    },
  },
});
