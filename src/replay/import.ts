import * as Effect from "effect/Effect";
import type { Address } from "../domain/address.ts";
import { emptyTurn, type Journal, type JournalError, type JournalFenced, type Opened } from "../journal/index.ts";
import { ImportRefused } from "./errors.ts";
import { type History, parentOf } from "./history.ts";
import type { HistoryFile } from "./history-file.ts";

/** Actors that one transaction takes. */
const batchMax = 200;

export interface Imported {
  readonly imported: number;
  /** Earlier incarnations of children: their addresses carry row ids of the journal that they came from. */
  readonly left: number;
}

/**
 * Writes histories into a journal that was opened for writing, as they were: entries, states, forms, wakes. An engine that
 * is opened on it goes on with those that have not ended. Refuses, before anything is written, an address that is taken, a
 * child without its parent, an actor without its state, and one that was cut: what went before can't be made up.
 */
export const importHistories = (journal: Journal, opened: Pick<Opened, "counters">, file: HistoryFile): Effect.Effect<Imported, ImportRefused | JournalError | JournalFenced> =>
  Effect.gen(function* () {
    const { charts } = file;
    // Parents go before their children: a child names the row of its parent.
    const histories = file.histories.filter(({ address, livedAt }) => address === livedAt).sort((left, right) => depthOf(left.address) - depthOf(right.address));
    const present = new Set(histories.map(({ address }) => address));
    const taken = new Set((yield* journal.actors(histories.map(({ address }) => address))).map(({ address }) => address));
    for (const history of histories) {
      const why = taken.has(history.address) ? "there is an actor at this address already" : refusalOf(history, present);
      if (why !== undefined) return yield* new ImportRefused({ address: history.address, detail: why });
    }
    const ids = new Map<Address, number>();
    let { actor: id, history: entryId } = opened.counters;
    for (let first = 0; first < histories.length; first += batchMax) {
      const batch = histories.slice(first, first + batchMax);
      for (const { address } of batch) ids.set(address, ++id);
      yield* journal.commit({
        ...emptyTurn,
        created: batch.map((history) => {
          const { address, machine, hash, createdAt, entries, state } = history;
          const last = entries.at(-1);
          const above = parentOf(history);
          const parent = above === undefined ? 0 : (ids.get(above) ?? 0);
          const { token = 0 } = (entries[0]?.event ?? {}) as { readonly token?: number };
          const stored = JSON.stringify(state);
          return {
            id: ids.get(address) ?? 0,
            address,
            parent,
            createdAt,
            machine,
            hash,
            status: state?.status ?? "",
            seq: last?.seq ?? 0,
            at: last?.at ?? 0,
            state: stored,
            token: parent === 0 ? 0 : token,
            replaces: false,
          };
        }),
        history: batch.flatMap(({ address, entries }) =>
          entries.map(({ seq, at, event, outcome, from, stateHash }) => ({
            id: ++entryId,
            actor: ids.get(address) ?? 0,
            seq,
            at,
            type: event.type,
            event: JSON.stringify(event),
            outcome,
            from,
            stateHash,
          })),
        ),
        wakes: batch.flatMap(({ address, state }) => {
          const dues = Object.values(state?.timers ?? {}).flatMap(({ due, held }) => (held === true ? [] : [due]));
          return dues.length === 0 ? [] : [{ actor: ids.get(address) ?? 0, due: Math.min(...dues) }];
        }),
        machines: first > 0 ? [] : charts.map((chart) => ({ ...chart, at: batch[0]?.createdAt ?? 0 })),
      });
    }
    return { imported: histories.length, left: file.histories.length - histories.length };
  });

const depthOf = (address: Address): number => address.split("/").length;

const refusalOf = (history: History, present: ReadonlySet<Address>): string | undefined => {
  const { entries, start, state } = history;
  const above = parentOf(history);
  if (above !== undefined && !present.has(above)) return `it is a child, and its parent "${above}" is not in the file`;
  if (start !== undefined || entries[0]?.seq !== 1) return "its history was cut, and what went before can't be made up";
  if (state === undefined) return "its state is not in the file: export it with its machines, or without a redaction";
  return undefined;
};
