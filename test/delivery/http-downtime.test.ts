import * as Effect from "effect/Effect";
import { describe, expect } from "vitest";
import { delivered, makeOutboxes, type OutboxOptions, retry } from "../../src/delivery/index.ts";
import type { NewEntry } from "../../src/domain/outbox.ts";
import { type Bench, inBothJournals, type VirtualTime } from "../../src/testing/index.ts";
import { Receiver } from "./receiver.ts";

const hourMs = 60 * 60 * 1_000;
const hours = 2;
const capMs = 300_000;
const lanes = 8;
const perLane = 4;

/** A receiver on the engine's clock: down until it comes back, then it answers `answerMs` after it was asked. */
class Remote {
  readonly calls: Array<{ readonly at: number; readonly key: string; readonly lane: string }> = [];
  readonly receiver: Receiver;
  isUp = false;
  atOnce = 0;
  atOnceMax = 0;
  time: VirtualTime | undefined;
  readonly answerMs = 50;

  constructor() {
    this.receiver = new Receiver(({ key, lane }) => {
      const time = this.time as VirtualTime;
      this.calls.push({ at: time.now(), key, lane });
      if (!this.isUp) return retry("connect ECONNREFUSED");
      const call = this.receiver.last;
      this.atOnceMax = Math.max(this.atOnceMax, ++this.atOnce);
      time.wakeAt(time.now() + this.answerMs, () => {
        this.atOnce--;
        call.answer(delivered);
      });
      return undefined;
    });
  }

  /** The most calls within one span of so many milliseconds. */
  busiest(spanMs: number, since = 0): number {
    const moments = this.calls.map(({ at }) => at).filter((at) => at >= since);
    return Math.max(0, ...moments.map((from, index) => moments.slice(index).filter((at) => at < from + spanMs).length));
  }
}

const entries = (): ReadonlyArray<NewEntry> =>
  Array.from({ length: lanes * perLane }, (_, index) => ({ key: `${index % lanes}-${Math.floor(index / lanes)}`, type: "message", lane: `lane-${index % lanes}`, payload: index }));

const open = async (bench: Bench, policy: NonNullable<OutboxOptions["policy"]>) => {
  const remote = new Remote();
  const outboxes = makeOutboxes({ box: { destination: remote.receiver.destination, policy } });
  const engine = await bench.engine({ machines: [], plugins: [outboxes] });
  remote.time = engine.time;
  await engine.settled();
  await Promise.all([Effect.runPromise(outboxes.enqueue("box", entries())), engine.settled()]);
  return { remote, outboxes, engine, turns: () => engine.taskwright.status().turns };
};

const patient: NonNullable<OutboxOptions["policy"]> = { retry: { attemptsMax: 10_000, backoff: { kind: "exponential", baseMs: 1_000, capMs }, jitter: { min: 0.5, max: 1 } } };

const comesBack = async ({ remote, engine }: Awaited<ReturnType<typeof open>>, within: number) => {
  const tried = remote.calls.length;
  remote.isUp = true;
  const since = engine.time.now();
  await engine.advance(within);
  return { since, calls: remote.calls.slice(tried) };
};

const inOrder = (calls: ReadonlyArray<{ readonly key: string; readonly lane: string }>) => {
  for (let lane = 0; lane < lanes; lane++)
    expect(calls.filter((call) => call.lane === `lane-${lane}`).map(({ key }) => key)).toEqual(Array.from({ length: perLane }, (_, index) => `${lane}-${index}`));
};

