import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import type { EntryRow, EntryWrite, Journal } from "../../journal/index.ts";
import type { JournalHarness } from "../journal-conformance.ts";
import { actor, engine, failure, noon, onJournal, onStore, range, turn } from "./rows.ts";

const box = "outbox/a";
const other = "outbox/b";

/** An entry with sensible values, of which a test names only what it is about. */
const row = (seq: number, rest: Partial<EntryRow> = {}): EntryRow => ({
  outbox: box,
  seq,
  key: `key ${seq}`,
  lane: "message",
  replaces: "",
  type: "message",
  payload: `{"n":${seq}}`,
  occurredAt: noon + seq,
  due: noon + seq,
  attempts: 0,
  status: "pending",
  error: "",
  ...rest,
});
const store = (entry: EntryRow, takenTo = 0): EntryWrite => ({ write: "store", entry, takenTo });
const changeTo = (entry: EntryRow): EntryWrite => ({ write: "change", outbox: entry.outbox, seq: entry.seq, status: entry.status, attempts: entry.attempts, due: entry.due, error: entry.error });
const remove = (seq: number, outbox = box): EntryWrite => ({ write: "remove", outbox, seq });
const writes = (journal: Journal, ...entries: ReadonlyArray<EntryWrite>) => journal.commit(turn({ entries }));
const all = (journal: Journal, outbox = box) => journal.entries({ outbox, limit: 100_000 });
const keys = (journal: Journal, outbox = box) => Effect.map(all(journal, outbox), (rows) => rows.map(({ key }) => key));

