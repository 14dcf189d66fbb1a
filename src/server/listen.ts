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

/** Listens with a server of Node. Rejects with `UnsafeServer` where others could come in without a token. */
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
    http.once("error", reject);
    http.listen(port, host, () => {
      http.off("error", reject);
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
