import { assign, setup } from "xstate";
import type { Failure } from "../src/domain/json.ts";

/**
 * The life of one engine. It runs in memory with the same step as every durable machine: where the engine refuses,
 * waits, probes or gives up, this chart says so.
 */
export interface EngineContext {
  /** Commits that failed in a row. */
  readonly failures: number;
  /** How long what is under way may take when the engine closes, in milliseconds. */
  readonly graceMs: number;
  readonly cause: Failure | null;
}

export type EngineEvent =
  | { readonly type: "RECOVERED" }
  | { readonly type: "COMMIT_FAILED"; readonly cause: Failure }
  | { readonly type: "COMMITTED" }
  | { readonly type: "FENCED"; readonly cause: Failure }
  | { readonly type: "CLOSE"; readonly graceMs: number }
  | { readonly type: "DRAINED" };

/** What the engine does on entry of a state. */
export const engineActions = ["recover", "probe", "drain", "suspend", "shutDown"] as const;

const probeFirstMs = 50;
const probeCapMs = 2_000;
const graceMs = 5_000;
const suspendMsMax = 5_000;

export const engine = setup({
  types: { context: {} as EngineContext, events: {} as EngineEvent },
  actions: {
    recover: () => {},
    probe: () => {},
    drain: () => {},
    suspend: () => {},
    shutDown: () => {},
    recordCause: assign(({ context, event }) => ("cause" in event ? { failures: context.failures + 1, cause: event.cause } : {})),
    recordGrace: assign(({ event }) => (event.type === "CLOSE" ? { graceMs: event.graceMs } : {})),
    forgetCause: assign({ failures: 0, cause: null }),
  },
  delays: {
    probeDelay: ({ context }) => Math.min(probeCapMs, probeFirstMs * 2 ** Math.max(0, context.failures - 1)),
    drainTimeout: ({ context }) => context.graceMs,
    suspendTimeout: suspendMsMax,
  },
}).createMachine({
  id: "engine",
  meta: { senders: { RECOVERED: "its recovery", CLOSE: "its host", COMMITTED: "its journal", COMMIT_FAILED: "its journal", FENCED: "its journal", DRAINED: "its loop" } },
  version: "1",
  description: "The life of one engine.",
  context: { failures: 0, graceMs, cause: null },
  initial: "recovering",
  on: { FENCED: { target: ".stopped", actions: "recordCause" } },
  states: {
    recovering: {
      description: "The journal is open; what was under way is being taken up again. Senders wait. No limit: it ends with the last page.",
      entry: "recover",
      on: { RECOVERED: "running", CLOSE: { target: "draining", actions: "recordGrace" }, COMMIT_FAILED: { target: "degraded", actions: "recordCause" } },
    },
    running: {
      description: "Turns are stepped and stored. No limit: it works until it is closed.",
      on: { COMMIT_FAILED: { target: "degraded", actions: "recordCause" }, CLOSE: { target: "draining", actions: "recordGrace" } },
    },
    degraded: {
      description: "The store refuses. Nothing is acknowledged; what the engine owes itself is kept and tried again.",
      after: { probeDelay: { target: "degraded", reenter: true, actions: "probe" } },
      on: {
        COMMITTED: { target: "running", actions: "forgetCause" },
        COMMIT_FAILED: { target: "degraded", reenter: true, actions: "recordCause" },
        CLOSE: { target: "draining", actions: "recordGrace" },
      },
    },
    draining: {
      description: "No new work is taken; what was accepted is stored, activities may end.",
      entry: "drain",
      after: { drainTimeout: "suspending" },
      on: { DRAINED: "stopped", COMMIT_FAILED: { target: "stopped", actions: "recordCause" } },
    },
    suspending: {
      description: "What is still under way is told to stop, and that it will begin again; then the journal is given up.",
      entry: "suspend",
      after: { suspendTimeout: "stopped" },
      on: { DRAINED: "stopped", COMMIT_FAILED: { target: "stopped", actions: "recordCause" } },
    },
    stopped: { description: "The claim is given up.", type: "final", entry: "shutDown" },
  },
});
