import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

/** A file of the tree, with forward slashes in its path. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

export interface Violation {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly message: string;
}

export const violationText = ({ file, line, message }: Violation): string => `${file}:${line}: ${message}`;

/** The line on which an offset of a text lies. */
export const lineAt = (text: string, offset: number): number => text.slice(0, offset).split("\n").length;

const readable = /(\.(ts|mjs|js|md|json)|^LICENSE)$/;
const outside = new Set(["node_modules", "dist", ".git", ".work", "coverage"]);

/** Everything that git knows or would take; where there is no git, everything but what is built and installed. */
export const readTree = (root: string): ReadonlyArray<SourceFile> =>
  pathsIn(root)
    .filter((path) => existsSync(join(root, path)))
    .map((path) => ({ path, text: readable.test(path) ? readFileSync(join(root, path), "utf8") : "" }));

const pathsIn = (root: string): ReadonlyArray<string> => {
  try {
    const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z"], { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return listed.split("\0").filter((path) => path !== "");
  } catch {
    return (readdirSync(root, { recursive: true, withFileTypes: true }) as ReadonlyArray<import("node:fs").Dirent>)
      .filter((entry) => entry.isFile())
      .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
      .filter((path) => !path.split("/").some((part) => outside.has(part)));
  }
};

/**
 * The program without its comments and the insides of its texts, everything else at its place: so that a rule about
 * code is not set off by what code says. Not a parser: a regular expression with a quote in it may confuse a line.
 */
export const codeOf = (text: string): string => {
  const blank = (part: string) => part.replace(/[^\n]/g, " ");
  const token = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[\s\S])*`|(?<=[=(,:!&|?;{}\n]\s*)\/(?![*/])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/g;
  return text.replace(token, (part) => {
    if (part.startsWith("//") || part.startsWith("/*")) return blank(part);
    // What a template computes is code.
    if (part.startsWith("`")) return part.replace(/\$\{[^{}]*\}|[^\n]/g, (inner) => (inner.length > 1 ? inner : " "));
    return part[0] + blank(part.slice(1, -1)) + part.at(-1);
  });
};
