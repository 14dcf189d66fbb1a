import { type AnyActorRef, type AnyMachineSnapshot, type AnyStateMachine, type AnyStateNode, createActor, type StateValue } from "xstate";
import { performed, placeOf } from "./build.ts";
import { Clock } from "./clock.ts";

/** What XState keeps for itself, as far as the shims need it. */
interface Inner {
  readonly id: string;
  readonly logic: unknown;
  readonly options: { readonly input?: unknown };
  readonly _parent?: Inner;
  readonly _processingStatus: 0 | 1 | 2;
  readonly _deferred: Array<() => void>;
  readonly _actorScope: { readonly stopChild: (child: Inner) => void; actionExecutor: (action: Action) => void };
  readonly _stop: () => void;
  readonly getSnapshot: () => AnyMachineSnapshot;
  readonly system: {
    _relay: (source: Inner | undefined, target: Inner, event: Told) => void;
    readonly scheduler: { schedule: (source: Inner, target: Inner, event: Told, delay: number, id?: string) => void; readonly cancel: (source: Inner, id: string) => void };
  };
}
interface Action {
  readonly type: string;
  readonly params: unknown;
}
interface Told {
  readonly type: string;
  readonly n?: unknown;
}

interface StateNode {
  readonly order: number;
}
/** The active states of a snapshot as XState keeps them. */
interface Nodes {
  _nodes?: ReadonlyArray<StateNode>;
  value: StateValue;
  tags: Set<string>;
}

const inOrder = ({ states }: AnyStateNode, value: StateValue): StateValue =>
  typeof value === "string"
    ? value
    : Object.fromEntries(
        Object.keys(states)
          .filter((key) => key in value)
          .map((key) => [key, inOrder(states[key] as AnyStateNode, value[key] as StateValue)]),
      );

/** Where a durable actor differs on purpose, counted as the live one is made to do the same. */
export type Difference =
  | "regions in document order"
  | "states that are left out"
  | "delayed id again"
  | "stale completion"
  | "second child with the id of a living one"
  | "reference to a later child"
  | "child that the first state starts and stops";

/**
 * The machine as a live XState actor with its children, on a simulated clock. Where a durable actor differs on purpose
 * (docs/internals/decisions/0010-where-we-differ-from-xstate.md) the live one is made to do the same, in its
 * surroundings; nothing of XState's own steps is changed:
 * - the states of regions are put into document order after each step, and those that were left out are added,
 * - a delayed event with an id that waits already takes its place,
 * - completions of children that were stopped or replaced are dropped,
 * - a second child with the id of a living one stops it,
 * - what is sent to a child that is over goes to the one that has its place,
 * - the children of a first state start in the order in which they were made; one that was stopped since never does,
 * - what is due in the same millisecond comes by the start of its actor (`clock.ts`).
 * Where a machine throws, a live actor ends and a durable one goes on: there the comparison ends. Nobody generates
 * children without an id, system ids, and callback, observable and transition actors yet: a new kind of action is a name
 * in `chart.ts`, a case in `build.ts`, and is then demanded by `coverage.ts`.
 */
export class Oracle {
  readonly clock = new Clock();
  readonly root: Inner;
  readonly emitted = new Map<string, Array<unknown>>();
  readonly logged = new Map<string, Array<unknown>>();
  readonly heard: Array<unknown> = [];
  readonly reached = new Set<Difference>();
  /** What a machine threw: a durable actor stays where it was then, so the comparison ends there. */
  threw: unknown;
  readonly #started = new Map<Inner, number>();
  /** The latest actor of each id below its parent. */
  readonly #latest = new Map<Inner, Map<string, Inner>>();
  /** The latest that began. */
  readonly #present = new Map<Inner, Map<string, Inner>>();
  readonly #children = new Map<Inner, Array<Inner>>();
  readonly #sentBy = new WeakMap<object, Inner>();
  /** Events that an actor's own timer tells it. */
  readonly #byTimer = new WeakMap<object, Inner>();
  /** Children that were stopped or replaced: as soon as that is decided, not when it is done. */
  readonly #gone = new WeakSet<Inner>();
  /** Events that were sent by reference to a child that was gone: they are for whoever has its place. */
  readonly #byAddress = new WeakSet<object>();
  /** Events for the very child that they were sent to. */
  readonly #forThis = new WeakMap<object, Inner>();

