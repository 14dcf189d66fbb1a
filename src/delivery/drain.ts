import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import type { Dropped, OutboxContext, Report, Rest } from "../../machines/outbox.ts";
import type { Address } from "../domain/address.ts";
import type { Attempt, DeliveredEntry, Verdict } from "../domain/outbox.ts";
import type { Time } from "../engine/index.ts";
import type { EntryRow, Journal, JournalError } from "../journal/index.ts";
import { attempted, described } from "./attempt.ts";
import type { Cancellation } from "./cancellation.ts";
import type { Destination } from "./destination.ts";
import { rested } from "./rest.ts";
import { type Batch, type Lane, laneOf, page, take } from "./take.ts";

export interface DrainOptions {
  readonly journal: Journal;
  readonly time: Time;
  readonly outbox: Address;
  /** As it was stored when the drain began. */
  readonly context: OutboxContext;
  /** Undefined where nothing implements it: nothing is sent, and no attempt is spent. */
  readonly destination: Destination | undefined;
  /** When the drain is not wanted any more. */
  readonly cancellation: Cancellation;
  /** True where nothing new may be begun: the engine closes, or the outbox. */
  readonly isEnding: () => boolean;
  /** Entries of which somebody waits to hear. */
  readonly awaited: () => ReadonlySet<{ readonly key: string }>;
  /** What the drain before found: more waits in lanes that can't go on than is read at a time. */
  readonly isCrowded: boolean;
  /** It knows anew which lanes have to wait. */
  readonly onLooked: (isCrowded: boolean) => void;
  readonly report: (kind: "progressed" | "drained", report: Report) => void;
  /** The entries can't be read or counted. What was sent is reported all the same. */
  readonly onUnreadable: (error: unknown) => void;
}

/** How long an outbox whose entries could not be read is left alone. */
export const unreadableMs = 1_000;

/** What has ended is reported so soon, also where others of the batch take longer: a crash repeats what was not. */
const reportMs = 250;

/** So long what is under way at the end of a batch may end before the next batch is taken beside it. */
const cutMs = 20;

/** How long an outbox is left alone whose destination nothing implements: only another program can change that. */
const unimplementedMs = 600_000;

const isFailed = (verdict: Verdict["verdict"]): boolean => verdict === "retry" || verdict === "unknown";
const nothing: Batch = { lanes: [], superseded: [], expired: [], waiting: new Set(), nextDue: null, behind: new Set(), isCut: false, isCrowded: false };

/**
 * Takes a batch of what is due, sends it lane by lane, and says what came of it. Changes nothing in the store. Where an
 * attempt takes long while other lanes could go on, it says what it has, and takes more when the machine has it look.
 */
export class Drain {
  readonly #options: DrainOptions;
  /** As it is stored now. */
  #context: OutboxContext;
  #batch: Batch = nothing;
  #isCrowded: boolean;
  /** How many of the batch's lanes were begun. */
  #next = 0;
  /** What is under way, by lane. */
  readonly #busy = new Map<string, number>();
  /** Lanes that failed since the last look. */
  #failed = new Set<string>();
  /** Not reported yet. */
  #delivered: Array<EntryRow> = [];
  #undelivered: Array<Attempt> = [];
  #failing = 0;
  #expired: ReadonlyArray<Dropped> = [];
  #begun = 0;
  #hasFailed = false;
  /** Entries that were due were left, because nothing more may be begun. */
  #isLeft = false;
  /** A lane that is free has more. */
  #isFresh = false;
  /** Entries up to this number were looked at. */
  #knownTo = 0;
  #failures: number;
  #looks = -1;
  #reports = 0;
  /** A report says what there is to know since the last look... */
  #isTold = false;
  /** ...and that everything may be due. */
  #isForceTold = false;
  #isReading = false;
  #isReporting = false;
  #isOver = false;
  /** When what has ended must be reported. */
  #lateAt = Number.POSITIVE_INFINITY;
  #wakeAt = Number.POSITIVE_INFINITY;
  #cancelWake = () => {};

