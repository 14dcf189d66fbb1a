import { createServer as createHttp, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttps } from "node:https";
import { type AddressInfo, createServer as createRaw, type Server, type Socket } from "node:net";

export interface Got {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A real server on a port of its own. It says what it got, and when. */
export class LocalServer {
  readonly got: Array<Got> = [];
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #waiters: Array<() => void> = [];

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", (socket: Socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
      this.#tell();
    });
  }

  /** Hands each request to `answer` when its body is there. */
  static async http(answer: (response: ServerResponse, got: Got, number: number) => void, tls?: { readonly key: string; readonly cert: string }): Promise<LocalServer> {
    const listener = (request: IncomingMessage, response: ServerResponse) => {
      let body = "";
      request.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      request.on("error", () => {});
      request.on("end", () => {
        const got: Got = { method: request.method ?? "", path: request.url ?? "", headers: request.headers, body };
        local.got.push(got);
        answer(response, got, local.got.length);
        local.#tell();
      });
    };
    const server = tls === undefined ? createHttp(listener) : createHttps(tls, listener);
    const local = new LocalServer(server);
    return local.#listen();
  }

  /** Hands over bare connections. */
  static async raw(connected: (socket: Socket) => void): Promise<LocalServer> {
    const server = createRaw(connected);
    return new LocalServer(server).#listen();
  }

  async #listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/in`;
  }

  /** Resolves when so many requests came. */
  async hasGot(count: number): Promise<void> {
    while (this.got.length < count) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  async isConnected(): Promise<void> {
    while (this.connections === 0) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  #tell(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
