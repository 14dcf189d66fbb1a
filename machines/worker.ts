import { assign, enqueueActions, setup } from "xstate";
import { actorRef } from "../src/domain/reference.ts";
import { backoffMs } from "../src/domain/retry.ts";

/**
 * A worker: a process (or any other place) that carries out assignments, as many at a time as it has slots.
 *
 *   starting ──READY──▶ ready ──LOST──▶ lost ──restartDelay──▶ starting
 *   any ──RETIRE──▶ retired
 */
export interface WorkerInput {
  readonly slots: number;
}

export interface WorkerContext {
  readonly slots: number;
  /** Addresses of the assignments that hold a slot. Invariant: at most `slots`, each once. */
  readonly taken: ReadonlyArray<string>;
  /** Counts the processes that were started for this worker: what an earlier one reports is not meant. */
  readonly incarnation: number;
  /** Losses in a row, without an assignment ended in between. */
  readonly losses: number;
  readonly lastReason: string | null;
}

export type WorkerEvent =
  | { readonly type: "READY"; readonly incarnation: number }
  | { readonly type: "LOST"; readonly incarnation: number; readonly reason: string }
  /** The engine was opened anew: whatever process there was is gone. */
  | { readonly type: "ENGINE_STARTED" }
  | { readonly type: "TAKE"; readonly assignment: string; readonly attempt: number }
  | { readonly type: "RELEASE"; readonly assignment: string }
  | { readonly type: "RETIRE" };

/** What the dispatcher does for this machine. */
export const workerActions = ["startProcess", "stopProcess"] as const;

const without = (taken: ReadonlyArray<string>, assignment: string) => taken.filter((held) => held !== assignment);

export const worker = setup({
  types: { input: {} as WorkerInput, context: {} as WorkerContext, events: {} as WorkerEvent },
  guards: {
    isThisIncarnation: ({ context, event }) => "incarnation" in event && event.incarnation === context.incarnation,
    slotIsFree: ({ context, event }) => event.type === "TAKE" && (context.taken.length < context.slots || context.taken.includes(event.assignment)),
  },
  actions: {
    startProcess: () => {},
    stopProcess: () => {},
    countIncarnation: assign({ incarnation: ({ context }) => context.incarnation + 1 }),
    takeSlot: assign({ taken: ({ context, event }) => (event.type === "TAKE" ? [...without(context.taken, event.assignment), event.assignment] : context.taken) }),
    freeSlot: assign(({ context, event }) => (event.type === "RELEASE" ? { taken: without(context.taken, event.assignment), losses: 0 } : {})),
    decline: enqueueActions(({ event, enqueue }) => {
      if (event.type === "TAKE") enqueue.sendTo(actorRef(event.assignment), { type: "DECLINED", attempt: event.attempt });
    }),
    recordLoss: assign(({ context, event }) => ({ losses: context.losses + 1, lastReason: event.type === "LOST" ? event.reason : "it did not start in time" })),
    recordEngineStart: assign({ lastReason: "the engine was started anew" }),
    giveUpAssignments: enqueueActions(({ context, enqueue }) => {
      for (const assignment of context.taken) enqueue.sendTo(actorRef(assignment), { type: "WORKER_LOST", reason: context.lastReason ?? "the worker retired" });
      enqueue.assign({ taken: [] });
    }),
  },
  delays: {
    startTimeout: 30_000,
    restartDelay: ({ context }) => backoffMs({ kind: "exponential", baseMs: 100, capMs: 30_000 }, Math.max(1, context.losses)),
  },
}).createMachine({
  id: "worker",
  version: "1",
  description: "Carries out assignments, as many at a time as it has slots.",
  context: ({ input }) => ({ slots: input.slots, taken: [], incarnation: 0, losses: 0, lastReason: null }),
  initial: "starting",
  on: {
    RETIRE: ".retired",
    ENGINE_STARTED: { target: ".starting", actions: ["recordEngineStart", "giveUpAssignments"] },
    // An assignment that ends late, after its worker was lost, frees nothing but must not fail.
    RELEASE: { actions: "freeSlot" },
    TAKE: { actions: "decline" },
  },
  states: {
    starting: {
      description: "Its process was started and has not reported yet. It declines what is offered.",
      entry: ["countIncarnation", { type: "startProcess", params: ({ context }: { context: WorkerContext }) => ({ incarnation: context.incarnation }) }],
      on: {
        READY: { guard: "isThisIncarnation", target: "ready" },
        LOST: { guard: "isThisIncarnation", target: "lost", actions: "recordLoss" },
      },
      after: { startTimeout: { target: "lost", actions: "recordLoss" } },
    },
    ready: {
      description: "Takes assignments while a slot is free.",
      on: {
        TAKE: [{ guard: "slotIsFree", actions: "takeSlot" }, { actions: "decline" }],
        LOST: { guard: "isThisIncarnation", target: "lost", actions: "recordLoss" },
      },
    },
    lost: {
      description: "Its process is gone. What it had goes back; another process is started after a pause.",
      entry: ["giveUpAssignments", "stopProcess"],
      after: { restartDelay: "starting" },
    },
    retired: { type: "final", description: "It is not needed any more.", entry: ["giveUpAssignments", "stopProcess"] },
  },
});
