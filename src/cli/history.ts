import * as Effect from "effect/Effect";
import type { Address } from "../domain/address.ts";
import type { HistoryRow, Journal, JournalError } from "../journal/index.ts";
import { findActor } from "./address.ts";
import type { Refused } from "./refused.ts";
import { timeText } from "./standing.ts";
import { openPlace } from "./stored-tasks.ts";
import type { Streams } from "./streams.ts";
import { table } from "./table.ts";

export interface HistoryOptions {
  /** A task's id, or an address. */
  readonly id: string;
  readonly database: string;
  readonly json: boolean;
}

const pageSize = 1_000;

/** `taskwright history ID`: every event that an actor was told, in order, with what became of it. */
export const history = ({ id, database, json }: HistoryOptions, streams: Streams): Effect.Effect<void, JournalError | Refused> =>
  Effect.scoped(
    Effect.gen(function* () {
      const journal = yield* openPlace(database);
      const { address } = yield* findActor(journal, id, database);
      const rows = yield* historyOf(journal, address);
      if (json) for (const row of rows) streams.out(`${jsonText(row)}\n`);
      else streams.out(historyText(rows, streams.isTerminal ? streams.columns() : undefined));
    }),
  );

/** The whole of an actor's history that is there, read in pages. */
export const historyOf = (journal: Journal, address: Address): Effect.Effect<ReadonlyArray<HistoryRow>, JournalError> =>
  Effect.gen(function* () {
    const rows: Array<HistoryRow> = [];
    for (let after = 0; ; ) {
      const page = yield* journal.history(address, after, pageSize);
      rows.push(...page);
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) return rows;
      after = last.seq;
    }
  });

const jsonText = ({ seq, at, type, event, outcome, from, stateHash }: HistoryRow): string => JSON.stringify({ seq, at, type, event: JSON.parse(event), outcome, from, stateHash });

const dataLengthMax = 160;

export const historyText = (rows: ReadonlyArray<HistoryRow>, width?: number): string =>
  table(
    ["SEQ", "TIME", "EVENT", "OUTCOME", "FROM", "DATA"],
    rows.map(({ seq, at, type, event, outcome, from }) => [String(seq), timeText(at), type, outcome, from === "" ? "outside" : from, dataText(event)]),
    width,
  );

/** What an event carries beside its type, on one line. */
const dataText = (event: string): string => {
  const { type: _, ...data } = JSON.parse(event) as { readonly type: string };
  const text = Object.keys(data).length === 0 ? "" : JSON.stringify(data);
  return text.length > dataLengthMax ? `${text.slice(0, dataLengthMax - 1)}…` : text;
};
