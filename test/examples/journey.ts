import * as Duration from "effect/Duration";
import { expect } from "vitest";
import { type AnyActor, type AnyMachineSnapshot, type AnyStateMachine, createActor, fromPromise } from "xstate";
import type { ActorView, DurableMachine, SentEvent } from "../../src/engine/index.ts";
import { type Bench, type TestEngine, VirtualTime } from "../../src/testing/index.ts";

/** A service that a machine calls and a test answers: for the engine's actor and for XState's own at once. */
export class Service<Output = void, Input = unknown> {
  /** What it was asked, each time; interrupted attempts ask again. */
  readonly asked: Array<Input> = [];
  #open: Array<{ readonly resolve: (output: Output) => void; readonly reject: (error: unknown) => void }> = [];
  readonly logic = fromPromise<Output, Input>(
    ({ input }) =>
      new Promise((resolve, reject) => {
        this.asked.push(input);
        this.#open.push({ resolve, reject });
      }),
  );

  answer(output: Output): void {
    expect(this.#open, "nobody asked").not.toHaveLength(0);
    for (const { resolve } of this.#open.splice(0)) resolve(output);
  }
  refuse(error: unknown): void {
    expect(this.#open, "nobody asked").not.toHaveLength(0);
    for (const { reject } of this.#open.splice(0)) reject(error);
  }
}

/**
 * One actor's way through the engine, next to the same machine in XState's own interpreter: after each event, answer
 * and wait both must stand in the same state. In restart mode the engine's process dies after each of them.
 */
export class Journey {
  readonly engine: TestEngine;
  readonly address: string;
  readonly #plain: AnyActor;
  readonly #clock: VirtualTime;

  static async begin(bench: Bench, example: AnyStateMachine | DurableMachine, input?: unknown): Promise<Journey> {
    const engine = await bench.engine({ machines: [example] });
    const machine = "machine" in example && !("implementations" in example) ? (example as DurableMachine).machine : (example as AnyStateMachine);
    const journey = new Journey(engine, machine, input);
    journey.#plain.start();
    await engine.start(machine, "1", input);
    await journey.#compare();
    return journey;
  }

  private constructor(engine: TestEngine, machine: AnyStateMachine, input: unknown) {
    this.engine = engine;
    this.address = `${machine.id}/1`;
    const clock = new VirtualTime();
    this.#clock = clock;
    this.#plain = createActor(machine, {
      input: input as never,
      logger: () => {},
      clock: { setTimeout: (callback, ms) => clock.wakeAt(clock.now() + ms, () => callback()), clearTimeout: (cancel: (() => void) | undefined) => cancel?.() },
    });
    // What fails unhandled is told by its state; XState would throw it at the host besides.
    this.#plain.subscribe({ error: () => {} });
  }

  async send(event: SentEvent): Promise<ActorView> {
    this.#plain.send(event as never);
    expect(await this.engine.send(this.address, event)).toMatchObject({ duplicate: false });
    return this.#compare();
  }

  /** Sends one of its children an event. */
  async tell(child: string, event: SentEvent): Promise<ActorView> {
    (this.#plain.getSnapshot() as AnyMachineSnapshot).children[child]?.send(event);
    await this.engine.send(`${this.address}/${child}`, event);
    return this.#compare();
  }

  async answer<Output>(service: { readonly answer: (output: Output) => void }, output: Output): Promise<ActorView> {
    await this.engine.settled();
    service.answer(output);
    return this.#died();
  }

  async refuse(service: { readonly refuse: (error: unknown) => void }, error: unknown): Promise<ActorView> {
    await this.engine.settled();
    service.refuse(error);
    return this.#died();
  }

  async wait(duration: Duration.DurationInput): Promise<ActorView> {
    const to = this.#clock.now() + Duration.toMillis(duration);
    for (let next = this.#clock.next; next !== undefined && next <= to; next = this.#clock.next) {
      this.#clock.advance(Math.max(0, next - this.#clock.now()));
      await settle();
    }
    this.#clock.advanceTo(to);
    await this.engine.advance(duration);
    return this.#compare();
  }

  async #died(): Promise<ActorView> {
    await this.engine.settled();
    if (this.engine.mode === "restart") await this.engine.restart();
    return this.#compare();
  }

  async #compare(): Promise<ActorView> {
    await settle();
    await this.engine.settled();
    const view = await this.engine.snapshot(this.address);
    const plain = this.#plain.getSnapshot() as AnyMachineSnapshot;
    const { status, value, context, output, tags } = view;
    expect(stored({ status, value, context, output, tags })).toEqual(stored({ status: plain.status, value: plain.value, context: plain.context, output: plain.output, tags: [...plain.tags] }));
    if (status === "active")
      expect(living(view.children)).toEqual(
        Object.keys(plain.children)
          .filter((id) => plain.children[id]?.getSnapshot().status === "active")
          .sort(),
      );
    return view;
  }
}

const settle = async (): Promise<void> => {
  for (let round = 0; round < 3; round++) await new Promise(setImmediate);
};

const living = (children: ActorView["children"]) =>
  Object.entries(children ?? {})
    .filter(([, child]) => child.ended !== true)
    .map(([id]) => id)
    .sort();

/** As it looks after JSON; an actor is known by its id. */
const stored = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, item: unknown) => (typeof item === "object" && item !== null && "xstate$$type" in item ? { actor: (item as { id?: unknown }).id } : item)));
