import { type AnyActorRef, assign, enqueueActions, setup } from "xstate";
import { actorRef } from "../src/domain/reference.ts";
import { type BlockedCalls, type DelegationPolicy, permit } from "../src/domain/delegation.ts";

/**
 * Whoever orders work: a session of a user, another program. It has at most one orchestrator at a time.
 *
 *   free ──BIND──▶ bound ──UNBIND, END──▶ free
 */
export interface RequesterContext {
  /** The address of its orchestrator. Invariant: null exactly while it is free. */
  readonly orchestrator: string | null;
  /** Calls that were blocked, by run. */
  readonly blocked: BlockedCalls;
}

export type RequesterEvent =
  /** An orchestrator wants to work for it: its address. Answered with BOUND or REFUSED. */
  | { readonly type: "BIND"; readonly orchestrator: string }
  /** That orchestrator is over. */
  | { readonly type: "UNBIND"; readonly orchestrator: string }
  /** Its session has ended: its orchestrator is told. */
  | { readonly type: "END"; readonly by: string; readonly why: string }
  /** May it call this tool itself? Answered with PERMISSION. */
  | { readonly type: "CALL_TOOL"; readonly policy: DelegationPolicy; readonly run: string; readonly tool: string; readonly input?: unknown; readonly replyTo?: AnyActorRef };

export const requester = setup({
  types: { context: {} as RequesterContext, events: {} as RequesterEvent },
  guards: {
    isItsOrchestrator: ({ context, event }) => "orchestrator" in event && event.orchestrator === context.orchestrator,
  },
  actions: {
    bind: assign({ orchestrator: ({ event }) => (event.type === "BIND" ? event.orchestrator : null) }),
    unbind: assign({ orchestrator: null }),
    agree: enqueueActions(({ event, enqueue }) => {
      if (event.type === "BIND") enqueue.sendTo(actorRef(event.orchestrator), { type: "BOUND" });
    }),
    refuse: enqueueActions(({ context, event, enqueue }) => {
      if (event.type === "BIND") enqueue.sendTo(actorRef(event.orchestrator), { type: "REFUSED", other: context.orchestrator ?? "" });
    }),
    tellOrchestrator: enqueueActions(({ context, event, enqueue }) => {
      if (event.type === "END" && context.orchestrator !== null) enqueue.sendTo(actorRef(context.orchestrator), { type: "REQUESTER_ENDED", by: event.by, why: event.why });
    }),
    permitCall: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== "CALL_TOOL") return;
      const { policy, run, tool, input, replyTo } = event;
      const { answer, calls } = permit(policy, context.blocked, { role: "requester", run, tool, input });
      enqueue.assign({ blocked: calls });
      if (replyTo !== undefined) enqueue.sendTo(replyTo, { type: "PERMISSION", ...answer });
    }),
  },
}).createMachine({
  id: "requester",
  meta: { senders: { BIND: "orchestrator", UNBIND: "orchestrator", END: "its host", CALL_TOOL: "its agent" } },
  version: "1",
  description: "Whoever orders work; it has at most one orchestrator at a time.",
  context: { orchestrator: null, blocked: [] },
  initial: "free",
  on: { CALL_TOOL: { actions: "permitCall" } },
  states: {
    free: {
      // END: there is nobody to tell. UNBIND: its orchestrator was given up before.
      description: "Nobody works for it. No limit: an orchestrator binds itself to it.",
      on: { BIND: { target: "bound", actions: ["bind", "agree"] } },
    },
    bound: {
      description: "An orchestrator works for it. No limit: the orchestrator retires when it has nothing to do.",
      on: {
        BIND: [{ guard: "isItsOrchestrator", actions: "agree" }, { actions: "refuse" }],
        UNBIND: { guard: "isItsOrchestrator", target: "free", actions: "unbind" },
        END: { target: "free", actions: ["tellOrchestrator", "unbind"] },
      },
    },
  },
});
