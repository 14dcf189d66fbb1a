import * as Effect from "effect/Effect";
import { describe, expect } from "vitest";
import { makeOutboxes } from "../../src/delivery/index.ts";
import type { NewEntry, OutboxPolicy } from "../../src/domain/outbox.ts";
import { type Bench, inBothJournals } from "../../src/testing/index.ts";
import { type Fault, FaultyReceiver, faults } from "./faults.ts";

const hourMs = 3_600_000;
const hours = 2;
const capMs = 600_000;
const timeoutMs = 20_000;
const policy: Partial<OutboxPolicy> = {
  retry: { attemptsMax: 10_000, backoff: { kind: "exponential", baseMs: 1_000, capMs }, jitter: { min: 0.5, max: 1 } },
  parallelMax: 4,
  attemptTimeoutMs: 30_000,
};
const badLanes = ["bad-1", "bad-2", "bad-3"];
const entry = (lane: string, n: number): NewEntry => ({ key: `${lane}-${n}`, type: "message", lane, payload: { n } });
/** One attempt per back-off: eleven until the cap is reached, then at least half the cap apart. */
const attemptsMost = 11 + (hours * hourMs) / (capMs / 2);

const open = async (bench: Bench, fault: Fault) => {
  const receiver = await FaultyReceiver.open(fault);
  const outboxes = makeOutboxes({ box: { destination: receiver.destination(timeoutMs), policy } });
  const engine = await bench.engine({ machines: [], plugins: [outboxes] });
  receiver.time = engine.time;
  /** Until nothing more happens at this moment, in the engine or on the wire. */
  const settled = async () => {
    for (let before = -1; before !== engine.taskwright.status().turns; ) {
      before = engine.taskwright.status().turns;
      await engine.settled();
      await receiver.settled();
      await engine.settled();
    }
  };
  const advance = async (ms: number) => {
    const to = engine.time.now() + ms;
    for (let next = engine.time.next; next !== undefined && next <= to; next = engine.time.next) {
      await engine.advance(Math.max(0, next - engine.time.now()));
      await settled();
    }
    await engine.advance(to - engine.time.now());
    await settled();
  };
  const enqueue = async (...entries: ReadonlyArray<NewEntry>) => {
    await Promise.all([Effect.runPromise(outboxes.enqueue("box", entries)), settled()]);
    await settled();
  };
  await settled();
  return { receiver, outboxes, engine, advance, enqueue, turns: () => engine.taskwright.status().turns };
};

describe("delivery > conformance", () => {
  for (const fault of faults)
    inBothJournals(`for hours a receiver ${fault}: one attempt per back-off, no lane waits for another, none overtakes, no herd afterwards`, async (bench) => {
      const { receiver, outboxes, engine, advance, enqueue, turns } = await open(bench, fault);
      try {
        const isFinal = fault === "redirects in a loop";
        await enqueue(...badLanes.flatMap((lane) => [entry(lane, 1), entry(lane, 2)]), entry("good", 1));
        const begun = turns();
        for (let hour = 1; hour <= hours; hour++) {
          // In the middle of it another lane goes at once, and is recorded.
          const { length } = receiver.effects;
          await enqueue(entry("good", hour + 1));
          expect(receiver.effects.slice(length)).toEqual([`good-${hour + 1}`]);
          await advance(hourMs);
        }
        const bad = receiver.requests.filter(({ lane }) => lane.startsWith("bad"));
        const kept = await Effect.runPromise(outboxes.counts("box"));
        if (isFinal) {
          // Nobody could ever take it there: it is refused, with a record, after so many redirects.
          expect(kept).toEqual({ pending: 0, poisoned: 0, unknown: 0 });
          expect(bad).toHaveLength(badLanes.length * 2 * 4);
          expect((await engine.snapshot("outbox/box")).context).toMatchObject({ refused: 6 });
          return;
        }
        expect(kept).toEqual({ pending: 6, poisoned: 0, unknown: 0 });
        if (fault === "refuses connections") expect(bad).toEqual([]);
        else {
          expect(bad.length).toBeLessThanOrEqual(badLanes.length * attemptsMost);
          expect(bad.length).toBeGreaterThan(badLanes.length * ((hours * hourMs) / (capMs + timeoutMs)));
        }
        // A drain is a turn when it begins and one when it ends.
        expect(turns() - begun).toBeLessThanOrEqual(3 * badLanes.length * attemptsMost);
        expect(new Set(bad.map(({ key }) => key))).toEqual(new Set(fault === "refuses connections" ? [] : badLanes.map((lane) => `${lane}-1`)));

        receiver.isDown = false;
        const known = receiver.requests.length;
        await advance(capMs + timeoutMs);
        const after = receiver.requests.slice(known);
        expect(await Effect.runPromise(outboxes.counts("box"))).toEqual({ pending: 0, poisoned: 0, unknown: 0 });
        for (const lane of badLanes) expect(after.filter((request) => request.lane === lane).map(({ key }) => key)).toEqual([`${lane}-1`, `${lane}-2`]);
        expect(new Set(after.filter(({ key }) => key.endsWith("-1")).map(({ at }) => at)).size).toBe(badLanes.length);
        // Each once, by its key, however often it was sent.
        expect([...receiver.effects].sort()).toEqual([...badLanes.flatMap((lane) => [`${lane}-1`, `${lane}-2`]), ...Array.from({ length: hours + 1 }, (_, n) => `good-${n + 1}`)].sort());
        expect(receiver.atOnceMax).toBeLessThanOrEqual(4);
        expect((await engine.snapshot("outbox/box")).value).toEqual({ open: "idle" });
      } finally {
        await receiver.close();
      }
    });
});
