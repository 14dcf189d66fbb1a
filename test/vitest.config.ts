import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { ReplayedReporter } from "./replayed-reporter.ts";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const { TEST_REPORT } = process.env;

/** What takes more than ten seconds, the longest first. */
const longest = [
  "simulation/simulation.slow",
  "crash/crash.slow",
  "actor/conformance",
  "crash/power.slow",
  "cli/sample.slow",
  "dispatch/subprocess",
  "fuzz/fuzz",
  "dispatch/races",
  "engine/damaged-rows.slow",
  "inspector/page",
  "security/wire",
  "fuzz/planted",
  "scenarios/orchestrator",
  "replay/other-suites.slow",
  "scenarios/background-tasks",
  "delivery/kills.slow",
  "server/serve.slow",
  "docs",
  "crash/checker.slow",
  "engine/retention",
  "engine/same-in-all-modes",
  "broker/kills.slow",
  "dispatch/walk",
  "scenarios/broker",
  "scenarios/relay",
].map((name) => `/test/${name}.test.ts`);

/** Files that take long come first, so that none of them is left alone at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rankOf = ({ moduleId }: TestSpecification) => {
      const place = longest.findIndex((name) => moduleId.endsWith(name));
      if (place >= 0) return place;
      return moduleId.endsWith(".slow.test.ts") ? longest.length : longest.length + 1;
    };
    return (await super.sort(files)).sort((left, right) => rankOf(left) - rankOf(right));
  }
}

export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  test: {
    include: ["test/**/*.test.ts"],
    // For what hangs, not for what is slow: no test may depend on how much else the machine does.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 120_000 } },
    // The engine takes a hook at its failpoints only as it is loaded, and files share it.
    setupFiles: ["test/simulation/stage.ts", "test/replayed.ts"],
    // `.ci/run` counts the tests in a report.
    reporters: ["default", new ReplayedReporter(), ...(TEST_REPORT === undefined ? [] : [["json", { outputFile: TEST_REPORT }] as ["json", object]])],
    pool: "forks",
    // Tests throw away most of what they make: with room for it the collector takes half of its time.
    // Files share their modules: loading them anew for each of 200 files takes more time than most of the tests.
    poolOptions: { forks: { maxForks: 2, minForks: 1, isolate: false, execArgv: ["--max-semi-space-size=64"] } },
    sequence: { sequencer: LongestFirst },
  },
});
