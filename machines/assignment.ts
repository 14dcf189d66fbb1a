import { assign, enqueueActions, sendParent, setup } from "xstate";
import { actorRef } from "../src/domain/reference.ts";
import type { Failure } from "../src/domain/json.ts";

/**
 * One attempt of a task on one worker, from the offer to the end. Not accepted is not failed: an attempt that no
 * worker began costs no retry.
 *
 *   requesting ──TAKEN──▶ offered ──ACCEPTED──▶ running ──ENDED──▶ ended
 *   requesting, offered ──DECLINED, acceptanceTimeout, WORKER_LOST──▶ ended (notAccepted)
 *   running ──executionTimeout, CANCEL──▶ stopping ──ENDED, killGrace──▶ ended (timedOut, cancelled)
 *   running ──WORKER_LOST──▶ ended (lost, interrupted)
 */
export interface AssignmentInput {
  readonly worker: string;
  /** Counted by the task; a report of another attempt comes too late. */
  readonly attempt: number;
  /** What the worker is given. */
  readonly work: unknown;
  readonly acceptanceTimeoutMs: number;
  readonly executionTimeoutMs: number;
}

export interface AssignmentContext extends AssignmentInput {
  readonly outcome: AssignmentOutput["outcome"] | null;
  readonly result: unknown;
  readonly failure: Failure | null;
}

/** Why a worker is lost to its assignments: by itself, because the engine crashed, or because it was closed. */
export type LossCause = "worker" | "engineStarted" | "engineStopped";

export type AssignmentEvent =
  /** The worker has a slot for it, in the process with this incarnation. */
  | { readonly type: "TAKEN"; readonly attempt: number; readonly incarnation?: number }
  | { readonly type: "ACCEPTED"; readonly attempt: number }
  | { readonly type: "DECLINED"; readonly attempt: number; readonly reason?: string }
  | { readonly type: "ENDED"; readonly attempt: number; readonly ok: boolean; readonly result?: unknown; readonly failure?: Failure }
  | { readonly type: "WORKER_LOST"; readonly reason: string; readonly cause: LossCause }
  | { readonly type: "CANCEL" };

export interface AssignmentOutput {
  readonly outcome: "succeeded" | "failed" | "timedOut" | "cancelled" | "lost" | "interrupted" | "notAccepted";
  readonly result: unknown;
  readonly failure: Failure | null;
}

/** What the dispatcher does for this machine. */
export const assignmentActions = ["offer", "revoke"] as const;

const failure = (code: string, message: string): Failure => ({ name: "AssignmentFailed", code, message });

/** For no other process of the worker than the one that has the slot: a later one may be there when the offer goes out. */
const toOffer = ({ context: { worker, attempt, work }, event }: { context: AssignmentContext; event: AssignmentEvent }) => ({
  worker,
  attempt,
  work,
  ...(event.type === "TAKEN" && event.incarnation !== undefined ? { incarnation: event.incarnation } : {}),
});
const politely = ({ context: { worker, attempt } }: { context: AssignmentContext }) => ({ worker, attempt, force: false });
const byForce = ({ context: { worker, attempt } }: { context: AssignmentContext }) => ({ worker, attempt, force: true });

