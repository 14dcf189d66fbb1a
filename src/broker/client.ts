import * as Cause from "effect/Cause";
import type * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import * as Schedule from "effect/Schedule";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import type { IncomingMessage } from "../domain/incoming.ts";
import { failureOf } from "../domain/json.ts";
import type { Hello, Standing } from "./broker.ts";
import * as errors from "./errors.ts";
import { type BrokerLine, type Call, readLines, type SentError, writeLine } from "./lines.ts";
import { type Memory, type Remembered, volatileMemory } from "./memory.ts";

/** What an endpoint may do with a message that it has accepted. */
export interface Handling {
  readonly assignment: string;
  /** True where an earlier process began it already. */
  readonly isResumed: boolean;
  readonly progress: (note?: unknown) => Promise<Standing>;
  readonly waitFor: (capability: string) => Promise<Standing>;
}

export interface EndpointOptions extends Hello {
  /** Where the broker listens: `{ path }` or `{ port, host }`. */
  readonly broker: NetConnectOpts;
  /** What it returns is the reply; what it throws fails the assignment. It may run again after a crash of this process. */
  readonly onMessage: (message: IncomingMessage, handling: Handling) => unknown;
  /** Whether it wants the message; default: all. */
  readonly accepts?: (message: IncomingMessage) => boolean;
  /** Default: gone with the process. */
  readonly memory?: Memory;
  /** Between two heartbeats; default 5 s. */
  readonly heartbeat?: Duration.DurationInput;
  /** Hears what can't be done, and goes on. */
  readonly onProblem?: (problem: unknown) => void;
}

export interface EndpointClient {
  readonly isAttached: () => boolean;
  /** Resolves when it is attached, rejects when it never will be. */
  readonly attached: () => Promise<void>;
  /** Says goodbye, and stops. What is under way is remembered. */
  readonly close: () => Promise<void>;
}

/** Between two attempts to reach the broker, or to make a call that may be repeated. */
const patience = Schedule.exponential("50 millis").pipe(Schedule.union(Schedule.spaced("2 seconds")), Schedule.jittered);
/** A broker that does not answer for so long is reached over another connection. */
const answerTimeout = "90 seconds";
/** A broker that does not take leave within it is left: it sees the connection go. */
const goodbyeTimeout = "1 second";

/** Something that the broker said which is no error of an endpoint's calls: it says so itself whether to repeat it. */
export interface CallFailure {
  readonly _tag: string;
  readonly retryable: boolean;
}

const errorOf = ({ tag, fields, message, code, status, retryable }: SentError): CallFailure => {
  const known = (errors as unknown as Record<string, new (fields: object) => CallFailure>)[tag];
  return known === undefined ? Object.assign(new Error(message), { _tag: tag, code, status, retryable }) : new known(fields);
};
const isRetryable = (error: unknown): boolean => (error as { readonly retryable?: unknown }).retryable === true;

interface Link {
  readonly socket: Socket;
  readonly pending: Map<number, (answer: Effect.Effect<unknown, CallFailure>) => void>;
}

/**
 * An endpoint's side of a connection: attaches, and attaches again whenever the connection is gone; remembers what it
 * accepts before it says so, and what it answers before it is sent; repeats every call until it is answered.
 */
