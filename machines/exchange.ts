import { assign, enqueueActions, fromPromise, sendParent, setup } from "xstate";
import type { AssignmentState, ExchangePolicy, RefusalCode, Reply, ReplyResult } from "../src/domain/exchange.ts";
import type { HoldReason, IncomingMessage } from "../src/domain/incoming.ts";
import { actorRef } from "../src/domain/reference.ts";

/**
 * One assignment of a message to an endpoint, from the offer to the reply. Until it is accepted the message can go back
 * to the inbox; after that it is never given to another, and is answered at most once.
 *
 *   requesting ──TAKEN──▶ offered ──ACCEPT──▶ held ──REPLY──▶ replyRequested ──delivered──▶ over.replySent
 *   requesting ──DECLINED──▶ declined            ▲                 ├──refused, retry──▶ held
 *   offered ──LOST, REFUSE, acceptanceTimeout──▶ givingBack        └──unknown, acknowledgementTimeout──▶ over.outcomeUnknown
 *   givingBack ──HELD──▶ over.lost               │
 *   givingBack ──FULL──▶ tried again, and can still be accepted
 *   held ──FAIL──▶ over.failed     held ──processingTimeout──▶ over.expired     over ──recordRetention──▶ closed
 *
 * What is over is remembered for a day, so that a late call gets the answer that an early one would have got.
 */
export interface ExchangeInput extends ExchangePolicy {
  readonly message: IncomingMessage;
  /** The address of the message's actor. */
  readonly holder: string;
  readonly endpoint: string;
  readonly tray: string;
  /** The outbox that takes each of its states to the upstream; absent: they are only emitted. */
  readonly outbox?: string | null;
  /** Somebody chose the endpoint for this message: it may begin a conversation. */
  readonly isDispatched: boolean;
}

export interface ExchangeContext extends ExchangeInput {
  /** The state that the upstream was told last. */
  readonly state: AssignmentState | null;
  /** Counts what the upstream was told. Invariant: it only grows. */
  readonly sequence: number;
  readonly reason: string | null;
  readonly reply: Reply | null;
  /** What became of that reply; null while it is being sent. */
  readonly result: ReplyResult | null;
  /** Who waits for that. */
  readonly waiters: ReadonlyArray<unknown>;
}

type Asked = {
  /** Whom to answer. */
  readonly replyTo?: unknown;
};

export type ExchangeEvent =
  /** The endpoint has a slot for it. */
  | { readonly type: "TAKEN" }
  | { readonly type: "DECLINED"; readonly reason: HoldReason }
  | ({ readonly type: "ACCEPT" } & Asked)
  | ({ readonly type: "REFUSE"; readonly reason: string } & Asked)
  | ({ readonly type: "PROGRESS"; readonly note?: unknown } & Asked)
  | ({ readonly type: "WAIT_FOR"; readonly capability: string } & Asked)
  | ({ readonly type: "FAIL"; readonly reason: string; readonly retryable: boolean } & Asked)
  | ({ readonly type: "REPLY"; readonly requestId: string; readonly fingerprint: string; readonly content: unknown } & Asked)
  /** The endpoint can't have it: it is lost, its connection can't be written, or the broker closes. */
  | { readonly type: "LOST"; readonly reason: HoldReason }
  | { readonly type: "RETIRED" }
  /** The tray has a seat for the message, or has none. */
  | { readonly type: "HELD" }
  | { readonly type: "FULL" };

type Emitted = { readonly type: "assignment.moved"; readonly assignment: string; readonly message: string; readonly endpoint: string; readonly state: AssignmentState; readonly sequence: number };

const addressOf = (self: { readonly sessionId: string }): string => self.sessionId;
const replyToOf = (event: ExchangeEvent): unknown => ("replyTo" in event ? event.replyTo : undefined);
const resultOf = (event: unknown): ReplyResult => (event as { readonly output?: ReplyResult }).output ?? { verdict: "delivered" };
const verdictIs =
  (verdict: ReplyResult["verdict"]) =>
  ({ event }: { readonly event: unknown }) =>
    resultOf(event).verdict === verdict;
const isSame = (context: ExchangeContext, event: ExchangeEvent): boolean => event.type === "REPLY" && context.reply?.requestId === event.requestId && context.reply.fingerprint === event.fingerprint;

