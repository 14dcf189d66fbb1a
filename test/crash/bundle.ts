import { createRequire } from "node:module";
import { join } from "node:path";

/**
 * One file of a program and of all that it imports: a process that is killed a thousand times over starts in a third
 * of the time. The bundler is the one that the test runner has; without it the program stays as it is.
 */
export const bundled = (dist: string, program: string): string => {
  const entry = join(dist, program);
  const file = made.get(entry) ?? bundle(entry);
  made.set(entry, file);
  return file;
};

const made = new Map<string, string>();

const bundle = (entry: string): string => {
  try {
    let require = createRequire(import.meta.url);
    for (const owner of ["vitest", "vite"]) require = createRequire(require.resolve(`${owner}/package.json`));
    const { buildSync } = require("esbuild") as { buildSync: (options: unknown) => void };
    const outfile = entry.replace(/\.js$/, ".bundle.mjs");
    const banner = { js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);' };
    buildSync({ entryPoints: [entry], outfile, banner, bundle: true, platform: "node", format: "esm", target: "node20", external: ["better-sqlite3"], logLevel: "silent" });
    return outfile;
  } catch {
    return entry;
  }
};