export const connectEndpoint = (options: EndpointOptions): EndpointClient => {
  const { broker, onMessage, accepts = () => true, memory = volatileMemory(), heartbeat = "5 seconds", onProblem = () => {}, ...hello } = options;
  const isAttached = Effect.unsafeMakeLatch(false);
  const under = new Map<string, Fiber.RuntimeFiber<void, never>>();
  const unaccepted = new Set<string>();
  let link: Link | undefined;
  let calls = 0;

  const call = (what: Call): Effect.Effect<Standing, CallFailure> =>
    Effect.zipRight(
      isAttached.await,
      Effect.async<Standing, CallFailure>((resume) => {
        const over = link;
        if (over === undefined) return resume(new errors.ConnectionLost({ detail: "it closed meanwhile" }));
        const id = ++calls;
        over.pending.set(id, (answer) => resume(answer as Effect.Effect<Standing, CallFailure>));
        try {
          writeLine(over.socket, { type: "call", id, call: what });
        } catch (error) {
          over.pending.delete(id);
          over.socket.destroy();
          resume(new errors.ConnectionLost({ detail: failureOf(error).message }));
        }
      }),
    ).pipe(
      Effect.timeoutFail({
        duration: answerTimeout,
        onTimeout: () => {
          link?.socket.destroy();
          return new errors.ConnectionLost({ detail: "the broker did not answer" });
        },
      }),
      Effect.retry({ schedule: patience, while: isRetryable }),
    );

  /** One connection, from the hello to its end. Fails if it was never attached. */
  const connection = Effect.async<void, CallFailure>((resume) => {
    const socket = connect(broker);
    const own: Link = { socket, pending: new Map() };
    let wasAttached = false;
    let refused: CallFailure | undefined;
    socket.once("connect", () => writeLine(socket, { type: "hello", hello }));
    socket.on("error", () => {});
    socket.once("close", () => {
      if (link === own) {
        link = undefined;
        Effect.runSync(isAttached.close);
      }
      for (const answer of own.pending.values()) answer(new errors.ConnectionLost({ detail: "it closed before the answer" }));
      resume(wasAttached ? Effect.void : Effect.fail(refused ?? new errors.ConnectionLost({ detail: "the broker can't be reached" })));
    });
    readLines(socket, (value) => {
      const line = value as BrokerLine;
      if (line.type === "attached") {
        wasAttached = true;
        link = own;
        Effect.runSync(isAttached.open);
      } else if (line.type === "refused") refused = errorOf(line.error);
      else if (line.type === "frame") hear(line.frame);
      else {
        const answer = own.pending.get(line.id);
        own.pending.delete(line.id);
        answer?.("error" in line ? Effect.fail(errorOf(line.error)) : Effect.succeed(line.value));
      }
    });
    return Effect.sync(() => socket.destroy());
  });

  const hear = (frame: Extract<BrokerLine, { type: "frame" }>["frame"]): void => {
    const { assignment } = frame;
    if (frame.type === "offer") begin({ assignment, message: frame.message }, false);
    else if (unaccepted.has(assignment)) {
      const fiber = under.get(assignment);
      if (fiber !== undefined) Effect.runFork(Fiber.interrupt(fiber));
      memory.remove(assignment);
    }
  };

  const begin = (entry: Remembered, isResumed: boolean): void => {
    const { assignment } = entry;
    if (under.has(assignment)) return;
    unaccepted.add(assignment);
    const handled = handle(entry, isResumed).pipe(
      // It is not its own any more, or can never be done: there is nothing left to remember.
      Effect.catchAllCause((cause) =>
        Effect.sync(() => {
          if (Cause.isInterrupted(cause)) return;
          memory.remove(assignment);
          onProblem(Cause.squash(cause));
        }),
      ),
      Effect.ensuring(
        Effect.sync(() => {
          under.delete(assignment);
          unaccepted.delete(assignment);
        }),
      ),
    );
    under.set(assignment, Effect.runFork(handled));
  };

  const handle = (entry: Remembered, isResumed: boolean): Effect.Effect<void, unknown> =>
    Effect.gen(function* () {
      // Not before whoever began this has noted that it runs.
      yield* Effect.yieldNow();
      const { assignment, message } = entry;
      if (!isResumed && !accepts(message)) {
        yield* call({ name: "refuse", assignment, reason: "the endpoint does not want it" });
        return;
      }
      if (!isResumed) memory.put(entry);
      yield* call({ name: "accept", assignment });
      unaccepted.delete(assignment);
      let { reply } = entry;
      if (reply === undefined) {
        const handling: Handling = {
          assignment,
          isResumed,
          progress: (note) => Effect.runPromise(call({ name: "progress", assignment, ...(note === undefined ? {} : { note }) })),
          waitFor: (capability) => Effect.runPromise(call({ name: "waitFor", assignment, capability })),
        };
        const made = yield* Effect.exit(Effect.tryPromise({ try: async () => onMessage(message, handling), catch: (error) => error }));
        if (Exit.isFailure(made)) {
          if (Cause.isInterrupted(made.cause)) return yield* Effect.interrupt;
          yield* call({ name: "fail", assignment, reason: failureOf(Cause.squash(made.cause)).message });
          memory.remove(assignment);
          return;
        }
        reply = { content: made.value ?? null };
        memory.put({ ...entry, reply });
      }
      yield* call({ name: "reply", assignment, requestId: assignment, content: reply.content });
      memory.remove(assignment);
    });

  const beat = Effect.repeat(
    Effect.sync(() => {
      try {
        if (link !== undefined) writeLine(link.socket, { type: "heartbeat" });
      } catch {
        link?.socket.destroy();
      }
    }),
    Schedule.spaced(heartbeat),
  );
  // A connection that was there and is gone is followed by another one; one that never was, after a pause.
  const connected = Effect.forever(Effect.retry(connection, { schedule: patience, while: isRetryable }));
  for (const entry of memory.all()) begin(entry, true);
  const running = Effect.runFork(Effect.raceFirst(connected, Effect.zipRight(beat, Effect.never)));
  return {
    isAttached: () => link?.socket.destroyed === false,
    attached: async () => {
      const exit = await Effect.runPromiseExit(Effect.raceFirst(isAttached.await, Fiber.join(running)));
      if (Exit.isFailure(exit)) throw Cause.squash(exit.cause);
    },
    close: async () => {
      const said = link;
      if (said !== undefined) {
        const gone = Effect.async<void>((resume) => void said.socket.once("close", () => resume(Effect.void)));
        try {
          writeLine(said.socket, { type: "detach" });
        } catch {
          said.socket.destroy();
        }
        await Effect.runPromise(Effect.timeoutOption(gone, goodbyeTimeout));
      }
      await Effect.runPromise(Effect.all([Fiber.interrupt(running), ...[...under.values()].map((fiber) => Fiber.interrupt(fiber))], { discard: true }));
    },
  };
};
