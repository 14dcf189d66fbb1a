import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** A page of the documentation. */
export interface Page {
  /** Below the root, with slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Block {
  /** What stands after the fence: the language, then words of ours. */
  readonly info: ReadonlyArray<string>;
  readonly text: string;
  /** The chart comment before the fence, if there is one. */
  readonly chart: string | undefined;
  /** Of the fence, counted from 1. */
  readonly line: number;
}

const markdown = (folder: string): ReadonlyArray<string> =>
  (readdirSync(join(root, folder), { recursive: true }) as ReadonlyArray<string>).filter((name) => name.endsWith(".md")).map((name) => join(folder, name));

export const readPage = (path: string): Page => ({ path: path.replaceAll("\\", "/"), text: readFileSync(join(root, path), "utf8") });

export const readPages = (): ReadonlyArray<Page> => ["README.md", "CHANGELOG.md", ...markdown("docs")].sort().map(readPage);

const fence = /^(?:<!-- chart: (\S+) -->\n)?```(\w*)([^\n]*)\n([\s\S]*?)^```$/gm;

export const blocksOf = ({ text }: Page): ReadonlyArray<Block> =>
  [...text.matchAll(fence)].map(({ index, 0: whole, 1: chart, 2: language = "", 3: words = "", 4: body = "" }) => ({
    info: [language, ...words.trim().split(/\s+/)],
    text: body,
    chart,
    line: text.slice(0, index + whole.indexOf("```")).split("\n").length,
  }));

const withoutCode = (text: string): string => text.replace(fence, "").replace(/`[^`\n]*`/g, "");

/** What GitHub makes of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(" ", "-");

const anchorsOf = ({ text }: Page): ReadonlySet<string> => new Set([...text.replace(fence, "").matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => anchorOf(heading as string)));

/** The relative links of a page, with the files that they lead to. */
export const linksOf = (page: Page): ReadonlyArray<{ readonly link: string; readonly path: string; readonly anchor: string | undefined }> =>
  [...withoutCode(page.text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link as string)
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => {
      const [file = "", anchor] = link.split("#");
      const path = file === "" ? page.path : relative(root, resolve(root, dirname(page.path), file)).replaceAll("\\", "/");
      return { link, path, anchor };
    });

/** What is wrong with the links of a page, in words. */
export const brokenLinks = (page: Page): ReadonlyArray<string> =>
  linksOf(page).flatMap(({ link, path, anchor }) => {
    if (!existsSync(join(root, path))) return [`${page.path}: ${link} leads nowhere`];
    if (anchor !== undefined && !anchorsOf(readPage(path)).has(anchor)) return [`${page.path}: ${link}: ${path} has no such heading`];
    return [];
  });

/** The rows of the table that follows a text in a page: its cells, without the head. */
export const tableAfter = ({ path, text }: Page, before: string): ReadonlyArray<ReadonlyArray<string>> => {
  const from = text.indexOf(before);
  if (from < 0) throw new Error(`${path} has no "${before}"`);
  const lines = text.slice(from + before.length).split("\n");
  const start = lines.findIndex((line) => line.startsWith("|"));
  const length = lines.slice(start).findIndex((line) => !line.startsWith("|"));
  return lines.slice(start + 2, length < 0 ? undefined : start + length).map((line) =>
    line
      .slice(1, line.lastIndexOf("|"))
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim().replaceAll("\\|", "|")),
  );
};

/** The text of a cell that holds nothing but code. */
export const codeIn = (cell: string | undefined): string => {
  const code = /^`([^`]+)`/.exec(cell ?? "")?.[1];
  if (code === undefined) throw new Error(`"${cell}" begins with no code`);
  return code;
};
