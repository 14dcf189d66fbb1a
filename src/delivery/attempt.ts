import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import { failureOf } from "../domain/json.ts";
import type { Attempt, Verdict } from "../domain/outbox.ts";
import type { Time } from "../engine/index.ts";
import type { EntryRow } from "../journal/index.ts";
import { Cancellation } from "./cancellation.ts";
import { type Answer, delivered, type DeliveryAttempt, type Destination, refused, retry, unknownOutcome } from "./destination.ts";

export interface AttemptOptions {
  readonly time: Time;
  readonly destination: Destination;
  readonly timeoutMs: number;
  /** When the attempt is not wanted any more. */
  readonly cancellation: Cancellation;
}

/** An attempt that did not deliver, as it is reported. */
export const described = (row: EntryRow, verdict: Exclude<Verdict, { readonly verdict: "delivered" }>): Attempt => ({
  seq: row.seq,
  key: row.key,
  attempt: row.attempts + 1,
  lane: row.lane,
  occurredAt: row.occurredAt,
  ...verdict,
});

/** What a destination is told of its attempt. */
class Told extends Cancellation implements DeliveryAttempt {
  readonly attempt: number;
  constructor(attempt: number) {
    super();
    this.attempt = attempt;
  }
}

/** One attempt, limited in time. Never rejects, and never throws. A destination that answers at once is not waited for. */
export const attempted = (options: AttemptOptions, row: EntryRow): Verdict | Promise<Verdict> => {
  const { outbox, key, type, lane, occurredAt } = row;
  const told = new Told(row.attempts + 1);
  let answer: ReturnType<Destination>;
  try {
    answer = options.destination({ outbox, key, type, lane, occurredAt, payload: JSON.parse(row.payload) }, told);
    // One that answers at once needs no limit.
    if (answer === undefined || answer === delivered) return delivered;
    if (!isAwaitable(answer)) return verdictOf(answer);
  } catch (error) {
    return thrown(error);
  }
  return limited(options, told, answer);
};

const isAwaitable = (answer: unknown): answer is PromiseLike<Answer> | Effect.Effect<Answer, unknown> =>
  typeof answer === "object" && answer !== null && (Effect.isEffect(answer) || typeof (answer as { readonly then?: unknown }).then === "function");

const limited = ({ time, timeoutMs, cancellation }: AttemptOptions, told: Told, answer: PromiseLike<Answer> | Effect.Effect<Answer, unknown>): Promise<Verdict> =>
  new Promise((resolve) => {
    let cancelTimeout = () => {};
    let forget = () => {};
    const end = (verdict: Verdict) => {
      cancelTimeout();
      forget();
      resolve(verdict);
    };
    // Whoever does not answer in time may have got it.
    const giveUp = (reason: string, error: unknown) => {
      end({ verdict: "unknown", reason });
      told.cancel(error);
    };
    cancelTimeout = time.wakeAt(time.now() + timeoutMs, () => giveUp(`no answer within ${timeoutMs} ms`, new Error("the attempt took too long")));
    forget = cancellation.onCancel(() => giveUp("it was given up while it was under way", cancellation.reason));
    if (Effect.isEffect(answer)) void answered(answer as Effect.Effect<Answer, unknown>, told).then(end);
    else void Promise.resolve(answer).then(verdictOf).catch(thrown).then(end);
  });

const answered = async (answer: Effect.Effect<Answer, unknown>, told: Told): Promise<Verdict> => {
  try {
    const exit = await Effect.runPromiseExit(answer, { signal: told.signal });
    return Exit.isSuccess(exit) ? verdictOf(exit.value) : thrown(Cause.squash(exit.cause));
  } catch (error) {
    return thrown(error);
  }
};

const thrown = (error: unknown): Verdict => retry(reasonOf(failureOf(error).message));

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
