import * as Schema from "effect/Schema";
import { derivedRandom } from "./random.ts";

/** How long to wait between two attempts. All times in milliseconds. */
export const Backoff = Schema.Struct({
  kind: Schema.Literal("fixed", "linear", "exponential"),
  baseMs: Schema.NonNegative,
  factor: Schema.optional(Schema.Positive),
  capMs: Schema.optional(Schema.NonNegative),
});
export type Backoff = typeof Backoff.Type;

/**
 * A retry budget as data: it is stored with the actor that carries it out and evaluated by a pure function,
 * so that a restart or a replay decides as the first run did.
 */
export const RetryPolicy = Schema.Struct({
  /** Attempts in all, the first one included. */
  attemptsMax: Schema.Int.pipe(Schema.positive()),
  backoff: Backoff,
  /** The delay is multiplied by a number between these two, derived from the actor and the attempt. */
  jitter: Schema.optional(Schema.Struct({ min: Schema.NonNegative, max: Schema.NonNegative })),
  /** No attempt starts later than this many milliseconds after the first one. */
  elapsedMsMax: Schema.optional(Schema.Positive),
  /** Only failures with one of these names, codes or tags are retried; absent: all but the defects of effects. */
  retryOn: Schema.optional(Schema.Array(Schema.String)),
});
export type RetryPolicy = typeof RetryPolicy.Type;

/** One attempt, no retry. */
export const noRetry: RetryPolicy = { attemptsMax: 1, backoff: { kind: "fixed", baseMs: 0 } };

/** The wait before attempt `attempt + 1`, without jitter. `attempt` counts from 1. Milliseconds. */
export const backoffMs = (backoff: Backoff, attempt: number): number => {
  const cap = backoff.capMs ?? Number.MAX_SAFE_INTEGER;
  switch (backoff.kind) {
    case "fixed":
      return Math.min(cap, backoff.baseMs);
    case "linear":
      return Math.min(cap, backoff.baseMs * attempt);
    case "exponential":
      return Math.min(cap, backoff.baseMs * (backoff.factor ?? 2) ** (attempt - 1));
  }
};

export interface Attempted {
  /** The attempt that just failed, counted from 1. */
  readonly attempt: number;
  /** When the first attempt started, in milliseconds since 1970. */
  readonly firstAt: number;
  /** Now, as the failing event carries it. */
  readonly now: number;
  /** What the jitter is derived from: the actor's address. */
  readonly seed: string;
  readonly failure?: { readonly name: string; readonly code?: string | undefined; readonly tag?: string | undefined; readonly defect?: true };
}

/** The delay in milliseconds before the next attempt, or `undefined` when the budget is spent. */
export const nextDelayMs = (policy: RetryPolicy, tried: Attempted): number | undefined => {
  if (tried.attempt >= policy.attemptsMax) return undefined;
  if (tried.failure !== undefined && !isRetried(policy, tried.failure)) return undefined;
  const jitter = policy.jitter;
  const factor = jitter === undefined ? 1 : jitter.min + (jitter.max - jitter.min) * derivedRandom(tried.seed, tried.attempt);
  const delay = Math.round(backoffMs(policy.backoff, tried.attempt) * factor);
  if (policy.elapsedMsMax !== undefined && tried.now + delay - tried.firstAt > policy.elapsedMsMax) return undefined;
  return delay;
};

/** A defect is an error in the program, not an answer of the world: it is tried again only where the policy names it. */
const isRetried = ({ retryOn }: RetryPolicy, { name, code, tag, defect }: NonNullable<Attempted["failure"]>): boolean =>
  retryOn === undefined ? defect !== true : [name, code, tag].some((word) => word !== undefined && retryOn.includes(word));
