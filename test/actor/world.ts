import type { AnyStateMachine } from "xstate";
import { type ActorState, type Command, type Definition, decode, define, encode, type Step, start, step, type Target } from "../../src/actor/index.ts";
import { childAddress } from "../../src/domain/address.ts";
import type { EngineEvent, Event } from "../../src/domain/event.ts";
import { Difference, Plain } from "./plain.ts";
import { inXState, shownOf } from "./ours.ts";
import { Reference, type Shown } from "./reference.ts";

/** What is being tested. The mutation tests put broken ones in its place. */
export interface Subject {
  readonly start: typeof start;
  readonly step: typeof step;
  readonly encode: typeof encode;
  readonly decode: typeof decode;
}
export const taskwright: Subject = { start, step, encode, decode };

export const definitionOf = (machine: AnyStateMachine): Definition => {
  let definition = definitions.get(machine);
  if (definition === undefined) definitions.set(machine, (definition = define(machine)));
  return definition;
};
const definitions = new WeakMap<AnyStateMachine, Definition>();

/** An actor of ours: kept in memory and as JSON, side by side, beside XState's pure view of it. */
interface Actor {
  readonly address: string;
  readonly path: string;
  readonly parent: Actor | undefined;
  /** The generation under which its parent knows it. */
  readonly token: number;
  readonly definition: Definition;
  readonly reference: Reference;
  readonly ours: Plain;
  readonly theirs: Plain;
  hot: ActorState;
  cold: string;
  mailbox: Array<EngineEvent | Event>;
  busy: boolean;
  over: boolean;
}

export interface Counts {
  steps: number;
  /** Ids of states that were active at the end of a microstep. */
  readonly states: Set<string>;
  /** XState's transition objects that were selected. */
  readonly transitions: Set<unknown>;
}

/**
 * A small engine in virtual time: routes what `step` asks for in the order in which live actors would, and compares
 * every single step with XState's pure functions and with its own twin that goes through JSON.
 */
export class World {
  now: number;
  readonly root: Actor;
  readonly actors = new Map<string, Actor>();
  /** Running activities by address. */
  readonly activities = new Map<string, { readonly parent: Actor; readonly id: string; readonly token: number }>();
  readonly messages: Array<unknown> = [];
  readonly emitted: Array<unknown> = [];
  readonly performed: Array<unknown> = [];
  readonly logged: Array<unknown> = [];
  readonly #wheel = new Map<string, { readonly actor: Actor; readonly id: string; readonly due: number; readonly token: number; readonly armed: number }>();
  #armed = 0;
  readonly #rootLength: number;
  readonly #subject: Subject;
  readonly #throughJson: boolean;
  readonly #counts: Counts;

  constructor(machine: AnyStateMachine, input: unknown, at: number, options: { subject: Subject; throughJson: boolean; counts: Counts }) {
    this.now = at;
    this.#subject = options.subject;
    this.#throughJson = options.throughJson;
    this.#counts = options.counts;
    this.#rootLength = `${machine.id}/1`.length;
    this.root = this.#begin(definitionOf(machine), `${machine.id}/1`, "", undefined, 0, input);
  }

  send(actor: Actor, event: Event): void {
    this.messages.push([actor.path, event]);
    this.#deliver(actor, event);
  }

  stop(): void {
    this.#deliver(this.root, { type: "taskwright.stop" });
  }

  complete(address: string, output: unknown, error?: Error): void {
    const activity = this.activities.get(address);
    if (activity === undefined) throw new Error(`no activity at ${address}`);
    this.activities.delete(address);
    const { parent, id, token } = activity;
    if (error === undefined) this.#tellParent(parent, id, { type: "taskwright.done", child: id, token, ...(output === undefined ? {} : { output: output as never }) });
    else this.#tellParent(parent, id, { type: "taskwright.error", child: id, token, error: { name: error.name, message: error.message } });
  }

