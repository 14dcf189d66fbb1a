import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { createMachine } from "xstate";
import * as machines from "../machines/index.ts";
import { checkCharts, findingText } from "../src/analysis/index.ts";
import { chartViolations } from "./tidy/charts.ts";
import { roomViolations } from "./tidy/rooms.ts";
import { headingViolations, lengthViolations, limitViolations, linesMax, lockViolations, titleViolations, topLevelViolations } from "./tidy/shape.ts";
import { codeOf, readTree, type SourceFile, type Violation, violationText } from "./tidy/source.ts";
import { wordViolations } from "./tidy/words.ts";

const tree = readTree(fileURLToPath(new URL("..", import.meta.url)));

/** Each rule with what it keeps, and a tree in which it must find something on these lines. */
const rules: ReadonlyArray<{
  readonly keeps: string;
  readonly rule: (files: ReadonlyArray<SourceFile>) => ReadonlyArray<Violation>;
  readonly planted: Readonly<Record<string, string>>;
  readonly finds: ReadonlyArray<string>;
}> = [
  {
    keeps: "imports go one way, through the doors, and packages stay in their rooms",
    rule: roomViolations,
    planted: {
      "src/domain/a.ts": 'import { x } from "../engine/index.ts";\nimport type { y } from "./b.ts";\n',
      "src/engine/a.ts": 'import {\n  x,\n} from "../journal/sqlite.ts";\nconst y = await import("../cli/index.ts");\n// import "../cli/index.ts"\n',
      "src/cli/a.ts": 'export * from "../testing/index.ts";\nimport * as S from "@effect/cli/Command";\n',
      "src/actor/a.ts": 'import * as Effect from "effect/Effect";\nimport * as Schema from "effect/Schema";\nimport "vitest";\n',
      "machines/a.ts": 'import { setup } from "xstate";\nimport { step } from "../src/actor/index.ts";\nimport { z } from "../src/domain/json.ts";\n',
      "src/journal/a.ts": 'import { Effect } from "effect";\nimport x from "../../test/x.ts";\n',
      "src/cellar/a.ts": "export {};\n",
      "src/index.ts": 'export { x } from "./engine/index.ts";\nexport { y } from "./engine/make.ts";\n',
    },
    finds: [
      "machines/a.ts:2",
      "src/actor/a.ts:1",
      "src/actor/a.ts:3",
      "src/cellar/a.ts:1",
      "src/cli/a.ts:1",
      "src/domain/a.ts:1",
      "src/engine/a.ts:1",
      "src/engine/a.ts:4",
      "src/index.ts:2",
      "src/journal/a.ts:1",
      "src/journal/a.ts:2",
    ],
  },
  {
    keeps: "names say something, nothing is left to do, and one place has the clock",
    rule: wordViolations,
    planted: {
      "src/engine/utils.ts": "export {};\n",
      "src/engine/time.ts": "setTimeout(f, Date.now());\n",
      "src/engine/a.ts":
        '// setTimeout(x) is not code\nsetTimeout(f, 1);\nconst s = "Date.now()";\nconst t = Date.now();\nMath.random();\nnew Date();\nnew Date(0);\nclock.setTimeout(f);\nconsole.error(1);\nconsole.log(1);\nconst u = `${Date.now()}`;\n',
      "src/cli/a.ts": "console.log(1); // FIXME\nprocess.exit(1);\n",
      "test/a.test.ts": "setTimeout(f, 1);\n",
    },
    finds: [
      "src/cli/a.ts:1",
      "src/cli/a.ts:2",
      "src/engine/a.ts:10",
      "src/engine/a.ts:11",
      "src/engine/a.ts:2",
      "src/engine/a.ts:4",
      "src/engine/a.ts:5",
      "src/engine/a.ts:6",
      "src/engine/utils.ts:1",
    ],
  },
  {
    keeps: "files can be read in one go",
    rule: lengthViolations,
    planted: { "src/a.ts": "x\n".repeat(linesMax + 1), "src/b.ts": "x\n".repeat(linesMax), "docs/long.md": "x\n".repeat(5_000) },
    finds: ["src/a.ts:701", "src:1"],
  },
  {
    keeps: "every page has one title",
    rule: headingViolations,
    planted: { "README.md": "# One\n\n```sh\n# a comment\n```\n## Two\n", "docs/a.md": "text\n", "docs/b.md": "# One\n\n# Two\n" },
    finds: ["docs/a.md:1", "docs/b.md:3"],
  },
  {
    keeps: "every limit has its unit, reason and default",
    rule: limitViolations,
    planted: {
      "src/domain/limits.ts":
        "export interface Limits {\n  /** Bytes of one event. Above it a turn would stall. */\n  readonly a: number;\n  readonly b: number;\n  /** Actors kept in memory, in number. */\n  readonly c: number;\n}\nexport const defaultLimits: Limits = {\n  a: 1,\n  b: 2,\n};\n",
    },
    finds: ["src/domain/limits.ts:4", "src/domain/limits.ts:6"],
  },
  {
    keeps: "every machine has a version, every state says what it means",
    rule: (files) =>
      chartViolations(
        files,
        files === tree
          ? machines
          : { machine: createMachine({ id: "a", description: "A.", initial: "one", states: { one: { description: "One.", initial: "two", states: { two: {} } }, three: { type: "final" } } }) },
      ),
    planted: { "machines/a.ts": "createMachine({\n  states: {\n    one: {\n      states: {\n        two: {},\n      },\n    },\n    three: { },\n", "machines/b.ts": "\n", "machines/index.ts": "\n" },
    finds: ["machines/a.ts:1", "machines/a.ts:5", "machines/a.ts:8", "machines/b.ts:1"],
  },
  {
    keeps: "test titles are paths and sentences",
    rule: titleViolations,
    planted: {
      "test/a.test.ts":
        'it("works", () => {});\nit("a > b > works", () => {});\ndescribe("a", () => {\n  it("works", () => {});\n});\ntest.skip("works", () => {});\nit.each([[1]])("works %s", () => {});\n',
    },
    finds: ["test/a.test.ts:1", "test/a.test.ts:6", "test/a.test.ts:7"],
  },
  {
    keeps: "the lock file names no registry and is whole",
    rule: lockViolations,
    planted: {
      "package-lock.json":
        '{\n"version": "1",\n"resolved": "https://example.org/a.tgz",\n"packages": {\n"node_modules/a": { "optionalDependencies": { "b": "1", "c": "1" } },\n"node_modules/a/node_modules/b": {},\n"node_modules/d": { "optionalDependencies": { "b": "1", "a": "1" } }\n}\n}\n',
    },
    finds: ["package-lock.json:3", "package-lock.json:5", "package-lock.json:7"],
  },
  {
    keeps: "the top level stays small",
    rule: topLevelViolations,
    planted: { "biome.json": "{}", ".biome.json": "{}", "scripts/a.ts": "", "src/a.ts": "" },
    finds: ["biome.json:1", "scripts:1"],
  },
];

