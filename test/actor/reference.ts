import { type AnyActorRef, type AnyMachineSnapshot, type AnyStateMachine, type AnyStateNode, initialTransition, transition } from "xstate";
import { inOrder } from "./plain.ts";

/** A side effect as XState's pure functions return it. */
interface Action {
  readonly type: string;
  readonly params: unknown;
}

interface Pending {
  readonly id: string;
  readonly due: number;
  readonly to: unknown;
  readonly event: unknown;
}
interface Armed extends Pending {
  /** The very actor that a delayed event is for. */
  readonly ref: unknown;
}

/** What both sides show of one actor after one event. */
export interface Shown {
  readonly children: ReadonlyArray<string>;
  readonly status: string;
  /** As JSON, for the order of regions matters. */
  readonly value: string;
  readonly context: unknown;
  readonly output: unknown;
  readonly error: unknown;
  readonly tags: ReadonlyArray<string>;
  readonly history: unknown;
  readonly timers: ReadonlyArray<Pending>;
  readonly commands: ReadonlyArray<unknown>;
  /** Children that `spawn` started inside an assign: XState names them nowhere but among the children. */
  readonly spawned: ReadonlyArray<unknown>;
}

/**
 * One actor as XState's own `initialTransition` and `transition` see it. Its timers are kept here, from the actions
 * alone, under the rule that a delayed id replaces the earlier one.
 */
export class Reference {
  readonly #machine: AnyStateMachine;
  readonly #logic: AnyStateMachine;
  readonly #parent: object = { id: "the parent", sessionId: "the parent", send: () => {} };
  readonly #timers = new Map<string, Armed>();
  /** Children that have completed and are still listed. */
  readonly #ended = new Set<string>();
  #unnamed = 0;
  #stepping = false;
  #snapshot: AnyMachineSnapshot | undefined;

  readonly #parentAddress: string | undefined;

