import { assign, enqueueActions, setup } from "xstate";
import { actorRef } from "../src/domain/reference.ts";
import { emptySummary, type StatusSummary, summaryKey } from "../src/domain/status-summary.ts";

/**
 * Tells how many tasks stand where: when the counts have changed, and then not again for a while.
 *
 *   quiet ──COUNTS, new ones──▶ resting ──pause──▶ choosing ──▶ resting: the counts have changed meanwhile
 *                                                          ──▶ quiet
 */
export interface BulletinInput {
  /** Whose tasks are counted, and who wants to know. */
  readonly orchestrator: string;
  readonly requester: string;
  /** The address of the outbox that delivers; absent: it is emitted. */
  readonly outbox?: string;
  /** The pause between two bulletins, in milliseconds. */
  readonly everyMs: number;
}

export interface BulletinContext {
  readonly orchestrator: string;
  readonly requester: string;
  readonly outbox: string | null;
  readonly everyMs: number;
  readonly latest: StatusSummary;
  /** The counts that were told last, as one word. Invariant: never told twice in a row. */
  readonly told: string;
}

export type BulletinEvent = { readonly type: "COUNTS"; readonly summary: StatusSummary };

export const bulletin = setup({
  types: {
    input: {} as BulletinInput,
    context: {} as BulletinContext,
    events: {} as BulletinEvent,
    emitted: {} as { readonly type: "orchestrator.status"; readonly orchestrator: string; readonly requester: string; readonly summary: StatusSummary },
  },
  guards: {
    isNews: ({ context }) => summaryKey(context.latest) !== context.told,
    bringsNews: ({ context, event }) => summaryKey(event.summary) !== context.told,
  },
  actions: {
    record: assign({ latest: ({ event }) => event.summary }),
    tell: enqueueActions(({ context: { orchestrator, requester, outbox, latest }, enqueue }) => {
      const payload = { orchestrator, requester, summary: latest };
      // One that was not sent yet is old: the new one takes its place. Without a key: the same counts come again, and are news then.
      const entry = { type: "orchestrator.status", lane: orchestrator, replaces: `status:${orchestrator}`, payload };
      if (outbox === null) enqueue.emit({ type: "orchestrator.status", ...payload });
      else enqueue.sendTo(actorRef(outbox), { type: "ENQUEUE", entries: [entry] });
      enqueue.assign({ told: summaryKey(latest) });
    }),
  },
  delays: { pause: ({ context }) => context.everyMs },
}).createMachine({
  id: "bulletin",
  meta: { senders: { COUNTS: "orchestrator" } },
  version: "1",
  description: "Tells how many tasks stand where, when that has changed.",
  context: ({ input }) => ({
    orchestrator: input.orchestrator,
    requester: input.requester,
    outbox: input.outbox ?? null,
    everyMs: input.everyMs,
    latest: emptySummary,
    told: summaryKey(emptySummary),
  }),
  initial: "quiet",
  states: {
    quiet: {
      description: "What was told is still so. No limit: new counts end it.",
      on: { COUNTS: { guard: "bringsNews", target: "resting", actions: ["record", "tell"] } },
    },
    resting: {
      description: "Something was told a moment ago: what changes meanwhile is told at once.",
      on: { COUNTS: { actions: "record" } },
      after: { pause: "choosing" },
    },
    choosing: {
      description: "Have the counts changed meanwhile?",
      always: [{ guard: "isNews", target: "resting", actions: "tell" }, { target: "quiet" }],
    },
  },
});
