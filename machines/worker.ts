import { assign, enqueueActions, setup } from "xstate";
import { actorRef } from "../src/domain/reference.ts";
import { backoffMs } from "../src/domain/retry.ts";
import type { LossCause } from "./assignment.ts";

/**
 * A worker: a place (functions in this process, a child process, somebody over a connection) that carries out
 * assignments, as many at a time as fit into its slots.
 *
 *   starting ──READY──▶ active ──DETACHED, SILENT──▶ reconnecting ──CONNECT, HEARTBEAT──▶ active
 *   active ──LOST, UNANSWERED──▶ lost ◀──grace── reconnecting
 *   lost ──restartDelay──▶ starting (one of our own) | retired (a remote one)        lost ──CONNECT──▶ active
 *   one of our own: any ──ENGINE_STOPPED──▶ halted ──ENGINE_STARTED──▶ starting      any ──RETIRE──▶ retired
 *   a remote one: active ──ENGINE_STOPPED, ENGINE_STARTED──▶ reconnecting
 *
 * Each life of it has a number, its incarnation: what an earlier one says is not meant.
 */
export interface WorkerInput {
  readonly slots: number;
  /** Which transport reaches it. */
  readonly transport?: string;
  /** Kinds of tasks that it carries out. */
  readonly kinds?: ReadonlyArray<string>;
  /** It connects by itself: nobody here can start it. */
  readonly isRemote?: boolean;
  readonly name?: string;
  readonly graceMs?: number;
}

export interface WorkerContext {
  readonly name: string;
  readonly transport: string;
  readonly kinds: ReadonlyArray<string>;
  readonly isRemote: boolean;
  /** The process that speaks for a remote one. */
  readonly owner: string;
  readonly slots: number;
  /** Slots by the address of the assignment that holds them. Invariant: at most `slots` together, none unless it is active or reconnecting. */
  readonly taken: Readonly<Record<string, number>>;
  /** Counts the lives of this worker. */
  readonly incarnation: number;
  /** Losses in a row, without an assignment ended in between. */
  readonly losses: number;
  readonly lastReason: string | null;
  readonly graceMs: number;
  /** Silence after which it counts as away; null: its transport would know. */
  readonly heartbeatTimeoutMs: number | null;
  /** It gets nothing new. */
  readonly isDraining: boolean;
}

export type ConnectEvent = {
  readonly type: "CONNECT";
  readonly owner: string;
  readonly slots: number;
  readonly kinds: ReadonlyArray<string>;
  readonly graceMs?: number;
  readonly heartbeatTimeoutMs?: number;
  /** The life that goes on; absent, or another one than the last: a new one begins. */
  readonly incarnation?: number;
  /** Assignments that it still works on. */
  readonly running?: ReadonlyArray<string>;
};
export type WorkerEvent =
  | ConnectEvent
  | { readonly type: "READY"; readonly incarnation: number }
  | { readonly type: "HEARTBEAT"; readonly incarnation: number }
  | { readonly type: "DETACHED"; readonly incarnation: number; readonly reason: string }
  | { readonly type: "LOST"; readonly incarnation: number; readonly reason: string }
  /** It has said nothing for too long. */
  | { readonly type: "SILENT" }
  /** The engine was opened anew: whatever process there was is gone. */
  | { readonly type: "ENGINE_STARTED" }
  /** The engine is about to close and has ended the process: what it ran is given back at no cost. */
  | { readonly type: "ENGINE_STOPPED" }
  | { readonly type: "TAKE"; readonly assignment: string; readonly attempt: number; readonly slots: number }
  | { readonly type: "RELEASE"; readonly assignment: string }
  /** An offer was not answered in time. */
  | { readonly type: "UNANSWERED"; readonly assignment: string }
  | { readonly type: "DRAIN" }
  | { readonly type: "RETIRE" };

/** What the dispatcher does for this machine. */
export const workerActions = ["startProcess", "stopProcess"] as const;

const causes: Readonly<Record<string, LossCause>> = { ENGINE_STARTED: "engineStarted", ENGINE_STOPPED: "engineStopped" };

/** How long a remote worker that is lost is waited for before it is forgotten. */
const forgottenAfterMs = 60 * 60 * 1000;

const without = ({ taken }: WorkerContext, assignment: string) => Object.fromEntries(Object.entries(taken).filter(([held]) => held !== assignment));
export const usedSlots = ({ taken }: Pick<WorkerContext, "taken">): number => Object.values(taken).reduce((sum, slots) => sum + slots, 0);

