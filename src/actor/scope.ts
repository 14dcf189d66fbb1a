import type { AnyActorLogic, AnyActorScope, ExecutableActionObject } from "xstate";
import { childAddress, systemAddress } from "../domain/address.ts";
import { ActorReference } from "./reference.ts";
import type { Child } from "./state.ts";

/**
 * What XState's core asks of its surroundings during a transition, answered without a running actor: actions are
 * recorded instead of executed, children are stubs, and ids come from a counter in the actor's state.
 * The underscored names are XState's own (5.33); the conformance test is the proof that this is all it touches.
 */
export interface Recorded {
  readonly actions: Array<ExecutableActionObject | SpawnedInAssign>;
  /** XState's transition objects, a list per microstep. Formatted only if somebody asks. */
  readonly microsteps: Array<RawMicrostep>;
}

export interface RawMicrostep {
  readonly event: { readonly type: string };
  readonly snapshot: { readonly value: unknown };
  readonly _transitions: ReadonlyArray<RawTransition>;
}

export interface RawNode {
  readonly id: string;
  readonly parent?: RawNode | undefined;
  readonly states: Readonly<Record<string, unknown>>;
}

export interface RawTransition {
  readonly source: RawNode;
  readonly eventType: string;
  readonly target?: ReadonlyArray<RawNode> | undefined;
  readonly guard?: unknown;
  readonly reenter: boolean;
}

/** A child that `spawn` made inside an `assign`: XState returns no action for it. */
export interface SpawnedInAssign {
  readonly type: "taskwright.spawned";
  readonly actor: SpawnedActor;
}

export interface SpawnedActor {
  readonly id: string;
  readonly src: unknown;
  readonly systemId?: string | undefined;
  readonly _syncSnapshot?: boolean | undefined;
  readonly options: { readonly input?: unknown };
}

interface Current extends Recorded {
  readonly self: ActorReference | undefined;
  readonly children: Readonly<Record<string, Child>>;
  nextId: number;
  lastCreated: SpawnedActor | undefined;
}

export interface StepSystem {
  readonly system: AnyActorScope["system"];
  /** The logic that stands in for every actor source of a machine, so that spawning runs none of its code. */
  readonly stub: AnyActorLogic;
  readonly record: (self: ActorReference, children: Readonly<Record<string, Child>>, firstId: number) => { scope: AnyActorScope; recorded: Recorded };
}

const noop = () => {};

export const makeStepSystem = (): StepSystem => {
  let current: Current = { actions: [], microsteps: [], self: undefined, children: {}, nextId: 0, lastCreated: undefined };
  const impure = (): never => {
    throw new Error("a transition is pure: events are sent with sendTo(), not by calling an actor");
  };
  // A transition sees the children of its own actor and nothing else of the system. Whom else a system id means is
  // known when the message is delivered.
  const childOf = (systemId: string): object => {
    for (const action of current.actions.toReversed()) {
      if (action.type === "taskwright.spawned") {
        if ((action as SpawnedInAssign).actor.systemId === systemId) return (action as SpawnedInAssign).actor;
      } else if (action.type === "xstate.spawnChild") {
        const { actorRef } = action.params as unknown as { actorRef: SpawnedActor };
        if (actorRef.systemId === systemId) return actorRef;
      }
    }
    for (const [id, child] of Object.entries(current.children)) {
      if (child.systemId === systemId && child.ended !== true && current.self !== undefined) return new ActorReference(childAddress(current.self.address, id), { id });
    }
    if (current.self === undefined) throw new Error(`system.get("${systemId}") was called outside of a transition`);
    return new ActorReference(systemAddress(current.self.address, systemId), { id: systemId });
  };
  const system = {
    _snapshot: { _scheduledEvents: {} },
    _bookId: () => `x:${current.nextId++}`,
    _register: (id: string) => id,
    _unregister: noop,
    _set: noop,
    _relay: impure,
    _sendInspectionEvent: (event: RawMicrostep & { type: string; actorRef: SpawnedActor & { _parent?: unknown } }) => {
      if (event.type === "@xstate.microstep") current.microsteps.push(event);
      // Actors announce themselves while they are made; those of inline logic may make their own.
      else if (event.type === "@xstate.actor" && event.actorRef._parent === current.self) current.lastCreated = event.actorRef;
    },
    get: childOf,
    getAll: () => ({}),
    inspect: () => ({ unsubscribe: noop }),
    scheduler: { schedule: noop, cancel: noop, cancelAll: noop },
    getSnapshot: () => ({ _scheduledEvents: {} }),
    start: noop,
    _clock: { setTimeout: () => 0, clearTimeout: noop },
    _logger: noop,
  } as unknown as AnyActorScope["system"];
  const stub = {
    transition: (snapshot: unknown) => snapshot,
    getInitialSnapshot: () => ({ status: "active", output: undefined, error: undefined }),
    getPersistedSnapshot: (snapshot: unknown) => snapshot,
    restoreSnapshot: (snapshot: unknown) => snapshot,
  } as unknown as AnyActorLogic;
  return {
    system,
    stub,
    record: (self, children, firstId) => {
      const recorded: Current = { actions: [], microsteps: [], self, children, nextId: firstId, lastCreated: undefined };
      current = recorded;
      const scope = {
        self,
        system,
        id: self.id,
        sessionId: self.sessionId,
        logger: noop,
        emit: noop,
        stopChild: noop,
        // Called by `spawn` inside an assign, right after it made the child: the only trace that XState leaves of it.
        defer: () => {
          if (recorded.lastCreated !== undefined) recorded.actions.push({ type: "taskwright.spawned", actor: recorded.lastCreated });
          recorded.lastCreated = undefined;
        },
        actionExecutor: (action: ExecutableActionObject) => {
          recorded.actions.push(action);
        },
      } as unknown as AnyActorScope;
      return { scope, recorded };
    },
  };
};
