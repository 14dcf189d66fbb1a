import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SqlClient } from "@effect/sql/SqlClient";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Scope from "effect/Scope";
import * as Exit from "effect/Exit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { delivered, makeOutboxes, postEntries, postStatement } from "../../src/delivery/index.ts";
import type { OutboxPolicy } from "../../src/domain/outbox.ts";
import { openEngine } from "../../src/engine/index.ts";
import { Journal, JournalError, SqliteJournal } from "../../src/journal/index.ts";
import * as Driver from "../../src/journal/driver.ts";
import { message } from "../scenarios/host.ts";
import { Receiver } from "./receiver.ts";

let folder: string;
let database: string;
let scope: Scope.CloseableScope;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "taskwright-posted-"));
  database = join(folder, "work.db");
  scope = await Effect.runPromise(Scope.make());
});
afterEach(async () => {
  await Effect.runPromise(Scope.close(scope, Exit.void));
  rmSync(folder, { recursive: true, force: true });
});

/** A host's own client of the journal's database, with a table of its own. */
const connect = async (): Promise<SqlClient> => {
  const driver = await Effect.runPromise(Driver.choose("auto", database));
  const sql = await Effect.runPromise(driver.client({ filename: database, readonly: false }).pipe(Effect.provideService(Scope.Scope, scope)));
  await Effect.runPromise(sql`CREATE TABLE IF NOT EXISTS invoices (id INTEGER PRIMARY KEY, euros INTEGER NOT NULL)`);
  return sql;
};

const open = async (receiver: Receiver, journal?: Layer.Layer<Journal, JournalError>, policy: Partial<OutboxPolicy> = {}) => {
  const outboxes = makeOutboxes({ mail: { destination: receiver.destination, policy } });
  const engine = await openEngine({ machines: [], plugins: [outboxes], log: () => {}, ...(journal === undefined ? { database } : { journal }) });
  return { engine, outboxes, collect: () => Effect.runPromise(outboxes.collect()) };
};
const waiting = async (sql: SqlClient) => Number((await Effect.runPromise(sql<{ count: number }>`SELECT count(*) AS count FROM posted_entries`))[0]?.count);
const invoiced = async (sql: SqlClient) => Number((await Effect.runPromise(sql<{ count: number }>`SELECT count(*) AS count FROM invoices`))[0]?.count);
const pay = (sql: SqlClient, id: number, then: Effect.Effect<unknown, unknown> = Effect.void) =>
  sql.withTransaction(Effect.all([sql`INSERT INTO invoices (id, euros) VALUES (${id}, 12)`, postEntries(sql, "mail", message(`paid ${id}`)), then]));

