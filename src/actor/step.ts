import type { AnyMachineSnapshot, ExecutableActionObject } from "xstate";
import { type Address, childAddress } from "../domain/address.ts";
import type { Outcome } from "../domain/envelope.ts";
import type { EngineEvent, Event } from "../domain/event.ts";
import { type Failure, NotJson, type NormalizeOptions, normalize, RevivedError } from "../domain/json.ts";
import type { Command, Target } from "./command.ts";
import type { Definition } from "./definition.ts";
import { ActorReference } from "./reference.ts";
import type { RawMicrostep, Recorded, SpawnedActor, SpawnedInAssign } from "./scope.ts";
import { type ActorState, type Child, selfReference, type Timer } from "./state.ts";

/** What one event did to one actor. */
export interface Step {
  readonly state: ActorState;
  readonly commands: ReadonlyArray<Command>;
  readonly outcome: Outcome;
  /** How it got there, microstep by microstep, for `traceOf`. */
  readonly microsteps: ReadonlyArray<RawMicrostep>;
}

/** A guard, assign, delay or expression threw, or made something that can't be stored. The actor did not move. */
export class TransitionFailed extends Error {
  readonly address: Address;
  readonly machine: string;
  readonly eventType: string;
  constructor(address: Address, machine: string, eventType: string, cause: unknown) {
    super(`${address}: the transition on "${eventType}" failed: ${messageOf(cause)}`, { cause });
    this.name = "TransitionFailed";
    this.address = address;
    this.machine = machine;
    this.eventType = eventType;
  }
}

const messageOf = (cause: unknown): string => {
  try {
    return cause instanceof Error ? cause.message : String(cause);
  } catch {
    return "something that can't be shown as text was thrown";
  }
};

/** The first state of a new actor. `token` continues a counter when the actor starts again under its old address. */
export const start = (definition: Definition, address: Address, parent: Address | undefined, input: unknown, at: number, tokens = 0): Step => {
  const self = selfReference(definition, address, parent);
  const { scope, recorded } = definition.system.record(self, tokens);
  let snapshot: AnyMachineSnapshot;
  try {
    snapshot = definition.machine.getInitialSnapshot(scope, input as never) as AnyMachineSnapshot;
  } catch (cause) {
    throw new TransitionFailed(address, definition.id, "taskwright.start", cause);
  }
  if (snapshot.status === "error") throw new TransitionFailed(address, definition.id, "taskwright.start", snapshot.error);
  return conclude(definition, { self, snapshot, children: {}, timers: {}, tokens }, snapshot, recorded, "taskwright.start", at, "handled");
};

/**
 * One event, one actor, no clock, no I/O. Throws `TransitionFailed`; the state it was given is untouched.
 * `at` is the moment of the event in milliseconds since 1970: deadlines are counted from it.
 */
export const step = (definition: Definition, state: ActorState, event: Event | EngineEvent, at: number): Step => {
  if (state.snapshot.status !== "active") return unmoved(state, "ended");
  let base = state;
  let told: { readonly type: string };
  switch (event.type) {
    case "taskwright.timer": {
      const { id, token } = event as Extract<EngineEvent, { type: "taskwright.timer" }>;
      const timer = state.timers[id];
      if (timer === undefined || timer.token !== token) return unmoved(state, "stale");
      base = { ...state, timers: without(state.timers, id) };
      const due = timer.event ?? { type: nameInXState(id) };
      if (timer.to !== undefined && timer.to.kind !== "self") return { state: base, commands: [{ type: "send", to: timer.to, event: due }], outcome: "handled", microsteps: [] };
      told = due;
      break;
    }
    case "taskwright.done":
    case "taskwright.error": {
      const completion = event as Extract<EngineEvent, { type: "taskwright.done" | "taskwright.error" }>;
      const child = state.children[completion.child];
      if (child === undefined || child.token !== completion.token || child.ended === true) return unmoved(state, "stale");
      base = { ...state, children: { ...state.children, [completion.child]: { ...child, ended: true } } };
      told = completionInXState(completion);
      break;
    }
    case "taskwright.fail":
      return failed(state, (event as Extract<EngineEvent, { type: "taskwright.fail" }>).error);
    case "taskwright.restart":
      return restarted(definition, state, (event as Extract<EngineEvent, { type: "taskwright.restart" }>).input, at);
    case "taskwright.stop":
      told = { type: "xstate.stop" };
      break;
    default:
      told = event;
  }
  const { scope, recorded } = definition.system.record(state.self, state.tokens);
  let next: AnyMachineSnapshot;
  try {
    next = definition.machine.transition(state.snapshot as never, told as never, scope) as AnyMachineSnapshot;
  } catch (cause) {
    throw new TransitionFailed(state.self.address, definition.id, event.type, cause);
  }
  const outcome = next.status !== "active" || recorded.microsteps.some((microstep) => microstep._transitions.length > 0) ? "handled" : "ignored";
  if (next === state.snapshot && recorded.actions.length === 0) return { state: base, commands: [], outcome, microsteps: recorded.microsteps };
  return conclude(definition, base, next, recorded, event.type, at, outcome);
};

