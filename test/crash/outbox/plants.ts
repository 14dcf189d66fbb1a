import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type { Destination } from "../../../src/delivery/index.ts";
import type { OutboxPolicy } from "../../../src/domain/outbox.ts";
import { Journal, type JournalError, SqliteJournal } from "../../../src/journal/index.ts";

/**
 * Outboxes that are wrong on purpose; the check must find what comes of each.
 * - `forgetful`: an entry is removed before it was sent.
 * - `apart`: entries are stored in a transaction of their own, after that of the transition.
 * - `keyless`: the key is another one in each process.
 * - `unordered`: entries of a lane overtake each other.
 */
export const plants = ["forgetful", "apart", "keyless", "unordered"] as const;
export type Plant = (typeof plants)[number];

const pauseMs = 10;
const pause = () => new Promise((resolve) => setTimeout(resolve, pauseMs));

/** The destination as a plant spoils it. */
export const spoiled = (destination: Destination, plant: Plant | undefined): Destination => {
  if (plant === "keyless") return (entry, attempt) => destination({ ...entry, key: `${entry.key}-${process.pid}` }, attempt);
  if (plant !== "forgetful") return destination;
  return (entry, attempt) => {
    void pause().then(() => destination(entry, { ...attempt, signal: new AbortController().signal }));
  };
};

/** What an outbox without order tries again after so long that others of the lane come in between. */
export const policyOf = (plant: Plant | undefined): Partial<OutboxPolicy> =>
  plant === "unordered" ? { order: "independent", retry: { attemptsMax: 1_000, backoff: { kind: "fixed", baseMs: 300 } } } : {};

export const journalOf = (file: string, plant: Plant | undefined): Layer.Layer<Journal, JournalError> => {
  const sound = SqliteJournal.layer({ file });
  return plant === "apart" ? Layer.effect(Journal, Effect.map(Journal, storeApart)).pipe(Layer.provide(sound)) : sound;
};

/** Where a kill finds the two transactions apart: failpoints.mjs knows it by its name. */
export const gap = "plant.apart";
const reachGap = Effect.sync(() => (globalThis as { readonly [key: symbol]: ((name: string) => void) | undefined })[Symbol.for("taskwright.failpoint")]?.(gap));

const nothing = { created: [], moved: [], history: [], keys: [], wakes: [], mail: [], mailTaken: [], effects: [], effectsDone: [], deadLetters: [], names: [], machines: [] };

const storeApart = (journal: Journal): Journal => ({
  ...journal,
  commit: (turn) => {
    const stores = turn.entries.filter(({ write }) => write === "store");
    if (stores.length === 0) return journal.commit(turn);
    const rest = turn.entries.filter(({ write }) => write !== "store");
    return journal.commit({ ...turn, entries: rest }).pipe(Effect.zipLeft(reachGap), Effect.zipLeft(journal.commit({ ...nothing, entries: stores })));
  },
});
