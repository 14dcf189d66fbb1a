import { assign, setup } from "xstate";
import { backoffMs } from "../src/domain/retry.ts";

/**
 * A remote worker's link to its server, seen from the worker. It runs in the worker's process.
 *
 *   connecting ──REGISTERED──▶ attached ──BROKEN, silence──▶ waiting ──backoff, WAKE──▶ connecting
 *   connecting ──BROKEN, connectTimeout──▶ waiting          connecting ──REFUSED──▶ refused          any ──CLOSE──▶ closed
 */
export interface LinkInput {
  /** Milliseconds between two signs of life. */
  readonly heartbeatMs: number;
}

export interface LinkContext extends LinkInput {
  /** Attempts to connect that failed in a row. */
  readonly failures: number;
  /** Signs of life since the server was last heard. */
  readonly unheard: number;
  readonly reason: string | null;
}

export type LinkEvent =
  | { readonly type: "REGISTERED" }
  /** The server said something. */
  | { readonly type: "HEARD" }
  /** The connection is gone, or could not be made. */
  | { readonly type: "BROKEN"; readonly reason: string }
  /** The server will not have this worker, whenever it comes. */
  | { readonly type: "REFUSED"; readonly reason: string }
  /** There may be a network again. */
  | { readonly type: "WAKE" }
  | { readonly type: "CLOSE" };

/** What the client does for this machine. */
export const linkActions = ["connect", "disconnect", "sendHeartbeat", "leave"] as const;

/** Signs of life that may go unanswered. */
const unheardMax = 3;

export const link = setup({
  types: { input: {} as LinkInput, context: {} as LinkContext, events: {} as LinkEvent },
  guards: { isSilent: ({ context }) => context.unheard >= unheardMax },
  actions: {
    connect: () => {},
    disconnect: () => {},
    sendHeartbeat: () => {},
    leave: () => {},
    recordSuccess: assign({ failures: 0, unheard: 0, reason: null }),
    recordFailure: assign(({ context, event }) => ({ failures: context.failures + 1, reason: "reason" in event ? event.reason : "the server was silent" })),
    recordReason: assign(({ event }) => ("reason" in event ? { reason: event.reason } : {})),
    countHeartbeat: assign({ unheard: ({ context }) => context.unheard + 1 }),
    forgetSilence: assign({ unheard: 0 }),
  },
  delays: {
    connectTimeout: 10_000,
    heartbeat: ({ context }) => context.heartbeatMs,
    backoff: ({ context }) => backoffMs({ kind: "exponential", baseMs: 100, capMs: 10_000 }, Math.max(1, context.failures)),
  },
}).createMachine({
  id: "link",
  meta: { senders: { REGISTERED: "its server", HEARD: "its server", REFUSED: "its server", BROKEN: "its connection", WAKE: "its host", CLOSE: "its host" } },
  version: "1",
  description: "A remote worker's link to its server.",
  context: ({ input }) => ({ ...input, failures: 0, unheard: 0, reason: null }),
  initial: "connecting",
  on: { CLOSE: ".closed" },
  states: {
    connecting: {
      description: "Asks the server to be taken, with what it still works on.",
      entry: "connect",
      on: {
        REGISTERED: { target: "attached", actions: "recordSuccess" },
        BROKEN: { target: "waiting", actions: "recordFailure" },
        REFUSED: { target: "refused", actions: "recordReason" },
      },
      after: { connectTimeout: { target: "waiting", actions: "recordFailure" } },
    },
    attached: {
      description: "It is heard, and hears. No limit: it ends with the connection.",
      after: {
        heartbeat: [
          { guard: "isSilent", target: "waiting", actions: "recordFailure" },
          { target: "attached", reenter: true, actions: ["countHeartbeat", "sendHeartbeat"] },
        ],
      },
      on: {
        HEARD: { actions: "forgetSilence" },
        BROKEN: { target: "waiting", actions: "recordFailure" },
        // Its place was given to another process.
        REFUSED: { target: "refused", actions: "recordReason" },
      },
    },
    waiting: {
      description: "There is no connection. What it works on goes on; what it has to say is kept.",
      entry: "disconnect",
      on: { WAKE: "connecting" },
      after: { backoff: "connecting" },
    },
    refused: { type: "final", description: "The server will not have it.", entry: "disconnect" },
    closed: { type: "final", description: "It was closed by its host.", entry: ["leave", "disconnect"] },
  },
});