  constructor(machine: AnyStateMachine, id: string, parentAddress: string | undefined) {
    this.#machine = machine;
    this.#parentAddress = parentAddress;
    // The scope that XState makes for its pure functions has a counted id and no parent: it gets ours.
    const placed = (scope: { self: object }) => {
      Object.assign(scope.self, { id, logic: this.#logic }, parentAddress === undefined ? {} : { _parent: this.#parent });
      return scope as never;
    };
    this.#logic = {
      ...machine,
      config: machine.config,
      // `transition` makes an actor only for its scope; the first state of that actor is never looked at.
      getInitialSnapshot: (scope: { self: object }, input: unknown) => (this.#stepping ? { status: "active" } : machine.getInitialSnapshot(placed(scope), input as never)),
      transition: (snapshot: unknown, event: unknown, scope: { self: object }) => machine.transition(snapshot as never, event as never, placed(scope)),
    } as unknown as AnyStateMachine;
  }

  get snapshot(): AnyMachineSnapshot {
    if (this.#snapshot === undefined) throw new Error("not started");
    return this.#snapshot;
  }

  start(input: unknown, at: number): Shown {
    const [snapshot, actions] = initialTransition(this.#logic, input as never);
    return this.#show({}, snapshot as AnyMachineSnapshot, actions as ReadonlyArray<Action>, at);
  }

  /** `fired` is the timer whose event this is. */
  step(event: { readonly type: string }, at: number, fired?: string): Shown {
    if (fired !== undefined) this.#timers.delete(fired);
    const before = this.snapshot;
    const ended = /^xstate\.(?:done|error)\.actor\.(.*)$/.exec(event.type)?.[1];
    if (ended !== undefined) this.#ended.add(ended);
    this.#stepping = true;
    const [snapshot, actions] = transition(this.#logic, before as never, event as never);
    this.#stepping = false;
    return this.#show(before.children, snapshot as AnyMachineSnapshot, actions as ReadonlyArray<Action>, at);
  }

  /** Whether some state takes the event, as XState's own selection says. */
  takes(event: { readonly type: string }): boolean {
    return this.#machine.getTransitionData(this.snapshot as never, event as never).length > 0;
  }

  /** The pending timer of this id, or the one with this number among those without an id. */
  timer(id: string | number): readonly [key: string, timer: Armed] | undefined {
    const key = typeof id === "string" ? id : [...this.#timers.keys()].filter((name) => name.startsWith(unnamed))[id];
    const timer = key === undefined ? undefined : this.#timers.get(key);
    return key === undefined || timer === undefined ? undefined : [key, timer];
  }

  /** A timer for another actor: XState delivers its event without a transition here. */
  /** Whether the actor that a delayed event is for still has its place. */
  isThere(timer: Armed): boolean {
    const to = timer.to as { readonly kind: string; readonly id: string };
    return to.kind !== "child" || this.snapshot.children[to.id] === timer.ref;
  }

  forget(key: string): Shown {
    this.#timers.delete(key);
    return this.#show(this.snapshot.children, this.snapshot, [], 0);
  }

  #show(childrenBefore: Readonly<Record<string, unknown>>, next: AnyMachineSnapshot, actions: ReadonlyArray<Action>, at: number): Shown {
    const snapshot = inDocumentOrder(next);
    this.#snapshot = snapshot;
    let commands: Array<Record<string, unknown>> = [];
    const named = new Set<string>();
    for (const action of actions) {
      const params = action.params as Record<string, unknown> | undefined;
      switch (action.type) {
        case "xstate.raise":
          if (typeof params?.delay === "number") commands.push(this.#arm(params, { kind: "self" }, at));
          break;
        case "xstate.sendTo": {
          const to = this.#targetOf(params?.to);
          commands.push(typeof params?.delay === "number" ? this.#arm(params, to, at) : { send: to, event: params?.event, ref: params?.to });
          break;
        }
        case "xstate.cancel":
          if (this.#timers.delete(String(params?.sendId))) commands.push({ cancel: params?.sendId });
          break;
        case "xstate.spawnChild": {
          const ref = params?.actorRef as AnyActorRef;
          named.add(ref.id);
          this.#ended.delete(ref.id);
          commands.push({ start: ref.id, src: params?.src, input: params?.input, systemId: params?.systemId });
          // What an entry action sent to the child that its state invokes is delivered when the child is there.
          commands = [...commands.filter((command) => command.ref !== ref || "start" in command), ...commands.filter((command) => command.ref === ref && !("start" in command))];
          break;
        }
        case "xstate.stopChild": {
          const ref = params as unknown as AnyActorRef | undefined;
          if (ref === undefined || this.#ended.delete(ref.id)) break;
          const from = commands.findLastIndex((command) => command.start === ref.id);
          // Started and stopped within one step: a live actor of that kind is never started.
          if (from >= 0) commands = commands.filter((command, index) => index < from || (command.start !== ref.id && (command.send as { id?: string } | undefined)?.id !== ref.id));
          else commands.push({ stop: ref.id });
          break;
        }
        case "xstate.emit":
          commands.push({ emit: params?.event });
          break;
        case "xstate.log":
          commands.push({ log: params?.value, label: params?.label });
          break;
        default:
          commands.push({ act: action.type, params });
      }
    }
    const over = snapshot.status !== "active";
    if (over) {
      for (const timer of this.#timers.values()) commands.push({ cancel: timer.id });
      this.#timers.clear();
    }
    const children = snapshot.children as Record<string, { src: unknown; options: { input?: unknown } }>;
    const fresh = Object.keys(children).filter((id) => !named.has(id) && children[id] !== childrenBefore[id]);
    for (const id of fresh) this.#ended.delete(id);
    return {
      children: over ? [] : Object.keys(children),
      status: snapshot.status,
      value: JSON.stringify(snapshot.value),
      context: snapshot.context,
      output: snapshot.output,
      error: snapshot.error instanceof Error ? { name: snapshot.error.name, message: snapshot.error.message } : snapshot.error,
      tags: [...snapshot.tags].sort(),
      history: Object.fromEntries(Object.entries(snapshot.historyValue as Record<string, ReadonlyArray<{ id: string }>>).map(([id, nodes]) => [id, nodes.map((node) => node.id)])),
      timers: [...this.#timers.values()].map(({ ref: _, ...timer }) => timer),
      commands: commands.map(({ ref: _, ...command }) => command),
      spawned: over ? [] : fresh.map((id) => ({ start: id, src: children[id]?.src, input: children[id]?.options.input })),
    };
  }

  #targetOf(to: unknown): unknown {
    const ref = to as { id: string; logic?: unknown; address?: string };
    if (to === this.#parent || (ref.address !== undefined && ref.address === this.#parentAddress)) return { kind: "parent" };
    if (ref.logic === this.#logic) return { kind: "self" };
    if (ref.address !== undefined) return { kind: "address", address: ref.address };
    return { kind: "child", id: ref.id };
  }

  #arm(params: Record<string, unknown>, to: unknown, at: number): Record<string, unknown> {
    const key = params.id === undefined ? `${unnamed}${this.#unnamed++}` : String(params.id);
    const id = params.id === undefined ? unnamed : key;
    this.#timers.delete(key);
    this.#timers.set(key, { id, due: at + Math.max(0, params.delay as number), to, event: params.event, ref: params.to });
    return { arm: id, due: at + Math.max(0, params.delay as number) };
  }
}

const unnamed = "(unnamed) ";

/** The configuration as XState has it after a restart from a value in document order. */
export const inDocumentOrder = (snapshot: AnyMachineSnapshot): AnyMachineSnapshot =>
  ({
    ...snapshot,
    _nodes: [...(snapshot as unknown as { _nodes: ReadonlyArray<AnyStateNode> })._nodes].sort((left, right) => left.order - right.order),
    value: inOrder(snapshot.value, snapshot.machine.root),
  }) as AnyMachineSnapshot;
