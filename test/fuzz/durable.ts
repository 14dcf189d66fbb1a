import * as Effect from "effect/Effect";
import type { AnyStateMachine } from "xstate";
import { type ActivityContext, activity } from "../../machines/activity.ts";
import { define } from "../../src/actor/index.ts";
import type { ActorView, DurableMachine, EngineCore, SentEvent, Transition } from "../../src/engine/index.ts";
import type { Journal } from "../../src/journal/index.ts";
import { type StoreKind, TestEngine, testStore } from "../../src/testing/index.ts";
import { held, performed } from "./build.ts";
import { listAt } from "./oracle.ts";

/** When the engine is dropped and opened again. Where that is not after each event, all actors are dropped from memory after each turn. */
export type Restarts = "after each event" | "when it was offline";

/** The machine as an actor of the real engine, over a journal that outlives it. */
export class Durable extends TestEngine {
  readonly emitted = new Map<string, Array<unknown>>();
  readonly said: Map<string, Array<unknown>>;
  readonly heard: Array<unknown> = [];
  readonly transitions: Array<Transition> = [];
  /** What the engine reported as an error. */
  readonly troubles: Array<string>;
  readonly #restarts: Restarts;
  readonly #root: string;

  static async begin(machines: ReadonlyArray<AnyStateMachine>, input: unknown, options: { journal: StoreKind; restarts: Restarts; wrap?: (journal: Journal) => Journal }): Promise<Durable> {
    const durable = new Durable(machines, new Map(), [], options);
    performed.clear();
    held.clear();
    try {
      await durable.open();
      await durable.start(machines[0] as AnyStateMachine, "1", input);
      await durable.rest();
    } catch (error) {
      await durable.dispose();
      throw error;
    }
    return durable;
  }

  private constructor(
    machines: ReadonlyArray<AnyStateMachine>,
    said: Map<string, Array<unknown>>,
    troubles: Array<string>,
    options: { journal: StoreKind; restarts: Restarts; wrap?: (journal: Journal) => Journal },
  ) {
    super(
      {
        machines: machines.map(patient),
        ...(options.wrap === undefined ? {} : { wrap: options.wrap }),
        mode: "normal",
        log: ({ level, message, address, data }) => {
          if (level === "error") troubles.push(`${message}: ${JSON.stringify(data)}`);
          if (address !== undefined) listAt(said, placeAt(address)).push(message === "log" ? [data] : [message, data]);
        },
      },
      testStore(options.journal),
      true,
    );
    this.#restarts = options.restarts;
    this.#root = `${(machines[0] as AnyStateMachine).id}/1`;
    this.said = said;
    this.troubles = troubles;
  }

  override async open(options: { readonly ownerIsDead?: boolean } = {}): Promise<void> {
    await super.open(options);
    const core = this.taskwright.effect as EngineCore;
    core.onEmitted((address, event) => void listAt(this.emitted, placeAt(address)).push(event));
    core.observe((transition) => this.#heard(transition));
    if (this.#restarts === "after each event") return;
    core.forget();
    core.observe(core.forget);
  }

  #heard(transition: Transition): void {
    const { address, event, outcome, machine } = transition;
    if (machine === activity.id || machine === "supervisor") return;
    this.transitions.push(transition);
    if (!event.type.startsWith("taskwright.") && outcome !== "ended") this.heard.push([placeAt(address), event.type, (event as { n?: unknown }).n]);
  }

  /** The engine comes to rest, and is another one after it. */
  async rest(): Promise<void> {
    await this.settled();
    if (this.#restarts === "after each event") await this.restart();
  }

  /** Tells what became of the event. */
  async tell(place: string, event: SentEvent): Promise<string> {
    const { outcome } = await this.send(`${this.#root}${place}`, event);
    await this.rest();
    return outcome;
  }

  async complete(place: string, output: unknown, error: Error | undefined): Promise<void> {
    const address = `${this.#root}${place}`;
    const call = held.get(address);
    if (call === undefined) throw new Error(`no promise runs at ${address}`);
    held.delete(address);
    if (error === undefined) call.resolve(output);
    else call.reject(error);
    await this.rest();
  }

  /** Nobody runs until then. */
  async sleep(to: number): Promise<void> {
    this.crash();
    this.time.advanceTo(to);
    await this.open({ ownerIsDead: true });
    await this.settled();
  }

  async wait(to: number): Promise<void> {
    await this.advance(to - this.time.now());
    await this.rest();
  }

  async running(): Promise<ReadonlyArray<string>> {
    const views = await Effect.runPromise(this.taskwright.effect.list({ status: "active", limit: 10_000 }));
    return views
      .filter(({ machine }) => machine !== "supervisor")
      .map(({ address }) => placeAt(address))
      .sort();
  }

  async look(address = this.#root): Promise<unknown> {
    const view = await this.snapshot(address);
    if (view.machine === activity.id) return { input: (view.context as ActivityContext).input };
    const children: Record<string, unknown> = {};
    for (const [id, child] of Object.entries(view.children ?? {})) children[id] = child.ended === true ? "over" : await this.look(`${address}/${id}`);
    return { ...shown(view), children };
  }
}

const shown = ({ status, value, context, output, error, tags }: ActorView) => ({ status, value, context, output, error: error?.message, tags: [...tags].sort() });

const placeAt = (address: string): string =>
  address
    .split("/")
    .slice(2)
    .map((part) => `/${part}`)
    .join("");

/** An activity is interrupted by each restart: here that says nothing about it. */
const patient = (machine: AnyStateMachine): DurableMachine => ({
  machine,
  activities: Object.fromEntries([...define(machine).sources.values()].filter(({ kind }) => kind === "promise").map(({ name }) => [name, { interruptionsMax: 1_000_000 }])),
});
