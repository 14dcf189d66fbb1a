import { assign, setup } from "xstate";
import type { Failure } from "../src/domain/json.ts";
import { nextDelayMs, noRetry, type RetryPolicy } from "../src/domain/retry.ts";

/**
 * One activity: a promise that a machine invoked, carried out at least once and reported exactly once. The attempt is
 * counted and stored before it runs, so that an attempt which ends the whole process is counted too.
 *
 *   running ──SUCCEEDED──▶ succeeded
 *   running ──FAILED, attemptTimeout, heartbeatTimeout──▶ deciding ──▶ backingOff ──backoff──▶ running
 *   running ──INTERRUPTED──▶ running                      deciding ──▶ failed
 *   running ──SUSPENDED──▶ suspended ──RESUMED──▶ running
 */
export interface ActivityInput {
  /** The activity's own address: what its jitter is derived from. */
  readonly address: string;
  /** The machine that invoked it. */
  readonly machine: string;
  /** The form of that machine. */
  readonly hash?: string;
  /** The name in that machine's `setup({ actors })`. */
  readonly src: string;
  readonly input?: unknown;
  /** When the first attempt starts, in milliseconds since 1970. */
  readonly at: number;
  readonly retry?: RetryPolicy;
  /** How long one attempt may take, in milliseconds; absent: as long as it likes. */
  readonly timeoutMs?: number;
  /** How long an attempt may be silent, in milliseconds; absent: no heartbeats are expected. */
  readonly heartbeatTimeoutMs?: number;
  /** How often the process may end under it before the activity itself counts as the cause. */
  readonly interruptionsMax?: number;
}

export interface ActivityContext {
  readonly address: string;
  readonly machine: string;
  readonly hash?: string | undefined;
  readonly src: string;
  readonly input: unknown;
  readonly retry: RetryPolicy;
  readonly timeoutMs: number | null;
  readonly heartbeatTimeoutMs: number | null;
  readonly interruptionsMax: number;
  /** The running or latest attempt, counted from 1. Invariant: interruptions < attempt while running. */
  readonly attempt: number;
  /** Attempts that ended with their process and so cost no retry. */
  readonly interruptions: number;
  /** Those among them that the process did not announce. */
  readonly crashes: number;
  readonly firstAt: number;
  /** When the running attempt began, by the plan; milliseconds since 1970. */
  readonly attemptAt: number;
  /** The wait before the next attempt in milliseconds; null when the budget is spent. */
  readonly delayMs: number | null;
  readonly failure: Failure | null;
  /** What the latest heartbeat said; the next attempt can go on from there. */
  readonly details: unknown;
  readonly output: unknown;
}

/** Every report names its attempt, because a report of an earlier attempt comes too late. */
export type ActivityEvent =
  | { readonly type: "SUCCEEDED"; readonly attempt: number; readonly output?: unknown }
  | { readonly type: "FAILED"; readonly attempt: number; readonly error: Failure; readonly at: number }
  | { readonly type: "HEARTBEAT"; readonly attempt: number; readonly details?: unknown; readonly at: number }
  /** The process ended under the attempt, without a word. */
  | { readonly type: "INTERRUPTED"; readonly at: number }
  /** The engine closes; the attempt is aborted and begins again when the journal is next opened. */
  | { readonly type: "SUSPENDED"; readonly attempt: number }
  | { readonly type: "RESUMED"; readonly at: number };

export type ActivityOutput = { readonly result: "succeeded"; readonly output?: unknown } | { readonly result: "failed"; readonly error: Failure };

/** What the engine does for this machine after the transition is stored. */
export const activityActions = ["perform"] as const;

const unlimitedMs = 100 * 365 * 24 * 60 * 60 * 1000;

const afterFailure = (context: ActivityContext, failure: Failure, at: number) => {
  const attempt = context.attempt - context.interruptions;
  const delayMs = nextDelayMs(context.retry, { attempt, firstAt: context.firstAt, now: at, seed: context.address, failure }) ?? null;
  return { failure, delayMs, attemptAt: at + (delayMs ?? 0) };
};

const timeoutOf = (what: string, ms: number | null): Failure => ({ name: "ActivityTimeout", code: "activity_timeout", message: `${what} within ${ms} ms` });

