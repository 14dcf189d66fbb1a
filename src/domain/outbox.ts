import * as Schema from "effect/Schema";
import { nextDelayMs, RetryPolicy } from "./retry.ts";

/**
 * How an outbox treats its entries. Data: it is stored with the outbox, so that a restart decides as the run before.
 * All times in milliseconds.
 */
export const OutboxPolicy = Schema.Struct({
  /**
   * `lanes`: entries of one lane never overtake each other, and a failing one blocks its lane only. `fifo`: all entries
   * are one lane. `independent`: no order at all.
   */
  order: Schema.Literal("lanes", "fifo", "independent"),
  /** Per entry. `attemptsMax` attempts without success poison it. */
  retry: RetryPolicy,
  /** Entries that may wait. Held after each drain, with `dropOldest` for poisoned and waiting ones together. */
  entriesMax: Schema.Int.pipe(Schema.positive()),
  /** At that bound: the oldest poisoned entries are dropped, then the oldest live ones; or new ones are refused. */
  whenFull: Schema.Literal("dropOldest", "refuse"),
  /** An entry that is older is dropped with a record; absent: it waits as long as it takes. */
  timeToLiveMs: Schema.optional(Schema.Positive),
  /** Entries that one drain takes. */
  batchMax: Schema.Int.pipe(Schema.positive()),
  /** Lanes (or independent entries) that are sent at the same time. */
  parallelMax: Schema.Int.pipe(Schema.positive()),
  /** Entries per second at most; absent: as fast as the destination takes them. They go in bursts of a tenth of it. */
  perSecondMax: Schema.optional(Schema.Positive),
  /** How long one attempt may take. */
  attemptTimeoutMs: Schema.Positive,
  /** The destination may have got it, nobody knows: send it again with the same key, or leave it to an operator. */
  unknownOutcome: Schema.Literal("retry", "stop"),
  /** A restart, or a destination that is back, makes everything due at once; attempts are kept. */
  restartClearsBackoff: Schema.Boolean,
  /** It stores and sends nothing until somebody resumes it or another outbox takes over. */
  startsPaused: Schema.Boolean,
  /** After so many failures in a row nothing is sent for a while, then one entry as a probe; absent: never. */
  breaker: Schema.optional(Schema.Struct({ failuresMax: Schema.Int.pipe(Schema.positive()), cooldownMs: Schema.Positive })),
});
export type OutboxPolicy = typeof OutboxPolicy.Type;

export const defaultOutboxPolicy: OutboxPolicy = {
  order: "lanes",
  retry: { attemptsMax: 12, backoff: { kind: "exponential", baseMs: 1_000, capMs: 60_000 }, jitter: { min: 0.5, max: 1 } },
  entriesMax: 5_000,
  whenFull: "dropOldest",
  batchMax: 1_000,
  parallelMax: 8,
  attemptTimeoutMs: 30_000,
  unknownOutcome: "retry",
  restartClearsBackoff: true,
  startsPaused: false,
};

/** What a host or a machine puts into an outbox. */
export interface NewEntry {
  /**
   * Stable: the receiver knows a repeated entry by it, and the same one again is no second entry. Default: where
   * `occurredAt` is given, derived from the outbox, that, the type and the payload; else one that no other entry has.
   */
  readonly key?: string;
  readonly type: string;
  readonly payload: unknown;
  /** Entries of one lane never overtake each other. Default: the type. */
  readonly lane?: string;
  /** Takes the place of entries with the same value that are not under way yet. */
  readonly replaces?: string;
  /** When it happened, in milliseconds since 1970; default: when it is stored. Never changes. */
  readonly occurredAt?: number;
}

export type EntryStatus =
  /** It waits for its turn, or for the end of its back-off. */
  | "pending"
  /** Its attempts are spent. */
  | "poisoned"
  /** The destination may have got it; an operator decides. */
  | "unknown";

/** What a destination says of one attempt. */
export type Verdict =
  | { readonly verdict: "delivered" }
  /** A later entry took its place before it was sent. */
  | { readonly verdict: "superseded" }
  /** Never again: the receiver does not want it. */
  | { readonly verdict: "refused"; readonly reason: string }
  /** Later; not before `afterMs` where the receiver said so. */
  | { readonly verdict: "retry"; readonly reason: string; readonly afterMs?: number }
  /** The request was written and not answered. */
  | { readonly verdict: "unknown"; readonly reason: string };

/** One attempt of one entry that did not deliver it, as a drain reports it. */
export type Attempt = Exclude<Verdict, { readonly verdict: "delivered" }> & {
  readonly seq: number;
  readonly key: string;
  /** This one included. */
  readonly attempt: number;
  readonly lane: string;
  readonly occurredAt: number;
};

/** One that was delivered: its number, its key, and at which attempt. A batch of thousands is recorded as these. */
export type DeliveredEntry = readonly [seq: number, key: string, attempt: number];

/** What a drain came to. */
export type Attempts = {
  readonly delivered: ReadonlyArray<DeliveredEntry>;
  /** All other attempts that ended, in their order. */
  readonly undelivered: ReadonlyArray<Attempt>;
  /** How many failed after the last one that was answered. */
  readonly failing: number;
};

/** How an entry changes; the rest of its row stays. */
export interface EntryChange {
  readonly seq: number;
  readonly status: EntryStatus;
  readonly attempts: number;
  /** Milliseconds since 1970. */
  readonly due: number;
  readonly error: string;
}

export interface Settled {
  readonly changed: ReadonlyArray<EntryChange>;
  readonly removed: ReadonlyArray<number>;
  readonly delivered: number;
  readonly refused: number;
  readonly poisoned: number;
  readonly unknown: number;
  /** The earliest moment at which a failed one is due again. */
  readonly retryAt: number | null;
  /** Failures in a row, counted on from the drain before. */
  readonly failures: number;
}

/** What becomes of the entries that a drain tried. */
export const settle = (outbox: string, policy: OutboxPolicy, { delivered, undelivered, failing }: Attempts, at: number, failuresBefore: number): Settled => {
  const changed: Array<EntryChange> = [];
  const removed: Array<number> = delivered.map(([seq]) => seq);
  const counts = { delivered: delivered.length, refused: 0, poisoned: 0, unknown: 0 };
  let retryAt: number | null = null;
  for (const tried of undelivered) {
    const { seq, attempt } = tried;
    if (tried.verdict === "superseded") {
      removed.push(seq);
      continue;
    }
    if (tried.verdict === "refused") {
      counts.refused++;
      removed.push(seq);
      continue;
    }
    const error = tried.reason;
    if (tried.verdict === "unknown" && policy.unknownOutcome === "stop") {
      counts.unknown++;
      changed.push({ seq, status: "unknown", attempts: attempt, due: at, error });
      continue;
    }
    const delay = nextDelayMs(policy.retry, { attempt, firstAt: tried.occurredAt, now: at, seed: `${outbox}\n${tried.key}` });
    if (delay === undefined) {
      counts.poisoned++;
      changed.push({ seq, status: "poisoned", attempts: attempt, due: at, error });
      continue;
    }
    const due = at + Math.max(delay, tried.verdict === "retry" ? (tried.afterMs ?? 0) : 0);
    if (retryAt === null || due < retryAt) retryAt = due;
    changed.push({ seq, status: "pending", attempts: attempt, due, error });
  }
  // One that is refused was answered: the destination is there.
  const isAnswered = counts.delivered + counts.refused > 0;
  return { changed, removed, ...counts, retryAt, failures: (isAnswered ? 0 : failuresBefore) + failing };
};
