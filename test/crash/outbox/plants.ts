import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type { Destination } from "../../../src/delivery/index.ts";
import type { OutboxPolicy, Verdict } from "../../../src/domain/outbox.ts";
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

/** Where a kill shows what a plant does: failpoints.mjs knows these places by their names. */
export const gaps = { forgetful: "plant.forgetful", apart: "plant.apart", keyless: "plant.keyless" } as const;
const reach = (gap: (typeof gaps)[keyof typeof gaps]) => (globalThis as { readonly [key: symbol]: ((name: string) => void) | undefined })[Symbol.for("taskwright.failpoint")]?.(gap);

/** What the forgetful one has not sent, and said that it has. */
const heldBack: Array<() => void> = [];

/** The destination as a plant spoils it. */
export const spoiled = (destination: Destination, plant: Plant | undefined): Destination => {
  switch (plant) {
    case "forgetful":
      return (entry, { attempt }) => void heldBack.push(() => void destination(entry, { attempt, signal: new AbortController().signal }));
    case "keyless":
      // One that was delivered, and is not recorded yet, is sent again by the next process.
      return async (entry, attempt) => {
        const answer = (await destination({ ...entry, key: `${entry.key}-${process.pid}` }, attempt)) as Verdict;
        if (answer.verdict === "delivered") reach(gaps.keyless);
        return answer;
      };
    case "unordered":
      return overtaking(destination);
    default:
      return destination;
  }
};

/** The first entry is not sent before another one of its lane was: with an order, that one waits for the first. */
const overtaking = (destination: Destination): Destination => {
  let first: { readonly key: string; readonly lane: string } | undefined;
  let letGo = () => {};
  const isOvertaken = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  return async (entry, attempt) => {
    first ??= entry;
    if (entry.key === first.key) await isOvertaken;
    const answer = (await destination(entry, attempt)) as Verdict;
    if (entry.key !== first.key && entry.lane === first.lane) letGo();
    return answer;
  };
};

export const policyOf = (plant: Plant | undefined): Partial<OutboxPolicy> => (plant === "unordered" ? { order: "independent" } : {});

export const journalOf = (file: string, plant: Plant | undefined): Layer.Layer<Journal, JournalError> => {
  const sound = SqliteJournal.layer({ file });
  const spoils = plant === "apart" ? storeApart : plant === "forgetful" ? sendWhenGone : undefined;
  return spoils === undefined ? sound : Layer.effect(Journal, Effect.map(Journal, spoils)).pipe(Layer.provide(sound));
};

const sendWhenGone = (journal: Journal): Journal => ({
  ...journal,
  commit: (turn) =>
    Effect.tap(journal.commit(turn), () => {
      if (!turn.entries.some(({ write }) => write === "remove")) return;
      reach(gaps.forgetful);
      for (const send of heldBack.splice(0)) send();
    }),
});

const nothing = { created: [], moved: [], history: [], keys: [], wakes: [], mail: [], mailTaken: [], effects: [], effectsDone: [], deadLetters: [], names: [], machines: [] };

const storeApart = (journal: Journal): Journal => ({
  ...journal,
  commit: (turn) => {
    const stores = turn.entries.filter(({ write }) => write === "store");
    if (stores.length === 0) return journal.commit(turn);
    const rest = turn.entries.filter(({ write }) => write !== "store");
    return journal.commit({ ...turn, entries: rest }).pipe(Effect.zipLeft(Effect.sync(() => reach(gaps.apart))), Effect.zipLeft(journal.commit({ ...nothing, entries: stores })));
  },
});
