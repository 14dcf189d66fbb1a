import { assign, setup } from "xstate";
import type { Failure } from "../src/domain/json.ts";
import type { Strategy, Supervision } from "../src/domain/supervision.ts";

/**
 * Decides what happens to an actor whose transition threw. There is one per parent (or per actor that a host started),
 * made at its first failure; it remembers the failures, so that an intensity survives a restart.
 */
export interface SupervisorInput {
  readonly supervises: string;
}

export interface SupervisorContext {
  readonly supervises: string;
  /** Moments of the restarts within the window, in milliseconds since 1970. Invariant: at most restartsMax. */
  readonly restarts: ReadonlyArray<number>;
  readonly failures: number;
  readonly lastFailure: { readonly address: string; readonly failure: Failure; readonly at: number } | null;
}

export type SupervisorEvent = {
  readonly type: "ACTOR_FAILED";
  readonly address: string;
  /** The row id of the actor: another one may be at its address when the decision comes. */
  readonly actor?: number;
  readonly supervision: Supervision;
  readonly failure: Failure;
  readonly at: number;
};

/** What the engine does for this machine, within the same turn. */
export const supervisorActions = ["restartActor", "stopActor", "escalateFailure"] as const;

const strategyIs =
  (strategy: Strategy) =>
  ({ event }: { event: SupervisorEvent }) =>
    event.supervision.strategy === strategy;

type Failed = Pick<SupervisorEvent, "address" | "actor">;
const failed = ({ address, actor }: SupervisorEvent): Failed => (actor === undefined ? { address } : { address, actor });
const recent = (context: SupervisorContext, event: SupervisorEvent) => context.restarts.filter((at) => at > event.at - event.supervision.withinMs);

export const supervisor = setup({
  types: { input: {} as SupervisorInput, context: {} as SupervisorContext, events: {} as SupervisorEvent },
  guards: {
    resumes: strategyIs("resume"),
    stops: strategyIs("stop"),
    restartsWithinIntensity: ({ context, event }) => event.supervision.strategy === "restart" && recent(context, event).length < event.supervision.restartsMax,
  },
  actions: {
    recordFailure: assign(({ context, event }) => ({ failures: context.failures + 1, lastFailure: { address: event.address, failure: event.failure, at: event.at } })),
    recordRestart: assign({ restarts: ({ context, event }) => [...recent(context, event), event.at] }),
    forgetRestarts: assign({ restarts: [] }),
    restartActor: (_, _params: Failed & { scope: string }) => {},
    stopActor: (_, _params: Failed) => {},
    escalateFailure: (_, _params: Failed & { failure: Failure }) => {},
  },
}).createMachine({
  id: "supervisor",
  meta: { senders: { ACTOR_FAILED: "the engine" } },
  version: "1",
  description: "Decides what happens to an actor whose transition threw.",
  context: ({ input }) => ({ supervises: input.supervises, restarts: [], failures: 0, lastFailure: null }),
  initial: "supervising",
  states: {
    supervising: {
      description: "Restarts are counted within the window of the failing actor's machine. No limit: it is there for the next failure.",
      on: {
        ACTOR_FAILED: [
          { guard: "resumes", actions: "recordFailure" },
          { guard: "stops", actions: ["recordFailure", { type: "stopActor", params: ({ event }) => failed(event) }] },
          {
            guard: "restartsWithinIntensity",
            actions: ["recordFailure", "recordRestart", { type: "restartActor", params: ({ event }) => ({ ...failed(event), scope: event.supervision.scope }) }],
          },
          // "escalate", or a restart beyond the intensity
          { actions: ["recordFailure", "forgetRestarts", { type: "escalateFailure", params: ({ event }) => ({ ...failed(event), failure: event.failure }) }] },
        ],
      },
    },
  },
});
