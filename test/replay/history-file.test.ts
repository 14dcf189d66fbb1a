import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import { Forms, type History, HistoryFileInvalid, ImportRefused, importHistories, readHistories, replay, writeHistories } from "../../src/replay/index.ts";
import { matchers, testEngine, testStore } from "../../src/testing/index.ts";
import { historyAt, leftBehind } from "./kept.ts";
import { order, orderWith } from "./order.ts";

expect.extend(matchers);

const card = "4111-1111-1111-1111";

const behind = () =>
  leftBehind([order], async (engine) => {
    await engine.start(order, "1");
    await engine.send("order/1", { type: "PAY", amount: 4, card });
    await engine.send("order/1", { type: "PAY", amount: 6 });
    await engine.settled();
    await engine.start(order, "2");
  });

describe("replay > history file", () => {
  it("gives back what was written, line by line", async () => {
    const histories = [...(await behind()).values()];
    const charts = [{ id: "order", version: "1", hash: histories[0]?.hash ?? "", chart: '{"id":"order"}' }];
    const text = writeHistories(histories, { charts });
    expect(text.split("\n").map((line) => (line === "" ? "" : JSON.parse(line).kind))).toEqual([
      "taskwright.histories",
      "machine",
      ...histories.flatMap(({ entries }) => ["actor", ...entries.map(() => "entry"), "state"]),
      "end",
      "",
    ]);
    expect(readHistories(text)).toEqual({ histories, charts, redacted: [] });
  });

  it("carries a cut history with the state from which it goes on", async () => {
    const history = historyAt(await behind(), "order/1");
    const state = replay(history, [order], { to: 2 }).state;
    const cut = { ...history, start: { seq: 2, at: history.createdAt, version: "1", hash: history.hash, state, input: { amount: 10 } }, entries: history.entries.slice(2) } as History;
    const [read] = readHistories(writeHistories([cut])).histories;
    expect(read).toEqual(cut);
    expect(replay(read as History, [order])).toMatchObject({ verified: 2, difference: undefined });
  });

  it("says on which line it is wrong, also where it was cut off", async () => {
    const lines = writeHistories([...(await behind()).values()]).split("\n");
    const refused = (changed: ReadonlyArray<string>) => {
      try {
        readHistories(changed.join("\n"));
      } catch (error) {
        expect(error).toBeInstanceOf(HistoryFileInvalid);
        return (error as HistoryFileInvalid).message;
      }
      return "";
    };
    const at = (index: number, line: string) => lines.map((old, other) => (other === index ? line : old));
    expect(refused(at(0, "{}"))).toMatch(/^line 1: a history file begins with/);
    expect(refused(at(0, '{"kind":"taskwright.histories","version":2}'))).toMatch(/^line 1: it has version 2 of the format, this program reads version 1/);
    expect(refused(at(2, "{"))).toMatch(/^line 3: it is no JSON object/);
    expect(refused(at(2, '{"kind":"entry","seq":1}'))).toMatch(/^line 3: its "at" must be a number/);
    expect(refused(at(2, '{"kind":"other"}'))).toMatch(/^line 3: a line of kind "other" is not known/);
    expect(refused(at(1, lines[2] as string))).toMatch(/^line 2: it belongs to an actor/);
    expect(refused(lines.slice(0, -2))).toMatch(/the end is missing: the file was cut off/);
    expect(refused(lines.filter((_, index) => index !== 2))).toMatch(/it says 3 actors and \d+ entries/);
    expect(refused([...lines, '{"kind":"end"}'])).toMatch(/something stands behind the end/);
  });
});

