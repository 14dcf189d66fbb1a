import * as Effect from "effect/Effect";
import { type AnyStateMachine, assign, enqueueActions } from "xstate";
import { assignment } from "../../machines/assignment.ts";
import { endpoint } from "../../machines/endpoint.ts";
import { task } from "../../machines/task.ts";
import { actorRef } from "../../src/domain/reference.ts";
import type { Run } from "../../src/domain/task.ts";
import { emptyTurn, type Journal } from "../../src/journal/index.ts";
import type { SimProcess } from "./process.ts";
import type { World } from "./world.ts";

/** A bug on purpose: in the store as the engine sees it, or in a machine. */
export interface Planted {
  readonly says: string;
  readonly journal?: (journal: Journal, world: World, process: SimProcess) => Journal;
  /** By their ids, in the place of the sound ones; of `implementations` only what is named is another one. */
  readonly machines?: Readonly<Record<string, AnyStateMachine>>;
  readonly implementations?: Readonly<Record<string, Parameters<AnyStateMachine["provide"]>[0]>>;
}

const leaking = assignment.provide({
  actions: {
    freeSlot: enqueueActions(({ context, self, enqueue }) => {
      if (context.outcome !== "timedOut") enqueue.sendTo(actorRef(context.worker), { type: "RELEASE", assignment: self.sessionId });
    }),
  },
});

/** The buffer of an endpoint is emptied with the order to push it, not when that was done. */
export const losing = endpoint.provide({
  actions: {
    sendBuffer: enqueueActions(({ context, enqueue }) => {
      const { connection, buffer } = context;
      enqueue({ type: "pushBuffer", params: { connection, offers: buffer.map(({ assignment, message }) => ({ assignment, message })) } } as never);
      enqueue.assign({ buffer: [], pushed: [] });
    }),
  },
});

const forgetting = assignment.provide({ actions: { recordCancel: assign({}) } });

/** The simulator must find each of these within 200 seeds, or it is blind. */
export const planted = {
  acknowledgeBeforeCommit: {
    says: "the engine is told that a turn is stored, and it is stored a little later",
    journal: (journal, world, process) => {
      let isBehind = 0;
      return {
        ...journal,
        commit: (turn) =>
          Effect.sync(() => {
            isBehind = Math.max(isBehind, world.now) + 5;
            world.later(process, isBehind - world.now, () => Effect.runFork(Effect.ignore(journal.commit(turn))));
          }),
      };
    },
  },
  skipEpochCheck: {
    says: "an owner that was taken over goes on writing",
    journal: (journal, world, process) => ({
      ...journal,
      commit: (turn) =>
        Effect.catchTag(journal.commit(turn), "JournalFenced", (error) => {
          const store = world.store.memory;
          if (store === undefined || store.refuses(turn) !== undefined) return Effect.fail(error);
          store.apply(turn);
          world.checker.afterCommit(process.epoch);
          return Effect.void;
        }),
    }),
  },
  dedupeAfterApply: {
    says: "an event is applied before it is known whether its key was seen",
    journal: (journal) => ({ ...journal, keys: () => Effect.succeed([]) }),
  },
  timerDeletedBeforeItsTurn: {
    says: "a due timer is struck off before the turn that it is for is stored",
    journal: (journal) => ({
      ...journal,
      due: (until, limit) =>
        Effect.tap(journal.due(until, limit), (rows) =>
          rows.length === 0 ? Effect.void : Effect.ignore(journal.commit({ ...emptyTurn, wakes: rows.map(({ actor }) => ({ actor, due: undefined })) })),
        ),
    }),
  },
  retryOnUnknown: {
    says: "a turn whose commit failed is run again, although it turned out to be stored",
    journal: (journal, _world, process) => ({ ...journal, reopen: Effect.map(journal.reopen, (counters) => (process.doubt === "stored" ? { ...counters, history: 0 } : counters)) }),
  },
  budgetCountedTwice: {
    says: "a failed attempt is counted twice",
    machines: {
      task: task.provide({
        actions: {
          recordRun: assign(({ context, event }) => {
            const { outcome, reported } = (event as unknown as { readonly output: Run }).output;
            const failures = context.failures + (outcome === "failed" || outcome === "timedOut" ? 2 : 0);
            return {
              run: { outcome, reported },
              failures,
              losses: context.losses + (outcome === "lost" ? 1 : 0),
              delayMs: failures >= context.spec.retry.attemptsMax ? null : 500,
              failure: { name: "TaskFailed", message: "it failed" },
            };
          }),
        },
      }),
    },
  },
  cancelNotStored: {
    says: "that a running task is not wanted any more is said, but not stored",
    machines: { task: task.provide({ actions: { intendCancel: assign({}) }, actors: { assignment: forgetting } }), assignment: forgetting },
  },
  outboxRowOutsideItsTransaction: {
    says: "what an outbox takes is stored a little later than the transition that sent it",
    journal: (journal, world, process) => ({
      ...journal,
      commit: (turn) => {
        const stores = turn.entries.filter(({ write }) => write === "store");
        if (stores.length === 0) return journal.commit(turn);
        const rest = turn.entries.filter(({ write }) => write !== "store");
        return Effect.tap(journal.commit({ ...turn, entries: rest }), () =>
          Effect.sync(() => void world.later(process, 5, () => Effect.runFork(Effect.ignore(journal.commit({ ...emptyTurn, entries: stores }))))),
        );
      },
    }),
  },
  slotLeakedOnTimeout: {
    says: "a command that timed out keeps its slot",
    machines: { task: task.provide({ actors: { assignment: leaking } }), assignment: leaking },
  },
  bufferDeletedBeforePush: {
    says: "what was kept for an endpoint is deleted before it was pushed",
    machines: { endpoint: losing },
  },
  cursorNotMoved: {
    says: "what the handler of an inbox has carried out is not counted as applied",
    implementations: { inbox: { actions: { moveCursor: assign({ handling: null }) } } },
  },
  runForgottenAtItsStart: {
    says: "a schedule takes its run for ended as soon as it has begun",
    implementations: { schedule: { actions: { countStart: assign({ current: null }) } } },
  },
} as const satisfies Readonly<Record<string, Planted>>;

export type PlantedName = keyof typeof planted;
export const plantedNames = Object.keys(planted) as ReadonlyArray<PlantedName>;
export const plantedOf = (name: PlantedName): Planted => planted[name];
