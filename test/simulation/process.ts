import type { BrokerInPromises } from "../../src/broker/index.ts";
import type { InPromises, Inboxes } from "../../src/delivery/index.ts";
import type { Dispatcher } from "../../src/dispatch/index.ts";
import type { Taskwright } from "../../src/engine/index.ts";
import type { Schedules } from "../../src/orchestration/index.ts";
import { type Host, ProcessClock } from "./clock.ts";

/** A simulated process with one engine in it. */
export class SimProcess {
  readonly name: string;
  readonly pid: number;
  readonly host: Host;
  readonly clock: ProcessClock;
  engine: Taskwright | undefined;
  workers: { readonly killAll: () => void } | undefined;
  dispatcher: Dispatcher | undefined;
  broker: BrokerInPromises | undefined;
  inboxes: InPromises<Inboxes> | undefined;
  schedules: InPromises<Schedules> | undefined;
  /** Nothing of it goes on, and nobody hears of it any more. */
  dead = false;
  /** It stands still, and does not know it. */
  paused = false;
  wasPaused = false;
  closing = false;
  epoch = 0;
  /** By its own clock, when its engine was open. */
  openedAt = 0;
  /** By its own clock, how far the time of the last process went that stored something. */
  wentAt = 0;
  /** A commit was reported as failed and its fate was not asked for yet. */
  doubt: "stored" | "lost" | undefined;
  /** The store could not be asked either. */
  doubtStayed = false;
  wasDegraded = false;
  /** Calls of clients that were not answered yet. */
  unanswered = 0;
  /** Signals of the activities that run. */
  readonly carrying = new Set<AbortSignal>();
  /** Its wall clock jumped over this stretch. */
  jumped: { readonly from: number; readonly to: number } | undefined;
  /** What an earlier process had left. */
  leftMail: ReadonlySet<number> = new Set();
  leftEffects: ReadonlySet<number> = new Set();
  /** Calls to the store that never come back; they are let go when the world ends. */
  readonly #hung: Array<() => void> = [];
  #released = false;

  constructor(number: number, host: Host, trueTime: () => number) {
    this.name = `p${number}`;
    this.pid = 1_000 + number;
    this.host = host;
    this.clock = new ProcessClock(host, trueTime);
  }

  get isOpen(): boolean {
    return !this.dead && this.engine !== undefined;
  }

  hang(end: () => void): void {
    if (this.#released) end();
    else this.#hung.push(end);
  }

  release(): void {
    this.dead = true;
    this.#released = true;
    for (const end of this.#hung.splice(0)) end();
  }
}
