import * as Effect from "effect/Effect";
import fc from "fast-check";
import * as path from "node:path";
import { describe, expect, test } from "vitest";
import { type EntryRow, type EntryWrite, type Journal, MemoryJournal, MemoryStore, SqliteJournal } from "../../src/journal/index.ts";
import { engine, turn } from "../../src/testing/journal-conformance/rows.ts";
import { folder } from "./files.ts";

const boxes = ["outbox/a", "outbox/b"] as const;

/** What may be written, before numbers are given: as outboxes do, a new entry always has a new number. */
type Wish =
  | { readonly write: "store"; readonly box: number; readonly key: number; readonly replaces: string; readonly status: EntryRow["status"]; readonly back: number }
  | { readonly write: "change"; readonly box: number; readonly back: number; readonly status: EntryRow["status"]; readonly due: number }
  | { readonly write: "remove"; readonly box: number; readonly back: number }
  | { readonly write: "clear"; readonly box: number; readonly at: number }
  | { readonly write: "move"; readonly box: number };

const box = fc.nat(1);
const back = fc.nat(6);
const status = fc.constantFrom<EntryRow["status"]>("pending", "pending", "pending", "poisoned", "unknown");
const wish: fc.Arbitrary<Wish> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ write: fc.constant("store" as const), box, key: fc.nat(6), replaces: fc.constantFrom("", "", "s", "t"), status, back }) },
  { weight: 3, arbitrary: fc.record({ write: fc.constant("change" as const), box, back, status, due: fc.nat(100) }) },
  { weight: 2, arbitrary: fc.record({ write: fc.constant("remove" as const), box, back }) },
  { weight: 1, arbitrary: fc.record({ write: fc.constant("clear" as const), box, at: fc.nat(100) }) },
  { weight: 1, arbitrary: fc.record({ write: fc.constant("move" as const), box }) },
);

const numbered = (turns: ReadonlyArray<ReadonlyArray<Wish>>): ReadonlyArray<ReadonlyArray<EntryWrite>> => {
  const last = [0, 0];
  let stored = 0;
  return turns.map((wishes) =>
    wishes.map((wanted): EntryWrite => {
      const outbox = boxes[wanted.box]!;
      const seq = "back" in wanted ? Math.max(0, last[wanted.box]! - wanted.back) : 0;
      switch (wanted.write) {
        case "store":
          stored++;
          return {
            write: "store",
            takenTo: seq,
            entry: {
              outbox,
              seq: ++last[wanted.box]!,
              key: `key ${wanted.key}`,
              lane: `lane ${stored % 2}`,
              replaces: wanted.replaces,
              type: `type ${stored % 3}`,
              payload: String(stored),
              occurredAt: stored,
              due: (stored * 7) % 100,
              attempts: 0,
              status: wanted.status,
              error: "",
            },
          };
        case "change":
          return { write: "change", outbox, seq, status: wanted.status, attempts: wanted.due, due: wanted.due, error: "down" };
        case "remove":
          return { write: "remove", outbox, seq };
        case "clear":
          return { write: "clear", outbox, at: wanted.at };
        default: {
          const to = 1 - wanted.box;
          const seqOffset = last[to]!;
          last[to]! += last[wanted.box]!;
          return { write: "move", outbox, to: boxes[to]!, seqOffset };
        }
      }
    }),
  );
};

const read = (journal: Journal) =>
  Effect.all(
    boxes.flatMap(
      (outbox): ReadonlyArray<Effect.Effect<unknown, unknown>> => [
        journal.entries({ outbox, limit: 1_000 }),
        journal.entries({ outbox, status: "pending", after: 2, upTo: 9, limit: 3 }),
        journal.entries({ outbox, status: "poisoned", after: 2, limit: 3 }),
        Effect.map(journal.laneHeads(outbox), (heads) => heads.toSorted((one, other) => one.seq - other.seq)),
        journal.laneEntries({ outbox, lanes: ["lane 1", "lane 7"], upTo: 9, each: 2 }),
        journal.entryCounts(outbox),
      ],
    ),
  );

describe("entries > memory and SQLite", () => {
  test("hold the same after every turn, whatever is written", async () => {
    await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const sqlite = yield* SqliteJournal.make({ file: path.join(yield* folder, "journal.db"), synchronous: "OFF" });
          yield* sqlite.open(engine());
          const clean = Effect.gen(function* () {
            for (const outbox of boxes) for (const { seq } of yield* sqlite.entries({ outbox, limit: 1_000 })) yield* sqlite.commit(turn({ entries: [{ write: "remove", outbox, seq }] }));
          });
          yield* Effect.promise(() =>
            fc.assert(
              fc.asyncProperty(fc.array(fc.array(wish, { maxLength: 12, size: "max" }), { minLength: 1, maxLength: 6, size: "max" }), async (turns) => {
                await Effect.runPromise(
                  Effect.scoped(
                    Effect.gen(function* () {
                      const memory = yield* MemoryJournal.make({ store: new MemoryStore() });
                      yield* memory.open(engine());
                      yield* clean;
                      for (const entries of numbered(turns)) {
                        yield* memory.commit(turn({ entries }));
                        yield* sqlite.commit(turn({ entries }));
                        expect(yield* read(sqlite)).toEqual(yield* read(memory));
                      }
                    }),
                  ),
                );
              }),
              { numRuns: 300 },
            ),
          );
        }),
      ),
    );
  });
});
