import { type AttemptMessage, type FromServer, type FromWorker, type Registered, type Registration, workerProtocol } from "../domain/worker-message.ts";

/** One connection to a server, until it breaks. */
export interface Connection {
  /** Tries to send; what does not get through is sent again by whoever waits for its acknowledgement. */
  readonly send: (message: Exclude<FromWorker, Registration>) => void;
  readonly close: () => void;
}

export interface ConnectionEvents {
  readonly onMessage: (message: FromServer) => void;
  /** It is gone, or could not be made. */
  readonly onBroken: (reason: string) => void;
}

/** Connects, registers, and hears. */
export type Connect = (registration: () => Registration, events: ConnectionEvents) => Connection;

/** What a WebSocket of any platform has: browsers, Node 22 and newer, the package `ws`. */
export interface WebSocketLike {
  readonly readyState: number;
  send(data: string): void;
  close(): void;
  addEventListener(type: "open" | "close" | "error" | "message", listener: (event: { readonly data?: unknown; readonly code?: number; readonly message?: string }) => void): void;
}
export type WebSocketConstructor = new (url: string, protocols: ReadonlyArray<string>) => WebSocketLike;

const open = 1;

/** Over a WebSocket. The token goes as a subprotocol, because browsers can't send a header. */
export const overWebSocket =
  (url: string, token: string | undefined, WebSocket: WebSocketConstructor): Connect =>
  (registration, { onMessage, onBroken }) => {
    const socket = new WebSocket(`${url.replace(/^http/, "ws").replace(/\/+$/, "")}/v1/worker`, [workerProtocol, ...(token === undefined ? [] : [`taskwright.token.${token}`])]);
    let isOver = false;
    const end = (reason: string) => {
      if (isOver) return;
      isOver = true;
      onBroken(reason);
    };
    socket.addEventListener("open", () => socket.send(JSON.stringify(registration())));
    socket.addEventListener("message", ({ data }) => {
      if (!isOver) onMessage(JSON.parse(String(data)) as FromServer);
    });
    socket.addEventListener("error", ({ message }) => end(message ?? "the connection failed"));
    socket.addEventListener("close", ({ code }) => end(`the connection was closed (${code ?? "no code"})`));
    return {
      send: (message) => {
        if (socket.readyState === open) socket.send(JSON.stringify(message));
      },
      close: () => {
        isOver = true;
        socket.close();
      },
    };
  };

/** The part of `fetch` that is used. */
export type Fetch = (
  url: string,
  init: { readonly method: string; readonly headers: Readonly<Record<string, string>>; readonly body: string; readonly signal: AbortSignal },
) => Promise<{ readonly status: number; readonly json: () => Promise<unknown> }>;

interface Problem {
  readonly code?: string;
  readonly detail?: string;
  readonly retryable?: boolean;
}

/** Over long polls: where there is no WebSocket, or a proxy lets none through. */
export const overPolls =
  (url: string, token: string | undefined, fetch: Fetch, waitMs: number): Connect =>
  (registration, { onMessage, onBroken }) => {
    let isOver = false;
    // One for each request: what listens to a signal may outlive its request, and polls go on for months.
    const underWay = new Set<AbortController>();
    const end = () => {
      isOver = true;
      for (const controller of underWay) controller.abort();
    };
    const call = async (path: string, body: unknown): Promise<unknown> => {
      const headers = { "content-type": "application/json", ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
      const controller = new AbortController();
      // A farewell outlives the connection.
      if (path !== "leave") underWay.add(controller);
      let status: number;
      let answer: unknown;
      try {
        const response = await fetch(`${url.replace(/\/+$/, "")}/v1/worker/${path}`, { method: "POST", headers, body: JSON.stringify(body), signal: controller.signal });
        status = response.status;
        answer = await response.json();
      } finally {
        underWay.delete(controller);
      }
      if (status < 400) return answer;
      const { code = "unknown", detail = "no reason was given", retryable = status >= 500 } = answer as Problem;
      // Its life is over, or the server is a new one: registering again finds out.
      if (code === "session_over") throw new Error(detail);
      onMessage({ type: "refused", code, detail, retryable });
      throw new Error(detail);
    };
    const fail = (error: unknown) => {
      if (isOver) return;
      end();
      onBroken(error instanceof Error ? error.message : String(error));
    };
    let speaker: { readonly worker: string; readonly owner: string; readonly incarnation: number } | undefined;
    let received = 0;
    const waiting: Array<AttemptMessage> = [];
    let isReporting = false;
    /** One request at a time, in order, with all that was said meanwhile. */
    const report = async (): Promise<void> => {
      if (isReporting) return;
      isReporting = true;
      try {
        while (waiting.length > 0 && speaker !== undefined) {
          const { acks } = (await call("reports", { ...speaker, messages: waiting.splice(0, 100) })) as { readonly acks: ReadonlyArray<FromServer> };
          for (const ack of acks) onMessage(ack);
        }
      } finally {
        isReporting = false;
      }
    };
    const run = async () => {
      const card = registration();
      received = card.received ?? 0;
      const registered = (await call("register", card)) as Registered;
      speaker = { worker: registered.worker, owner: card.owner, incarnation: registered.incarnation };
      onMessage(registered);
      while (!isOver) {
        const { messages } = (await call("poll", { ...speaker, received, waitMs: Math.min(waitMs, registered.heartbeatMs) })) as { readonly messages: ReadonlyArray<FromServer> };
        onMessage({ type: "heartbeat" });
        for (const message of messages) onMessage(message);
      }
    };
    run().catch(fail);
    return {
      send: (message) => {
        if (message.type === "received") received = message.received;
        else if (message.type === "leave") {
          if (speaker !== undefined) call("leave", speaker).catch(() => {});
        } else if (message.type !== "heartbeat") {
          waiting.push(message);
          report().catch(fail);
        }
      },
      close: end,
    };
  };
