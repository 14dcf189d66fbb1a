import { assign, enqueueActions, sendTo, setup } from "xstate";
import type { Failure } from "../src/domain/json.ts";
import { actorRef } from "../src/domain/reference.ts";
import { nextDelayMs, type RetryPolicy } from "../src/domain/retry.ts";
import { type AssignmentOutput, assignment } from "./assignment.ts";

/**
 * A piece of work that must be done once, by whichever worker, within its budget.
 *
 *   waiting ──needs done──▶ queued ──ASSIGN──▶ active.assigned ──ACCEPTED──▶ active.running ──▶ done
 *   active ──not accepted, lost, interrupted──▶ queued          active ──failed, timed out──▶ deciding ──▶ backingOff ──▶ queued
 *   waiting, queued, active, backingOff ──CANCEL──▶ cancelled                            deciding ──▶ dead
 */
export interface TaskInput {
  readonly id: string;
  readonly work: unknown;
  readonly priority: number;
  readonly retry: RetryPolicy;
  /** Ids of tasks that must be done first. */
  readonly needs: ReadonlyArray<string>;
  /** Ids of tasks that need this one: they are told how it ended. */
  readonly dependents: ReadonlyArray<string>;
  readonly acceptanceTimeoutMs: number;
  readonly executionTimeoutMs: number;
  /** How often its worker may be lost under it before the task itself counts as the cause. */
  readonly lossesMax: number;
}

export interface TaskContext extends TaskInput {
  /** Attempts that were given to a worker, also those it did not accept; numbers the assignments. */
  readonly assignments: number;
  /** Attempts that a worker began and that ended badly. Invariant: at most retry.attemptsMax. */
  readonly failures: number;
  /** Invariant: at most lossesMax + 1. */
  readonly losses: number;
  readonly worker: string | null;
  readonly delayMs: number | null;
  /** Somebody cancelled it while a worker had it: no other attempt follows. */
  readonly unwanted: boolean;
  readonly failure: Failure | null;
  readonly result: unknown;
}

export type TaskEvent =
  | { readonly type: "NEED_DONE"; readonly task: string }
  | { readonly type: "NEED_FAILED"; readonly task: string }
  | { readonly type: "ADD_DEPENDENT"; readonly task: string }
  | { readonly type: "ASSIGN"; readonly worker: string }
  | { readonly type: "ACCEPTED"; readonly attempt: number }
  | { readonly type: "CANCEL"; readonly reason: string };

const outcomeIs =
  (outcome: AssignmentOutput["outcome"]) =>
  ({ event }: { event: unknown }) =>
    outputOf(event)?.outcome === outcome;

const outputOf = (event: unknown) => (event as { output?: AssignmentOutput }).output;

const taskFailure = (code: string, message: string): Failure => ({ name: "TaskFailed", code, message });