const unmoved = (state: ActorState, outcome: Outcome): Step => ({ state, commands: [], outcome, microsteps: [] });

const stopped = (state: ActorState): ReadonlyArray<Command> =>
  Object.entries(state.children).flatMap(([id, child]) => (child.ended === true ? [] : [{ type: "child.stop" as const, id, token: child.token }]));

/** The supervisor gave the actor up: it ends in error with everything that it had under way. */
const failed = (state: ActorState, error: Failure): Step => ({
  state: { ...state, snapshot: { ...state.snapshot, status: "error", error, children: {} } as AnyMachineSnapshot, children: none, timers: none },
  commands: stopped(state),
  outcome: "handled",
  microsteps: [],
});

/** The supervisor lets the actor begin again: its children end, tokens go on, so that nothing old is taken for new. */
const restarted = (definition: Definition, state: ActorState, input: unknown, at: number): Step => {
  const { address, _parent } = state.self;
  const fresh = start(definition, address, _parent?.address, input, at, state.tokens);
  return { ...fresh, commands: [...stopped(state), ...fresh.commands] };
};

const completionInXState = (completion: Extract<EngineEvent, { type: "taskwright.done" | "taskwright.error" }>) =>
  completion.type === "taskwright.done"
    ? { type: `xstate.done.actor.${completion.child}`, output: completion.output, actorId: completion.child }
    : { type: `xstate.error.actor.${completion.child}`, error: new RevivedError(completion.error), actorId: completion.child };

/** Turns what XState recorded into commands, and its snapshot into a state that survives JSON. */
const conclude = (definition: Definition, base: ActorState, snapshot: AnyMachineSnapshot, recorded: Recorded, eventType: string, at: number, outcome: Outcome): Step => {
  const draft = new Draft(definition, base, at);
  try {
    for (const action of recorded.actions) draft.add(action);
    const context = draft.clean(snapshot.context, base.snapshot.context, "context");
    const output = snapshot.output === undefined ? undefined : draft.clean(snapshot.output, undefined, "output");
    draft.checkBounds();
    const over = snapshot.status !== "active";
    const children = over ? none : draft.children;
    const refs = children === base.children && snapshot !== base.snapshot && sameKeys(snapshot.children, base.snapshot.children) ? base.snapshot.children : draft.references(children);
    const clean = snapshot.context === context && snapshot.children === refs && snapshot.output === output ? snapshot : ({ ...snapshot, context, children: refs, output } as AnyMachineSnapshot);
    return { state: { self: base.self, snapshot: clean, children, timers: over ? none : draft.timers, tokens: draft.tokens }, commands: draft.commands, outcome, microsteps: recorded.microsteps };
  } catch (cause) {
    throw new TransitionFailed(base.self.address, definition.id, eventType, cause);
  }
};

const none: Readonly<Record<string, never>> = Object.freeze({});

const sameKeys = (left: object, right: object): boolean => {
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => key in right);
};

