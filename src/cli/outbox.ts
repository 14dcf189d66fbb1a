import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { type EntryView, entryView, listOutboxes, outboxAddress, type OutboxView, outboxView } from "../delivery/index.ts";
import type { EntryRow, Journal, JournalError } from "../journal/index.ts";
import { durationText } from "./duration.ts";
import { nearMatches } from "../domain/near.ts";
import { type Refused, refused } from "./refused.ts";
import { timeText } from "./standing.ts";
import { openPlace } from "./stored-tasks.ts";
import type { Streams } from "./streams.ts";
import { fields, table } from "./table.ts";

export interface OutboxOptions {
  readonly database: string;
  readonly json: boolean;
}

const pageSize = 1_000;

/** `taskwright outbox`: all outboxes of a journal with what they hold. */
export const listAll = ({ database, json }: OutboxOptions, streams: Streams): Effect.Effect<void, JournalError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const outboxes = yield* listOutboxes(yield* openPlace(database));
      if (json) for (const outbox of outboxes) streams.out(`${JSON.stringify(outbox)}\n`);
      else streams.out(outboxesText(outboxes, yield* Clock.currentTimeMillis, streams.isTerminal ? streams.columns() : undefined));
    }),
  );

const outboxesText = (outboxes: ReadonlyArray<OutboxView>, now: number, width?: number): string => {
  if (outboxes.length === 0) return "no outboxes\n";
  const rows = outboxes.map(({ name, state, pending, poisoned, unknown, delivered, refused: refusals, dropped, dueAt }) => [
    name,
    state,
    ...[pending, poisoned, unknown, delivered, refusals, dropped].map(String),
    state !== "waiting" || dueAt === undefined ? "" : dueAt > now ? `in ${durationText(dueAt - now)}` : "due",
  ]);
  return table(["NAME", "STATE", "PENDING", "POISONED", "UNKNOWN", "DELIVERED", "REFUSED", "DROPPED", "NEXT"], rows, width);
};

/** The row of an outbox, or what it may have been meant to be called. */
export const outboxRow = (journal: Journal, name: string, database: string) =>
  Effect.gen(function* () {
    const [row] = yield* journal.actors([outboxAddress(name)]);
    if (row !== undefined) return row;
    const others = (yield* listOutboxes(journal)).map((outbox) => outbox.name);
    const [suggestion] = nearMatches(name, others);
    return yield* refused(
      `there is no outbox "${name}" in ${database}${suggestion === undefined ? "" : `; did you mean "${suggestion}"?`}${others.length === 0 ? "; it has none" : `; "taskwright outbox --database ${database}" lists all`}`,
    );
  });

/** Entries of an outbox by filter, read in pages. */
export const allEntries = (journal: Journal, name: string, statuses: ReadonlyArray<EntryRow["status"]> | undefined) =>
  Effect.gen(function* () {
    const found: Array<EntryRow> = [];
    for (let after = 0; ; ) {
      const rows = yield* journal.entries({ outbox: outboxAddress(name), after, limit: pageSize });
      found.push(...rows.filter(({ status }) => statuses === undefined || statuses.includes(status)));
      after = rows.at(-1)?.seq ?? after;
      if (rows.length < pageSize) return found;
    }
  });

/** `taskwright outbox list NAME`: its entries, in their order. */
export const listEntries = (name: string, status: EntryRow["status"] | undefined, { database, json }: OutboxOptions, streams: Streams): Effect.Effect<void, JournalError | Refused> =>
  Effect.scoped(
    Effect.gen(function* () {
      const journal = yield* openPlace(database);
      const row = yield* outboxRow(journal, name, database);
      const entries = (yield* allEntries(journal, name, status === undefined ? undefined : [status])).map(entryView);
      if (json) for (const entry of entries) streams.out(`${JSON.stringify(entry)}\n`);
      else streams.out(entriesText(entries, outboxView(row, yield* journal.entryCounts(row.address)), streams.isTerminal ? streams.columns() : undefined));
    }),
  );

const entriesText = (entries: ReadonlyArray<EntryView>, { name, state }: OutboxView, width?: number): string => {
  const rows = entries.map((entry) => [String(entry.seq), entry.status, String(entry.attempts), timeText(entry.due), entry.lane, entry.type, entry.key, firstLine(entry.error)]);
  return `${rows.length === 0 ? "" : `${table(["SEQ", "STATUS", "ATTEMPTS", "DUE", "LANE", "TYPE", "KEY", "WHY"], rows, width)}\n`}${entryCountText(entries.length)} in ${name}, which is ${state}\n`;
};

const firstLine = (text: string): string => (text.split("\n")[0] ?? "").trim();
export const entryCountText = (count: number): string => (count === 0 ? "no entries" : count === 1 ? "1 entry" : `${count} entries`);

/** `taskwright outbox show NAME SEQ`. */
export const showEntry = (name: string, seq: number, { database, json }: OutboxOptions, streams: Streams): Effect.Effect<void, JournalError | Refused> =>
  Effect.scoped(
    Effect.gen(function* () {
      const journal = yield* openPlace(database);
      const { address } = yield* outboxRow(journal, name, database);
      const [row] = yield* journal.entries({ outbox: address, after: seq - 1, upTo: seq, limit: 1 });
      if (row === undefined) return yield* refused(`there is no entry ${seq} in the outbox "${name}"; it may be delivered. "taskwright outbox list ${name} --database ${database}" lists all`);
      const entry = entryView(row);
      streams.out(json ? `${JSON.stringify(entry, null, 2)}\n` : entryText(name, entry));
    }),
  );

const entryText = (name: string, { seq, status, attempts, due, lane, type, key, replaces, occurredAt, payload, error }: EntryView): string =>
  fields([
    ["entry", `${seq} of ${name}`],
    ["status", status],
    ["attempts", String(attempts)],
    ["due", timeText(due)],
    ["occurred", timeText(occurredAt)],
    ["lane", lane === "" ? undefined : lane],
    ["type", type],
    ["key", key],
    ["replaces", replaces === "" ? undefined : replaces],
    ["payload", JSON.stringify(payload, null, 2)],
    ["why", error === "" ? undefined : error],
  ]);
