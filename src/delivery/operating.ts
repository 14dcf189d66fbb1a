import * as Effect from "effect/Effect";
import { type OutboxContext, outbox as outboxMachine } from "../../machines/outbox.ts";
import { type Address, childId } from "../domain/address.ts";
import { viewOfStored } from "../engine/index.ts";
import type { ActorRow, EntryCounts, EntryRow, Journal, JournalError } from "../journal/index.ts";

/** One entry, as an operator sees it. */
export interface EntryView extends Omit<EntryRow, "payload" | "outbox"> {
  readonly payload: unknown;
}

/** One outbox, as an operator sees it. The counts of entries are those of the store. */
export interface OutboxView extends EntryCounts {
  readonly name: string;
  readonly address: Address;
  /** `idle`, `waiting`, `pacing`, `broken`, `draining`, `paused`, `closed`, or what comes before one of these. */
  readonly state: string;
  readonly destination: string;
  /** Since it was made. */
  readonly delivered: number;
  readonly refused: number;
  readonly dropped: number;
  /** Attempts in a row that failed. */
  readonly failures: number;
  /** When something is due next, in milliseconds since 1970, where that is known. */
  readonly dueAt: number | undefined;
}

export const entryView = ({ outbox: _, payload, ...row }: EntryRow): EntryView => ({ ...row, payload: JSON.parse(payload) as unknown });

/** A state's name as operators use it: where it sends, or what it waits for. */
export const outboxState = (value: unknown): string => {
  if (typeof value === "string") return value;
  const [[outer, inner] = ["unknown", ""]] = Object.entries((value ?? {}) as Record<string, string>);
  if (outer === "open") return inner;
  return inner === "sending" || inner === "deferring" ? "draining" : inner;
};

export const outboxView = (row: ActorRow, counts: EntryCounts): OutboxView => {
  const { value, context } = viewOfStored(row, "");
  const { destination, delivered, refused, dropped, failures, dueAt } = context as OutboxContext;
  return { name: childId(row.address), address: row.address, state: outboxState(value), ...counts, destination, delivered, refused, dropped, failures, dueAt: dueAt ?? undefined };
};

const pageSize = 1_000;

/** All outboxes of a journal, in the order in which they were made. */
export const listOutboxes = (journal: Journal): Effect.Effect<ReadonlyArray<OutboxView>, JournalError> =>
  Effect.gen(function* () {
    const views: Array<OutboxView> = [];
    for (let after = 0; ; ) {
      const rows = yield* journal.list({ machine: outboxMachine.id, after, limit: pageSize });
      for (const row of rows) {
        after = row.id;
        views.push(outboxView(row, yield* journal.entryCounts(row.address)));
      }
      if (rows.length < pageSize) return views;
    }
  });
