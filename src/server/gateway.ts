import type { AttemptMessage, FromServer, Registered, Registration, Told } from "../domain/worker-message.ts";
import type { Engine, LogEntry, Time } from "../engine/index.ts";
import * as Effect from "effect/Effect";
import type { Caller } from "./caller.ts";
import type { Dispatcher, Offer, Report, WorkerTransport } from "../dispatch/index.ts";
import { ForeignAssignment, ServerClosing, SessionOver } from "./errors.ts";
import type { ServerLimits } from "./limits.ts";
import { isTold } from "./problem.ts";

/** Who speaks in a message over HTTP: a life of a worker, and the process that leads it. */
export interface Speaker {
  readonly worker: string;
  readonly owner: string;
  readonly incarnation: number;
}

/** What one worker has, as long as its server lives. What must outlive it is the worker's actor. */
export interface Session extends Speaker {
  /** What it was told and has not confirmed, in order. */
  readonly unconfirmed: ReadonlyArray<Told>;
  /** Takes what there is to tell from now on; the one before is forgotten. Returns how to stop. */
  readonly listen: (listener: (messages: ReadonlyArray<FromServer>) => void) => () => void;
}

/** The workers that speak to a server, as one transport of a dispatcher. Give it to `dispatchMachines` and to `makeServer`. */
export interface RemoteWorkers {
  readonly transport: WorkerTransport;
  readonly gateway: Gateway;
}

export interface Gateway {
  /** The parts that are known once there is a server. */
  readonly bind: (parts: GatewayParts) => void;
  readonly register: (card: Registration, caller: Caller) => Promise<{ readonly session: Session; readonly answer: Registered }>;
  /** The session of a speaker. Throws `SessionOver`. */
  readonly sessionOf: (speaker: Speaker, caller: Caller) => Session;
  /** Stores what a worker said; the answer is what became of it. A repetition is done once. */
  readonly hear: (session: Session, message: AttemptMessage, caller: Caller) => Promise<string>;
  readonly received: (session: Session, n: number) => void;
  readonly heartbeat: (session: Session) => void;
  /** Its connection is gone; it may come back within its grace. */
  readonly detached: (session: Session, reason: string) => void;
  readonly leave: (session: Session) => Promise<void>;
  readonly count: () => number;
  /** The server goes. They keep what they work on, and come back by themselves. */
  readonly closeAll: () => void;
}

interface GatewayParts {
  readonly engine: Engine;
  readonly dispatcher: Dispatcher;
  readonly limits: ServerLimits;
  readonly time: Time;
  readonly log: (entry: LogEntry) => void;
}

interface Open extends Session {
  readonly name: string;
  /** The token that it came with: another one can't speak for it. */
  readonly caller: string;
  unconfirmed: Array<Told>;
  lastNumber: number;
  /** Assignments that were found to be its own. */
  readonly own: Set<string>;
  listener: ((messages: ReadonlyArray<FromServer>) => void) | undefined;
}

/** What a message of a worker is to its assignment. */
const eventOf = ({ type, n: _, assignment: _assignment, ...rest }: AttemptMessage, at: number) => ({ ...rest, type: type === "alive" ? "HEARTBEAT" : type.toUpperCase(), at });

