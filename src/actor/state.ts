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
  /** It was due and its transition threw: it is never due again by itself. Its dead letter can be requeued, while the state that set it lasts. */
  readonly held?: true;
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
  if (typeof json !== "string") throw new StateMismatch("the stored state is not text");
  let stored: unknown;
  try {
    stored = parseJson(json);
  } catch (cause) {
    throw new StateMismatch(`the stored state is not JSON (${cause instanceof Error ? cause.message : "unreadable"})`);
  }
  if (!isRecord(stored)) throw new StateMismatch("the stored state is not an object");
  for (const key in stored) if (!fields.has(key)) throw new StateMismatch(`the stored state has a field "${key}" that is not known; a later version may have written it`);
  const { status, value, context, history, children, timers, tokens = 0, sync, kept, output, error } = stored;
  if (!statuses.has(status as Status)) throw new StateMismatch(`the stored status is ${JSON.stringify(status)}; it must be active, done, error or stopped`);
  if (typeof value !== "string" && !isRecord(value)) throw new StateMismatch("the stored state has no value");
  if (!isRecord(context)) throw new StateMismatch("the stored state has no context");
  if (!isCount(tokens)) throw new StateMismatch("the stored token counter is no whole number");
  if (history !== undefined) checkHistory(history);
  if (children !== undefined) checkChildren(children, tokens);
  if (timers !== undefined) checkTimers(timers, tokens);
  if (sync !== undefined && sync !== true) throw new StateMismatch("the stored sync is not true");
  if (kept !== undefined && !(Array.isArray(kept) && kept.every((one) => isKept(one, tokens)))) throw new StateMismatch("the stored kept events are not a list of events with tokens");
  if (status !== "active" && (children !== undefined || timers !== undefined)) throw new StateMismatch(`the stored status is ${status}, but there are children or timers left`);
  if (status === "error" ? !isFailure(error) : error !== undefined) throw new StateMismatch(`the stored status is ${status}, which does not fit the stored error`);
  if (status !== "done" && output !== undefined) throw new StateMismatch(`the stored status is ${status}, but there is an output`);
  if (suspicious.test(json)) checkPlain(stored);
  return stored as unknown as StoredState;
};

const fields: ReadonlySet<string> = new Set(["status", "value", "context", "history", "children", "timers", "tokens", "sync", "kept", "output", "error"] satisfies ReadonlyArray<keyof StoredState>);
const statuses: ReadonlySet<Status> = new Set(["active", "done", "error", "stopped"]);
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
/** Tokens are given out one after the other: one beyond the counter would be given out again. */
const isToken = (value: unknown, last: number): boolean => isCount(value) && value > 0 && value <= last;
const isKept = (kept: unknown, last: number): boolean => isRecord(kept) && isToken(kept.token, last) && isRecord(kept.event) && typeof kept.event.type === "string";
const isFailure = (value: unknown): boolean => isRecord(value) && typeof value.name === "string" && typeof value.message === "string";

const checkHistory = (history: unknown): void => {
  if (!isRecord(history)) throw new StateMismatch("the stored history is not an object");
  for (const key in history) {
    const nodes = history[key];
    if (!Array.isArray(nodes) || nodes.length === 0 || nodes.some((node) => typeof node !== "string")) throw new StateMismatch(`the stored history of "${key}" is not a list of state ids`);
  }
};

const checkChildren = (children: unknown, tokens: number): void => {
  if (!isRecord(children)) throw new StateMismatch("the stored children is not an object");
  for (const id in children) {
    const child = children[id];
    if (!isRecord(child) || typeof child.src !== "string" || !isToken(child.token, tokens)) throw new StateMismatch(`the stored child "${id}" has no source or token`);
    if (child.systemId !== undefined && typeof child.systemId !== "string") throw new StateMismatch(`the stored child "${id}" has a systemId that is no text`);
    if (child.ended !== undefined && child.ended !== true) throw new StateMismatch(`the stored child "${id}" has ended and has not`);
  }
};

