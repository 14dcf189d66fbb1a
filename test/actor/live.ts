import { type AnyActorRef, type AnyMachineSnapshot, type AnyStateMachine, createActor, SimulatedClock } from "xstate";
import { performed } from "./machines/observer.ts";

/** The same machine as a running actor with its children, on a simulated clock. */
export class Live {
  readonly clock = new SimulatedClock();
  readonly root: AnyActorRef;
  readonly messages: Array<unknown> = [];
  readonly emitted: Array<unknown> = [];
  readonly logged: Array<unknown> = [];

  constructor(machine: AnyStateMachine, input: unknown) {
    performed.length = 0;
    this.root = createActor(machine, {
      id: "1",
      input: input as never,
      clock: this.clock,
      logger: (...words: ReadonlyArray<unknown>) => this.logged.push(words),
      inspect: (inspected) => {
        if (inspected.type === "@xstate.actor") (inspected.actorRef as AnyActorRef).on("*", (event) => this.emitted.push([pathOf(inspected.actorRef as AnyActorRef), event]));
        if (inspected.type === "@xstate.event") this.#heard(inspected.actorRef as AnyActorRef, inspected.event);
      },
    });
    this.root.subscribe({ error: () => {} });
    this.root.start();
  }

  get performed(): Array<unknown> {
    return performed as Array<unknown>;
  }

  send(path: string, event: { readonly type: string }): void {
    this.at(path).send(event as never);
  }

  complete(path: string, output: unknown, error?: Error): void {
    this.send(path, (error === undefined ? { type: "xstate.promise.resolve", data: output } : { type: "xstate.promise.reject", data: error }) as never);
  }

  /** Moves the clock on to `to`, and again as long as that makes timers due at once. */
  advance(to: number): void {
    this.clock.set(to);
    const { timeouts } = this.clock as unknown as { timeouts: Map<number, { start: number; timeout: number }> };
    while ([...timeouts.values()].some(({ start, timeout }) => start + timeout <= to)) this.clock.increment(0);
  }

  at(path: string): AnyActorRef {
    let ref = this.root;
    for (const id of path.split("/").slice(1)) ref = (ref.getSnapshot() as AnyMachineSnapshot).children[id] as AnyActorRef;
    return ref;
  }

  #heard(actor: AnyActorRef, event: { readonly type: string; readonly output?: unknown; readonly data?: unknown }): void {
    if (/^xstate\.(?:init|stop|promise)/.test(event.type) || (actor as unknown as { _processingStatus: number })._processingStatus === 2) return;
    const isCompletion = /^xstate\.(?:done|error)\.actor\./.test(event.type);
    this.messages.push([pathOf(actor), isCompletion ? { type: event.type, ...(event.output === undefined ? {} : { output: event.output }) } : event]);
  }
}

const pathOf = (actor: AnyActorRef): string => {
  const parent = (actor as unknown as { _parent?: AnyActorRef })._parent;
  return parent === undefined ? "" : `${pathOf(parent)}/${actor.id}`;
};

/** What a live actor and its children look like from outside. */
export const lookOf = (actor: AnyActorRef): unknown => {
  const snapshot = actor.getSnapshot() as AnyMachineSnapshot;
  const { status } = snapshot;
  if (!("machine" in snapshot)) return { status };
  return {
    children: status === "active" ? Object.entries(snapshot.children).map(([id, child]) => [id, (child as AnyActorRef).getSnapshot().status === "active" ? lookOf(child as AnyActorRef) : "over"]) : [],
    status,
    value: snapshot.value,
    context: snapshot.context,
    output: snapshot.output,
    error: snapshot.error instanceof Error ? snapshot.error.message : snapshot.error,
    tags: [...snapshot.tags].sort(),
  };
};
