import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Destination, httpDestination } from "../../src/delivery/index.ts";
import type { VirtualTime } from "../../src/testing/index.ts";

/** What is wrong with a receiver. It does so to lanes that begin with "bad"; the others are well. */
export const faults = ["refuses connections", "answers 500", "hangs", "resets the connection", "redirects in a loop", "answers after the time-out"] as const;
export type Fault = (typeof faults)[number];

/** Where nobody listens: the address of a server that was closed. */
const nowhere = async (): Promise<string> => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
};

/**
 * A real HTTP server for an outbox on virtual time. Time may go on only where every attempt under way has ended or was
 * read by the server: `settled` waits for that, so that what is found does not depend on how fast anything is.
 */
export class FaultyReceiver {
  readonly requests: Array<{ readonly key: string; readonly lane: string; readonly at: number }> = [];
  /** What each key brought about, the first time that it came. */
  readonly effects: Array<string> = [];
  atOnceMax = 0;
  time: VirtualTime | undefined;
  isDown = true;
  readonly #fault: Fault;
  readonly #server: Server;
  readonly #nowhere: string;
  #open = 0;
  readonly #underWay = new Set<string>();
  /** Attempts that the server has read and does not answer. */
  readonly #heldBack = new Set<string>();
  #changed = () => {};

  private constructor(fault: Fault, elsewhere: string) {
    this.#fault = fault;
    this.#nowhere = elsewhere;
    this.#server = createServer((request, response) => {
      request.resume();
      const key = String(request.headers["idempotency-key"]);
      const lane = String(request.headers.lane);
      request.on("end", () => {
        this.requests.push({ key, lane, at: this.#now });
        this.atOnceMax = Math.max(this.atOnceMax, ++this.#open);
        response.on("close", () => this.#open--);
        if (this.#isBad(lane) && (fault === "hangs" || fault === "answers after the time-out")) this.#heldBack.add(`${key} ${request.headers.attempt}`);
        this.#answer(lane, key, response);
        this.#changed();
      });
    });
  }

  static async open(fault: Fault): Promise<FaultyReceiver> {
    const receiver = new FaultyReceiver(fault, await nowhere());
    await new Promise<void>((resolve) => receiver.#server.listen(0, "127.0.0.1", resolve));
    return receiver;
  }

  /** `timeoutMs`: of one attempt. */
  destination(timeoutMs: number): Destination {
    let send: Destination | undefined;
    const here = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return async (entry, attempt) => {
      send ??= httpDestination({
        url: ({ lane }) => (this.#fault === "refuses connections" && this.#isBad(lane) ? this.#nowhere : `${here}/`),
        headers: ({ lane }, { attempt: number }) => ({ lane, attempt: String(number) }),
        allowPrivate: true,
        timeoutMs,
        keepAliveMs: 0,
        time: this.time as VirtualTime,
      });
      const id = `${entry.key} ${attempt.attempt}`;
      this.#underWay.add(id);
      try {
        return (await send(entry, attempt)) as never;
      } finally {
        this.#underWay.delete(id);
        this.#changed();
      }
    };
  }

  /** Every attempt has ended or is held back by the server. */
  async settled(): Promise<void> {
    while ([...this.#underWay].some((id) => !this.#heldBack.has(id)))
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get #now(): number {
    return this.time?.now() ?? 0;
  }

  #isBad(lane: string): boolean {
    return this.isDown && lane.startsWith("bad");
  }

  #answer(lane: string, key: string, response: ServerResponse): void {
    const takes = () => {
      if (!this.effects.includes(key)) this.effects.push(key);
    };
    if (!this.#isBad(lane)) {
      takes();
      return void response.writeHead(204).end();
    }
    switch (this.#fault) {
      case "refuses connections":
        throw new Error("nobody listens there");
      case "answers 500":
        return void response.writeHead(500).end("broken");
      case "hangs":
        return;
      case "resets the connection":
        return void response.socket?.resetAndDestroy();
      case "redirects in a loop":
        return void response.writeHead(307, { location: "/" }).end();
      case "answers after the time-out":
        // It did what it was asked for, and says so when nobody listens any more.
        takes();
        response.on("close", () => response.writeHead(204).end());
    }
  }
}
