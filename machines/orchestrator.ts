import { type AnyActorRef, assign, enqueueActions, sendTo, setup } from "xstate";
import { childId } from "../src/domain/address.ts";
import { type BlockedCalls, type DelegationPolicy, permit } from "../src/domain/delegation.ts";
import type { Failure } from "../src/domain/json.ts";
import { actorRef } from "../src/domain/reference.ts";
import { emptySummary, type FailurePicture, isOver, moved, pictureKey, type StatusSummary, type SummaryState, summaryStateOf, withFailure } from "../src/domain/status-summary.ts";
import { type SentLately, suppress } from "../src/domain/suppression.ts";
import { bulletin } from "./bulletin.ts";

/**
 * An orchestrator: works for one requester, and supervises the tasks that it submits for it.
 *
 *   binding ──BOUND──▶ supervising.idle ⇄ supervising.busy          binding ──REFUSED, bindingTimeout──▶ refused
 *   supervising.idle ──idleTimeout──▶ retired              binding, supervising ──END, REQUESTER_ENDED──▶ retired
 *
 * When it retires, what it supervises is cancelled in the same transaction: nothing goes on without somebody to report to.
 */
export interface OrchestratorInput {
  /** The address of its requester. */
  readonly requester: string;
  /** The address of the outbox that delivers what it says; absent: it is emitted. */
  readonly outbox?: string;
  /** Without anything to do for so long it retires. Milliseconds. */
  readonly idleMs: number;
  /** The pause between two status summaries. Milliseconds. */
  readonly statusEveryMs: number;
  /** Tasks that it may supervise at a time. */
  readonly tasksMax: number;
}

/** A task that has not ended, as it was last heard of. */
interface Supervised {
  readonly state: string;
  /** When it came to that state, in milliseconds since 1970; 0 until it was heard of. */
  readonly at: number;
}

export interface OrchestratorContext {
  readonly requester: string;
  readonly outbox: string | null;
  readonly idleMs: number;
  readonly statusEveryMs: number;
  readonly tasksMax: number;
  /** Tasks that have not ended, by id. Invariant: none of them is over. */
  readonly tasks: Readonly<Record<string, Supervised>>;
  /** The latest tasks that have ended: what is said of them again changes nothing. */
  readonly ended: ReadonlyArray<string>;
  /** Invariant: its counts of what is not over are those of `tasks`. */
  readonly summary: StatusSummary;
  readonly picture: FailurePicture;
  readonly sent: SentLately;
  readonly blocked: BlockedCalls;
  /** Why it is not there any more. */
  readonly reason: string | null;
  /** Who has the requester instead. */
  readonly other: string | null;
  /** Retries that were waiting when it retired. */
  readonly droppedRetries: ReadonlyArray<string>;
}

export type OrchestratorEvent =
  | { readonly type: "BOUND" }
  | { readonly type: "REFUSED"; readonly other: string }
  /** Somebody wants to submit so many tasks. Answered with WORK: whether there is room. */
  | { readonly type: "ORDER_WORK"; readonly count: number; readonly replyTo?: AnyActorRef }
  /** These tasks are now its own. */
  | { readonly type: "TRACK"; readonly tasks: ReadonlyArray<string> }
  | { readonly type: "TASK_MOVED"; readonly task: string; readonly state: string; readonly at: number; readonly failure?: Pick<Failure, "code" | "message"> }
  /** Something is to be said. Answered with SAID: whether it was held back as a repetition. */
  | { readonly type: "SAY"; readonly target: string; readonly key: string; readonly messageType: string; readonly payload: unknown; readonly at: number; readonly replyTo?: AnyActorRef }
  /** May it call this tool itself? Answered with PERMISSION. */
  | { readonly type: "CALL_TOOL"; readonly policy: DelegationPolicy; readonly run: string; readonly tool: string; readonly input?: unknown; readonly replyTo?: AnyActorRef }
  /** Its session has ended. */
  | { readonly type: "END"; readonly by: string; readonly why: string }
  | { readonly type: "REQUESTER_ENDED"; readonly by: string; readonly why: string };

type Emitted = { readonly type: "orchestrator.message" | "orchestrator.incident" | "orchestrator.retired"; readonly key: string; readonly payload: unknown };

/** Ended tasks that are remembered. */
const endedMax = 200;

const idOf = (self: { readonly sessionId: string }): string => childId(self.sessionId);
const failing: ReadonlySet<SummaryState> = new Set(["failed", "dead"]);

