import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import type { AnyStateMachine } from "xstate";
import {
  delivered,
  type Inboxes,
  type InboxOptions,
  makeInboxes,
  makeObligations,
  makeOutboxes,
  type Obligations,
  type ObligationsOptions,
  type Outboxes,
  type OutboxOptions,
  refused,
  retry,
} from "../../src/delivery/index.ts";
import type { NewEntry, Verdict } from "../../src/domain/outbox.ts";
import type { Bench, TestEngine } from "../../src/testing/index.ts";

/** What a receiver's answer means: nothing, 5xx, 408 and 429 are tried again, the rest is final. */
export const verdictOf = (status: number | undefined): Verdict => {
  if (status === undefined) return retry("no answer");
  if (status < 300) return delivered;
  return status >= 500 || status === 408 || status === 429 ? retry(`status ${status}`) : refused(`status ${status}`);
};

export const message = (key: string, more: Partial<NewEntry> = {}): NewEntry => ({ key, type: "message", payload: { text: key }, ...more });

export interface HostOptions {
  readonly outboxes: Readonly<Record<string, OutboxOptions>>;
  readonly inboxes?: Readonly<Record<string, InboxOptions>>;
  readonly obligations?: Readonly<Record<string, ObligationsOptions>>;
  readonly machines?: ReadonlyArray<AnyStateMachine>;
}

/** A program with outboxes and inboxes, on virtual time. In the mode `restart` it ends after every call. */
export class Host {
  readonly engine: TestEngine;
  readonly outboxes: Outboxes;
  readonly inboxes: Inboxes;
  readonly obligations: Obligations;
  /** Everything that outboxes and inboxes emitted, over all restarts. */
  readonly heard: Array<{ readonly type: string; readonly [key: string]: unknown }> = [];
  #listensTo: unknown;

  private constructor(engine: TestEngine, outboxes: Outboxes, inboxes: Inboxes, obligations: Obligations) {
    this.engine = engine;
    this.outboxes = outboxes;
    this.inboxes = inboxes;
    this.obligations = obligations;
  }

  static async open(bench: Bench, { outboxes, inboxes = {}, obligations = {}, machines = [] }: HostOptions): Promise<Host> {
    const plugins = [makeOutboxes(outboxes), makeInboxes(inboxes), makeObligations(obligations)] as const;
    const engine = await bench.engine({ machines, plugins });
    const host = new Host(engine, ...plugins);
    await engine.settled();
    host.#listen();
    return host;
  }

  /** What a call came to once everything that follows from it has happened. */
  async exit<A, E>(call: Effect.Effect<A, E>): Promise<Exit.Exit<A, E>> {
    this.#listen();
    const ended = Effect.runPromiseExit(call);
    await this.engine.settled();
    const exit = await ended;
    if (this.engine.mode === "restart") await this.restart();
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

  enqueue(box: string, ...entries: ReadonlyArray<NewEntry>) {
    return this.call(this.outboxes.enqueue(box, entries));
  }

  async keys(box: string, status?: "pending" | "poisoned" | "unknown"): Promise<ReadonlyArray<string>> {
    return (await this.call(this.outboxes.entries(box, status === undefined ? {} : { status }))).map(({ key }) => key);
  }

  /** Moves the clock on, and says when, in milliseconds from now, something new was counted. */
  async advance(seconds: number, count: () => number = () => 0): Promise<ReadonlyArray<number>> {
    const { engine } = this;
    const begun = engine.time.now();
    const to = begun + seconds * 1_000;
    const moments: Array<number> = [];
    let known = count();
    for (let next = engine.time.next; next !== undefined && next <= to; next = engine.time.next) {
      await engine.advance(Math.max(0, next - engine.time.now()));
      this.#listen();
      if (count() > known) moments.push(engine.time.now() - begun);
      known = count();
    }
    await engine.advance(to - engine.time.now());
    return moments;
  }

  async restart(): Promise<void> {
    await this.engine.restart();
    this.#listen();
  }

  #listen(): void {
    const { taskwright } = this.engine;
    if (this.#listensTo === taskwright) return;
    this.#listensTo = taskwright;
    taskwright.onEmitted((_, event) => void this.heard.push(event));
  }
}
