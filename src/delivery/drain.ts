import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import type { Dropped, OutboxContext, Rest } from "../../machines/outbox.ts";
import type { Address } from "../domain/address.ts";
import { failureOf } from "../domain/json.ts";
import type { Attempt, Verdict } from "../domain/outbox.ts";
import type { Time } from "../engine/index.ts";
import type { EntryRow, Journal, JournalError } from "../journal/index.ts";
import { type Answer, delivered, type Destination, refused, retry, unknownOutcome } from "./destination.ts";

export interface DrainOptions {
  readonly journal: Journal;
  readonly time: Time;
  readonly outbox: Address;
  /** As it was stored when the drain began: everything that was stored with it is taken too. */
  readonly context: OutboxContext;
  /** Undefined where nothing implements it: nothing is sent, and no attempt is spent. */
  readonly destination: Destination | undefined;
  /** The last number that the outbox has given to an entry by now. */
  readonly lastSeq: () => number;
  /** Aborted when the drain is not wanted any more. */
  readonly signal: AbortSignal;
  /** True where nothing new may be begun: the engine closes, or the outbox. */
  readonly isEnding: () => boolean;
  /** The entries can't be counted. What was sent is reported all the same. */
  readonly onUnreadable: (error: JournalError) => void;
}

export interface Report {
  readonly attempts: ReadonlyArray<Attempt>;
  readonly over: ReadonlyArray<Dropped>;
  readonly rest: Rest;
}

/** Takes a batch of what is due, sends it lane by lane, and says what came of it. Changes nothing in the store. */
export const drain = (options: DrainOptions): Effect.Effect<Report, JournalError> =>
  Effect.gen(function* () {
    const { context, destination } = options;
    const batch = yield* take(options);
    const lanes = destination === undefined ? [] : batch.lanes;
    const attempts: Array<Attempt> = [...batch.superseded];
    const failed = new Set<string>();
    let failures = context.failures;
    // Whoever is down is not told so by each of a thousand lanes.
    const isBroken = () => context.policy.breaker !== undefined && failures >= context.policy.breaker.failuresMax;
    let next = 0;
    const work = async (to: Destination) => {
      for (let lane = lanes[next++]; lane !== undefined; lane = lanes[next++]) {
        for (const row of lane.rows) {
          if (options.isEnding() || options.signal.aborted || isBroken()) return;
          const attempt = await attemptOf(options, to, row);
          attempts.push(attempt);
          if (attempt.verdict === "retry" || attempt.verdict === "unknown") {
            failures++;
            failed.add(lane.name);
            break;
          }
          failures = 0;
        }
      }
    };
    if (destination !== undefined) yield* Effect.promise(() => Promise.all(Array.from({ length: Math.min(context.policy.parallelMax, lanes.length) }, () => work(destination))));
    const tried = new Set(attempts.map(({ seq }) => seq));
    // What the batch had no room for, or no time, is due at once, unless its lane has to wait.
    const untried = lanes.some((lane) => !failed.has(lane.name) && lane.rows.some(({ seq }) => !tried.has(seq)));
    const now = options.time.now();
    const nextDue = destination === undefined ? now + unimplementedMs : batch.isCut || untried ? now : batch.nextDue;
    return yield* Effect.catchAll(rested(options, attempts, batch.expired, nextDue), (error) => {
      options.onUnreadable(error);
      const { pending, poisoned, unknown, lastSeq } = context;
      const rest = { pending, poisoned, unknown, lastSeq, nextDue: Math.min(nextDue ?? Number.POSITIVE_INFINITY, now + unreadableMs) };
      return Effect.succeed({ attempts, over: batch.expired, rest });
    });
  });

/** How long an outbox whose entries could not be read is left alone. */
export const unreadableMs = 1_000;

/** How long an outbox is left alone whose destination nothing implements: only another program can change that. */
const unimplementedMs = 600_000;

