import { assign, enqueueActions, sendTo, setup } from "xstate";
import type { Failure } from "../src/domain/json.ts";
import { actorRef } from "../src/domain/reference.ts";
import { addUsage, isRetried, noUsage, type Order, overspent, remainingOf, type Run, type TaskEnvelope, type Usage } from "../src/domain/task.ts";
import type { TaskContext } from "../src/domain/task-life.ts";
import { afterRun, because, expiry, mayBeBegunAgain, pauseAfter, ranInto, refusalsAtOnceMax, succeededTo, taskFailure } from "../src/domain/task-run.ts";
import { failureToldOf, questionToldOf, resultToldOf, totalOf } from "../src/domain/task-told.ts";
import { assignment } from "./assignment.ts";

/**
 * A piece of work that must be done once, by whichever worker, within its budget.
 *
 *   waiting ──its moment, its needs──▶ queued ──ASSIGN──▶ active.assigned ──ACCEPTED──▶ active.running ──▶ deciding
 *   deciding ──▶ done | verifying | parked | queued (no fault of its own) | backingOff | paused | failed, dead, cancelled, expired
 *   parked ──ANSWER──▶ queued      verifying ──VERIFY, grace──▶ done      backingOff ──backoff, RETRY_NOW──▶ queued
 *   waiting, queued, active, backingOff ──PAUSE──▶ paused ──RESUME──▶ waiting
 *   any ──CANCEL──▶ cancelled      any ──EXPIRE, its deadline──▶ expired
 *
 * While a worker has it, an order is noted and the assignment withdrawn: how that ends decides.
 */
export interface TaskInput {
  readonly spec: TaskEnvelope;
  /** Ids of tasks that must be done first and are not yet. */
  readonly needs: ReadonlyArray<string>;
  /** Ids of tasks that need this one: they are told how it ended. */
  readonly dependents: ReadonlyArray<string>;
  /** How long it waits for its moment, and until its deadline; absent: it has none. Milliseconds. */
  readonly startDelayMs?: number;
  readonly deadlineMs?: number;
}

export type { TaskContext } from "../src/domain/task-life.ts";

type Ordered = Order & {
  /** Milliseconds since 1970. */
  readonly at?: number;
};
export type TaskEvent =
  | { readonly type: "NEED_DONE"; readonly task: string }
  | { readonly type: "NEED_FAILED"; readonly task: string }
  | { readonly type: "ADD_DEPENDENT"; readonly task: string }
  /** The same work was submitted again, and it is to wait for the last of a series. */
  | { readonly type: "RESUBMIT"; readonly input: unknown; readonly delayMs: number }
  | { readonly type: "ASSIGN"; readonly worker: string }
  /** What the assignment hears of its worker. */
  | { readonly type: "ACCEPTED"; readonly attempt: number }
  | { readonly type: "PROGRESS"; readonly attempt: number; readonly progress: unknown }
  | { readonly type: "USAGE"; readonly attempt: number; readonly usage: Partial<Usage> }
  | { readonly type: "SESSION"; readonly attempt: number; readonly session: string }
  | (Ordered & { readonly type: "CANCEL" })
  | (Ordered & { readonly type: "EXPIRE" })
  | (Ordered & { readonly type: "PAUSE" })
  | (Ordered & { readonly type: "RESUME" })
  | (Ordered & { readonly type: "RETRY_NOW" })
  | (Ordered & { readonly type: "REPRIORITISE"; readonly priority: number })
  | (Ordered & { readonly type: "ANSWER"; readonly answer: unknown; readonly question?: string })
  | (Ordered & { readonly type: "VERIFY" })
  | (Ordered & { readonly type: "REJECT"; readonly retry?: boolean });

/** What the dispatcher does for this machine. */
export const taskActions = ["removeFolder", "fileArtifact"] as const;

const outputOf = (event: unknown) => (event as { output?: Run }).output;
/** A custom action with parameters; XState's types know none where the actors of a machine are named. */
const act = (enqueue: unknown, type: (typeof taskActions)[number], params: object): void => (enqueue as (action: object) => void)({ type, params });

