import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import { describe, expect, it } from "vitest";
import { JournalError, type Turn } from "../../journal/index.ts";
import type { JournalHarness } from "../journal-conformance.ts";
import { actor, asRow, engine, entry, everything, failure, moved, noon, nothing, onJournal, onStore, range, turn } from "./rows.ts";

// No U+0000: node:sqlite of Node 22 cuts a text there when it reads it. JSON escapes it, ids and keys must refuse it.
const hostile = ["", "plain", "näïve ☃ 任務 🏭", 'it\'s "quoted" \\ and % _ ~', "line\nbreak\ttab\u2028", '{"a":[1,2]}', "x".repeat(1_000_000)];

export const commitConformance = (harness: JournalHarness): void => {
  describe("commit", () => {
    it(
      "gives back every row as it was written",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          const child = actor(2, { address: "task/1/assignment", parent: 1, machine: "assignment", token: 3 });
          const key = { address: "task/1", key: "order-7", seq: 1, at: noon, outcome: "handled", request: "r" } as const;
          const letter = { address: "task/1", at: noon, envelope: '{"to":"task/1"}', error: '{"name":"Error"}' };
          const effect = { id: 1, actor: 1, seq: 1, action: "notify", params: '{"to":"ops"}' };
          const machine = { hash: "hash-1", id: "task", version: "1.0.0", chart: '{"id":"task"}', at: noon };
          yield* journal.commit(
            turn({
              created: [actor(1), child],
              history: [entry(1, 1, 1, { from: "queue/main", outcome: "ignored" }), entry(2, 2, 1)],
              keys: [key],
              wakes: [{ actor: 2, due: noon + 500 }],
              mail: [{ id: 1, envelope: '{"to":"task/2"}' }],
              effects: [effect],
              deadLetters: [letter],
              machines: [machine],
            }),
          );
          expect(yield* everything(journal)).toEqual({
            actors: [asRow(actor(1)), asRow(child, { wake: noon + 500 })],
            histories: [[entry(1, 1, 1, { from: "queue/main", outcome: "ignored" })], [entry(2, 2, 1)]],
            due: [{ actor: 2, address: "task/1/assignment", due: noon + 500 }],
            mail: [{ id: 1, envelope: '{"to":"task/2"}' }],
            effects: [effect],
            deadLetters: [{ id: 1, ...letter }],
            attempts: [],
            machines: [machine],
            counts: [
              { machine: "assignment", status: "active", count: 1 },
              { machine: "task", status: "active", count: 1 },
            ],
          });
          expect(yield* journal.keys([{ address: "task/1", key: "order-7" }])).toEqual([key]);
        }),
      ),
    );

    it(
      "takes a turn without rows",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          yield* journal.commit(nothing);
          expect((yield* everything(journal)).actors).toEqual([]);
        }),
      ),
    );

    const refused: Record<string, Partial<Turn>> = {
      "a seq that the actor's history has": { history: [entry(10, 1, 3), entry(11, 2, 1)] },
      "the same seq twice in the turn": { history: [entry(10, 1, 3), entry(11, 1, 3)] },
      "the id of a history row in use": { history: [entry(10, 1, 3), entry(1, 2, 2)] },
      "the id of an actor in use": { created: [actor(3), actor(1, { address: "task/other" })] },
      "an address in use": { created: [actor(3), actor(4, { address: "task/1" })] },
      "the same address twice in the turn": { created: [actor(3), actor(4, { address: "task/3" })] },
      "the id of a message in use": {
        mail: [
          { id: 2, envelope: "{}" },
          { id: 1, envelope: "{}" },
        ],
      },
      "the id of an effect in use": { effects: [{ id: 1, actor: 1, seq: 2, action: "a", params: "" }] },
    };
    for (const [what, rows] of Object.entries(refused)) {
      it(
        `stores nothing of a turn that contains ${what}, and goes on`,
        onJournal(harness, (journal) =>
          Effect.gen(function* () {
            yield* journal.commit(
              turn({
                created: [actor(1), actor(2)],
                history: [entry(1, 1, 1), entry(2, 2, 1), entry(3, 1, 2)],
                mail: [{ id: 1, envelope: "{}" }],
                effects: [{ id: 1, actor: 1, seq: 1, action: "a", params: "" }],
                wakes: [{ actor: 1, due: noon }],
              }),
            );
            const before = yield* everything(journal);
            const others = turn({
              moved: [moved(1, 3, { changed: { status: "done", hash: "hash-2", token: 9 } })],
              wakes: [
                { actor: 1, due: undefined },
                { actor: 2, due: noon },
              ],
              keys: [{ address: "task/1", key: "k", seq: 3, at: noon, outcome: "handled", request: "r" }],
              mailTaken: [1],
              effectsDone: [1],
              deadLetters: [{ address: "task/1", at: noon, envelope: "{}", error: "{}" }],
              machines: [{ hash: "hash-2", id: "task", version: "2", chart: "{}", at: noon }],
            });
            // Rows that another row of the same id would replace are left out: the refused one must stay refused.
            const broken = { ...others, ...(rows.mail ? { mailTaken: [] } : {}), ...(rows.effects ? { effectsDone: [] } : {}), ...rows };
            expect(yield* failure(journal.commit(broken))).toMatchObject({ _tag: "JournalError", reason: "failed" });
            expect(yield* everything(journal)).toEqual(before);
            expect(yield* journal.keys([{ address: "task/1", key: "k" }])).toEqual([]);
            yield* journal.commit(turn({ moved: [moved(1, 3)], history: [entry(4, 1, 3)] }));
            expect((yield* journal.actorsById([1]))[0]?.seq).toBe(3);
          }),
        ),
      );
    }

    it(
      "writes status, hash and token of a moved actor only when they are told to have changed",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          yield* journal.commit(turn({ created: [actor(1), actor(2), actor(3)] }));
          const changed = { status: "done", hash: "hash-2", token: 4 };
          yield* journal.commit(turn({ moved: [moved(1, 2), moved(2, 2, { changed }), moved(3, 2)] }));
          expect(yield* journal.list({ limit: 10 })).toEqual([
            asRow(actor(1), { seq: 2, at: noon + 2_000, state: moved(1, 2).state }),
            asRow(actor(2), { seq: 2, at: noon + 2_000, state: moved(2, 2).state, ...changed }),
            asRow(actor(3), { seq: 2, at: noon + 2_000, state: moved(3, 2).state }),
          ]);
        }),
      ),
    );

    it(
      "moves an earlier incarnation to its address and row id, history and all, when a new one replaces it",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          const address = "task/1/assignment";
          const first = actor(2, { address, parent: 1, token: 1 });
          const second = actor(3, { address, parent: 1, token: 2, replaces: true });
          const fresh = actor(4, { address: "task/1/other", parent: 1, token: 3, replaces: true });
          yield* journal.commit(turn({ created: [actor(1), first], history: [entry(1, 2, 1), entry(2, 2, 2)] }));
          yield* journal.commit(turn({ created: [second, fresh], history: [entry(3, 3, 1)] }));
          expect(yield* journal.actors([address, `${address}~2`, "task/1/other"])).toHaveLength(3);
          expect(yield* journal.list({ parent: 1, limit: 10 })).toEqual([asRow({ ...first, address: `${address}~2` }), asRow(second), asRow(fresh)]);
          expect((yield* journal.history(`${address}~2`, 0, 10)).map((row) => row.id)).toEqual([1, 2]);
          expect((yield* journal.history(address, 0, 10)).map((row) => row.id)).toEqual([3]);
        }),
      ),
    );

    it(
      "keeps text of any kind and length, and numbers beyond 32 bits",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          const rows = hostile.map((text, i) => actor(i + 1, { address: `task/${i}${text}`, state: text, machine: text, status: text, hash: text, at: Number.MAX_SAFE_INTEGER }));
          const history = hostile.map((text, i) => entry(i + 1, i + 1, 1, { type: text, event: text, from: text, stateHash: text }));
          const keys = hostile.map((text, i) => ({ address: rows[i]!.address, key: text, seq: 1, at: Number.MAX_SAFE_INTEGER, outcome: "handled" as const, request: text }));
          yield* journal.commit(turn({ created: rows, history, keys, mail: hostile.map((envelope, i) => ({ id: i + 1, envelope })) }));
          expect(new Map((yield* journal.actors(rows.map((row) => row.address))).map((row) => [row.id, row]))).toEqual(new Map(rows.map((row) => [row.id, asRow(row)])));
          for (const row of rows) {
            expect(yield* journal.actors([row.address])).toEqual([asRow(row)]);
            expect(yield* journal.history(row.address, 0, 10)).toEqual([history[row.id - 1]]);
            expect(yield* journal.list({ machine: row.machine, status: row.status, limit: 10 })).toEqual([asRow(row)]);
          }
          const order = (a: { readonly address: string }, b: { readonly address: string }) => (a.address < b.address ? -1 : 1);
          expect([...(yield* journal.keys(keys))].sort(order)).toEqual([...keys].sort(order));
          expect((yield* journal.mail(0, 100)).map((row) => row.envelope)).toEqual(hostile);
        }),
      ),
    );

    // Around the sizes in which stores may cut a turn into statements.
    for (const size of [1, 2, 9, 10, 11, 49, 50, 51, 61, 99, 101, 512, 10_000]) {
      it(
        `stores all of ${size} rows of each kind`,
        onJournal(harness, (journal) =>
          Effect.gen(function* () {
            const ids = range(size);
            const changed = { status: "done", hash: "hash-2", token: 0 };
            yield* journal.commit(turn({ created: ids.map((id) => actor(id)), wakes: ids.map((actor) => ({ actor, due: noon + actor })), mail: ids.map((id) => ({ id, envelope: `m${id}` })) }));
            yield* journal.commit(
              turn({
                moved: ids.map((id) => moved(id, 2, { state: `s${id}`, changed: { ...changed, hash: `h${id}` } })),
                history: ids.map((id) => entry(id, id, 1, { event: `e${id}` })),
                keys: ids.map((id) => ({ address: `task/${id}`, key: `k${id}`, seq: id, at: noon, outcome: "handled", request: "r" })),
                wakes: ids.map((actor) => ({ actor, due: actor % 3 === 0 ? undefined : noon - actor })),
                mailTaken: ids.filter((id) => id !== size),
                effects: ids.map((id) => ({ id, actor: id, seq: 1, action: `a${id}`, params: "" })),
                deadLetters: ids.map((id) => ({ address: `task/${id}`, at: noon, envelope: `d${id}`, error: "" })),
                machines: ids.map((id) => ({ hash: `h${id}`, id: "task", version: "1", chart: `c${id}`, at: noon + id })),
              }),
            );
            const rows = yield* journal.list({ limit: size + 1 });
            expect(rows.map((row) => `${row.id} ${row.state} ${row.hash} ${row.wake}`)).toEqual(ids.map((id) => `${id} s${id} h${id} ${id % 3 === 0 ? undefined : noon - id}`));
            expect(yield* journal.counts).toEqual([{ machine: "task", status: "done", count: size }]);
            expect((yield* journal.keys(ids.map((id) => ({ address: `task/${id}`, key: `k${id}` })))).map((row) => row.seq).sort((a, b) => a - b)).toEqual(ids);
            expect((yield* journal.due(noon, size + 1)).map((row) => row.actor)).toEqual([...ids].reverse().filter((id) => id % 3 !== 0));
            expect(yield* journal.mail(0, size + 1)).toEqual([{ id: size, envelope: `m${size}` }]);
            expect((yield* journal.effects(0, size + 1)).map((row) => row.action)).toEqual(ids.map((id) => `a${id}`));
            expect((yield* journal.deadLetters({ limit: size + 1 })).map((row) => row.envelope)).toEqual(ids.map((id) => `d${id}`));
            expect((yield* journal.machines).map((row) => row.chart)).toEqual(ids.map((id) => `c${id}`));
            expect(yield* journal.history(`task/${size}`, 0, 2)).toEqual([entry(size, size, 1, { event: `e${size}` })]);
            yield* journal.commit(turn({ effectsDone: ids }));
            expect(yield* journal.effects(0, 1)).toEqual([]);
          }),
        ),
      );
    }

    it(
      "is not seen by half by reads that run at the same time",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          yield* journal.commit(turn({ created: range(400).map((id) => actor(id)) }));
          const writer = yield* Effect.fork(
            Effect.forEach(range(20, 2), (seq) => journal.commit(turn({ moved: range(400).map((id) => moved(id, seq)), history: range(400).map((id) => entry(seq * 1_000 + id, id, seq)) }))),
          );
          for (let i = 0; i < 40; i++) {
            const rows = yield* journal.actorsById([1, 200, 400]);
            expect(new Set(rows.map((row) => row.seq)).size).toBe(1);
            yield* Effect.yieldNow();
          }
          yield* Fiber.join(writer);
          expect((yield* journal.actorsById([400]))[0]?.seq).toBe(21);
        }),
      ),
    );

    it(
      "is all or nothing, and the next one works, when its fiber is interrupted at any moment",
      onJournal(harness, (journal) =>
        Effect.gen(function* () {
          yield* journal.commit(turn({ created: [actor(1), actor(2)] }));
          let seq = 2;
          for (const yields of range(30, 0)) {
            const next = turn({ moved: [moved(1, seq), moved(2, seq)], history: range(200).map((i) => entry(seq * 1_000 + i, 2 + i, seq)) });
            const fiber = yield* Effect.fork(journal.commit(next));
            for (let i = 0; i < yields; i++) yield* Effect.yieldNow();
            yield* Fiber.interrupt(fiber);
            const [one, two] = yield* journal.actorsById([1, 2]);
            expect(one?.seq).toBe(two?.seq);
            yield* journal.commit(turn({ moved: [moved(1, seq + 1), moved(2, seq + 1)] }));
            seq += 2;
          }
        }),
      ),
    );

    for (const outcome of ["lost", "stored"] as const) {
      it(
        `leaves it to the counters after a reopen to tell that a failed turn was ${outcome}`,
        onStore(harness, (store) =>
          Effect.gen(function* () {
            const broken = () => new JournalError({ reason: "failed", where: "test", detail: "the disk answered with an error" });
            const faults = { beforeCommit: outcome === "lost" ? broken : undefined, afterCommit: outcome === "stored" ? broken : undefined };
            const journal = yield* store.connect({ faults });
            yield* journal.open(engine());
            const next = turn({ created: [actor(1)], history: [entry(7, 1, 1)], mail: [{ id: 5, envelope: "{}" }], effects: [{ id: 6, actor: 1, seq: 1, action: "a", params: "" }] });
            expect(yield* failure(journal.commit(next))).toMatchObject({ _tag: "JournalError", reason: "failed" });
            expect(yield* journal.reopen).toEqual(outcome === "lost" ? { actor: 0, history: 0, mail: 0, effect: 0 } : { actor: 1, history: 7, mail: 5, effect: 6 });
            faults.beforeCommit = faults.afterCommit = undefined;
            if (outcome === "lost") yield* journal.commit(next);
            yield* journal.commit(turn({ moved: [moved(1, 2)], history: [entry(8, 1, 2)] }));
            expect((yield* journal.history("task/1", 0, 10)).map((row) => row.id)).toEqual([7, 8]);
          }),
        ),
      );
    }

    it(
      "survives a crash: the next engine finds all that was acknowledged",
      onStore(harness, (store) =>
        Effect.gen(function* () {
          const before = yield* Effect.scoped(
            Effect.gen(function* () {
              const journal = yield* store.connect();
              yield* journal.open(engine());
              yield* journal.commit(turn({ created: [actor(1), actor(2)], history: [entry(1, 1, 1)], wakes: [{ actor: 2, due: noon }] }));
              yield* journal.commit(turn({ moved: [moved(1, 2)], history: [entry(2, 1, 2)] }));
              return yield* everything(journal);
            }),
          );
          const journal = yield* store.connect();
          const opened = yield* journal.open(engine({ id: "engine-2", isAlive: () => false }));
          expect(opened).toEqual({ epoch: 2, counters: { actor: 2, history: 2, mail: 0, effect: 0 }, latestAt: noon + 2_000, released: false });
          expect(yield* everything(journal)).toEqual(before);
        }),
      ),
    );
  });
};