/** What is left once the report is stored, and what of it is too much. */
const rested = (options: DrainOptions, attempts: ReadonlyArray<Attempt>, expired: ReadonlyArray<Dropped>, nextDue: number | null): Effect.Effect<Report, JournalError> =>
  Effect.gen(function* () {
    const { journal, outbox, context } = options;
    const isOver = ({ verdict }: Attempt) => verdict === "delivered" || verdict === "refused" || verdict === "superseded";
    const gone = new Set([...attempts.filter(isOver), ...expired].map(({ seq }) => seq));
    const lastSeq = options.lastSeq();
    const counts = yield* journal.entryCounts(outbox);
    const pending = Math.max(0, counts.pending - gone.size);
    const excess = context.policy.whenFull === "dropOldest" ? pending + counts.poisoned - context.policy.entriesMax : 0;
    const rest = { ...counts, lastSeq, nextDue };
    if (excess <= 0) return { attempts, over: expired, rest: { ...rest, pending } };
    // The oldest that are beyond the bound: poisoned ones first.
    const poisoned = yield* journal.entries({ outbox, status: "poisoned", limit: excess });
    const live = excess > poisoned.length ? yield* journal.entries({ outbox, status: "pending", limit: excess - poisoned.length + gone.size }) : [];
    const oldest = live.filter(({ seq }) => !gone.has(seq)).slice(0, excess - poisoned.length);
    const full = [...poisoned, ...oldest].map(({ seq, key }): Dropped => ({ seq, key, reason: "full" }));
    return { attempts, over: [...expired, ...full], rest: { ...rest, pending: pending - oldest.length, poisoned: counts.poisoned - poisoned.length } };
  });

interface Lane {
  readonly name: string;
  readonly rows: Array<EntryRow>;
}

interface Batch {
  readonly lanes: ReadonlyArray<Lane>;
  readonly superseded: ReadonlyArray<Attempt>;
  readonly expired: ReadonlyArray<Dropped>;
  /** When the first of those that must wait is due. */
  readonly nextDue: number | null;
  /** More is due than one batch takes. */
  readonly isCut: boolean;
}

const page = 1_000;

/** The pace is kept between batches, so they are small: what comes in any one second is a tenth too much at most. */
const burstsPerSecond = 10;

/** What is due, in lanes. An entry that is not due holds up those behind it in its lane. */
const take = ({ journal, outbox, context, time }: DrainOptions): Effect.Effect<Batch, JournalError> =>
  Effect.gen(function* () {
    const { policy, lastSeq, isProbe } = context;
    const now = time.now();
    const max = isProbe ? 1 : Math.min(policy.batchMax, policy.perSecondMax === undefined ? policy.batchMax : Math.max(1, Math.floor(policy.perSecondMax / burstsPerSecond)));
    const lanes = new Map<string, Lane>();
    const waiting = new Set<string>();
    const latest = new Map<string, EntryRow>();
    const expired: Array<Dropped> = [];
    const superseded: Array<Attempt> = [];
    let nextDue: number | null = null;
    let taken = 0;
    let isCut = false;
    scan: for (let after = 0; ; ) {
      const rows = yield* journal.entries({ outbox, status: "pending", after, upTo: lastSeq, limit: page });
      for (const row of rows) {
        after = row.seq;
        const name = policy.order === "independent" ? String(row.seq) : row.lane;
        if (policy.timeToLiveMs !== undefined && row.occurredAt + policy.timeToLiveMs <= now) {
          expired.push({ seq: row.seq, key: row.key, reason: "expired" });
          continue;
        }
        if (waiting.has(name)) continue;
        if (row.due > now) {
          waiting.add(name);
          if (nextDue === null || row.due < nextDue) nextDue = row.due;
          continue;
        }
        if (taken >= max) {
          isCut = true;
          break scan;
        }
        // Stored in one turn: the later one took its place before anybody looked.
        const earlier = row.replaces === "" ? undefined : latest.get(row.replaces);
        if (earlier !== undefined) {
          superseded.push(described(earlier, { verdict: "superseded" }));
          const lane = lanes.get(policy.order === "independent" ? String(earlier.seq) : earlier.lane);
          lane?.rows.splice(lane.rows.indexOf(earlier), 1);
        }
        if (row.replaces !== "") latest.set(row.replaces, row);
        const lane = lanes.get(name) ?? { name, rows: [] };
        lanes.set(name, lane);
        lane.rows.push(row);
        taken++;
      }
      if (rows.length < page) break;
    }
    return { lanes: [...lanes.values()], superseded, expired, nextDue, isCut };
  });

