import type { AnyMachineSnapshot, StateValue } from "xstate";
import type { Address } from "../domain/address.ts";
import type { Event } from "../domain/event.ts";
import type { Failure, Json } from "../domain/json.ts";
import type { Target } from "./command.ts";
import type { Definition } from "./definition.ts";
import { ActorReference, parseJson } from "./reference.ts";

export type Status = "active" | "done" | "error" | "stopped";

/** A deadline that an actor waits for. `token` is its generation: a replaced timer has another one. */
export interface Timer {
  /** Milliseconds since 1970. */
  readonly due: number;
  readonly token: number;
  /** What is delivered; absent where the event is the timer itself (`after`). */
  readonly event?: Event;
  /** To whom; absent for the actor itself. */
  readonly to?: Target;
  /** The generation of the child that it is for: one that is over gets nothing, nor does its successor. */
  readonly child?: number;
}

/** An event that came before the state that takes it. */
export interface Kept {
  /** What names it when it is told again. */
  readonly token: number;
  readonly event: Event;
}

export interface Child {
  readonly src: string;
  /** The generation: a completion with another token belongs to a child that is over. */
  readonly token: number;
  readonly systemId?: string;
  readonly ended?: true;
}

/**
 * One actor between two events, in memory. Immutable: a step makes a new one.
 * Invariant: `decode(encode(state))` behaves as `state` does, whatever event comes next.
 */
export interface ActorState {
  readonly self: ActorReference;
  readonly snapshot: AnyMachineSnapshot;
  readonly children: Readonly<Record<string, Child>>;
  readonly timers: Readonly<Record<string, Timer>>;
  /** The last token that was given out. */
  readonly tokens: number;
  /** The parent sees each snapshot of this child. */
  readonly sync: true | undefined;
  /** In the order in which they came. */
  readonly kept: ReadonlyArray<Kept>;
}

/** The same, as it is stored. Ours, not XState's: see docs/internals/architecture.md. */
export interface StoredState {
  readonly status: Status;
  readonly value: StateValue;
  readonly context: Json;
  readonly history?: Readonly<Record<string, ReadonlyArray<string>>>;
  readonly children?: Readonly<Record<string, Child>>;
  readonly timers?: Readonly<Record<string, Timer>>;
  readonly tokens?: number;
  readonly sync?: true;
  readonly kept?: ReadonlyArray<Kept>;
  readonly output?: Json;
  readonly error?: Failure;
}

/** A stored state does not fit the machine that should read it. The row is left as it is. */
export class StateMismatch extends Error {
  constructor(message: string) {
    super(message);
    this.name = "StateMismatch";
  }
}

export const nothingKept: ReadonlyArray<Kept> = Object.freeze([]);

const isEmpty = (record: object): boolean => {
  for (const _ in record) return false;
  return true;
};

/** The stored form as JSON text. Its key order is fixed, so that equal states have equal text. */
export const encode = (state: ActorState): string => {
  const { snapshot, children, timers, tokens } = state;
  const stored: Record<string, unknown> = { status: snapshot.status, value: snapshot.value, context: snapshot.context };
  const history = snapshot.historyValue as Record<string, ReadonlyArray<{ id: string }>>;
  if (!isEmpty(history)) stored.history = Object.fromEntries(Object.entries(history).map(([key, nodes]) => [key, nodes.map((node) => node.id)]));
  if (!isEmpty(children)) stored.children = children;
  if (!isEmpty(timers)) stored.timers = timers;
  if (tokens > 0) stored.tokens = tokens;
  if (state.sync === true) stored.sync = true;
  if (state.kept.length > 0) stored.kept = state.kept;
  if (snapshot.output !== undefined) stored.output = snapshot.output;
  if (snapshot.error !== undefined) stored.error = snapshot.error;
  return JSON.stringify(stored);
};