export const remoteWorkers = (name = "remote"): RemoteWorkers => {
  let parts: GatewayParts | undefined;
  let report: Report | undefined;
  const sessions = new Map<string, Open>();
  /** Registrations under way, and what was offered meanwhile: the dispatcher hears of a worker before its session is there. */
  let registering = 0;
  let early: Array<Offer> = [];
  const bound = () => {
    if (parts === undefined) throw new SessionOver({ worker: "", detail: "the server is not ready yet" });
    return parts;
  };

  const tell = (session: Open, message: Told) => {
    session.unconfirmed.push(message);
    session.own.add(message.assignment);
    session.listener?.([message]);
  };
  /** This life of it is over: what it had was given back. */
  const end = (address: string, reason: string) => {
    const session = sessions.get(address);
    if (session === undefined) return;
    sessions.delete(address);
    session.listener?.([{ type: "over", reason }]);
  };

  const transport: WorkerTransport = {
    attach: (to) => {
      report = to;
    },
    stop: (address) => end(address, "this life of the worker is over"),
    offer: (offer: Offer) => {
      const session = sessions.get(offer.worker);
      if (session?.incarnation === offer.incarnation) hand(session, offer);
      // Else another life of it is there by now, or none: its assignment hears that it was not accepted.
      else if (registering > 0) early.push(offer);
    },
    revoke: ({ worker, assignment, attempt, force }) => {
      const session = sessions.get(worker);
      if (session !== undefined) tell(session, { type: "revoke", n: ++session.lastNumber, assignment, attempt, force });
    },
    endAll: async () => {
      report = undefined;
      gateway.closeAll();
    },
  };
  const hand = (session: Open, offer: Offer) => {
    const { worker: _, session: agent, question, answer, folder: _folder, ...rest } = offer;
    tell(session, {
      type: "offer",
      n: ++session.lastNumber,
      ...rest,
      ...(agent === undefined ? {} : { session: agent }),
      ...(question === undefined ? {} : { question }),
      ...(answer === undefined ? {} : { answer }),
    });
  };

  /** Large results must not keep an attempt from its end: they are left out, and the failure says so. */
  const store = async (address: string, event: ReturnType<typeof eventOf>, options: { readonly key: string; readonly by: string }) => {
    const { engine } = bound();
    const send = (told: typeof event) => Effect.runPromise(Effect.either(engine.send(address, told, options)));
    const first = await send(event);
    if (first._tag === "Right") return first.right.outcome;
    if (first.left._tag === "UnknownActor") return "ended";
    if (first.left._tag !== "PayloadTooLarge" || event.type !== "ENDED") throw first.left;
    const { result: _, ...rest } = event as typeof event & { readonly result?: unknown };
    const again = await send(rest as typeof event);
    if (again._tag === "Left") throw again.left;
    return again.right.outcome;
  };

  /** A worker speaks of its own assignments alone: it must not reach other actors by their addresses. */
  const demandOwn = async (session: Open, assignment: string): Promise<void> => {
    if (session.own.has(assignment)) return;
    const found = await Effect.runPromise(Effect.either(bound().engine.snapshot(assignment)));
    const isOwn = found._tag === "Right" && found.right.machine === "assignment" && (found.right.context as { readonly worker?: unknown } | undefined)?.worker === session.worker;
    // One that has ended and is gone is nobody's: what is said of it changes nothing.
    const isGone = found._tag === "Left" && found.left._tag === "UnknownActor" && /^task\/[^/]+\/assignment$/.test(assignment);
    if (!isOwn && !isGone) throw new ForeignAssignment({ worker: session.worker, assignment });
    if (isOwn) session.own.add(assignment);
  };

  const register = async (card: Registration, caller: Caller): Promise<{ readonly session: Session; readonly answer: Registered }> => {
    const { dispatcher, limits } = bound();
    const { type: _, received = 0, running = [], ...rest } = card;
    const before = [...sessions.values()].find((session) => session.name === card.id && session.owner === card.owner && session.incarnation === card.incarnation);
    if (before !== undefined) gateway.received(before, received);
    // An offer that is still on its way is not given up: it is told again.
    const onTheirWay = (before?.unconfirmed ?? []).flatMap((message) => (message.type === "offer" ? [`${message.assignment}#${message.attempt}`] : []));
    const heartbeatMs = Math.min(limits.workerHeartbeatMs, card.graceMs ?? limits.workerHeartbeatMs);
    const { address, incarnation, dropped } = await dispatcher.workers.connect({ ...rest, running: [...new Set([...running, ...onTheirWay])], transport: name, heartbeatTimeoutMs: 3 * heartbeatMs });
    const kept = before?.incarnation === incarnation ? before : undefined;
    if (kept === undefined && sessions.has(address)) end(address, "another process of this worker connected");
    const session: Open = {
      name: card.id,
      caller: caller.name,
      worker: address,
      owner: card.owner,
      incarnation,
      unconfirmed: (kept?.unconfirmed ?? []).filter((message) => message.type !== "offer" || !dropped.includes(`${message.assignment}#${message.attempt}`)),
      lastNumber: kept?.lastNumber ?? received,
      own: kept?.own ?? new Set(),
      listener: undefined,
      listen: (listener) => {
        session.listener = listener;
        return () => {
          if (session.listener === listener) session.listener = undefined;
        };
      },
    };
    // Its earlier connection may still be open: it hears nothing any more.
    if (kept !== undefined) kept.listener = undefined;
    sessions.set(address, session);
    for (const offer of early) if (offer.worker === address && offer.incarnation === incarnation) hand(session, offer);
    early = early.filter((offer) => offer.worker !== address);
    return { session, answer: { type: "registered", worker: address, incarnation, dropped: dropped.filter((one) => running.includes(one)), heartbeatMs } };
  };

  const gateway: Gateway = {
    bind: (given) => {
      parts = given;
    },
    register: async (card, caller) => {
      registering++;
      try {
        return await register(card, caller);
      } finally {
        if (--registering === 0) early = [];
      }
    },
    sessionOf: ({ worker, owner, incarnation }, caller) => {
      const session = sessions.get(worker);
      if (session === undefined || session.owner !== owner || session.incarnation !== incarnation || session.caller !== caller.name)
        throw new SessionOver({ worker, detail: "this life of the worker is over, or the server was started anew" });
      return session;
    },
    hear: async (session, message, caller) => {
      const { time } = bound();
      await demandOwn(session as Open, message.assignment);
      return store(message.assignment, eventOf(message, time.now()), { key: `${session.owner} ${message.n}`, by: caller.name });
    },
    received: (session, n) => {
      const open = session as Open;
      open.unconfirmed = open.unconfirmed.filter((message) => message.n > n);
    },
    heartbeat: ({ worker, incarnation }) => report?.(worker, { type: "HEARTBEAT", incarnation }),
    detached: (session, reason) => {
      if (sessions.get(session.worker) === session) report?.(session.worker, { type: "DETACHED", incarnation: session.incarnation, reason });
    },
    leave: async (session) => {
      const { dispatcher } = bound();
      if (sessions.get(session.worker) !== session) return;
      await dispatcher.workers.retire((session as Open).name);
      sessions.delete(session.worker);
    },
    count: () => sessions.size,
    closeAll: () => {
      const { code, message: detail, retryable } = new ServerClosing({});
      for (const session of sessions.values()) session.listener?.([{ type: "refused", code, detail, retryable }]);
      sessions.clear();
    },
  };
  return { transport, gateway };
};

/** Whether a worker may send the same again later. */
export const isRetryable = (error: unknown): boolean => isTold(error) && error.retryable;