export const entryConformance = (harness: JournalHarness): void => {
  describe("entries", () => {
    it(
      "are given back as they were written, in the order of their numbers, each outbox its own",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          const odd = row(2, {
            key: 'it\'s "odd" ☃\n',
            lane: "",
            type: "% _",
            payload: `"${"x".repeat(100_000)}"`,
            occurredAt: 1,
            due: Number.MAX_SAFE_INTEGER,
            attempts: 11,
            status: "poisoned",
            error: "no\n",
          });
          const elsewhere = row(1, { outbox: other });
          yield* writes(journal, store(row(3)), store(elsewhere), store(odd), store(row(1)));
          expect(yield* all(journal)).toEqual([row(1), odd, row(3)]);
          expect(yield* all(journal, other)).toEqual([elsewhere]);
          expect(yield* all(journal, "outbox/none")).toEqual([]);
        }),
      ),
    );

    it(
      "with a key that is there keep their place, and get the new type and payload",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          const tried = row(1, { attempts: 3, due: noon + 99, error: "down" });
          yield* writes(journal, store(tried), store(row(2)));
          yield* writes(journal, store(row(3, { key: "key 1", type: "other", payload: "7", lane: "elsewhere", occurredAt: noon + 50 })), store(row(4, { key: "key 1", payload: "8" })));
          expect(yield* all(journal)).toEqual([{ ...tried, type: "message", payload: "8" }, row(2)]);
          yield* writes(journal, store(row(1, { outbox: other })));
          expect(yield* all(journal)).toHaveLength(2);
        }),
      ),
    );

    it(
      "take the place of pending ones that replace the same and are not under way",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          const status = (seq: number, rest: Partial<EntryRow> = {}) => row(seq, { replaces: "status", ...rest });
          yield* writes(
            journal,
            store(status(1)),
            store(status(2, { status: "poisoned" }), 1),
            store(status(3), 2),
            store(row(4)),
            store(row(5, { replaces: "mood" })),
            store(status(6, { outbox: other })),
          );
          yield* writes(journal, store(status(7), 1));
          expect(yield* keys(journal)).toEqual(["key 1", "key 2", "key 4", "key 5", "key 7"]);
          expect(yield* keys(journal, other)).toEqual(["key 6"]);
          yield* writes(journal, store(status(8)), store(status(9)), store(status(10)));
          expect(yield* keys(journal)).toEqual(["key 2", "key 4", "key 5", "key 10"]);
        }),
      ),
    );

    it(
      "take places in the order in which they are written, also those of one turn with the same key",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          yield* writes(journal, store(row(1, { key: "a", replaces: "s" })), store(row(2, { key: "a" })), store(row(3, { key: "b", replaces: "s" })));
          expect(yield* keys(journal)).toEqual(["b"]);
          yield* writes(journal, store(row(4, { key: "b", replaces: "s", payload: "4" })));
          expect((yield* all(journal)).map(({ seq, payload }) => [seq, payload])).toEqual([[4, "4"]]);
        }),
      ),
    );

    it(
      "change in what an attempt changes, and in nothing else; one that is gone stays gone",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          const changed = row(2, { status: "unknown", attempts: 4, due: noon + 1_000, error: "cut off" });
          yield* writes(journal, store(row(1)), store(row(2)), store(row(2, { outbox: other })));
          yield* writes(journal, changeTo(changed), changeTo(row(9)));
          expect(yield* all(journal)).toEqual([row(1), changed]);
          expect(yield* all(journal, other)).toEqual([row(2, { outbox: other })]);
          yield* writes(journal, remove(2), changeTo(changed), remove(9));
          expect(yield* keys(journal)).toEqual(["key 1"]);
        }),
      ),
    );

    it(
      "that are pending and wait for later are due at once when they are cleared",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          const poisoned = row(3, { due: noon + 900, status: "poisoned" });
          yield* writes(journal, store(row(1, { due: noon - 5 })), store(row(2, { due: noon + 900, attempts: 2 })), store(poisoned), store(row(1, { outbox: other, due: noon + 900 })));
          yield* writes(journal, { write: "clear", outbox: box, at: noon });
          expect(yield* all(journal)).toEqual([row(1, { due: noon - 5 }), row(2, { due: noon, attempts: 2 }), poisoned]);
          expect((yield* all(journal, other))[0]?.due).toBe(noon + 900);
        }),
      ),
    );

    it(
      "are found by their lanes: the first of each, and some of some",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          const lanes = ["b", "a", "a", "", "b", "a", "☃"].map((lane, index) => row(index + 2, { lane }));
          const poisoned = row(1, { lane: "a", status: "poisoned" });
          yield* writes(journal, ...[poisoned, ...lanes, row(1, { outbox: other, lane: "c" })].map((entry) => store(entry)));
          const heads = (outbox: string) => Effect.map(journal.laneHeads(outbox), (found) => found.map(({ lane, seq, due }) => [lane, seq, due - noon]).sort());
          expect(yield* heads(box)).toEqual([
            ["", 5, 5],
            ["a", 3, 3],
            ["b", 2, 2],
            ["☃", 8, 8],
          ]);
          expect(yield* heads("outbox/none")).toEqual([]);
          const some = (wanted: ReadonlyArray<string>, upTo: number, each: number) => Effect.map(journal.laneEntries({ outbox: box, lanes: wanted, upTo, each }), (rows) => rows.map(({ seq }) => seq));
          expect(yield* some(["a", "b", "c"], 100, 2)).toEqual([2, 3, 4, 6]);
          expect(yield* some(["a", "☃"], 6, 100)).toEqual([3, 4]);
          expect(yield* some([], 100, 1)).toEqual([]);
          expect(yield* journal.laneEntries({ outbox: box, lanes: ["b"], upTo: 100, each: 1 })).toEqual([lanes[0]]);
        }),
      ),
    );

    it(
      "move to another outbox behind its own, in their order; of one that both hold the receiver's own stays",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          const held = row(2, { outbox: other, key: "both", payload: "1" });
          const poisoned = row(3, { status: "poisoned", attempts: 12, error: "down" });
          yield* writes(journal, store(row(1)), store(row(2, { key: "both", payload: "2" })), store(poisoned), store(held));
          yield* writes(journal, { write: "move", outbox: box, to: other, seqOffset: 5 });
          expect(yield* all(journal)).toEqual([]);
          expect(yield* all(journal, other)).toEqual([held, row(6, { ...row(1), outbox: other, seq: 6 }), { ...poisoned, outbox: other, seq: 8 }]);
          expect(yield* journal.entryCounts(box)).toEqual({ pending: 0, poisoned: 0, unknown: 0 });
          yield* writes(journal, { write: "move", outbox: box, to: other, seqOffset: 100 });
          expect(yield* all(journal, other)).toHaveLength(3);
        }),
      ),
    );

    it(
      "are written in the order of the turn, kind after kind",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          yield* writes(
            journal,
            store(row(1)),
            remove(1),
            store(row(2, { key: "key 1" })),
            changeTo(row(2, { status: "poisoned" })),
            store(row(3)),
            { write: "move", outbox: box, to: other, seqOffset: 0 },
            store(row(4)),
          );
          expect((yield* all(journal, other)).map(({ seq, status }) => [seq, status])).toEqual([
            [2, "poisoned"],
            [3, "pending"],
          ]);
          expect(yield* keys(journal)).toEqual(["key 4"]);
        }),
      ),
    );

    it(
      "are read by status, in pages and up to a number",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          const statusOf = (seq: number) => (["pending", "poisoned", "unknown"] as const)[seq % 3]!;
          yield* writes(journal, ...range(30).map((seq) => store(row(seq, { status: statusOf(seq) }))));
          const seqs = (filter: Parameters<Journal["entries"]>[0]) => Effect.map(journal.entries(filter), (rows) => rows.map(({ seq }) => seq));
          expect(yield* seqs({ outbox: box, after: 10, limit: 3 })).toEqual([11, 12, 13]);
          expect(yield* seqs({ outbox: box, after: 10, upTo: 12, limit: 9 })).toEqual([11, 12]);
          expect(yield* seqs({ outbox: box, status: "poisoned", after: 4, upTo: 13, limit: 9 })).toEqual([7, 10, 13]);
          expect(yield* seqs({ outbox: box, status: "unknown", limit: 2 })).toEqual([2, 5]);
          expect(yield* seqs({ outbox: box, after: 30, limit: 9 })).toEqual([]);
          expect(yield* journal.entryCounts(box)).toEqual({ pending: 10, poisoned: 10, unknown: 10 });
          expect(yield* journal.entryCounts(other)).toEqual({ pending: 0, poisoned: 0, unknown: 0 });
        }),
      ),
    );

    // Around the sizes in which stores may cut a turn into statements.
    for (const size of [1, 5, 6, 25, 26, 31, 999, 10_000]) {
      it(
        `are stored, changed and removed, all of ${size}`,
        onJournal(harness, (journal) =>
          Effect.gen(function* () {
            const seqs = range(size);
            yield* writes(journal, ...seqs.map((seq) => store(row(seq))));
            yield* writes(journal, ...seqs.map((seq) => changeTo(row(seq, { attempts: seq, due: noon - seq, error: `e${seq}` }))));
            expect((yield* all(journal)).map(({ seq, attempts, due, error }) => `${seq} ${attempts} ${noon - due} ${error}`)).toEqual(seqs.map((seq) => `${seq} ${seq} ${seq} e${seq}`));
            yield* writes(journal, ...seqs.filter((seq) => seq % 2 === 0).map((seq) => remove(seq)));
            expect((yield* all(journal)).map(({ seq }) => seq)).toEqual(seqs.filter((seq) => seq % 2 === 1));
          }),
        ),
      );
    }

    it(
      "are stored with their turn or not at all",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          yield* journal.commit(turn({ created: [actor(1)], entries: [store(row(1)), store(row(2))] }));
          const broken = turn({
            created: [actor(2, { address: "task/1" })],
            entries: [remove(1), changeTo(row(2, { status: "poisoned" })), store(row(3)), { write: "move", outbox: box, to: other, seqOffset: 9 }],
          });
          expect(yield* failure(journal.commit(broken))).toMatchObject({ _tag: "JournalError", reason: "failed" });
          expect(yield* all(journal)).toEqual([row(1), row(2)]);
          expect(yield* all(journal, other)).toEqual([]);
        }),
      ),
    );

    it(
      "outlive their engine, and are seen by readers",
      onStore(harness, (place) =>
        Effect.gen(function* () {
          const first = yield* place.connect();
          yield* first.open(engine());
          yield* writes(first, store(row(1)), store(row(2, { status: "poisoned" })));
          const reader = yield* place.connect({ reader: true });
          expect(yield* all(reader)).toEqual(yield* all(first));
          expect(yield* reader.entryCounts(box)).toEqual({ pending: 1, poisoned: 1, unknown: 0 });
          const second = yield* place.connect();
          yield* second.open(engine({ id: "engine-2", isAlive: () => false }));
          expect(yield* keys(second)).toEqual(["key 1", "key 2"]);
          yield* writes(second, remove(1));
          expect(yield* keys(reader)).toEqual(["key 2"]);
          expect(yield* failure(writes(first, remove(2)))).toMatchObject({ _tag: "JournalFenced" });
          expect(yield* keys(reader)).toEqual(["key 2"]);
        }),
      ),
    );
  });
};
