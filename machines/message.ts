import { assign, enqueueActions, setup } from "xstate";
import type { ExchangePolicy } from "../src/domain/exchange.ts";
import type { HoldReason, IncomingMessage } from "../src/domain/incoming.ts";
import { actorRef } from "../src/domain/reference.ts";
import { exchange } from "./exchange.ts";

/**
 * One message from outside: with an endpoint, in the inbox, with somebody who took it out, or over. It is at one of
 * these places at any moment, and leaves one in the transaction in which it comes to the next.
 *
 *   choosing ──▶ assigning ──TAKEN──▶ assigned ──ENDED──▶ over
 *      │             └──DECLINED──▶ seeking         └──RETURNED──▶ undispatched
 *      └──▶ seeking ──HELD──▶ undispatched ──DISPATCH──▶ dispatching ──TAKEN──▶ assigned
 *              └──FULL──▶ refused ──REDELIVER──▶ choosing       └──DECLINED──▶ undispatched
 *           undispatched ──TAKE──▶ taken ──PUT_BACK──▶ puttingBack ──HELD──▶ undispatched
 */
export interface MessageInput {
  readonly message: IncomingMessage;
  /** The address of the endpoint that routing found. */
  readonly endpoint?: string;
  /** Why it found none. */
  readonly reason?: HoldReason;
  readonly tray: string;
  readonly outbox?: string | null;
  readonly policy: MessagePolicy;
}

export interface MessagePolicy extends ExchangePolicy {
  /** How long a message may lie in the inbox. */
  readonly inboxTimeoutMs: number;
}

export interface MessageContext {
  readonly message: IncomingMessage;
  readonly tray: string;
  readonly outbox: string | null;
  readonly policy: MessagePolicy;
  /** The address of the endpoint that it is for at the moment. */
  readonly endpoint: string | null;
  readonly isDispatched: boolean;
  /** How many assignments it had. */
  readonly assignments: number;
  /** The address of the latest one that an endpoint had. */
  readonly assignment: string | null;
  /** Why it lies in the inbox, or how it ended. */
  readonly reason: string | null;
  /** Who took it out of the inbox. */
  readonly holder: string | null;
  /** Who waits for what becomes of a dispatch, or of putting it back. */
  readonly asker: unknown;
}

export type MessageEvent =
  | { readonly type: "TAKEN"; readonly assignment: string }
  | { readonly type: "DECLINED"; readonly assignment: string; readonly reason: HoldReason }
  | { readonly type: "RETURNED"; readonly assignment: string; readonly reason: string }
  | { readonly type: "ENDED"; readonly assignment: string; readonly as: "answered" | "unanswered" | "failed" | "expired"; readonly reason: string | null }
  | { readonly type: "HELD" }
  | { readonly type: "FULL" }
  | { readonly type: "DISPATCH"; readonly endpoint: string; readonly replyTo?: unknown }
  | { readonly type: "TAKE"; readonly holder: string; readonly replyTo?: unknown }
  | { readonly type: "PUT_BACK"; readonly replyTo?: unknown }
  /** Whoever took it has done what there was to do. */
  | { readonly type: "SETTLE"; readonly note?: string; readonly replyTo?: unknown }
  /** Its sender gives it once more, after it was refused. */
  | { readonly type: "REDELIVER"; readonly endpoint?: string; readonly reason?: HoldReason };

const addressOf = (self: { readonly sessionId: string }): string => self.sessionId;
const endedAs =
  (as: string) =>
  ({ context, event }: { readonly context: MessageContext; readonly event: MessageEvent }) =>
    event.type === "ENDED" && event.assignment === context.assignment && event.as === as;

