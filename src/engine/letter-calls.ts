import * as Effect from "effect/Effect";
import { parseJson } from "../actor/index.ts";
import { type Address, takenLettersAddress } from "../domain/address.ts";
import type { Failure } from "../domain/json.ts";
import type { DeadLetterFilter, Journal, StoredDeadLetter } from "../journal/index.ts";
import type { DeadLetter, Engine, LetterChoice, LetterError, LetterFilter, SentEvent, TakeOptions } from "./engine.ts";
import { type InvalidEvent, type PayloadTooLarge, UnknownDeadLetter } from "./errors.ts";
import type { Limits } from "../domain/limits.ts";
import { demandLetterFilter } from "./given.ts";
import { admit, type Creation, nameOf, type OwedAction, type Taker } from "./intake.ts";
import type { Loop } from "./loop.ts";

/** Letters that are posted together: their turns are stored before the next ones are read. */
const pageSize = 200;

/** What the envelope of a dead letter holds. */
export interface LetterEnvelope extends Partial<OwedAction> {
  readonly to: Address;
  readonly event: SentEvent;
  readonly from: Address;
  readonly create?: Creation;
  /** The row id of the incarnation that is meant. */
  readonly only?: number;
}

export const envelopeOfLetter = ({ envelope }: { readonly envelope: string }): LetterEnvelope => parseJson(envelope) as LetterEnvelope;

/** The action that failed; nothing where it is an event. */
export const actionOf = ({ action, seq = 0, params = "", actor }: LetterEnvelope): OwedAction | undefined => (action === undefined ? undefined : { action, seq, params, actor });

export const letterView = (row: StoredDeadLetter): DeadLetter => {
  const { event, from, action, seq } = envelopeOfLetter(row);
  const { id, address, at } = row;
  const what = action === undefined ? { kind: "event" as const } : { kind: "action" as const, action, ...(seq === undefined ? {} : { seq }) };
  return { id, address, at, event, from, error: JSON.parse(row.error) as Failure, ...what };
};

export const storedFilter = ({ machine, prefix, limit, ...filter }: LetterFilter, limitDefault: number): DeadLetterFilter => ({
  ...filter,
  prefix: machine === undefined ? prefix : prefix?.startsWith(`${machine}/`) === true ? prefix : `${machine}/`,
  limit: limit ?? limitDefault,
});

/** The letters of a choice by their ids, in order. Fails with those that are not there. */
export const idsOf = (journal: Journal, choice: LetterChoice): Effect.Effect<ReadonlyArray<number>, UnknownDeadLetter | Effect.Effect.Error<ReturnType<Journal["deadLetters"]>>> =>
  Effect.gen(function* () {
    if (!isIds(choice)) return (yield* journal.deadLetters(storedFilter(choice, 1_000))).map(({ id }) => id);
    const wanted = [...new Set(typeof choice === "number" ? [choice] : choice)].sort((a, b) => a - b);
    const known = new Set((yield* journal.deadLetters({ ids: wanted, limit: wanted.length })).map(({ id }) => id));
    const ids = wanted.filter((id) => !known.has(id));
    return ids.length === 0 ? wanted : yield* new UnknownDeadLetter({ ids });
  });

const isIds = (choice: LetterChoice): choice is number | ReadonlyArray<number> => typeof choice === "number" || Array.isArray(choice);

/** What a host can do with dead letters. */
export const makeLetterCalls = (journal: Journal, loop: Loop, limits: Limits): Pick<Engine, "deadLetters" | "deadLetter" | "requeue" | "drop"> => {
  // One call at a time, to its end: a letter that is on its way is still stored, and would be taken twice.
  const door = Effect.unsafeMakeSemaphore(1);
  const post = (row: StoredDeadLetter, isDropped: boolean, taker: Taker | undefined): Effect.Effect<void, LetterError> =>
    Effect.async((resume) => {
      const envelope = envelopeOfLetter(row);
      const { to, event, from, create, only } = envelope;
      loop.post({
        to,
        event,
        json: JSON.stringify(event),
        from,
        create,
        only,
        internal: true,
        letter: { id: row.id, isDropped, action: actionOf(envelope), taker },
        settle: (error) => resume(error === undefined ? Effect.void : Effect.fail(error as LetterError)),
      });
    });
  const take = (choice: LetterChoice, isDropped: boolean, options: TakeOptions | undefined): Effect.Effect<number, LetterError> =>
    door.withPermits(1)(
      Effect.uninterruptible(
        Effect.gen(function* () {
          if (!isIds(choice)) yield* demandLetterFilter(choice);
          const taker = yield* takerOf(options, limits);
          const ids = yield* idsOf(journal, choice);
          for (let next = 0; next < ids.length; next += pageSize) {
            const page = ids.slice(next, next + pageSize);
            const rows = yield* journal.deadLetters({ ids: page, limit: page.length });
            yield* Effect.forEach(rows, (row) => post(row, isDropped, taker), { concurrency: "unbounded", discard: true });
          }
          return ids.length;
        }),
      ),
    );
  return {
    deadLetters: (filter = {}) =>
      Effect.map(
        Effect.zipRight(
          demandLetterFilter(filter),
          Effect.suspend(() => journal.deadLetters(storedFilter(filter, 100))),
        ),
        (rows) => rows.map(letterView),
      ),
    deadLetter: (id) =>
      Effect.flatMap(journal.deadLetters({ ids: [id], limit: 1 }), ([row]) => (row === undefined ? Effect.fail(new UnknownDeadLetter({ ids: [id] })) : Effect.succeed(letterView(row)))),
    requeue: (letters, options) => take(letters, false, options),
    drop: (letters, options) => take(letters, true, options),
  };
};

const takerOf = (options: TakeOptions | undefined, limits: Limits): Effect.Effect<Taker | undefined, InvalidEvent | PayloadTooLarge> =>
  Effect.try({
    try: () => {
      if (options?.by === undefined) return undefined;
      const { why } = admit(takenLettersAddress, options.why === undefined ? {} : { why: String(options.why) }, limits).value;
      return { by: nameOf(takenLettersAddress, options.by), why };
    },
    catch: (error) => error as InvalidEvent | PayloadTooLarge,
  });
