import { type Agent, type IncomingHttpHeaders, request as plainRequest } from "node:http";
import { request as secureRequest } from "node:https";
import type { LookupFunction } from "node:net";
import type { Cancellation } from "./cancellation.ts";

export interface HttpRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What one request came to. Once there is a status, it stands, whatever happens to the rest of the answer. */
export type HttpResult =
  | { readonly result: "answered"; readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string; readonly isWhole: boolean }
  /** There was no answer. `wasWritten`: the whole request had left this process, so the receiver may have got it. */
  | { readonly result: "broken"; readonly wasWritten: boolean; readonly reason: string };

export interface HttpLine {
  readonly agent: Agent;
  readonly lookup: LookupFunction;
  /** Bytes of an answer's body that are read; what comes behind them ends the connection. */
  readonly answerBytesMax: number;
}

/** Sends one request on a line. Whoever cancels gets what was known by then. */
export const exchange = ({ url, method, headers, body }: HttpRequest, { agent, lookup, answerBytesMax }: HttpLine, cancellation: Cancellation): Promise<HttpResult> =>
  new Promise((settle) => {
    const isSecure = url.protocol === "https:";
    const request = (isSecure ? secureRequest : plainRequest)({ ...targetOf(url), method, agent, lookup, headers: { ...headers, "content-length": Buffer.byteLength(body) } });
    let wasFinished = false;
    let isConnected = !isSecure;
    let hasStatus = false;
    const abort = () => request.destroy(cancellation.reason instanceof Error ? cancellation.reason : new Error("it was given up"));
    let forget = () => {};
    const end = (result: HttpResult) => {
      forget();
      settle(result);
    };
    request.on("socket", (socket) => {
      if (request.reusedSocket) isConnected = true;
      else if (isSecure)
        socket.once("secureConnect", () => {
          isConnected = true;
        });
    });
    request.on("finish", () => {
      wasFinished = true;
    });
    const broken = (reason: string, syscall?: string) => {
      // A write that fails ends a request as well, also one of the handshake; but not all of it is under way then.
      if (!hasStatus) end({ result: "broken", wasWritten: wasFinished && isConnected && syscall !== "write", reason });
    };
    request.on("error", (error: NodeJS.ErrnoException) => broken(reasonOf(error), error.syscall));
    request.on("close", () => broken("the connection was closed"));
    // The receiver wants to speak another protocol on this connection: that is no answer to what was sent.
    request.on("upgrade", (_, socket) => {
      socket.destroy();
      broken("the receiver wants to change the protocol");
    });
    request.on("response", (response) => {
      hasStatus = true;
      const chunks: Array<Buffer> = [];
      let bytes = 0;
      const answered = (isWhole: boolean) => end({ result: "answered", status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString("utf8"), isWhole });
      response.on("data", (chunk: Buffer) => {
        const room = answerBytesMax - bytes;
        bytes += chunk.length;
        if (room > 0) chunks.push(chunk.subarray(0, room));
        if (bytes <= answerBytesMax) return;
        answered(false);
        request.destroy();
      });
      response.on("end", () => answered(true));
      response.on("error", () => answered(false));
      response.on("close", () => answered(response.complete));
    });
    forget = cancellation.onCancel(abort);
    if (!cancellation.isCancelled) request.end(body);
  });

/** What Node makes of a URL, without the parts that a request does not need. */
const targetOf = ({ protocol, hostname, port, pathname, search }: URL) => ({
  protocol,
  hostname: hostname.startsWith("[") ? hostname.slice(1, -1) : hostname,
  path: `${pathname}${search}`,
  ...(port === "" ? {} : { port: Number(port) }),
});

/** Where several addresses failed the message is empty, and they have one each. */
const reasonOf = (error: Error & { readonly code?: string | undefined; readonly errors?: ReadonlyArray<Error> }): string =>
  error.message || error.errors?.map(({ message }) => message).join("; ") || error.code || error.name;
