import * as Effect from "effect/Effect";
import { describe, expect, test } from "vitest";
import { delivered, makeInboxes, makeObligations, makeOutboxes } from "../../src/delivery/index.ts";
import { JournalError } from "../../src/journal/index.ts";
import { testEngine } from "../../src/testing/index.ts";

const refusal = Effect.fail(new JournalError({ reason: "failed", where: "here", detail: "a bad sector" }));

describe("delivery > openings", () => {
  for (const [name, address, plugin] of [
    ["inboxes", "inbox/1", makeInboxes({ 1: {} })],
    ["outboxes", "outbox/1", makeOutboxes({ 1: { destination: () => delivered } })],
    ["obligations", "obligations/1", makeObligations({ 1: { read: () => 1 } })],
  ] as const)
    test(`${name} that the store refused when their engine was opened are there once it takes them`, async () => {
      let refuses = true;
      const engine = await testEngine({ machines: [], plugins: [plugin], wrap: (journal) => ({ ...journal, commit: (turn) => (refuses ? refusal : journal.commit(turn)) }) });
      await engine.settled();
      await expect(engine.taskwright.snapshot(address)).rejects.toMatchObject({ _tag: "UnknownActor" });
      refuses = false;
      await engine.advance(5_000);
      await engine.settled();
      expect(await engine.taskwright.snapshot(address)).toMatchObject({ status: "active" });
      await engine.dispose();
    });

  test("what comes for an inbox or an outbox before that begins it", async () => {
    let refuses = true;
    const [inboxes, outboxes] = [makeInboxes({ 1: { handler: () => {} } }), makeOutboxes({ 1: { destination: () => delivered } })];
    const engine = await testEngine({ machines: [], plugins: [inboxes, outboxes], wrap: (journal) => ({ ...journal, commit: (turn) => (refuses ? refusal : journal.commit(turn)) }) });
    const calls = () => [inboxes.receive("1", { cursor: { createdAt: 1, requestId: "a" }, type: "stop", payload: {} }), outboxes.enqueue("1", { type: "told", payload: 1 })];
    refuses = false;
    while (engine.taskwright.status().state !== "running") await engine.advance(10);
    await expect(engine.taskwright.snapshot("inbox/1")).rejects.toMatchObject({ _tag: "UnknownActor" });
    const receipts = Promise.all(calls().map((call) => Effect.runPromise<unknown, unknown>(call)));
    await engine.settled();
    expect(await receipts).toMatchObject([
      { address: "inbox/1", outcome: "handled" },
      { address: "outbox/1", outcome: "handled" },
    ]);
    await engine.dispose();
  });
});
