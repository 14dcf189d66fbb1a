import { mkdirSync, renameSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const made = new Map<string, string>();

/**
 * A TypeScript program of the tests, with all that it imports, as one file for a process of its own: that starts in a
 * third of the time which many files take. Made from the sources: what lies in dist/ may be older. The bundler is the
 * one that the test runner has. Once per process and program; what another process makes meanwhile is the same.
 */
export const bundled = (program: string): string => {
  let file = made.get(program);
  if (file === undefined) {
    let require = createRequire(import.meta.url);
    for (const owner of ["vitest", "vite"]) require = createRequire(require.resolve(`${owner}/package.json`));
    const { buildSync } = require("esbuild") as { buildSync: (options: unknown) => void };
    // Within the project, so that what is not bundled is found.
    const folder = join(root, ".work", "programs");
    mkdirSync(folder, { recursive: true });
    file = join(folder, `${relative(root, program).replaceAll(/[\\/]/g, "-")}.mjs`);
    const outfile = `${file}.${process.pid}`;
    const banner = { js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);' };
    // Names of functions are part of what a machine is known by.
    buildSync({ entryPoints: [program], outfile, banner, bundle: true, keepNames: true, platform: "node", format: "esm", target: "node20", external: ["better-sqlite3"], logLevel: "silent" });
    renameSync(outfile, file);
    made.set(program, file);
  }
  return file;
};
