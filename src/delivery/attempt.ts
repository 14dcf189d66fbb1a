import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import { failureOf } from "../domain/json.ts";
import type { Attempt, Verdict } from "../domain/outbox.ts";
import type { Time } from "../engine/index.ts";
import type { EntryRow } from "../journal/index.ts";
import { type Answer, delivered, type Destination, refused, retry, unknownOutcome } from "./destination.ts";

export interface AttemptOptions {
  readonly time: Time;
  readonly destination: Destination;
  readonly timeoutMs: number;
  /** Aborted when the attempt is not wanted any more. */
  readonly signal: AbortSignal;
}

/** An attempt as it is reported. */
export const described = (row: EntryRow, verdict: Verdict): Attempt => ({
  seq: row.seq,
  key: row.key,
  attempt: row.attempts + 1,
  lane: row.lane,
  occurredAt: row.occurredAt,
  ...verdict,
});

/** One attempt, limited in time. Never rejects. */
export const attemptOf = async ({ time, destination, timeoutMs, signal }: AttemptOptions, row: EntryRow): Promise<Attempt> => {
  const controller = new AbortController();
  let cancel = () => {};
  let abort = () => {};
  // Whoever does not answer in time may have got it.
  const givenUp = new Promise<Verdict>((resolve) => {
    const giveUp = (reason: string, error: unknown) => {
      resolve({ verdict: "unknown", reason });
      controller.abort(error);
    };
    cancel = time.wakeAt(time.now() + timeoutMs, () => giveUp(`no answer within ${timeoutMs} ms`, new Error("the attempt took too long")));
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
