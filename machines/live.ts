import { assign, emit, sendParent, setup } from "xstate";
import type { Event } from "../src/domain/event.ts";
import type { Failure } from "../src/domain/json.ts";
import { nextDelayMs, noRetry, type RetryPolicy } from "../src/domain/retry.ts";

/**
 * One live actor: a callback or an observable that a machine invoked or spawned. Its code lives in the process that
 * owns the journal and nowhere else, so it begins anew in every process; what it says is stored before anybody hears it.
 *
 *   running ──ended──▶ completed            running ──suspended──▶ suspended ──resumed──▶ running
 *   running ──failed──▶ deciding ──▶ backingOff ──backoff──▶ running
 *   running ──interrupted──▶ running        deciding ──▶ failed
 *
 * Everything else that it is told was sent to the callback, under any name: so the engine's own events have reserved ones.
 */
export interface LiveInput {
  /** The actor's own address: what its jitter is derived from. */
  readonly address: string;
  /** The machine whose child it is. */
  readonly machine: string;
  /** The form of that machine. */
  readonly hash?: string;
  /** The name in that machine's `setup({ actors })`. */
  readonly src: string;
  readonly kind: "callback" | "observable" | "eventObservable";
  readonly input?: unknown;
  /** When the first run starts, in milliseconds since 1970. */
  readonly at: number;
  /** How often it begins again after it failed; absent: its first failure is its end. */
  readonly retry?: RetryPolicy;
  /** How often in a row the process may end under it before it has said or heard anything. */
  readonly interruptionsMax?: number;
}

export interface LiveContext {
  readonly machine: string;
  readonly hash?: string | undefined;
  readonly src: string;
  readonly kind: LiveInput["kind"];
  readonly input: unknown;
  readonly retry: RetryPolicy;
  readonly interruptionsMax: number;
  readonly address: string;
  /** The running or latest run, counted from 1. */
  readonly run: number;
  /** Processes that ended in a row under a run that had said and heard nothing. */
  readonly crashes: number;
  /** Runs that failed in a row without having said anything. */
  readonly failures: number;
  /** When the first of them began, in milliseconds since 1970. */
  readonly firstAt: number;
  /** The wait before the next run in milliseconds; null when the budget is spent. */
  readonly delayMs: number | null;
  readonly failure: Failure | null;
  /** The latest value of an observable. */
  readonly value: unknown;
}

/** Each of its own reports names its run, because a report of an earlier run comes too late. */
export type LiveEvent =
  /** A callback's `sendBack`, or the value of an event observable: for the parent. */
  | { readonly type: "taskwright.live.sent"; readonly run: number; readonly event: Event }
  | { readonly type: "taskwright.live.emitted"; readonly run: number; readonly event: Event }
  | { readonly type: "taskwright.live.value"; readonly run: number; readonly value?: unknown }
  | { readonly type: "taskwright.live.ended"; readonly run: number }
  | { readonly type: "taskwright.live.failed"; readonly run: number; readonly error: Failure; readonly at: number }
  /** The process ended under the run, without a word. */
  | { readonly type: "taskwright.live.interrupted"; readonly at: number }
  /** The engine closes; a new run begins when the journal is next opened. */
  | { readonly type: "taskwright.live.suspended"; readonly run: number }
  | { readonly type: "taskwright.live.resumed"; readonly at: number };

export type LiveOutput = { readonly result: "succeeded" } | { readonly result: "failed"; readonly error: Failure };

/** What the engine does for this machine after the transition is stored. */
export const liveActions = ["begin", "handOver"] as const;

const afterFailure = (context: LiveContext, failure: Failure, at: number) => {
  const failures = context.failures + 1;
  const firstAt = context.failures === 0 ? at : context.firstAt;
  const delayMs = nextDelayMs(context.retry, { attempt: failures, firstAt, now: at, seed: context.address, failure }) ?? null;
  return { failure, failures, firstAt, delayMs };
};

