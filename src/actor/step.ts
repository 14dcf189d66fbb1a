import type { AnyMachineSnapshot } from "xstate";
import type { Address } from "../domain/address.ts";
import type { Outcome } from "../domain/envelope.ts";
import type { EngineEvent, Event } from "../domain/event.ts";
import { type Failure, failureOf, RevivedError } from "../domain/json.ts";
import { BeyondLimit, type Limits } from "../domain/limits.ts";
import type { Command } from "./command.ts";
import type { Definition } from "./definition.ts";
import { type Base, Draft, nameInXState, without } from "./draft.ts";
import { childSnapshot } from "./child-snapshot.ts";
import { putInDocumentOrder } from "./order.ts";
import type { RawMicrostep, Recorded } from "./scope.ts";
import { type ActorState, nothingKept, selfReference } from "./state.ts";

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

/** The event came before the state that takes it, and its sender is to know. The actor did not move. */
export class EarlyEvent extends Error {
  /** The limit that does not let it be kept, if that is why. */
  readonly limit: keyof Limits | undefined;
  constructor(message: string, limit?: keyof Limits) {
    super(message);
    this.name = "EarlyEvent";
    this.limit = limit;
  }
}

const messageOf = (cause: unknown): string => {
  try {
    return cause instanceof Error ? cause.message : String(cause);
  } catch {
    return "something that can't be shown as text was thrown";
  }
};

export interface StartOptions {
  /** Continues the counter of an actor that starts again under its old address. */
  readonly tokens?: number;
  /** Whether the parent sees each snapshot. */
  readonly sync?: true | undefined;
}

/** The first state of a new actor. */
export const start = (definition: Definition, address: Address, parent: Address | undefined, input: unknown, at: number, { tokens = 0, sync }: StartOptions = {}): Step => {
  const self = selfReference(definition, address, parent);
  const { scope, recorded } = definition.system.record(self, none, tokens);
  let snapshot: AnyMachineSnapshot;
  try {
    snapshot = definition.machine.getInitialSnapshot(scope, input as never) as AnyMachineSnapshot;
  } catch (cause) {
    throw new TransitionFailed(address, definition.id, "taskwright.start", endless(cause));
  }
  if (snapshot.status === "error") throw new TransitionFailed(address, definition.id, "taskwright.start", snapshot.error);
  const base: Base = { self, snapshot: undefined, children: none, timers: none, tokens, sync, kept: nothingKept };
  return shown(conclude(definition, base, snapshot, recorded, "taskwright.start", at, "handled"));
};

/** As in XState, a parent that asked for it sees the snapshot after every event, until the child is final. */
const shown = (result: Step): Step => (result.state.sync === true && result.state.snapshot.status === "active" ? { ...result, commands: [...result.commands, { type: "sync" }] } : result);

/**
 * One event, one actor, no clock, no I/O. Throws `TransitionFailed`; the state it was given is untouched.
 * `at` is the moment of the event in milliseconds since 1970: deadlines are counted from it.
 */