const without = <A>(record: Readonly<Record<string, A>>, key: string): Readonly<Record<string, A>> => {
  const { [key]: _, ...rest } = record;
  return rest;
};

/** The next timers, children and tokens of an actor while its actions are read in order. */
class Draft {
  readonly commands: Array<Command> = [];
  timers: Readonly<Record<string, Timer>>;
  children: Readonly<Record<string, Child>>;
  tokens: number;
  readonly #definition: Definition;
  readonly #self: ActorReference;
  readonly #at: number;
  readonly #json: NormalizeOptions;

  constructor(definition: Definition, base: ActorState, at: number) {
    this.#definition = definition;
    this.#self = base.self;
    this.#at = at;
    this.timers = base.timers;
    this.children = base.children;
    this.tokens = base.tokens;
    this.#json = { depthMax: definition.limits.payloadDepthMax, convert: (value) => this.#asReference(value) };
  }

  clean(value: unknown, known: unknown, path: string): unknown {
    return normalize(value, known, this.#json, path);
  }

  /** A live child that XState made becomes the address that it will have. */
  #asReference(value: object): object | undefined {
    if (value instanceof ActorReference) return value;
    if ("sessionId" in value && "_processingStatus" in value && "id" in value) return this.#definition.childReference(this.#self, String(value.id), undefined);
    return undefined;
  }

