import * as Effect from "effect/Effect";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { OutboxContext, OutboxEvent } from "../../machines/outbox.ts";
import { delivered, makeOutboxes, refused, retry, unknownOutcome } from "../../src/delivery/index.ts";
import type { NewEntry, OutboxPolicy, Verdict } from "../../src/domain/outbox.ts";
import { derivedRandom } from "../../src/domain/random.ts";
import { type StoreKind, type TestEngine, testEngine } from "../../src/testing/index.ts";
import { Receiver } from "./receiver.ts";

type Step =
  | { readonly do: "enqueue"; readonly entries: ReadonlyArray<{ readonly lane: string; readonly replaces: string }> }
  | { readonly do: "advance"; readonly ms: number }
  | { readonly do: "force" | "pause" | "resume" | "restart" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("enqueue" as const),
      entries: fc.array(fc.record({ lane: fc.constantFrom("a", "b", "c"), replaces: fc.constantFrom("", "", "", "s") }), { minLength: 1, maxLength: 5 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.nat(20_000) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("force" as const, "pause" as const, "resume" as const, "resume" as const, "restart" as const) }) },
);

const policy: fc.Arbitrary<Partial<OutboxPolicy>> = fc
  .record({
    order: fc.constantFrom("lanes", "lanes", "fifo", "independent"),
    retry: fc.record({
      attemptsMax: fc.integer({ min: 1, max: 5 }),
      backoff: fc.constantFrom({ kind: "exponential", baseMs: 1_000, capMs: 8_000 }, { kind: "fixed", baseMs: 500 }),
      jitter: fc.constantFrom({ min: 0.5, max: 1 }, { min: 1, max: 1 }),
    }),
    entriesMax: fc.constantFrom(3, 10, 5_000),
    whenFull: fc.constantFrom("dropOldest", "refuse"),
    timeToLiveMs: fc.constantFrom(undefined, undefined, 5_000),
    batchMax: fc.constantFrom(1, 2, 3, 1_000),
    parallelMax: fc.constantFrom(1, 2, 8),
    perSecondMax: fc.constantFrom(undefined, undefined, 2),
    unknownOutcome: fc.constantFrom("retry", "stop"),
    restartClearsBackoff: fc.boolean(),
    startsPaused: fc.constantFrom(false, false, false, true),
    breaker: fc.constantFrom(undefined, undefined, { failuresMax: 2, cooldownMs: 3_000 }),
  })
  .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Partial<OutboxPolicy>);

/** How a receiver answers, by chance that a seed decides: the same entry and attempt get the same answer in every run. */
const receiverOf = (seed: number, sickness: number) =>
  new Receiver(({ key }, attempt): Verdict => {
    const chance = derivedRandom(seed, key, attempt);
    if (chance >= sickness) return delivered;
    const kind = derivedRandom(seed, key, attempt, "kind");
    return kind < 0.6 ? retry("down", kind < 0.1 ? 2_000 : undefined) : kind < 0.8 ? unknownOutcome("cut off") : refused("no");
  });

interface Stored {
  readonly key: string;
  readonly lane: string;
  readonly replaces: string;
}

const reports = async (engine: TestEngine) =>
  (await engine.taskwright.history("outbox/box", { limit: 100_000 })).flatMap(({ event, outcome }) =>
    (event.type === "taskwright.outbox.drained" || event.type === "taskwright.outbox.progressed") && outcome === "handled"
      ? [event as unknown as Extract<OutboxEvent, { type: "taskwright.outbox.drained" | "taskwright.outbox.progressed" }>]
      : [],
  );