export const task = setup({
  types: { input: {} as TaskInput, context: {} as TaskContext, events: {} as TaskEvent, children: {} as { assignment: "assignment" } },
  actors: { assignment },
  guards: {
    needsAreDone: ({ context }) => context.needs.length === 0,
    isThisAttempt: ({ context, event }) => "attempt" in event && event.attempt === context.assignments,
    isWanted: ({ context }) => !context.unwanted,
    succeeded: outcomeIs("succeeded"),
    // Whatever else its assignment came to: a task that was cancelled is not tried again.
    wasCancelled: ({ context, event }) => context.unwanted || outcomeIs("cancelled")({ event }),
    wasNotAccepted: outcomeIs("notAccepted"),
    wasInterrupted: outcomeIs("interrupted"),
    wasLost: outcomeIs("lost"),
    lossBudgetIsSpent: ({ context, event }) => outcomeIs("lost")({ event }) && context.losses >= context.lossesMax,
    retryBudgetRemains: ({ context }) => context.delayMs !== null,
  },
  actions: {
    strikeNeed: assign({ needs: ({ context, event }) => (event.type === "NEED_DONE" ? context.needs.filter((need) => need !== event.task) : context.needs) }),
    recordNeedFailure: assign({ failure: ({ event }) => taskFailure("need_failed", `the task "${event.type === "NEED_FAILED" ? event.task : "?"}" that it needs was not done`) }),
    addDependent: assign({
      dependents: ({ context, event }) => (event.type === "ADD_DEPENDENT" ? [...context.dependents.filter((id) => id !== event.task), event.task] : context.dependents),
    }),
    recordWorker: assign(({ context, event }) => (event.type === "ASSIGN" ? { worker: event.worker, assignments: context.assignments + 1 } : {})),
    forgetWorker: assign({ worker: null }),
    recordSuccess: assign(({ event }) => ({ result: outputOf(event)?.result ?? null, failure: null })),
    recordFailure: assign(({ context, event }) => {
      const output = outputOf(event);
      const failure = output?.failure ?? taskFailure("failed", "the attempt failed without a reason");
      const failures = context.failures + 1;
      const delayMs = nextDelayMs(context.retry, { attempt: failures, firstAt: 0, now: 0, seed: context.id, failure }) ?? null;
      return { failures, failure, delayMs, result: output?.result ?? null };
    }),
    recordCrash: assign(({ event }) => ({ failure: (event as unknown as { error?: Failure }).error ?? taskFailure("failed", "its assignment failed"), delayMs: null })),
    recordLoss: assign(({ context, event }) => ({ losses: context.losses + 1, failure: outputOf(event)?.failure ?? null })),
    recordNotAccepted: assign(({ event }) => ({ failure: outputOf(event)?.failure ?? null })),
    recordInterruption: assign(({ event }) => ({ failure: outputOf(event)?.failure ?? null })),
    recordWithdrawal: assign(({ context, event }) => ({
      result: outputOf(event)?.result ?? null,
      failure: context.unwanted ? context.failure : taskFailure("cancelled", "its assignment was cancelled"),
    })),
    recordCancel: assign({ failure: ({ event }) => taskFailure("cancelled", event.type === "CANCEL" ? event.reason : "it was cancelled") }),
    recordUnwanted: assign({ unwanted: true }),
    withdraw: sendTo("assignment", { type: "CANCEL" }),
    tellDone: enqueueActions(({ context, enqueue }) => {
      for (const id of context.dependents) enqueue.sendTo(actorRef(`task/${id}`), { type: "NEED_DONE", task: context.id });
    }),
    tellFailed: enqueueActions(({ context, enqueue }) => {
      for (const id of context.dependents) enqueue.sendTo(actorRef(`task/${id}`), { type: "NEED_FAILED", task: context.id });
    }),
  },
  delays: { backoff: ({ context }) => context.delayMs ?? 0 },
}).createMachine({
  id: "task",
  version: "1",
  description: "A piece of work that must be done once, within its budget.",
  context: ({ input }) => ({ ...input, assignments: 0, failures: 0, losses: 0, worker: null, delayMs: null, unwanted: false, failure: null, result: null }),
  initial: "waiting",
  on: { ADD_DEPENDENT: { actions: "addDependent" } },
  states: {
    waiting: {
      description: "Waits for the tasks that it needs. No limit of its own: each of those has one.",
      always: { guard: "needsAreDone", target: "queued" },
      on: {
        NEED_DONE: { actions: "strikeNeed" },
        NEED_FAILED: { target: "cancelled", actions: "recordNeedFailure" },
        CANCEL: { target: "cancelled", actions: "recordCancel" },
      },
    },
    queued: {
      description: "Waits for a free slot. No limit of its own: what holds the slots has one.",
      on: { ASSIGN: "active", CANCEL: { target: "cancelled", actions: "recordCancel" } },
    },
    active: {
      description: "A worker has it.",
      entry: "recordWorker",
      exit: "forgetWorker",
      invoke: {
        id: "assignment",
        src: "assignment",
        input: ({ context }) => ({
          worker: context.worker ?? "",
          attempt: context.assignments,
          work: context.work,
          acceptanceTimeoutMs: context.acceptanceTimeoutMs,
          executionTimeoutMs: context.executionTimeoutMs,
        }),
        onDone: [
          { guard: "succeeded", target: "done", actions: "recordSuccess" },
          { guard: "wasCancelled", target: "cancelled", actions: "recordWithdrawal" },
          { guard: "wasNotAccepted", target: "queued", actions: "recordNotAccepted" },
          { guard: "wasInterrupted", target: "queued", actions: "recordInterruption" },
          { guard: "lossBudgetIsSpent", target: "dead", actions: "recordLoss" },
          { guard: "wasLost", target: "queued", actions: "recordLoss" },
          { target: "deciding", actions: "recordFailure" },
        ],
        onError: { target: "dead", actions: "recordCrash" },
      },
      // Once is enough: a second one would only replace the reason.
      on: { CANCEL: { guard: "isWanted", actions: ["recordCancel", "recordUnwanted", "withdraw"] } },
      initial: "assigned",
      states: {
        assigned: { description: "Offered; the assignment gives it back when nobody accepts in time.", on: { ACCEPTED: { guard: "isThisAttempt", target: "running" } } },
        running: { description: "Accepted; the assignment ends it when it takes too long." },
      },
    },
    deciding: {
      description: "An attempt failed: does the budget allow another?",
      always: [{ guard: "retryBudgetRemains", target: "backingOff" }, { target: "dead" }],
    },
    backingOff: {
      description: "Waits before the next attempt.",
      after: { backoff: "queued" },
      on: { CANCEL: { target: "cancelled", actions: "recordCancel" } },
    },
    done: { type: "final", description: "The work was done; its result is kept.", entry: "tellDone" },
    dead: { type: "final", description: "The budget is spent.", entry: "tellFailed" },
    cancelled: { type: "final", description: "It is not wanted any more, or can't be done.", entry: "tellFailed" },
  },
  output: ({ context }) => ({ result: context.result, failure: context.failure }),
});