export const activity = setup({
  types: { input: {} as ActivityInput, context: {} as ActivityContext, events: {} as ActivityEvent, output: {} as ActivityOutput },
  guards: {
    isThisAttempt: ({ context, event }) => "attempt" in event && event.attempt === context.attempt,
    retryBudgetRemains: ({ context }) => context.delayMs !== null,
    interruptedTooOften: ({ context }) => context.crashes >= context.interruptionsMax,
    expectsHeartbeats: ({ context }) => context.heartbeatTimeoutMs !== null,
    isLimited: ({ context }) => context.timeoutMs !== null,
  },
  actions: {
    countAttempt: assign({ attempt: ({ context }) => context.attempt + 1 }),
    // The engine runs the promise once this transition is stored, and aborts it when the state is left.
    perform: () => {},
    recordOutput: assign(({ event }) => (event.type === "SUCCEEDED" ? { output: event.output, failure: null } : {})),
    recordFailure: assign(({ context, event }) => (event.type === "FAILED" ? afterFailure(context, event.error, event.at) : {})),
    recordTimeout: assign(({ context }) => afterFailure(context, timeoutOf("the attempt did not end", context.timeoutMs), context.attemptAt + (context.timeoutMs ?? 0))),
    recordSilence: assign(({ context }) => afterFailure(context, timeoutOf("no heartbeat came", context.heartbeatTimeoutMs), context.attemptAt + (context.heartbeatTimeoutMs ?? 0))),
    recordHeartbeat: assign(({ context, event }) => (event.type === "HEARTBEAT" ? { details: event.details ?? context.details } : {})),
    recordInterruption: assign(({ context, event }) => ({ interruptions: context.interruptions + 1, attemptAt: "at" in event ? event.at : context.attemptAt })),
    recordCrash: assign({ crashes: ({ context }) => context.crashes + 1 }),
    recordAsCause: assign({
      failure: ({ context }): Failure => ({ name: "ActivityInterrupted", code: "activity_interrupted", message: `the process ended ${context.crashes + 1} times while this activity ran` }),
    }),
  },
  delays: {
    attemptTimeout: ({ context }) => context.timeoutMs ?? unlimitedMs,
    heartbeatTimeout: ({ context }) => context.heartbeatTimeoutMs ?? unlimitedMs,
    backoff: ({ context }) => context.delayMs ?? 0,
  },
}).createMachine({
  id: "activity",
  meta: { senders: { SUCCEEDED: "its promise", FAILED: "its promise", HEARTBEAT: "its promise", INTERRUPTED: "the engine", SUSPENDED: "the engine", RESUMED: "the engine" } },
  version: "1",
  description: "A promise, carried out at least once and reported exactly once.",
  context: ({ input }) => ({
    address: input.address,
    machine: input.machine,
    hash: input.hash,
    src: input.src,
    input: input.input,
    retry: input.retry ?? noRetry,
    timeoutMs: input.timeoutMs ?? null,
    heartbeatTimeoutMs: input.heartbeatTimeoutMs ?? null,
    interruptionsMax: input.interruptionsMax ?? 5,
    attempt: 0,
    interruptions: 0,
    crashes: 0,
    firstAt: input.at,
    attemptAt: input.at,
    delayMs: null,
    failure: null,
    details: null,
    output: undefined,
  }),
  initial: "running",
  states: {
    running: {
      description: "An attempt is under way in the process that owns the journal.",
      entry: ["countAttempt", "perform"],
      initial: "choosing",
      on: {
        SUCCEEDED: { guard: "isThisAttempt", target: "succeeded", actions: "recordOutput" },
        FAILED: { guard: "isThisAttempt", target: "deciding", actions: "recordFailure" },
        // The process ended under the attempt. That costs no retry, but work which ends every process must end too.
        INTERRUPTED: [
          { guard: "interruptedTooOften", target: "failed", actions: "recordAsCause" },
          { target: "running", reenter: true, actions: ["recordInterruption", "recordCrash"] },
        ],
        // Its details are kept also where silence is allowed.
        HEARTBEAT: { guard: "isThisAttempt", actions: "recordHeartbeat" },
        SUSPENDED: { guard: "isThisAttempt", target: "suspended" },
      },
      states: {
        choosing: {
          description: "What bounds the attempt?",
          always: [{ guard: "expectsHeartbeats", target: "limited.watched" }, { guard: "isLimited", target: "limited" }, { target: "unlimited" }],
        },
        unlimited: { description: "No limit: its options give none, so nothing bounds the attempt but the promise itself." },
        limited: {
          description: "The attempt must end in time.",
          initial: "unwatched",
          after: { attemptTimeout: { target: "#activity.deciding", actions: "recordTimeout" } },
          states: {
            unwatched: { description: "It may be silent." },
            watched: {
              description: "Silence for longer than the heartbeat time-out ends the attempt.",
              on: { HEARTBEAT: { guard: "isThisAttempt", target: "watched", reenter: true, actions: "recordHeartbeat" } },
              after: { heartbeatTimeout: { target: "#activity.deciding", actions: "recordSilence" } },
            },
          },
        },
      },
    },
    suspended: {
      description: "The engine was closed under the attempt. No limit: it begins again when the journal is next opened.",
      on: {
        RESUMED: { target: "running", actions: "recordInterruption" },
        // It ended before it could be aborted.
        SUCCEEDED: { guard: "isThisAttempt", target: "succeeded", actions: "recordOutput" },
      },
    },
    deciding: {
      description: "An attempt failed: does the budget allow another?",
      always: [{ guard: "retryBudgetRemains", target: "backingOff" }, { target: "failed" }],
    },
    backingOff: {
      // SUCCEEDED and FAILED are ignored here: their attempt was given up, and its signal aborted.
      description: "Waits before the next attempt.",
      after: { backoff: "running" },
    },
    succeeded: { type: "final", description: "The promise was kept; its output is reported." },
    failed: { type: "final", description: "The budget is spent; the last failure is reported." },
  },
  output: ({ context }): ActivityOutput => (context.failure === null ? { result: "succeeded", output: context.output } : { result: "failed", error: context.failure }),
});
