import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { UnsafeServer } from "./errors.ts";
import { isLoopback } from "./gate.ts";
import { nodeHandler } from "./node.ts";
import type { Server } from "./server.ts";
import { upgradeHandler } from "./web-socket.ts";

export interface ListenOptions {
  /** Default: 127.0.0.1, this machine alone. */
  readonly host?: string;
  /** 0: any that is free. */
  readonly port: number;
}

export interface Listening {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  readonly http: HttpServer;
  /** Takes no more connections, lets what is under way be answered, and ends what is left. */
  readonly close: () => Promise<void>;
}

/** Milliseconds in which a connection must have moved anything; event streams do so by their heartbeat. */
const idleFactor = 4;

const listenProblems: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there; give another port, or 0 for any that is free",
  EACCES: "this user may not; give a port above 1023",
  EADDRNOTAVAIL: "this machine has no such address; give one of its own, or 0.0.0.0 for all of them",
  ENOTFOUND: "there is no such host; give an address of this machine, or 0.0.0.0 for all of them",
};

/** Listens with a server of Node. Rejects with `UnsafeServer` where others could come in without a token, or where it can't listen. */
export const listen = async (server: Server, { host = "127.0.0.1", port }: ListenOptions): Promise<Listening> => {
  if (!server.hasTokens() && host !== "localhost" && !isLoopback(host))
    throw new UnsafeServer({ problems: [`without tokens the server listens on this machine alone, not on ${host}; make one with "taskwright token add NAME --role operate --tokens tokens.json"`] });
  const { limits } = server;
  const http = createServer(
    {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs),
      insecureHTTPParser: false,
    },
    nodeHandler(server),
  );
  const sockets = server.gateway === undefined ? undefined : upgradeHandler(server, server.gateway);
  if (sockets !== undefined) http.on("upgrade", sockets.upgrade);
  http.maxConnections = limits.connectionsMax;
  http.timeout = limits.streamHeartbeatMs * idleFactor;
  // What Node's parser refuses never becomes a request.
  http.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    if (!socket.writable || error.code === "ECONNRESET") return socket.destroy();
    const status = error.code === "HPE_HEADER_OVERFLOW" ? "431 Request Header Fields Too Large" : error.code === "ERR_HTTP_REQUEST_TIMEOUT" ? "408 Request Timeout" : "400 Bad Request";
    socket.write(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
    // Not only half of it: the other side may never close its own.
    return socket.destroySoon();
  });
  await new Promise<void>((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) => reject(new UnsafeServer({ problems: [`it can't listen on ${host}, port ${port}: ${listenProblems[error.code ?? ""] ?? error.message}`] }));
    http.once("error", refuse);
    http.listen(port, host, () => {
      http.off("error", refuse);
      resolve();
    });
  });
  const address = http.address() as AddressInfo;
  const shown = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return {
    host: address.address,
    port: address.port,
    url: `http://${shown}:${address.port}${server.basePath}`,
    http,
    close: async () => {
      const closed = new Promise<void>((resolve) => http.close(() => resolve()));
      await server.close();
      http.closeIdleConnections();
      http.closeAllConnections();
      sockets?.close();
      await closed;
    },
  };
};
