import { type ActorState, type Child, type Definition, definitionOf, encode, isMachine, nextDue, parseJson, type Step, start, step, type Target } from "../actor/index.ts";
import { type Address, childAddress, rootAddress } from "../domain/address.ts";
import type { EngineEvent, Event } from "../domain/event.ts";
import type { Json } from "../domain/json.ts";
import { edgesOfStep } from "./edges-taken.ts";
import { type Entry, optionsOf } from "./moves.ts";

/** Something that happens to a world from outside of its actors. */
export type Happening =
  | { readonly kind: "event"; readonly to: Address; readonly event: Event }
  /** The earliest deadline of all; the clock moves on to it. */
  | { readonly kind: "deadline"; readonly to: Address; readonly id: string }
  | { readonly kind: "done"; readonly to: Address; readonly output: unknown }
  | { readonly kind: "failed"; readonly to: Address };

export const happeningText = (happening: Happening): string => {
  const { to } = happening;
  switch (happening.kind) {
    case "event":
      return `${to}: ${JSON.stringify(happening.event)}`;
    case "deadline":
      return `${to}: ${happening.id.replace(/^after\.(.*)$/, "after $1")}`;
    case "done":
      return `${to} ends${happening.output === undefined ? "" : ` with ${JSON.stringify(happening.output)}`}`;
    case "failed":
      return `${to} fails`;
  }
};

interface Inhabitant {
  readonly definition: Definition;
  readonly state: ActorState;
  readonly parent: Address | undefined;
  /** What its parent calls it. */
  readonly id: string;
  readonly token: number;
}

/** A promise that was begun and has not ended. */
interface Pending {
  readonly parent: Address;
  readonly id: string;
  readonly src: string;
  readonly token: number;
}

/** An actor of the world, as an invariant sees it. */
export interface WorldActor {
  readonly address: Address;
  readonly machine: string;
  readonly status: string;
  readonly value: unknown;
  readonly context: unknown;
}

/** What happened in one step of the world, to whom. */
export interface Happened {
  /** Edges by machine: `task task.queued:event ASSIGN:0`. */
  readonly edges: ReadonlyArray<string>;
  /** Children and promises that were begun, by the name of their logic. */
  readonly begun: ReadonlyArray<string>;
  /** Milliseconds that the clock moved on. */
  readonly passedMs: number;
}

/**
 * Actors that talk to each other, and a clock: as the engine runs them, without an engine. Messages between them arrive at
 * once and in order. Immutable: each step makes a new one.
 */
export class ClosedWorld {
  readonly now: number;
  readonly #actors: ReadonlyMap<Address, Inhabitant>;
  readonly #pending: ReadonlyMap<Address, Pending>;

  private constructor(now: number, actors: ReadonlyMap<Address, Inhabitant>, pending: ReadonlyMap<Address, Pending>) {
    this.now = now;
    this.#actors = actors;
    this.#pending = pending;
  }

  static begin(starts: ReadonlyArray<{ readonly machine: Entry; readonly id: string; readonly input?: unknown }>): { readonly world: ClosedWorld; readonly happened: Happened } {
    const turn = new Turn(epoch, new Map(), new Map());
    for (const { machine, id, input } of starts) {
      const definition = definitionOf(optionsOf(machine).machine);
      turn.begin(definition, rootAddress(definition.id, id), undefined, id, 0, input);
    }
    turn.run();
    return { world: new ClosedWorld(epoch, turn.actors, turn.pending), happened: turn.happened(0) };
  }