const scenario = async (journal: StoreKind, given: Partial<OutboxPolicy>, steps: ReadonlyArray<Step>, receiver: Receiver) => {
  const outboxes = makeOutboxes({ box: { destination: receiver.destination, policy: given } });
  const engine = await testEngine({ machines: [], plugins: [outboxes], journal });
  try {
    await engine.settled();
    const stored: Array<Stored> = [];
    let crashes = 0;
    const { order = "lanes", entriesMax = 5_000, whenFull = "dropOldest" } = given;
    const call = async (effect: Effect.Effect<unknown, unknown>) => {
      const exit = Effect.runPromiseExit(effect);
      await engine.settled();
      return (await exit)._tag === "Success";
    };
    const look = async (did?: Step["do"]) => {
      const { value, context } = await engine.snapshot("outbox/box");
      const { pending, poisoned, unknown } = context as OutboxContext;
      const counts = await Effect.runPromise(outboxes.counts("box"));
      const state = typeof value === "string" ? value : (value as { readonly open?: string }).open;
      if (state === "idle" || state === "waiting") expect(counts, "its counters are what is stored").toEqual({ pending, poisoned, unknown });
      if (state === "idle") expect(counts.pending, "nothing waits when it is idle").toBe(0);
      expect(pending, "never too few").toBeGreaterThanOrEqual(counts.pending);
      // What is poisoned while it is paused, or moved, is looked at with the next entry.
      if (whenFull === "dropOldest" && (state !== "paused" || did === "enqueue")) expect(counts.pending + counts.poisoned, "the bound holds").toBeLessThanOrEqual(entriesMax);
      if (whenFull === "refuse") expect(counts.pending, "the bound holds").toBeLessThanOrEqual(entriesMax);
    };
    for (const next of steps) {
      switch (next.do) {
        case "enqueue": {
          const entries = next.entries.map(({ lane, replaces }, index): NewEntry & Stored => ({ key: `${stored.length + index + 1}`, type: "message", payload: null, lane, replaces }));
          const wanted = entries.map(({ replaces, ...entry }): NewEntry => (replaces === "" ? entry : { ...entry, replaces }));
          if (await call(outboxes.enqueue("box", wanted))) stored.push(...entries);
          break;
        }
        case "advance":
          await engine.advance(next.ms);
          break;
        case "restart":
          crashes++;
          await engine.restart();
          break;
        default:
          await call(outboxes[next.do]("box"));
      }
      await look(next.do);
    }
    receiver.rule = () => delivered;
    await call(outboxes.resume("box"));
    await engine.advance("10 minutes");
    await look();

    const said = await reports(engine);
    const rows = await Effect.runPromise(outboxes.entries("box", { limit: 100_000 }));
    const arrived = said.flatMap(({ delivered: all }) => all.map(([, key]) => key));
    const refusals = said.flatMap(({ undelivered }) => undelivered.filter(({ verdict }) => verdict === "refused").map(({ key }) => key));
    const known = new Map(stored.map((entry, index) => [entry.key, { ...entry, index }]));
    // None that was not stored.
    expect(receiver.keys.filter((key) => !known.has(key))).toEqual([]);
    // None lost: each was delivered, or refused, or dropped with a record, or is kept, or gave way to a later one.
    const accounted = new Set([...arrived, ...refusals, ...said.flatMap(({ over }) => over.map(({ key }) => key)), ...rows.map(({ key }) => key)]);
    const lost = stored.filter(({ key }) => !accounted.has(key));
    const isReplaced = ({ replaces, key }: Stored) => replaces !== "" && stored.some((other) => other.replaces === replaces && (known.get(other.key)?.index ?? 0) > (known.get(key)?.index ?? 0));
    expect(lost.filter((entry) => !isReplaced(entry))).toEqual([]);
    expect(rows.filter(({ status }) => status === "pending")).toEqual([]);
    // Attempts.
    const attemptsMax = given.retry?.attemptsMax ?? 12;
    for (const { attempt } of receiver.calls) expect(attempt).toBeLessThanOrEqual(attemptsMax);
    if (crashes === 0) for (const { key } of stored) expect(receiver.keys.filter((each) => each === key).length).toBeLessThanOrEqual(attemptsMax);
    // Order of first deliveries, lane by lane.
    if (order !== "independent") {
      const lanes = new Map<string, Array<number>>();
      const first = new Set<string>();
      for (const key of arrived) {
        if (first.has(key)) continue;
        first.add(key);
        const { lane, index } = known.get(key)!;
        const name = order === "fifo" ? "" : lane;
        lanes.set(name, [...(lanes.get(name) ?? []), index]);
      }
      for (const [lane, indexes] of lanes) expect(indexes, `lane ${lane}`).toEqual([...indexes].sort((a, b) => a - b));
    }
    expect(await engine.problems()).toEqual([]);
  } finally {
    await engine.dispose();
  }
};

