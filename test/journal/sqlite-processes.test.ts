import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as path from "node:path";
import type * as Scope from "effect/Scope";
import { describe, expect, it } from "vitest";
import { SqliteJournal } from "../../src/journal/index.ts";
import { actor, engine, entry, failure, moved, noon, turn } from "../../src/testing/journal-conformance/rows.ts";
import { folder, usable } from "./files.ts";
import { start } from "./processes/start.ts";

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

for (const driver of usable) {
  const onFile = (body: (file: string) => Effect.Effect<unknown, unknown, Scope.Scope>) => () =>
    Effect.runPromise(Effect.asVoid(Effect.scoped(Effect.flatMap(folder, (dir) => body(path.join(dir, "journal.db"))))));
  const child = (file: string, id: string, now = noon) => Effect.tap(start("engine.ts", [file, driver, id, String(now)]), (process) => Effect.map(process.next, (line) => expect(line).toBe("ready")));
  const us = (now = noon) => engine({ id: "parent", pid: process.pid, now, isAlive });

  describe(`journal (${driver}) > processes`, () => {
    it(
      "let exactly one of three engines have a new journal, when all start at once",
      onFile((file) =>
        Effect.gen(function* () {
          const children = yield* Effect.all([child(file, "a"), child(file, "b"), child(file, "c")], { concurrency: 3 });
          const answers = yield* Effect.forEach(children, (process) => process.ask("open"), { concurrency: 3 });
          const winners = children.filter((_, i) => (answers[i] as { done?: unknown }).done !== undefined);
          expect(winners).toHaveLength(1);
          for (const answer of answers) {
            if ((answer as { done?: unknown }).done === undefined) expect(answer).toMatchObject({ failed: { _tag: "JournalOwned", pid: winners[0]!.pid } });
            else expect(answer).toMatchObject({ done: { epoch: 1 } });
          }
        }),
      ),
    );

    it(
      "end an owner's lease at once by its death, with all that it acknowledged in the journal",
      onFile((file) =>
        Effect.gen(function* () {
          const owner = yield* child(file, "child");
          yield* owner.ask("open");
          for (const n of [1, 2, 3]) expect(yield* owner.ask(`commit ${n}`)).toEqual({ done: null });
          const journal = yield* SqliteJournal.make({ file, driver });
          expect(yield* failure(journal.open(us()))).toMatchObject({ _tag: "JournalOwned", pid: owner.pid });
          yield* owner.kill;
          // A reader finds the log of the dead process as it lies there.
          const reader = yield* SqliteJournal.make({ file, driver, reader: true });
          expect((yield* reader.list({ limit: 10 })).map((row) => row.id)).toEqual([1, 2, 3]);
          expect(yield* journal.open(us())).toMatchObject({ epoch: 2, counters: { actor: 3, history: 3 } });
        }),
      ),
    );

    it(
      "fence an owner that was silent for longer than its lease, when it wakes up",
      onFile((file) =>
        Effect.gen(function* () {
          const owner = yield* child(file, "child");
          yield* owner.ask("open");
          yield* owner.ask("commit 1");
          owner.signal("SIGSTOP");
          const journal = yield* SqliteJournal.make({ file, driver });
          expect(yield* journal.open(us(noon + 10_001))).toMatchObject({ epoch: 2 });
          yield* journal.commit(turn({ moved: [moved(1, 2)], history: [entry(2, 1, 2)] }));
          owner.signal("SIGCONT");
          const fenced = { failed: { _tag: "JournalFenced", epoch: 1, current: 2 } };
          expect(yield* owner.ask("commit 5")).toMatchObject(fenced);
          expect(yield* owner.ask(`renew ${noon + 20_000}`)).toMatchObject(fenced);
          expect((yield* journal.list({ limit: 10 })).map((row) => row.id)).toEqual([1]);
        }),
      ),
    );

    it(
      "wait for a lock that another program holds, with the event loop running",
      onFile((file) =>
        Effect.gen(function* () {
          const journal = yield* SqliteJournal.make({ file, driver });
          yield* journal.open(us());
          const locked = yield* start("lock.ts", [file, driver]);
          expect(yield* locked.next).toBe("locked");
          const reader = yield* SqliteJournal.make({ file, driver, reader: true });
          const commit = yield* Effect.fork(journal.commit(turn({ created: [actor(1)] })));
          // Twenty turns of the event loop while the commit waits; a blocking wait would let none through.
          for (let i = 0; i < 20; i++) yield* Effect.sleep("10 millis");
          expect(yield* Fiber.poll(commit)).toMatchObject({ _tag: "None" });
          expect((yield* reader.list({ limit: 10 })).length).toBe(0);
          yield* locked.end;
          yield* Fiber.join(commit);
          expect((yield* reader.list({ limit: 10 })).length).toBe(1);
        }),
      ),
    );

    it(
      "get a typed error when the lock is not given back in about five seconds, and go on after it",
      onFile((file) =>
        Effect.gen(function* () {
          const journal = yield* SqliteJournal.make({ file, driver });
          yield* journal.open(us());
          const locked = yield* start("lock.ts", [file, driver]);
          yield* locked.next;
          let ticks = 0;
          const ticking = setInterval(() => ticks++, 10);
          const error = yield* failure(journal.commit(turn({ created: [actor(1)] })));
          clearInterval(ticking);
          expect(error).toMatchObject({ _tag: "JournalError", reason: "busy", code: "journal_busy", retryable: true });
          // Some 500 on a machine that does nothing else, none at all where the wait blocks.
          expect(ticks).toBeGreaterThan(10);
          yield* locked.end;
          yield* journal.commit(turn({ created: [actor(1)] }));
        }),
      ),
    );
  });
}