export const assignment = setup({
  types: { input: {} as AssignmentInput, context: {} as AssignmentContext, events: {} as AssignmentEvent, output: {} as AssignmentOutput },
  guards: {
    isThisAttempt: ({ context, event }) => "attempt" in event && event.attempt === context.attempt,
    endedWell: ({ context, event }) => event.type === "ENDED" && event.attempt === context.attempt && event.ok,
    engineWasStopped: ({ event }) => event.type === "WORKER_LOST" && event.cause === "engineStopped",
    // The engine was away, so the time-out may have passed with nobody working: the attempt was cut short by the crash.
    timedOutUnseen: ({ context, event }) => event.type === "WORKER_LOST" && event.cause === "engineStarted" && context.outcome === "timedOut",
  },
  actions: {
    offer: () => {},
    revoke: () => {},
    takeSlot: enqueueActions(({ context, self, enqueue }) => {
      enqueue.sendTo(actorRef(context.worker), { type: "TAKE", assignment: self.sessionId, attempt: context.attempt });
    }),
    freeSlot: enqueueActions(({ context, self, enqueue }) => {
      enqueue.sendTo(actorRef(context.worker), { type: "RELEASE", assignment: self.sessionId });
    }),
    reportSilence: enqueueActions(({ context, self, enqueue }) => {
      enqueue.sendTo(actorRef(context.worker), { type: "UNANSWERED", assignment: self.sessionId });
    }),
    reportAcceptance: sendParent(({ context }) => ({ type: "ACCEPTED", attempt: context.attempt })),
    recordSuccess: assign(({ event }) => (event.type === "ENDED" ? { outcome: "succeeded" as const, result: event.result } : {})),
    recordFailure: assign(({ event }) =>
      event.type === "ENDED" ? { outcome: "failed" as const, result: event.result, failure: event.failure ?? failure("failed", "the work failed without a reason") } : {},
    ),
    recordResult: assign(({ event }) => (event.type === "ENDED" ? { result: event.result } : {})),
    recordTimeout: assign(({ context }) => ({ outcome: "timedOut" as const, failure: failure("execution_timeout", `it did not end within ${context.executionTimeoutMs} ms`) })),
    recordCancel: assign({ outcome: "cancelled" }),
    recordLoss: assign(({ event }) => (event.type === "WORKER_LOST" ? { outcome: "lost" as const, failure: failure("worker_lost", `its worker was lost: ${event.reason}`) } : {})),
    recordInterruption: assign(({ event }) => (event.type === "WORKER_LOST" ? { outcome: "interrupted" as const, failure: failure("interrupted", event.reason) } : {})),
    recordNotAccepted: assign(({ context, event }) => ({
      outcome: "notAccepted" as const,
      failure:
        event.type === "WORKER_LOST"
          ? failure("worker_lost", `its worker was lost before it accepted: ${event.reason}`)
          : event.type === "DECLINED"
            ? failure("declined", event.reason ?? "the worker declined")
            : failure("acceptance_timeout", `the worker did not accept within ${context.acceptanceTimeoutMs} ms`),
    })),
  },
  delays: {
    acceptanceTimeout: ({ context }) => context.acceptanceTimeoutMs,
    executionTimeout: ({ context }) => context.executionTimeoutMs,
    killGrace: 3_000,
  },
}).createMachine({
  id: "assignment",
  version: "1",
  description: "One attempt of a task on one worker.",
  context: ({ input }) => ({ ...input, outcome: null, result: null, failure: null }),
  initial: "requesting",
  states: {
    requesting: {
      description: "Asks its worker for a slot. The answer comes within the same turn; from a worker that is not there it never comes.",
      entry: "takeSlot",
      on: {
        TAKEN: { guard: "isThisAttempt", target: "offered" },
        DECLINED: { guard: "isThisAttempt", target: "ended", actions: "recordNotAccepted" },
        CANCEL: { target: "ended", actions: "recordCancel" },
      },
      after: { acceptanceTimeout: { target: "ended", actions: "recordNotAccepted" } },
    },
    offered: {
      description: "The worker was asked and has not answered.",
      entry: { type: "offer", params: toOffer },
      on: {
        ACCEPTED: { guard: "isThisAttempt", target: "running", actions: "reportAcceptance" },
        DECLINED: { guard: "isThisAttempt", target: "ended", actions: "recordNotAccepted" },
        // A very short piece of work may end before its acceptance was heard of.
        ENDED: [
          { guard: "endedWell", target: "ended", actions: "recordSuccess" },
          { guard: "isThisAttempt", target: "ended", actions: "recordFailure" },
        ],
        WORKER_LOST: { target: "ended", actions: "recordNotAccepted" },
        CANCEL: { target: "stopping", actions: "recordCancel" },
      },
      // A worker that says nothing may still begin later, beside whoever has the work by then: it is replaced.
      after: { acceptanceTimeout: { target: "ended", actions: ["recordNotAccepted", { type: "revoke", params: byForce }, "reportSilence"] } },
    },
    running: {
      description: "The worker accepted and works.",
      on: {
        ENDED: [
          { guard: "endedWell", target: "ended", actions: "recordSuccess" },
          { guard: "isThisAttempt", target: "ended", actions: "recordFailure" },
        ],
        WORKER_LOST: [
          { guard: "engineWasStopped", target: "ended", actions: "recordInterruption" },
          { target: "ended", actions: "recordLoss" },
        ],
        CANCEL: { target: "stopping", actions: "recordCancel" },
      },
      after: { executionTimeout: { target: "stopping", actions: "recordTimeout" } },
    },
    stopping: {
      description: "The worker was asked to end the work; after a grace it is ended by force. The slot is held meanwhile.",
      entry: { type: "revoke", params: politely },
      on: {
        ENDED: { guard: "isThisAttempt", target: "ended", actions: "recordResult" },
        WORKER_LOST: [{ guard: "timedOutUnseen", target: "ended", actions: "recordLoss" }, { target: "ended" }],
        // It timed out and is not wanted any more: no other attempt follows.
        CANCEL: { actions: "recordCancel" },
      },
      after: { killGrace: { target: "ended", actions: { type: "revoke", params: byForce } } },
    },
    ended: { type: "final", description: "The outcome was reported to the task, the slot is free.", entry: "freeSlot" },
  },
  output: ({ context }): AssignmentOutput => ({ outcome: context.outcome ?? "lost", result: context.result, failure: context.failure }),
});
