import { assign, enqueueActions, fromPromise, setup } from "xstate";
import type { Failure } from "../src/domain/json.ts";
import { actorRef } from "../src/domain/reference.ts";

/**
 * One request for a new endpoint process. The host's driver starts it; it is known by the request that it names when it
 * attaches.
 *
 *   pending.driving ──done──▶ pending.awaited ──ATTACHED──▶ attached
 *   pending ──spawnTimeout──▶ timedOut          pending.driving ──error──▶ failed
 */
export interface SpawnInput {
  readonly request: string;
  /** The address of the endpoint that is to come. */
  readonly endpoint: string;
  /** What the driver is given, as it is. */
  readonly spec: unknown;
  readonly timeoutMs: number;
}

export interface SpawnContext extends SpawnInput {
  /** What the driver said of the process that it started. */
  readonly started: unknown;
  readonly failure: Failure | null;
}

export type SpawnEvent =
  /** Its endpoint named this request when it attached. */
  { readonly type: "ATTACHED" };

const failure = (code: string, message: string): Failure => ({ name: "SpawnFailed", code, message });

export const spawn = setup({
  types: { input: {} as SpawnInput, context: {} as SpawnContext, events: {} as SpawnEvent },
  actors: {
    /** The host's driver: it starts the process, and returns what it knows of it. */
    drive: fromPromise<unknown, { readonly request: string; readonly endpoint: string; readonly spec: unknown }>(async () => {
      throw new Error("no driver starts endpoint processes");
    }),
  },
  actions: {
    recordStart: assign((_, { started }: { readonly started: unknown }) => ({ started: started ?? null })),
    recordFailure: assign((_, { error }: { readonly error: unknown }) => ({ failure: failure("spawn_failed", (error as Failure).message) })),
    recordTimeout: assign({ failure: ({ context }) => failure("spawn_timed_out", `no endpoint attached for it within ${context.timeoutMs} ms`) }),
    tellEndpoint: enqueueActions(({ context, enqueue, self }) => {
      enqueue.sendTo(actorRef(context.endpoint), { type: "START_FAILED", spawn: self.sessionId, reason: context.failure?.message ?? "it did not start" });
    }),
  },
  delays: { spawnTimeout: ({ context }) => context.timeoutMs },
}).createMachine({
  id: "spawn",
  meta: { senders: { ATTACHED: "endpoint" } },
  version: "1",
  description: "One request for a new endpoint process.",
  context: ({ input }) => ({ ...input, started: null, failure: null }),
  initial: "pending",
  states: {
    pending: {
      description: "The process is to come.",
      initial: "driving",
      on: { ATTACHED: "attached" },
      after: { spawnTimeout: { target: "timedOut", actions: "recordTimeout" } },
      states: {
        driving: {
          description: "The driver starts the process.",
          invoke: {
            id: "drive",
            src: "drive",
            input: ({ context: { request, endpoint, spec } }) => ({ request, endpoint, spec }),
            onDone: { target: "awaited", actions: { type: "recordStart", params: ({ event }) => ({ started: event.output }) } },
            onError: { target: "#spawn.failed", actions: { type: "recordFailure", params: ({ event }) => ({ error: event.error }) } },
          },
        },
        awaited: { description: "The process was started and has not attached yet." },
      },
    },
    attached: { type: "final", description: "Its endpoint is there." },
    failed: { type: "final", description: "The driver could not start it.", entry: "tellEndpoint" },
    // One that attaches later is an endpoint as any other; nobody waits for it any more.
    timedOut: { type: "final", description: "Nobody attached in time.", entry: "tellEndpoint" },
  },
});