  constructor(machines: ReadonlyArray<AnyStateMachine>, input: unknown) {
    for (const machine of machines) this.#listen(machine);
    performed.clear();
    const root = createActor(machines[0] as AnyStateMachine, {
      id: "1",
      input: input as never,
      clock: this.clock,
      logger: (...words: ReadonlyArray<unknown>) => {
        const value = words.at(-1) as { by: string };
        listAt(this.logged, value.by).push(words);
      },
      inspect: (inspected) => {
        const actor = inspected.actorRef as unknown as Inner;
        if (inspected.type === "@xstate.actor") this.#made(actor);
        if (inspected.type === "@xstate.event" && inspected.event.type === "xstate.init" && !this.#started.has(actor)) this.#begins(actor);
      },
    });
    this.root = root as unknown as Inner;
    this.#settle(this.root.system);
    root.subscribe({ error: () => {} });
    root.start();
  }

  at(place: string): AnyActorRef {
    let actor = this.root as unknown as AnyActorRef;
    for (const id of place.split("/").slice(1)) actor = (actor.getSnapshot() as AnyMachineSnapshot).children[id] as AnyActorRef;
    return actor;
  }

  /** Whether some state of the actor takes the event, as XState's own selection says. */
  takes(place: string, event: Told): boolean {
    const snapshot = this.at(place).getSnapshot() as AnyMachineSnapshot;
    return snapshot.status === "active" && snapshot.machine.getTransitionData(snapshot as never, event as never).length > 0;
  }

  send(place: string, event: Told): void {
    this.at(place).send(event as never);
  }

  complete(place: string, output: unknown, error: Error | undefined): void {
    this.send(place, (error === undefined ? { type: "xstate.promise.resolve", data: output } : { type: "xstate.promise.reject", data: error }) as never);
  }

  /** Who is running, promises included. */
  get running(): ReadonlyArray<string> {
    return [...this.#started.keys()]
      .filter((actor) => actor._processingStatus === 1)
      .map(placeOf)
      .sort();
  }

  /** What the actors show, from the root down. */
  get look(): unknown {
    return this.#lookOf(this.root);
  }

  #lookOf(actor: Inner): unknown {
    const snapshot = actor.getSnapshot();
    const { status } = snapshot;
    if (!("machine" in snapshot)) return { input: (actor.options as { input?: unknown }).input };
    return {
      status,
      value: snapshot.value,
      context: snapshot.context,
      output: snapshot.output,
      error: snapshot.error instanceof Error ? snapshot.error.message : snapshot.error,
      tags: [...snapshot.tags].sort(),
      children:
        status === "active"
          ? Object.fromEntries(Object.values(snapshot.children as unknown as Record<string, Inner>).map((child) => [child.id, child.getSnapshot().status === "active" ? this.#lookOf(child) : "over"]))
          : {},
    };
  }

  #listen(machine: AnyStateMachine): void {
    const logic = machine as unknown as {
      transition: (snapshot: AnyMachineSnapshot, event: Told, scope: { self: Inner }) => AnyMachineSnapshot;
      getInitialSnapshot: (scope: unknown, input: unknown) => AnyMachineSnapshot;
      start: (snapshot: AnyMachineSnapshot) => void;
    };
    const { transition, getInitialSnapshot } = Object.getPrototypeOf(machine) as typeof logic;
    logic.getInitialSnapshot = (scope, input) => {
      const snapshot = getInitialSnapshot.call(logic, scope, input);
      if (snapshot.status === "error") this.threw ??= snapshot.error;
      this.#stopUnwanted((scope as { self: Inner }).self, snapshot);
      return this.#ordered(snapshot);
    };
    // The children of a first state begin in the order in which they were made, also those that are over at once.
    logic.start = (snapshot) => {
      const children = new Set(Object.values(snapshot.children as unknown as Record<string, Inner>));
      const [child] = children;
      for (const made of this.#children.get(child?._parent as Inner) ?? []) if (children.has(made)) (made as unknown as AnyActorRef).start();
    };
    logic.transition = (snapshot, event, scope) => {
      const child = this.#sentBy.get(event);
      if (child !== undefined && (snapshot.children as unknown as Record<string, Inner>)[child.id] !== child) {
        this.reached.add("stale completion");
        return snapshot;
      }
      if (!event.type.startsWith("xstate.") && this.#byTimer.get(event) !== scope.self) this.heard.push([placeOf(scope.self), event.type, event.n]);
      try {
        return this.#ordered(transition.call(logic, snapshot, event, scope));
      } catch (error) {
        this.threw ??= error;
        throw error;
      }
    };
  }

  /** In a first state XState starts a child that was spawned in an assign also when it was stopped since. */
  #stopUnwanted(parent: Inner, snapshot: AnyMachineSnapshot): void {
    for (const child of this.#children.get(parent) ?? []) {
      if (child._processingStatus !== 0 || (snapshot.status === "active" && (snapshot.children as unknown as Record<string, Inner>)[child.id] === child)) continue;
      this.reached.add("child that the first state starts and stops");
      child._stop();
    }
  }

  #ordered(snapshot: AnyMachineSnapshot): AnyMachineSnapshot {
    const own = snapshot as unknown as Nodes;
    if (own._nodes === undefined) return snapshot;
    const { value, context, machine } = snapshot;
    const restored = machine.resolveState({ value, context } as never) as unknown as Required<Nodes>;
    const nodes = [...restored._nodes].sort((left, right) => left.order - right.order);
    const known = own._nodes;
    const ordered = inOrder(machine.root, value);
    if (JSON.stringify(ordered) === JSON.stringify(value) && nodes.length === known.length && nodes.every((node, index) => node === known[index])) return snapshot;
    this.reached.add(nodes.length === known.length && nodes.every((node) => known.includes(node)) ? "regions in document order" : "states that are left out");
    own._nodes = nodes;
    own.value = ordered;
    own.tags = restored.tags;
    return snapshot;
  }

  /** An actor is made: what it emits is heard, and it takes the place of a living one with its id. */
  #made(actor: Inner): void {
    const place = placeOf(actor);
    (actor as unknown as AnyActorRef).on("*", (event) => void listAt(this.emitted, place).push(event));
    this.#watchActions(actor);
    const parent = actor._parent;
    if (parent === undefined) return;
    const siblings = this.#latest.get(parent) ?? new Map<string, Inner>();
    this.#latest.set(parent, siblings);
    this.#children.set(parent, [...(this.#children.get(parent) ?? []), actor]);
    const old = siblings.get(actor.id);
    siblings.set(actor.id, actor);
    // XState forgets the children of a child that is to be stopped before that one has heard what was sent to it: only
    // an order to stop this very actor counts.
    if (old === undefined || this.#gone.has(old)) return;
    this.#gone.add(old);
    if (old._processingStatus === 1) {
      this.reached.add("second child with the id of a living one");
      parent._deferred.push(() => parent._actorScope.stopChild(old));
    } else if (old._processingStatus === 0) old._stop();
  }

  #watchActions(actor: Inner): void {
    const { _actorScope: scope } = actor;
    const execute = scope.actionExecutor;
    scope.actionExecutor = (action) => {
      if (action.type === "xstate.stopChild" && action.params !== undefined) this.#gone.add(action.params as Inner);
      if (action.type === "xstate.sendTo") {
        const params = action.params as { to: Inner; event: Told; readonly delay?: number };
        if (typeof params.to === "object" && this.#gone.has(params.to)) {
          // A deadline is for the child that has the place when it is set; where none has, for whoever has it when it is due.
          const heir = params.delay !== undefined && params.to._parent === actor ? this.#latest.get(actor)?.get(params.to.id) : undefined;
          if (heir !== undefined && !this.#gone.has(heir)) {
            this.reached.add("reference to a later child");
            params.to = heir;
          } else this.#byAddress.add((params.event = { ...params.event }));
        }
      }
      execute(action);
    };
  }

  #begins(actor: Inner): void {
    this.#started.set(actor, this.#started.size);
    const parent = actor._parent;
    if (parent !== undefined) this.#present.set(parent, (this.#present.get(parent) ?? new Map()).set(actor.id, actor));
  }

  #settle(system: Inner["system"]): void {
    const relay = system._relay;
    const { scheduler } = system;
    const { schedule } = scheduler;
    system._relay = (source, target, event) => {
      if (source !== undefined && /^xstate\.(?:done|error)\.actor\./.test(event.type)) this.#sentBy.set(event, source);
      const isForThis = this.#forThis.get(event) === target || (target._parent === source && source !== undefined && !this.#byAddress.has(event));
      relay(source, isForThis ? target : this.#resolved(target), event);
    };
    const ids = new Map<Inner, Set<string>>();
    scheduler.schedule = (source, target, event, delay, id) => {
      const own = { ...event };
      const isByAddress = this.#byAddress.has(event);
      if (isByAddress) this.#byAddress.add(own);
      if (source === target) this.#byTimer.set(own, target);
      if (target._parent === source && !isByAddress) this.#forThis.set(own, target);
      if (id !== undefined) {
        const known = ids.get(source) ?? new Set();
        ids.set(source, known);
        if (known.has(id)) {
          this.reached.add("delayed id again");
          scheduler.cancel(source, id);
        }
        known.add(id);
      }
      this.clock.setter = this.#started.get(source) ?? 0;
      schedule(source, target, own, delay, id);
    };
  }

  /** A reference is an address: whoever has the place is meant. */
  #resolved(actor: Inner): Inner {
    const parent = actor._parent;
    if (parent === undefined || actor._processingStatus !== 2) return actor;
    const latest = this.#present.get(this.#resolved(parent))?.get(actor.id) ?? actor;
    if (latest !== actor) this.reached.add("reference to a later child");
    return latest;
  }
}

export const listAt = (map: Map<string, Array<unknown>>, place: string): Array<unknown> => {
  const list = map.get(place) ?? [];
  map.set(place, list);
  return list;
};