export const step = (definition: Definition, state: ActorState, event: Event | EngineEvent, at: number): Step => {
  if (state.snapshot.status !== "active") {
    if (definition.early?.get(event.type) === "refuse") throw new EarlyEvent(`it has ended, and takes no "${event.type}" any more`);
    return unmoved(state, "ended");
  }
  let base = state;
  let told: { readonly type: string };
  switch (event.type) {
    case "taskwright.timer": {
      const { id, token } = event as Extract<EngineEvent, { type: "taskwright.timer" }>;
      const timer = state.timers[id];
      if (timer === undefined || timer.token !== token) return unmoved(state, "stale");
      base = { ...state, timers: without(state.timers, id) };
      const due = timer.event ?? { type: nameInXState(id) };
      if (timer.to !== undefined && timer.to.kind !== "self") {
        if (timer.to.kind === "child" && state.children[timer.to.id]?.token !== timer.child) return unmoved(base, "stale");
        return { state: base, commands: [{ type: "send", to: timer.to, event: due }], outcome: "handled", microsteps: [] };
      }
      told = due;
      break;
    }
    case "taskwright.hold": {
      const { id, token } = event as Extract<EngineEvent, { type: "taskwright.hold" }>;
      const timer = state.timers[id];
      if (timer === undefined || timer.token !== token || timer.held === true) return unmoved(state, "stale");
      return { state: { ...state, timers: { ...state.timers, [id]: { ...timer, held: true } } }, commands: [{ type: "timer.cancel", id }], outcome: "handled", microsteps: [] };
    }
    case "taskwright.cancel": {
      const { id, token } = event as Extract<EngineEvent, { type: "taskwright.cancel" }>;
      if (state.timers[id]?.token !== token) return unmoved(state, "stale");
      return { state: { ...state, timers: without(state.timers, id) }, commands: [{ type: "timer.cancel", id }], outcome: "handled", microsteps: [] };
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
    case "taskwright.offer": {
      const { token } = event as Extract<EngineEvent, { type: "taskwright.offer" }>;
      const kept = state.kept.find((candidate) => candidate.token === token);
      if (kept === undefined) return unmoved(state, "stale");
      base = { ...state, kept: state.kept.filter((candidate) => candidate !== kept) };
      told = kept.event;
      break;
    }
    case "taskwright.forget": {
      const { token } = event as Extract<EngineEvent, { type: "taskwright.forget" }>;
      if (!state.kept.some((kept) => kept.token === token)) return unmoved(state, "stale");
      return { ...unmoved(state, "handled"), state: { ...state, kept: state.kept.filter((kept) => kept.token !== token) } };
    }
    case "taskwright.snapshot": {
      const { child, token, snapshot } = event as Extract<EngineEvent, { type: "taskwright.snapshot" }>;
      if (state.children[child]?.token !== token) return unmoved(state, "stale");
      told = { type: `xstate.snapshot.${child}`, snapshot: childSnapshot(snapshot) } as never;
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
  const { scope, recorded } = definition.system.record(state.self, state.children, state.tokens);
  let next: AnyMachineSnapshot;
  try {
    next = definition.machine.transition(state.snapshot as never, told as never, scope) as AnyMachineSnapshot;
  } catch (cause) {
    throw new TransitionFailed(state.self.address, definition.id, event.type, endless(cause));
  }
  const outcome = next.status !== "active" || recorded.microsteps.some((microstep) => microstep._transitions.length > 0) ? "handled" : "ignored";
  if (outcome === "ignored" && definition.early !== undefined) {
    const early = takeEarly(definition, state, event);
    if (early !== undefined) return early;
  }
  if (next === state.snapshot && recorded.actions.length === 0) return shown({ state: base, commands: [], outcome, microsteps: recorded.microsteps });
  return shown(conclude(definition, base, next, recorded, event.type, at, outcome));
};

/** Keeps or refuses an event that no state takes now; nothing where it is simply ignored. */
const takeEarly = (definition: Definition, state: ActorState, event: Event | EngineEvent): Step | undefined => {
  // One that was kept and is not taken yet stays where it is.
  if (event.type === "taskwright.offer") return unmoved(state, "ignored");
  const policy = definition.early?.get(event.type);
  if (policy !== "keep" && policy !== "refuse") return undefined;
  const { keptEventsMax } = definition.limits;
  if (policy === "refuse") throw new EarlyEvent(`the state ${JSON.stringify(state.snapshot.value)} takes no "${event.type}"`);
  if (state.kept.length >= keptEventsMax)
    throw new EarlyEvent(`the state ${JSON.stringify(state.snapshot.value)} takes no "${event.type}", and ${keptEventsMax} events are kept already (limit keptEventsMax)`, "keptEventsMax");
  const tokens = state.tokens + 1;
  return shown({ ...unmoved(state, "kept"), state: { ...state, tokens, kept: [...state.kept, { token: tokens, event: event as Event }] } });
};

/** The next of the kept events that the state takes now, or on which it throws, as the event by which it is told again. */
export const nextOffer = (definition: Definition, state: ActorState, at: number): EngineEvent | undefined => {
  for (const { token } of state.kept) {
    const offer = { type: "taskwright.offer" as const, token };
    try {
      if (step(definition, state, offer, at).outcome === "handled") return offer;
    } catch {
      return offer;
    }
  }
  return undefined;
};

/** XState's own error for what our limit ends has no class. */
const endless = (cause: unknown): unknown => (cause instanceof Error && cause.message.startsWith("Infinite loop detected") ? new BeyondLimit("microstepsMax", cause.message) : cause);

const unmoved = (state: ActorState, outcome: Outcome): Step => ({ state, commands: [], outcome, microsteps: [] });

const stopped = (state: ActorState): ReadonlyArray<Command> => [
  ...Object.keys(state.timers).map((id) => ({ type: "timer.cancel" as const, id })),
  ...Object.entries(state.children).flatMap(([id, child]) => (child.ended === true ? [] : [{ type: "child.stop" as const, id, token: child.token }])),
];

/** The supervisor gave the actor up: it ends in error with everything that it had under way. */
const failed = (state: ActorState, error: Failure): Step => ({
  state: { ...state, snapshot: { ...state.snapshot, status: "error", error, children: {} } as AnyMachineSnapshot, children: none, timers: none, kept: nothingKept },
  commands: stopped(state),
  outcome: "handled",
  microsteps: [],
});

/** The supervisor lets the actor begin again: its children end, tokens go on, so that nothing old is taken for new. */
const restarted = (definition: Definition, state: ActorState, input: unknown, at: number): Step => {
  const { address, _parent } = state.self;
  const fresh = start(definition, address, _parent?.address, input, at, { tokens: state.tokens, sync: state.sync });
  const kept = fresh.state.snapshot.status === "active" ? state.kept : nothingKept;
  return { ...fresh, state: { ...fresh.state, kept }, commands: [...stopped(state), ...fresh.commands] };
};

const completionInXState = (completion: Extract<EngineEvent, { type: "taskwright.done" | "taskwright.error" }>) =>
  completion.type === "taskwright.done"
    ? { type: `xstate.done.actor.${completion.child}`, output: completion.output, actorId: completion.child }
    : { type: `xstate.error.actor.${completion.child}`, error: new RevivedError(completion.error), actorId: completion.child };

/** Turns what XState recorded into commands, and its snapshot into a state that survives JSON. */
const conclude = (definition: Definition, base: Base, snapshot: AnyMachineSnapshot, recorded: Recorded, eventType: string, at: number, outcome: Outcome): Step => {
  const draft = new Draft(definition, base, at);
  try {
    for (const action of recorded.actions) draft.add(action);
    if (snapshot.status !== "active") draft.end();
    // What is not the snapshot before was made by XState in this step and belongs to nobody else: it is corrected in place.
    if (snapshot !== base.snapshot) {
      const own = snapshot as { context: unknown; output: unknown; error: unknown; children: unknown };
      putInDocumentOrder(snapshot);
      own.context = base.snapshot === undefined ? draft.copy(snapshot.context, "context") : draft.clean(snapshot.context, base.snapshot.context, "context");
      if (snapshot.output !== undefined) own.output = draft.clean(snapshot.output, undefined, "output");
      if (snapshot.error !== undefined) own.error = failureOf(snapshot.error);
      if (snapshot.children !== base.snapshot?.children || snapshot.status !== "active") own.children = draft.references(snapshot);
    }
    draft.checkBounds();
    return {
      state: { self: base.self, snapshot, children: draft.children, timers: draft.timers, tokens: draft.tokens, sync: base.sync, kept: snapshot.status === "active" ? base.kept : nothingKept },
      commands: draft.commands,
      outcome,
      microsteps: recorded.microsteps,
    };
  } catch (cause) {
    throw new TransitionFailed(base.self.address, definition.id, eventType, cause);
  }
};

const none: Readonly<Record<string, never>> = Object.freeze({});