  constructor(options: DrainOptions) {
    this.#options = options;
    this.#context = options.context;
    this.#failures = options.context.failures;
    this.#isCrowded = options.isCrowded;
    options.cancellation.onCancel(() => this.#end());
    this.#look();
  }

  /** The outbox as it was stored. */
  follow(context: OutboxContext): void {
    if (context.isForced && !this.#context.isForced) {
      this.#failures = context.failures;
      this.#isForceTold = false;
    }
    this.#context = context;
    if (context.reports >= this.#reports) this.#isReporting = false;
    if (context.looks > this.#looks && !this.#isReading) this.#look();
    else this.#goOn();
  }

  /** Whether an entry that was stored has to wait for an earlier one of its lane that failed. */
  holdsUp({ lane: name, key }: { readonly lane: string; readonly key: string }): boolean {
    const { order } = this.#context.policy;
    const lane = order === "fifo" ? "" : name;
    return order !== "independent" && (this.#failed.has(lane) || this.#batch.waiting.has(lane)) && !this.#unreported.some((attempt) => attempt.key === key);
  }

  #look(): void {
    const { journal, outbox, time } = this.#options;
    const context = this.#context;
    this.#looks = context.looks;
    this.#knownTo = context.lastSeq;
    this.#isTold = false;
    this.#isForceTold = false;
    this.#isFresh = false;
    if (this.#looks > 0) this.#failures = context.failures;
    const { order } = context.policy;
    const held = new Set([...this.#busy.keys(), ...this.#unreported.map((attempt) => laneOf(context.policy, attempt))]);
    const tried = this.#tried;
    if (order === "independent") held.clear();
    this.#read(take({ journal, outbox, context, now: time.now(), held, tried, crowded: this.#isCrowded }), (batch) => {
      this.#failed = new Set(this.#undelivered.flatMap((attempt) => (isFailed(attempt.verdict) ? [laneOf(context.policy, attempt)] : [])));
      this.#isCrowded = batch.isCrowded;
      this.#batch = this.#options.destination === undefined ? { ...batch, lanes: [], nextDue: time.now() + unimplementedMs, isCut: false } : batch;
      this.#next = 0;
      this.#undelivered.push(...batch.superseded);
      this.#expired = [...this.#expired, ...batch.expired];
      for (const lane of batch.behind) this.#freed(lane);
    });
  }

  #read<A>(read: Effect.Effect<A, JournalError>, done: (found: A) => void): void {
    this.#isReading = true;
    Effect.runCallback(read, {
      onExit: (exit) => {
        this.#isReading = false;
        if (this.#isOver) return;
        if (exit._tag === "Success") done(exit.value);
        else {
          this.#options.onUnreadable(Cause.squash(exit.cause));
          this.#knownTo = this.#context.lastSeq;
          this.#isTold = false;
          this.#batch = { ...nothing, nextDue: this.#options.time.now() + unreadableMs };
          this.#next = 0;
        }
        this.#options.onLooked(this.#isCrowded);
        if (this.#context.looks > this.#looks) this.#look();
        else this.#goOn();
      },
    });
  }

  /** Nothing new is begun. Whoever is down is not told so by each of a thousand lanes. */
  get #isHalted(): boolean {
    const { breaker } = this.#context.policy;
    return this.#options.isEnding() || this.#options.cancellation.isCancelled || (breaker !== undefined && this.#failures >= breaker.failuresMax);
  }

  /** Begins what may be begun, and says what there is to say. */
  #goOn(): void {
    if (this.#isOver || this.#isReading) return;
    const { policy, isProbe, lastSeq } = this.#context;
    const isHalted = this.#isHalted;
    const { lanes } = this.#batch;
    while (!isHalted && this.#busy.size < policy.parallelMax && this.#next < lanes.length) this.#send(lanes[this.#next++] as Lane);
    if (this.#isReporting) return;
    const now = this.#options.time.now();
    const isIdle = !isProbe && !isHalted && policy.order !== "fifo" && this.#busy.size < policy.parallelMax && this.#next >= lanes.length;
    // The end of a batch is no reason to look: the lanes that are still under way would be looked through in vain.
    if (isIdle && this.#batch.isCut && !this.#isTold) this.#lateAt = Math.min(this.#lateAt, now + cutMs);
    if (this.#busy.size === 0) this.#report("drained", true);
    else if (isIdle && this.#isWorthTelling(now)) this.#report("progressed", true);
    else if (now >= this.#lateAt) this.#report("progressed", isIdle);
    else if (isIdle && lastSeq > this.#knownTo) this.#lookAtNew();
    else this.#wake(Math.min(this.#lateAt, isIdle && !this.#isTold ? (this.#batch.nextDue ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY));
  }

  #wake(at: number): void {
    if (at >= this.#wakeAt) return;
    this.#cancelWake();
    this.#wakeAt = at;
    this.#cancelWake = this.#options.time.wakeAt(at, () => {
      this.#wakeAt = Number.POSITIVE_INFINITY;
      this.#goOn();
    });
  }

  #isWorthTelling(now: number): boolean {
    if (this.#hasFailed || this.#isFresh || (this.#context.isForced && !this.#isForceTold)) return true;
    if (!this.#isTold && (this.#batch.nextDue ?? Number.POSITIVE_INFINITY) <= now) return true;
    const awaited = this.#options.awaited();
    if (awaited.size === 0) return false;
    const keys = new Set([...awaited].map(({ key }) => key));
    return this.#unreported.some(({ key }) => keys.has(key));
  }

  /** Entries came meanwhile: is there one whose lane is free? */
  #lookAtNew(): void {
    const { journal, outbox } = this.#options;
    const { policy, lastSeq } = this.#context;
    this.#read(journal.entries({ outbox, status: "pending", after: this.#knownTo, upTo: lastSeq, limit: page }), (rows) => {
      this.#knownTo = rows.length < page ? lastSeq : (rows.at(-1)?.seq ?? lastSeq);
      const behind = new Set(this.#batch.behind);
      for (const row of rows) {
        const lane = laneOf(policy, row);
        if (this.#busy.has(lane)) behind.add(lane);
        else if (!this.#failed.has(lane) && !this.#batch.waiting.has(lane)) this.#isFresh = true;
      }
      this.#batch = { ...this.#batch, behind };
    });
  }

  /** Sends the lane's entries, from one on. Answers that are there at once are not waited for, and not one by one. */
  #send(lane: Lane, from = 0): void {
    const { time, cancellation, destination } = this.#options;
    if (destination === undefined) return;
    const { name, rows } = lane;
    const options = { time, destination, timeoutMs: this.#context.policy.attemptTimeoutMs, cancellation };
    for (let next = from; next < rows.length; ) {
      if (this.#isHalted) {
        this.#isLeft = true;
        break;
      }
      const row = rows[next++] as EntryRow;
      this.#busy.set(name, row.seq);
      this.#begun++;
      const verdict = attempted(options, row);
      if (verdict instanceof Promise) {
        void verdict.then((late) => {
          const goesOn = this.#ended(name, row, late);
          this.#lateAt = Math.min(this.#lateAt, time.now() + reportMs);
          if (goesOn && next < rows.length) {
            if (time.now() >= this.#lateAt) this.#goOn();
            else this.#wake(this.#lateAt);
            this.#send(lane, next);
            if (this.#busy.has(name)) return;
          } else this.#free(name);
          this.#goOn();
        });
        return;
      }
      if (!this.#ended(name, row, verdict)) break;
    }
    if (this.#delivered.length + this.#undelivered.length > 0) this.#lateAt = Math.min(this.#lateAt, time.now() + reportMs);
    this.#free(name);
  }

  /** What an attempt came to; false where nothing of its lane goes on. */
  #ended(lane: string, row: EntryRow, verdict: Verdict): boolean {
    if (verdict.verdict === "delivered") this.#delivered.push(row);
    else this.#undelivered.push(described(row, verdict));
    if (isFailed(verdict.verdict)) {
      this.#failures++;
      this.#failing++;
      this.#failed.add(lane);
      this.#hasFailed = true;
      return false;
    }
    this.#failures = 0;
    this.#failing = 0;
    return true;
  }

  #free(lane: string): void {
    this.#busy.delete(lane);
    if (this.#batch.behind.has(lane)) this.#freed(lane);
  }

  /** There is more in this lane: is it free to go? */
  #freed(lane: string): void {
    if (!this.#busy.has(lane) && !this.#failed.has(lane)) this.#isFresh = true;
  }

  get #unreported(): ReadonlyArray<Pick<EntryRow, "seq" | "key" | "lane">> {
    return [...this.#delivered, ...this.#undelivered];
  }

  get #tried(): ReadonlySet<number> {
    return new Set([...this.#busy.values(), ...this.#unreported.map(({ seq }) => seq)]);
  }

  #end(): void {
    this.#isOver = true;
    this.#cancelWake();
  }

  /** `takesMore`: what comes of it is worth another look. */
  #report(kind: "progressed" | "drained", takesMore: boolean): void {
    const { journal, outbox, time, destination, onUnreadable } = this.#options;
    const delivered = this.#delivered.map(({ seq, key, attempts }): DeliveredEntry => [seq, key, attempts + 1]);
    const [undelivered, failing, expired, begun] = [this.#undelivered, this.#failing, this.#expired, this.#begun];
    const isMore = destination !== undefined && (this.#isFresh || this.#isLeft || this.#batch.isCut || this.#next < this.#batch.lanes.length);
    this.#delivered = [];
    this.#undelivered = [];
    this.#failing = 0;
    this.#expired = [];
    this.#begun = 0;
    this.#lateAt = Number.POSITIVE_INFINITY;
    if (takesMore) {
      this.#hasFailed = false;
      this.#isFresh = false;
      this.#isLeft = false;
      this.#isTold = true;
      this.#isForceTold = this.#context.isForced;
    }
    this.#isReporting = true;
    this.#reports++;
    const nextDue = isMore ? time.now() : this.#batch.nextDue;
    const counted = rested({ journal, outbox, attempts: { delivered, undelivered }, expired, nextDue, isCut: this.#batch.isCut, latest: () => this.#context, tried: () => this.#tried });
    const uncounted = (error: JournalError) => {
      onUnreadable(error);
      const { pending, poisoned, unknown, lastSeq } = this.#context;
      const rest: Rest = { pending, poisoned, unknown, lastSeq, nextDue: Math.min(nextDue ?? Number.POSITIVE_INFINITY, time.now() + unreadableMs) };
      return Effect.succeed({ over: expired, rest });
    };
    Effect.runCallback(Effect.catchAll(counted, uncounted), {
      onExit: (exit) => {
        if (this.#isOver || exit._tag === "Failure") return;
        if (kind === "drained") this.#end();
        this.#options.report(kind, { drain: this.#context.drain, delivered, undelivered, failing, begun, takesMore, ...exit.value });
      },
    });
  }
}
