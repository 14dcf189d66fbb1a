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
});
