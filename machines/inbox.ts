import { assign, enqueueActions, fromPromise, setup } from "xstate";
import { type Acknowledgement, type Command, type Cursor, isAtOrBelow } from "../src/domain/inbox.ts";
import { actorRef } from "../src/domain/reference.ts";

/**
 * One inbox: commands of one sender, in the order of its cursor, each applied once. What a command does to an actor, the
 * cursor and the acknowledgement are stored in one transaction, so a crash between them neither loses nor repeats.
 *
 *   ready ──COMMAND, at or below the cursor──▶ ready: acknowledged again
 *   ready ──COMMAND for an actor──▶ ready: told, cursor moved, acknowledged
 *   ready ──COMMAND for the host──▶ handling ──done──▶ ready: cursor moved, acknowledged
 *                                            ──error──▶ ready: refused with the reason, cursor as it was
 *
 * A command that comes while one is handled is kept until then. So is one that comes while another inbox is asked for
 * its cursor: it may have been applied there.
 *
 *   ready ──ADOPT──▶ adopting ──SURRENDERED──▶ ready: with the later one of both cursors
 *                        └──adoptionTimeout──▶ inquiring ──BUSY──▶ adopting     inquiring ──adoptionTimeout──▶ ready
 */
export interface InboxInput {
  /** The outbox that takes the acknowledgements to the sender; absent: they are emitted. */
  readonly outbox?: string;
  readonly applied?: Cursor;
}

export interface InboxContext {
  readonly outbox: string | null;
  /** The latest command that was applied. Invariant: it only grows. */
  readonly applied: Cursor | null;
  readonly handling: Command | null;
  /** The inbox whose cursor it waits for; absent in states of earlier builds. */
  readonly adopts?: string | null;
  readonly accepted: number;
  readonly duplicates: number;
  readonly refused: number;
}

export type InboxEvent =
  | { readonly type: "COMMAND"; readonly command: Command }
  /** Another inbox takes over: its address. */
  | { readonly type: "SURRENDER"; readonly to: string }
  | { readonly type: "ADOPT"; readonly from: string }
  | { readonly type: "SURRENDERED"; readonly applied: Cursor | null }
  /** Whoever takes over waits for long: is it still handling something? */
  | { readonly type: "INQUIRE"; readonly from: string }
  | { readonly type: "BUSY" };

const later = (left: Cursor | null, right: Cursor | null): Cursor | null => (right === null || (left !== null && isAtOrBelow(right, left)) ? left : right);
const addressOf = (self: { readonly sessionId: string }): string => self.sessionId;

