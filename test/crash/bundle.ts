import { createRequire } from "node:module";
import { basename, join } from "node:path";

/**
 * One file of a program and of all that it imports: a process that is killed a thousand times over starts in a third
 * of the time. The bundler is the one that the test runner has; without it the program stays as it is.
 * It lies beside the program of the workers, which the engine looks for beside itself.
 */
export const bundled = (dist: string, program: string): string => {
  const entry = join(dist, program);
  const file = made.get(entry) ?? bundle(entry, join(dist, "src/dispatch", `${basename(program, ".js")}.bundle.mjs`));
  made.set(entry, file);
  return file;
};

const made = new Map<string, string>();

const bundle = (entry: string, outfile: string): string => {
  try {
    let require = createRequire(import.meta.url);
    for (const owner of ["vitest", "vite"]) require = createRequire(require.resolve(`${owner}/package.json`));
    const { buildSync } = require("esbuild") as { buildSync: (options: unknown) => void };
    const banner = { js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);' };
    // Names of functions are part of what a machine is known by.
    buildSync({ entryPoints: [entry], outfile, banner, bundle: true, keepNames: true, platform: "node", format: "esm", target: "node20", external: ["better-sqlite3"], logLevel: "silent" });
    return outfile;
  } catch {
    return entry;
  }
};
