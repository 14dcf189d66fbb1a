import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import type { JournalHarness } from "../journal-conformance.ts";
import { actor, engine, entry, everything, failure, moved, noon, onJournal, turn } from "./rows.ts";

export const readerConformance = (harness: JournalHarness): void => {
  describe("readers", () => {
    it(
      "see each turn of an owner after its commit, without taking part",
      onJournal(harness, (journal, store) =>
        Effect.gen(function* () {
          const reader = yield* store.connect({ reader: true });
          expect((yield* everything(reader)).actors).toEqual([]);
          for (let seq = 1; seq <= 5; seq++) {
            yield* journal.commit(turn({ created: [actor(seq)], history: [entry(seq, seq, 1)], wakes: [{ actor: seq, due: noon }] }));
            expect(yield* everything(reader)).toEqual(yield* everything(journal));
          }
          expect(yield* reader.owner).toEqual(yield* journal.owner);
          expect(yield* reader.nextWakeAfter(0)).toBe(noon);
        }),
      ),
    );

    it(
      "write nothing and claim nothing: each writing method fails with a typed error",
      onJournal(harness, (journal, store) =>
        Effect.gen(function* () {
          yield* journal.commit(turn({ created: [actor(1)], keys: [{ address: "task/1", key: "k", seq: 1, at: noon, outcome: "handled", request: "r" }] }));
          const before = yield* everything(journal);
          const reader = yield* store.connect({ reader: true });
          const attempts = [reader.open(engine({ isAlive: () => false })), reader.reopen, reader.renew(noon), reader.commit(turn({ moved: [moved(1, 2)] })), reader.pruneKeys(noon + 1, 10)];
          for (const attempt of attempts) expect(yield* failure<unknown, unknown, never>(attempt)).toMatchObject({ _tag: "JournalError", reason: "failed" });
          yield* reader.release;
          expect(yield* everything(journal)).toEqual(before);
          expect(yield* journal.owner).toMatchObject({ id: "engine-1", epoch: 1, until: noon + 10_000 });
          yield* journal.commit(turn({ moved: [moved(1, 2)] }));
        }),
      ),
    );

    it(
      "work while nobody owns the journal",
      onJournal(harness, (journal, store) =>
        Effect.gen(function* () {
          yield* journal.commit(turn({ created: [actor(1)] }));
          yield* journal.release;
          const reader = yield* store.connect({ reader: true });
          expect((yield* reader.list({ limit: 10 })).map((row) => row.id)).toEqual([1]);
          expect((yield* reader.owner)?.until).toBe(0);
        }),
      ),
    );
  });
};
