import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/*
 * Lets a Node that can't read TypeScript itself (before 22.18) import a .ts file: its types are taken out by the esbuild
 * that the project has (Vite, Vitest and tsx bring it). Loaded by `module.register`, in a thread of its own.
 */

interface Loaded {
  readonly format: string;
  readonly source?: string | Uint8Array;
  readonly shortCircuit?: boolean;
}
type Esbuild = { readonly transform: (source: string, options: object) => Promise<{ readonly code: string }> };

export const load = async (url: string, context: object, next: (url: string, context: object) => Promise<Loaded>): Promise<Loaded> => {
  if (!/^file:.*\.m?ts$/.test(url)) return next(url, context);
  const file = fileURLToPath(url);
  const { transform } = await esbuildFor(file);
  const { code } = await transform(await readFile(file, "utf8"), { loader: "ts", format: "esm", target: "es2023", sourcefile: file, sourcemap: "inline" });
  return { format: "module", source: code, shortCircuit: true };
};

const esbuildFor = async (file: string): Promise<Esbuild> => {
  for (const from of [file, join(process.cwd(), "package.json")]) {
    try {
      const require = createRequire(from);
      const found = [...places(require)].find((place) => place !== undefined);
      if (found !== undefined) return (await import(pathToFileURL(found).href)) as Esbuild;
    } catch {
      // The next place.
    }
  }
  throw new Error(`Node ${process.versions.node} can't read TypeScript, and there is no esbuild in the project: install tsx or vite, give compiled .js files, or use Node 22.18 or newer`);
};

/** esbuild itself, or that of a package which brings its own. */
function* places(require: NodeJS.Require): Iterable<string | undefined> {
  for (const through of [undefined, "tsx", "vite", "vitest"]) {
    try {
      yield through === undefined ? require.resolve("esbuild") : createRequire(require.resolve(`${through}/package.json`)).resolve("esbuild");
    } catch {
      yield undefined;
    }
  }
}
