import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { setup } from "xstate";
import { defaultLimits } from "../../src/domain/limits.ts";
import { testEngine } from "../../src/testing/test-engine.ts";
import { counter } from "../engine/machines.ts";

const day = 24 * 60 * 60 * 1000;
const sleepers = 100_000;

/** Sleeps as long as it is told, once. */
const sleeper = setup({ types: { input: {} as { ms: number }, context: {} as { ms: number } }, delays: { while: ({ context }) => context.ms } }).createMachine({
  id: "sleeper",
  context: ({ input }) => input,
  initial: "asleep",
  states: { asleep: { after: { while: "awake" } }, awake: {} },
});

/** Memory in use after the garbage is gone, in MiB. */
const heapMiB = (): number => {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed / 1024 / 1024;
};

test("herd > 100,000 timers due after a month without an engine > keep their order, and leave room for new work and memory", { timeout: 300_000 }, async () => {
  const engine = await testEngine({ machines: [sleeper, counter], journal: "sqlite" });
  await engine.start("counter", "1");
  for (let from = 0; from < sleepers; from += 1_000) {
    // Spread over thirty days, in no order.
    await engine.taskwright.startAll(
      Array.from({ length: 1_000 }, (_, index) => ({ machine: "sleeper", id: String(from + index), input: { ms: 1 + (((from + index) * 7_919) % sleepers) * 25_920 } })),
    );
  }
  engine.crash();
  engine.time.advance(31 * day);
  const before = heapMiB();
  await engine.open({ ownerIsDead: true });

  const began = performance.now();
  let fired = 0;
  let latest = 0;
  let isInOrder = true;
  engine.taskwright.observe(({ event, state }) => {
    if (event.type !== "taskwright.timer") return;
    fired++;
    const { ms } = state.snapshot.context as { ms: number };
    if (ms < latest) isInOrder = false;
    latest = ms;
  });
  const waits: Array<number> = [];
  /** The same in processor time: on a machine that does much else the clock on the wall says little about the engine. */
  const work: Array<number> = [];
  /** How many timers went before it: what an event waits for on any machine. */
  const ahead: Array<number> = [];
  let residents = 0;
  let waiting = 0;
  let most = 0;
  while (fired < sleepers) {
    const sent = performance.now();
    const used = process.cpuUsage();
    const firedBefore = fired;
    await engine.taskwright.send("counter/1", { type: "ADD" });
    waits.push(performance.now() - sent);
    const { user, system } = process.cpuUsage(used);
    work.push((user + system) / 1_000);
    ahead.push(fired - firedBefore);
    const status = engine.taskwright.status();
    residents = Math.max(residents, status.residents);
    waiting = Math.max(waiting, status.waiting);
    if (waits.length % 20 === 0) most = Math.max(most, heapMiB());
  }
  const spread = (all: Array<number>) => {
    all.sort((left, right) => left - right);
    return [0.5, 0.99].map((part) => all[Math.floor(all.length * part)]?.toFixed(0)).join(" and ");
  };
  console.log(
    `${sleepers} timers in ${((performance.now() - began) / 1000).toFixed(1)} s; meanwhile ${waits.length} events, the median and 99 % of them served within ${spread(waits)} ms, of processor time ${spread(work)} ms, behind ${Math.max(...ahead)} timers at most; heap ${before.toFixed(0)} MiB before, at most ${most.toFixed(0)} MiB`,
  );
  expect(isInOrder).toBe(true);
  expect(fired).toBe(sleepers);
  // One turn that was under way, and its own.
  expect(Math.max(...ahead)).toBeLessThanOrEqual(2 * defaultLimits.turnEnvelopesMax);
  expect(work[Math.floor(work.length * 0.5)]).toBeLessThan(250);
  expect(waits.length).toBeGreaterThan(50);
  expect(residents).toBeLessThanOrEqual(20_000);
  expect(waiting).toBeLessThan(10);
  expect(most - before).toBeLessThan(150);
  await engine.settled();
  await engine.dispose();
});