export const message = setup({
  types: { input: {} as MessageInput, context: {} as MessageContext, events: {} as MessageEvent, emitted: {} as { readonly type: "message.refused" | "message.expired"; readonly message: string } },
  actors: { exchange },
  guards: {
    hasEndpoint: ({ context }) => context.endpoint !== null,
    // What an earlier assignment says comes too late.
    isThisAssignment: ({ context, event }) => event.type === "RETURNED" && event.assignment === context.assignment,
    wasAnswered: endedAs("answered"),
    isUnanswered: endedAs("unanswered"),
    hasFailed: endedAs("failed"),
    hasExpired: endedAs("expired"),
  },
  actions: {
    assignTo: enqueueActions(({ context, enqueue, self }) => {
      const { message: content, tray, outbox, policy, endpoint, isDispatched } = context;
      const { inboxTimeoutMs: _, ...times } = policy;
      const number = context.assignments + 1;
      enqueue.assign({ assignments: number });
      enqueue.spawnChild("exchange", { id: `assignment-${number}`, input: { ...times, message: content, holder: addressOf(self), endpoint: endpoint ?? "", tray, outbox, isDispatched } });
    }),
    askForSeat: enqueueActions(({ context, enqueue, self }) => {
      enqueue.sendTo(actorRef(context.tray), { type: "HOLD", message: addressOf(self), by: addressOf(self) });
    }),
    freeSeat: enqueueActions(({ context, enqueue, self }) => {
      enqueue.sendTo(actorRef(context.tray), { type: "RELEASE", message: addressOf(self) });
    }),
    recordRoute: assign({
      endpoint: ({ event }) => (event.type === "REDELIVER" ? (event.endpoint ?? null) : null),
      reason: ({ event }) => (event.type === "REDELIVER" ? (event.reason ?? null) : null),
    }),
    recordChoice: assign({
      endpoint: ({ event }) => (event.type === "DISPATCH" ? event.endpoint : null),
      isDispatched: true,
      asker: ({ event }) => (event.type === "DISPATCH" ? event.replyTo : undefined),
    }),
    recordAssignment: assign({ assignment: ({ context, event }) => (event.type === "TAKEN" ? event.assignment : context.assignment), reason: null }),
    recordReason: assign({ reason: ({ context, event }) => ("reason" in event ? (event.reason ?? null) : context.reason) }),
    recordHolder: assign({ holder: ({ event }) => (event.type === "TAKE" ? event.holder : null) }),
    recordAsker: assign({ asker: ({ event }) => ("replyTo" in event ? event.replyTo : undefined) }),
    recordNote: assign({ reason: ({ event }) => (event.type === "SETTLE" ? (event.note ?? "it was settled by whoever took it") : null) }),
    forgetEndpoint: assign({ endpoint: null, isDispatched: false }),
    forgetHolder: assign({ holder: null }),
    answer: enqueueActions(({ context, event, enqueue }) => {
      const to = "replyTo" in event ? event.replyTo : undefined;
      if (to !== undefined) enqueue.sendTo(to as never, { type: "DONE", assignment: context.assignment } as never);
    }),
    answerAsker: enqueueActions(({ context, enqueue }) => {
      if (context.asker === undefined || context.asker === null) return;
      enqueue.sendTo(context.asker as never, { type: "DONE", assignment: context.assignment } as never);
      enqueue.assign({ asker: null });
    }),
    refuseAsker: enqueueActions(({ context, enqueue }, { code }: { readonly code: "declined" | "inbox_full" }) => {
      if (context.asker === undefined || context.asker === null) return;
      enqueue.sendTo(context.asker as never, { type: "REFUSED", code, detail: context.reason ?? "" } as never);
      enqueue.assign({ asker: null });
    }),
    tellRefused: enqueueActions(({ context, enqueue }) => enqueue.emit({ type: "message.refused", message: context.message.id })),
    tellExpired: enqueueActions(({ context, enqueue, self }) => {
      enqueue.emit({ type: "message.expired", message: context.message.id });
      if (context.outbox !== null)
        enqueue.sendTo(actorRef(context.outbox), {
          type: "ENQUEUE",
          entries: [{ key: `${addressOf(self)}:expired`, type: "message", lane: addressOf(self), payload: { message: context.message.id, state: "expired", reason: context.reason } }],
        });
    }),
  },
  delays: {
    inboxTimeout: ({ context }) => context.policy.inboxTimeoutMs,
    recordRetention: ({ context }) => context.policy.recordRetentionMs,
  },
}).createMachine({
  id: "message",
  meta: {
    senders: {
      TAKEN: "exchange",
      DECLINED: "exchange",
      RETURNED: "exchange",
      ENDED: "exchange",
      HELD: "its tray",
      FULL: "its tray",
      DISPATCH: "an operator",
      TAKE: "an operator",
      PUT_BACK: "whoever took it",
      SETTLE: "whoever took it",
      REDELIVER: "its sender",
    },
  },
  version: "1",
  description: "A message from outside, at one place at any moment.",
  context: ({ input }) => ({
    message: input.message,
    tray: input.tray,
    outbox: input.outbox ?? null,
    policy: input.policy,
    endpoint: input.endpoint ?? null,
    isDispatched: false,
    assignments: 0,
    assignment: null,
    reason: input.reason ?? null,
    holder: null,
    asker: null,
  }),
  initial: "choosing",
  states: {
    choosing: {
      description: "Did routing find an endpoint?",
      always: [{ guard: "hasEndpoint", target: "assigning" }, { target: "seeking" }],
    },
    assigning: {
      description: "An endpoint is asked. No limit of its own: its assignment ends when no answer comes.",
      entry: "assignTo",
      on: {
        TAKEN: { target: "assigned", actions: "recordAssignment" },
        DECLINED: { target: "seeking", actions: "recordReason" },
      },
    },
    seeking: {
      description: "Asks for a seat in the inbox. No limit: the tray answers within the same turn.",
      entry: ["forgetEndpoint", "askForSeat"],
      on: { HELD: "undispatched", FULL: "refused" },
    },
    refused: {
      description: "There was no room: its sender was told to deliver it again. What it can't say any more is forgotten after a while.",
      entry: "tellRefused",
      on: { REDELIVER: { target: "choosing", actions: "recordRoute" } },
      after: { recordRetention: "forgotten" },
    },
    undispatched: {
      description: "It lies in the inbox.",
      entry: "forgetEndpoint",
      on: {
        DISPATCH: { target: "dispatching", actions: "recordChoice" },
        TAKE: { target: "taken", actions: ["recordHolder", "freeSeat", "answer"] },
      },
      after: { inboxTimeout: { target: "over.expired", actions: ["freeSeat", "tellExpired"] } },
    },
    dispatching: {
      description: "An endpoint is asked, and its seat is kept until that has it. No limit of its own: its assignment ends when no answer comes.",
      entry: "assignTo",
      on: {
        // Its seat was given back by the assignment, which may ask for another one at once.
        TAKEN: { target: "assigned", actions: ["recordAssignment", "answerAsker"] },
        DECLINED: { target: "undispatched", actions: ["recordReason", { type: "refuseAsker", params: { code: "declined" } }] },
      },
    },
    assigned: {
      description: "An endpoint has it. No limit of its own: its assignment ends when nothing comes of it in time.",
      on: {
        // The seat is its own already: whoever gave it back asked for it.
        RETURNED: { guard: "isThisAssignment", target: "undispatched", actions: "recordReason" },
        ENDED: [
          { guard: "wasAnswered", target: "over.answered", actions: "recordReason" },
          { guard: "isUnanswered", target: "over.unanswered", actions: "recordReason" },
          { guard: "hasFailed", target: "over.failed", actions: "recordReason" },
          { guard: "hasExpired", target: "over.expired", actions: "recordReason" },
        ],
      },
    },
    taken: {
      description: "Somebody took it out of the inbox. No limit: whoever has it settles it, or puts it back.",
      on: {
        PUT_BACK: { target: "puttingBack", actions: "recordAsker" },
        SETTLE: { target: "over.settled", actions: ["recordNote", "answer"] },
      },
    },
    puttingBack: {
      description: "Asks for a seat in the inbox. No limit: the tray answers within the same turn.",
      entry: "askForSeat",
      on: {
        HELD: { target: "undispatched", actions: ["forgetHolder", "answerAsker"] },
        FULL: { target: "taken", actions: { type: "refuseAsker", params: { code: "inbox_full" } } },
      },
    },
    over: {
      description: "What became of it is remembered.",
      initial: "answered",
      after: { recordRetention: "closed" },
      states: {
        answered: { description: "The outside has its reply." },
        unanswered: { description: "The outside may have its reply, nobody knows." },
        failed: { description: "Its endpoint could not do it." },
        expired: { description: "It was not answered in time." },
        settled: { description: "Whoever took it has dealt with it." },
      },
    },
    closed: { type: "final", description: "What became of it is forgotten." },
    // Apart from "closed": a sender that comes back now must not be told that it was taken.
    forgotten: { type: "final", description: "There was no room, and its sender did not give it again." },
  },
});