describe("delivery > properties", () => {
  const runs: ReadonlyArray<readonly [StoreKind, number]> = [
    ["memory", 100],
    ["sqlite", 20],
  ];
  for (const [journal, numRuns] of runs) {
    test(`whatever happens, nothing is lost, invented, overtaken or tried too often (${journal})`, async () => {
      await fc.assert(
        fc.asyncProperty(policy, fc.array(step, { minLength: 1, maxLength: 14, size: "max" }), fc.nat(1_000), fc.constantFrom(0, 0.3, 0.7, 1), (given, steps, seed, sickness) =>
          scenario(journal, given, steps, receiverOf(seed, sickness)),
        ),
        { numRuns },
      );
    });
  }

  test("one lane that fails holds up no other, however small the batches", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 30 }), async (batchMax, parallelMax, ahead) => {
        const receiver = new Receiver(({ lane }) => (lane === "bad" ? retry("down") : delivered));
        const outboxes = makeOutboxes({ box: { destination: receiver.destination, policy: { batchMax, parallelMax } } });
        const engine = await testEngine({ machines: [], plugins: [outboxes] });
        const entry = (lane: string, n: number): NewEntry => ({ key: `${lane} ${n}`, type: "message", payload: null, lane });
        await Effect.runPromise(outboxes.enqueue("box", [...Array.from({ length: ahead }, (_, n) => entry("bad", n)), entry("good", 1), entry("good", 2), entry("better", 1)]));
        await engine.settled();
        expect([...receiver.keys].sort()).toEqual(["bad 0", "better 1", "good 1", "good 2"]);
        await engine.end();
      }),
      { numRuns: 25 },
    );
  });

  const lanes = ["a", "b", "c", "d", "e"];
  const whileDown = async (more: Partial<OutboxPolicy>) => {
    const receiver = new Receiver(() => retry("down"));
    const outboxes = makeOutboxes({
      box: { destination: receiver.destination, policy: { retry: { attemptsMax: 1_000_000, backoff: { kind: "exponential", baseMs: 1_000, capMs: 300_000 }, jitter: { min: 0.5, max: 1 } }, ...more } },
    });
    const engine = await testEngine({ machines: [], plugins: [outboxes] });
    await Effect.runPromise(
      outboxes.enqueue(
        "box",
        lanes.flatMap((lane) => Array.from({ length: 20 }, (_, n): NewEntry => ({ key: `${lane} ${n}`, type: "message", payload: null, lane }))),
      ),
    );
    await engine.advance("1 hour");
    const before = (await reports(engine)).length;
    const calls = receiver.calls.length;
    await engine.advance("2 hours");
    return { engine, receiver, drains: (await reports(engine)).length - before, calls: receiver.calls.length - calls };
  };

  test("while the receiver is down for hours there is no hot loop, and no herd when it is back", async () => {
    // No call is given up while the test holds it.
    const { engine, receiver, drains, calls } = await whileDown({ attemptTimeoutMs: 3_600_000 });
    // Each of five lanes is tried every 150 to 300 seconds.
    expect(drains).toBeLessThanOrEqual(5 * 2 * 24);
    expect(calls).toBeLessThanOrEqual(5 * 2 * 24);
    expect(calls).toBeGreaterThanOrEqual(5 * 2 * 12);
    let [together, most] = [0, 0];
    receiver.rule = () => undefined;
    const known = receiver.calls.length;
    await engine.advance("5 minutes");
    for (;;) {
      const open = receiver.calls.slice(known + together);
      if (open.length === 0) break;
      most = Math.max(most, open.length);
      together += open.length;
      for (const call of open) call.answer(delivered);
      await engine.settled();
    }
    expect(most).toBeLessThanOrEqual(5);
    await engine.end();
  });

  test("with a breaker a receiver that is down is asked once per cool-down", async () => {
    const { engine, drains, calls } = await whileDown({ breaker: { failuresMax: 3, cooldownMs: 60_000 } });
    expect(drains).toBeLessThanOrEqual(2 * 60 + 1);
    expect(calls).toBeLessThanOrEqual(2 * 60 + 1);
    await engine.end();
  });
});
