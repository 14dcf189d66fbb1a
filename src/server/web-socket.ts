import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import * as Schema from "effect/Schema";
import { type WebSocket, WebSocketServer } from "ws";
import { type AttemptMessage, type FromServer, type Registration, workerProtocol } from "../domain/worker-message.ts";
import { failureOf } from "../domain/json.ts";
import { AttemptMessageShape, RegistrationShape } from "./api/workers.ts";
import { body } from "./api/shapes.ts";
import type { Caller } from "./caller.ts";
import type { Gateway, Session } from "./gateway.ts";
import { isTold, problemOf } from "./problem.ts";
import type { Server } from "./server.ts";

const Message = Schema.parseJson(
  Schema.Union(
    body({ ...RegistrationShape.fields, type: Schema.Literal("register") }),
    AttemptMessageShape,
    Schema.Struct({ type: Schema.Literal("received"), received: Schema.Int }),
    Schema.Struct({ type: Schema.Literal("heartbeat", "leave") }),
  ),
);
const decode = Schema.decodeUnknownEither(Message);

/** Messages of one connection that wait to be stored; one that sends more does not wait for its acknowledgements. */
const waitingMax = 1_000;

/** Answers upgrades at `/v1/worker`: remote workers over WebSockets, one message in JSON per frame. */
export const upgradeHandler = (server: Server, gateway: Gateway) => {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: server.limits.bodyBytesMax,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(workerProtocol) ? workerProtocol : false),
  });
  const refuse = (socket: Duplex, status: number, text: string) => socket.end(`HTTP/1.1 ${status} ${text}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);

  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on("error", () => socket.destroy());
    const { pathname } = new URL(request.url ?? "/", "http://taskwright");
    const path = server.basePath !== "" && pathname.startsWith(`${server.basePath}/`) ? pathname.slice(server.basePath.length) : pathname;
    if (path !== "/v1/worker") return void refuse(socket, 404, "Not Found");
    const header = (name: string) => {
      const value = request.headers[name];
      return Array.isArray(value) ? value.join(", ") : value;
    };
    const admitted = server.admit({ method: "GET", path, urlLength: (request.url ?? "").length, header, peer: request.socket.remoteAddress });
    if (admitted instanceof Error) return void refuse(socket, admitted.status, "Refused");
    if (server.isClosing()) return void refuse(socket, 503, "Service Unavailable");
    sockets.handleUpgrade(request, socket, head, (connection) => talk(connection, admitted.caller as Caller));
  };

  const talk = (connection: WebSocket, caller: Caller): void => {
    let session: Session | undefined;
    let stop = () => {};
    let waiting = 0;
    let before: Promise<void> = Promise.resolve();
    const say = (message: FromServer) => {
      if (connection.readyState === connection.OPEN) connection.send(JSON.stringify(message));
    };
    const refused = (error: unknown) => {
      const { code, detail, retryable } = isTold(error) ? problemOf(error) : { code: "internal_error", detail: "the server failed", retryable: true };
      if (!isTold(error)) server.log({ level: "error", message: "a message of a worker failed", data: failureOf(error) });
      say({ type: "refused", code, detail, retryable });
      connection.close(1008, code);
    };
    const handle = async (text: string): Promise<void> => {
      const decoded = decode(text);
      if (decoded._tag === "Left") {
        say({ type: "refused", code: "invalid_request", detail: decoded.left.message.slice(0, 2_000), retryable: false });
        return connection.close(1007, "invalid_request");
      }
      const message = decoded.right;
      if (message.type === "register") {
        stop();
        const { session: opened, answer } = await gateway.register(message as Registration, caller);
        session = opened;
        say(answer);
        const unlisten = opened.listen((messages) => {
          for (const one of messages) say(one);
          if (messages.some(({ type }) => type === "over" || type === "refused")) connection.close(1012);
        });
        stop = unlisten;
        for (const one of opened.unconfirmed) say(one);
        return;
      }
      if (session === undefined) {
        say({ type: "refused", code: "invalid_request", detail: "the first message is a registration", retryable: false });
        return connection.close(1008, "invalid_request");
      }
      if (message.type === "heartbeat") {
        gateway.heartbeat(session);
        return say({ type: "heartbeat" });
      }
      if (message.type === "received") return gateway.received(session, message.received);
      if (message.type === "leave") {
        await gateway.leave(session);
        session = undefined;
        return connection.close(1000);
      }
      const said = message as AttemptMessage;
      say({ type: "ack", n: said.n, outcome: await gateway.hear(session, said, caller) });
    };
    connection.on("message", (data, isBinary) => {
      if (isBinary || ++waiting > waitingMax) return connection.close(1008, "too_much");
      // In the order in which they came.
      before = before.then(() => handle(String(data))).then(() => void waiting--, refused);
    });
    connection.on("close", () => {
      stop();
      if (session !== undefined) gateway.detached(session, "its connection was closed");
    });
    connection.on("error", () => connection.terminate());
  };

  return {
    upgrade,
    close: () => {
      for (const connection of sockets.clients) connection.terminate();
    },
  }; // prettier-ignore
};
