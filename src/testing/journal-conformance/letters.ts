import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import type { AttemptRow, DeadLetterFilter, DeadLetterRow } from "../../journal/index.ts";
import type { JournalHarness } from "../journal-conformance.ts";
import { engine, everything, failure, noon, onJournal, onStore, range, turn } from "./rows.ts";

const letter = (i: number, rest: Partial<DeadLetterRow> = {}): DeadLetterRow => ({
  address: `task/${i}`,
  at: noon + i,
  envelope: JSON.stringify({ to: `task/${i}`, event: { type: "PAY" }, from: "" }),
  error: `{"n":${i}}`,
  ...rest,
});

const attempt = (item: number, rest: Partial<AttemptRow> = {}): AttemptRow => ({ kind: "mail", item, token: 0, count: 1, ...rest });

export const letterConformance = (harness: JournalHarness): void => {
  describe("dead letters that are taken", () => {
    it(
      "are gone with the turn, whose own letters are added, and no id is given twice",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          yield* journal.commit(turn({ deadLetters: [letter(1), letter(2), letter(3)] }));
          const ids = (yield* journal.deadLetters({ limit: 10 })).map(({ id }) => id);
          yield* journal.commit(turn({ deadLettersTaken: ids.slice(1), deadLetters: [letter(4)] }));
          const left = yield* journal.deadLetters({ limit: 10 });
          expect(left.map(({ address }) => address)).toEqual(["task/1", "task/4"]);
          expect(left[1]!.id).toBeGreaterThan(ids[2]!);
          yield* journal.commit(turn({ deadLettersTaken: left.map(({ id }) => id) }));
          expect(yield* journal.deadLetterCount).toBe(0);
          yield* journal.commit(turn({ deadLetters: [letter(5)] }));
          expect((yield* journal.deadLetters({ limit: 10 }))[0]!.id).toBeGreaterThan(left[1]!.id);
        }),
      ),
    );

    it(
      "keep their ids to themselves over a crash",
      onStore(harness, (store) =>
        Effect.gen(function* () {
          const taken = yield* Effect.scoped(
            Effect.gen(function* () {
              const journal = yield* store.connect();
              yield* journal.open(engine());
              yield* journal.commit(turn({ deadLetters: [letter(1)] }));
              const [row] = yield* journal.deadLetters({ limit: 1 });
              yield* journal.commit(turn({ deadLettersTaken: [row!.id] }));
              return row!.id;
            }),
          );
          const journal = yield* store.connect();
          yield* journal.open(engine({ id: "engine-2", isAlive: () => false }));
          yield* journal.commit(turn({ deadLetters: [letter(2)] }));
          expect((yield* journal.deadLetters({ limit: 1 }))[0]!.id).toBeGreaterThan(taken);
        }),
      ),
    );

    it(
      "stay when the turn that takes them can't be stored",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          yield* journal.commit(turn({ deadLetters: [letter(1)], mail: [{ id: 1, envelope: "{}" }] }));
          const before = yield* everything(journal);
          const [row] = before.deadLetters;
          expect(yield* failure(journal.commit(turn({ deadLettersTaken: [row!.id], attempts: [attempt(1)], mail: [{ id: 1, envelope: "{}" }] })))).toMatchObject({ _tag: "JournalError" });
          expect(yield* everything(journal)).toEqual(before);
        }),
      ),
    );

    it(
      "are counted, by the hundred",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          yield* journal.commit(turn({ deadLetters: range(312).map((i) => letter(i)) }));
          expect(yield* journal.deadLetterCount).toBe(312);
          yield* journal.commit(turn({ deadLettersTaken: (yield* journal.deadLetters({ limit: 300 })).map(({ id }) => id) }));
          expect(yield* journal.deadLetterCount).toBe(12);
        }),
      ),
    );
  });

  describe("dead letters by filter", () => {
    const act = (i: number) => letter(i, { envelope: JSON.stringify({ to: `task/${i}`, event: { type: "PAY" }, from: "", action: "mail", seq: 1 }) });
    const rows = [
      letter(1),
      letter(2, { envelope: JSON.stringify({ to: "task/2", event: { type: 'it\'s "odd"' }, from: "" }) }),
      act(3),
      letter(4, { address: "task/4/kid" }),
      letter(5, { address: "Task/5" }),
      letter(6, { address: "task%/6" }),
    ];
    const found: ReadonlyArray<readonly [Partial<DeadLetterFilter>, ReadonlyArray<number>]> = [
      [{}, [1, 2, 3, 4, 5, 6]],
      [{ ids: [6, 2, 99] }, [2, 6]],
      [{ ids: [] }, []],
      [{ address: "task/4/kid" }, [4]],
      [{ address: "task/4" }, []],
      [{ prefix: "task/" }, [1, 2, 3, 4]],
      [{ prefix: "task%" }, [6]],
      [{ prefix: "" }, [1, 2, 3, 4, 5, 6]],
      [{ type: 'it\'s "odd"' }, [2]],
      [{ type: "pay" }, []],
      [{ kind: "action" }, [3]],
      [{ kind: "event" }, [1, 2, 4, 5, 6]],
      [{ since: noon + 3 }, [3, 4, 5, 6]],
      [{ before: noon + 3 }, [1, 2]],
      [{ since: noon + 2, before: noon + 4, type: "PAY" }, [3]],
      [{ after: 2, limit: 2, prefix: "task/" }, [3, 4]],
    ];
    it(
      "are those that fit all of it, in the order of their ids",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          yield* journal.commit(turn({ deadLetters: rows }));
          for (const [filter, ids] of found) expect([filter, (yield* journal.deadLetters({ limit: 10, ...filter })).map(({ error }) => JSON.parse(error).n)]).toEqual([filter, ids]);
        }),
      ),
    );
  });

  describe("attempts", () => {
    it(
      "are set, counted on and struck by kind, item and token",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          const rows = [attempt(7, { kind: "effect" }), attempt(1), attempt(12), attempt(3, { kind: "timer", token: 1 }), attempt(3, { kind: "timer", token: 2 })];
          yield* journal.commit(turn({ attempts: [...rows].reverse() }));
          expect(yield* journal.attempts).toEqual(rows);
          yield* journal.commit(turn({ attempts: [attempt(1, { count: 2 })], attemptsDone: [attempt(7, { kind: "effect" }), attempt(3, { kind: "timer", token: 1 }), attempt(7)] }));
          expect(yield* journal.attempts).toEqual([attempt(1, { count: 2 }), attempt(12), attempt(3, { kind: "timer", token: 2 })]);
          yield* journal.commit(turn({ attempts: range(1_234, 100).map((item) => attempt(item)) }));
          yield* journal.commit(turn({ attemptsDone: range(1_234, 100).map((item) => attempt(item)) }));
          expect(yield* journal.attempts).toHaveLength(3);
        }),
      ),
    );

    it(
      "are asked for after an owner that gave nothing up: the opening tells which it was",
      onStore(harness, (store) =>
        Effect.gen(function* () {
          const first = yield* store.connect();
          expect(yield* first.open(engine())).toMatchObject({ released: true });
          yield* first.release;
          const second = yield* store.connect();
          expect(yield* second.open(engine({ id: "engine-2" }))).toMatchObject({ released: true });
          const third = yield* store.connect();
          expect(yield* third.open(engine({ id: "engine-3", isAlive: () => false }))).toMatchObject({ released: false });
          const fourth = yield* store.connect();
          expect(yield* fourth.open(engine({ id: "engine-4", now: noon + 60_000 }))).toMatchObject({ released: false });
          expect(yield* fourth.open(engine({ id: "engine-4", now: noon + 60_000 }))).toMatchObject({ released: false });
        }),
      ),
    );
  });
};
