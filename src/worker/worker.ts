import { createActor } from "xstate";
import { link } from "../../machines/link.ts";
import type { AttemptMessage, FromServer, OfferMessage, Registration } from "../domain/worker-message.ts";
import type { TaskReceipt, Usage } from "../domain/task.ts";
import { type Connect, type Connection, type Fetch, overPolls, overWebSocket, type WebSocketConstructor } from "./connection.ts";
import { demandOptions } from "./given.ts";
import { Asked, EndedAs, failureOf, type Work, type WorkFunction } from "./work.ts";

export interface RemoteWorkerOptions {
  /** Of the server: "http://127.0.0.1:8080". */
  readonly url: string;
  /** With the role `worker`. */
  readonly token?: string;
  /** Names the worker, over all its processes. */
  readonly id: string;
  /** Who carries out which kinds of tasks. */
  readonly kinds: Readonly<Record<string, WorkFunction>>;
  /** Tasks at the same time. Default 1. */
  readonly slots?: number;
  /** How long it may be away before what it had goes back, in milliseconds. Default: as the server says, 30 s. */
  readonly graceMs?: number;
  /** `webSocket` where there is one (the default), or `polls` over plain requests. */
  readonly over?: "webSocket" | "polls";
  /** Default: that of the platform. Node 20 has none: give that of the package `ws`. */
  readonly WebSocket?: WebSocketConstructor;
  readonly fetch?: Fetch;
  /** Milliseconds that a poll waits. Default 25 s. */
  readonly pollMs?: number;
  /** Milliseconds between two signs of life. Default 10 s. */
  readonly heartbeatMs?: number;
  /** Hears where the link stands: `connecting`, `attached`, `waiting`, `refused`, `closed`. */
  readonly onState?: (state: string, reason: string | undefined) => void;
}

export interface RemoteWorker {
  readonly state: () => string;
  /** How many tasks it works on. */
  readonly running: () => number;
  /** There may be a network again: connects at once. */
  readonly wake: () => void;
  /** Leaves: what runs is aborted and goes back. */
  readonly close: () => void;
}

interface Run {
  readonly offer: OfferMessage;
  readonly controller: AbortController;
  /** The number of its acceptance, until that was acknowledged. */
  acceptance: number | undefined;
}

/** What may be said in place of an earlier word that is still on its way. */
const latestOnly = new Set<AttemptMessage["type"]>(["alive", "progress", "usage"]);

/**
 * A worker in another process, or in a browser. It keeps what it has to say until the server has stored it, and
 * begins a task only when the server has stored that it may: so a broken connection loses nothing and does nothing
 * twice. When it connects, waits and gives up stands in `machines/link.ts`. Throws `InvalidWorkerOptions`.
 */