/** What is said goes to the outbox, in the order in which it was said, or is emitted where there is none. */
const say = (
  {
    context,
    enqueue,
    self,
  }: { context: OrchestratorContext; enqueue: { sendTo: (to: AnyActorRef, event: { type: string; entries: unknown }) => void; emit: (event: Emitted) => void }; self: { readonly sessionId: string } },
  type: Emitted["type"],
  key: string,
  payload: unknown,
  messageType: string = type,
) => {
  if (context.outbox === null) enqueue.emit({ type, key, payload });
  else enqueue.sendTo(actorRef(context.outbox), { type: "ENQUEUE", entries: [{ key, type: messageType, lane: idOf(self), payload }] });
};

export const orchestrator = setup({
  types: {
    input: {} as OrchestratorInput,
    context: {} as OrchestratorContext,
    events: {} as OrchestratorEvent,
    emitted: {} as Emitted,
    children: {} as { bulletin: "bulletin" },
  },
  actors: { bulletin },
  guards: {
    isSupervised: ({ context, event }) => event.type === "TASK_MOVED" && event.at >= (context.tasks[event.task]?.at ?? Number.POSITIVE_INFINITY),
    isNew: ({ context, event }) => event.type === "TRACK" && event.tasks.some((task) => !(task in context.tasks) && !context.ended.includes(task)),
    hasTasks: ({ context }) => Object.keys(context.tasks).length > 0,
  },
  actions: {
    askRequester: sendTo(
      ({ context }) => actorRef(context.requester),
      ({ self }) => ({ type: "BIND", orchestrator: self.sessionId }),
    ),
    recordOther: assign(({ event }) => (event.type === "REFUSED" ? { other: event.other, reason: `its requester has another orchestrator, ${childId(event.other)}` } : {})),
    /** Its requester may still hear of the binding: it must not be bound to one that is over. */
    unbind: sendTo(
      ({ context }) => actorRef(context.requester),
      ({ self }) => ({ type: "UNBIND", orchestrator: self.sessionId }),
    ),
    recordSilence: assign({ reason: "its requester did not answer" }),
    answerWork: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== "ORDER_WORK" || event.replyTo === undefined) return;
      enqueue.sendTo(event.replyTo, { type: "WORK", hasRoom: Object.keys(context.tasks).length + event.count <= context.tasksMax });
    }),
    track: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== "TRACK") return;
      const fresh = event.tasks.filter((task) => !(task in context.tasks) && !context.ended.includes(task));
      const tasks = { ...context.tasks, ...Object.fromEntries(fresh.map((task) => [task, { state: "waiting", at: 0 }])) };
      const summary = { ...context.summary, queued: context.summary.queued + Object.keys(tasks).length - Object.keys(context.tasks).length };
      enqueue.assign({ tasks, summary });
      enqueue.sendTo("bulletin", { type: "COUNTS", summary });
    }),
    recordMove: enqueueActions((args) => {
      const { context, event, enqueue, self } = args;
      if (event.type !== "TASK_MOVED") return;
      const { task, state, at, failure } = event;
      const from = summaryStateOf(context.tasks[task]?.state ?? "waiting");
      const now = summaryStateOf(state);
      const summary = moved(context.summary, from, now);
      const { [task]: _, ...others } = context.tasks;
      enqueue.assign({ summary, tasks: isOver(now) ? others : { ...others, [task]: { state, at } }, ended: isOver(now) ? [...context.ended, task].slice(-endedMax) : context.ended });
      enqueue.sendTo("bulletin", { type: "COUNTS", summary });
      if (!failing.has(now)) return;
      const picture = withFailure(context.picture, now, failure?.code ?? "unknown");
      enqueue.assign({ picture });
      say(args as never, "orchestrator.incident", `incident:${idOf(self)}:${pictureKey(picture)}`, {
        orchestrator: idOf(self),
        requester: childId(context.requester),
        task,
        state,
        failure: failure ?? null,
        picture,
      });
    }),
    sayOnce: enqueueActions((args) => {
      const { context, event, enqueue, self } = args;
      if (event.type !== "SAY") return;
      const { target, key, messageType, payload, at, replyTo } = event;
      const { isSuppressed, sent } = suppress(context.sent, { target, key, at });
      enqueue.assign({ sent });
      if (!isSuppressed) say(args as never, "orchestrator.message", `${idOf(self)}:${target}:${key}:${at}`, { orchestrator: idOf(self), target, type: messageType, payload }, messageType);
      if (replyTo !== undefined) enqueue.sendTo(replyTo, { type: "SAID", suppressed: isSuppressed });
    }),
    permitCall: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== "CALL_TOOL") return;
      const { policy, run, tool, input, replyTo } = event;
      const { answer, calls } = permit(policy, context.blocked, { role: "orchestrator", run, tool, input });
      enqueue.assign({ blocked: calls });
      if (replyTo !== undefined) enqueue.sendTo(replyTo, { type: "PERMISSION", ...answer });
    }),
    recordIdleness: assign({ reason: ({ context }) => `it had nothing to do for ${context.idleMs} ms` }),
    recordEnd: assign(({ event }) => (event.type === "END" ? { reason: `its session has ended: ${event.why} (${event.by})` } : {})),
    recordRequesterEnd: assign(({ event }) => (event.type === "REQUESTER_ENDED" ? { reason: `its requester's session has ended: ${event.why} (${event.by})` } : {})),
    retire: enqueueActions((args) => {
      const { context, enqueue, self } = args;
      const { tasks, requester, summary, reason } = context;
      const cancelled = Object.keys(tasks);
      const droppedRetries = cancelled.filter((task) => tasks[task]?.state === "backingOff");
      for (const task of cancelled) enqueue.sendTo(actorRef(`task/${task}`), { type: "CANCEL", by: self.sessionId, why: `its orchestrator retired: ${reason ?? ""}` });
      enqueue.sendTo(actorRef(requester), { type: "UNBIND", orchestrator: self.sessionId });
      say(args as never, "orchestrator.retired", `retired:${idOf(self)}`, { orchestrator: idOf(self), requester: childId(requester), reason, cancelled, droppedRetries, summary });
      enqueue.assign({ tasks: {}, droppedRetries });
    }),
  },
  delays: {
    // The requester answers in the same turn; one that is damaged never does.
    bindingTimeout: 60_000,
    idleTimeout: ({ context }) => context.idleMs,
  },
}).createMachine({
  id: "orchestrator",
  meta: {
    senders: {
      BOUND: "requester",
      REFUSED: "requester",
      REQUESTER_ENDED: "requester",
      ORDER_WORK: "its agent",
      TRACK: "the host, for its agent",
      TASK_MOVED: "its tasks, by the host",
      SAY: "its agent",
      CALL_TOOL: "its agent",
      END: "its host",
    },
  },
  version: "1",
  description: "Works for one requester, and supervises the tasks that it submits for it.",
  context: ({ input }) => ({
    requester: input.requester,
    outbox: input.outbox ?? null,
    idleMs: input.idleMs,
    statusEveryMs: input.statusEveryMs,
    tasksMax: input.tasksMax,
    tasks: {},
    ended: [],
    summary: emptySummary,
    picture: {},
    sent: [],
    blocked: [],
    reason: null,
    other: null,
    droppedRetries: [],
  }),
  initial: "binding",
  states: {
    binding: {
      // What comes before it is bound is refused or kept, as its options say.
      description: "Its requester has to agree: it may have another one.",
      entry: "askRequester",
      on: {
        BOUND: "supervising",
        REFUSED: { target: "refused", actions: "recordOther" },
        END: { target: "retired", actions: "recordEnd" },
        REQUESTER_ENDED: { target: "retired", actions: "recordRequesterEnd" },
      },
      after: { bindingTimeout: { target: "refused", actions: ["recordSilence", "unbind"] } },
    },
    supervising: {
      description: "It works for its requester.",
      invoke: {
        id: "bulletin",
        src: "bulletin",
        input: ({ context, self }) => ({
          orchestrator: idOf(self),
          requester: childId(context.requester),
          everyMs: context.statusEveryMs,
          ...(context.outbox === null ? {} : { outbox: context.outbox }),
        }),
        // Whatever ends it: another one takes its place.
        onDone: { target: "supervising", reenter: true },
        onError: { target: "supervising", reenter: true },
      },
      initial: "choosing",
      on: {
        TRACK: { guard: "isNew", target: ".choosing", actions: "track" },
        TASK_MOVED: { guard: "isSupervised", target: ".choosing", actions: "recordMove" },
        // Whoever speaks is not idle.
        ORDER_WORK: { target: ".choosing", actions: "answerWork" },
        SAY: { target: ".choosing", actions: "sayOnce" },
        CALL_TOOL: { target: ".choosing", actions: "permitCall" },
        END: { target: "retired", actions: "recordEnd" },
        REQUESTER_ENDED: { target: "retired", actions: "recordRequesterEnd" },
      },
      states: {
        choosing: { description: "Is there something to supervise?", always: [{ guard: "hasTasks", target: "busy" }, { target: "idle" }] },
        idle: { description: "It has nothing to do.", after: { idleTimeout: { target: "#orchestrator.retired", actions: "recordIdleness" } } },
        busy: { description: "It supervises tasks. No limit of its own: each of them has limits." },
      },
    },
    // What is told of its tasks from now on finds it ended: they were cancelled.
    retired: { type: "final", description: "It is over, and refuses work.", entry: "retire" },
    refused: { type: "final", description: "Its requester has another one." },
  },
});
