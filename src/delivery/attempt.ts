import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import { failureOf } from "../domain/json.ts";
import type { Attempt, Verdict } from "../domain/outbox.ts";
import type { Time } from "../engine/index.ts";
import type { EntryRow } from "../journal/index.ts";
import { type Answer, delivered, type DeliveryAttempt, type Destination, refused, retry, unknownOutcome } from "./destination.ts";

export interface AttemptOptions {
  readonly time: Time;
  readonly destination: Destination;
  readonly timeoutMs: number;
  /** Aborted when the attempt is not wanted any more. */
  readonly signal: AbortSignal;
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

/** What a destination is told of its attempt. A signal is made where somebody looks at it: most need none. */
class Told implements DeliveryAttempt {
  readonly attempt: number;
  #controller: AbortController | undefined;
  #error: unknown;
  constructor(attempt: number) {
    this.attempt = attempt;
  }
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#error !== undefined) this.#controller.abort(this.#error);
    }
    return this.#controller.signal;
  }
  abort(error: unknown): void {
    this.#error = error ?? new Error("it was given up");
    this.#controller?.abort(error);
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

const limited = async ({ time, timeoutMs, signal }: AttemptOptions, told: Told, answer: PromiseLike<Answer> | Effect.Effect<Answer, unknown>): Promise<Verdict> => {
  let cancel = () => {};
  let abort = () => {};
  // Whoever does not answer in time may have got it.
  const givenUp = new Promise<Verdict>((resolve) => {
    const giveUp = (reason: string, error: unknown) => {
      resolve({ verdict: "unknown", reason });
      told.abort(error);
    };
    cancel = time.wakeAt(time.now() + timeoutMs, () => giveUp(`no answer within ${timeoutMs} ms`, new Error("the attempt took too long")));
    abort = () => giveUp("it was given up while it was under way", signal.reason);
    signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([answered(answer, told), givenUp]);
  } finally {
    cancel();
    signal.removeEventListener("abort", abort);
  }
};

const answered = async (answer: PromiseLike<Answer> | Effect.Effect<Answer, unknown>, told: Told): Promise<Verdict> => {
  try {
    if (!Effect.isEffect(answer)) return verdictOf(await answer);
    const exit = await Effect.runPromiseExit(answer as Effect.Effect<Answer, unknown>, { signal: told.signal });
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
