import { assign, setup } from "xstate";
import type { Order } from "../src/domain/task.ts";

/**
 * A queue of tasks, as far as somebody set rules for it: whether it takes and gives out tasks, and how fast. The tasks
 * themselves are not here; each knows its queue.
 *
 *   open.giving ──GAVE: the rate is spent──▶ open.pacing ──pace──▶ open.giving
 *   open, draining ──PAUSE──▶ paused ──RESUME──▶ open      open, paused ──DRAIN──▶ draining ──RESUME──▶ open
 */
export interface QueuePolicy {
  /** Slots of this queue in all. */
  readonly slotsMax?: number;
  /** Slots per concurrency key. */
  readonly perKeyMax?: number;
  /** At most so many tasks are begun in any stretch of `perMs` milliseconds. */
  readonly rate?: { readonly tasksMax: number; readonly perMs: number };
  /** One step of priority is worth so much waiting, in milliseconds. */
  readonly ageingMs?: number;
  /** `turns`: concurrency keys take turns, whoever has more waiting. `none`: priority and age alone. */
  readonly fairness?: "turns" | "none";
}

export interface QueueContext {
  readonly policy: QueuePolicy;
  /** Tasks that were given out lately, the oldest first. Invariant: at most policy.rate.tasksMax together within policy.rate.perMs. */
  readonly given: ReadonlyArray<{ readonly at: number; readonly count: number }>;
  /** The latest moment that it was told. */
  readonly at: number;
}

export type QueueEvent =
  | { readonly type: "CONFIGURE"; readonly policy: QueuePolicy; readonly at: number }
  /** Tasks were given to workers. */
  | { readonly type: "GAVE"; readonly count: number; readonly at: number }
  | ({ readonly type: "PAUSE" | "RESUME" | "DRAIN" } & Order);

/** Tasks that the rate still allows at a moment. */
export const rateLeft = ({ policy, given }: Pick<QueueContext, "policy" | "given">, at: number): number =>
  policy.rate === undefined ? Number.POSITIVE_INFINITY : policy.rate.tasksMax - given.reduce((sum, batch) => (batch.at > at - (policy.rate?.perMs ?? 0) ? sum + batch.count : sum), 0);
const recent = ({ policy, given }: QueueContext, at: number) => given.filter((batch) => policy.rate !== undefined && batch.at > at - policy.rate.perMs);
/** When the oldest of those that were given out lately does not count any more. */
const paceEnd = ({ policy, given, at }: QueueContext): number => (given[0]?.at ?? at) + (policy.rate?.perMs ?? 0);

const chart = setup({
  types: { input: {} as { readonly policy: QueuePolicy }, context: {} as QueueContext, events: {} as QueueEvent },
  guards: {
    rateIsSpent: ({ context }) => rateLeft(context, context.at) <= 0,
  },
  actions: {
    recordPolicy: assign(({ context, event }) => (event.type === "CONFIGURE" ? { policy: event.policy, at: Math.max(context.at, event.at) } : {})),
    recordGiven: assign(({ context, event }) => {
      if (event.type !== "GAVE" || context.policy.rate === undefined) return {};
      const at = Math.max(context.at, event.at);
      return { at, given: [...recent(context, at), { at, count: event.count }] };
    }),
    recordPace: assign(({ context }) => {
      const at = paceEnd(context);
      return { at, given: recent(context, at) };
    }),
  },
  delays: { pace: ({ context }) => Math.max(1, paceEnd(context) - context.at) },
});

/** Tasks are given out, as fast as the rate allows. */
const givingOut = chart.createStateConfig({
  initial: "giving",
  states: {
    giving: { description: "It gives out as workers are free.", always: { guard: "rateIsSpent", target: "pacing" }, on: { GAVE: { actions: "recordGiven" } } },
    pacing: {
      description: "As much was given out as its rate allows.",
      on: { GAVE: { actions: "recordGiven" }, CONFIGURE: { target: "giving", actions: "recordPolicy" } },
      after: { pace: { target: "giving", actions: "recordPace" } },
    },
  },
});

export const queue = chart.createMachine({
  id: "queue",
  meta: { senders: { CONFIGURE: "an operator", GAVE: "the dispatcher", PAUSE: "an operator", RESUME: "an operator", DRAIN: "an operator" } },
  version: "1",
  description: "A queue of tasks, as far as somebody set rules for it.",
  context: ({ input }) => ({ policy: input.policy, given: [], at: 0 }),
  initial: "open",
  on: { CONFIGURE: { actions: "recordPolicy" } },
  states: {
    open: {
      description: "It takes tasks and gives them out. No limit: that is its work.",
      on: { PAUSE: "paused", DRAIN: "draining" },
      ...givingOut,
    },
    paused: {
      description: "It takes tasks and gives none out. No limit: somebody resumes it.",
      // What was given out while it was being paused.
      on: { GAVE: { actions: "recordGiven" }, RESUME: "open", DRAIN: "draining" },
    },
    draining: {
      description: "It takes no task and gives out what is there. No limit: each of its tasks has one; somebody opens it again.",
      on: { PAUSE: "paused", RESUME: "open" },
      ...givingOut,
    },
  },
});