export const inbox = setup({
  types: {
    input: {} as InboxInput,
    context: {} as InboxContext,
    events: {} as InboxEvent,
    emitted: {} as { readonly type: "inbox.acknowledged" } & Acknowledgement,
  },
  actors: {
    /** The host gives the code: it returns, and so accepts, or throws, and so refuses. */
    handle: fromPromise<void, Command>(async () => {
      throw new Error("nobody handles commands of this inbox");
    }),
  },
  guards: {
    isApplied: ({ context, event }) => event.type === "COMMAND" && isAtOrBelow(event.command.cursor, context.applied),
    isForActor: ({ event }) => event.type === "COMMAND" && event.command.to !== undefined,
  },
  actions: {
    acknowledge: enqueueActions(({ context, enqueue, self }, answer: Acknowledgement) => {
      if (context.outbox === null) enqueue.emit({ type: "inbox.acknowledged", ...answer });
      else {
        // A repeated command is acknowledged again: its key differs by what was said before.
        const key = `ack:${addressOf(self)}:${answer.requestId}:${answer.duplicate === true ? context.duplicates : answer.accepted ? "accepted" : `refused:${context.refused}`}`;
        enqueue.sendTo(actorRef(context.outbox), { type: "ENQUEUE", entries: [{ key, type: "acknowledgement", payload: answer }] });
      }
    }),
    tellActor: enqueueActions(({ event, enqueue }) => {
      if (event.type !== "COMMAND" || event.command.to === undefined) return;
      const { to, type, payload, event: told } = event.command;
      enqueue.sendTo(actorRef(to), (told ?? { type, payload }) as never);
    }),
    moveCursor: assign(({ context, event }) => {
      const command = event.type === "COMMAND" ? event.command : context.handling;
      return command === null ? {} : { applied: later(context.applied, command.cursor), accepted: context.accepted + 1, handling: null };
    }),
    recordDuplicate: assign({ duplicates: ({ context }) => context.duplicates + 1 }),
    recordRefusal: assign({ refused: ({ context }) => context.refused + 1, handling: null }),
    hold: assign({ handling: ({ event }) => (event.type === "COMMAND" ? event.command : null) }),
    askForCursor: enqueueActions(({ event, enqueue, self }) => {
      if (event.type === "ADOPT") enqueue.sendTo(actorRef(event.from), { type: "SURRENDER", to: addressOf(self) });
    }),
    surrender: enqueueActions(({ context, event, enqueue }) => {
      if (event.type === "SURRENDER") enqueue.sendTo(actorRef(event.to), { type: "SURRENDERED", applied: context.applied });
    }),
    recordAdopted: assign({ adopts: ({ context, event }) => (event.type === "ADOPT" ? event.from : (context.adopts ?? null)) }),
    inquire: enqueueActions(({ context, enqueue, self }) => {
      if (typeof context.adopts === "string") enqueue.sendTo(actorRef(context.adopts), { type: "INQUIRE", from: addressOf(self) });
    }),
    tellBusy: enqueueActions(({ event, enqueue }) => {
      if (event.type === "INQUIRE") enqueue.sendTo(actorRef(event.from), { type: "BUSY" });
    }),
    adopt: assign({ applied: ({ context, event }) => (event.type === "SURRENDERED" ? later(context.applied, event.applied) : context.applied) }),
  },
  delays: { adoptionTimeout: 60_000 },
}).createMachine({
  id: "inbox",
  meta: { senders: { COMMAND: "the sender of its commands", ADOPT: "its host", SURRENDER: "inbox", SURRENDERED: "inbox", INQUIRE: "inbox", BUSY: "inbox" } },
  version: "1",
  description: "Commands of one sender, each applied once, in order.",
  context: ({ input }) => ({ outbox: input.outbox ?? null, applied: input.applied ?? null, handling: null, adopts: null, accepted: 0, duplicates: 0, refused: 0 }),
  initial: "ready",
  states: {
    ready: {
      description: "No limit: the next command ends it.",
      on: {
        COMMAND: [
          {
            guard: "isApplied",
            actions: ["recordDuplicate", { type: "acknowledge", params: ({ event }) => ({ requestId: event.command.cursor.requestId, accepted: true, duplicate: true }) }],
          },
          {
            guard: "isForActor",
            actions: ["tellActor", "moveCursor", { type: "acknowledge", params: ({ event }) => ({ requestId: event.command.cursor.requestId, accepted: true }) }],
          },
          { target: "handling", actions: "hold" },
        ],
        ADOPT: { target: "adopting", actions: ["recordAdopted", "askForCursor"] },
        // It came after its time: the cursor only grows.
        SURRENDERED: { actions: "adopt" },
        SURRENDER: { target: "closed", actions: "surrender" },
      },
    },
    adopting: {
      // COMMAND, ADOPT and SURRENDER are kept.
      description: "Another inbox says how far it came, once it has handled what it handles. One that is closed, or that never was, says nothing.",
      on: { SURRENDERED: { target: "ready", actions: "adopt" } },
      after: { adoptionTimeout: "inquiring" },
    },
    inquiring: {
      // As in adopting. What the other one handles would be applied twice if it were not waited for.
      description: "The other inbox has said nothing for long. One that handles a command says so, and is waited for.",
      entry: "inquire",
      on: { BUSY: "adopting", SURRENDERED: { target: "ready", actions: "adopt" } },
      after: { adoptionTimeout: "ready" },
    },
    handling: {
      // COMMAND, ADOPT and SURRENDER are not taken here, so they are kept until the handler has ended.
      description: "The host's handler decides. No limit of its own: the options of its activity limit it.",
      invoke: {
        id: "handle",
        src: "handle",
        input: ({ context }) => context.handling as Command,
        onDone: {
          target: "ready",
          actions: [{ type: "acknowledge", params: ({ context }) => ({ requestId: context.handling?.cursor.requestId ?? "", accepted: true }) }, "moveCursor"],
        },
        onError: {
          target: "ready",
          actions: [
            { type: "acknowledge", params: ({ context, event }) => ({ requestId: context.handling?.cursor.requestId ?? "", accepted: false, reason: String((event.error as Error).message) }) },
            "recordRefusal",
          ],
        },
      },
      on: { SURRENDERED: { actions: "adopt" }, INQUIRE: { actions: "tellBusy" } },
    },
    closed: { type: "final", description: "Another inbox took over." },
  },
});
