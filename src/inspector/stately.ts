import type { Taskwright, Transition } from "../engine/index.ts";
import { parentAddress, treeOf } from "../domain/address.ts";
import { chartOf } from "../actor/index.ts";
import type { AnyStateMachine } from "xstate";

/** What `@statelyai/inspect` sends to its page: protocol version 0.4. */
export type StatelyEvent =
  | {
      readonly type: "@xstate.actor";
      readonly name: string;
      readonly sessionId: string;
      readonly parentId?: string;
      readonly rootId: string;
      readonly definition?: string;
      readonly snapshot: StatelySnapshot;
      readonly createdAt: string;
      readonly id: string;
      readonly _version: string;
    }
  | {
      readonly type: "@xstate.event";
      readonly event: { readonly type: string };
      readonly sourceId?: string;
      readonly sessionId: string;
      readonly rootId: string;
      readonly createdAt: string;
      readonly id: string;
      readonly _version: string;
    }
  | {
      readonly type: "@xstate.snapshot";
      readonly event: { readonly type: string };
      readonly snapshot: StatelySnapshot;
      readonly sessionId: string;
      readonly rootId: string;
      readonly createdAt: string;
      readonly id: string;
      readonly _version: string;
    };

export interface StatelySnapshot {
  readonly status: string;
  readonly value: unknown;
  readonly context: unknown;
}

const protocol = "0.4.0";

/**
 * Tells an inspector of Stately what the engine's actors do: hand it what its adapter sends (`adapter.send`, a
 * WebSocket, a broadcast channel). Each actor is told once, then its events and snapshots. Returns how to stop.
 */
export const statelyEvents = (engine: Pick<Taskwright, "observe">, send: (event: StatelyEvent) => void): (() => void) => {
  const known = new Set<string>();
  const definitions = new WeakMap<object, string>();
  return engine.observe(({ address, seq, at, from, event, state, status, machine }: Transition) => {
    const snapshot = state.snapshot as unknown as { readonly machine: AnyStateMachine; readonly value: unknown; readonly context: unknown };
    const told = { sessionId: address, rootId: treeOf(address), createdAt: String(at), _version: protocol };
    const seen: StatelySnapshot = { status, value: snapshot.value, context: snapshot.context };
    if (!known.has(address)) {
      known.add(address);
      let definition = definitions.get(snapshot.machine);
      if (definition === undefined) {
        definition = chartOf(snapshot.machine);
        definitions.set(snapshot.machine, definition);
      }
      const parentId = parentAddress(address);
      send({ type: "@xstate.actor", name: machine, ...(parentId === undefined ? {} : { parentId }), definition, snapshot: seen, id: `${address}#actor`, ...told });
    }
    send({ type: "@xstate.event", event, ...(from === "" ? {} : { sourceId: from }), id: `${address}#${seq}.event`, ...told });
    send({ type: "@xstate.snapshot", event, snapshot: seen, id: `${address}#${seq}.snapshot`, ...told });
    if (status !== "active") known.delete(address);
  });
};
