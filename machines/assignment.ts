import { assign, enqueueActions, sendParent, setup } from "xstate";
import type { Failure } from "../src/domain/json.ts";
import { actorRef } from "../src/domain/reference.ts";
import type { Question, Run, RunOutcome, TaskReceipt, Usage, Work } from "../src/domain/task.ts";

/**
 * One attempt of a task on one worker, from the offer to the end. Not accepted is not failed: an attempt that no
 * worker began costs no retry.
 *
 *   requesting ──TAKEN──▶ offered ──ACCEPTED──▶ running ──ENDED, QUESTION──▶ ended
 *   requesting, offered ──DECLINED, acceptanceTimeout, WORKER_LOST──▶ ended (notAccepted)
 *   running ──executionTimeout, SILENT, CANCEL──▶ stopping ──ENDED, killGrace──▶ ended (timedOut, cancelled)
 *   running ──WORKER_LOST──▶ ended (lost, interrupted)
 *
 * What it hears of another attempt, or of another life of its worker, is too late: recorded, and not applied.
 */
export interface AssignmentInput {
  readonly worker: string;
  /** Counted by the task; a report of another attempt comes too late. */
  readonly attempt: number;
  /** Slots that it takes there. */
  readonly slots: number;
  /** What the worker is given. */
  readonly work: Work;
  readonly acceptanceTimeoutMs: number;
  readonly executionTimeoutMs: number;
  /** Silence after which it counts as timed out; null: it may be silent. */
  readonly heartbeatTimeoutMs: number | null;
}

export interface AssignmentContext extends AssignmentInput {
  /** The life of the worker that has the slot. */
  readonly incarnation: number | null;
  /** How that is reached. */
  readonly transport: string | null;
  /** When it was accepted, in milliseconds since 1970, as far as somebody said so. */
  readonly acceptedAt: number | null;
  readonly outcome: Run["outcome"] | null;
  readonly reported: RunOutcome | null;
  readonly result: unknown;
  readonly failure: Failure | null;
  readonly receipt: TaskReceipt | null;
  readonly usage: Partial<Usage> | null;
  readonly question: Question | null;
  readonly criteriaMet: ReadonlyArray<string>;
}

/** Why a worker is lost to its assignments: by itself, because the engine crashed, or because it was closed. */
export type LossCause = "worker" | "engineStarted" | "engineStopped";

/** Of which attempt it is, in which life of its worker, and when it was heard. */
type Told = {
  readonly attempt: number;
  readonly incarnation?: number;
  readonly at?: number;
};
export type AssignmentEvent =
  /** The worker has a slot for it, in the life with this incarnation. */
  | (Told & { readonly type: "TAKEN"; readonly transport?: string })
  | (Told & { readonly type: "ACCEPTED" })
  | (Told & { readonly type: "DECLINED"; readonly reason?: string })
  | (Told & { readonly type: "HEARTBEAT" })
  | (Told & { readonly type: "PROGRESS"; readonly progress: unknown })
  | (Told & { readonly type: "USAGE"; readonly usage: Partial<Usage> })
  | (Told & { readonly type: "SESSION"; readonly session: string })
  | (Told & { readonly type: "QUESTION"; readonly question: { readonly id?: string; readonly text: string; readonly data?: unknown } })
  | (Told & {
      readonly type: "ENDED";
      readonly outcome: RunOutcome;
      readonly result?: unknown;
      readonly failure?: Failure;
      readonly receipt?: TaskReceipt;
      readonly usage?: Partial<Usage>;
      readonly criteriaMet?: ReadonlyArray<string>;
    })
  | { readonly type: "WORKER_LOST"; readonly reason: string; readonly cause: LossCause }
  /** It has said nothing for too long. */
  | { readonly type: "SILENT" }
  | { readonly type: "CANCEL" };

/** What the dispatcher does for this machine. */
export const assignmentActions = ["offer", "revoke"] as const;

const failure = (code: string, message: string): Failure => ({ name: "AssignmentFailed", code, message });

/** For no other life of the worker than the one that has the slot: a later one may be there when the offer goes out. */
const toOffer = ({ context: { worker, attempt, work }, event }: { context: AssignmentContext; event: AssignmentEvent }) => ({
  worker,
  attempt,
  work,
  ...(event.type === "TAKEN" && event.incarnation !== undefined ? { incarnation: event.incarnation } : {}),
  ...(event.type === "TAKEN" && event.transport !== undefined ? { transport: event.transport } : {}),
});
const revocation = ({ worker, attempt, incarnation, transport }: AssignmentContext, force: boolean) => ({
  worker,
  attempt,
  force,
  ...(incarnation === null ? {} : { incarnation }),
  ...(transport === null ? {} : { transport }),
});
const politely = ({ context }: { context: AssignmentContext }) => revocation(context, false);
const byForce = ({ context }: { context: AssignmentContext }) => revocation(context, true);

const isOurs = ({ attempt, incarnation }: AssignmentContext, event: AssignmentEvent): boolean =>
  "attempt" in event && event.attempt === attempt && (event.type === "TAKEN" || event.incarnation === undefined || incarnation === null || event.incarnation === incarnation);
