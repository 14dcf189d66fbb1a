import * as Effect from "effect/Effect";
import type { Dropped, OutboxContext, Rest } from "../../machines/outbox.ts";
import type { Address } from "../domain/address.ts";
import type { Attempts } from "../domain/outbox.ts";
import type { Journal, JournalError } from "../journal/index.ts";

export interface RestOptions {
  readonly journal: Journal;
  readonly outbox: Address;
  readonly attempts: Pick<Attempts, "delivered" | "undelivered">;
  readonly expired: ReadonlyArray<Dropped>;
  readonly nextDue: number | null;
  /** Not all that waits was looked at: then what is left is reckoned, not counted, and may be less. */
  readonly isCut: boolean;
  /** The outbox as it is stored by now. */
  readonly latest: () => OutboxContext;
  /** Entries of which an attempt is under way, or not reported yet. */
  readonly tried: () => ReadonlySet<number>;
}

/** What is left once a report is stored, and what of it is too much. */
export const rested = ({
  journal,
  outbox,
  attempts,
  expired,
  nextDue,
  isCut,
  latest,
  tried,
}: RestOptions): Effect.Effect<{ readonly rest: Rest; readonly over: ReadonlyArray<Dropped> }, JournalError> =>
  Effect.gen(function* () {
    const gone = new Set(attempts.delivered.map(([seq]) => seq));
    for (const { verdict, seq } of attempts.undelivered) if (verdict === "refused" || verdict === "superseded") gone.add(seq);
    for (const { seq } of expired) gone.add(seq);
    const { lastSeq, policy, ...known } = latest();
    const isOverBound = ({ pending, poisoned }: { readonly pending: number; readonly poisoned: number }) => policy.whenFull === "dropOldest" && pending - gone.size + poisoned > policy.entriesMax;
    // Counting reads every entry: not after each of many batches.
    const counts = isCut && !isOverBound(known) ? { pending: known.pending, poisoned: known.poisoned, unknown: known.unknown } : yield* journal.entryCounts(outbox);
    const pending = Math.max(0, counts.pending - gone.size);
    const excess = policy.whenFull === "dropOldest" ? pending + counts.poisoned - policy.entriesMax : 0;
    const rest = { ...counts, lastSeq, nextDue };
    if (excess <= 0) return { over: expired, rest: { ...rest, pending } };
    // The oldest that are beyond the bound: poisoned ones first.
    const poisoned = yield* journal.entries({ outbox, status: "poisoned", limit: excess });
    const live = excess > poisoned.length ? yield* journal.entries({ outbox, status: "pending", limit: excess - poisoned.length + gone.size + tried().size }) : [];
    const spared = tried();
    const oldest = live.filter(({ seq }) => !gone.has(seq) && !spared.has(seq)).slice(0, excess - poisoned.length);
    const full = [...poisoned, ...oldest].map(({ seq, key }): Dropped => ({ seq, key, reason: "full" }));
    return { over: [...expired, ...full], rest: { ...rest, pending: pending - oldest.length, poisoned: counts.poisoned - poisoned.length } };
  });