describe("delivery > downtime", () => {
  inBothJournals("of hours costs each lane one attempt per back-off, and few turns: no hot loop", async (bench) => {
    const scene = await open(bench, patient);
    const { remote, engine, turns } = scene;
    const before = turns();
    await engine.advance(hours * hourMs);
    // Between half the cap and the cap apart, after the first doublings.
    const most = lanes * (10 + (hours * hourMs) / (capMs / 2));
    expect(remote.calls.length).toBeLessThanOrEqual(most);
    expect(remote.calls.length).toBeGreaterThan(lanes * ((hours * hourMs) / capMs));
    expect(new Set(remote.calls.map(({ key }) => key))).toHaveLength(lanes);
    // A drain is a turn when it begins and one when it ends.
    expect(turns() - before).toBeLessThanOrEqual(3 * remote.calls.length);
    expect(remote.busiest(1_000, engine.time.now() - hourMs)).toBeLessThan(lanes);
  });

  inBothJournals("ends without a herd: so many at a time as the policy says, each lane in its order, all within one back-off", async (bench) => {
    const scene = await open(bench, { ...patient, parallelMax: 4 });
    await scene.engine.advance(hours * hourMs);
    const { calls } = await comesBack(scene, capMs + 30_000);
    expect(scene.remote.atOnceMax).toBeLessThanOrEqual(4);
    expect(calls).toHaveLength(lanes * perLane);
    inOrder(calls);
    // The lanes come back one by one, as their back-offs end.
    expect(new Set(calls.filter(({ key }) => key.endsWith("-0")).map(({ at }) => at)).size).toBeGreaterThan(lanes / 2);
    expect((await scene.engine.snapshot("outbox/box")).value).toEqual({ open: "idle" });
  });

  inBothJournals("ends without a herd where somebody forces all of it at once", async (bench) => {
    const scene = await open(bench, { ...patient, parallelMax: 4 });
    await scene.engine.advance(hours * hourMs);
    const tried = scene.remote.calls.length;
    scene.remote.isUp = true;
    await Promise.all([Effect.runPromise(scene.outboxes.force("box")), scene.engine.settled()]);
    await scene.engine.advance((lanes * perLane * 50) / 4 + 50);
    expect(scene.remote.atOnceMax).toBe(4);
    expect(scene.remote.calls).toHaveLength(tried + lanes * perLane);
    inOrder(scene.remote.calls.slice(tried));
  });

  inBothJournals("with a breaker costs one probe per cool-down", async (bench) => {
    const scene = await open(bench, { ...patient, breaker: { failuresMax: 10, cooldownMs: 5 * 60_000 } });
    await scene.engine.advance(hours * hourMs);
    const probes = (hours * hourMs) / (5 * 60_000);
    // Batches that were under way when the breaker's count was full, then probes.
    expect(scene.remote.calls.length).toBeLessThanOrEqual(2 * lanes + probes);
    expect(scene.remote.calls.length).toBeGreaterThanOrEqual(lanes + probes - 2);
    expect(scene.remote.busiest(60_000, scene.engine.time.now() - hourMs)).toBe(1);
    const { calls } = await comesBack(scene, 2 * capMs);
    expect(calls).toHaveLength(lanes * perLane);
    expect(scene.remote.atOnceMax).toBeLessThanOrEqual(8);
    inOrder(calls);
  });

  inBothJournals("with a pace ends no faster than that pace", async (bench) => {
    const scene = await open(bench, { ...patient, perSecondMax: 5 });
    await scene.engine.advance(hours * hourMs);
    const { since, calls } = await comesBack(scene, 2 * capMs);
    expect(calls).toHaveLength(lanes * perLane);
    inOrder(calls);
    expect(scene.remote.busiest(1_000, since)).toBeLessThanOrEqual(10);
    expect(scene.remote.busiest(20_000, since)).toBeLessThanOrEqual(5 * 21);
  });

  inBothJournals("with a budget of attempts poisons entry after entry, and keeps them all", async (bench) => {
    const scene = await open(bench, {});
    await scene.engine.advance(hours * hourMs);
    expect(await Effect.runPromise(scene.outboxes.counts("box"))).toEqual({ pending: 0, poisoned: lanes * perLane, unknown: 0 });
    expect(scene.remote.calls).toHaveLength(lanes * perLane * 12);
    // Nothing is left to wait for but the renewal of the lease.
    expect(scene.engine.time.next).toBeGreaterThanOrEqual(scene.engine.time.now() + hourMs);
  });
});
