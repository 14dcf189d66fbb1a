import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import {
  type Broker,
  type BrokerOptions,
  type BrokerPolicy,
  type Frame,
  type Hello,
  type InProcessConnection,
  inProcess,
  makeBroker,
  type OutgoingReply,
  type Session,
} from "../../src/broker/index.ts";
import { delivered, type Inboxes, makeInboxes, makeOutboxes, type Outboxes } from "../../src/delivery/index.ts";
import type { IncomingMessage } from "../../src/domain/incoming.ts";
import type { OutboxPolicy, Verdict } from "../../src/domain/outbox.ts";
import type { Bench, TestEngine, TestEngineOptions } from "../../src/testing/index.ts";
import { Receiver } from "../delivery/receiver.ts";

/** As an upstream that is to hear of everything: 1 s, doubling, at most 30 s. */
export const upstreamPolicy: Partial<OutboxPolicy> = { retry: { attemptsMax: 1_000_000, backoff: { kind: "exponential", baseMs: 1_000, capMs: 30_000 } }, restartClearsBackoff: false };

export const say = (id: string, more: Partial<IncomingMessage> = {}): IncomingMessage => ({ id, content: `say ${id}`, ...more });

/** An endpoint's process. It attaches again whenever its connection is gone, as long as it is up. */
export class Puppet {
  readonly hello: Hello;
  /** Everything that it was told, over all connections. */
  readonly frames: Array<Frame> = [];
  readonly #stage: Stage;
  #connection: InProcessConnection | undefined;
  #session: Session | undefined;
  isUp = true;
  /** How many more frames can be written to it. */
  writable = Number.POSITIVE_INFINITY;

  constructor(stage: Stage, hello: Hello) {
    this.#stage = stage;
    this.hello = hello;
  }

  get session(): Session {
    if (this.#session === undefined) throw new Error(`${this.hello.endpoint} is not attached`);
    return this.#session;
  }

  /** The assignments that it was offered, in order. */
  get offers(): ReadonlyArray<string> {
    return this.frames.flatMap((frame) => (frame.type === "offer" ? [frame.message.id] : []));
  }

  get lastOffer(): string {
    const frame = this.frames.findLast(({ type }) => type === "offer");
    if (frame === undefined) throw new Error(`${this.hello.endpoint} was offered nothing`);
    return frame.assignment;
  }

  get isAttached(): boolean {
    return this.#connection?.isOpen() === true;
  }

  attaching(): Effect.Effect<Session, unknown> {
    const connection = inProcess((frame) => {
      if (this.writable-- <= 0) throw new Error("the socket is full");
      this.frames.push(frame);
    });
    this.#connection = connection;
    return Effect.tap(this.#stage.broker.attach(this.hello, connection), (session) => {
      this.#session = session;
    });
  }

  /** Its connection breaks; its process lives. */
  disconnect(): void {
    this.isUp = false;
    this.#connection?.close();
  }

  /** Its process ends, and its connection with it. */
  die(): void {
    this.#stage.dead.add(this.hello.owner);
    this.disconnect();
  }
}

export interface StageOptions extends Partial<Omit<BrokerOptions, "policy">> {
  readonly policy?: Partial<BrokerPolicy>;
  readonly wrap?: TestEngineOptions["wrap"];
}

/** A broker with an upstream, a connector and endpoints, on virtual time. In the mode `restart` it ends after every call. */
export class Stage {
  readonly engine: TestEngine;
  readonly broker: Broker;
  readonly outboxes: Outboxes;
  readonly inboxes: Inboxes;
  readonly upstream: Receiver;
  /** Owners whose process has ended. */
  readonly dead = new Set<string>();
  /** What the connector was given, in order. */
  readonly sent: Array<OutgoingReply>;
  readonly heard: Array<{ readonly type: string; readonly [key: string]: unknown }> = [];
  readonly puppets: Array<Puppet> = [];
  /** What the upstream answers. */
  verdict: Verdict | undefined;
  #listensTo: unknown;

  private constructor(parts: Pick<Stage, "engine" | "broker" | "outboxes" | "inboxes" | "upstream" | "sent">, dead: Set<string>) {
    this.engine = parts.engine;
    this.broker = parts.broker;
    this.outboxes = parts.outboxes;
    this.inboxes = parts.inboxes;
    this.upstream = parts.upstream;
    this.sent = parts.sent;
    this.dead = dead;
  }

