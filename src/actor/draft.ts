import type { AnyMachineSnapshot, ExecutableActionObject } from "xstate";
import { type Address, childAddress, childId, parentAddress } from "../domain/address.ts";
import type { Event } from "../domain/event.ts";
import { type Failure, failureOf, NotJson, type NormalizeOptions, normalize, RevivedError } from "../domain/json.ts";
import { BeyondLimit } from "../domain/limits.ts";
import type { Command, Target } from "./command.ts";
import type { Definition } from "./definition.ts";
import { ActorReference } from "./reference.ts";
import type { SpawnedActor, SpawnedInAssign } from "./scope.ts";
import type { ActorState, Child, Timer } from "./state.ts";

/** An actor before a step; without a snapshot before its first. */
export type Base = Omit<ActorState, "snapshot"> & { readonly snapshot: AnyMachineSnapshot | undefined };

export const without = <A>(record: Readonly<Record<string, A>>, key: string): Readonly<Record<string, A>> => {
  if (!Object.hasOwn(record, key)) return record;
  const { [key]: _, ...rest } = record;
  return rest;
};

const mapValues = <A>(record: Readonly<Record<string, A>>, change: (value: A) => A): Readonly<Record<string, A>> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));

const withoutStack = ({ stack: _, cause, ...failure }: Failure): Failure => ({ ...failure, ...(cause === undefined ? {} : { cause: withoutStack(cause) }) });

const none: Readonly<Record<string, never>> = Object.freeze({});

/** The next timers, children and tokens of an actor while its actions are read in order. */
export class Draft {
  commands: Array<Command> = [];
  timers: Readonly<Record<string, Timer>>;
  children: Readonly<Record<string, Child>>;
  tokens: number;
  readonly #definition: Definition;
  readonly #self: ActorReference;
  readonly #at: number;
  readonly #json: NormalizeOptions;
  /** The last token given out before this step. */
  readonly #before: number;
  /** Children that this step made and started, as XState knows them. */
  readonly #started = new Set<unknown>();
  /** Sends to children that start only later in this step, with the child as XState knows it; absent until something is for such a child. */
  #early: Map<Command, unknown> | undefined;

  constructor(definition: Definition, base: Base, at: number) {
    this.#definition = definition;
    this.#self = base.self;
    this.#at = at;
    this.timers = base.timers;
    this.children = base.children;
    this.tokens = base.tokens;
    this.#before = base.tokens;
    this.#json = { depthMax: definition.limits.payloadDepthMax, convert: (value) => this.#convert(value) };
  }

