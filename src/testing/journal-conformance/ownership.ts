import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import type { JournalHarness } from "../journal-conformance.ts";
import { actor, engine, entry, everything, failure, moved, noon, onJournal, onStore, turn } from "./rows.ts";

const second = (rest: Parameters<typeof engine>[0] = {}) => engine({ id: "engine-2", pid: 202, ...rest });

export const ownershipConformance = (harness: JournalHarness): void => {
  describe("ownership", () => {
    it(
      "gives a new store to the first engine, empty",
      onStore(harness, (store) =>
        Effect.gen(function* () {
          const journal = yield* store.connect();
          expect(yield* journal.open(engine())).toEqual({ epoch: 1, counters: { actor: 0, history: 0, mail: 0, effect: 0 }, latestAt: 0, released: true });
          expect(yield* journal.owner).toEqual({ id: "engine-1", epoch: 1, pid: 101, host: "here", since: noon, until: noon + 10_000 });
        }),
      ),
    );

    it(
      "refuses a second engine while the first one's lease runs, saying who owns it and until when",
      onJournal(harness, (journal, store) =>
        Effect.gen(function* () {
          const other = yield* store.connect();
          const refused = yield* failure(other.open(second({ now: noon + 10_000 })));
          expect(refused).toMatchObject({ _tag: "JournalOwned", pid: 101, host: "here", since: noon, until: noon + 10_000, retryable: true });
          expect(yield* failure(other.counts)).toMatchObject({ _tag: "JournalError", reason: "failed" });
          yield* journal.commit(turn({ created: [actor(1)] }));
          expect((yield* journal.owner)?.epoch).toBe(1);
        }),
      ),
    );

    it(
      "lets a second engine in when the lease is over",
      onJournal(harness, (_, store) =>
        Effect.gen(function* () {
          const other = yield* store.connect();
          expect(yield* other.open(second({ now: noon + 10_001 }))).toMatchObject({ epoch: 2 });
          expect(yield* other.owner).toEqual({ id: "engine-2", epoch: 2, pid: 202, host: "here", since: noon + 10_001, until: noon + 20_001 });
        }),
      ),
    );

    it(
      "extends the lease at each renewal by its length",
      onJournal(harness, (journal, store) =>
        Effect.gen(function* () {
          yield* journal.renew(noon + 8_000);
          yield* journal.renew(noon + 9_000);
          expect(yield* journal.owner).toMatchObject({ since: noon, until: noon + 19_000 });
          const other = yield* store.connect();
          expect(yield* failure(other.open(second({ now: noon + 19_000 })))).toMatchObject({ _tag: "JournalOwned", until: noon + 19_000 });
          expect(yield* other.open(second({ now: noon + 19_001 }))).toMatchObject({ epoch: 2 });
        }),
      ),
    );

    it(
      "ends the lease of a dead process on the same host at once",
      onJournal(harness, (_, store) =>
        Effect.gen(function* () {
          const asked: Array<number> = [];
          const other = yield* store.connect();
          const isAlive = (pid: number) => {
            asked.push(pid);
            return false;
          };
          expect(yield* other.open(second({ isAlive }))).toMatchObject({ epoch: 2 });
          expect(asked).toEqual([101]);
        }),
      ),
    );

    it(
      "does not take a dead pid of another host for the owner's death",
      onJournal(harness, (_, store) =>
        Effect.gen(function* () {
          const other = yield* store.connect();
          expect(yield* failure(other.open(second({ host: "elsewhere", isAlive: () => false })))).toMatchObject({ _tag: "JournalOwned", host: "here" });
        }),
      ),
    );

    it(
      "is free at once after a release, and its row says so",
      onJournal(harness, (journal, store) =>
        Effect.gen(function* () {
          yield* journal.release;
          expect(yield* journal.owner).toMatchObject({ id: "engine-1", epoch: 1, until: 0 });
          const other = yield* store.connect();
          expect(yield* other.open(second())).toMatchObject({ epoch: 2 });
          expect(yield* failure(journal.commit(turn({ created: [actor(1)] })))).toMatchObject({ _tag: "JournalError" });
          yield* journal.release;
          expect(yield* other.owner).toMatchObject({ id: "engine-2", until: noon + 10_000 });
        }),
      ),
    );

    it(
      "lets the same engine open again, under a new epoch",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          yield* journal.commit(turn({ created: [actor(1)], history: [entry(3, 1, 1)] }));
          expect(yield* journal.open(engine({ now: noon + 1 }))).toMatchObject({ epoch: 2, counters: { actor: 1, history: 3 } });
          yield* journal.commit(turn({ moved: [moved(1, 2)] }));
        }),
      ),
    );

    it(
      "fences an owner that was taken over: it commits, renews, prunes and reopens nothing",
      onJournal(harness, (journal, store) =>
        Effect.gen(function* () {
          yield* journal.commit(turn({ created: [actor(1)], history: [entry(1, 1, 1)], keys: [{ address: "task/1", key: "k", seq: 1, at: noon, outcome: "handled", request: "r" }] }));
          const other = yield* store.connect();
          yield* other.open(second({ now: noon + 60_000 }));
          const before = yield* everything(other);
          const fenced = { _tag: "JournalFenced", epoch: 1, current: 2, retryable: false };
          expect(yield* failure(journal.commit(turn({ moved: [moved(1, 2)], history: [entry(2, 1, 2)] })))).toMatchObject(fenced);
          expect(yield* failure(journal.commit(turn({})))).toMatchObject(fenced);
          expect(yield* failure(journal.renew(noon + 60_000))).toMatchObject(fenced);
          expect(yield* failure(journal.pruneKeys(noon + 1, 10))).toMatchObject(fenced);
          expect(yield* failure(journal.reopen)).toMatchObject(fenced);
          expect(yield* failure(journal.commit(turn({ moved: [moved(1, 2)] })))).toMatchObject({ _tag: expect.stringMatching(/^Journal/) });
          yield* journal.release;
          expect(yield* everything(other)).toEqual(before);
          expect(yield* other.keys([{ address: "task/1", key: "k" }])).toHaveLength(1);
          expect(yield* other.owner).toMatchObject({ id: "engine-2", epoch: 2, until: noon + 70_000 });
          yield* other.commit(turn({ moved: [moved(1, 2)], history: [entry(2, 1, 2)] }));
        }),
      ),
    );

    it(
      "keeps its claim over a reopen",
      onJournal(harness, (journal, store) =>
        Effect.gen(function* () {
          yield* journal.commit(turn({ created: [actor(4)], history: [entry(9, 4, 1)] }));
          expect(yield* journal.reopen).toEqual({ actor: 4, history: 9, mail: 0, effect: 0 });
          yield* journal.commit(turn({ moved: [moved(4, 2)], history: [entry(10, 4, 2)] }));
          const other = yield* store.connect();
          expect(yield* failure(other.open(second()))).toMatchObject({ _tag: "JournalOwned", pid: 101 });
        }),
      ),
    );

    it(
      "fails with a typed error when nobody has opened it",
      onStore(harness, (store) =>
        Effect.gen(function* () {
          const journal = yield* store.connect();
          for (const attempt of [journal.commit(turn({})), journal.renew(noon), journal.reopen, journal.pruneKeys(noon, 1), journal.counts]) {
            expect(yield* failure<unknown, unknown, never>(attempt)).toMatchObject({ _tag: "JournalError", reason: "failed" });
          }
          yield* journal.release;
        }),
      ),
    );

    it(
      "tells the next engine the highest ids in use and the latest moment of any row",
      onStore(harness, (store) =>
        Effect.gen(function* () {
          const rows = {
            created: [actor(1, { at: noon + 1, createdAt: noon + 1 })],
            history: [entry(3, 1, 1, { at: noon + 2 })],
            keys: [{ address: "task/1", key: "k", seq: 1, at: noon + 3, outcome: "handled", request: "r" }],
            deadLetters: [{ address: "task/1", at: noon + 4, envelope: "{}", error: "{}" }],
            machines: [{ hash: "h", id: "task", version: "1", chart: "{}", at: noon + 5 }],
          } as const;
          let opened = 0;
          for (const [i, kind] of Object.keys(rows).entries()) {
            const journal = yield* store.connect();
            yield* journal.open(engine({ id: `engine-${opened++}` }));
            yield* journal.commit(turn({ [kind]: rows[kind as keyof typeof rows] }));
            yield* journal.release;
            const next = yield* store.connect();
            expect((yield* next.open(engine({ id: `engine-${opened++}` }))).latestAt).toBe(noon + 1 + i);
            yield* next.release;
          }
          const journal = yield* store.connect();
          yield* journal.open(engine({ id: "last" }));
          yield* journal.commit(
            turn({
              mail: [
                { id: 4, envelope: "{}" },
                { id: 5, envelope: "{}" },
              ],
              mailTaken: [5],
              effects: [{ id: 8, actor: 1, seq: 1, action: "a", params: "" }],
            }),
          );
          expect(yield* journal.reopen).toEqual({ actor: 1, history: 3, mail: 4, effect: 8 });
        }),
      ),
    );

    it(
      "remembers which build wrote an actor last, over engines of the same build and of others",
      onStore(harness, (store) =>
        Effect.gen(function* () {
          const builds = ["a", "a", undefined, "b"];
          for (const [i, build] of builds.entries()) {
            const journal = yield* store.connect();
            yield* journal.open(engine({ id: `engine-${i}`, now: noon + i, ...(build === undefined ? {} : { build }) }));
            yield* journal.commit(turn({ created: [actor(i + 1)], history: [entry(i + 1, i + 1, 1)] }));
            yield* journal.release;
          }
          const journal = yield* store.connect();
          yield* journal.open(engine({ id: "last", build: "c" }));
          yield* journal.commit(turn({ moved: [moved(1, 2)], history: [entry(5, 1, 2)] }));
          const written = yield* Effect.forEach([1, 2, 3, 4], (id) => journal.buildOf(`task/${id}`));
          expect(written.map((row) => [row?.build, row?.epoch, row?.at])).toEqual([
            ["c", 5, noon],
            ["a", 1, noon],
            ["", 3, noon + 2],
            ["b", 4, noon + 3],
          ]);
          expect(yield* journal.buildOf("task/nobody")).toBeUndefined();
        }),
      ),
    );
  });
};