  static async open(bench: Pick<Bench, "engine">, { connector = () => delivered, policy, wrap, ...options }: StageOptions = {}): Promise<Stage> {
    const sent: Array<OutgoingReply> = [];
    const dead = new Set<string>();
    let stage: Stage | undefined;
    const upstream = new Receiver(() => stage?.verdict ?? delivered);
    const broker = makeBroker({
      connector: (reply, signal) => {
        sent.push(reply);
        return connector(reply, signal);
      },
      isOwnerAlive: (owner) => !dead.has(owner),
      outbox: "up",
      // Puppets have no pulse of their own.
      policy: { heartbeatTimeoutMs: 365 * 24 * 60 * 60 * 1000, ...policy },
      ...options,
    });
    const outboxes = makeOutboxes({ up: { destination: upstream.destination, policy: upstreamPolicy } });
    const inboxes = makeInboxes({ deliveries: { handler: broker.deliveries, outbox: "up" }, control: { handler: broker.control } });
    const engine = await bench.engine({ machines: [], plugins: [outboxes, inboxes, broker], ...(wrap === undefined ? {} : { wrap }) });
    stage = new Stage({ engine, broker, outboxes, inboxes, upstream, sent }, dead);
    await engine.settled();
    stage.#listen();
    return stage;
  }

  /** An endpoint that is attached. */
  async puppet(endpoint: string, more: Partial<Hello> = {}): Promise<Puppet> {
    const puppet = new Puppet(this, { endpoint, owner: `${endpoint}-process`, ...more });
    this.puppets.push(puppet);
    await this.call(puppet.attaching());
    return puppet;
  }

  async exit<A, E>(call: Effect.Effect<A, E>): Promise<Exit.Exit<A, E>> {
    this.#listen();
    const ended = Effect.runPromiseExit(call);
    await this.engine.settled();
    const exit = await ended;
    await this.quiet();
    return exit;
  }

  async call<A, E>(call: Effect.Effect<A, E>): Promise<A> {
    const exit = await this.exit(call);
    if (Exit.isSuccess(exit)) return exit.value;
    throw Error(`the call failed: ${String(exit.cause)}`, { cause: exit.cause });
  }

  /** The error of a call that has to fail. */
  async failure<A, E>(call: Effect.Effect<A, E>): Promise<E> {
    const exit = await this.exit(Effect.flip(call));
    if (Exit.isSuccess(exit)) return exit.value;
    throw Error("this had to fail, and did not");
  }

  /** A call that takes its time: it goes on while the clock does. */
  begin<A, E>(call: Effect.Effect<A, E>): Promise<Exit.Exit<A, E>> {
    this.#listen();
    return Effect.runPromiseExit(call);
  }

  /** Everything that follows has happened, and whoever is up has attached again. */
  async quiet(): Promise<void> {
    await this.engine.settled();
    if (this.engine.mode === "restart") await this.engine.restart();
    await this.#reattach();
  }

  /** The broker's process ends, and another one begins. */
  async restart(): Promise<void> {
    await this.engine.restart();
    await this.#reattach();
  }

  /** Moves the clock on, from one due moment to the next. */
  async advance(ms: number): Promise<void> {
    const { engine } = this;
    const to = engine.time.now() + ms;
    for (let next = engine.time.next; next !== undefined && next <= to; next = engine.time.next) {
      await engine.advance(Math.max(0, next - engine.time.now()));
      await this.#reattach();
    }
    await engine.advance(to - engine.time.now());
    this.#listen();
  }

  message(id: string) {
    return this.call(this.broker.message(id));
  }

  async state(id: string): Promise<string> {
    return (await this.message(id)).state;
  }

  async endpointState(id: string): Promise<string> {
    return (await this.call(this.broker.endpoint(id))).state;
  }

  async inbox(): Promise<ReadonlyArray<string>> {
    return (await this.call(this.broker.inbox())).map(({ id, reason }) => `${id}: ${reason}`);
  }

  /** What the upstream was told of one kind, each once, in the order in which it came. */
  told(type: string): ReadonlyArray<Record<string, unknown>> {
    const seen = new Map<string, Record<string, unknown>>();
    for (const { entry } of this.upstream.calls) if (entry.type === type && !seen.has(entry.key)) seen.set(entry.key, entry.payload as Record<string, unknown>);
    return [...seen.values()];
  }

  /** The states of assignments, as the upstream was told them. */
  states(message?: string): ReadonlyArray<string> {
    return this.told("assignment").flatMap(({ message: id, sequence, state }) => (message === undefined || id === message ? [`${sequence} ${state}`] : []));
  }

  async #reattach(): Promise<void> {
    this.#listen();
    for (const puppet of this.puppets) {
      if (!puppet.isUp || puppet.isAttached) continue;
      const attached = Effect.runPromiseExit(puppet.attaching());
      await this.engine.settled();
      if (Exit.isFailure(await attached)) puppet.isUp = false;
    }
    await this.engine.settled();
  }

  #listen(): void {
    const { taskwright } = this.engine;
    if (this.#listensTo === taskwright) return;
    this.#listensTo = taskwright;
    taskwright.onEmitted((_, event) => this.heard.push(event));
  }
}
