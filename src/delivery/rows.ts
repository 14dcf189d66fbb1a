import type { Address } from "../domain/address.ts";
import type { EntryChange, NewEntry } from "../domain/outbox.ts";
import type { WithinTurn } from "../engine/index.ts";
import { derivedKey } from "./key.ts";
import type { EntryWrite } from "../journal/index.ts";

type StoredEntry = NewEntry & { readonly seq: number; readonly lane: string };

/** What the actions of `machines/outbox.ts` do to the rows, in the transaction of their transition. */
export const outboxRows: Readonly<Record<string, WithinTurn>> = {
  storeEntries: ({ address, at, params }) => {
    const { entries, takenTo, posted } = params as { readonly entries: ReadonlyArray<StoredEntry>; readonly takenTo: number; readonly posted?: number };
    const stores = entries.map(
      ({ seq, key, lane, replaces = "", type, payload, occurredAt }): EntryWrite => ({
        write: "store",
        takenTo,
        entry: {
          outbox: address,
          seq,
          key: key ?? derivedKey(address, { type, occurredAt: occurredAt ?? at, payload }, occurredAt === undefined ? seq : undefined),
          lane,
          replaces,
          type,
          payload: JSON.stringify(payload ?? null),
          occurredAt: occurredAt ?? at,
          due: at,
          attempts: 0,
          status: "pending",
          error: "",
        },
      }),
    );
    return posted === undefined ? stores : [...stores, { write: "collect", posted }];
  },
  // Its follower does it once the transition is stored; nothing is owed.
  drainEntries: () => [],
  changeEntries: ({ address, params }) => (params as { readonly changes: ReadonlyArray<EntryChange> }).changes.map((change) => ({ write: "change", outbox: address, ...change })),
  removeEntries: ({ address, params }) => removals(address, params),
  moveEntries: ({ address, params }) => [{ write: "move", outbox: address, ...(params as { readonly to: Address; readonly seqOffset: number }) }],
  clearBackoff: ({ address, params }) => [{ write: "clear", outbox: address, at: (params as { readonly at: number }).at }],
  requeueEntries: ({ address, params }) => {
    const { seqs, at } = params as { readonly seqs: ReadonlyArray<number>; readonly at: number };
    return seqs.map((seq) => ({ write: "change", outbox: address, seq, status: "pending", attempts: 0, due: at, error: "" }));
  },
};

const removals = (outbox: Address, params: unknown): ReadonlyArray<EntryWrite> => (params as { readonly seqs: ReadonlyArray<number> }).seqs.map((seq) => ({ write: "remove", outbox, seq }));
