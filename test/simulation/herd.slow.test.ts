import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { setup } from "xstate";
import { defaultLimits } from "../../src/domain/limits.ts";
import { testEngine } from "../../src/testing/test-engine.ts";
import { counter } from "../engine/machines.ts";

const day = 24 * 60 * 60 * 1000;
/** The long form is `HERD_TIMERS=100000`. */
const sleepers = Number(process.env.HERD_TIMERS ?? 30_000);

/** Sleeps as long as it is told, once. */
const sleeper = setup({ types: { input: {} as { ms: number }, context: {} as { ms: number } }, delays: { while: ({ context }) => context.ms } }).createMachine({
  id: "sleeper",
  context: ({ input }) => input,
  initial: "asleep",
  states: { asleep: { after: { while: "awake" } }, awake: {} },
});

const processorMs = (since: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1_000;
};
const measure = Array.from({ length: 50 }, (_, n) => ({ n, text: "measure" }));
const median = (all: ReadonlyArray<number>): number => [...all].sort((left, right) => left - right)[Math.floor(all.length / 2)] as number;

/** Memory in use after the garbage is gone, in MiB. */
const heapMiB = (): number => {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed / 1024 / 1024;
};

test(`herd > ${sleepers} timers due after a month without an engine > keep their order, and leave room for new work and memory`, async () => {
  const engine = await testEngine({ machines: [sleeper, counter], journal: "sqlite" });
  await engine.start("counter", "1");
  for (let from = 0; from < sleepers; from += 1_000) {
    // Spread over thirty days, in no order.
    await engine.taskwright.startAll(
      Array.from({ length: 1_000 }, (_, index) => ({ machine: "sleeper", id: String(from + index), input: { ms: 1 + (((from + index) * 7_919) % sleepers) * Math.floor((30 * day) / sleepers) } })),
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
  /** What each event cost in processor time, compared with a piece of work that is always the same and was done right after it. */
  const prices: Array<number> = [];
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
    const work = processorMs(used);
    const yardstick = process.cpuUsage();
    for (let n = 0; n < 200; n++) JSON.parse(JSON.stringify(measure));
    prices.push(work / processorMs(yardstick));
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
    `${sleepers} timers in ${((performance.now() - began) / 1000).toFixed(1)} s; meanwhile ${waits.length} events, the median and 99 % of them served within ${spread(waits)} ms, behind ${Math.max(...ahead)} timers at most; heap ${before.toFixed(0)} MiB before, at most ${most.toFixed(0)} MiB`,
  );
  expect(isInOrder).toBe(true);
  expect(fired).toBe(sleepers);
  // One turn that was under way, and its own.
  expect(Math.max(...ahead)).toBeLessThanOrEqual(2 * defaultLimits.turnEnvelopesMax);
  expect(prices.length).toBeGreaterThan(sleepers / defaultLimits.turnEnvelopesMax / 4);
  // An event costs as much while nearly all of them are still due as when few are: a pump that goes through all that are due does not pass.
  const quarter = Math.floor(prices.length / 4);
  const [early, late] = [median(prices.slice(0, quarter)), median(prices.slice(-quarter))];
  expect(early).toBeLessThan(4 * late);
  expect(residents).toBeLessThanOrEqual(20_000);
  expect(waiting).toBeLessThan(10);
  expect(most - before).toBeLessThan(100);
  await engine.settled();
  await engine.dispose();
});