describe("replay > redaction", () => {
  it("leaves nothing of what stands at a path, wherever it went, and still replays", async () => {
    const histories = [...(await behind()).values()];
    const text = writeHistories(histories, { redact: { paths: ["event.card"], forms: new Forms([order]) } });
    expect(text).not.toContain(card);
    const file = readHistories(text);
    expect(file.redacted).toEqual(["event.card"]);
    for (const history of file.histories) {
      expect(replay(history, [order]).difference).toBeUndefined();
      expect(history.entries.every(({ stateHash }) => stateHash !== "")).toBe(true);
    }
    const [, paid] = file.histories[0]?.entries ?? [];
    expect(paid?.event.card).toMatch(/^redacted-[0-9a-f]{8}$/);
    expect(file.histories[0]?.state).toMatchObject({ context: { card: paid?.event.card } });
  });

  it("takes numbers, whole objects, and any depth", async () => {
    const histories = [historyAt(await behind(), "order/1")];
    const told = (paths: ReadonlyArray<string>) => readHistories(writeHistories(histories, { redact: { paths, salt: "x" } })).histories[0] as History;
    expect(told(["event.amount"]).entries[1]?.event).toEqual({ type: "PAY", amount: 0, card });
    expect(told(["event.*"]).entries[1]?.event).toMatchObject({ amount: 0, card: expect.stringMatching(/^redacted/) });
    expect(told(["**.card"]).entries[1]?.event).toMatchObject({ amount: 4, card: expect.stringMatching(/^redacted/) });
  });

  it("leaves the fingerprints and the state out where the machine was not given: only outcomes are compared then", async () => {
    const [history] = readHistories(writeHistories([historyAt(await behind(), "order/1")], { redact: { paths: ["event.card"] } })).histories;
    expect(history?.entries.every(({ stateHash }) => stateHash === "")).toBe(true);
    expect(history?.state).toBeUndefined();
    expect(replay(history as History, [order]).difference).toBeUndefined();
    expect(history).not.toReplayOn(orderWith({ isPaid: () => false }));
  });
});

describe("replay > import", () => {
  it("puts actors into an empty journal, where an engine goes on with them", async () => {
    for (const kind of ["memory", "sqlite"] as const) {
      const store = testStore(kind);
      const file = readHistories(writeHistories([...(await behind()).values()]));
      const journal = await store.connect();
      const owner = { id: "import", pid: process.pid, host: "here", now: 1, leaseMs: 1_000, isAlive: () => true };
      const opened = await Effect.runPromise(journal.open(owner));
      expect(await Effect.runPromise(importHistories(journal, opened, file))).toEqual({ imported: 3, left: 0 });
      const refused = await Effect.runPromise(Effect.flip(importHistories(journal, opened, file)));
      expect(refused).toBeInstanceOf(ImportRefused);
      expect(refused.message).toContain('"order/1" can\'t be imported: there is an actor at this address already');
      await Effect.runPromise(journal.release);
      const engine = await testEngine({ machines: [order], journal: store });
      expect(await engine.snapshot("order/1")).toMatchObject({ value: "shipping", context: { card } });
      await engine.advance(60_000);
      expect((await engine.snapshot("order/1")).value).toBe("overdue");
      await engine.end();
      await store.dispose();
    }
  });

  it("refuses a child without its parent, and what was cut", async () => {
    const histories = await behind();
    const into = async (file: ReadonlyArray<History>) => {
      const store = testStore("memory");
      const journal = await store.connect();
      const opened = await Effect.runPromise(journal.open({ id: "import", pid: 1, host: "here", now: 1, leaseMs: 1_000, isAlive: () => true }));
      return (await Effect.runPromise(Effect.flip(importHistories(journal, opened, { histories: file, charts: [], redacted: [] })))).message;
    };
    expect(await into([historyAt(histories, "order/1/charge")])).toContain('its parent "order/1" is not in the file');
    const whole = historyAt(histories, "order/1");
    expect(await into([{ ...whole, entries: whole.entries.slice(1) }])).toContain("its history was cut");
    const { state: _, ...stateless } = whole;
    expect(await into([stateless])).toContain("its state is not in the file");
  });
});
