import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import type { Pruning } from "../../journal/index.ts";
import type { JournalHarness } from "../journal-conformance.ts";
import { actor, engine, entry, everything, failure, moved, noon, onJournal, onStore, range, turn } from "./rows.ts";

const nothing: Pruning = { at: noon, actors: [], checkpoints: [], cuts: [], entries: [] };
const pruning = (work: Partial<Pruning>): Pruning => ({ ...nothing, ...work });

/** Two actors with a child each, and a history of five entries for the first. */
const family = turn({
  created: [actor(1), actor(2), actor(3, { address: "task/1/kid", parent: 1 }), actor(4, { address: "task/1/kid/toy", parent: 3 }), actor(5, { address: "task/2/kid", parent: 2, status: "done" })],
  history: [entry(1, 1, 1), entry(2, 2, 1), entry(3, 3, 1), entry(4, 4, 1), entry(5, 5, 1), ...range(4, 2).map((seq) => entry(seq + 4, 1, seq))],
});
const fifth = turn({ moved: [moved(1, 5)] });

export const retentionConformance = (harness: JournalHarness): void => {
  describe("retention", () => {
    it(
      "tells ages in the order of ids, a page at a time, and everybody below an actor",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          yield* journal.commit(family);
          yield* journal.commit(fifth);
          const [first, second] = yield* journal.ages(0, 2);
          expect(first).toEqual({
            id: 1,
            address: "task/1",
            parent: 0,
            machine: "task",
            status: "active",
            seq: 5,
            at: noon + 5_000,
            first: 1,
            firstAt: noon + 1_000,
            cut: 0,
            pending: 0,
            pendingAt: 0,
          });
          expect(second).toMatchObject({ id: 2 });
          expect((yield* journal.ages(2, 10)).map(({ id, status }) => [id, status])).toEqual([
            [3, "active"],
            [4, "active"],
            [5, "done"],
          ]);
          const below = yield* journal.descendants([1, 2], 10);
          expect(below.map(({ root, id }) => [root, id]).sort()).toEqual([
            [1, 3],
            [1, 4],
            [2, 5],
          ]);
          expect(yield* journal.descendants([1, 2], 2)).toHaveLength(2);
          expect(yield* journal.descendants([4], 10)).toEqual([]);
        }),
      ),
    );

    it(
      "removes actors with all that is theirs, and nothing of others",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          const key = (address: string, name: string) => ({ address, key: name, seq: 1, at: noon, outcome: "handled" as const, request: "r" });
          yield* journal.commit(
            turn({
              ...family,
              keys: [key("task/1", "a"), key("task/2", "a")],
              wakes: [
                { actor: 1, due: noon },
                { actor: 2, due: noon },
              ],
            }),
          );
          expect(yield* journal.prune(pruning({ actors: [1, 3, 4, 99] }))).toBe(7);
          expect((yield* journal.list({ limit: 10 })).map(({ address }) => address)).toEqual(["task/2", "task/2/kid"]);
          expect(yield* journal.history("task/1", 0, 10)).toEqual([]);
          expect(yield* journal.history("task/2", 0, 10)).toHaveLength(1);
          expect((yield* journal.due(noon, 10)).map(({ actor: id }) => id)).toEqual([2]);
          expect(
            (yield* journal.keys([
              { address: "task/1", key: "a" },
              { address: "task/2", key: "a" },
            ])).map(({ address }) => address),
          ).toEqual(["task/2"]);
          // The address is free again.
          yield* journal.commit(turn({ created: [actor(6, { address: "task/1" })], history: [entry(20, 6, 1)] }));
          expect(yield* journal.history("task/1", 0, 10)).toHaveLength(1);
        }),
      ),
    );

    it(
      "never counts ids backwards, though the rows with the highest ones are gone",
      onStore(harness, (store) =>
        Effect.gen(function* () {
          const journal = yield* store.connect();
          yield* journal.open(engine());
          yield* journal.commit(family);
          yield* journal.prune(pruning({ actors: [1, 2, 3, 4, 5] }));
          expect(yield* journal.reopen).toMatchObject({ actor: 5, history: 9 });
          yield* journal.release;
          const next = yield* store.connect();
          expect((yield* next.open(engine({ id: "next", build: "b" }))).counters).toMatchObject({ actor: 5, history: 9 });
          yield* next.commit(turn({ created: [actor(6)], history: [entry(10, 6, 1)] }));
          expect(yield* next.buildOf("task/6")).toMatchObject({ build: "b", history: 9 });
        }),
      ),
    );

    it(
      "cuts a history at a checkpoint; rows that wait for their removal are not shown, and the last one stays",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          yield* journal.commit(family);
          yield* journal.commit(turn({ moved: [moved(1, 3)] }));
          yield* journal.prune(pruning({ at: noon + 7, checkpoints: [1] }));
          yield* journal.commit(fifth);
          expect((yield* journal.ages(0, 1))[0]).toMatchObject({ cut: 0, pending: 3, pendingAt: noon + 7 });
          expect(yield* journal.checkpoint("task/1")).toBeUndefined();
          yield* journal.prune(pruning({ cuts: [{ actor: 1, seq: 3 }], entries: [{ actor: 1, upTo: 3, limit: 1 }] }));
          expect((yield* journal.history("task/1", 0, 10)).map(({ seq }) => seq)).toEqual([4, 5]);
          expect(yield* journal.checkpoint("task/1")).toEqual({ seq: 3, at: noon + 3_000, hash: "hash-1", state: moved(1, 3).state, start: entry(1, 1, 1).event });
          expect((yield* journal.ages(0, 1))[0]).toMatchObject({ first: 2, cut: 3, pending: 0 });
          // The next one takes its place, and knows how the actor was started.
          expect(yield* journal.prune(pruning({ entries: [{ actor: 1, upTo: 3, limit: 10 }], checkpoints: [1] }))).toBe(2);
          expect(yield* journal.prune(pruning({ cuts: [{ actor: 1, seq: 5 }], entries: [{ actor: 1, upTo: 5, limit: 10 }] }))).toBe(1);
          expect(yield* journal.checkpoint("task/1")).toMatchObject({ seq: 5, start: entry(1, 1, 1).event });
          expect(yield* journal.history("task/1", 0, 10)).toEqual([]);
          expect((yield* journal.ages(0, 1))[0]).toMatchObject({ first: 5, cut: 5, pending: 0 });
        }),
      ),
    );

    it(
      "knows which addresses have a young key or a dead letter",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          const key = (address: string, at: number) => ({ address, key: "k", seq: 1, at, outcome: "handled" as const, request: "r" });
          yield* journal.commit(turn({ keys: [key("task/1", noon), key("task/2", noon + 1)], deadLetters: [{ address: "task/3", at: noon, envelope: "{}", error: "{}" }] }));
          expect([...(yield* journal.held(["task/1", "task/2", "task/3", "task/4"], noon + 1))].sort()).toEqual(["task/2", "task/3"]);
          expect(yield* journal.held([], noon)).toEqual([]);
        }),
      ),
    );

    it(
      "removes nothing for an owner that was taken over",
      onStore(harness, (store) =>
        Effect.gen(function* () {
          const journal = yield* store.connect();
          yield* journal.open(engine());
          yield* journal.commit(family);
          const before = yield* everything(journal);
          const other = yield* store.connect();
          yield* other.open(engine({ id: "other", now: noon + 60_000 }));
          expect(yield* failure<unknown, unknown, never>(journal.prune(pruning({ actors: [1] })))).toMatchObject({ _tag: "JournalFenced" });
          expect(yield* everything(other)).toEqual(before);
        }),
      ),
    );
  });
};
