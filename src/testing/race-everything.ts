import { type TestEngine, type TestEngineOptions, testEngine } from "./test-engine.ts";

export interface Race<World> {
  /** Makes everything anew for each order. Engines opened with `engine` are ended afterwards. */
  readonly setup: (engine: (options: TestEngineOptions) => Promise<TestEngine>) => Promise<World>;
  /** What may happen in any order, by name. */
  readonly racers: Readonly<Record<string, (world: World) => Promise<unknown>>>;
  /** What must hold after each order; throws if it does not. `order`: the names, in the order in which they began. */
  readonly check: (world: World, order: ReadonlyArray<string>) => unknown;
  /** Orders that are tried, evenly taken from all of them; default 720, which is all orders of six racers. */
  readonly ordersMax?: number;
}

export interface RaceReport {
  readonly orders: number;
}

/**
 * Runs what may happen at the same time in every order, each in two ways: one after the other, each settled before the
 * next; and all at once, so that they share a turn. A racer that is refused is no failure: the check decides. Rejects
 * with the order in which the check failed.
 */
export const raceEverything = async <World>({ setup, racers, check, ordersMax = 720 }: Race<World>): Promise<RaceReport> => {
  const names = Object.keys(racers);
  const all = factorial(names.length);
  const orders = Math.min(all, ordersMax);
  for (let index = 0; index < orders; index++) {
    const order = permutation(names, Math.floor((index * all) / orders));
    for (const atOnce of [false, true]) {
      const engines: Array<TestEngine> = [];
      const settle = async () => {
        for (const engine of engines) await engine.settled();
      };
      try {
        const world = await setup(async (options) => {
          const engine = await testEngine(options);
          engines.push(engine);
          return engine;
        });
        if (atOnce) await Promise.allSettled(order.map((name) => racers[name]?.(world)));
        else
          for (const name of order) {
            await Promise.allSettled([racers[name]?.(world)]);
            await settle();
          }
        await settle();
        await check(world, order);
        for (const engine of engines) await engine.end();
      } catch (cause) {
        for (const engine of engines) await engine.dispose();
        throw new Error(`${atOnce ? "at once" : "one after the other"} in the order ${order.join(", ")}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
      }
    }
  }
  return { orders };
};

const factorial = (count: number): number => (count < 2 ? 1 : count * factorial(count - 1));

/** The `index`th order of the names, in lexical order of their places. */
const permutation = (names: ReadonlyArray<string>, index: number): ReadonlyArray<string> => {
  const [first] = names;
  if (first === undefined) return [];
  const each = factorial(names.length - 1);
  const place = Math.floor(index / each);
  const chosen = names[place] ?? first;
  return [chosen, ...permutation(names.toSpliced(place, 1), index % each)];
};