const described = (row: EntryRow, verdict: Verdict): Attempt => ({
  seq: row.seq,
  key: row.key,
  attempt: row.attempts + 1,
  lane: row.lane,
  occurredAt: row.occurredAt,
  ...verdict,
});

/** One attempt, limited in time. Never rejects. */
const attemptOf = async ({ context, time, signal }: DrainOptions, destination: Destination, row: EntryRow): Promise<Attempt> => {
  const controller = new AbortController();
  let cancel = () => {};
  let abort = () => {};
  // Whoever does not answer in time may have got it.
  const givenUp = new Promise<Verdict>((resolve) => {
    const giveUp = (reason: string, error: unknown) => {
      resolve({ verdict: "unknown", reason });
      controller.abort(error);
    };
    const { attemptTimeoutMs } = context.policy;
    cancel = time.wakeAt(time.now() + attemptTimeoutMs, () => giveUp(`no answer within ${attemptTimeoutMs} ms`, new Error("the attempt took too long")));
    abort = () => giveUp("it was given up while it was under way", signal.reason);
    signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return described(row, await Promise.race([called(destination, row, controller.signal), givenUp]));
  } finally {
    cancel();
    signal.removeEventListener("abort", abort);
  }
};

const called = async (destination: Destination, row: EntryRow, signal: AbortSignal): Promise<Verdict> => {
  try {
    const { outbox, key, type, lane, occurredAt } = row;
    const result = destination({ outbox, key, type, lane, occurredAt, payload: JSON.parse(row.payload) }, { attempt: row.attempts + 1, signal });
    if (!Effect.isEffect(result)) return verdictOf(await result);
    const exit = await Effect.runPromiseExit(result as Effect.Effect<Answer, unknown>, { signal });
    return Exit.isSuccess(exit) ? verdictOf(exit.value) : retry(reasonOf(failureOf(Cause.squash(exit.cause)).message));
  } catch (error) {
    return retry(reasonOf(failureOf(error).message));
  }
};

/** A destination's answer, as it can be stored: hosts write destinations without a compiler too. */
const verdictOf = (answer: Answer): Verdict => {
  if (answer === undefined) return delivered;
  const { verdict, reason, afterMs } = (typeof answer === "object" && answer !== null ? answer : {}) as { readonly verdict?: unknown; readonly reason?: unknown; readonly afterMs?: unknown };
  switch (verdict) {
    case "delivered":
      return delivered;
    case "refused":
      return refused(reasonOf(reason));
    case "unknown":
      return unknownOutcome(reasonOf(reason));
    case "retry":
      return retry(reasonOf(reason), typeof afterMs === "number" && afterMs >= 0 && afterMs <= afterMsMax ? Math.ceil(afterMs) : undefined);
    default:
      return retry(reasonOf(`the destination answered ${JSON.stringify(answer)}, which is no verdict; use delivered, refused, retry or unknownOutcome`));
  }
};

/** A receiver that asks for more than a year does not mean it, or is not believed. */
const afterMsMax = 366 * 24 * 60 * 60 * 1_000;

/** Characters of a reason that are kept: it stands in every report, and receivers answer with whole pages. */
const reasonCharsMax = 1_000;

// No U+0000: some drivers cut a text there when they read it.
const reasonOf = (reason: unknown): string => {
  const text = (typeof reason === "string" ? reason : reason === undefined ? "no reason was given" : String(reason)).replaceAll("\u0000", " ");
  return text.length <= reasonCharsMax ? text : `${text.slice(0, reasonCharsMax)}…`;
};
