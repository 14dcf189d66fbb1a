import * as Effect from "effect/Effect";
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { setup } from "xstate";
import { openEngine } from "../../src/index.ts";
import { isAlive } from "../../src/engine/index.ts";
import { backup, examine, restore, vacuum } from "../../src/journal/index.ts";
import * as Connection from "../../src/journal/connection.ts";
import * as Driver from "../../src/journal/driver.ts";

const lamp = setup({ types: { events: {} as { type: "FLIP"; text?: string } }, delays: { night: 3_600_000 } }).createMachine({
  id: "lamp",
  version: "1",
  initial: "on",
  states: { on: { on: { FLIP: "off" }, after: { night: "off" } }, off: { on: { FLIP: "on" } } },
});

const folder = () => {
  const made = mkdtempSync(join(tmpdir(), "taskwright-backup-"));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
};
const run = <A, E>(effect: Effect.Effect<A, E>) => Effect.runPromise(Effect.either(effect));
const owner = () => ({ id: "v", pid: process.pid, host: "h", now: Date.now(), leaseMs: 10_000, isAlive });

describe("journal > backup", () => {
  test("beside an engine that writes holds what was stored, to a moment, and opens as a journal", async () => {
    const dir = folder();
    const file = join(dir, "work.db");
    // Its lease is not over when the copies are opened, however long they take.
    const engine = await openEngine({ database: file, machines: [lamp], limits: { leaseMs: 3_600_000 } });
    await engine.startAll(Array.from({ length: 50 }, (_, n) => ({ machine: "lamp", id: String(n) })));
    let isWriting = true;
    const writing = (async () => {
      while (isWriting) await Promise.all(Array.from({ length: 50 }, (_, n) => engine.send(`lamp/${n}`, { type: "FLIP" })));
    })();
    for (let n = 0; n < 5; n++) expect(await run(backup(file, join(dir, `copy-${n}.db`)))).toMatchObject({ right: { actors: 50 } });
    isWriting = false;
    await writing;
    await engine.close();
    for (let n = 0; n < 5; n++) expect(await run(examine(join(dir, `copy-${n}.db`)))).toMatchObject({ right: { problems: [], actors: 50 } });
    expect(readdirSync(dir).filter((name) => name.endsWith(".part"))).toEqual([]);
    const target = join(dir, "restored.db");
    expect(await run(restore(join(dir, "copy-0.db"), target))).toMatchObject({ _tag: "Right" });
    // The engine that it was made beside lives in this very process: its lease in the copy has to be over.
    await expect(openEngine({ database: target, machines: [lamp] })).rejects.toMatchObject({ code: "journal_owned" });
    await spoil(target, "UPDATE owner SET until = 1");
    const again = await openEngine({ database: target, machines: [lamp] });
    expect((await again.list({ machine: "lamp" })).length).toBe(50);
    await again.close();
  });

  test("writes over nothing, and leaves nothing of a copy that failed", async () => {
    const dir = folder();
    const file = join(dir, "work.db");
    const engine = await openEngine({ database: file, machines: [lamp] });
    await engine.start("lamp", "1");
    await engine.close();
    writeFileSync(join(dir, "there.db"), "x".repeat(4_096));
    expect(await run(backup(file, join(dir, "there.db")))).toMatchObject({
      left: { reason: "failed", message: expect.stringMatching(/there\.db: there is a file already, and it is not written over: give another name, or move it away$/) },
    });
    expect(await run(backup(join(dir, "nobody.db"), join(dir, "new.db")))).toMatchObject({ left: { reason: "missing" } });
    expect(await run(backup(join(dir, "there.db"), join(dir, "new.db")))).toMatchObject({ left: { reason: "foreign" } });
    expect(await run(backup(file, join(dir, "no", "folder.db")))).toMatchObject({ _tag: "Left" });
    writeFileSync(join(dir, "other.db-wal"), "x");
    expect(await run(restore(file, join(dir, "other.db")))).toMatchObject({ left: { detail: expect.stringContaining("another database") } });
    expect(existsSync(join(dir, "new.db"))).toBe(false);
    // A reader may leave a log in which nothing is.
    expect(
      readdirSync(dir)
        .filter((name) => !name.startsWith("work.db-"))
        .sort(),
    ).toEqual(["other.db-wal", "there.db", "work.db"]);
  });
});