/** What the worker said it used, with the time that passed where nobody says otherwise. */
const usageOf = ({ acceptedAt, usage }: AssignmentContext, event: AssignmentEvent): Partial<Usage> | null => {
  const said = event.type === "ENDED" ? event.usage : undefined;
  const wallMs = acceptedAt !== null && "at" in event && event.at !== undefined ? { wallMs: Math.max(0, event.at - acceptedAt) } : {};
  const all = { ...wallMs, ...usage, ...said };
  return Object.keys(all).length === 0 ? null : all;
};

export const assignment = setup({
  types: { input: {} as AssignmentInput, context: {} as AssignmentContext, events: {} as AssignmentEvent, output: {} as Run },
  guards: {
    isThisAttempt: ({ context, event }) => isOurs(context, event),
    endedWell: ({ context, event }) => event.type === "ENDED" && event.outcome === "ok" && isOurs(context, event),
    engineWasStopped: ({ event }) => event.type === "WORKER_LOST" && event.cause === "engineStopped",
    // The engine was away, so the time-out may have passed with nobody working: the attempt was cut short by the crash.
    timedOutUnseen: ({ context, event }) => event.type === "WORKER_LOST" && event.cause === "engineStarted" && context.outcome === "timedOut",
  },
  actions: {
    offer: () => {},
    revoke: () => {},
    takeSlot: enqueueActions(({ context, self, enqueue }) => {
      enqueue.sendTo(actorRef(context.worker), { type: "TAKE", assignment: self.sessionId, attempt: context.attempt, slots: context.slots });
    }),
    freeSlot: enqueueActions(({ context, self, enqueue }) => {
      enqueue.sendTo(actorRef(context.worker), { type: "RELEASE", assignment: self.sessionId });
    }),
    reportSilence: enqueueActions(({ context, self, enqueue }) => {
      enqueue.sendTo(actorRef(context.worker), { type: "UNANSWERED", assignment: self.sessionId });
    }),
    recordSlot: assign(({ event }) => (event.type === "TAKEN" ? { incarnation: event.incarnation ?? null, transport: event.transport ?? null } : {})),
    recordAcceptance: assign({ acceptedAt: ({ event }) => ("at" in event ? (event.at ?? null) : null) }),
    reportAcceptance: sendParent(({ context }) => ({ type: "ACCEPTED", attempt: context.attempt })),
    passOn: sendParent(({ event }) => {
      const { incarnation: _, at: __, ...report } = event as Told & { readonly type: string };
      return report;
    }),
    recordUsage: assign({ usage: ({ context, event }) => (event.type === "USAGE" ? { ...context.usage, ...event.usage } : context.usage) }),
    // Each sign of life sets it anew.
    watchSilence: enqueueActions(({ context, enqueue }) => {
      if (context.heartbeatTimeoutMs !== null) enqueue.raise({ type: "SILENT" }, { id: "silence", delay: context.heartbeatTimeoutMs });
    }),
    stopWatching: enqueueActions(({ context, enqueue }) => {
      if (context.heartbeatTimeoutMs !== null) enqueue.cancel("silence");
    }),
    recordQuestion: assign(({ context, event }) => {
      if (event.type !== "QUESTION") return {};
      const { id = String(context.attempt), ...question } = event.question;
      return { outcome: "asked" as const, question: { ...question, id, about: "input" as const }, usage: usageOf(context, event) };
    }),
    recordSuccess: assign(({ context, event }) => (event.type === "ENDED" ? { outcome: "succeeded" as const, ...said(context, event) } : {})),
    recordFailure: assign(({ context, event }) =>
      event.type === "ENDED" ? { outcome: "failed" as const, ...said(context, event), failure: event.failure ?? failure("failed", "the work failed without a reason") } : {},
    ),
    recordResult: assign(({ context, event }) => (event.type === "ENDED" ? said(context, event) : { usage: usageOf(context, event) })),
    recordTimeout: assign(({ context, event }) =>
      event.type === "SILENT"
        ? { outcome: "timedOut" as const, failure: failure("heartbeat_timeout", `it said nothing for ${context.heartbeatTimeoutMs} ms`) }
        : {
            outcome: "timedOut" as const,
            usage: { ...context.usage, wallMs: context.executionTimeoutMs },
            failure: failure("execution_timeout", `it did not end within ${context.executionTimeoutMs} ms`),
          },
    ),
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
  meta: {
    resources: {
      slot: {
        takenBy: "takeSlot",
        givenBackBy: "freeSlot",
        whenStopped: "its task waits for its end and never stops it; where a supervisor gives it or its task up, the dispatcher ends the work by force and gives the slot back in its name",
      },
    },
    senders: {
      TAKEN: "worker",
      WORKER_LOST: "worker",
      CANCEL: "task",
      ACCEPTED: "its worker's process",
      DECLINED: "its worker, or that one's process",
      ENDED: "its worker's process",
      HEARTBEAT: "its worker's process",
      PROGRESS: "its worker's process",
      USAGE: "its worker's process",
      SESSION: "its worker's process",
      QUESTION: "its worker's process",
      SILENT: "itself",
    },
  },
  version: "1",
  description: "One attempt of a task on one worker.",
  context: ({ input }) => ({
    ...input,
    incarnation: null,
    transport: null,
    acceptedAt: null,
    outcome: null,
    reported: null,
    result: null,
    failure: null,
    receipt: null,
    usage: null,
    question: null,
    criteriaMet: [],
  }),
  initial: "requesting",
  states: {
    requesting: {
      description: "Asks its worker for a slot. The answer comes within the same turn; from a worker that is not there it never comes.",
      entry: "takeSlot",
      on: {
        TAKEN: { guard: "isThisAttempt", target: "offered", actions: "recordSlot" },
        DECLINED: { guard: "isThisAttempt", target: "ended", actions: "recordNotAccepted" },
        CANCEL: { target: "ended", actions: "recordCancel" },
      },
      after: { acceptanceTimeout: { target: "ended", actions: "recordNotAccepted" } },
    },
    offered: {
      description: "The worker was asked and has not answered.",
      entry: { type: "offer", params: toOffer },
      on: {
        ACCEPTED: { guard: "isThisAttempt", target: "running", actions: ["recordAcceptance", "reportAcceptance"] },
        DECLINED: { guard: "isThisAttempt", target: "ended", actions: "recordNotAccepted" },
        // A very short piece of work may end before its acceptance was heard of.
        ENDED: [
          { guard: "endedWell", target: "ended", actions: "recordSuccess" },
          { guard: "isThisAttempt", target: "ended", actions: "recordFailure" },
        ],
        QUESTION: { guard: "isThisAttempt", target: "ended", actions: "recordQuestion" },
        WORKER_LOST: { target: "ended", actions: "recordNotAccepted" },
        CANCEL: { target: "stopping", actions: "recordCancel" },
      },
      // A worker that says nothing may still begin later, beside whoever has the work by then: it is replaced.
      after: { acceptanceTimeout: { target: "ended", actions: ["recordNotAccepted", { type: "revoke", params: byForce }, "reportSilence"] } },
    },
    running: {
      description: "The worker accepted and works.",
      entry: "watchSilence",
      exit: "stopWatching",
      on: {
        HEARTBEAT: { guard: "isThisAttempt", actions: "watchSilence" },
        PROGRESS: { guard: "isThisAttempt", actions: ["passOn", "watchSilence"] },
        USAGE: { guard: "isThisAttempt", actions: ["recordUsage", "passOn", "watchSilence"] },
        SESSION: { guard: "isThisAttempt", actions: ["passOn", "watchSilence"] },
        QUESTION: { guard: "isThisAttempt", target: "ended", actions: "recordQuestion" },
        ENDED: [
          { guard: "endedWell", target: "ended", actions: "recordSuccess" },
          { guard: "isThisAttempt", target: "ended", actions: "recordFailure" },
        ],
        WORKER_LOST: [
          { guard: "engineWasStopped", target: "ended", actions: "recordInterruption" },
          { target: "ended", actions: "recordLoss" },
        ],
        SILENT: { target: "stopping", actions: "recordTimeout" },
        CANCEL: { target: "stopping", actions: "recordCancel" },
      },
      after: { executionTimeout: { target: "stopping", actions: "recordTimeout" } },
    },
    stopping: {
      description: "The worker was asked to end the work; after a grace it is ended by force. The slot is held meanwhile.",
      entry: { type: "revoke", params: politely },
      on: {
        // What it used counts, whatever becomes of it.
        USAGE: { guard: "isThisAttempt", actions: "recordUsage" },
        SESSION: { guard: "isThisAttempt", actions: "passOn" },
        QUESTION: { guard: "isThisAttempt", target: "ended", actions: "recordResult" },
        ENDED: { guard: "isThisAttempt", target: "ended", actions: "recordResult" },
        WORKER_LOST: [{ guard: "timedOutUnseen", target: "ended", actions: "recordLoss" }, { target: "ended" }],
        // It timed out and is not wanted any more: no other attempt follows.
        CANCEL: { actions: "recordCancel" },
      },
      after: { killGrace: { target: "ended", actions: { type: "revoke", params: byForce } } },
    },
    ended: { type: "final", description: "The outcome was reported to the task, the slot is free.", entry: "freeSlot" },
  },
  output: ({ context: { outcome, reported, result, failure: reason, receipt, usage, question, criteriaMet } }): Run => ({
    outcome: outcome ?? "lost",
    reported,
    result,
    failure: reason,
    receipt,
    usage,
    question,
    criteriaMet,
  }),
});

/** What the worker said at its end. */
function said(context: AssignmentContext, event: Extract<AssignmentEvent, { type: "ENDED" }>) {
  const { outcome, result = null, receipt = null, criteriaMet = [] } = event;
  return { reported: outcome, result, receipt, criteriaMet, usage: usageOf(context, event) };
}