  get nextDue(): number | undefined {
    let due: number | undefined;
    for (const timer of this.#wheel.values()) if (due === undefined || timer.due < due) due = timer.due;
    return due;
  }

  /** Moves the clock on and fires, in the order of due time and arming, all that is due by then. */
  fire(now: number): void {
    this.now = now;
    for (;;) {
      let first: { actor: Actor; id: string; due: number; token: number; armed: number } | undefined;
      for (const timer of this.#wheel.values()) {
        if (timer.due <= this.now && (first === undefined || timer.due < first.due || (timer.due === first.due && timer.armed < first.armed))) first = timer;
      }
      if (first === undefined) return;
      this.#wheel.delete(`${first.actor.address} ${first.id}`);
      this.#deliver(first.actor, { type: "taskwright.timer", id: first.id, token: first.token });
    }
  }

  #begin(definition: Definition, address: string, path: string, parent: Actor | undefined, token: number, input: unknown): Actor {
    const first = this.#subject.start(definition, address, parent?.address, input, this.now);
    const id = first.state.self.id;
    const actor: Actor = {
      address,
      path,
      parent,
      token,
      definition,
      reference: new Reference(definition.original, id, parent?.address),
      ours: new Plain(),
      theirs: new Plain(),
      hot: first.state,
      cold: this.#subject.encode(first.state),
      mailbox: [],
      busy: true,
      over: false,
    };
    this.actors.set(address, actor);
    const expected = actor.reference.start(input, this.now);
    this.#compare(actor, "start", first, expected);
    this.#conclude(actor, first, true);
    actor.busy = false;
    this.#work(actor);
    return actor;
  }

