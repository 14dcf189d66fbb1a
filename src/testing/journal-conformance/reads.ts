import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import type { ActorFilter, Journal } from "../../journal/index.ts";
import type { JournalHarness } from "../journal-conformance.ts";
import { actor, asRow, entry, noon, nothing, onJournal, range, turn } from "./rows.ts";

export const readConformance = (harness: JournalHarness): void => {
  describe("lookups", () => {
    const hundreds = (journal: Journal) => journal.commit(turn({ created: range(2_000).map((id) => actor(id)), wakes: [{ actor: 7, due: noon }] }));

    it(
      "find who has a system id within a tree, the latest of them, and leave unknown ones out",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          yield* hundreds(journal);
          const name = (tree: string, systemId: string, address: string) => ({ tree, systemId, address });
          yield* journal.commit({ ...nothing, names: [name("shop/1", "log", "shop/1/a"), name("shop/2", "log", "shop/2/a"), name("shop/1", "it's", "shop/1/b")] });
          yield* journal.commit({ ...nothing, names: [name("shop/1", "log", "shop/1/c")] });
          expect(yield* journal.names([])).toEqual([]);
          expect(yield* journal.names([{ tree: "shop/1", systemId: "log" }])).toEqual([name("shop/1", "log", "shop/1/c")]);
          const found = yield* journal.names([
            { tree: "shop/1", systemId: "it's" },
            { tree: "shop/3", systemId: "log" },
            { tree: "shop/2", systemId: "log" },
            { tree: "shop/2", systemId: "log" },
          ]);
          expect([...found].sort((a, b) => (a.tree < b.tree ? -1 : 1))).toEqual([name("shop/1", "it's", "shop/1/b"), name("shop/2", "log", "shop/2/a")]);
        }),
      ),
    );
    it(
      "find actors by addresses and by ids, each once, and leave unknown ones out",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          yield* hundreds(journal);
          const byId = (rows: ReadonlyArray<{ readonly id: number }>) => [...rows].sort((a, b) => a.id - b.id);
          expect(yield* journal.actors([])).toEqual([]);
          expect(yield* journal.actorsById([])).toEqual([]);
          expect(yield* journal.actors(["task/0"])).toEqual([]);
          expect(yield* journal.actorsById([0])).toEqual([]);
          expect(yield* journal.actors(["task/7"])).toEqual([asRow(actor(7), { wake: noon })]);
          expect(yield* journal.actorsById([7])).toEqual([asRow(actor(7), { wake: noon })]);
          expect(byId(yield* journal.actors(["task/9", "task/nobody", "task/8", "task/9"]))).toEqual([asRow(actor(8)), asRow(actor(9))]);
          expect(byId(yield* journal.actorsById([9, 5_000, 8, 9]))).toEqual([asRow(actor(8)), asRow(actor(9))]);
          expect(byId(yield* journal.actors(range(2_000).map((id) => `task/${id}`)))).toHaveLength(2_000);
          expect(byId(yield* journal.actorsById(range(3_000)))).toHaveLength(2_000);
        }),
      ),
    );

    it(
      "find idempotency keys by address and key together; the later one counts",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          const key = (address: string, key: string, seq: number) => ({ address, key, seq, at: noon + seq, outcome: "handled" as const, request: `of ${seq}` });
          yield* journal.commit(turn({ keys: [key("task/1", "a", 1), key("task/1", "b", 2), key("task/2", "a", 3)] }));
          yield* journal.commit(turn({ keys: [{ ...key("task/1", "b", 4), outcome: "ignored" }] }));
          expect(yield* journal.keys([])).toEqual([]);
          expect(yield* journal.keys([{ address: "task/2", key: "b" }])).toEqual([]);
          expect(yield* journal.keys([{ address: "task/1", key: "b" }])).toEqual([{ ...key("task/1", "b", 4), outcome: "ignored" }]);
          const found = yield* journal.keys([
            { address: "task/2", key: "a" },
            { address: "task/1", key: "a" },
            { address: "task/1", key: "a" },
            { address: "task/2", key: "b" },
          ]);
          expect([...found].sort((a, b) => a.seq - b.seq)).toEqual([key("task/1", "a", 1), key("task/2", "a", 3)]);
        }),
      ),
    );
  });

  describe("keys", () => {
    it(
      "are pruned oldest first, as many as asked, and never at or after the moment given",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          const ats = [30, 10, 20, 50, 40];
          const wanted = ats.map((at) => ({ address: "task/1", key: `k${at}` }));
          yield* journal.commit(turn({ keys: ats.map((at) => ({ address: "task/1", key: `k${at}`, seq: at, at: noon + at, outcome: "handled", request: "r" })) }));
          const left = Effect.map(journal.keys(wanted), (rows) => rows.map((row) => row.seq).sort());
          expect(yield* journal.pruneKeys(noon + 40, 2)).toBe(2);
          expect(yield* left).toEqual([30, 40, 50]);
          expect(yield* journal.pruneKeys(noon + 40, 100)).toBe(1);
          expect(yield* left).toEqual([40, 50]);
          expect(yield* journal.pruneKeys(noon + 40, 100)).toBe(0);
          yield* journal.commit(turn({ keys: [{ address: "task/1", key: "k10", seq: 60, at: noon + 60, outcome: "handled", request: "r" }] }));
          expect(yield* left).toEqual([40, 50, 60]);
        }),
      ),
    );

    it(
      "that are stored again are kept for as long as the later one",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          const key = { address: "task/1", key: "k", seq: 1, at: noon, outcome: "handled", request: "r" } as const;
          yield* journal.commit(turn({ keys: [key] }));
          yield* journal.commit(turn({ keys: [{ ...key, seq: 2, at: noon + 100 }] }));
          expect(yield* journal.pruneKeys(noon + 100, 10)).toBe(0);
          expect(yield* journal.pruneKeys(noon + 101, 10)).toBe(1);
        }),
      ),
    );
  });

  describe("wakes", () => {
    it(
      "come due in order of time, then of actor, up to and with the moment asked",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          yield* journal.commit(turn({ created: range(5).map((id) => actor(id)), wakes: [30, 10, 20, 20, 40].map((ms, i) => ({ actor: i + 1, due: noon + ms })) }));
          const due = (until: number, limit = 10) => Effect.map(journal.due(noon + until, limit), (rows) => rows.map((row) => row.actor));
          expect(yield* due(9)).toEqual([]);
          expect(yield* due(20)).toEqual([2, 3, 4]);
          expect(yield* due(40)).toEqual([2, 3, 4, 1, 5]);
          expect(yield* due(40, 2)).toEqual([2, 3]);
          expect(yield* journal.due(noon + 10, 10)).toEqual([{ actor: 2, address: "task/2", due: noon + 10 }]);
        }),
      ),
    );

    it(
      "tell the next moment after a given one, and nothing when there is none",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          expect(yield* journal.nextWakeAfter(0)).toBeUndefined();
          yield* journal.commit(
            turn({
              created: [actor(1), actor(2)],
              wakes: [
                { actor: 1, due: noon },
                { actor: 2, due: noon + 5 },
              ],
            }),
          );
          expect(yield* journal.nextWakeAfter(0)).toBe(noon);
          expect(yield* journal.nextWakeAfter(noon - 1)).toBe(noon);
          expect(yield* journal.nextWakeAfter(noon)).toBe(noon + 5);
          expect(yield* journal.nextWakeAfter(noon + 5)).toBeUndefined();
        }),
      ),
    );

    it(
      "are replaced by a later setting and gone when removed",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          yield* journal.commit(
            turn({
              created: [actor(1), actor(2), actor(3)],
              wakes: [
                { actor: 1, due: noon },
                { actor: 2, due: noon + 1 },
              ],
            }),
          );
          yield* journal.commit(
            turn({
              wakes: [
                { actor: 1, due: noon + 2 },
                { actor: 2, due: undefined },
                { actor: 3, due: undefined },
              ],
            }),
          );
          expect((yield* journal.due(noon + 9, 10)).map((row) => [row.actor, row.due])).toEqual([[1, noon + 2]]);
          expect((yield* journal.list({ limit: 10 })).map((row) => row.wake)).toEqual([noon + 2, undefined, undefined]);
        }),
      ),
    );
  });

  describe("mail and effects", () => {
    it(
      "are read oldest first from an id on, and are there until they are taken or done",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          const effect = (id: number) => ({ id, actor: 1, seq: id, action: "notify", params: "" });
          yield* journal.commit(turn({ mail: range(5).map((id) => ({ id, envelope: `m${id}` })), effects: range(5).map(effect) }));
          expect(yield* journal.mail(0, 2)).toEqual([
            { id: 1, envelope: "m1" },
            { id: 2, envelope: "m2" },
          ]);
          expect((yield* journal.mail(2, 10)).map((row) => row.id)).toEqual([3, 4, 5]);
          expect(yield* journal.effects(0, 2)).toEqual([effect(1), effect(2)]);
          expect((yield* journal.effects(2, 10)).map((row) => row.id)).toEqual([3, 4, 5]);
          yield* journal.commit(turn({ mailTaken: [2, 3], effectsDone: [1, 4] }));
          yield* journal.commit(turn({ mailTaken: [2, 99], effectsDone: [1, 99], mail: [{ id: 6, envelope: "m6" }] }));
          expect((yield* journal.mail(0, 10)).map((row) => row.id)).toEqual([1, 4, 5, 6]);
          expect((yield* journal.effects(0, 10)).map((row) => row.id)).toEqual([2, 3, 5]);
        }),
      ),
    );
  });

  describe("list", () => {
    const machines = ["task", "worker", "queue"];
    const statuses = ["active", "done", "error"];
    const rows = range(60).map((id) => actor(id, { machine: machines[id % 3]!, status: statuses[(id >> 2) % 3]!, parent: id % 5 === 0 ? 1 : id % 7 === 0 ? 2 : 0 }));
    const filters: Array<Omit<ActorFilter, "limit">> = [];
    for (const machine of [undefined, "task", "nobody"]) for (const status of [undefined, "done", "nothing"]) for (const parent of [undefined, 0, 1, 99]) filters.push({ machine, status, parent });

    it(
      "answers every combination of filters in order of ids, whole and page by page",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          yield* journal.commit(turn({ created: rows }));
          for (const filter of filters) {
            const { machine, status, parent } = filter;
            const expected = rows.filter((row) => (machine ?? row.machine) === row.machine && (status ?? row.status) === row.status && (parent ?? row.parent) === row.parent).map((row) => row.id);
            expect((yield* journal.list({ ...filter, limit: 1_000 })).map((row) => row.id)).toEqual(expected);
            const paged: Array<number> = [];
            for (;;) {
              const page = yield* journal.list({ ...filter, after: paged.at(-1), limit: 4 });
              paged.push(...page.map((row) => row.id));
              if (page.length < 4) break;
            }
            expect(paged).toEqual(expected);
          }
        }),
      ),
    );

    it(
      "counts actors per machine and status",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          yield* journal.commit(turn({ created: rows }));
          const expected = [...machines]
            .sort()
            .flatMap((machine) => statuses.map((status) => ({ machine, status, count: rows.filter((row) => row.machine === machine && row.status === status).length })));
          expect(yield* journal.counts).toEqual(expected);
        }),
      ),
    );
  });

  describe("changes", () => {
    it(
      "are the histories of all actors, in the order in which they were stored, page by page",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          yield* journal.commit(turn({ created: [actor(1), actor(2)] }));
          let id = 0;
          for (const seq of range(5)) yield* journal.commit(turn({ history: [entry(++id, 1, seq), entry(++id, 2, seq)] }));
          const first = yield* journal.changes(0, 3);
          expect(first.map(({ id, address, machine, seq }) => [id, address, machine, seq])).toEqual([
            [1, "task/1", "task", 1],
            [2, "task/2", "task", 1],
            [3, "task/1", "task", 2],
          ]);
          expect(first[1]).toEqual({ ...entry(2, 2, 1), address: "task/2", machine: "task" });
          expect((yield* journal.changes(8, 100)).map((row) => row.id)).toEqual([9, 10]);
          expect(yield* journal.changes(10, 100)).toEqual([]);
        }),
      ),
    );
  });

  describe("lists against the order", () => {
    it(
      "begin with the latest, and go on before the one that is named",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          yield* journal.commit(turn({ created: range(9).map((id) => actor(id)) }));
          const ids = (filter: Partial<ActorFilter>) => Effect.map(journal.list({ limit: 3, descending: true, ...filter }), (rows) => rows.map((row) => row.id));
          expect(yield* ids({})).toEqual([9, 8, 7]);
          expect(yield* ids({ after: 7 })).toEqual([6, 5, 4]);
          expect(yield* ids({ machine: "task" })).toEqual([9, 8, 7]);
          expect(yield* ids({ machine: "task", after: 3 })).toEqual([2, 1]);
          expect(yield* ids({ parent: 0, after: 2 })).toEqual([1]);
        }),
      ),
    );
  });

  describe("history", () => {
    it(
      "is read per actor in order of seq, page by page, also where turns mix actors",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          yield* journal.commit(turn({ created: [actor(1), actor(2)] }));
          let id = 0;
          for (const seq of range(10)) yield* journal.commit(turn({ history: [entry(++id, 1, seq), entry(++id, 2, seq)] }));
          expect(yield* journal.history("task/2", 0, 3)).toEqual([entry(2, 2, 1), entry(4, 2, 2), entry(6, 2, 3)]);
          expect((yield* journal.history("task/2", 3, 3)).map((row) => row.seq)).toEqual([4, 5, 6]);
          expect((yield* journal.history("task/1", 8, 100)).map((row) => row.seq)).toEqual([9, 10]);
          expect(yield* journal.history("task/1", 10, 100)).toEqual([]);
          expect(yield* journal.history("task/nobody", 0, 100)).toEqual([]);
        }),
      ),
    );
  });

  describe("dead letters and machines", () => {
    it(
      "pages dead letters by ids that grow",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          const letter = (i: number) => ({ address: `task/${i}`, at: noon + i, envelope: `e${i}`, error: `f${i}` });
          yield* journal.commit(turn({ deadLetters: [letter(1), letter(2)] }));
          yield* journal.commit(turn({ deadLetters: [letter(3)] }));
          const first = yield* journal.deadLetters({ limit: 2 });
          expect(first.map(({ id: _, ...row }) => row)).toEqual([letter(1), letter(2)]);
          expect(first[0]!.id).toBeLessThan(first[1]!.id);
          expect((yield* journal.deadLetters({ after: first[1]!.id, limit: 10 })).map((row) => row.envelope)).toEqual(["e3"]);
        }),
      ),
    );

    it(
      "keeps one chart per hash: the first one",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          const machine = { hash: "h1", id: "task", version: "1.0.0", chart: "{}", at: noon };
          yield* journal.commit(turn({ machines: [machine] }));
          yield* journal.commit(
            turn({
              machines: [
                { ...machine, at: noon + 5 },
                { ...machine, hash: "h2", version: "1.1.0", at: noon + 6 },
              ],
            }),
          );
          expect(yield* journal.machines).toEqual([machine, { ...machine, hash: "h2", version: "1.1.0", at: noon + 6 }]);
        }),
      ),
    );
  });
};