  add(action: ExecutableActionObject | SpawnedInAssign): void {
    switch (action.type) {
      case "xstate.raise": {
        const { event, id, delay } = action.params as unknown as Delayed;
        if (typeof delay === "number") this.#setTimer(id, event, undefined, delay);
        return; // an undelayed raise was consumed within the step
      }
      case "xstate.sendTo": {
        const { to, event, id, delay } = action.params as unknown as Delayed & { to: unknown };
        const target = this.#targetOf(to);
        if (typeof delay === "number") this.#setTimer(id, event, target, delay);
        else this.commands.push({ type: "send", to: target, event: this.#event(event) });
        return;
      }
      case "xstate.cancel": {
        const id = nameInStore(String((action.params as unknown as { sendId: unknown }).sendId));
        if (this.timers[id] === undefined) return;
        this.timers = without(this.timers, id);
        this.commands.push({ type: "timer.cancel", id });
        return;
      }
      case "xstate.spawnChild": {
        const { id, actorRef, src, input, systemId } = action.params as unknown as { id: unknown; actorRef: SpawnedActor; src: unknown; input: unknown; systemId?: string };
        if (id === undefined) throw new Error('spawnChild() without an id can\'t be addressed; write spawnChild(…, { id: "someId" })');
        this.#startChild(actorRef.id, src, input, systemId, actorRef._syncSnapshot);
        return;
      }
      case "taskwright.spawned": {
        const { id, src, systemId, _syncSnapshot, _snapshot } = (action as SpawnedInAssign).actor;
        this.#startChild(id, src, _snapshot.input, systemId, _syncSnapshot);
        return;
      }
      case "xstate.stopChild": {
        const id = (action.params as unknown as { id?: string } | undefined)?.id;
        const child = id === undefined ? undefined : this.children[id];
        if (id === undefined || child === undefined) return;
        this.children = without(this.children, id);
        if (child.ended !== true) this.commands.push({ type: "child.stop", id, token: child.token });
        return;
      }
      case "xstate.emit":
        this.commands.push({ type: "emit", event: this.#event((action.params as unknown as { event: unknown }).event) });
        return;
      case "xstate.log": {
        const { value, label } = action.params as unknown as { value: unknown; label: string | undefined };
        this.commands.push({ type: "log", label, value });
        return;
      }
      default: {
        const custom = action as ExecutableActionObject;
        const named = (this.#definition.machine.implementations.actions as Record<string, unknown>)[custom.type];
        if (custom.exec !== undefined && custom.exec !== named) throw new Error(`the inline action "${custom.type}" has no stable name; move it to setup({ actions }) and use its name`);
        this.commands.push({ type: "act", action: custom.type, params: this.clean(custom.params, undefined, `parameters of "${custom.type}"`) });
      }
    }
  }

  #setTimer(id: string | undefined, event: unknown, to: Target | undefined, delay: number): void {
    if (Number.isNaN(delay)) throw new Error(`the delay of "${id ?? "a delayed event"}" is not a number`);
    const token = ++this.tokens;
    const name = id === undefined ? `auto.${token}` : nameInStore(id);
    const due = this.#at + Math.max(0, Math.round(Math.min(delay, Number.MAX_SAFE_INTEGER - this.#at)));
    const told = this.#event(event);
    const isItself = Object.keys(told).length === 1 && told.type === nameInXState(name);
    this.timers = {
      ...without(this.timers, name),
      [name]: { due, token, ...(isItself ? {} : { event: told }), ...(to === undefined || to.kind === "self" ? {} : { to }) },
    };
    this.commands.push({ type: "timer.set", id: name, due, token });
  }

  #startChild(id: string, src: unknown, input: unknown, systemId: string | undefined, sync: boolean | undefined): void {
    if (typeof src !== "string") throw new Error(`the child "${id}" was spawned from inline logic without a stable name; move it to setup({ actors }) and use its name`);
    const token = ++this.tokens;
    this.children = { ...this.children, [id]: { src, token, ...(systemId === undefined ? {} : { systemId }) } };
    this.commands.push({
      type: "child.start",
      id,
      src,
      token,
      input: this.clean(input, undefined, `input of "${id}"`),
      ...(systemId === undefined ? {} : { systemId }),
      ...(sync === true ? { sync } : {}),
    });
  }

  #targetOf(to: unknown): Target {
    if (typeof to === "object" && to !== null) {
      if (to === this.#self) return { kind: "self" };
      if (to === this.#self._parent) return { kind: "parent" };
      if (to instanceof ActorReference && !this.#isChild(to)) return to.address === this.#self.address ? { kind: "self" } : { kind: "address", address: to.address };
      if (!(to instanceof ActorReference) && "address" in to && typeof to.address === "string") return { kind: "address", address: to.address };
      if ("id" in to && typeof to.id === "string") return { kind: "child", id: to.id };
    }
    throw new Error("sendTo() was given no actor: name a child, use a reference, or actorRef(address)");
  }

  #isChild(ref: ActorReference): boolean {
    return this.children[ref.id] !== undefined && ref.address === childAddress(this.#self.address, ref.id);
  }

  #event(event: unknown): Event {
    const told = this.clean(event, undefined, "event");
    if (typeof told !== "object" || told === null || typeof (told as { type?: unknown }).type !== "string") throw new NotJson("event", "an event is an object with a string type");
    return told as Event;
  }

  references(children: Readonly<Record<string, Child>>): Record<string, ActorReference> {
    const refs: Record<string, ActorReference> = {};
    for (const id of Object.keys(children)) refs[id] = this.#definition.childReference(this.#self, id, children[id]?.src);
    return refs;
  }

  checkBounds(): void {
    const { childrenMax, timersMax } = this.#definition.limits;
    if (this.commands.length === 0) return;
    if (Object.keys(this.children).length > childrenMax) throw new Error(`an actor may have ${childrenMax} children (limit childrenMax)`);
    if (Object.keys(this.timers).length > timersMax) throw new Error(`an actor may have ${timersMax} timers (limit timersMax)`);
  }
}

interface Delayed {
  readonly event: unknown;
  readonly id?: string;
  readonly delay?: unknown;
}

// XState names the timer of an `after` "xstate.after.<delay>.<state id>". We store "after.<delay>.<state id>", and
// put a quote before the rare user's id that would look like one of ours.
const ours = /^(?:after|auto|done|'+(?:after|auto|done))\./;
const nameInStore = (id: string): string => (id.startsWith("xstate.after.") ? id.slice("xstate.".length) : ours.test(id) ? `'${id}` : id);
const nameInXState = (id: string): string => (id.startsWith("after.") ? `xstate.${id}` : id.startsWith("'") && ours.test(id) ? id.slice(1) : id);
