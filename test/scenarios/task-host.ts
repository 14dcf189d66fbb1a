import * as Effect from "effect/Effect";
import {
  type Dispatcher,
  type DispatchMachines,
  type DispatchMachinesOptions,
  type DispatchOptions,
  dispatchMachines,
  openDispatcher,
  type RunContext,
  type TaskState,
  type TaskView,
} from "../../src/dispatch/index.ts";
import { delivered, type Entry, makeOutboxes, type Outboxes, type OutboxOptions } from "../../src/delivery/index.ts";
import type { Bench, TestEngine } from "../../src/testing/index.ts";

/** A run that waits for the test to say how it ends. */
export interface Held {
  readonly task: string;
  readonly input: unknown;
  readonly signal: AbortSignal;
  readonly context: RunContext;
  readonly end: (result?: unknown) => void;
  readonly fail: (error: unknown) => void;
}

export interface TaskHostOptions extends DispatchMachinesOptions {
  readonly dispatch?: DispatchOptions;
  readonly outboxes?: Readonly<Record<string, OutboxOptions>>;
}

/** A program with tasks that functions of its own carry out. In the mode `restart` it ends after every call and every due moment. */
export class TaskHost {
  readonly engine: TestEngine;
  readonly outboxes: Outboxes;
  /** What the receiver of the outbox "results" was given. */
  readonly received: Array<Entry>;
  readonly #dispatch: DispatchMachines;
  #options: DispatchOptions;
  #dispatcher: Dispatcher | undefined;
  #opened: unknown;

  private constructor(engine: TestEngine, dispatch: DispatchMachines, outboxes: Outboxes, received: Array<Entry>, options: DispatchOptions) {
    this.engine = engine;
    this.#dispatch = dispatch;
    this.outboxes = outboxes;
    this.received = received;
    this.#options = options;
  }

  static async open(bench: Bench, { dispatch: options = {}, outboxes = {}, ...machines }: TaskHostOptions): Promise<TaskHost> {
    const received: Array<Entry> = [];
    const destination = (entry: Entry) => {
      received.push(entry);
      return delivered;
    };
    const dispatch = dispatchMachines(machines);
    const boxes = makeOutboxes({ results: { destination }, ...outboxes });
    const engine = await bench.engine({ machines: [], plugins: [dispatch, boxes] });
    // Each restart counts as a lost worker.
    const host = new TaskHost(engine, dispatch, boxes, received, { ...options, defaults: { lossesMax: 1_000, ...options.defaults } });
    await engine.settled();
    await host.#reopen();
    return host;
  }

  get dispatcher(): Dispatcher {
    if (this.#dispatcher === undefined) throw new Error("there is no dispatcher");
    return this.#dispatcher;
  }

  async call<A>(call: (dispatcher: Dispatcher) => Promise<A>): Promise<A> {
    const answer = await call(this.dispatcher);
    await this.engine.settled();
    if (this.engine.mode === "restart") await this.restart();
    return answer;
  }
  async failure(call: (dispatcher: Dispatcher) => Promise<unknown>): Promise<unknown> {
    try {
      await call(this.dispatcher);
    } catch (error) {
      return error;
    }
    throw new Error("this had to fail, and did not");
  }
  /** What the test does to its functions. */
  async play(act: () => unknown): Promise<void> {
    act();
    await this.engine.settled();
    if (this.engine.mode === "restart") await this.restart();
  }
  async restart(options: DispatchOptions = {}): Promise<void> {
    this.#options = { ...this.#options, ...options };
    await this.engine.restart();
    await this.#reopen();
  }
  async advance(ms: number): Promise<void> {
    const { engine } = this;
    const to = engine.time.now() + ms;
    for (let next = engine.time.next; next !== undefined && next <= to; next = engine.time.next) {
      await engine.advance(Math.max(0, next - engine.time.now()));
      if (this.#opened !== engine.taskwright) await this.#reopen();
    }
    await engine.advance(to - engine.time.now());
    if (this.#opened !== engine.taskwright) await this.#reopen();
  }
  async #reopen(): Promise<void> {
    this.#opened = this.engine.taskwright;
    this.#dispatcher = await openDispatcher(this.engine.taskwright, this.#dispatch, this.#options);
    await this.engine.settled();
  }

  async task(id: string): Promise<TaskView> {
    const task = await this.dispatcher.get(id);
    if (task === undefined) throw new Error(`there is no task "${id}"`);
    return task;
  }
  async state(id: string): Promise<TaskState> {
    return (await this.task(id)).state;
  }
  async states(): Promise<Readonly<Record<string, TaskState>>> {
    return Object.fromEntries((await this.dispatcher.list({ limit: 1_000 })).tasks.map(({ id, state }) => [id, state]));
  }
  /** What happened to a task, by the types of its events. */
  async history(id: string): Promise<ReadonlyArray<{ readonly type: string; readonly [name: string]: unknown }>> {
    return (await this.engine.taskwright.history(`task/${id}`, { limit: 1_000 })).map(({ event }) => event);
  }
  async keys(box: string): Promise<ReadonlyArray<string>> {
    return (await Effect.runPromise(this.outboxes.entries(box))).map(({ key }) => key);
  }
}

/** Functions that wait for the test. The latest run of a task is the one that counts. */
export const holding = () => {
  const runs = new Map<string, Held>();
  const begun: Array<string> = [];
  const run = (input: unknown, signal: AbortSignal, context: RunContext) =>
    new Promise<unknown>((resolve, reject) => {
      begun.push(context.task);
      runs.set(context.task, { task: context.task, input, signal, context, end: resolve, fail: reject });
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  const of = (task: string): Held => {
    const held = runs.get(task);
    if (held === undefined) throw new Error(`"${task}" was never begun`);
    return held;
  };
  return { run, of, begun, runs };
};
