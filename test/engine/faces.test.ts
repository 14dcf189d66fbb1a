import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { Engine, layer, openEngine, UnknownActor } from "../../src/engine/index.ts";
import { MemoryJournal, MemoryStore, SqliteJournal } from "../../src/journal/index.ts";
import { inBothJournals } from "../../src/testing/index.ts";
import { Held } from "./held.ts";
import { job } from "./job.ts";
import { counter } from "./machines.ts";

const folders: Array<string> = [];
const newFile = (): string => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "taskwright-faces-"));
  folders.push(folder);
  return path.join(folder, "work.db");
};
afterEach(() => {
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true, force: true });
});

describe("engine > as a service of Effect", () => {
  test("a layer opens it over a journal and closes it with its scope; failures are typed", async () => {
    const store = new MemoryStore();
    const live = layer({ machines: [counter] }).pipe(Layer.provide(MemoryJournal.layer({ store })));
    const program = Effect.gen(function* () {
      const engine = yield* Engine;
      yield* engine.start("counter", "1");
      const receipts = yield* Effect.all(
        Array.from({ length: 3 }, () => engine.send("counter/1", { type: "ADD" })),
        { concurrency: "unbounded" },
      );
      const missing = yield* engine.send("counter/none", { type: "ADD" }).pipe(Effect.catchTag("UnknownActor", (error) => Effect.succeed(error)));
      return [receipts.map(({ seq }) => seq), missing, (yield* engine.snapshot("counter/1")).context] as const;
    });
    const [seqs, missing, context] = await Effect.runPromise(Effect.provide(program, live));
    expect(seqs).toEqual([2, 3, 4]);
    expect(missing).toBeInstanceOf(UnknownActor);
    expect(context).toMatchObject({ count: 3 });
    expect(store.owner).toMatchObject({ until: 0 });
  });

  test("an interrupted call does not hurt the others", async () => {
    const live = layer({ machines: [counter] }).pipe(Layer.provide(MemoryJournal.layer()));
    const program = Effect.gen(function* () {
      const engine = yield* Engine;
      yield* engine.start("counter", "1");
      const fiber = yield* Effect.fork(engine.send("counter/1", { type: "ADD" }));
      const other = yield* Effect.fork(engine.send("counter/1", { type: "ADD" }));
      yield* Effect.yieldNow();
      yield* Effect.all([fiber.interruptAsFork(fiber.id())]);
      return yield* other.await;
    });
    expect((await Effect.runPromise(Effect.provide(program, live)))._tag).toBe("Success");
  });
});

describe("engine > as promises, over a file", () => {
  test("opens, is refused to a second one with the owner's pid, closes, and opens again", async () => {
    const database = newFile();
    const engine = await openEngine({ machines: [counter], database });
    await engine.start(counter, "1");
    await expect(openEngine({ machines: [counter], database })).rejects.toMatchObject({ _tag: "JournalOwned", pid: process.pid, message: expect.stringContaining(String(process.pid)) });
    expect(await engine.send("counter/1", { type: "ADD" })).toMatchObject({ seq: 2 });
    await engine.close();
    const again = await openEngine({ machines: [counter], database });
    expect(await again.send("counter/1", { type: "ADD" })).toMatchObject({ seq: 3 });
    await again[Symbol.asyncDispose]();
  });

  test("a reader works beside it", async () => {
    const database = newFile();
    const engine = await openEngine({ machines: [counter], database });
    await engine.start(counter, "1");
    const reading = Effect.flatMap(SqliteJournal.make({ file: database, reader: true }), (journal) => journal.actors(["counter/1"]));
    expect(await Effect.runPromise(Effect.scoped(reading))).toMatchObject([{ address: "counter/1", seq: 1 }]);
    await engine.close();
  });

  test("what can't be opened is refused with a reason, and nothing is made", async () => {
    const missing = path.join(path.dirname(newFile()), "no", "such", "folder.db");
    await expect(openEngine({ machines: [counter], database: missing })).rejects.toMatchObject({ _tag: "JournalError", reason: "missing" });
    const foreign = newFile();
    fs.writeFileSync(foreign, "this is no database, and longer than a header of one hundred bytes is, so that nobody takes it for an empty one");
    await expect(openEngine({ machines: [counter], database: foreign })).rejects.toMatchObject({ _tag: "JournalError", reason: "foreign" });
    expect(fs.readFileSync(foreign, "utf8")).toContain("this is no database");
    const untouched = newFile();
    await expect(openEngine({ machines: [counter, counter, {} as never], database: untouched })).rejects.toMatchObject({ _tag: "InvalidOptions" });
    expect(fs.existsSync(untouched)).toBe(false);
  });

  test("real deadlines fire", async () => {
    const { setup } = await import("xstate");
    const brief = setup({}).createMachine({ id: "brief", initial: "waiting", states: { waiting: { after: { 20: "late" } }, late: {} } });
    const engine = await openEngine({ machines: [brief], database: newFile() });
    await engine.start("brief", "1");
    expect(await engine.waitFor("brief/1", ({ value }) => value === "late")).toMatchObject({ value: "late" });
    await engine.close();
  });
});

describe("engine > report", () => {
  inBothJournals("what is reported is stored, also while the engine closes", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [counter, job(held)] });
    await engine.start("counter", "1");
    await engine.start("job", "1");
    engine.taskwright.report("counter/1", { type: "ADD" });
    await engine.settled();
    expect(await engine.snapshot("counter/1")).toMatchObject({ context: { count: 1 } });
    const closed = engine.taskwright.close({ grace: "1 minute" });
    engine.taskwright.report("counter/1", { type: "ADD" });
    held.last.resolve();
    await closed;
    await engine.restart();
    expect(await engine.snapshot("counter/1")).toMatchObject({ context: { count: 2 } });
  });

  inBothJournals("what can't be taken is refused at once, and what reaches nobody is a dead letter", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    const report = (address: string, event: unknown) => () => engine.taskwright.report(address, event as never);
    expect(report("counter", { type: "ADD" })).toThrowError(expect.objectContaining({ _tag: "InvalidAddress" }));
    expect(report("counter/1", { type: "xstate.stop" })).toThrowError(expect.objectContaining({ _tag: "InvalidEvent" }));
    expect(report("counter/1", { type: "ADD", by: Number.NaN })).toThrowError(expect.objectContaining({ _tag: "InvalidEvent" }));
    engine.taskwright.report("counter/none", { type: "ADD" });
    await engine.settled();
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ address: "counter/none", event: { type: "ADD" } }]);
  });
});
