import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import { makeOutboxes } from "../../src/delivery/index.ts";
import { type Dispatcher, dispatchMachines, openDispatcher, type TaskView } from "../../src/dispatch/index.ts";
import { delivered } from "../../src/delivery/index.ts";
import { agentFunction, AgentWorkSchema, makeOrchestration, type NewWork, type Ordered, type Orchestration, type OrchestrationOptions, type Party } from "../../src/orchestration/index.ts";
import type { Bench, TestEngine } from "../../src/testing/index.ts";
import { Receiver } from "../delivery/receiver.ts";
import { Agents } from "../orchestration/agents.ts";

// A summary at every restart would be told after each pause, and in the mode `restart` each pause ends with one.
const hour = 3_600_000;

/** A program in which orchestrators have agents work, on virtual time. In the mode `restart` it ends after every call. */
export class OrchestrationHost {
  readonly engine: TestEngine;
  readonly orchestration: Orchestration;
  readonly agents: Agents;
  /** What the outbox delivered: status summaries, incidents, messages. */
  readonly receiver: Receiver;
  readonly #dispatch: ReturnType<typeof dispatchMachines>;
  #dispatcher: Dispatcher | undefined;

  static async open(bench: Bench, options: OrchestrationOptions = {}): Promise<OrchestrationHost> {
    const agents = new Agents();
    const receiver = new Receiver(() => delivered);
    const dispatch = dispatchMachines({ kinds: { agent: { input: AgentWorkSchema, run: agentFunction(agents) } } });
    const outboxes = makeOutboxes({ up: { destination: receiver.destination } });
    const orchestration = makeOrchestration({ outbox: "up", statusEveryMs: hour, ...options });
    const engine = await bench.engine({ machines: [], plugins: [dispatch, outboxes, orchestration] });
    const host = new OrchestrationHost(engine, orchestration, agents, receiver, dispatch);
    await host.attach();
    return host;
  }
  private constructor(engine: TestEngine, orchestration: Orchestration, agents: Agents, receiver: Receiver, dispatch: ReturnType<typeof dispatchMachines>) {
    this.engine = engine;
    this.orchestration = orchestration;
    this.agents = agents;
    this.receiver = receiver;
    this.#dispatch = dispatch;
  }
  async attach(): Promise<void> {
    await this.dispatch();
    await this.orchestration.attach(this.dispatcher);
    await this.engine.settled();
  }
  /** Tasks are carried out, and nobody tells their orchestrators. */
  async dispatch(): Promise<void> {
    this.#dispatcher = await openDispatcher(this.engine.taskwright, this.#dispatch, { functionSlots: 100, defaults: { lossesMax: 1_000 } });
    await this.engine.settled();
  }
  get dispatcher(): Dispatcher {
    return this.#dispatcher as Dispatcher;
  }

  async exit<A, E>(call: Effect.Effect<A, E>): Promise<Exit.Exit<A, E>> {
    const ended = Effect.runPromiseExit(call);
    await this.engine.settled();
    const exit = await ended;
    await this.engine.settled();
    if (this.engine.mode === "restart") await this.restart();
    return exit;
  }
  async call<A, E>(call: Effect.Effect<A, E>): Promise<A> {
    const exit = await this.exit(call);
    if (Exit.isSuccess(exit)) return exit.value;
    throw Error(`the call failed: ${String(exit.cause)}`, { cause: exit.cause });
  }
  /** The error of a call that has to fail. It stored nothing, so there is nothing to lose by a restart. */
  async failure<A, E>(call: Effect.Effect<A, E>): Promise<E> {
    const exit = await Effect.runPromiseExit(Effect.flip(call));
    if (Exit.isSuccess(exit)) return exit.value;
    throw Error("this had to fail, and did not");
  }
  /** Something outside happens: an agent ends, an operator gives an order. */
  async play<A>(act: () => A | Promise<A>): Promise<A> {
    const made = await act();
    await this.engine.settled();
    if (this.engine.mode === "restart") await this.restart();
    return made;
  }
  async advance(ms: number): Promise<void> {
    const to = this.engine.time.now() + ms;
    for (let next = this.engine.time.next; next !== undefined && next <= to; next = this.engine.time.next) {
      const before = this.engine.taskwright;
      await this.engine.advance(Math.max(0, next - this.engine.time.now()));
      // In the mode `restart` the program has ended at that moment.
      if (this.engine.taskwright !== before) {
        this.agents.die();
        await this.attach();
      }
    }
    await this.engine.advance(Math.max(0, to - this.engine.time.now()));
  }
  async restart(): Promise<void> {
    this.agents.die();
    await this.engine.restart();
    await this.attach();
  }

  bind(requester = "main", orchestrator = "o1") {
    return this.call(this.orchestration.bind(requester, orchestrator));
  }
  order(work: Partial<NewWork> = {}, from: Party = { orchestrator: "o1" }): Promise<Ordered> {
    return this.call(this.orchestration.order(from, { body: "Count the files.", ...work }));
  }
  get(orchestrator = "o1") {
    return Effect.runPromise(this.orchestration.get(orchestrator));
  }
  async task(id: string): Promise<TaskView> {
    const view = await this.dispatcher.get(id);
    if (view === undefined) throw new Error(`there is no task "${id}"`);
    return view;
  }
  /** What was delivered, of one type. */
  said(type: string): ReadonlyArray<Record<string, unknown>> {
    return this.receiver.calls.filter(({ entry }) => entry.type === type).map(({ entry }) => entry.payload as Record<string, unknown>);
  }
}