  #deliver(actor: Actor | undefined, event: EngineEvent | Event): void {
    if (actor === undefined || actor.over) return;
    actor.mailbox.push(event);
    if (!actor.busy) this.#work(actor);
  }

  #work(actor: Actor): void {
    for (let event = actor.mailbox.shift(); event !== undefined && !actor.over; event = actor.mailbox.shift()) {
      actor.busy = true;
      this.#advance(actor, event);
      actor.busy = false;
    }
  }

  /** One step, three times: in memory, through JSON, and by XState. */
  #advance(actor: Actor, event: EngineEvent | Event): void {
    const { definition, address } = actor;
    const revived = this.#subject.decode(definition, address, actor.parent?.address, actor.cold);
    if (this.#subject.encode(revived) !== actor.cold) throw new Difference(`${address}: what is read is not what was written`, actor.cold, this.#subject.encode(revived));
    if (shapeOf(revived) !== shapeOf(actor.hot)) throw new Difference(`${address}: the order of what is active in memory and through JSON`, shapeOf(actor.hot), shapeOf(revived));
    const before = actor.hot;
    const hot = this.#subject.step(definition, actor.hot, event, this.now);
    const cold = this.#subject.step(definition, revived, event, this.now);
    const label = `${address} on ${JSON.stringify(event)}`;
    const same = (what: string, left: unknown, right: unknown) => {
      if (left !== right) throw new Difference(`${label}: memory and JSON differ in ${what}`, String(left), String(right));
    };
    same("outcome", hot.outcome, cold.outcome);
    same("commands", JSON.stringify(hot.commands), JSON.stringify(cold.commands));
    actor.hot = hot.state;
    actor.cold = this.#subject.encode(cold.state);
    same("state", this.#subject.encode(hot.state), actor.cold);
    const taken = this.#throughJson ? cold : hot;
    const expected = this.#expected(actor, before, event, taken);
    this.#compare(actor, label, taken, expected);
    // The clock delivers a delayed event for another actor; its sender has no part in it any more.
    if (event.type === "taskwright.timer" && taken.microsteps.length === 0) actor.busy = false;
    this.#conclude(actor, taken, false);
  }

  #expected(actor: Actor, before: ActorState, event: EngineEvent | Event, taken: Step): Shown {
    const { reference } = actor;
    let told = event as { readonly type: string };
    let fired: string | undefined;
    switch (event.type) {
      case "taskwright.stop":
        told = { type: "xstate.stop" };
        break;
      case "taskwright.done": {
        const { child, output } = event as Extract<EngineEvent, { type: "taskwright.done" }>;
        const theirs = theirChild(child, before, reference);
        told = { type: `xstate.done.actor.${theirs}`, output, actorId: theirs } as never;
        break;
      }
      case "taskwright.error": {
        const { child, error } = event as Extract<EngineEvent, { type: "taskwright.error" }>;
        const theirs = theirChild(child, before, reference);
        told = { type: `xstate.error.actor.${theirs}`, error: Object.assign(new Error(error.message), { name: error.name }), actorId: theirs } as never;
        break;
      }
      case "taskwright.timer": {
        const { id } = event as Extract<EngineEvent, { type: "taskwright.timer" }>;
        const found = reference.timer(inXState(id, before));
        if (found === undefined) throw new Difference(`${actor.address}: the timer "${id}" fired`, "no such timer", id);
        const [key, timer] = found;
        const to = timer.to as Target;
        // A delayed event for a child that is over, or was replaced, is dropped: it is for one incarnation.
        if (to.kind !== "self") return { ...reference.forget(key), commands: reference.isThere(timer) ? [{ send: to, event: timer.event }] : [] };
        fired = key;
        told = timer.event as { type: string };
        this.messages.push([actor.path, told]);
      }
    }
    if (taken.outcome === "stale") return reference.forget("none");
    const takes = reference.takes(told);
    const shown = reference.step(told, this.now, fired);
    if (takes && taken.outcome !== "handled") throw new Difference(`${actor.address} on ${event.type}: outcome`, "handled", taken.outcome);
    if (taken.outcome === "ignored" && shown.commands.length > 0) throw new Difference(`${actor.address} on ${event.type}: outcome`, JSON.stringify(shown.commands), "ignored");
    return shown;
  }

  #compare(actor: Actor, label: string, taken: Step, expected: Shown): void {
    this.#counts.steps++;
    for (const microstep of taken.microsteps) {
      for (const node of (microstep.snapshot as unknown as { _nodes: ReadonlyArray<{ id: string }> })._nodes) this.#counts.states.add(node.id);
      for (const transition of microstep._transitions) this.#counts.transitions.add(transition);
    }
    for (const node of (taken.state.snapshot as unknown as { _nodes: ReadonlyArray<{ id: string }> })._nodes) this.#counts.states.add(node.id);
    const found = shownOf(taken, new Set(expected.spawned.map((child) => (child as { start: string }).start)));
    for (const key of ["children", "status", "value", "context", "output", "error", "tags", "history", "timers", "spawned", "commands"] as const) {
      const theirs = actor.theirs.of(expected[key]);
      const ours = actor.ours.of(found[key]);
      if (theirs !== ours) throw new Difference(`${label}: ${key}, compared with transition()`, theirs, ours);
    }
  }

  /** Carries out what a step asked for, in the order of a live actor. */
  #conclude(actor: Actor, taken: Step, isFirst: boolean): void {
    const status = taken.state.snapshot.status;
    const started = new Set<Command>();
    if (isFirst && status === "active") {
      // A live actor starts the children of its first state before anything else.
      for (const id of Object.keys(taken.state.children)) {
        const command = taken.commands.findLast((it) => it.type === "child.start" && it.id === id);
        if (command === undefined) continue;
        started.add(command);
        this.#carryOut(actor, command);
      }
    }
    for (const command of taken.commands) {
      if (started.has(command) || (!isFirst && command.type === "send" && command.early !== undefined)) continue;
      this.#carryOut(actor, command);
      if (!isFirst && command.type === "child.start") for (const early of taken.commands) if (early.type === "send" && early.early === command.token) this.#carryOut(actor, early);
    }
    this.#checkWheel(actor);
    if (status === "active") return;
    actor.over = true;
    this.actors.delete(actor.address);
    if (actor.parent === undefined) return;
    const id = taken.state.self.id;
    if (status === "done")
      this.#tellParent(actor.parent, id, {
        type: "taskwright.done",
        child: id,
        token: actor.token,
        ...(taken.state.snapshot.output === undefined ? {} : { output: taken.state.snapshot.output as never }),
      });
    if (status === "error") this.#tellParent(actor.parent, id, { type: "taskwright.error", child: id, token: actor.token, error: taken.state.snapshot.error as never });
  }

  #tellParent(parent: Actor, child: string, event: EngineEvent): void {
    this.messages.push([parent.path, { type: `${event.type === "taskwright.done" ? "xstate.done" : "xstate.error"}.actor.${child}`, ...("output" in event ? { output: event.output } : {}) }]);
    this.#deliver(parent, event);
  }

  #carryOut(actor: Actor, command: Command): void {
    switch (command.type) {
      case "timer.set":
        this.#wheel.set(`${actor.address} ${command.id}`, { actor, id: command.id, due: command.due, token: command.token, armed: this.#armed++ });
        return;
      case "timer.cancel":
        this.#wheel.delete(`${actor.address} ${command.id}`);
        return;
      case "child.start": {
        const address = childAddress(actor.address, command.id);
        const source = actor.definition.sources.get(command.src);
        if (source?.kind !== "machine") this.activities.set(address, { parent: actor, id: command.id, token: command.token });
        else this.#begin(definitionOf(source.logic as AnyStateMachine), address, `${actor.path}/${command.id}`, actor, command.token, command.input);
        return;
      }
      case "child.stop": {
        const address = childAddress(actor.address, command.id);
        this.activities.delete(address);
        const child = this.actors.get(address);
        if (child === undefined) return;
        child.mailbox = [];
        this.#deliver(child, { type: "taskwright.stop" });
        return;
      }
      case "send": {
        const { to } = command;
        const address = to.kind === "self" ? actor.address : to.kind === "parent" ? actor.parent?.address : to.kind === "child" ? childAddress(actor.address, to.id) : to.address;
        if (address === undefined || !(this.actors.has(address) || this.activities.has(address))) return;
        this.messages.push([address.slice(this.#rootLength), command.event]);
        this.#deliver(this.actors.get(address), command.event);
        return;
      }
      case "emit":
        this.emitted.push([actor.path, command.event]);
        return;
      case "act":
        this.performed.push([command.action, command.params ?? null]);
        return;
      case "log":
        this.logged.push(command.label === undefined ? [command.value] : [command.label, command.value]);
    }
  }

  /** The commands alone must lead to the timers that the state holds. */
  #checkWheel(actor: Actor): void {
    const armed = [...this.#wheel.values()].filter((timer) => timer.actor === actor).map(({ id, due, token }) => ({ id, due, token }));
    const held = Object.entries(actor.hot.timers).map(([id, { due, token }]) => ({ id, due, token }));
    const text = (timers: ReadonlyArray<{ token: number }>) => JSON.stringify([...timers].sort((left, right) => left.token - right.token));
    if (text(armed) !== text(held)) throw new Difference(`${actor.address}: timers by command and timers in the state`, text(held), text(armed));
  }
}

/** What the stored form doesn't show, and a machine could still depend on. */
const shapeOf = ({ snapshot }: ActorState): string =>
  JSON.stringify([(snapshot as unknown as { _nodes: ReadonlyArray<{ id: string }> })._nodes.map((node) => node.id), [...snapshot.tags], Object.keys(snapshot.children)]);

/** The id of a child as XState knows it: one that was given none has a counted one there. */
const theirChild = (id: string, before: ActorState, reference: Reference): string => Object.keys(reference.snapshot.children)[Object.keys(before.children).indexOf(id)] ?? id;
