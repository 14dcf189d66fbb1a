import { type Child, type Command, reducerId, snapshotToTell, type Step } from "../actor/index.ts";
import { type Address, childId } from "../domain/address.ts";
import type { EngineEvent, Event } from "../domain/event.ts";
import { type Failure, failureOf, type Json } from "../domain/json.ts";
import type { Registered, Registry } from "./registry.ts";
import type { Resident } from "./resident.ts";

/** Which machine a child is, with which input: an actor of a machine of its own, or one of the engine's that carries code out. */
export interface ChildToStart {
  readonly machine: string;
  /** The form of that machine: the one that the parent's version has. */
  readonly hash: string | undefined;
  readonly input: unknown;
}

export const childOf = (registry: Registry, { definition, activities }: Registered, address: Address, command: Extract<Command, { type: "child.start" }>, at: number): ChildToStart => {
  const { src, input } = command;
  const source = definition.sources.get(src);
  const options = activities[src];
  if (source?.kind === "machine") return { machine: (source.logic as unknown as { id: string }).id, hash: registry.byLogic.get(source.logic)?.definition.hash, input };
  if (source?.kind === "transition") {
    const machine = reducerId(definition.id, src);
    return { machine, hash: registry.versions.get(machine)?.find((other) => other.definition.version === definition.version)?.definition.hash, input };
  }
  const own = { address, machine: definition.id, hash: definition.hash, src, input, at };
  if (source === undefined || source.kind === "promise") return { machine: "activity", hash: undefined, input: { ...options, ...own } };
  return { machine: "live", hash: undefined, input: { retry: options?.retry, interruptionsMax: options?.interruptionsMax, ...own, kind: source.kind } };
};

/**
 * As XState does it: an actor that starts has its children started before anything else that its first state asks for.
 * What it sends them comes after what they send themselves, then.
 */
export const childrenFirst = (first: Step): Step => {
  if (first.commands.length < 2) return first;
  const starts = (command: Command): boolean => command.type === "child.start" && first.state.children[command.id]?.token === command.token;
  return {
    ...first,
    commands: [
      ...first.commands.filter(starts),
      ...first.commands.filter((command) => !starts(command)).map((command) => (command.type === "send" ? { type: command.type, to: command.to, event: command.event } : command)),
    ],
  };
};

/** As in XState, an actor that is under way acts and logs while it steps, before anybody hears what it sends. */
export const actionsFirst = (result: Step): Step => {
  const { commands } = result;
  const first = commands.findIndex((command) => !isInline(command));
  if (first < 0 || !commands.some((command, index) => index > first && isInline(command))) return result;
  return { ...result, commands: [...commands.filter(isInline), ...commands.filter((command) => !isInline(command))] };
};
const isInline = ({ type }: Command): boolean => type === "act" || type === "log";

/** A deadline that only passes its event on to another actor. As in XState, whose clock sends it then, the one that set it is at rest. */
export const passesOn = (event: Event | EngineEvent, { commands, microsteps }: Step): boolean =>
  event.type === "taskwright.timer" && microsteps.length === 0 && commands.length === 1 && commands[0]?.type === "send";

/**
 * Which child one of a step's commands means by an id. A state that is left may still tell its child goodbye: then the
 * child stands in the state before, and where the step starts another one under its id, that one is meant from there on.
 */
export const childMeant = (actor: Resident, id: string, command: Command, all: ReadonlyArray<Command>): Child | undefined => {
  const now = actor.state.children[id];
  const before = actor.childrenBefore[id];
  if (now === undefined || before === undefined || now.token === before.token) return now ?? before;
  return all.indexOf(command) < all.findIndex((other) => other.type === "child.start" && other.id === id && other.token === now.token) ? before : now;
};

/** How a child's end is told to its parent. An activity speaks for the promise that it carried out. */
export const completionOf = (actor: Resident, output: unknown, error: unknown): EngineEvent => {
  const child = childId(actor.address);
  const { token } = actor;
  if (actor.state.snapshot.status === "error") return { type: "taskwright.error", child, token, error: failureOf(error) };
  const { id } = actor.registered.definition;
  if (id !== "activity" && id !== "live") return { type: "taskwright.done", child, token, ...(output === undefined ? {} : { output: output as never }) };
  const ended = output as { result: string; output?: unknown; error?: Failure };
  if (ended.result === "failed") return { type: "taskwright.error", child, token, error: ended.error as Failure };
  return { type: "taskwright.done", child, token, ...(ended.output === undefined ? {} : { output: ended.output as never }) };
};

/** What a parent that listens sees of a child after this event, shaped as XState shapes it for each kind of actor; or nothing. */
export const snapshotFor = (actor: Resident, event: Event | EngineEvent): Json | undefined => {
  const { definition, internal } = actor.registered;
  const context = actor.state.snapshot.context as { readonly input?: Json; readonly value?: Json; readonly kind?: string; readonly state?: Json };
  const isStart = event.type === "taskwright.start";
  const input = context.input === undefined ? {} : { input: context.input };
  switch (definition.id) {
    case "activity":
      return isStart ? { status: "active", ...input } : undefined;
    case "live": {
      if (!isStart && event.type !== "taskwright.live.value" && event.type.startsWith("taskwright.")) return undefined;
      return { status: "active", ...input, ...(context.value === undefined ? {} : { context: context.value }) };
    }
    default:
      return internal ? { status: "active", ...(context.state === undefined ? {} : { context: context.state }) } : snapshotToTell(actor.state);
  }
};

/** As in XState, promises and observables take no events. */
export const takesEvents: ReadonlySet<string> = new Set(["machine", "callback", "transition"]);