export const task = setup({
  types: { input: {} as TaskInput, context: {} as TaskContext, events: {} as TaskEvent, children: {} as { assignment: "assignment" } },
  actors: { assignment },
  guards: {
    mustWait: ({ context }) => context.startDelayMs > 0,
    needsRemain: ({ context }) => context.needs.length > 0,
    needsAreDone: ({ context }) => context.needs.length === 0,
    // Nor does it matter that one has failed which it does not need: an earlier task of its id may have needed that.
    failedNeedIsIgnored: ({ context, event }) => context.spec.whenNeedFails === "ignore" || (event.type === "NEED_FAILED" && !context.needs.includes(event.task)),
    isThisAttempt: ({ context, event }) => "attempt" in event && event.attempt === context.assignments,
    exceedsBudget: ({ context, event }) =>
      event.type === "USAGE" &&
      event.attempt === context.assignments &&
      (context.intent === null || context.intent === "pause") &&
      overspent(context.spec.budget, addUsage(context.used, { ...context.using, ...event.usage }), "exceeded") !== undefined,
    isNotCancelled: ({ context }) => context.intent !== "cancel",
    mayExpire: ({ context }) => context.intent === null || context.intent === "pause",
    mayPause: ({ context }) => context.intent === null,
    // An end that was faster than an order wins.
    isDone: ({ context }) => succeededTo(context) === "done",
    isCancelled: ({ context }) => context.intent === "cancel" || (context.intent === null && context.run?.outcome === "cancelled"),
    isExpired: ({ context }) => context.intent === "expire",
    isOverspent: ({ context }) => context.intent === "overspend",
    isToBeVerified: ({ context }) => succeededTo(context) === "verifying",
    asks: ({ context }) => context.run?.outcome === "asked" || succeededTo(context) === "parked",
    saysItFailed: ({ context }) => succeededTo(context) === "failed",
    isPaused: ({ context }) => context.intent === "pause" && mayBeBegunAgain(context),
    isDeclinedOften: ({ context }) => ranInto("notAccepted")({ context }) && context.refusals > refusalsAtOnceMax,
    wasNotBegun: ranInto("notAccepted", "interrupted"),
    lossBudgetIsSpent: ({ context }) => ranInto("lost")({ context }) && context.losses > context.spec.lossesMax,
    wasLost: ranInto("lost"),
    budgetIsSpent: ({ context }) => overspent(context.spec.budget, context.used, "spent") !== undefined,
    isFinal: ({ context }) => context.run !== null && !isRetried(context.spec.retry, context.run as Run),
    retryBudgetRemains: ({ context }) => context.delayMs !== null,
    isThisQuestion: ({ context, event }) => event.type === "ANSWER" && (event.question === undefined || event.question === context.question?.id),
    hasResult: ranInto("succeeded"),
    mayBeRetried: ({ context, event }) => event.type === "REJECT" && event.retry === true && context.run?.outcome === "succeeded",
    receiptSpeaksOfVerification: ({ context }) => context.receipt !== null && context.receipt.verification !== null,
  },
  actions: {
    limitByDeadline: enqueueActions(({ context, event, enqueue }) => {
      const { deadlineMs } = (event as unknown as { input?: TaskInput }).input ?? {};
      if (deadlineMs === undefined || context.spec.deadline === undefined) return;
      enqueue.raise({ type: "EXPIRE", by: "deadline", why: `it was not done by ${new Date(context.spec.deadline).toISOString()}` }, { id: "deadline", delay: deadlineMs });
    }),
    limitByQueue: enqueueActions(({ context, enqueue }) => {
      const { queueTimeoutMs } = context.spec;
      if (queueTimeoutMs !== undefined) enqueue.raise({ type: "EXPIRE", by: "queue", why: `no worker took it within ${queueTimeoutMs} ms` }, { id: "queueTimeout", delay: queueTimeoutMs });
    }),
    leaveQueue: enqueueActions(({ context, enqueue }) => {
      if (context.spec.queueTimeoutMs !== undefined) enqueue.cancel("queueTimeout");
    }),
    recordMoment: assign({ startDelayMs: 0 }),
    strikeNeed: assign({ needs: ({ context, event }) => (event.type === "NEED_DONE" || event.type === "NEED_FAILED" ? context.needs.filter((need) => need !== event.task) : context.needs) }),
    recordNeedFailure: assign({ failure: ({ event }) => taskFailure("need_failed", `the task "${event.type === "NEED_FAILED" ? event.task : "?"}" that it needs was not done`) }),
    addDependent: assign({
      dependents: ({ context, event }) => (event.type === "ADD_DEPENDENT" ? [...context.dependents.filter((id) => id !== event.task), event.task] : context.dependents),
    }),
    recordResubmission: assign(({ context, event }) => (event.type === "RESUBMIT" ? { spec: { ...context.spec, input: event.input }, startDelayMs: event.delayMs } : {})),
    recordPriority: assign({ priority: ({ context, event }) => (event.type === "REPRIORITISE" ? event.priority : context.priority) }),
    beginAttempt: assign(({ context, event }) => {
      if (event.type !== "ASSIGN") return {};
      const assignments = context.assignments + 1;
      const folder = context.folder ?? (context.spec.folder === true ? `${context.spec.id}.${assignments}` : null);
      return { worker: event.worker, assignments, folder, using: noUsage };
    }),
    forgetWorker: assign({ worker: null }),
    recordProgress: assign({ progress: ({ context, event }) => (event.type === "PROGRESS" ? event.progress : context.progress) }),
    recordSession: assign({ session: ({ context, event }) => (event.type === "SESSION" ? event.session : context.session) }),
    recordUsage: assign({ using: ({ context, event }) => (event.type === "USAGE" ? { ...context.using, ...event.usage } : context.using) }),
    intendCancel: assign(({ event }) => ({ intent: "cancel" as const, failure: taskFailure("cancelled", because(event)) })),
    intendExpiry: assign(({ event }) => ({ intent: "expire" as const, failure: expiry(event) })),
    intendPause: assign({ intent: "pause" }),
    recordOverspending: assign(({ context }) => ({
      intent: "overspend" as const,
      failure: taskFailure("budget_exceeded", `it used ${overspent(context.spec.budget, totalOf(context), "exceeded")}`),
    })),
    withdraw: sendTo("assignment", { type: "CANCEL" }),
    recordRun: assign(({ context, event }) => afterRun(context, outputOf(event) as Run)),
    recordCrash: assign(({ event }) => ({ failure: (event as unknown as { error?: Failure }).error ?? taskFailure("failed", "its assignment failed"), delayMs: null })),
    recordSpentBudget: assign(({ context }) => ({ failure: taskFailure("budget_exceeded", `it used ${overspent(context.spec.budget, context.used, "spent")}, and is not done`) })),
    recordAnswer: assign({ answer: ({ event }) => (event.type === "ANSWER" ? event.answer : null) }),
    recordSilence: assign(({ context }) => ({ failure: taskFailure("unanswered", `nobody answered within ${context.spec.answerTimeoutMs} ms: ${context.question?.text ?? ""}`) })),
    askForVerification: assign(({ context }) => ({
      question: {
        id: `${context.assignments}.verify`,
        about: "verification" as const,
        text: context.receipt === null ? "timeout-missing-receipt" : "timeout-unverified",
      },
    })),
    recordVerdict: assign(({ event }) => {
      const { by, why } = event as unknown as Order;
      return { verdict: { by, why, verified: event.type === "VERIFY" }, failure: event.type === "VERIFY" ? null : taskFailure("rejected", because(event)) };
    }),
    countRejection: assign(({ context }) => {
      const failures = context.failures + 1;
      return { run: { outcome: "failed" as const, reported: "error" as const }, session: null, failures, delayMs: pauseAfter(context, failures) };
    }),
    recordCancel: assign(({ event }) => ({ failure: taskFailure("cancelled", because(event)) })),
    recordExpiry: assign(({ event }) => ({ failure: expiry(event) })),
    recordResume: assign(({ context, event }) => {
      const { runAt } = context.spec;
      const at = event.type === "RESUME" ? event.at : undefined;
      return { intent: null, startDelayMs: context.startDelayMs === 0 || runAt === undefined || at === undefined ? 0 : Math.max(0, runAt - at) };
    }),
    forgetIntent: assign({ intent: null }),
    dropFolder: enqueueActions(({ context, enqueue }) => {
      if (context.folder === null) return;
      act(enqueue, "removeFolder", { folder: context.folder });
      enqueue.assign({ folder: null });
    }),
    /** A session that goes on finds its folder. */
    dropFolderOfEndedSession: enqueueActions(({ context, enqueue }) => {
      if (context.folder === null || context.session !== null) return;
      act(enqueue, "removeFolder", { folder: context.folder });
      enqueue.assign({ folder: null });
    }),
    tellDone: enqueueActions(({ context, enqueue }) => {
      for (const id of context.dependents) enqueue.sendTo(actorRef(`task/${id}`), { type: "NEED_DONE", task: context.spec.id });
    }),
    tellFailed: enqueueActions(({ context, enqueue }) => {
      for (const id of context.dependents) enqueue.sendTo(actorRef(`task/${id}`), { type: "NEED_FAILED", task: context.spec.id });
    }),
    deliverResult: enqueueActions(({ context, enqueue }) => {
      const told = resultToldOf(context);
      if (told !== undefined) enqueue.sendTo(told.to, told.event);
    }),
    deliverQuestion: enqueueActions(({ context, enqueue }) => {
      const told = questionToldOf(context);
      if (told !== undefined) enqueue.sendTo(told.to, told.event);
    }),
    fileFailed: enqueueActions(({ context, enqueue }) => {
      const { file, message } = failureToldOf(context, "failed");
      if (file !== undefined) act(enqueue, "fileArtifact", file);
      if (message !== undefined) enqueue.sendTo(message.to, message.event);
    }),
    fileDead: enqueueActions(({ context, enqueue }) => {
      const { file, message } = failureToldOf(context, "dead");
      if (file !== undefined) act(enqueue, "fileArtifact", file);
      if (message !== undefined) enqueue.sendTo(message.to, message.event);
    }),
    fileExpired: enqueueActions(({ context, enqueue }) => {
      const { file, message } = failureToldOf(context, "expired");
      if (file !== undefined) act(enqueue, "fileArtifact", file);
      if (message !== undefined) enqueue.sendTo(message.to, message.event);
    }),
    removeFolder: (_, _params: unknown) => {},
    fileArtifact: (_, _params: unknown) => {},
  },
  delays: {
    untilMoment: ({ context }) => context.startDelayMs,
    backoff: ({ context }) => context.delayMs ?? 0,
    answerTimeout: ({ context }) => context.spec.answerTimeoutMs,
    verificationGrace: ({ context }) => context.spec.verification.graceMs,
  },
}).createMachine({
  id: "task",
  meta: {
    senders: {
      NEED_DONE: "task",
      NEED_FAILED: "task",
      ADD_DEPENDENT: "whoever submits a task that needs it",
      RESUBMIT: "whoever submits it again",
      ASSIGN: "the dispatcher",
      ACCEPTED: "assignment",
      PROGRESS: "its assignment",
      USAGE: "its assignment",
      SESSION: "its assignment",
      CANCEL: "whoever ordered it, or an operator",
      EXPIRE: "an operator",
      PAUSE: "an operator",
      RESUME: "an operator",
      RETRY_NOW: "an operator",
      REPRIORITISE: "an operator",
      ANSWER: "whoever was asked",
      VERIFY: "whoever verifies it",
      REJECT: "whoever verifies it",
    },
  },
  version: "1",
  description: "A piece of work that must be done once, within its budget.",
  context: ({ input }) => ({
    spec: input.spec,
    priority: input.spec.priority,
    needs: input.needs,
    dependents: input.dependents,
    startDelayMs: input.startDelayMs ?? 0,
    assignments: 0,
    failures: 0,
    losses: 0,
    refusals: 0,
    worker: null,
    delayMs: null,
    intent: null,
    session: null,
    folder: null,
    question: null,
    answer: null,
    progress: null,
    used: noUsage,
    using: noUsage,
    run: null,
    receipt: null,
    verdict: null,
    criteriaMet: [],
    failure: null,
    result: null,
  }),
  initial: "waiting",
  entry: "limitByDeadline",
  on: { ADD_DEPENDENT: { actions: "addDependent" }, REPRIORITISE: { actions: "recordPriority" } },
  states: {
    waiting: {
      description: "Its moment has not come, or what it needs is not done.",
      initial: "choosing",
      on: {
        CANCEL: { target: "cancelled", actions: "recordCancel" },
        EXPIRE: { target: "expired", actions: "recordExpiry" },
        PAUSE: "paused",
        NEED_DONE: { actions: "strikeNeed" },
        NEED_FAILED: [
          { guard: "failedNeedIsIgnored", actions: "strikeNeed" },
          { target: "cancelled", actions: "recordNeedFailure" },
        ],
      },
      states: {
        choosing: {
          description: "What does it wait for?",
          always: [{ guard: "mustWait", target: "forMoment" }, { guard: "needsRemain", target: "forNeeds" }, { target: "#task.queued" }],
        },
        forMoment: {
          description: "It is not to be begun yet.",
          on: { RESUBMIT: { target: "forMoment", reenter: true, actions: "recordResubmission" } },
          after: { untilMoment: { target: "choosing", actions: "recordMoment" } },
        },
        forNeeds: {
          description: "Waits for the tasks that it needs. No limit of its own: each of those has one.",
          always: { guard: "needsAreDone", target: "#task.queued" },
        },
      },
    },
    queued: {
      description: "Waits for a free slot. No limit but the queue time-out and the deadline that it may have: what holds the slots has one.",
      entry: "limitByQueue",
      exit: "leaveQueue",
      on: {
        ASSIGN: "active",
        CANCEL: { target: "cancelled", actions: "recordCancel" },
        EXPIRE: { target: "expired", actions: "recordExpiry" },
        PAUSE: "paused",
      },
    },
    active: {
      description: "A worker has it.",
      entry: "beginAttempt",
      exit: "forgetWorker",
      invoke: {
        id: "assignment",
        src: "assignment",
        input: ({ context }) => {
          const { spec } = context;
          const budget = remainingOf(spec.budget, context.used);
          const executionTimeoutMs = Math.max(1, Math.min(spec.executionTimeoutMs, budget.wallMs ?? spec.executionTimeoutMs));
          return {
            worker: context.worker ?? "",
            attempt: context.assignments,
            slots: spec.slots,
            work: {
              task: spec.id,
              kind: spec.kind,
              input: spec.input,
              needs: spec.needs,
              budget,
              executionTimeoutMs,
              session: context.session,
              question: context.question,
              answer: context.answer,
              folder: context.folder,
              ...(spec.traceparent === undefined ? {} : { traceparent: spec.traceparent }),
            },
            acceptanceTimeoutMs: spec.acceptanceTimeoutMs,
            executionTimeoutMs,
            heartbeatTimeoutMs: spec.heartbeatTimeoutMs ?? null,
          };
        },
        onDone: { target: "deciding", actions: "recordRun" },
        onError: { target: "dead", actions: "recordCrash" },
      },
      on: {
        // Once is enough: a second one would only replace the reason.
        CANCEL: { guard: "isNotCancelled", actions: ["intendCancel", "withdraw"] },
        EXPIRE: { guard: "mayExpire", actions: ["intendExpiry", "withdraw"] },
        PAUSE: { guard: "mayPause", actions: ["intendPause", "withdraw"] },
        PROGRESS: { guard: "isThisAttempt", actions: "recordProgress" },
        SESSION: { guard: "isThisAttempt", actions: "recordSession" },
        USAGE: [
          { guard: "exceedsBudget", actions: ["recordUsage", "recordOverspending", "withdraw"] },
          { guard: "isThisAttempt", actions: "recordUsage" },
        ],
      },
      initial: "assigned",
      states: {
        assigned: { description: "Offered; the assignment gives it back when nobody accepts in time.", on: { ACCEPTED: { guard: "isThisAttempt", target: "running" } } },
        running: { description: "Accepted; the assignment ends it when it takes too long." },
      },
    },
    deciding: {
      description: "An attempt is over: what now?",
      always: [
        { guard: "isDone", target: "done" },
        { guard: "isCancelled", target: "cancelled" },
        { guard: "isExpired", target: "expired" },
        { guard: "isOverspent", target: "failed" },
        { guard: "isToBeVerified", target: "verifying" },
        { guard: "asks", target: "parked" },
        { guard: "saysItFailed", target: "failed" },
        { guard: "lossBudgetIsSpent", target: "dead" },
        { guard: "isPaused", target: "paused" },
        { guard: "isDeclinedOften", target: "backingOff" },
        { guard: "wasNotBegun", target: "queued", actions: "dropFolderOfEndedSession" },
        { guard: "wasLost", target: "queued", actions: "dropFolderOfEndedSession" },
        { guard: "isFinal", target: "failed" },
        { guard: "budgetIsSpent", target: "failed", actions: "recordSpentBudget" },
        { guard: "retryBudgetRemains", target: "backingOff" },
        { target: "dead" },
      ],
    },
    parked: {
      description: "It waits for an answer. No worker has it.",
      entry: ["forgetIntent", "deliverQuestion"],
      on: {
        ANSWER: { guard: "isThisQuestion", target: "queued", actions: "recordAnswer" },
        // Nobody verified in time, or its worker says that it is blocked: somebody may decide all the same.
        VERIFY: { guard: "hasResult", target: "done", actions: "recordVerdict" },
        REJECT: [
          { guard: "mayBeRetried", target: "deciding", actions: ["recordVerdict", "countRejection"] },
          { guard: "hasResult", target: "failed", actions: "recordVerdict" },
        ],
        CANCEL: { target: "cancelled", actions: "recordCancel" },
        EXPIRE: { target: "expired", actions: "recordExpiry" },
      },
      after: { answerTimeout: { target: "failed", actions: "recordSilence" } },
    },
    verifying: {
      description: "Its worker says that it is done; somebody is to look.",
      entry: "forgetIntent",
      on: {
        VERIFY: { target: "done", actions: "recordVerdict" },
        REJECT: [
          { guard: "mayBeRetried", target: "deciding", actions: ["recordVerdict", "countRejection"] },
          { target: "failed", actions: "recordVerdict" },
        ],
        CANCEL: { target: "cancelled", actions: "recordCancel" },
        EXPIRE: { target: "expired", actions: "recordExpiry" },
      },
      after: {
        verificationGrace: [
          { guard: "receiptSpeaksOfVerification", target: "done" },
          { target: "parked", actions: "askForVerification" },
        ],
      },
    },
    backingOff: {
      description: "Waits before the next attempt.",
      entry: "dropFolder",
      after: { backoff: "queued" },
      on: {
        RETRY_NOW: "queued",
        CANCEL: { target: "cancelled", actions: "recordCancel" },
        EXPIRE: { target: "expired", actions: "recordExpiry" },
        PAUSE: "paused",
      },
    },
    paused: {
      description: "Somebody set it aside. No limit: somebody resumes or cancels it; its deadline goes on.",
      entry: "dropFolderOfEndedSession",
      on: {
        RESUME: { target: "waiting", actions: "recordResume" },
        CANCEL: { target: "cancelled", actions: "recordCancel" },
        EXPIRE: { target: "expired", actions: "recordExpiry" },
        NEED_DONE: { actions: "strikeNeed" },
        NEED_FAILED: [
          { guard: "failedNeedIsIgnored", actions: "strikeNeed" },
          { target: "cancelled", actions: "recordNeedFailure" },
        ],
      },
    },
    done: { type: "final", description: "The work was done; its result is kept.", entry: ["dropFolder", "tellDone", "deliverResult"] },
    failed: {
      type: "final",
      description: "It came to an end that is not tried again.",
      entry: ["dropFolder", "tellFailed", "fileFailed"],
    },
    dead: { type: "final", description: "The budget of its retries is spent.", entry: ["dropFolder", "tellFailed", "fileDead"] },
    cancelled: { type: "final", description: "It is not wanted any more, or can't be done. Nobody is told but those that need it.", entry: ["dropFolder", "tellFailed"] },
    expired: { type: "final", description: "Its time was over.", entry: ["dropFolder", "tellFailed", "fileExpired"] },
  },
  output: ({ context }) => ({ result: context.result, failure: context.failure }),
});
