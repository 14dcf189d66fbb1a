import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Inspector } from "./inspector.ts";

/** The largest body that is read: an event, or the ids of a bulk action. Bytes. */
const bodyMax = 4 * 1024 * 1024;

export interface Listening {
  readonly url: string;
  readonly close: () => Promise<void>;
}

/**
 * Serves an inspector on this machine alone. Whoever may open a connection here may look; what calls itself by another
 * name than this machine's is refused, so that no page of another site gets here by a name of its own.
 */
export const listenOnLoopback = (inspector: Inspector, port = 0): Promise<Listening> => {
  const server = createServer((incoming, outgoing) => {
    const host = incoming.headers.host ?? "";
    if (!/^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(host)) {
      outgoing.writeHead(421).end("this is served under the name of this machine only\n");
      return;
    }
    const gone = new AbortController();
    // Only one that is cut: to abort what was answered costs as much as a small answer.
    outgoing.once("close", () => void (outgoing.writableFinished || gone.abort()));
    void (async () => {
      try {
        await write(await inspector.fetch(await requestOf(incoming, host, gone.signal)), outgoing, gone.signal);
      } catch {
        if (!outgoing.headersSent) outgoing.writeHead(400).end("this can't be read\n");
        else outgoing.destroy();
      }
    })();
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, close: () => closed(server, inspector) }));
  });
};

const closed = (server: Server, inspector: Inspector): Promise<void> =>
  new Promise((resolve) => {
    inspector.close();
    server.close(() => resolve());
    server.closeAllConnections();
  });

const write = async ({ status, headers, body }: Response, outgoing: ServerResponse, signal: AbortSignal): Promise<void> => {
  outgoing.writeHead(status, Object.fromEntries(headers));
  if (body === null) return void outgoing.end();
  const reader = body.getReader();
  signal.addEventListener("abort", () => void reader.cancel().catch(() => {}), { once: true });
  if (headers.has("content-length")) {
    // Its length is known: head and body go out together.
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) outgoing.write(piece.value);
    return void outgoing.end();
  }
  // A stream of changes is open before anything changed.
  outgoing.flushHeaders();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    if (outgoing.write(piece.value) || outgoing.destroyed) continue;
    await new Promise<void>((resolve) => {
      const go = () => {
        outgoing.off("drain", go).off("close", go);
        resolve();
      };
      outgoing.on("drain", go).on("close", go);
    });
  }
  outgoing.end();
};

const requestOf = async (incoming: IncomingMessage, host: string, signal: AbortSignal): Promise<Request> => {
  const { method = "GET", url = "/", headers } = incoming;
  const init = { method, headers: Object.entries(headers).flatMap(([name, value]): Array<[string, string]> => (typeof value === "string" ? [[name, value]] : [])), signal };
  if (method === "GET" || method === "HEAD") return new Request(`http://${host}${url}`, init);
  const chunks: Array<Buffer> = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bodyMax) throw new Error("the body is too large");
    chunks.push(chunk);
  }
  return new Request(`http://${host}${url}`, { ...init, body: Buffer.concat(chunks) });
};
