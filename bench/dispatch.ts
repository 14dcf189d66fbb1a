import { Matcher } from "../src/dispatch/matcher.ts";
import { type Figure, median } from "./report.ts";

const workers = 1_000;
const keys = 100;
// Whoever asks for a decision has these already.
const kinds = ["k"];
const queues = Array.from({ length: 4 }, (_, n) => `q${n}`);
const keyNames = Array.from({ length: keys }, (_, n) => `key${n}`);
const workerNames = Array.from({ length: workers }, (_, n) => `worker/${n}`);

/** How long `decisions` decisions take while so many tasks wait: each time a worker is free, it gets the next task, and another one comes. */
const decide = (waiting: number, decisions: number): number => {
  const matcher = new Matcher(Number.POSITIVE_INFINITY);
  let born = 0;
  const add = () => {
    const n = born++;
    const [queue, key] = [queues[n % 4] as string, keyNames[n % keys] as string];
    matcher.ready.add({ id: `t${n}`, kind: "k", queue, key, slots: 1, born: n, order: matcher.orderOf(queue, n, (n * 7919) % 5) });
  };
  for (let n = 0; n < waiting; n++) add();
  for (let n = 0; n < workers; n++) matcher.setWorker(workerNames[n] as string, kinds, 1, 0);
  const begun = performance.now();
  for (let n = 0; n < decisions; n++) {
    matcher.setWorker(workerNames[n % workers] as string, kinds, 1, 1);
    matcher.match(n, ({ id }) => matcher.unload(id, n));
    add();
  }
  return performance.now() - begun;
};

/** Decisions per second with more and more tasks waiting; the ratio says whether one costs the same. */
export const dispatch = (decisions: number): ReadonlyArray<Figure> => {
  const sizes = [100, 10_000, 100_000];
  for (const size of sizes) decide(size, Math.min(decisions, 20_000));
  // One after the other in rounds: what else the machine does meanwhile is spread over all of them.
  const rounds = [1, 2, 3, 4, 5].map(() => sizes.map((size) => decide(size, decisions)));
  const perSecond = sizes.map((_, index) => (decisions / median(rounds.map((times) => times[index] as number))) * 1_000);
  return [
    ...sizes.map((size, index) => ({ name: `decisions with ${size} tasks waiting`, value: Math.round(perSecond[index] as number), unit: "per second" })),
    { name: "most against fewest waiting", value: Math.round(((perSecond[0] as number) / (perSecond[2] as number)) * 100) / 100, unit: "times as long" },
  ];
};