/** The stored form as data. Throws `StateMismatch` for text that no actor can have left. */
export const parseState = (json: string): StoredState => {
  let stored: unknown;
  try {
    stored = parseJson(json);
  } catch (cause) {
    throw new StateMismatch(`the stored state is not JSON (${cause instanceof Error ? cause.message : "unreadable"})`);
  }
  if (!isRecord(stored)) throw new StateMismatch("the stored state is not an object");
  if (!statuses.has(stored.status as Status)) throw new StateMismatch(`the stored status is ${JSON.stringify(stored.status)}; it must be active, done, error or stopped`);
  if (typeof stored.value !== "string" && !isRecord(stored.value)) throw new StateMismatch("the stored state has no value");
  if (!isRecord(stored.context)) throw new StateMismatch("the stored state has no context");
  for (const key of ["history", "children", "timers"] as const) {
    if (stored[key] !== undefined && !isRecord(stored[key])) throw new StateMismatch(`the stored ${key} is not an object`);
  }
  for (const [key, nodes] of Object.entries((stored.history ?? {}) as Record<string, unknown>)) {
    if (!Array.isArray(nodes) || nodes.some((node) => typeof node !== "string")) throw new StateMismatch(`the stored history of "${key}" is not a list of state ids`);
  }
  for (const [id, timer] of Object.entries((stored.timers ?? {}) as Record<string, unknown>)) {
    if (!isRecord(timer) || typeof timer.due !== "number" || typeof timer.token !== "number") throw new StateMismatch(`the stored timer "${id}" has no due time or token`);
    if (timer.event !== undefined && (!isRecord(timer.event) || typeof timer.event.type !== "string")) throw new StateMismatch(`the stored timer "${id}" has no event that can be sent`);
    if (timer.to !== undefined && (!isRecord(timer.to) || !targets.has(timer.to.kind as string))) throw new StateMismatch(`the stored timer "${id}" is for nobody`);
  }
  for (const [id, child] of Object.entries((stored.children ?? {}) as Record<string, unknown>)) {
    if (!isRecord(child) || typeof child.src !== "string" || typeof child.token !== "number") throw new StateMismatch(`the stored child "${id}" has no source or token`);
  }
  if (stored.kept !== undefined && !(Array.isArray(stored.kept) && stored.kept.every(isKept))) throw new StateMismatch("the stored kept events are not a list of events with tokens");
  if (stored.sync !== undefined && stored.sync !== true) throw new StateMismatch("the stored sync is not true");
  if (stored.tokens !== undefined && typeof stored.tokens !== "number") throw new StateMismatch("the stored token counter is not a number");
  return stored as unknown as StoredState;
};

const statuses: ReadonlySet<Status> = new Set(["active", "done", "error", "stopped"]);
const targets: ReadonlySet<string> = new Set(["self", "parent", "child", "address"] satisfies ReadonlyArray<Target["kind"]>);
const isKept = (kept: unknown): boolean => isRecord(kept) && typeof kept.token === "number" && isRecord(kept.event) && typeof kept.event.type === "string";
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

/** Puts a stored state back to work. Throws `StateMismatch` where the machine has no such state. */
export const decode = (definition: Definition, address: Address, parent: Address | undefined, json: string): ActorState => {
  const stored = parseState(json);
  const self = selfReference(definition, address, parent);
  const children = stored.children ?? {};
  const refs: Record<string, ActorReference> = {};
  for (const id of Object.keys(children)) refs[id] = definition.childReference(self, id, children[id]?.src);
  const historyValue: Record<string, ReadonlyArray<unknown>> = {};
  for (const [key, ids] of Object.entries(stored.history ?? {})) historyValue[key] = ids.map((id) => definition.stateNode(id));
  const snapshot = {
    ...definition.template(stored.value),
    status: stored.status,
    context: stored.context,
    children: refs,
    historyValue,
    output: stored.output,
    error: stored.error,
  } as unknown as AnyMachineSnapshot;
  return { self, snapshot, children, timers: stored.timers ?? {}, tokens: stored.tokens ?? 0, sync: stored.sync, kept: stored.kept ?? nothingKept };
};

export const selfReference = (definition: Definition, address: Address, parent: Address | undefined): ActorReference =>
  new ActorReference(address, {
    parent: parent === undefined ? undefined : new ActorReference(parent),
    system: definition.system.system,
  });

/** The earliest moment at which the actor wants to be woken, or nothing. */
export const nextDue = (state: ActorState): number | undefined => {
  let due: number | undefined;
  for (const id in state.timers) {
    const timer = state.timers[id] as Timer;
    if (due === undefined || timer.due < due) due = timer.due;
  }
  return due;
};
