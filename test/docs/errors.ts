import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./page.ts";

interface Described {
  readonly code: string;
  readonly status: number;
  readonly retryable: boolean;
}

/** Files of the package in which errors are declared. */
const files = (): ReadonlyArray<string> =>
  (readdirSync(join(root, "src"), { recursive: true }) as ReadonlyArray<string>)
    .map((path) => `src/${path.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(".ts") && readFileSync(join(root, path), "utf8").includes("extends Schema.TaggedError"))
    .sort();

/** The first sentence of the comment above a class. */
const meaningOf = (text: string, name: string): string => {
  const comment = new RegExp(`/\\*\\*([^/]*?)\\*/\\s*export class ${name} `).exec(text)?.[1] ?? "";
  const words = comment.replace(/\s*\n\s*\*\s?/g, " ").trim();
  return /^(.*?[.])(\s|$)/.exec(words)?.[1] ?? words;
};

/** The table of all errors of the package, as docs/reference/errors.md has it. */
export const errorRows = async (): Promise<ReadonlyArray<ReadonlyArray<string>>> => {
  const rows: Array<ReadonlyArray<string>> = [];
  for (const path of files()) {
    const text = readFileSync(join(root, path), "utf8");
    const declared = (await import(pathToFileURL(join(root, path)).href)) as Record<string, unknown>;
    for (const name of Object.keys(declared).sort()) {
      const made = declared[name];
      if (typeof made !== "function" || !(made.prototype instanceof Error)) continue;
      const reasons = (made as unknown as { fields?: { reason?: { literals?: ReadonlyArray<string> } } }).fields?.reason?.literals ?? [];
      const make = (reason: string) =>
        new (made as unknown as new (fields: object, check: true) => Described)({ reason, known: [], problems: [], issues: [], allowed: [], ids: [], since: 0, until: 0 }, true);
      const codes = new Set(reasons.map((reason) => make(reason).code));
      for (const reason of codes.size > 1 ? reasons : [""]) {
        const { code, status, retryable } = make(reason);
        rows.push([`\`${name}\`${reason === "" ? "" : `, ${reason}`}`, `\`${code}\``, String(status), retryable ? "yes" : "no", `\`${path.split("/")[1]}\``, meaningOf(text, name)]);
      }
    }
  }
  return rows;
};

export const errorsPage = async (): Promise<string> => {
  const rows = await errorRows();
  return [
    "# Errors",
    "",
    "Every error that a call of the package can fail with, from its code. `retryable`: the same call may succeed later.",
    "[How to handle them](../guides/errors.md), and what to do about each. This page is generated: `test/docs.test.ts` prints what it",
    "should say when it differs.",
    "",
    "| Tag | Code | Status | Retryable | Room | When |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows.map((cells) => `| ${cells.join(" | ")} |`),
    "",
  ].join("\n");
};
