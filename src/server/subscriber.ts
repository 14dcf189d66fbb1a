import { subscription } from "../../machines/subscription.ts";
import type { Time } from "../engine/index.ts";
import { ServerClosing, SlowReader } from "./errors.ts";
import { type InMemory, runInMemory } from "./in-memory.ts";
import type { ServerLimits } from "./limits.ts";
import { problemOf } from "./problem.ts";

/** One event of a stream: its id, and its text as it goes over the wire. */
export interface StreamItem {
  readonly id: number;
  readonly text: string;
}

/** Reads what was stored behind an id, in pages: for a reader that comes back. */
export type ReadAfter = (after: number, limit: number) => Promise<{ readonly items: ReadonlyArray<StreamItem>; readonly last: number; readonly isWhole: boolean }>;

export interface SubscriberOptions {
  /** Where it goes on; absent: with what happens next. */
  readonly after: number | undefined;
  readonly readAfter: ReadAfter;
  readonly limits: ServerLimits;
  readonly time: Time;
  /** Called once, when it is over, with the reason where the server ended it. */
  readonly onOver: (reason: string | undefined) => void;
}

const pageSize = 500;
const encoder = new TextEncoder();
/** How long a browser waits before it comes back. */
const preamble = "retry: 2000\n\n";

/**
 * One reader of an event stream. What it has not read waits in a bounded queue: beyond it the stream ends with the
 * reason, so that one slow reader costs the others nothing. `machines/subscription.ts` says when it ends.
 */
export class Subscriber {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #machine: InMemory;
  readonly #options: SubscriberOptions;
  #queue: Array<StreamItem> = [];
  #notes = preamble;
  /** The last event that was handed to the reader. */
  #sent: number;
  #catchingUp: boolean;
  #isRead = false;
  #wake: (() => void) | undefined;
  #reason: string | undefined;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(options: SubscriberOptions) {
    this.#options = options;
    this.#sent = options.after ?? 0;
    this.#catchingUp = options.after !== undefined;
    const { streamHeartbeatMs: heartbeatMs, dropGraceMs } = options.limits;
    this.#machine = runInMemory(subscription, { heartbeatMs, dropGraceMs }, options.time, {
      comment: () => this.#note(": still here\n\n"),
      tellSlowness: () => this.#leave(new SlowReader({ eventsMax: options.limits.subscriberEventsMax })),
      tellClosing: () => this.#leave(new ServerClosing({})),
      cut: () => this.#cut(),
    });
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#pull(),
        cancel: () => this.#machine.tell({ type: "GONE" }),
      },
      { highWaterMark: 0 },
    );
  }

  /** Hears of one event. */
  push(item: StreamItem): void {
    if (this.#reason !== undefined) return;
    if (this.#queue.length >= this.#options.limits.subscriberEventsMax) {
      // What it reads from the journal at the moment begins before all of these: it will read them there.
      if (this.#catchingUp) this.#queue = [];
      else return this.#machine.tell({ type: "OVERFLOWED" });
    }
    this.#queue.push(item);
    this.#wake?.();
  }

  close(): void {
    this.#machine.tell({ type: "SHUT_DOWN" });
  }

  #note(text: string): void {
    // A reader that takes nothing needs no second sign of life.
    if (this.#notes === "") this.#notes = text;
    this.#wake?.();
  }

  #leave(error: SlowReader | ServerClosing): void {
    this.#reason = error.code;
    this.#queue = [];
    this.#notes = `event: end\ndata: ${JSON.stringify(problemOf(error))}\n\n`;
    this.#wake?.();
  }

  #cut(): void {
    this.#machine?.stop();
    this.#wake?.();
    try {
      if (this.#isRead || this.#reason === undefined) this.#controller?.close();
      else this.#controller?.error(new Error(this.#reason));
    } catch {
      // The reader has closed it already.
    }
    this.#options.onOver(this.#reason);
  }

  async #pull(): Promise<void> {
    if (this.#machine.isOver()) return;
    if (this.#catchingUp && this.#reason === undefined) await this.#catchUp();
    if (this.#queue.length === 0 && this.#notes === "" && !this.#machine.isOver()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    if (this.#machine.isOver()) return;
    const text = this.#notes + this.#queue.map((item) => item.text).join("");
    this.#sent = this.#queue.at(-1)?.id ?? this.#sent;
    this.#notes = "";
    this.#queue = [];
    // An empty piece would be no answer to a pull.
    this.#controller?.enqueue(encoder.encode(text === "" ? ": \n\n" : text));
    if (this.#reason !== undefined) {
      this.#isRead = true;
      this.#machine.tell({ type: "READ" });
    }
  }

  /** One page of what was stored before; what is heard meanwhile waits, and is not told twice. */
  async #catchUp(): Promise<void> {
    this.#queue = [];
    let page: Awaited<ReturnType<ReadAfter>>;
    try {
      page = await this.#options.readAfter(this.#sent, pageSize);
    } catch {
      this.#machine.tell({ type: "SHUT_DOWN" });
      return;
    }
    if (this.#reason !== undefined) return;
    this.#sent = Math.max(this.#sent, page.last);
    if (page.isWhole) {
      this.#queue = this.#queue.filter(({ id }) => id > this.#sent);
      this.#catchingUp = false;
    } else this.#queue = [];
    this.#queue.unshift(...page.items);
  }
}