export const live = setup({
  types: { input: {} as LiveInput, context: {} as LiveContext, events: {} as LiveEvent, output: {} as LiveOutput },
  guards: {
    isThisRun: ({ context, event }) => "run" in event && event.run === context.run,
    retryBudgetRemains: ({ context }) => context.delayMs !== null,
    // A late report falls through to the wildcard, too.
    isForTheCode: ({ event }) => !event.type.startsWith("taskwright."),
    interruptedTooOften: ({ context }) => context.crashes >= context.interruptionsMax,
  },
  actions: {
    countRun: assign({ run: ({ context }) => context.run + 1 }),
    // The engine runs the code once this transition is stored, and ends it when the state is left.
    begin: () => {},
    // The engine tells the running code once this transition is stored.
    handOver: () => {},
    tellParent: sendParent(({ event }: { event: LiveEvent }) => (event as Extract<LiveEvent, { type: "taskwright.live.sent" }>).event),
    emitOn: emit(({ event }: { event: LiveEvent }) => (event as Extract<LiveEvent, { type: "taskwright.live.emitted" }>).event),
    recordValue: assign({ value: ({ event }) => ("value" in event ? event.value : undefined) }),
    // It works: what went wrong before is forgiven.
    recordLife: assign({ crashes: 0, failures: 0 }),
    recordFailure: assign(({ context, event }) => ("error" in event ? afterFailure(context, event.error, event.at) : {})),
    recordCrash: assign({ crashes: ({ context }) => context.crashes + 1 }),
    recordAsCause: assign({
      failure: ({ context }): Failure => ({ name: "LiveInterrupted", code: "live_interrupted", message: `the process ended ${context.crashes + 1} times as soon as this ${context.kind} actor ran` }),
    }),
    forgetFailure: assign({ failure: null }),
  },
  delays: { backoff: ({ context }) => context.delayMs ?? 0 },
}).createMachine({
  id: "live",
  meta: {
    senders: {
      "taskwright.live.sent": "its code",
      "taskwright.live.emitted": "its code",
      "taskwright.live.value": "its code",
      "taskwright.live.ended": "its code",
      "taskwright.live.failed": "its code",
      "taskwright.live.interrupted": "the engine",
      "taskwright.live.suspended": "the engine",
      "taskwright.live.resumed": "the engine",
    },
  },
  version: "1",
  description: "A callback or an observable: it runs in one process at a time, and begins anew in the next.",
  context: ({ input }) => ({
    machine: input.machine,
    hash: input.hash,
    src: input.src,
    kind: input.kind,
    input: input.input,
    retry: input.retry ?? noRetry,
    interruptionsMax: input.interruptionsMax ?? 5,
    address: input.address,
    run: 0,
    crashes: 0,
    failures: 0,
    firstAt: input.at,
    delayMs: null,
    failure: null,
    value: undefined,
  }),
  initial: "running",
  states: {
    running: {
      description: "Its code runs in the process that owns the journal. No limit: it lives as long as the state that invoked it.",
      entry: ["countRun", "begin"],
      on: {
        "taskwright.live.sent": { guard: "isThisRun", actions: ["recordLife", "tellParent"] },
        "taskwright.live.emitted": { guard: "isThisRun", actions: "emitOn" },
        "taskwright.live.value": { guard: "isThisRun", actions: ["recordLife", "recordValue"] },
        "taskwright.live.ended": { guard: "isThisRun", target: "completed", actions: "forgetFailure" },
        "taskwright.live.failed": { guard: "isThisRun", target: "deciding", actions: "recordFailure" },
        "taskwright.live.interrupted": [
          { guard: "interruptedTooOften", target: "failed", actions: "recordAsCause" },
          { target: "running", reenter: true, actions: "recordCrash" },
        ],
        "taskwright.live.suspended": { guard: "isThisRun", target: "suspended" },
        "*": { guard: "isForTheCode", actions: ["recordLife", "handOver"] },
      },
    },
    suspended: {
      description: "The engine was closed. No limit: a new run begins when the journal is next opened.",
      on: { "taskwright.live.resumed": "running" },
    },
    deciding: {
      description: "A run failed: does the budget allow another?",
      always: [{ guard: "retryBudgetRemains", target: "backingOff" }, { target: "failed" }],
    },
    backingOff: {
      description: "Waits before the next run; what it is sent meanwhile reaches nobody.",
      after: { backoff: "running" },
    },
    completed: { type: "final", description: "An observable has no more values." },
    failed: { type: "final", description: "The budget is spent; the last failure is reported." },
  },
  output: ({ context }): LiveOutput => (context.failure === null ? { result: "succeeded" } : { result: "failed", error: context.failure }),
});