describe("journal > vacuum", () => {
  test("gives pages back, claims the journal meanwhile, and changes nothing that is stored", async () => {
    const file = join(folder(), "work.db");
    const engine = await openEngine({ database: file, machines: [lamp] });
    await engine.start("lamp", "1");
    for (let n = 0; n < 20; n++) await engine.send("lamp/1", { type: "FLIP", text: "x".repeat(100_000) });
    expect(await run(Effect.scoped(vacuum(file, owner())))).toMatchObject({ left: { _tag: "JournalOwned" } });
    await engine.close();
    await spoil(file, "UPDATE history SET event = json_remove(event, '$.text')");
    const made = await run(Effect.scoped(vacuum(file, owner())));
    expect(made).toMatchObject({ _tag: "Right" });
    if (made._tag === "Right") expect(made.right.after).toBeLessThan(made.right.before / 10);
    const again = await openEngine({ database: file, machines: [lamp] });
    expect((await again.history("lamp/1")).length).toBe(21);
    await again.close();
  });
});

/** Writes what no engine would. */
const spoil = (file: string, ...statements: ReadonlyArray<string>) =>
  Effect.runPromise(
    Effect.gen(function* () {
      const driver = yield* Driver.choose("auto", file);
      const open = yield* Connection.open(driver, { file, reader: false, synchronous: "OFF" });
      for (const statement of statements) yield* open.read(statement);
      yield* open.close;
    }),
  );

describe("journal > examination", () => {
  const damages: ReadonlyArray<readonly [rule: string, statement: string]> = [
    ["every actor has a state", "DELETE FROM states WHERE actor = 1"],
    ["every state is that of an actor", "INSERT INTO states VALUES (99, 1, 0, '{}')"],
    ["every history entry is that of an actor", "INSERT INTO history SELECT 999, 99, 1, at, type, event, outcome, source, state_hash FROM history WHERE id = 1"],
    ["every deadline is that of an actor", "INSERT INTO wakes VALUES (99, 1)"],
    ["every owed action is that of an actor", "INSERT INTO effects VALUES (1, 1, 99, 'x', '')"],
    ["every child has its parent", "UPDATE actors SET parent = 99 WHERE id = 1"],
    ["the chart of every actor's machine is stored", "DELETE FROM machines"],
    ["a history has no gaps", "DELETE FROM history WHERE actor = 1 AND seq = 2"],
    ["a history begins with the start", "DELETE FROM history WHERE actor = 1 AND seq = 1"],
    ["time never goes back", "UPDATE history SET at = 1 WHERE id = 3"],
    ["whoever has ended waits for nothing", "UPDATE actors SET status = 'done' WHERE id = 1"],
    ["states are JSON", "UPDATE states SET state = '{' WHERE actor = 1"],
    ["events are JSON", "UPDATE history SET event = '{' WHERE id = 2"],
    ["messages are JSON", "INSERT INTO mail VALUES (1, 'x')"],
    ["dead letters are JSON", "INSERT INTO dead_letters VALUES (1, 'lamp/1', 0, '{', '{}')"],
    ["entries of outboxes are JSON", "INSERT INTO entries VALUES ('outbox/x', 1, 'k', '', '', 't', '1', 0, 0, 0, 'pending', '')"],
    ["epochs of builds", "INSERT INTO builds VALUES (99, 'b', 0, 0)"],
  ];
  test("finds nothing in what an engine wrote, and each kind of damage", async () => {
    const dir = folder();
    const file = join(dir, "work.db");
    const engine = await openEngine({ database: file, machines: [lamp] });
    await engine.start("lamp", "1");
    for (let n = 0; n < 4; n++) await engine.send("lamp/1", { type: "FLIP" });
    await engine.close();
    expect(await run(examine(file))).toMatchObject({ right: { problems: [], actors: 1, entries: 5 } });
    for (const [rule, statement] of damages) {
      const damaged = join(dir, "damaged.db");
      copyFileSync(file, damaged);
      await spoil(damaged, statement);
      const found = await run(examine(damaged));
      expect(found, rule).toMatchObject({ _tag: "Right" });
      if (found._tag === "Right") expect(found.right.problems.join("\n"), rule).toContain(rule);
      rmSync(damaged);
    }
  });
});
