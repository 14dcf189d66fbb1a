import { expect } from "vitest";
import { usedSlots, type WorkerContext } from "../../machines/worker.ts";
import { type DispatchMachines, type DispatchOptions, type Dispatcher, dispatchMachines, endedStates, openDispatcher, type TaskSpec, type TaskState, type TaskView } from "../../src/dispatch/index.ts";
import { inMemory, type TestEngine, type TestEngineOptions } from "../../src/testing/index.ts";
import { FakeWorkers } from "./fake-workers.ts";

export const spec = (id: string, more: Partial<TaskSpec> = {}): TaskSpec & { readonly id: string } => ({ id, input: { command: { argv: ["true"] }, cwd: "/" }, ...more });

/** A dispatcher with workers that a test plays, on a clock that a test moves. */
export class Scene {
  readonly engine: TestEngine;
  readonly workers: FakeWorkers;
  readonly dispatchers: DispatchMachines;
  readonly #options: DispatchOptions;
  #dispatcher: Dispatcher | undefined;

  static async open(open: (options: TestEngineOptions) => Promise<TestEngine>, options: DispatchOptions, more: Partial<TestEngineOptions> = {}): Promise<Scene> {
    const workers = new FakeWorkers();
    const dispatch = dispatchMachines({ transports: { command: workers } });
    const engine = await open({ machines: [], plugins: [dispatch], ...more });
    const scene = new Scene(engine, workers, dispatch, options);
    await scene.dispatch();
    return scene;
  }

  constructor(engine: TestEngine, workers: FakeWorkers, dispatch: DispatchMachines, options: DispatchOptions) {
    this.engine = engine;
    this.workers = workers;
    this.dispatchers = dispatch;
    this.#options = options;
  }

  get dispatcher(): Dispatcher {
    if (this.#dispatcher === undefined) throw new Error("there is no dispatcher");
    return this.#dispatcher;
  }

  async dispatch(options: Partial<DispatchOptions> = {}): Promise<void> {
    this.#dispatcher = await openDispatcher(this.engine.taskwright, this.dispatchers, { ...this.#options, ...options });
    await this.settle();
  }

  /** The engine's process is killed, its workers with it, and another one is started on the same journal. */
  async restart(options: Partial<DispatchOptions> = {}, awayMs = 0): Promise<void> {
    this.engine.crash();
    this.workers.killAll();
    this.engine.time.advance(awayMs);
    await this.engine.restart();
    await this.dispatch(options);
  }

  async submit(...tasks: ReadonlyArray<TaskSpec>): Promise<void> {
    await this.dispatcher.submit(tasks);
    await this.settle();
  }
  async settle(): Promise<void> {
    await this.engine.settled();
  }
  async advance(ms: number): Promise<void> {
    await this.engine.advance(ms);
  }
  /** The engine hears what the workers did meanwhile. */
  async play(...acts: ReadonlyArray<() => unknown>): Promise<void> {
    for (const act of acts) {
      act();
      await this.settle();
    }
  }

  async task(id: string): Promise<TaskView> {
    const task = await this.dispatcher.get(id);
    if (task === undefined) throw new Error(`there is no task "${id}"`);
    return task;
  }
  async tasks(): Promise<ReadonlyArray<TaskView>> {
    return (await this.dispatcher.list({ limit: 1_000 })).tasks;
  }
  async state(id: string): Promise<TaskState> {
    return (await this.task(id)).state;
  }
  async states(): Promise<Readonly<Record<string, TaskState>>> {
    return Object.fromEntries((await this.tasks()).map(({ id, state }) => [id, state]));
  }
  async worker(number: number): Promise<WorkerContext & { readonly state: string }> {
    const { value, context } = await this.engine.snapshot(`worker/${number}`);
    return { ...(context as WorkerContext), state: String(value) };
  }

  /** What holds at any moment, whatever happened before. */
  async check(): Promise<void> {
    expect(this.workers.violations).toEqual([]);
    const views = await this.tasks();
    const stored = await this.engine.taskwright.list({ machine: "task", limit: 1_000 });
    const assignments = await this.engine.taskwright.list({ machine: "assignment", status: "active", limit: 1_000 });
    const workers = await this.engine.taskwright.list({ machine: "worker", limit: 1_000 });
    // What the dispatcher shows is what is stored.
    expect(Object.fromEntries(views.map(({ id, state }) => [id, state]))).toEqual(
      Object.fromEntries(stored.map(({ address, value }) => [address.slice(5), typeof value === "string" ? value : ((value as { active?: string }).active ?? "waiting")])),
    );
    // Every task is live or ended, and has one assignment exactly while a worker has it.
    const active = views.filter(({ state }) => state === "assigned" || state === "running").map(({ id }) => `task/${id}/assignment`);
    expect(assignments.map(({ address }) => address).sort()).toEqual(active.sort());
    // Every assignment holds one slot, and no worker has more than it can carry.
    const taken = workers.flatMap(({ context }) => Object.keys((context as WorkerContext).taken));
    expect([...taken].sort()).toEqual(active.sort());
    for (const { context } of workers) expect(usedSlots(context as WorkerContext)).toBeLessThanOrEqual((context as WorkerContext).slots);
    // Nothing is executed that the journal does not know.
    for (const { assignment, attempt } of this.workers.executing) {
      const known = assignments.find(({ address }) => address === assignment);
      expect((known?.context as { attempt?: number } | undefined)?.attempt).toBe(attempt);
    }
  }

  /** All have ended; nothing is held any more. */
  async checkOver(): Promise<void> {
    await this.check();
    for (const { id, state } of await this.tasks()) expect([id, endedStates.has(state)]).toEqual([id, true]);
    expect(this.workers.executing).toEqual([]);
  }
}

/** Registers a scenario twice: in memory with every actor read again for each event, and over a SQLite file. */
export const inScenes = (title: string, scenario: (open: (options: DispatchOptions, more?: Partial<TestEngineOptions>) => Promise<Scene>) => Promise<void>): void => {
  inMemory(`${title} (read again each time)`, (bench) => scenario((options, more) => Scene.open(bench.engine, options, { mode: "json", ...more })));
  inMemory(`${title} (sqlite)`, (bench) => scenario((options, more) => Scene.open(bench.engine, options, { journal: "sqlite", ...more })));
};
