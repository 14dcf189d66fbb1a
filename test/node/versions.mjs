/*
 * `npm run test:node -- 20 22 24`: the fast tests and 300,000 SQL statements with forced garbage collection on each of
 * these Node versions, over the same node_modules. The binaries come from the npm package `node` and are kept in a
 * folder of the system for temporary files.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const versions = process.argv.slice(2);
if (versions.length === 0 || versions.some((version) => !/^\d+(\.\d+){0,2}$/.test(version))) {
  console.error("usage: npm run test:node -- 20 22 24");
  process.exit(2);
}

/** The program of a Node version; installed at the first call. */
const nodeOf = (version) => {
  const folder = join(tmpdir(), "taskwright-node", version);
  const program = join(folder, "node_modules", "node", "bin", process.platform === "win32" ? "node.exe" : "node");
  if (!existsSync(program)) {
    mkdirSync(folder, { recursive: true });
    // The package fetches the program for this machine when it is installed.
    writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, allowScripts: { node: true } }));
    const npm = process.platform === "win32" ? "npm.cmd" : "npm";
    const installed = spawnSync(npm, ["install", "--no-audit", "--no-fund", "--no-package-lock", `node@${version}`], { encoding: "utf8", cwd: folder });
    if (installed.status !== 0 || !existsSync(program)) throw new Error(`node@${version} can't be installed:\n${installed.stdout}${installed.stderr}`);
  }
  return program;
};

const run = (program, words) => spawnSync(program, words, { cwd: root, encoding: "utf8", maxBuffer: 256 * 1024 * 1024, env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined } });
const howEnded = ({ status, signal }) => (signal === null ? `exit code ${status}` : signal);

const suite = (program, report) => {
  rmSync(report, { force: true });
  const ended = run(program, [
    "node_modules/vitest/vitest.mjs",
    "run",
    "--config",
    "test/vitest.config.ts",
    "--exclude",
    "**/*.slow.test.ts",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
  ]);
  const counts = existsSync(report) ? JSON.parse(readFileSync(report, "utf8")) : { numPassedTests: 0, numFailedTests: 0 };
  if (ended.status !== 0) console.log(ended.stdout.split("\n").slice(-150).join("\n"), ended.stderr);
  return { isGood: ended.status === 0 && counts.numPassedTests > 0, text: `${counts.numPassedTests} passed, ${counts.numFailedTests} failed (${howEnded(ended)})` };
};

const statements = (program, driver) => {
  const ended = run(program, ["--expose-gc", "test/node/statements.mjs", driver]);
  if (ended.status !== 0) console.log(ended.stdout, ended.stderr);
  return { isGood: ended.status === 0, text: ended.status === 0 ? ended.stdout.trim() : howEnded(ended) };
};

const rows = [];
for (const version of versions) {
  const program = nodeOf(version);
  const exact = run(program, ["--version"]).stdout.trim();
  console.log(`${exact}: fast tests`);
  const tested = suite(program, join(tmpdir(), "taskwright-node", `${version}.json`));
  console.log(`${exact}: 300,000 statements`);
  const stated = statements(program, "auto");
  rows.push({ exact, tested, stated });
}
const width = Math.max(...rows.map(({ tested }) => tested.text.length), 10);
console.log(`\n${"NODE".padEnd(10)}  ${"FAST TESTS".padEnd(width)}  300,000 STATEMENTS`);
for (const { exact, tested, stated } of rows) console.log(`${exact.padEnd(10)}  ${tested.text.padEnd(width)}  ${stated.text}`);
process.exitCode = rows.every(({ tested, stated }) => tested.isGood && stated.isGood) ? 0 : 1;