for (const { keeps, rule, planted, finds } of rules) {
  describe(`tidy > ${keeps}`, () => {
    it("holds for the whole tree", () => {
      expect(rule(tree).map(violationText).join("\n")).toBe("");
    });

    it("finds what is planted, on its line, and nothing else", () => {
      const found = rule(Object.entries(planted).map(([path, text]) => ({ path, text })));
      expect(found.map(({ file, line }) => `${file}:${line}`).sort()).toEqual(finds);
    });
  });
}

describe("tidy > the machines", () => {
  it("pass their own check", () => {
    const { findings, machines: looked } = checkCharts(Object.values(machines).filter((value) => (value as { config?: unknown }).config !== undefined) as never);
    expect(findings.map(findingText).join("\n"), "docs/guides/check-machines.md says what each of these means").toBe("");
    expect(looked.filter(({ complete }) => !complete)).toEqual([]);
  });
});

describe("tidy > the tree", () => {
  it("is read", () => {
    expect(tree.map(({ path }) => path)).toEqual(expect.arrayContaining(["package.json", "src/domain/limits.ts", "test/tidy.test.ts"]));
  });

  it("keeps code at its place where comments and texts are taken out", () => {
    const text = 'const a = "x\\"//"; // b\n/* c\n */ const d = /"/.test(`e ${f("g")} h`);\n';
    const code = codeOf(text);
    expect(code.length).toBe(text.length);
    expect(code.split("\n").map((line) => line.trim().replace(/ +/g, " "))).toEqual(['const a = " ";', "", expect.stringContaining("const d ="), ""]);
  });
});