  clean(value: unknown, known: unknown, path: string): unknown {
    return normalize(value, known, this.#json, path);
  }

  /** A first context may be the machine's own object, or part of what another actor holds: this one gets its own. */
  copy(value: unknown, path: string): unknown {
    return normalize(value, undefined, { ...this.#json, copy: true }, path);
  }

  /**
   * Any actor becomes its address, bare as it will be after JSON. An error that the machine made becomes a record
   * without a stack: where the code lay must not be part of a state that a replay has to reach again.
   */
  #convert(value: object): object | undefined {
    if (value instanceof ActorReference) return value._parent === undefined && value.src === undefined && value.system === undefined ? value : new ActorReference(value.address, { id: value.id });
    if (value instanceof RevivedError) return value.failure;
    if (value instanceof Error) return withoutStack(failureOf(value));
    if ("sessionId" in value && "_processingStatus" in value && "id" in value) return new ActorReference(childAddress(this.#self.address, String(value.id)), { id: String(value.id) });
    return undefined;
  }

  add(action: ExecutableActionObject | SpawnedInAssign): void {
    switch (action.type) {
      case "xstate.raise": {
        const { event, id, delay } = action.params as unknown as Delayed;
        if (typeof delay === "number") this.#setTimer(id, this.#event(event), undefined, delay);
        return; // an undelayed raise was consumed within the step
      }
      case "xstate.sendTo": {
        const { to, event, id, delay } = action.params as unknown as Delayed & { to: unknown };
        const target = this.#targetOf(to);
        const told = this.#message(event);
        // One with its id may live and be replaced by it: whom XState means says which of them it is.
        const isEarly = target.kind === "child" && !("address" in (to as object)) && !this.#started.has(to);
        // A child of this step that is over again left its place: the deadline is for whoever has it then, as with any reference.
        const isOver = target.kind === "child" && this.#started.has(to) && !Object.hasOwn(this.children, target.id);
        if (typeof delay === "number") this.#setTimer(id, told, isOver ? { kind: "address", address: childAddress(this.#self.address, target.id) } : target, delay, isEarly);
        else this.commands.push({ type: "send", to: target, event: told });
        if (isEarly) (this.#early ??= new Map()).set(this.commands.at(-1) as Command, to);
        return;
      }
      case "xstate.cancel": {
        const id = nameInStore(String((action.params as unknown as { sendId: unknown }).sendId));
        if (!Object.hasOwn(this.timers, id)) return;
        this.timers = without(this.timers, id);
        this.commands.push({ type: "timer.cancel", id });
        return;
      }
      case "xstate.spawnChild": {
        const { id, actorRef, src, input, systemId } = action.params as unknown as { id: unknown; actorRef: SpawnedActor; src: unknown; input: unknown; systemId?: string };
        if (id === undefined) throw new Error('spawnChild() without an id can\'t be addressed; write spawnChild(…, { id: "someId" })');
        this.#startChild(actorRef, src, input, systemId);
        return;
      }
      case "taskwright.spawned": {
        const { actor } = action as SpawnedInAssign;
        this.#startChild(actor, actor.src, actor.options.input, actor.systemId);
        return;
      }
      case "xstate.stopChild": {
        const { id, address } = (action.params ?? {}) as { id?: string; address?: Address };
        if (id === undefined) return;
        if (address !== undefined && address !== childAddress(this.#self.address, id)) throw new Error(`stopChild() was given "${address}", which is no child of this actor`);
        if (!Object.hasOwn(this.children, id)) return;
        this.#stopChild(id, this.children[id] as Child);
        this.children = without(this.children, id);
        return;
      }
      case "xstate.emit":
        this.commands.push({ type: "emit", event: this.#event((action.params as unknown as { event: unknown }).event) });
        return;
      case "xstate.log": {
        const { value, label } = action.params as unknown as { value: unknown; label: string | undefined };
        this.commands.push({ type: "log", label, value: this.#loggable(value) });
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

  #setTimer(id: string | undefined, told: Event, to: Target | undefined, delay: number, isEarly = false): void {
    if (Number.isNaN(delay)) throw new Error(`the delay of "${id ?? "a delayed event"}" is not a number`);
    const token = ++this.tokens;
    const name = id === undefined ? `auto.${token}` : nameInStore(id);
    if (name === "__proto__") throw new Error("the id __proto__ is refused");
    const due = this.#at + Math.max(0, Math.round(Math.min(delay, Number.MAX_SAFE_INTEGER - this.#at)));
    const isItself = Object.keys(told).length === 1 && told.type === nameInXState(name);
    const child = to?.kind === "child" && !isEarly ? this.children[to.id]?.token : undefined;
    const timer: { -readonly [Key in keyof Timer]: Timer[Key] } = { due, token };
    if (!isItself) timer.event = told;
    if (to !== undefined && to.kind !== "self") timer.to = to;
    if (child !== undefined) timer.child = child;
    this.timers = { ...without(this.timers, name), [name]: timer };
    this.commands.push({ type: "timer.set", id: name, due, token });
  }

  #startChild(actor: SpawnedActor, src: unknown, input: unknown, systemId: string | undefined): void {
    const { id, _syncSnapshot: sync } = actor;
    if (typeof src !== "string") throw new Error(`the child "${id}" was spawned from inline logic without a stable name; move it to setup({ actors }) and use its name`);
    if (id === "__proto__") throw new Error("the id __proto__ is refused");
    // Two children can't live at one address: the later one replaces the earlier, as a timer does.
    if (Object.hasOwn(this.children, id)) this.#stopChild(id, this.children[id] as Child);
    const token = ++this.tokens;
    this.children = { ...without(this.children, id), [id]: { src, token, ...(systemId === undefined ? {} : { systemId }) } };
    this.commands.push({
      type: "child.start",
      id,
      src,
      token,
      input: this.clean(input, undefined, `input of "${id}"`),
      ...(systemId === undefined ? {} : { systemId }),
      ...(sync === true ? { sync } : {}),
    });
    this.#started.add(actor);
    if (this.#early !== undefined) this.#handOver(actor, token, this.#early);
  }

  /** An entry action may send to the child that its state is about to invoke: the child gets it when it is there. */
  #handOver(actor: SpawnedActor, token: number, early: ReadonlyMap<Command, unknown>): void {
    const { id } = actor;
    this.commands = this.commands.map((command) => (command.type === "send" && early.get(command) === actor ? { ...command, early: token } : command));
    this.timers = mapValues(this.timers, (timer) => (timer.to?.kind === "child" && timer.to.id === id && timer.child === undefined ? { ...timer, child: token } : timer));
  }

  #stopChild(id: string, child: Child): void {
    if (child.ended === true) return;
    if (child.token <= this.#before) {
      this.commands.push({ type: "child.stop", id, token: child.token });
      return;
    }
    // Started and stopped within one step, as in a state that is left at once: it never runs, nor is it sent anything.
    const started = this.commands.findIndex((command) => command.type === "child.start" && command.token === child.token);
    this.commands = this.commands.filter(
      (command, index) =>
        !(command.type === "send" && command.early === child.token) &&
        (index < started ||
          this.#early?.has(command) === true ||
          !((command.type === "child.start" && command.id === id) || (command.type === "send" && command.to.kind === "child" && command.to.id === id))),
    );
  }

  #targetOf(to: unknown): Target {
    if (to === this.#self) return { kind: "self" };
    if (typeof to === "object" && to !== null) {
      if ("address" in to && typeof to.address === "string") return this.#targetAt(to.address);
      if ("id" in to && typeof to.id === "string") return { kind: "child", id: to.id };
    }
    throw new Error("sendTo() was given no actor: name a child, use a reference, or actorRef(address)");
  }

  #targetAt(address: Address): Target {
    if (address === this.#self.address) return { kind: "self" };
    if (address === this.#self._parent?.address) return { kind: "parent" };
    if (parentAddress(address) === this.#self.address && Object.hasOwn(this.children, childId(address))) return { kind: "child", id: childId(address) };
    return { kind: "address", address };
  }

  #message(event: unknown): Event {
    const told = this.#event(event);
    if (told.type.startsWith("taskwright.")) throw new NotJson("event", `the type "${told.type}" belongs to the engine; a machine may not send it`);
    return told;
  }

  #event(event: unknown): Event {
    const told = this.clean(event, undefined, "event");
    if (typeof told !== "object" || told === null || typeof (told as { type?: unknown }).type !== "string") throw new NotJson("event", "an event is an object with a string type");
    return told as Event;
  }

  /** A log line is carried out whatever it holds: what JSON can't take is shown as text. */
  #loggable(value: unknown): unknown {
    try {
      return this.clean(value, undefined, "log");
    } catch {
      return failureOf(typeof value === "object" ? value : String(value)).message;
    }
  }

  /** The actor is over: nothing that it waits for will come. */
  end(): void {
    for (const id of Object.keys(this.timers)) this.commands.push({ type: "timer.cancel", id });
    this.timers = none;
    this.children = none;
  }

  /** The children of a snapshot as references. They must be those that the actions left. */
  references(snapshot: AnyMachineSnapshot): Record<string, ActorReference> {
    const refs: Record<string, ActorReference> = {};
    for (const id of Object.keys(this.children)) refs[id] = this.#definition.childReference(this.#self, id, this.children[id]?.src);
    if (snapshot.status !== "active") return refs;
    for (const id of Object.keys(snapshot.children))
      if (!(id in refs)) throw new Error(`the child "${id}" has no source that could be started: give spawnChild() the name of an actor in setup({ actors }) and an id`);
    return refs;
  }

  checkBounds(): void {
    const { childrenMax, timersMax, commandsMax } = this.#definition.limits;
    if (this.commands.length === 0) return;
    if (this.commands.length > commandsMax) throw new BeyondLimit("commandsMax", `a transition may ask for ${commandsMax} commands`);
    if (Object.keys(this.children).length > childrenMax) throw new BeyondLimit("childrenMax", `an actor may have ${childrenMax} children`);
    if (Object.keys(this.timers).length > timersMax) throw new BeyondLimit("timersMax", `an actor may have ${timersMax} timers`);
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
export const nameInXState = (id: string): string => (id.startsWith("after.") ? `xstate.${id}` : id.startsWith("'") && ours.test(id) ? id.slice(1) : id);