  get actors(): ReadonlyArray<WorldActor> {
    return [...this.#actors].map(([address, { definition, state }]) => ({
      address,
      machine: definition.id,
      status: state.snapshot.status,
      value: state.snapshot.value,
      context: state.snapshot.context,
    }));
  }

  /** The promises that have not ended, by the name of their logic. */
  get pending(): ReadonlyArray<{ readonly address: Address; readonly src: string }> {
    return [...this.#pending].map(([address, { src }]) => ({ address, src }));
  }

  /** When something happens by itself, if anything does. */
  get nextDue(): number | undefined {
    const dues = [...this.#actors.values()].flatMap(({ state }) => (state.snapshot.status === "active" ? (nextDue(state) ?? []) : []));
    return dues.length === 0 ? undefined : Math.min(...dues);
  }

  /** The deadlines that come next: one after the other in any order. */
  get deadlines(): ReadonlyArray<Happening> {
    const due = this.nextDue;
    return [...this.#actors].flatMap(([to, { state }]) =>
      state.snapshot.status === "active" ? Object.entries(state.timers).flatMap(([id, timer]) => (timer.due === due && timer.held !== true ? [{ kind: "deadline" as const, to, id }] : [])) : [],
    );
  }

  /** Throws what a machine throws. */
  after(happening: Happening): { readonly world: ClosedWorld; readonly happened: Happened } {
    const now = happening.kind === "deadline" ? Math.max(this.now, this.nextDue ?? this.now) : this.now;
    const turn = new Turn(now, new Map(this.#actors), new Map(this.#pending));
    const { to } = happening;
    if (happening.kind === "event") turn.tell(to, happening.event);
    else if (happening.kind === "deadline") turn.tell(to, { type: "taskwright.timer", id: happening.id, token: this.#actors.get(to)?.state.timers[happening.id]?.token ?? -1 });
    else turn.complete(to, happening.kind === "done" ? { output: happening.output } : { error: { name: "Error", message: "it failed" } });
    turn.run();
    return { world: new ClosedWorld(now, turn.actors, turn.pending), happened: turn.happened(now - this.now) };
  }

  /** What tells two worlds apart: not the time on the clock, nor numbers that only grow. */
  get key(): string {
    const actors = [...this.#actors].map(([address, { state }]) => {
      const { timers = {}, children = {}, tokens: _, ...rest } = parseJson(encode(state)) as { timers?: Record<string, { due: number }>; children?: Record<string, Child>; tokens?: number };
      return [address, rest, Object.entries(timers).map(([id, { due }]) => [id, due - this.now]), Object.entries(children).map(([id, { src, ended }]) => [id, src, ended])];
    });
    return JSON.stringify([actors.sort((left, right) => ((left[0] as string) < (right[0] as string) ? -1 : 1)), [...this.#pending.keys()].sort()]);
  }
}

/** 2030-01-01. */
const epoch = 1_893_456_000_000;
/** A message may lead to a message: beyond this many the actors would go on for ever. */
const messagesMax = 10_000;

class Turn {
  readonly actors: Map<Address, Inhabitant>;
  readonly pending: Map<Address, Pending>;
  readonly #now: number;
  readonly #queue: Array<{ readonly to: Address; readonly event: Event | EngineEvent }> = [];
  readonly #edges: Array<string> = [];
  readonly #begun: Array<string> = [];

  constructor(now: number, actors: Map<Address, Inhabitant>, pending: Map<Address, Pending>) {
    this.#now = now;
    this.actors = actors;
    this.pending = pending;
  }

  happened(passedMs: number): Happened {
    return { edges: this.#edges, begun: this.#begun, passedMs };
  }

  tell(to: Address, event: Event | EngineEvent): void {
    this.#queue.push({ to, event });
  }

  begin(definition: Definition, address: Address, parent: Address | undefined, id: string, token: number, input: unknown, sync?: true): void {
    this.#keep({ definition, parent, id, token }, address, start(definition, address, parent, input, this.#now, { sync }));
  }

  complete(address: Address, end: { readonly output?: unknown; readonly error?: { readonly name: string; readonly message: string } }): void {
    const pending = this.pending.get(address);
    if (pending === undefined) return;
    this.pending.delete(address);
    const { parent, id, token } = pending;
    this.tell(parent, end.error === undefined ? { type: "taskwright.done", child: id, token, output: end.output as Json } : { type: "taskwright.error", child: id, token, error: end.error });
  }

  run(): void {
    let messages = 0;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      if (++messages > messagesMax) throw new Error(`the actors tell each other something for ever (${messagesMax} messages)`);
      const actor = this.actors.get(next.to);
      if (actor === undefined || actor.state.snapshot.status !== "active") continue;
      this.#keep(actor, next.to, step(actor.definition, actor.state, next.event, this.#now));
    }
  }

  #keep(actor: Omit<Inhabitant, "state">, address: Address, result: Step): void {
    const { definition, parent, id, token } = actor;
    const { state, commands } = result;
    this.actors.set(address, { definition, parent, id, token, state });
    for (const edge of edgesOfStep(definition, result)) this.#edges.push(`${definition.id} ${edge}`);
    for (const command of commands) {
      if (command.type === "child.start") this.#beginChild(definition, address, command);
      else if (command.type === "child.stop") this.#stopChild(childAddress(address, command.id));
      else if (command.type === "send") this.tell(this.#addressOf(command.to, address, parent), command.event);
    }
    if (parent === undefined || state.snapshot.status === "active" || state.snapshot.status === "stopped") return;
    const { status, output, error } = state.snapshot as { readonly status: string; readonly output: unknown; readonly error: unknown };
    this.tell(parent, status === "done" ? { type: "taskwright.done", child: id, token, output: output as Json } : { type: "taskwright.error", child: id, token, error: error as never });
  }

  #beginChild(
    definition: Definition,
    address: Address,
    { id, src, token, input, sync }: { readonly id: string; readonly src: string; readonly token: number; readonly input: unknown; readonly sync?: true },
  ): void {
    const source = definition.sources.get(src);
    const child = childAddress(address, id);
    this.#begun.push(src);
    if (source !== undefined && isMachine(source.logic)) this.begin(definitionOf(source.logic), child, address, id, token, input, sync);
    else if (source?.kind === "promise") this.pending.set(child, { parent: address, id, src, token });
  }

  #stopChild(address: Address): void {
    this.pending.delete(address);
    const child = this.actors.get(address);
    if (child === undefined) return;
    if (child.state.snapshot.status === "active") this.#keep(child, address, step(child.definition, child.state, { type: "taskwright.stop" }, this.#now));
    this.actors.delete(address);
  }

  #addressOf(to: Target, self: Address, parent: Address | undefined): Address {
    switch (to.kind) {
      case "self":
        return self;
      case "parent":
        return parent ?? "";
      case "child":
        return childAddress(self, to.id);
      case "address":
        return to.address;
    }
  }
}
