import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Schema from "effect/Schema";
import { createServer, type ListenOptions, type Server, type Socket } from "node:net";
import { failureOf } from "../domain/json.ts";
import type { Broker, Session } from "./broker.ts";
import type { Connection } from "./connection.ts";
import { type Call, EndpointLine, readLines, type SentError, writeLine } from "./lines.ts";

export interface LocalServer {
  /** The path, or the port, on which it listens. */
  readonly address: string | number;
  /** Takes no more connections, and closes those that there are. */
  readonly close: () => Promise<void>;
}

/** An error as it is sent: with its code, its status and its data. */
export const sentError = (error: unknown): SentError => {
  const { name, message, code } = failureOf(error);
  const { _tag = name, status = 500, retryable = false, ...rest } = (typeof error === "object" && error !== null ? error : {}) as Record<string, unknown>;
  const fields = Object.fromEntries(
    Object.entries(rest).filter(([key, value]) => !["code", "message", "name", "stack", "cause"].includes(key) && ["string", "number", "boolean"].includes(typeof value)),
  );
  return { tag: String(_tag), code: String(code ?? "failed"), status: Number(status), retryable: retryable === true, message, fields };
};

const carryOut = (session: Session, call: Call): Effect.Effect<unknown, unknown> => {
  switch (call.name) {
    case "accept":
      return session.accept(call.assignment);
    case "refuse":
      return session.refuse(call.assignment, call.reason);
    case "progress":
      return session.progress(call.assignment, call.state, call.note);
    case "waitFor":
      return session.waitFor(call.assignment, call.capability);
    case "fail":
      return session.fail(call.assignment, { reason: call.reason, ...(call.retryable === undefined ? {} : { retryable: call.retryable }) });
    case "reply":
      return session.reply(call.assignment, call.requestId, call.content);
  }
};

/** One endpoint's connection, from its hello on. */
const serve = (broker: Broker, socket: Socket): void => {
  let session: Session | undefined;
  let isGreeted = false;
  const connection: Connection = {
    push: (frame) => writeLine(socket, { type: "frame", frame }),
    close: () => void socket.destroy(),
    onClosed: (listener) => (socket.closed ? queueMicrotask(listener) : void socket.once("close", listener)),
  };
  const write = (value: Parameters<typeof writeLine>[1]) => {
    try {
      writeLine(socket, value);
    } catch {
      // Whoever asked is gone; it asks again over its next connection.
      socket.destroy();
    }
  };
  // What follows a closed connection comes with "close".
  socket.on("error", () => {});
  readLines(socket, (value) => {
    const decoded = Schema.decodeUnknownEither(EndpointLine)(value);
    if (decoded._tag === "Left") return void socket.destroy();
    const line = decoded.right;
    if (line.type === "hello") {
      if (isGreeted) return void socket.destroy();
      isGreeted = true;
      // What was kept may be written before anybody heard that it is attached: the other end takes both in any order.
      return Effect.runCallback(broker.attach(line.hello as never, connection), {
        onExit: (exit) => {
          if (Exit.isSuccess(exit)) {
            session = exit.value;
            return write({ type: "attached", incarnation: session.incarnation, accepted: session.accepted });
          }
          write({ type: "refused", error: sentError(Cause.squash(exit.cause)) });
          socket.end();
        },
      });
    }
    if (session === undefined) return void socket.destroy();
    if (line.type === "heartbeat") return void Effect.runFork(Effect.ignore(session.heartbeat()));
    if (line.type === "detach") return void Effect.runCallback(Effect.ignore(session.detach()), { onExit: () => socket.end() });
    const { id, call } = line;
    Effect.runCallback(carryOut(session, call), {
      onExit: (exit) => write(Exit.isSuccess(exit) ? { type: "answer", id, value: exit.value } : { type: "answer", id, error: sentError(Cause.squash(exit.cause)) }),
    });
  });
};

/**
 * Takes endpoints over a local socket (`{ path }`) or a port of this host (`{ port: 0, host: "127.0.0.1" }`), one JSON
 * value per line. It asks nobody who they are: whoever reaches the socket may attach.
 */
export const listenForEndpoints = (broker: Broker, where: Pick<ListenOptions, "path" | "port" | "host">): Promise<LocalServer> =>
  new Promise((resolve, reject) => {
    const sockets = new Set<Socket>();
    const server: Server = createServer((socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      serve(broker, socket);
    });
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      const bound = server.address();
      const close = () =>
        new Promise<void>((closed) => {
          server.close(() => closed());
          for (const socket of sockets) socket.destroy();
        });
      resolve({ address: typeof bound === "string" ? bound : (bound?.port ?? 0), close });
    });
  });