describe("delivery > posted", () => {
  test("entries of a host's own transaction are delivered once it is committed", async () => {
    const receiver = new Receiver(() => delivered);
    const { engine, outboxes, collect } = await open(receiver);
    const sql = await connect();
    await Effect.runPromise(pay(sql, 1));
    await Effect.runPromise(pay(sql, 2));
    expect(receiver.keys).toEqual([]);
    expect(await collect()).toEqual({ taken: 2, left: 0 });
    await engine.settled();
    expect(receiver.keys).toEqual(["paid 1", "paid 2"]);
    expect([await waiting(sql), await invoiced(sql), await Effect.runPromise(outboxes.counts("mail"))]).toEqual([0, 2, { pending: 0, poisoned: 0, unknown: 0 }]);
    await engine.close();
  });

  test("a transaction that is rolled back posts nothing", async () => {
    const receiver = new Receiver(() => delivered);
    const { engine, collect } = await open(receiver);
    const sql = await connect();
    expect((await Effect.runPromiseExit(pay(sql, 1, Effect.fail("no")))).toString()).toContain("no");
    expect(await collect()).toEqual({ taken: 0, left: 0 });
    await engine.settled();
    expect([receiver.keys, await waiting(sql), await invoiced(sql)]).toEqual([[], 0, 0]);
    await engine.close();
  });

  test("a process that ends between the commit and the collection loses nothing: the next engine takes them up", async () => {
    const receiver = new Receiver(() => delivered);
    const first = await open(receiver);
    const sql = await connect();
    await Effect.runPromise(pay(sql, 1));
    await first.engine.close();
    await Effect.runPromise(pay(sql, 2));
    const second = await open(receiver);
    await second.engine.waitFor("outbox/mail", ({ context }) => (context as { delivered: number }).delivered === 2);
    expect([receiver.keys, await waiting(sql)]).toEqual([["paid 1", "paid 2"], 0]);
    await second.engine.close();
  });

  test("they go from their table by the transaction that stores them: a commit that fails leaves them, one that is not known to have worked doubles nothing", async () => {
    for (const isStored of [false, true]) {
      const receiver = new Receiver(() => delivered);
      let fails = false;
      const journal = Layer.scoped(
        Journal,
        Effect.map(
          SqliteJournal.make({ file: database }),
          (sound): Journal => ({
            ...sound,
            commit: (turn) => {
              if (!fails || !turn.entries.some(({ write }) => write === "collect")) return sound.commit(turn);
              fails = false;
              const failure = Effect.fail(new JournalError({ reason: "failed", where: "here", detail: "a bad sector" }));
              return isStored ? Effect.zipRight(sound.commit(turn), failure) : failure;
            },
          }),
        ),
      );
      const { engine, collect } = await open(receiver, journal);
      const sql = await connect();
      const id = isStored ? 2 : 1;
      await Effect.runPromise(pay(sql, id));
      fails = true;
      await collect().catch(() => {});
      await engine.waitFor("outbox/mail", ({ context }) => (context as { delivered: number }).delivered === id);
      expect([receiver.keys, await waiting(sql)]).toEqual([[`paid ${id}`], 0]);
      await engine.close();
    }
  });

  test("several entries of one call stay together, and any client may write them", async () => {
    const receiver = new Receiver(() => delivered);
    const { engine, collect } = await open(receiver);
    const sql = await connect();
    const { sql: text, params } = postStatement("mail", [message("1"), message("2", { lane: "other", occurredAt: 5 })]);
    await Effect.runPromise(sql.unsafe(text, params));
    await collect();
    await engine.settled();
    expect([...receiver.keys].sort()).toEqual(["1", "2"]);
    expect(receiver.calls.find(({ entry }) => entry.key === "2")?.entry).toMatchObject({ lane: "other", occurredAt: 5 });
    await engine.close();
  });

  test("what can't be taken stays where it is, is told, and holds up nothing else", async () => {
    const receiver = new Receiver(() => delivered);
    const { engine, collect, outboxes } = await open(receiver);
    const sql = await connect();
    await Effect.runPromise(outboxes.open("old", "mail"));
    await Effect.runPromise(outboxes.close("old"));
    await Effect.runPromise(postEntries(sql, "nobody", message("1")));
    await Effect.runPromise(postEntries(sql, "old", message("2")));
    await Effect.runPromise(sql`INSERT INTO posted_entries (outbox, entries) VALUES ('outbox/mail', 'no JSON'), ('outbox/mail', '[{"key":""}]')`);
    await Effect.runPromise(postEntries(sql, "mail", message("3")));
    expect(await collect()).toEqual({ taken: 1, left: 4 });
    await engine.settled();
    expect([receiver.keys, await waiting(sql)]).toEqual([["3"], 4]);
    await Effect.runPromise(outboxes.open("nobody", "mail"));
    expect(await collect()).toEqual({ taken: 1, left: 3 });
    await engine.close();
  });

  test("what waits for room in an outbox goes when there is some", async () => {
    const receiver = new Receiver();
    const { engine, collect } = await open(receiver, undefined, { entriesMax: 1, whenFull: "refuse" });
    const sql = await connect();
    await Effect.runPromise(pay(sql, 1));
    await Effect.runPromise(pay(sql, 2));
    expect(await collect()).toEqual({ taken: 1, left: 1 });
    receiver.rule = () => delivered;
    receiver.last.answer(delivered);
    await engine.waitFor("outbox/mail", ({ context }) => (context as { delivered: number }).delivered === 2);
    expect([receiver.keys, await waiting(sql)]).toEqual([["paid 1", "paid 2"], 0]);
    await engine.close();
  });

  test("what no outbox could take is refused before it is stored", () => {
    for (const wrong of [
      { ...message("a"), key: "" },
      { ...message("a"), payload: 7n },
      { ...message("a"), type: "" },
    ])
      expect(() => postStatement("mail", wrong)).toThrow(expect.objectContaining({ _tag: "InvalidEvent", code: "invalid_event" }));
  });
});