export const startWorker = (options: RemoteWorkerOptions): RemoteWorker => {
  demandOptions(options);
  const { url, token, id, kinds, slots = 1, heartbeatMs = 10_000, pollMs = 25_000 } = options;
  const owner = globalThis.crypto.randomUUID();
  const runs = new Map<string, Run>();
  /** What the server has not acknowledged, in order. */
  const unacknowledged = new Map<number, AttemptMessage>();
  let incarnation: number | undefined;
  let lastNumber = 0;
  let received = 0;
  let connection: Connection | undefined;

  const nameOf = ({ assignment, attempt }: { readonly assignment: string; readonly attempt: number }) => `${assignment}#${attempt}`;
  const runningNow = () => [...new Set([...runs.keys(), ...[...unacknowledged.values()].map(nameOf)])];
  const registration = (): Registration => ({
    type: "register",
    id,
    owner,
    kinds: Object.keys(kinds),
    slots,
    received,
    ...(options.graceMs === undefined ? {} : { graceMs: options.graceMs }),
    ...(incarnation === undefined ? {} : { incarnation, running: runningNow() }),
  });
  type Said = AttemptMessage extends infer Message ? (Message extends AttemptMessage ? Omit<Message, "n" | "assignment" | "attempt" | "incarnation"> : never) : never;
  const say = ({ assignment, attempt, incarnation: life }: OfferMessage, said: Said): number => {
    if (latestOnly.has(said.type))
      for (const [n, message] of unacknowledged) if (message.type === said.type && message.assignment === assignment && message.attempt === attempt) unacknowledged.delete(n);
    const n = ++lastNumber;
    const message = { ...said, n, assignment, attempt, incarnation: life } as AttemptMessage;
    unacknowledged.set(n, message);
    if (actor.getSnapshot().value === "attached") connection?.send(message);
    return n;
  };

  const connect: Connect = (() => {
    const polls = overPolls(url, token, options.fetch ?? (globalThis.fetch as unknown as Fetch), pollMs);
    const WebSocket = options.WebSocket ?? (globalThis as { readonly WebSocket?: WebSocketConstructor }).WebSocket;
    return options.over === "polls" || WebSocket === undefined ? polls : overWebSocket(url, token, WebSocket);
  })();
  const machine = link.provide({
    actions: {
      connect: () => {
        connection?.close();
        const opened: Connection = connect(registration, {
          onMessage: (message) => {
            if (connection === opened) hear(message);
          },
          onBroken: (reason) => {
            if (connection === opened) actor.send({ type: "BROKEN", reason });
          },
        });
        connection = opened;
      },
      disconnect: () => {
        connection?.close();
        connection = undefined;
      },
      sendHeartbeat: () => connection?.send({ type: "heartbeat" }),
      leave: () => {
        connection?.send({ type: "leave" });
        abortAll("the worker was closed");
      },
    },
  });
  const actor = createActor(machine, { input: { heartbeatMs } });
  const abortAll = (reason: string) => {
    for (const { controller } of runs.values()) controller.abort(new Error(reason));
    runs.clear();
    unacknowledged.clear();
  };

  const hear = (message: FromServer): void => {
    actor.send({ type: "HEARD" });
    switch (message.type) {
      case "registered": {
        // Another life begins: what the last one had was given back.
        if (incarnation !== undefined && incarnation !== message.incarnation) {
          abortAll("another life of the worker began");
          received = 0;
        }
        incarnation = message.incarnation;
        for (const name of message.dropped) drop(name, "it is not wanted any more");
        actor.send({ type: "REGISTERED" });
        for (const one of unacknowledged.values()) connection?.send(one);
        return;
      }
      case "offer":
      case "revoke":
        if (message.n <= received) return;
        received = message.n;
        connection?.send({ type: "received", received });
        if (message.type === "offer") take(message);
        else drop(nameOf(message), message.force ? "it was ended by force" : "it is not wanted any more", !message.force);
        return;
      case "ack":
        acknowledged(message.n, message.outcome);
        return;
      case "over":
        abortAll(message.reason);
        incarnation = undefined;
        received = 0;
        actor.send({ type: "BROKEN", reason: message.reason });
        return;
      case "refused":
        if (message.retryable) actor.send({ type: "BROKEN", reason: message.detail });
        else actor.send({ type: "REFUSED", reason: `${message.code}: ${message.detail}` });
        return;
      case "heartbeat":
    }
  };
  /** Politely: its code may still say how it ended. */
  const drop = (name: string, reason: string, politely = false) => {
    runs.get(name)?.controller.abort(new Error(reason));
    if (!politely) runs.delete(name);
  };
  const take = (offer: OfferMessage) => {
    const run = kinds[offer.kind];
    if (run === undefined || runs.size >= slots) {
      say(offer, { type: "declined", reason: run === undefined ? `it does not know the kind "${offer.kind}"` : "it has no slot" });
      return;
    }
    runs.set(nameOf(offer), { offer, controller: new AbortController(), acceptance: say(offer, { type: "accepted" }) });
  };
  const acknowledged = (n: number, outcome: string) => {
    const message = unacknowledged.get(n);
    unacknowledged.delete(n);
    if (message?.type !== "accepted") return;
    const name = nameOf(message);
    const run = runs.get(name);
    if (run?.acceptance !== n) return;
    run.acceptance = undefined;
    if (outcome === "handled") void carryOut(name, run);
    else runs.delete(name);
  };
  const carryOut = async (name: string, { offer, controller }: Run): Promise<void> => {
    let receipt: TaskReceipt | undefined;
    let used: Partial<Usage> | undefined;
    const criteriaMet: Array<string> = [];
    const isCurrent = () => runs.get(name)?.controller === controller;
    const tell = (said: Said) => {
      if (isCurrent()) say(offer, said);
    };
    const work: Work = {
      task: offer.task,
      attempt: offer.attempt,
      session: offer.session,
      question: offer.question,
      answer: offer.answer,
      needs: offer.needs,
      budget: offer.budget,
      traceparent: offer.traceparent,
      signal: controller.signal,
      alive: () => tell({ type: "alive" }),
      progress: (progress) => tell({ type: "progress", progress }),
      usage: (usage) => {
        used = usage;
        tell({ type: "usage", usage });
      },
      sessionIs: (session) => tell({ type: "session", session }),
      receipt: (given) => {
        receipt = given;
      },
      criteriaMet: (...criteria) => void criteriaMet.push(...criteria),
      ask: (text, data) => {
        throw new Asked(text, data);
      },
      end: (outcome, message = `it ended as ${outcome}`) => {
        throw new EndedAs(outcome, message);
      },
    };
    const more = () => ({ ...(receipt === undefined ? {} : { receipt }), ...(used === undefined ? {} : { usage: used }), ...(criteriaMet.length === 0 ? {} : { criteriaMet }) });
    try {
      const result = await (kinds[offer.kind] as (input: unknown, work: Work) => unknown)(offer.input, work);
      tell({ type: "ended", outcome: "ok", ...(result === undefined ? {} : { result }), ...more() });
    } catch (error) {
      if (error instanceof Asked) tell({ type: "question", question: { text: error.text, ...(error.data === undefined ? {} : { data: error.data }) } });
      else if (error instanceof EndedAs) tell({ type: "ended", outcome: error.outcome, failure: failureOf(error), ...more() });
      else tell({ type: "ended", outcome: controller.signal.aborted ? "killed" : "error", failure: failureOf(error), ...more() });
    }
    if (isCurrent()) runs.delete(name);
  };

  let shown = "";
  actor.subscribe(({ value, context }) => {
    if (shown === value) return;
    shown = String(value);
    options.onState?.(shown, context.reason ?? undefined);
  });
  actor.start();
  return {
    state: () => String(actor.getSnapshot().value),
    running: () => runs.size,
    wake: () => actor.send({ type: "WAKE" }),
    close: () => actor.send({ type: "CLOSE" }),
  };
};
