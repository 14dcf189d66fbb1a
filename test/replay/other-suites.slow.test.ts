import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { Forms, type History, replay } from "../../src/replay/index.ts";
import { TestEngine } from "../../src/testing/index.ts";
import { search } from "../fuzz/search.ts";
import { castOf } from "../simulation/cast.ts";
import { World } from "../simulation/world.ts";
import { unfaithful } from "./faithful.ts";
import { everyHistory, historiesOf } from "./kept.ts";

/** What the suites left behind, each with the machines that wrote it. */
interface Kept {
  readonly histories: ReadonlyArray<History>;
  readonly forms: Forms;
}

const differences = (kept: ReadonlyArray<Kept>): ReadonlyArray<string> =>
  kept.flatMap(({ histories, forms }) =>
    histories.flatMap((history) => {
      const { difference } = replay(history, forms);
      const found = difference === undefined ? undefined : `${history.address}, entry ${difference.seq} (${difference.event}): ${difference.detail}; ${difference.why}`;
      return [found, unfaithful(history, forms)].filter((one) => one !== undefined);
    }),
  );
const countOf = (kept: ReadonlyArray<Kept>) => ({
  histories: kept.reduce((sum, { histories }) => sum + histories.length, 0),
  entries: kept.reduce((sum, { histories }) => sum + histories.reduce((inner, { entries }) => inner + entries.length, 0), 0),
});

const { REPLAY_SEEDS, REPLAY_MACHINES } = process.env;
const seeds = Number(REPLAY_SEEDS ?? 30);
const machines = Number(REPLAY_MACHINES ?? 80);

describe("replay > what other suites leave behind", () => {
  const { problems } = TestEngine.prototype;
  let kept: Array<Kept> = [];
  beforeAll(() => {
    vi.spyOn(console, "warn").mockImplementation(() => {});
    // Every engine of a scenario hands over its histories at its end.
    TestEngine.prototype.problems = async function (this: TestEngine) {
      kept.push({ histories: await historiesOf(this), forms: new Forms(this.machines) });
      return problems.call(this);
    };
  });
  afterAll(() => {
    TestEngine.prototype.problems = problems;
  });

  it(
    "replays without a difference: worlds with crashes, takeovers, failing disks and jumping clocks",
    async () => {
      const forms = new Forms(castOf([]));
      const behind: Array<Kept> = [];
      for (let seed = 1; seed <= seeds; seed++) {
        const world = new World({ seed });
        const { store } = world;
        const { dispose } = store;
        (store as { dispose: typeof dispose }).dispose = async () => {
          if (store.memory !== undefined) behind.push({ histories: await everyHistory(store.memory), forms });
          await dispose();
        };
        await world.run();
      }
      const { histories, entries } = countOf(behind);
      if (REPLAY_SEEDS !== undefined) console.log(`${seeds} worlds, ${histories} histories, ${entries} entries`);
      expect(histories).toBeGreaterThan(seeds * 15);
      expect(differences(behind)).toEqual([]);
    },
    60_000 + seeds * 2_000,
  );

  it(
    "replays without a difference: generated machines with children, promises, deadlines and restarts",
    async () => {
      kept = [];
      expect((await search({ machines, seed: 77 })).failure).toBeUndefined();
      const { histories, entries } = countOf(kept);
      if (REPLAY_MACHINES !== undefined) console.log(`${machines} machines, ${histories} histories, ${entries} entries`);
      expect(histories).toBeGreaterThan(machines);
      expect(differences(kept)).toEqual([]);
    },
    60_000 + machines * 1_000,
  );
});
