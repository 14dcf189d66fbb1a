import { assign, enqueueActions, setup } from "xstate";
import { actorRef } from "../src/domain/reference.ts";
import { backoffMs } from "../src/domain/retry.ts";
import type { LossCause } from "./assignment.ts";

/**
 * A worker: a process (or any other place) that carries out assignments, as many at a time as it has slots.
 *
 *   starting ──READY──▶ ready ──LOST, UNANSWERED──▶ lost ──restartDelay──▶ starting
 *   any ──ENGINE_STOPPED──▶ halted ──ENGINE_STARTED──▶ starting          any ──RETIRE──▶ retired
 */
export interface WorkerInput {
  readonly slots: number;
}

export interface WorkerContext {
  readonly slots: number;
  /** Addresses of the assignments that hold a slot. Invariant: at most `slots`, each once, none unless it is ready. */
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
  /** The engine is about to close and has ended the process: what it ran is given back at no cost. */
  | { readonly type: "ENGINE_STOPPED" }
  | { readonly type: "TAKE"; readonly assignment: string; readonly attempt: number }
  | { readonly type: "RELEASE"; readonly assignment: string }
  /** An offer was not answered in time. */
  | { readonly type: "UNANSWERED"; readonly assignment: string }
  | { readonly type: "RETIRE" };

/** What the dispatcher does for this machine. */
export const workerActions = ["startProcess", "stopProcess"] as const;

const causes: Readonly<Record<string, LossCause>> = { ENGINE_STARTED: "engineStarted", ENGINE_STOPPED: "engineStopped" };

const without = (taken: ReadonlyArray<string>, assignment: string) => taken.filter((held) => held !== assignment);

export const worker = setup({
  types: { input: {} as WorkerInput, context: {} as WorkerContext, events: {} as WorkerEvent },
  guards: {
    isThisIncarnation: ({ context, event }) => "incarnation" in event && event.incarnation === context.incarnation,
    holdsSlot: ({ context, event }) => "assignment" in event && context.taken.includes(event.assignment),
    slotIsFree: ({ context, event }) => event.type === "TAKE" && (context.taken.length < context.slots || context.taken.includes(event.assignment)),
  },
  actions: {
    startProcess: () => {},
    stopProcess: () => {},
    countIncarnation: assign({ incarnation: ({ context }) => context.incarnation + 1 }),
    takeSlot: assign({ taken: ({ context, event }) => (event.type === "TAKE" ? [...without(context.taken, event.assignment), event.assignment] : context.taken) }),
    grant: enqueueActions(({ context, event, enqueue }) => {
      if (event.type === "TAKE") enqueue.sendTo(actorRef(event.assignment), { type: "TAKEN", attempt: event.attempt, incarnation: context.incarnation });
    }),
    freeSlot: assign(({ context, event }) => (event.type === "RELEASE" ? { taken: without(context.taken, event.assignment), losses: 0 } : {})),
    decline: enqueueActions(({ event, enqueue }) => {
      if (event.type === "TAKE") enqueue.sendTo(actorRef(event.assignment), { type: "DECLINED", attempt: event.attempt });
    }),
    recordLoss: assign(({ context, event }) => ({ losses: context.losses + 1, lastReason: event.type === "LOST" ? event.reason : "it did not start in time" })),
    recordSilence: assign(({ context, event }) => ({
      losses: context.losses + 1,
      lastReason: "it did not answer an offer in time",
      taken: event.type === "UNANSWERED" ? without(context.taken, event.assignment) : context.taken,
    })),
    recordEngineStart: assign({ lastReason: "the engine was started anew" }),
    recordEngineStop: assign({ lastReason: "the engine was stopped" }),
    recordRetirement: assign({ lastReason: "it was retired" }),
    giveUpAssignments: enqueueActions(({ context, event, enqueue }) => {
      const reason = context.lastReason ?? "its worker is gone";
      for (const assignment of context.taken) enqueue.sendTo(actorRef(assignment), { type: "WORKER_LOST", reason, cause: causes[event.type] ?? "worker" });
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
    RETIRE: { target: ".retired", actions: "recordRetirement" },
    ENGINE_STARTED: { target: ".starting", actions: ["recordEngineStart", "giveUpAssignments"] },
    ENGINE_STOPPED: { target: ".halted", actions: ["recordEngineStop", "giveUpAssignments"] },
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
      description: "Takes assignments while a slot is free. No limit of its own: each assignment has one.",
      on: {
        TAKE: [{ guard: "slotIsFree", actions: ["takeSlot", "grant"] }, { actions: "decline" }],
        // An assignment that was given up frees its slot a second time: that is no sign that the worker is well.
        RELEASE: { guard: "holdsSlot", actions: "freeSlot" },
        LOST: { guard: "isThisIncarnation", target: "lost", actions: "recordLoss" },
        UNANSWERED: { guard: "holdsSlot", target: "lost", actions: "recordSilence" },
      },
    },
    lost: {
      description: "Its process is gone. What it had goes back; another process is started after a pause.",
      entry: ["giveUpAssignments", "stopProcess"],
      after: { restartDelay: "starting" },
    },
    halted: {
      description: "The engine was closed. No limit: it begins again when the journal is next opened.",
      entry: "stopProcess",
    },
    retired: { type: "final", description: "It is not needed any more.", entry: ["giveUpAssignments", "stopProcess"] },
  },
});