export const worker = setup({
  types: { input: {} as WorkerInput, context: {} as WorkerContext, events: {} as WorkerEvent },
  guards: {
    isRemote: ({ context }) => context.isRemote,
    isOurOwn: ({ context }) => !context.isRemote,
    isThisIncarnation: ({ context, event }) => "incarnation" in event && event.incarnation === context.incarnation,
    holdsSlot: ({ context, event }) => "assignment" in event && event.assignment in context.taken,
    slotsAreFree: ({ context, event }) => event.type === "TAKE" && !context.isDraining && (event.assignment in context.taken || usedSlots(context) + event.slots <= context.slots),
    isSameLife: ({ context, event }) => context.isRemote && event.type === "CONNECT" && event.owner === context.owner && event.incarnation === context.incarnation,
    isSameOwner: ({ context, event }) => context.isRemote && event.type === "CONNECT" && event.owner === context.owner,
  },
  actions: {
    startProcess: () => {},
    stopProcess: () => {},
    countIncarnation: assign({ incarnation: ({ context }) => context.incarnation + 1 }),
    takeSlots: assign({ taken: ({ context, event }) => (event.type === "TAKE" ? { ...context.taken, [event.assignment]: event.slots } : context.taken) }),
    grant: enqueueActions(({ context, event, enqueue }) => {
      if (event.type === "TAKE") enqueue.sendTo(actorRef(event.assignment), { type: "TAKEN", attempt: event.attempt, incarnation: context.incarnation, transport: context.transport });
    }),
    freeSlots: assign(({ context, event }) => (event.type === "RELEASE" ? { taken: without(context, event.assignment), losses: 0 } : {})),
    decline: enqueueActions(({ event, enqueue }) => {
      if (event.type === "TAKE") enqueue.sendTo(actorRef(event.assignment), { type: "DECLINED", attempt: event.attempt });
    }),
    recordCard: assign(({ context, event }) =>
      event.type === "CONNECT"
        ? {
            owner: event.owner,
            slots: event.slots,
            kinds: event.kinds,
            graceMs: event.graceMs ?? context.graceMs,
            heartbeatTimeoutMs: event.heartbeatTimeoutMs ?? null,
            lastReason: null,
            isDraining: false,
          }
        : {},
    ),
    /** What it had and does not work on any more goes back. */
    reconcile: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== "CONNECT") return;
      const running = new Set(event.running ?? []);
      const gone = Object.keys(context.taken).filter((assignment) => !running.has(assignment));
      for (const assignment of gone) enqueue.sendTo(actorRef(assignment), { type: "WORKER_LOST", reason: "it came back without it", cause: "worker" });
      enqueue.assign({ taken: Object.fromEntries(Object.entries(context.taken).filter(([assignment]) => running.has(assignment))) });
    }),
    watchSilence: enqueueActions(({ context, enqueue }) => {
      if (context.heartbeatTimeoutMs !== null) enqueue.raise({ type: "SILENT" }, { id: "silence", delay: context.heartbeatTimeoutMs });
    }),
    stopWatching: enqueueActions(({ context, enqueue }) => {
      if (context.heartbeatTimeoutMs !== null) enqueue.cancel("silence");
    }),
    recordLoss: assign(({ context, event }) => ({ losses: context.losses + 1, lastReason: event.type === "LOST" ? event.reason : "it did not start in time" })),
    recordAbsence: assign({ lastReason: ({ event }) => (event.type === "DETACHED" ? event.reason : event.type === "SILENT" ? "it said nothing for too long" : "the engine was away") }),
    recordEndOfGrace: assign(({ context }) => ({ losses: context.losses + 1, lastReason: `it did not come back within ${context.graceMs} ms: ${context.lastReason ?? ""}` })),
    recordNewLife: assign({ lastReason: "another process of it connected" }),
    recordSilence: assign(({ context, event }) => ({
      losses: context.losses + 1,
      lastReason: "it did not answer an offer in time",
      taken: event.type === "UNANSWERED" ? without(context, event.assignment) : context.taken,
    })),
    recordEngineStart: assign({ lastReason: "the engine was started anew" }),
    recordEngineStop: assign({ lastReason: "the engine was stopped" }),
    recordRetirement: assign({ lastReason: "it was retired" }),
    recordDrain: assign({ isDraining: true }),
    giveUpAssignments: enqueueActions(({ context, event, enqueue }) => {
      const reason = context.lastReason ?? "its worker is gone";
      for (const assignment of Object.keys(context.taken)) enqueue.sendTo(actorRef(assignment), { type: "WORKER_LOST", reason, cause: causes[event.type] ?? "worker" });
      enqueue.assign({ taken: {} });
    }),
  },
  delays: {
    startTimeout: 30_000,
    grace: ({ context }) => context.graceMs,
    restartDelay: ({ context }) => (context.isRemote ? forgottenAfterMs : backoffMs({ kind: "exponential", baseMs: 100, capMs: 30_000 }, Math.max(1, context.losses))),
  },
}).createMachine({
  id: "worker",
  meta: {
    senders: {
      CONNECT: "its process",
      READY: "its process",
      HEARTBEAT: "its process",
      DETACHED: "its transport",
      LOST: "its transport",
      SILENT: "itself",
      ENGINE_STARTED: "the dispatcher",
      ENGINE_STOPPED: "the dispatcher",
      TAKE: "assignment",
      RELEASE: "assignment",
      UNANSWERED: "assignment",
      DRAIN: "an operator",
      RETIRE: "the dispatcher",
    },
  },
  version: "1",
  description: "Carries out assignments, as many at a time as fit into its slots.",
  context: ({ input }) => ({
    name: input.name ?? "",
    transport: input.transport ?? "command",
    kinds: input.kinds ?? ["command"],
    isRemote: input.isRemote ?? false,
    owner: "",
    slots: input.slots,
    taken: {},
    incarnation: 0,
    losses: 0,
    lastReason: null,
    graceMs: input.graceMs ?? 30_000,
    heartbeatTimeoutMs: null,
    isDraining: false,
  }),
  initial: "starting",
  on: {
    RETIRE: { target: ".retired", actions: "recordRetirement" },
    ENGINE_STARTED: { guard: "isOurOwn", target: ".starting", actions: ["recordEngineStart", "giveUpAssignments"] },
    ENGINE_STOPPED: { guard: "isOurOwn", target: ".halted", actions: ["recordEngineStop", "giveUpAssignments"] },
    TAKE: { actions: "decline" },
    // Whatever life there was is over.
    CONNECT: { guard: "isRemote", target: ".active", actions: ["recordNewLife", "giveUpAssignments", "recordCard", "countIncarnation"] },
  },
  states: {
    starting: {
      description: "Its process was started and has not reported yet. It declines what is offered.",
      entry: ["countIncarnation", { type: "startProcess", params: ({ context }: { context: WorkerContext }) => ({ incarnation: context.incarnation, transport: context.transport }) }],
      on: {
        READY: { guard: "isThisIncarnation", target: "active" },
        LOST: { guard: "isThisIncarnation", target: "lost", actions: "recordLoss" },
      },
      after: { startTimeout: { target: "lost", actions: "recordLoss" } },
    },
    active: {
      description: "Takes assignments while slots are free. No limit of its own: each assignment has one.",
      entry: "watchSilence",
      exit: "stopWatching",
      on: {
        TAKE: [{ guard: "slotsAreFree", actions: ["takeSlots", "grant"] }, { actions: "decline" }],
        // An assignment that was given up frees its slot a second time: that is no sign that the worker is well.
        RELEASE: { guard: "holdsSlot", actions: "freeSlots" },
        HEARTBEAT: { guard: "isThisIncarnation", actions: "watchSilence" },
        CONNECT: [
          { guard: "isSameLife", target: "active", reenter: true, actions: ["reconcile", "recordCard"] },
          { guard: "isSameOwner", target: "active", reenter: true, actions: ["recordNewLife", "giveUpAssignments", "recordCard", "countIncarnation"] },
          // Somebody else speaks for it, and is there.
          { actions: [], guard: "isRemote" },
        ],
        DETACHED: { guard: "isThisIncarnation", target: "reconnecting", actions: "recordAbsence" },
        SILENT: { target: "reconnecting", actions: "recordAbsence" },
        LOST: { guard: "isThisIncarnation", target: "lost", actions: "recordLoss" },
        UNANSWERED: { guard: "holdsSlot", target: "lost", actions: "recordSilence" },
        DRAIN: { actions: "recordDrain" },
        ENGINE_STARTED: { guard: "isRemote", target: "reconnecting", actions: "recordAbsence" },
        ENGINE_STOPPED: { guard: "isRemote", target: "reconnecting", actions: "recordAbsence" },
      },
    },
    reconnecting: {
      description: "Nobody hears of it at the moment. What it has, it keeps for a while; it gets nothing new.",
      on: {
        RELEASE: { guard: "holdsSlot", actions: "freeSlots" },
        HEARTBEAT: { guard: "isThisIncarnation", target: "active" },
        CONNECT: [
          { guard: "isSameLife", target: "active", actions: ["reconcile", "recordCard"] },
          { guard: "isRemote", target: "active", actions: ["recordNewLife", "giveUpAssignments", "recordCard", "countIncarnation"] },
        ],
        LOST: { guard: "isThisIncarnation", target: "lost", actions: "recordLoss" },
        UNANSWERED: { guard: "holdsSlot", target: "lost", actions: "recordSilence" },
        // Its time to come back begins when there is somebody to come back to.
        ENGINE_STARTED: { guard: "isRemote", target: "reconnecting", reenter: true },
      },
      after: { grace: { target: "lost", actions: "recordEndOfGrace" } },
    },
    lost: {
      description: "Its process is gone. What it had goes back; one of our own is started again after a pause, a remote one may connect again.",
      entry: ["giveUpAssignments", { type: "stopProcess", params: ({ context }: { context: WorkerContext }) => ({ transport: context.transport }) }],
      after: {
        restartDelay: [{ guard: "isRemote", target: "retired", actions: "recordRetirement" }, { target: "starting" }],
      },
    },
    halted: {
      description: "The engine was closed. No limit: it begins again when the journal is next opened.",
      entry: { type: "stopProcess", params: ({ context }: { context: WorkerContext }) => ({ transport: context.transport }) },
    },
    retired: {
      type: "final",
      description: "It is not needed any more.",
      entry: ["giveUpAssignments", { type: "stopProcess", params: ({ context }: { context: WorkerContext }) => ({ transport: context.transport }) }],
    },
  },
});
