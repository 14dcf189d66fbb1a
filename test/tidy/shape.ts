import { codeOf, lineAt, type SourceFile, type Violation } from "./source.ts";

/** A file beyond this holds two nouns. */
export const linesMax = 700;
/** Lines of the median file of src. */
export const linesMedianMax = 150;

const linesOf = ({ text }: SourceFile) => text.split("\n").length - 1;

/** Files that are too long, and a median that grows. */
export const lengthViolations = (files: ReadonlyArray<SourceFile>): ReadonlyArray<Violation> => {
  const programs = files.filter(({ path }) => /\.(ts|mjs|js)$/.test(path));
  const long = programs
    .filter((file) => linesOf(file) > linesMax)
    .map((file) => ({ file: file.path, line: linesMax + 1, message: `has ${linesOf(file)} lines, at most ${linesMax} are read in one go; part it by its nouns` }));
  const sorted = programs
    .filter(({ path }) => path.startsWith("src/"))
    .map(linesOf)
    .sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return median > linesMedianMax ? [...long, { file: "src", line: 1, message: `the median file has ${median} lines, more than ${linesMedianMax}` }] : long;
};

/** Every page has one title. */
export const headingViolations = (files: ReadonlyArray<SourceFile>): ReadonlyArray<Violation> =>
  files.flatMap(({ path, text }) => {
    if (!path.endsWith(".md")) return [];
    const withoutCode = text.replace(/^(```|~~~)[\s\S]*?^\1/gm, (block) => block.replace(/[^\n]/g, ""));
    const titles = [...withoutCode.matchAll(/^# .+/gm)];
    if (titles.length === 0) return [{ file: path, line: 1, message: "has no title (# …)" }];
    return titles.slice(1).map(({ index }) => ({ file: path, line: lineAt(withoutCode, index), message: "has a second title; one page, one # heading" }));
  });

/** Every limit has a doc comment with its reason, and a default. */
export const limitViolations = (files: ReadonlyArray<SourceFile>): ReadonlyArray<Violation> => {
  const file = files.find(({ path }) => path === "src/domain/limits.ts");
  if (file === undefined) return [{ file: "src/domain/limits.ts", line: 1, message: "is missing: every bound stands there" }];
  const lines = file.text.split("\n");
  const defaults = /defaultLimits[^{]*\{([\s\S]*?)\n\}/.exec(file.text)?.[1] ?? "";
  return lines.flatMap((line, index): ReadonlyArray<Violation> => {
    const name = /^ {2}readonly (\w+): number;/.exec(line)?.[1];
    if (name === undefined) return [];
    const at = { file: file.path, line: index + 1 };
    const documented = /^\s*(\/\*\* .{20,}|\*\/|\* .*\*\/)/.test(lines[index - 1] ?? "");
    return [
      ...(documented ? [] : [{ ...at, message: `the limit "${name}" has no doc comment with its unit and reason` }]),
      ...(new RegExp(`\\b${name}:`).test(defaults) ? [] : [{ ...at, message: `the limit "${name}" has no default` }]),
    ];
  });
};

/** A test's title is a path and a sentence: `room > noun > what it does`, or it stands within a describe. */
export const titleViolations = (files: ReadonlyArray<SourceFile>): ReadonlyArray<Violation> =>
  files.flatMap(({ path, text }) => {
    if (!path.endsWith(".test.ts")) return [];
    const code = codeOf(text);
    return [...text.matchAll(/^(?:it|test)\b[\w.]*(?:\([^\n]*?\))?\(\s*(["'`])(.*?)\1/gm)].flatMap((match) =>
      code[match.index] === " " || match[2]?.includes(" > ")
        ? []
        : [{ file: path, line: lineAt(text, match.index), message: `the title "${match[2]}" has no path; write "room > noun > what it does", or put it into a describe` }],
    );
  });

interface Locked {
  readonly packages?: Readonly<Record<string, { readonly optionalDependencies?: Readonly<Record<string, string>> }>>;
}

/** Whether a package finds another one from where it lies, as Node looks for it: in its own folder, then upwards. */
const isReachable = (packages: NonNullable<Locked["packages"]>, from: string, name: string): boolean => {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("node_modules/") - 1))) {
    if (packages[`${folder === "" ? "" : `${folder}/`}node_modules/${name}`] !== undefined) return true;
    if (folder === "") return false;
  }
};

/** The lock file names versions and checksums, no places: it must work with whatever registry npm is set to. And it is whole: `npm ci` refuses one that lacks a package of another platform. */
export const lockViolations = (files: ReadonlyArray<SourceFile>): ReadonlyArray<Violation> =>
  files.flatMap(({ path, text }) => {
    if (path !== "package-lock.json") return [];
    const places = [...text.matchAll(/"resolved":|"[^"\n]*registry[^"\n]*\/\/?[^"\n]*"/g)].map(({ index }) => ({
      file: path,
      line: lineAt(text, index),
      message: "names a registry; install with omit-lockfile-registry-resolved",
    }));
    const packages = (JSON.parse(text) as Locked).packages ?? {};
    const absent = Object.entries(packages).flatMap(([from, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies)
        .filter((name) => !isReachable(packages, from, name))
        .map((name) => ({
          file: path,
          line: lineAt(text, text.indexOf(`"${from}"`)),
          message: `"${name}", which ${from} may need on another platform, is missing: choose a version whose packages all exist`,
        })),
    );
    return [...places, ...absent];
  });

const topLevel = new Set(["package.json", "package-lock.json", "tsconfig.json", "README.md", "CHANGELOG.md", "LICENSE", "src", "machines", "test", "docs", "bench"]);

/** The top level is what a newcomer sees first: it grows only on purpose. */
export const topLevelViolations = (files: ReadonlyArray<SourceFile>): ReadonlyArray<Violation> =>
  [...new Set(files.map(({ path }) => path.split("/")[0] as string))]
    .filter((name) => !name.startsWith(".") && !topLevel.has(name))
    .map((name) => ({ file: name, line: 1, message: "is new at the top level; put it into one of the folders, or add it in test/tidy/shape.ts" }));
