import { codeOf, lineAt, type SourceFile, type Violation } from "./source.ts";

/** A name of a file says what is in it; these say nothing. */
const emptyNames = /^(utils?|helpers?|common|managers?|misc|types|shared|lib)$|-(utils?|helpers?|managers?)$/;

interface Ban {
  readonly pattern: RegExp;
  readonly where: (path: string) => boolean;
  readonly why: string;
}

const inSource = (path: string) => /^(src|machines)\//.test(path);
const clock = "src/engine/time.ts";

const bans: ReadonlyArray<Ban> = [
  { pattern: /\bconsole\.(?!error\b)\w+/g, where: (path) => inSource(path) && !path.startsWith("src/cli/"), why: "nothing prints but the command line; the engine has a `log` option" },
  { pattern: /(?<![\w.])(setTimeout|setInterval)\s*\(/g, where: (path) => inSource(path) && path !== clock, why: `waiting is a delay in a machine; the only timers are in ${clock}` },
  { pattern: /\bDate\.now\s*\(|\bnew Date\s*\(\s*\)/g, where: (path) => inSource(path) && path !== clock, why: `the only clock is in ${clock}; machines have the time of their event` },
  { pattern: /\bMath\.random\s*\(/g, where: inSource, why: "what is random can't be replayed; use derivedRandom" },
  { pattern: /\bprocess\.exit\s*\(/g, where: (path) => inSource(path) && path !== "src/dispatch/worker-process.ts", why: "cuts off what is being written; set process.exitCode" },
];

const marks = /\b(TODO|FIXME|XXX|HACK)\b/g;

/** Names that say nothing, marks of unfinished work, and calls that only one place may make. */
export const wordViolations = (files: ReadonlyArray<SourceFile>): ReadonlyArray<Violation> =>
  files.flatMap(({ path, text }) => {
    if (!/\.(ts|mjs|js)$/.test(path)) return [];
    const violations: Array<Violation> = [];
    for (const part of path.replace(/(\.test)?\.(ts|mjs|js)$/, "").split("/")) {
      if (emptyNames.test(part)) violations.push({ file: path, line: 1, message: `the name "${part}" says nothing; name the noun that is in it` });
    }
    if (!path.startsWith("test/tidy")) {
      for (const match of text.matchAll(marks)) violations.push({ file: path, line: lineAt(text, match.index), message: `"${match[0]}": do it, or write it down where the work is planned` });
    }
    const code = codeOf(text);
    for (const { pattern, where, why } of bans) {
      if (where(path)) for (const match of code.matchAll(pattern)) violations.push({ file: path, line: lineAt(code, match.index), message: `${match[0].replace(/\s*\($/, "()")}: ${why}` });
    }
    return violations;
  });
