import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { ReplayedReporter } from "./replayed-reporter.ts";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const { TEST_REPORT } = process.env;

/** Files that take long come first, so that none of them is left alone at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isSlow = ({ moduleId }: TestSpecification) => moduleId.endsWith(".slow.test.ts");
    return [...sorted.filter(isSlow), ...sorted.filter((file) => !isSlow(file))];
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
    // Files share their modules: loading them anew for each of 200 files takes more time than most of the tests.
    poolOptions: { forks: { maxForks: 2, minForks: 1, isolate: false } },
    sequence: { sequencer: LongestFirst },
  },
});
