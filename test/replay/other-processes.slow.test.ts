import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type History, writeHistories } from "../../src/replay/index.ts";
import { type StoreKind, TestEngine } from "../../src/testing/index.ts";
import { Duel, noCounts } from "../fuzz/run.ts";
import { cases, digestOf, machinesOfCase } from "./fuzzed.ts";
import { historiesOf } from "./kept.ts";

const seed = 4711;
const count = Number(process.env.REPLAY_MACHINES ?? 8);
const viteNode = fileURLToPath(new URL("../../node_modules/vite-node/vite-node.mjs", import.meta.url));
const elsewhere = fileURLToPath(new URL("replay-elsewhere.ts", import.meta.url));

/** This Node, and those that `npm run test:node` has installed. */
const nodes = (): ReadonlyArray<string> => {
  const folder = join(tmpdir(), "taskwright-node");
  const installed = existsSync(folder) ? readdirSync(folder).map((version) => join(folder, version, "node_modules", "node", "bin", "node")) : [];
  return [process.execPath, ...installed.filter((program) => existsSync(program))];
};

describe("replay > elsewhere", () => {
  const { problems } = TestEngine.prototype;
  let kept: ReadonlyArray<History> = [];
  beforeAll(() => {
    vi.spyOn(console, "warn").mockImplementation(() => {});
    TestEngine.prototype.problems = async function (this: TestEngine) {
      kept = await historiesOf(this);
      return problems.call(this);
    };
  });
  afterAll(() => {
    TestEngine.prototype.problems = problems;
  });

  it(
    "generated machines lead to the same states over memory and SQLite, in another process, and on each Node that is there",
    async () => {
      const all = cases(seed, count);
      const written: Record<StoreKind, Array<ReadonlyArray<History>>> = { memory: [], sqlite: [] };
      for (const journal of ["memory", "sqlite"] as const)
        for (const one of all) {
          kept = [];
          await Duel.run({ ...one, journal }, noCounts());
          written[journal].push(kept);
        }
      const digests = all.map((one, index) => digestOf(written.memory[index] ?? [], machinesOfCase(one)));
      expect(all.map((one, index) => digestOf(written.sqlite[index] ?? [], machinesOfCase(one)))).toEqual(digests);
      expect(new Set(digests).size).toBeGreaterThan(count / 2);
      const folder = mkdtempSync(join(tmpdir(), "taskwright-elsewhere-"));
      try {
        const file = join(folder, "histories.json");
        writeFileSync(file, JSON.stringify({ seed, texts: written.sqlite.map((histories) => writeHistories(histories)) }));
        const versions = nodes().map((program) => {
          const found = JSON.parse(execFileSync(program, [viteNode, elsewhere, file], { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 })) as {
            readonly version: string;
            readonly digests: ReadonlyArray<string>;
          };
          expect(found.digests, `on Node ${found.version}`).toEqual(digests);
          return found.version;
        });
        if (process.env.REPLAY_MACHINES !== undefined) console.log(`${count} machines replay on Node ${versions.join(", ")}`);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    120_000 + count * 2_000,
  );
});