const checkTimers = (timers: unknown, tokens: number): void => {
  if (!isRecord(timers)) throw new StateMismatch("the stored timers is not an object");
  for (const id in timers) {
    const timer = timers[id];
    if (!isRecord(timer) || !isCount(timer.due) || !isToken(timer.token, tokens)) throw new StateMismatch(`the stored timer "${id}" has no due time or token`);
    if (timer.event !== undefined && (!isRecord(timer.event) || typeof timer.event.type !== "string")) throw new StateMismatch(`the stored timer "${id}" has no event that can be sent`);
    if (timer.held !== undefined && timer.held !== true) throw new StateMismatch(`the stored timer "${id}" is neither held nor free`);
    if (timer.to !== undefined && !isTarget(timer.to)) throw new StateMismatch(`the stored timer "${id}" is for nobody`);
    if (timer.child !== undefined && !isToken(timer.child, tokens)) throw new StateMismatch(`the stored timer "${id}" is for a child without a token`);
  }
};

const isTarget = (to: unknown): boolean => {
  if (!isRecord(to)) return false;
  switch (to.kind as Target["kind"]) {
    case "self":
    case "parent":
      return true;
    case "child":
      return typeof to.id === "string";
    case "address":
      return typeof to.address === "string";
    default:
      return false;
  }
};

// What a parser takes and no actor can have left; only text that looks like it is walked through.
const suspicious = /"__proto__"|\\u005f|\d[eE]\+?\d{3}/;
const checkPlain = (value: unknown): void => {
  if (typeof value === "number" && !Number.isFinite(value)) throw new StateMismatch("the stored state has a number that is too large");
  if (typeof value !== "object" || value === null) return;
  if (Object.hasOwn(value, "__proto__")) throw new StateMismatch("the stored state has a key __proto__");
  for (const item of Object.values(value)) checkPlain(item);
};

/** Puts a stored state back to work. Throws `StateMismatch` where the machine has no such state. */
export const decode = (definition: Definition, address: Address, parent: Address | undefined, json: string): ActorState => {
  const stored = parseState(json);
  const self = selfReference(definition, address, parent);
  const children = stored.children ?? {};
  const refs: Record<string, ActorReference> = {};
  // A source that the machine has no more is no mismatch: the child tells its parent of its end.
  for (const id in children) refs[id] = definition.childReference(self, id, children[id]?.src);
  const historyValue: Record<string, ReadonlyArray<unknown>> = {};
  for (const [key, ids] of Object.entries(stored.history ?? {})) historyValue[key] = definition.historyOf(key, ids);
  const template = definition.template(stored.value);
  if ((stored.status === "active" || stored.status === "done") && stored.status !== template.status)
    throw new StateMismatch(`the stored status is ${stored.status}, but in the state ${JSON.stringify(stored.value)} machine "${definition.id}" is ${template.status}`);
  const snapshot = {
    ...template,
    status: stored.status,
    context: stored.context,
    children: refs,
    historyValue,
    output: stored.output,
    error: stored.error,
  } as unknown as AnyMachineSnapshot;
  return { self, snapshot, children, timers: stored.timers ?? {}, tokens: stored.tokens ?? 0, sync: stored.sync, kept: stored.kept ?? nothingKept };
};

/**
 * Puts an actor that has ended back to where it can be shown, also where the machine has no such state: nothing happens
 * to it any more, and it is stored as it was.
 */
export const decodeEnded = (definition: Definition, address: Address, parent: Address | undefined, json: string): ActorState => {
  const { status, value, context, history = {}, children = {}, timers = {}, tokens = 0, sync, kept = nothingKept, output, error } = parseState(json);
  const historyValue = Object.fromEntries(Object.entries(history).map(([key, ids]) => [key, ids.map((id) => ({ id }))]));
  const snapshot = { machine: definition.machine, status, value, context, children: {}, historyValue, output, error, tags: new Set(), _nodes: [] };
  return { self: selfReference(definition, address, parent), snapshot: snapshot as unknown as AnyMachineSnapshot, children, timers, tokens, sync, kept };
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
    if (timer.held !== true && (due === undefined || timer.due < due)) due = timer.due;
  }
  return due;
};
