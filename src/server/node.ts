import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { From } from "./server.ts";

/** What a framework may have read already. */
type Parsed = IncomingMessage & { readonly body?: unknown; readonly originalUrl?: string };

/** What answers requests of the web platform: a server, or an inspector alone. */
export interface Fetching {
  readonly fetch: (request: Request, from: From) => Promise<Response>;
}

/** The handler for `node:http`, Express, Fastify (`reply.hijack()`, then `request.raw` and `reply.raw`) and all that speak like them. */
export const nodeHandler =
  ({ fetch }: Fetching) =>
  async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const aborted = new AbortController();
    // Only one that is cut: to abort what was answered costs as much as a small answer.
    res.once("close", () => void (res.writableFinished || aborted.abort()));
    try {
      const folder = missingSlash(req);
      if (folder !== undefined) return void res.writeHead(308, { location: folder }).end();
      const request = requestOf(req, aborted.signal);
      const response = request === undefined ? malformed() : await fetch(request, { peer: req.socket.remoteAddress });
      await write(response, req, res, aborted.signal);
    } catch {
      // The other side is gone, or the stream was cut: there is nobody to tell.
      res.destroy();
    }
  };

/** A host that takes its own path off hides that a page's path has no slash at its end, beside which the page looks for its parts. */
const missingSlash = ({ url, originalUrl, method }: Parsed): string | undefined => {
  const [path = "", query] = (originalUrl ?? "").split("?", 2);
  if (method !== "GET" || !/^\/(\?|$)/.test(url ?? "") || path === "" || path.endsWith("/")) return undefined;
  return `${path.slice(path.lastIndexOf("/") + 1)}/${query === undefined ? "" : `?${query}`}`;
};

const malformed = (): Response =>
  new Response(
    JSON.stringify({
      type: "urn:taskwright:problem:invalid_request",
      title: "Invalid request",
      status: 400,
      detail: "the request line or a header is not well-formed",
      code: "invalid_request",
      retryable: false,
    }),
    { status: 400, headers: { "content-type": "application/problem+json", connection: "close" } },
  );

const requestOf = (req: IncomingMessage, signal: AbortSignal): Request | undefined => {
  const { method = "GET", url = "/" } = req;
  // Of two hosts a proxy may have believed the other one.
  if (!url.startsWith("/") || req.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === "host").length > 1) return undefined;
  try {
    const headers = new Headers();
    for (const [name, value] of Object.entries(req.headers)) if (value !== undefined && !name.startsWith(":")) headers.set(name, Array.isArray(value) ? value.join(", ") : value);
    const hasBody = method !== "GET" && method !== "HEAD";
    return new Request(`http://taskwright${url}`, { method, headers, signal, ...(hasBody ? bodyOf(req) : {}) });
  } catch {
    return undefined;
  }
};

const bodyOf = (req: Parsed): object => {
  // A parser of the host was faster: what it read is written again.
  if (req.readableEnded || req.body !== undefined) return { body: typeof req.body === "string" || Buffer.isBuffer(req.body) ? req.body : JSON.stringify(req.body ?? null) };
  return { body: Readable.toWeb(req), duplex: "half" };
};

const write = async (response: Response, req: IncomingMessage, res: ServerResponse, signal: AbortSignal): Promise<void> => {
  res.statusCode = response.status;
  for (const [name, value] of response.headers) if (name !== "set-cookie") res.setHeader(name, value);
  const cookies = response.headers.getSetCookie();
  if (cookies.length > 0) res.setHeader("set-cookie", cookies);
  // What was not read of a refused body is not worth reading.
  if (!req.complete && response.status >= 400) res.setHeader("connection", "close");
  if (response.body === null || req.method === "HEAD") {
    res.end();
    await response.body?.cancel();
    return;
  }
  // Its length is known, so it is no stream: head and body go out together.
  if (response.headers.has("content-length")) return void res.end(Buffer.from(await response.arrayBuffer()));
  const reader = response.body.getReader();
  const cancel = () => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", cancel, { once: true });
  // A stream that is cut while the other side reads nothing: its connection goes, too.
  reader.closed.catch(() => res.destroy());
  res.flushHeaders();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    if (res.write(piece.value) || res.destroyed) continue;
    await new Promise<void>((resolve) => {
      const go = () => {
        res.off("drain", go).off("close", go);
        resolve();
      };
      res.on("drain", go).on("close", go);
    });
  }
  res.end();
};