/** What the endpoint is told of a reply that was tried before. */
const answerOf = (context: ExchangeContext) => {
  const { result, state, sequence } = context;
  const refused = (code: RefusalCode, detail: string) => ({ type: "REFUSED", code, detail, state });
  if (result?.verdict === "refused") return refused("reply_refused", result.reason);
  if (result?.verdict === "retry") return refused("connector_unavailable", result.reason);
  if (result?.verdict === "unknown") return refused("outcome_unknown", result.reason);
  return { type: "DONE", state, sequence };
};

export const exchange = setup({
  types: { input: {} as ExchangeInput, context: {} as ExchangeContext, events: {} as ExchangeEvent, emitted: {} as Emitted },
  actors: {
    /** The host's connector: it sends a reply to the outside, once, and says what came of it. */
    send: fromPromise<ReplyResult, { readonly assignment: string; readonly message: IncomingMessage; readonly reply: Reply }>(async () => {
      throw new Error("no connector sends replies");
    }),
  },
  guards: {
    isRetryable: ({ event }) => event.type === "FAIL" && event.retryable,
    isConflict: ({ context, event }) => event.type === "REPLY" && context.reply?.requestId === event.requestId && context.reply.fingerprint !== event.fingerprint,
    isSameReply: ({ context, event }) => isSame(context, event),
    wasRefused: ({ context, event }) => isSame(context, event) && context.result?.verdict === "refused",
    wasDelivered: verdictIs("delivered"),
    wasNotWanted: verdictIs("refused"),
    wasUnavailable: verdictIs("retry"),
  },
  actions: {
    ask: enqueueActions(({ context, enqueue, self }) => {
      enqueue.sendTo(actorRef(context.endpoint), { type: "OFFER", assignment: addressOf(self), message: context.message, isDispatched: context.isDispatched });
    }),
    withdraw: enqueueActions(({ context, enqueue, self }) => {
      enqueue.sendTo(actorRef(context.endpoint), { type: "WITHDRAW", assignment: addressOf(self) });
    }),
    freeSlot: enqueueActions(({ context, enqueue, self }) => {
      enqueue.sendTo(actorRef(context.endpoint), { type: "FREE_SLOT", assignment: addressOf(self) });
    }),
    release: enqueueActions(({ context, enqueue, self }) => {
      enqueue.sendTo(actorRef(context.endpoint), { type: "RELEASE", assignment: addressOf(self) });
    }),
    join: enqueueActions(({ context, enqueue, self }) => {
      enqueue.sendTo(actorRef(context.endpoint), {
        type: "JOINED",
        assignment: addressOf(self),
        ...(context.message.conversation === undefined ? {} : { conversation: context.message.conversation }),
      });
    }),
    askForSeat: enqueueActions(({ context, enqueue, self }) => {
      enqueue.sendTo(actorRef(context.tray), { type: "HOLD", message: context.holder, by: addressOf(self) });
    }),
    /** Its message lies in the inbox until an endpoint has it. Whoever asks for a seat later must not find this one. */
    leaveInbox: enqueueActions(({ context, enqueue }) => {
      if (context.isDispatched) enqueue.sendTo(actorRef(context.tray), { type: "RELEASE", message: context.holder });
    }),
    tellTaken: sendParent(({ self }) => ({ type: "TAKEN", assignment: addressOf(self) })),
    tellDeclined: sendParent(({ context, self }) => ({ type: "DECLINED", assignment: addressOf(self), reason: context.reason })),
    tellReturned: sendParent(({ context, self }) => ({ type: "RETURNED", assignment: addressOf(self), reason: context.reason })),
    tellEnd: sendParent(({ self, context }, { as }: { readonly as: "answered" | "unanswered" | "failed" | "expired" }) => ({ type: "ENDED", assignment: addressOf(self), as, reason: context.reason })),
    recordReason: assign(({ event }, params?: { readonly reason?: string }) => ({ reason: params?.reason ?? ("reason" in event ? event.reason : null) })),
    project: enqueueActions(({ context, enqueue, self }, { state }: { readonly state: AssignmentState }) => {
      const sequence = context.sequence + 1;
      const assignment = addressOf(self);
      const told = { assignment, message: context.message.id, endpoint: context.endpoint.slice("endpoint/".length), state, sequence };
      enqueue.assign({ sequence, state });
      enqueue.emit({ type: "assignment.moved", ...told });
      if (typeof context.outbox !== "string") return;
      const reply = context.reply === null || !state.startsWith("reply") ? {} : { requestId: context.reply.requestId };
      const payload = { ...told, ...reply, ...(context.reason === null ? {} : { reason: context.reason }) };
      enqueue.sendTo(actorRef(context.outbox), { type: "ENQUEUE", entries: [{ key: `${assignment}:${sequence}`, type: "assignment", lane: assignment, payload }] });
    }),
    answer: enqueueActions(({ context, event, enqueue }) => {
      const replyTo = replyToOf(event);
      if (replyTo !== undefined) enqueue.sendTo(replyTo as never, { type: "DONE", state: context.state, sequence: context.sequence } as never);
    }),
    refuse: enqueueActions(({ context, event, enqueue }, { code, detail }: { readonly code: RefusalCode; readonly detail?: string }) => {
      const replyTo = replyToOf(event);
      if (replyTo !== undefined) enqueue.sendTo(replyTo as never, { type: "REFUSED", code, detail: detail ?? context.reason ?? "", state: context.state } as never);
    }),
    answerAsBefore: enqueueActions(({ context, event, enqueue }) => {
      const replyTo = replyToOf(event);
      if (replyTo !== undefined) enqueue.sendTo(replyTo as never, answerOf(context) as never);
    }),
    recordReply: assign(({ event }) => {
      if (event.type !== "REPLY") return {};
      const { requestId, fingerprint, content, replyTo } = event;
      return { reply: { requestId, fingerprint, content }, result: null, waiters: replyTo === undefined ? [] : [replyTo] };
    }),
    addWaiter: assign({ waiters: ({ context, event }) => (replyToOf(event) === undefined ? context.waiters : [...context.waiters, replyToOf(event)]) }),
    recordResult: assign({ result: ({ event }) => resultOf(event) }),
    recordSilence: assign({ result: ({ context }): ReplyResult => ({ verdict: "unknown", reason: `no acknowledgement within ${context.acknowledgementTimeoutMs} ms` }) }),
    recordCrash: assign({ result: (_, { error }: { readonly error: unknown }): ReplyResult => ({ verdict: "unknown", reason: String((error as { readonly message?: unknown })?.message ?? error) }) }),
    answerAll: enqueueActions(({ context, enqueue }) => {
      for (const waiter of context.waiters) enqueue.sendTo(waiter as never, answerOf(context) as never);
      enqueue.assign({ waiters: [] });
    }),
  },
  delays: {
    offerTimeout: 10_000,
    acceptanceTimeout: ({ context }) => context.acceptanceTimeoutMs,
    processingTimeout: ({ context }) => context.processingTimeoutMs,
    acknowledgementTimeout: ({ context }) => context.acknowledgementTimeoutMs,
    returnRetry: ({ context }) => context.returnRetryMs,
    recordRetention: ({ context }) => context.recordRetentionMs,
  },
}).createMachine({
  id: "exchange",
  meta: {
    resources: { slot: { takenBy: "tellTaken", givenBackBy: ["release", "withdraw"], whenStopped: "its message ends only after it is over, and never stops it" } },
    senders: {
      TAKEN: "endpoint",
      DECLINED: "endpoint",
      LOST: "endpoint",
      RETIRED: "endpoint",
      ACCEPT: "its endpoint's process",
      REFUSE: "its endpoint's process",
      PROGRESS: "its endpoint's process",
      WAIT_FOR: "its endpoint's process",
      FAIL: "its endpoint's process",
      REPLY: "its endpoint's process",
      HELD: "its tray",
      FULL: "its tray",
    },
  },
  version: "1",
  description: "One assignment of a message to an endpoint.",
  context: ({ input }) => ({ ...input, outbox: input.outbox ?? null, state: null, sequence: 0, reason: null, reply: null, result: null, waiters: [] }),
  initial: "requesting",
  // What a state does not take itself: it was never offered, is on its way to the inbox, or is over.
  on: {
    ACCEPT: { actions: { type: "refuse", params: { code: "assignment_over" } } },
    REFUSE: { actions: { type: "refuse", params: { code: "assignment_over" } } },
    PROGRESS: { actions: { type: "refuse", params: { code: "assignment_over" } } },
    WAIT_FOR: { actions: { type: "refuse", params: { code: "assignment_over" } } },
    FAIL: { actions: { type: "refuse", params: { code: "assignment_over" } } },
    REPLY: [
      { guard: "isConflict", actions: { type: "refuse", params: { code: "reply_conflict", detail: "this request id was used for other content" } } },
      { guard: "isSameReply", actions: "answerAsBefore" },
      { actions: { type: "refuse", params: { code: "assignment_over" } } },
    ],
  },
  states: {
    requesting: {
      description: "Asks the endpoint. The answer comes within the same turn; where nobody is, it never comes.",
      entry: "ask",
      on: {
        TAKEN: { target: "offered", actions: ["leaveInbox", "tellTaken"] },
        DECLINED: { target: "declined", actions: "recordReason" },
      },
      // It may have been taken meanwhile, and its answer be under way.
      after: { offerTimeout: { target: "declined", actions: [{ type: "recordReason", params: { reason: "no_answer" } }, "withdraw"] } },
    },
    offered: {
      description: "The endpoint has a slot for it and has not said whether it takes it.",
      entry: { type: "project", params: { state: "offered" } },
      on: {
        ACCEPT: { target: "held", actions: ["join"] },
        REFUSE: { target: "givingBack", actions: ["recordReason", "answer"] },
        PROGRESS: { actions: { type: "refuse", params: { code: "not_accepted", detail: "accept it first" } } },
        WAIT_FOR: { actions: { type: "refuse", params: { code: "not_accepted", detail: "accept it first" } } },
        REPLY: { actions: { type: "refuse", params: { code: "not_accepted", detail: "accept it first" } } },
        FAIL: [
          { guard: "isRetryable", target: "givingBack", actions: ["recordReason", "answer"] },
          { target: "over.failed", actions: ["recordReason"] },
        ],
        LOST: { target: "givingBack", actions: "recordReason" },
        RETIRED: { target: "givingBack", actions: { type: "recordReason", params: { reason: "target_retired" } } },
      },
      after: { acceptanceTimeout: { target: "givingBack", actions: { type: "recordReason", params: { reason: "not_accepted_in_time" } } } },
    },
    givingBack: {
      description: "Its message goes back to the inbox.",
      initial: "asking",
      on: {
        // It is what happens anyway.
        REFUSE: { actions: "answer" },
        HELD: { target: "over.lost", actions: "withdraw" },
      },
      states: {
        asking: {
          description: "Asks for a seat. No limit: the tray answers within the same turn.",
          entry: "askForSeat",
          on: { FULL: "waiting" },
        },
        waiting: {
          description: "The inbox is full: the assignment is kept, so that nothing is dropped, and can still be accepted.",
          // Or an endpoint whose slots are all of this kind could never empty the inbox.
          entry: "freeSlot",
          on: {
            ACCEPT: { target: "#exchange.held", actions: "join" },
            FAIL: [
              { guard: "isRetryable", actions: "answer" },
              { target: "#exchange.over.failed", actions: ["recordReason"] },
            ],
            REPLY: { actions: { type: "refuse", params: { code: "not_accepted", detail: "accept it first" } } },
          },
          after: { returnRetry: "asking" },
        },
      },
    },
    held: {
      // LOST is ignored: an accepted message is never given to another; its endpoint may come back.
      description: "The endpoint accepted it.",
      initial: "accepted",
      on: {
        // Its answer may have been lost with a connection.
        ACCEPT: { actions: "answer" },
        REFUSE: { actions: { type: "refuse", params: { code: "assignment_over", detail: "it was accepted; fail it instead" } } },
        PROGRESS: ".processing",
        WAIT_FOR: { target: ".waitingForCapability", actions: { type: "recordReason", params: ({ event }) => ({ reason: event.capability }) } },
        FAIL: { target: "over.failed", actions: "recordReason" },
        REPLY: [
          { guard: "isConflict", actions: { type: "refuse", params: { code: "reply_conflict", detail: "this request id was used for other content" } } },
          { guard: "wasRefused", actions: "answerAsBefore" },
          { target: "replyRequested", actions: "recordReply" },
        ],
        RETIRED: { target: "over.failed", actions: { type: "recordReason", params: { reason: "its endpoint was retired" } } },
      },
      after: { processingTimeout: "over.expired" },
      states: {
        accepted: { description: "The endpoint has it.", entry: [{ type: "project", params: { state: "accepted" } }, "answer"] },
        processing: { description: "The endpoint works on it.", entry: [{ type: "project", params: { state: "processing" } }, "answer"] },
        waitingForCapability: { description: "The endpoint lacks something that it needs, and waits for it.", entry: [{ type: "project", params: { state: "waiting_for_capability" } }, "answer"] },
        unsent: { description: "A reply was not sent, for sure; the endpoint can send it again, or another one.", entry: { type: "project", params: { state: "processing" } } },
      },
    },
    replyRequested: {
      // LOST and RETIRED are ignored: the reply is on its way without its endpoint.
      description: "The connector sends the reply to the outside.",
      entry: { type: "project", params: { state: "reply_requested" } },
      invoke: {
        id: "send",
        src: "send",
        input: ({ context, self }) => ({ assignment: addressOf(self), message: context.message, reply: context.reply as Reply }),
        onDone: [
          { guard: "wasDelivered", target: "over.replySent", actions: "recordResult" },
          { guard: "wasNotWanted", target: "held.unsent", actions: ["recordResult", "answerAll"] },
          { guard: "wasUnavailable", target: "held.unsent", actions: ["recordResult", "answerAll"] },
          { target: "over.outcomeUnknown", actions: "recordResult" },
        ],
        // Whatever it threw, and whenever its process ended: it may have been sent.
        onError: { target: "over.outcomeUnknown", actions: { type: "recordCrash", params: ({ event }) => ({ error: event.error }) } },
      },
      on: {
        ACCEPT: { actions: "answer" },
        REFUSE: { actions: { type: "refuse", params: { code: "reply_pending", detail: "its reply is being sent" } } },
        PROGRESS: { actions: { type: "refuse", params: { code: "reply_pending", detail: "its reply is being sent" } } },
        WAIT_FOR: { actions: { type: "refuse", params: { code: "reply_pending", detail: "its reply is being sent" } } },
        FAIL: { actions: { type: "refuse", params: { code: "reply_pending", detail: "its reply is being sent" } } },
        REPLY: [
          { guard: "isConflict", actions: { type: "refuse", params: { code: "reply_conflict", detail: "this request id was used for other content" } } },
          { guard: "isSameReply", actions: "addWaiter" },
          { actions: { type: "refuse", params: { code: "reply_pending", detail: "another reply is being sent" } } },
        ],
      },
      after: { acknowledgementTimeout: { target: "over.outcomeUnknown", actions: "recordSilence" } },
    },
    over: {
      description: "What became of it is remembered.",
      initial: "replySent",
      after: { recordRetention: "closed" },
      states: {
        replySent: {
          description: "The outside has the reply.",
          entry: [{ type: "project", params: { state: "reply_sent" } }, "answerAll", "release", { type: "tellEnd", params: { as: "answered" } }],
          on: { ACCEPT: { actions: "answer" } },
        },
        outcomeUnknown: {
          description: "The outside may have the reply; it is not sent again.",
          entry: [{ type: "project", params: { state: "outcome_unknown" } }, "answerAll", "release", { type: "tellEnd", params: { as: "unanswered" } }],
        },
        failed: {
          description: "The endpoint could not do it, or is no more.",
          entry: [{ type: "project", params: { state: "failed" } }, "answer", "release", { type: "tellEnd", params: { as: "failed" } }],
          on: { FAIL: { actions: "answer" } },
        },
        lost: { description: "Nobody accepted it; its message is in the inbox, or with another by now.", entry: [{ type: "project", params: { state: "lost_before_acceptance" } }, "tellReturned"] },
        expired: {
          description: "It was accepted, and nothing came of it in time.",
          entry: [{ type: "project", params: { state: "expired" } }, "release", { type: "tellEnd", params: { as: "expired" } }],
        },
      },
    },
    declined: { type: "final", description: "The endpoint did not take it.", entry: "tellDeclined" },
    closed: { type: "final", description: "What became of it is forgotten." },
  },
});
