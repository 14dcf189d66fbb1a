import { enqueueActions, setup } from "xstate";
import { actorRef } from "../src/domain/reference.ts";

/**
 * Whether an endpoint is there, as others are told. A connection that comes back within the grace was never away.
 *
 *   offline ──ONLINE──▶ online ──OFFLINE──▶ fading ──presenceGrace──▶ offline
 *                         ▲                    │
 *                         └───────ONLINE───────┘             any ──GONE──▶ gone
 */
export interface PresenceInput {
  readonly endpoint: string;
  readonly graceMs: number;
  /** The outbox that takes the announcements; absent: they are only emitted. */
  readonly outbox?: string;
}

export interface PresenceContext {
  readonly endpoint: string;
  readonly graceMs: number;
  readonly outbox: string | null;
  /** Counts the announcements: the later one is true. */
  readonly announcements: number;
}

export type PresenceEvent = { readonly type: "ONLINE" } | { readonly type: "OFFLINE" } | { readonly type: "GONE" };

export const presence = setup({
  types: {
    input: {} as PresenceInput,
    context: {} as PresenceContext,
    events: {} as PresenceEvent,
    emitted: {} as { readonly type: "presence.changed"; readonly endpoint: string; readonly online: boolean; readonly sequence: number },
  },
  actions: {
    announce: enqueueActions(({ context, enqueue }, { online }: { readonly online: boolean }) => {
      const sequence = context.announcements + 1;
      const payload = { endpoint: context.endpoint, online, sequence };
      const lane = `presence:${context.endpoint}`;
      enqueue.assign({ announcements: sequence });
      enqueue.emit({ type: "presence.changed", ...payload });
      // Nobody needs to hear what was true before.
      if (context.outbox !== null) enqueue.sendTo(actorRef(context.outbox), { type: "ENQUEUE", entries: [{ key: `${lane}:${sequence}`, type: "presence", lane, replaces: lane, payload }] });
    }),
  },
  delays: { presenceGrace: ({ context }) => context.graceMs },
}).createMachine({
  id: "presence",
  meta: { senders: { ONLINE: "endpoint", OFFLINE: "endpoint", GONE: "endpoint" } },
  version: "1",
  description: "Whether an endpoint is there, as others are told.",
  context: ({ input }) => ({ endpoint: input.endpoint, graceMs: input.graceMs, outbox: input.outbox ?? null, announcements: 0 }),
  initial: "offline",
  states: {
    offline: {
      // OFFLINE is ignored: it was said already, or nobody knew that it was there.
      description: "It is away, and everybody knows. No limit: it may come back at any time.",
      on: { ONLINE: { target: "online", actions: { type: "announce", params: { online: true } } }, GONE: "gone" },
    },
    online: {
      // ONLINE is ignored: another connection of one that is there.
      description: "It is there. No limit: its endpoint says when it is not.",
      on: { OFFLINE: "fading", GONE: { target: "gone", actions: { type: "announce", params: { online: false } } } },
    },
    fading: {
      // OFFLINE is ignored: the grace counts from the first.
      description: "Its connection is gone. It may be back before anybody is told.",
      on: { ONLINE: "online", GONE: { target: "gone", actions: { type: "announce", params: { online: false } } } },
      after: { presenceGrace: { target: "offline", actions: { type: "announce", params: { online: false } } } },
    },
    gone: { type: "final", description: "Its endpoint was retired." },
  },
});
