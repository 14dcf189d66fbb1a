import { describe, expect } from "vitest";
import { inBothJournals, inThreeModes } from "../../src/testing/index.ts";
import { counter } from "./machines.ts";
import { faulty } from "./faulty.ts";

describe("engine > idempotency keys", () => {
  inThreeModes("a repeated key gets the first receipt, and the event is handled once", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    await engine.start("counter", "1");
    const first = await engine.send("counter/1", { type: "ADD" }, { key: "a" });
    await engine.send("counter/1", { type: "ADD" }, { key: "b" });
    await engine.advance("1 hour");
    expect(await engine.send("counter/1", { type: "ADD" }, { key: "a" })).toEqual({ ...first, duplicate: true });
    expect(await engine.snapshot("counter/1")).toMatchObject({ seq: 3, context: { count: 2 } });
  });

  inBothJournals("of two equal keys in one turn the first one counts", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    await engine.start("counter", "1");
    const receipts = await Promise.all(["a", "b", "a", "a"].map((key) => engine.send("counter/1", { type: "ADD" }, { key })));
    expect(receipts.map(({ seq, duplicate }) => [seq, duplicate])).toEqual([
      [2, false],
      [3, false],
      [2, true],
      [2, true],
    ]);
    expect(await engine.snapshot("counter/1")).toMatchObject({ context: { count: 2 } });
  });

  inThreeModes("a key that comes again with another type of event is refused, and nothing is stored", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    await engine.start("counter", "1");
    const first = await engine.send("counter/1", { type: "ADD", try: 1 }, { key: "a" });
    const refused = { _tag: "KeyReused", code: "key_reused", status: 422, address: "counter/1", key: "a", event: "RESET", first: "ADD", seq: 2 };
    await expect(engine.send("counter/1", { type: "RESET" }, { key: "a" })).rejects.toMatchObject(refused);
    await expect(engine.taskwright.ask("counter/1", { type: "RESET" }, { key: "a" })).rejects.toMatchObject(refused);
    expect(await engine.send("counter/1", { type: "ADD", try: 2 }, { key: "a", by: "other" })).toEqual({ ...first, duplicate: true });
    expect(await engine.snapshot("counter/1")).toMatchObject({ seq: 2 });
  });

  inThreeModes("an exact key is refused with anything else, too", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    await engine.start("counter", "1");
    const exact = { key: "a", exact: true };
    const first = await engine.send("counter/1", { type: "ADD", by: 2, why: { a: 1, b: [1] } }, exact);
    await expect(engine.send("counter/1", { type: "ADD", by: 3 }, exact)).rejects.toMatchObject({ _tag: "KeyReused", event: "ADD", first: "ADD", seq: 2 });
    // The same in another order of its fields, from somebody else, and with a field that is not there.
    const again = { why: { b: [1], a: 1, c: undefined }, by: 2, type: "ADD" };
    expect(await engine.send("counter/1", again, { ...exact, by: "other" })).toEqual({ ...first, duplicate: true });
    // Where one of the two leaves it open what the event says, its type counts.
    expect(await engine.send("counter/1", { type: "ADD", by: 3 }, { key: "a" })).toMatchObject({ duplicate: true });
    expect(await engine.snapshot("counter/1")).toMatchObject({ seq: 2 });
  });

  inBothJournals("of two events with one key in one turn the first one counts, and the other is refused", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    await engine.start("counter", "1");
    const sent = [1, 2, 1].map((by) =>
      engine.send("counter/1", { type: "ADD", by }, { key: "a", exact: true }).then(
        ({ duplicate }) => duplicate,
        ({ _tag }) => _tag,
      ),
    );
    expect(await Promise.all(sent)).toEqual([false, "KeyReused", true]);
  });

  inBothJournals("a key counts for one actor only", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    for (const id of ["1", "2"]) {
      await engine.start("counter", id);
      expect(await engine.send(`counter/${id}`, { type: "ADD" }, { key: "a" })).toMatchObject({ duplicate: false });
    }
  });

  inThreeModes("an ignored event keeps its key, also when the state would take it now", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    await engine.start("counter", "1", { limit: 1 });
    expect(await engine.send("counter/1", { type: "RESET" }, { key: "a" })).toMatchObject({ outcome: "ignored", duplicate: false });
    await engine.send("counter/1", { type: "ADD" });
    expect(await engine.send("counter/1", { type: "RESET" }, { key: "a" })).toMatchObject({ seq: 2, outcome: "ignored", duplicate: true });
    expect(await engine.snapshot("counter/1")).toMatchObject({ value: "full" });
  });

  inThreeModes("a call that failed fails again in the same way, and the machine is not asked", async (bench) => {
    const engine = await bench.engine({ machines: [faulty] });
    await engine.start("faulty", "1");
    const error = { _tag: "ActorFailed", address: "faulty/1", event: "THROW_IN_ASSIGN" };
    await expect(engine.send("faulty/1", { type: "THROW_IN_ASSIGN" }, { key: "a" })).rejects.toMatchObject(error);
    await expect(engine.send("faulty/1", { type: "THROW_IN_ASSIGN" }, { key: "a" })).rejects.toMatchObject(error);
    expect(await engine.taskwright.deadLetters()).toHaveLength(1);
    expect(await engine.snapshot("faulty/1")).toMatchObject({ seq: 2 });
  });

  inThreeModes("a key is forgotten after its time, and its row is removed", async (bench) => {
    const engine = await bench.engine({ machines: [counter], limits: { keyRetentionMs: 60 * 60 * 1000, heartbeatMs: 60_000, leaseMs: 600_000 } });
    await engine.start("counter", "1");
    await engine.send("counter/1", { type: "ADD" }, { key: "a" });
    await engine.advance("59 minutes");
    expect(await engine.send("counter/1", { type: "ADD" }, { key: "a" })).toMatchObject({ duplicate: true });
    await engine.advance("3 minutes");
    const reader = await engine.reader();
    const { runPromise } = await import("effect/Effect");
    expect(await runPromise(reader.keys([{ address: "counter/1", key: "a" }]))).toEqual([]);
    expect(await engine.send("counter/1", { type: "ADD" }, { key: "a" })).toMatchObject({ duplicate: false });
    expect(await engine.snapshot("counter/1")).toMatchObject({ context: { count: 2 } });
  });

  inBothJournals("a key that is too old is not recognised even while its row is still there", async (bench) => {
    const engine = await bench.engine({ machines: [counter], limits: { keyRetentionMs: 1_000 } });
    await engine.start("counter", "1");
    await engine.send("counter/1", { type: "ADD" }, { key: "a" });
    await engine.advance("1 second");
    expect(await engine.send("counter/1", { type: "ADD" }, { key: "a" })).toMatchObject({ duplicate: true });
    await engine.advance("1 second");
    expect(await engine.send("counter/1", { type: "ADD" }, { key: "a" })).toMatchObject({ seq: 3, duplicate: false });
    expect(await engine.send("counter/1", { type: "ADD" }, { key: "a" })).toMatchObject({ seq: 3, duplicate: true });
  });

  for (const key of ["", 5, null, "x".repeat(1_001)]) {
    inBothJournals(`${JSON.stringify(key).slice(0, 20)} is no key`, async (bench) => {
      const engine = await bench.engine({ machines: [counter] });
      await engine.start("counter", "1");
      await expect(engine.send("counter/1", { type: "ADD" }, { key: key as string })).rejects.toMatchObject({ _tag: "InvalidEvent", path: "key" });
      expect(await engine.snapshot("counter/1")).toMatchObject({ seq: 1 });
    });
  }
});
