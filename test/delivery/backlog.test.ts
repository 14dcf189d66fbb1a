import { describe, expect } from "vitest";
import { delivered, retry } from "../../src/delivery/index.ts";
import type { OutboxPolicy } from "../../src/domain/outbox.ts";
import * as Effect from "effect/Effect";
import type { Journal } from "../../src/journal/index.ts";
import { type Bench, inBothJournals } from "../../src/testing/index.ts";
import { Host, message } from "../scenarios/host.ts";
import { Receiver } from "./receiver.ts";

const backlog = 3_000;
const policy: Partial<OutboxPolicy> = { retry: { attemptsMax: 100, backoff: { kind: "fixed", baseMs: 60_000 } }, attemptTimeoutMs: 3_600_000 };

/** An outbox whose reads are counted: how often the store was asked, and how many rows it gave. */
const open = async (bench: Bench, receiver: Receiver) => {
  const reads = { asked: 0, rows: 0 };
  const counted = <A>(read: Effect.Effect<ReadonlyArray<A>, never>): Effect.Effect<ReadonlyArray<A>, never> =>
    Effect.tap(read, (rows) => {
      reads.asked++;
      reads.rows += rows.length;
    });
  const wrap = (journal: Journal): Journal => ({
    ...journal,
    entries: (filter) => counted(journal.entries(filter) as never),
    laneHeads: (outbox) => counted(journal.laneHeads(outbox) as never),
    laneEntries: (filter) => counted(journal.laneEntries(filter) as never),
  });
  const host = await Host.open({ ...bench, engine: (options) => bench.engine({ ...options, wrap }) }, { outboxes: { box: { destination: receiver.destination, policy } } });
  await host.enqueue("box", ...Array.from({ length: backlog }, (_, n) => message(`bad ${n}`, { lane: "bad" })));
  /** What it reads for one entry in a lane of its own. */
  const costOf = async (key: string) => {
    Object.assign(reads, { asked: 0, rows: 0 });
    await host.enqueue("box", message(key, { lane: key }));
    expect(receiver.keys.at(-1)).toBe(key);
    await host.engine.advance("1 second");
    return { ...reads };
  };
  return { host, costOf };
};

describe("delivery > backlog", () => {
  inBothJournals("a new entry is found without what waits behind one that hangs", async (bench) => {
    const receiver = new Receiver(({ lane }) => (lane === "bad" ? undefined : delivered));
    const { host, costOf } = await open(bench, receiver);
    for (const key of ["a", "b", "c"]) {
      const { asked, rows } = await costOf(key);
      expect(asked).toBeLessThanOrEqual(12);
      expect(rows).toBeLessThanOrEqual(20);
    }
    receiver.rule = () => delivered;
    receiver.last.answer(delivered);
    receiver.calls[0]?.answer(delivered);
    await host.engine.advance("1 second");
    expect(receiver.keys.filter((key) => key.startsWith("bad"))).toEqual(Array.from({ length: backlog }, (_, n) => `bad ${n}`));
    expect((await host.engine.snapshot("outbox/box")).value).toEqual({ open: "idle" });
  });

  inBothJournals("a new entry is found without what waits behind one whose back-off has not ended", async (bench) => {
    const receiver = new Receiver(({ lane }) => (lane === "bad" ? retry("down") : delivered));
    const { host, costOf } = await open(bench, receiver);
    for (const key of ["a", "b", "c"]) {
      const { asked, rows } = await costOf(key);
      expect(asked).toBeLessThanOrEqual(12);
      expect(rows).toBeLessThanOrEqual(20);
    }
    receiver.rule = () => delivered;
    await host.engine.advance("1 minute");
    expect(receiver.keys.slice(1).filter((key) => key.startsWith("bad"))).toEqual(Array.from({ length: backlog }, (_, n) => `bad ${n}`));
    expect((await host.engine.snapshot("outbox/box")).value).toEqual({ open: "idle" });
  });
});
