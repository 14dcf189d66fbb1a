import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { blocksOf, type Page, root } from "./page.ts";

/** A piece of code from a page that can stand alone as a module. */
export interface Snippet {
  /** Where it comes from: `docs/start.md:33`. */
  readonly where: string;
  readonly text: string;
  /** Whether the page says that it is to be run, too. */
  readonly runs: boolean;
}

export const snippetsOf = (page: Page): ReadonlyArray<Snippet> =>
  blocksOf(page)
    .filter(({ info }) => info[0] === "ts")
    .map(({ info, text, line }) => ({ where: `${page.path}:${line}`, text, runs: info.includes("run") }));

/** The doors of the package by their names, as the files from which they are built. */
export const doors: ReadonlyMap<string, string> = new Map(
  Object.entries((JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { exports: Record<string, { types?: string }> }).exports).flatMap(([name, { types }]) =>
    types === undefined ? [] : [[`taskwright${name.slice(1)}`, join(root, types.replace("./dist/", "").replace(/\.d\.ts$/, ".ts"))] as const],
  ),
);

/** A folder within the project, so that a module in it finds the packages. Git does not see it. */
export const workFolder = (): { readonly folder: string; readonly remove: () => void } => {
  const parent = join(root, ".work");
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, "docs-"));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
};

/** Writes a snippet as a module that takes the package from its sources. */
export const writeModule = (file: string, text: string): string => {
  writeFileSync(
    file,
    text.replace(/from "(taskwright[^"]*)"/g, (whole, name: string) => {
      const door = doors.get(name);
      return door === undefined ? whole : `from ${JSON.stringify(door)}`;
    }),
  );
  return file;
};

/** What the compiler has to say about snippets, line by line; each is a module of its own in a project that uses the package. */
export const compile = async (snippets: ReadonlyArray<Snippet>): Promise<ReadonlyArray<string>> => {
  const { folder, remove } = workFolder();
  try {
    const files = snippets.map(({ text }, index) => {
      const file = `snippet-${index}.ts`;
      // The same line numbers as in the module; an `export {}` at its end makes it one, whatever it holds.
      writeFileSync(join(folder, file), `${text}\nexport {};\n`);
      return file;
    });
    const paths = Object.fromEntries([...doors].map(([name, file]) => [name, [file]]));
    // What was found of the package's own sources is kept for the next time.
    const tsBuildInfoFile = join(root, ".work", "docs.tsbuildinfo");
    const compilerOptions = { noEmit: true, noUnusedLocals: false, noUnusedParameters: false, rootDir: root, tsBuildInfoFile, paths };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ extends: join(root, "tsconfig.json"), compilerOptions, include: [], files }));
    const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
    const said = await new Promise<string>((resolve) => execFile(process.execPath, [tsc, "-p", folder, "--pretty", "false"], { cwd: folder }, (_, stdout, stderr) => resolve(`${stdout}${stderr}`)));
    return said
      .replace(/snippet-(\d+)\.ts\((\d+),/g, (_, index: string, line: string) => `${snippets[Number(index)]?.where ?? "?"}, line ${line} (column `)
      .split("\n")
      .filter((line) => line.trim() !== "" && !line.startsWith(" "));
  } finally {
    remove();
  }
};
