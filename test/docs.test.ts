import * as Effect from "effect/Effect";
import { errorsPage } from "./docs/errors.ts";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { AnyStateMachine } from "xstate";
import * as machines from "../machines/index.ts";
import { graphOf, mermaidOf } from "../src/analysis/index.ts";
import { invoke } from "../src/cli/invoke.ts";
import { taskLineKeys } from "../src/cli/task-line.ts";
import { defaultLimits } from "../src/domain/limits.ts";
import * as engineErrors from "../src/engine/errors.ts";
import * as Connection from "../src/journal/connection.ts";
import * as Driver from "../src/journal/driver.ts";
import * as journalErrors from "../src/journal/errors.ts";
import * as Schema from "../src/journal/schema.ts";
import * as serverErrors from "../src/server/errors.ts";
import { defaultServerLimits } from "../src/server/limits.ts";
import { openApi } from "../src/server/open-api.ts";
import { blocksOf, brokenLinks, codeIn, linksOf, readPage, readPages, root, tableAfter } from "./docs/page.ts";
import { httpApiPage } from "./docs/http-api.ts";
import { compile, type Snippet, snippetsOf, workFolder, writeModule } from "./docs/snippet.ts";

const pages = readPages();
const source = (path: string) => readFileSync(join(root, path), "utf8");
const firstCells = (path: string, before: string) => tableAfter(readPage(path), before).map(([cell]) => codeIn(cell));

describe("docs > pages", () => {
  test("begin with their title", () => {
    expect(pages.filter(({ text }) => !/^# .+\n/.test(text)).map(({ path }) => path)).toEqual([]);
  });

  test("lead nowhere but to files and headings that exist", () => {
    expect(pages.flatMap(brokenLinks)).toEqual([]);
  });

  test("are all reached from the README", () => {
    const reached = new Set(["README.md"]);
    for (const path of reached) for (const link of linksOf(readPage(path))) if (link.path.endsWith(".md")) reached.add(link.path);
    expect(pages.map(({ path }) => path).filter((path) => !reached.has(path))).toEqual([]);
  });

  test("have no link that a planted mistake would slip through", () => {
    const page = { path: "docs/start.md", text: "# A\n[a](gone.md) [b](#nothing) [c](#a) [d](concepts/time.md#time) [e](https://example.org) `[f](g.md)`\n```ts\n[h](i.md)\n```\n" };
    expect(linksOf(page).map(({ link }) => link)).toEqual(["gone.md", "#nothing", "#a", "concepts/time.md#time"]);
    expect(brokenLinks(page)).toEqual(["docs/start.md: gone.md leads nowhere", "docs/start.md: #nothing: docs/start.md has no such heading", "docs/start.md: #a: docs/start.md has no such heading"]);
  });
});

describe("docs > charts", () => {
  const charts = pages.flatMap((page) => blocksOf(page).flatMap(({ info, chart, text }) => (info[0] === "mermaid" ? [{ page: page.path, chart, text }] : [])));

  test("stand in the README and where the engine's life is told", () => {
    expect(charts.map(({ page, chart }) => `${page} ${chart}`).sort()).toEqual(["README.md machines/task.ts", "docs/operating/degraded.md machines/engine.ts"]);
  });

  test.each(charts)("$page draws $chart as it is", ({ chart, text }) => {
    const name = /^machines\/(\w+)\.ts$/.exec(chart ?? "")?.[1];
    expect(text).toBe(mermaidOf(graphOf((machines as unknown as Record<string, AnyStateMachine>)[name ?? ""] as AnyStateMachine)));
  });
});

describe("docs > errors", () => {
  type Described = { readonly _tag: string; readonly code: string; readonly status: number; readonly retryable: boolean; readonly message: string };
  const rowOf = ({ code, status, retryable }: Described) => [`\`${code}\``, String(status), retryable ? "yes" : "no"];
  const classes = Object.entries({ ...engineErrors, ...journalErrors }).flatMap(([name, value]) =>
    typeof value === "function" ? [{ name, make: value as unknown as new (fields: object, check: true) => Described }] : [],
  );
  const table = (before: string) => new Map(tableAfter(readPage("docs/guides/errors.md"), before).map(([name, ...cells]) => [codeIn(name), cells]));
  const listed = new Map([...table("## Errors of the engine"), ...table("## Errors of the journal")]);

  test("are all in the table, and nothing else is", () => {
    expect([...listed.keys()].sort()).toEqual(classes.map(({ name }) => name).sort());
  });

  test.each(classes)("$name has the code, status and retryability that the table gives", ({ name, make }) => {
    const error = new make({ known: [], problems: [], reason: "failed", since: 0, until: 0 }, true);
    expect(error._tag).toBe(name);
    if (name === "JournalError") expect(listed.get(name)?.slice(0, 3)).toEqual(["by reason", "by reason", "by reason"]);
    else expect(listed.get(name)?.slice(0, 3)).toEqual(rowOf(error));
  });

  test("of all rooms stand in the reference, which is generated", async () => {
    expect(readPage("docs/reference/errors.md").text).toBe(await errorsPage());
  });

  test("of the journal have the remedies that the table gives", () => {
    const reasons = (journalErrors.JournalError.fields.reason as unknown as { literals: ReadonlyArray<string> }).literals;
    const rows = table("`JournalError` has a `reason`:");
    expect([...rows.keys()].sort()).toEqual([...reasons].sort());
    for (const reason of reasons) {
      const error = new journalErrors.JournalError({ reason: reason as "failed", where: "w", detail: "d", cause: new Error("c") }) as unknown as Described;
      expect(rows.get(reason)).toEqual([...rowOf(error), /^w: d \((.*)\)$/.exec(error.message)?.[1]]);
    }
  });
});

describe("docs > the server", () => {
  type Described = { readonly _tag: string; readonly code: string; readonly status: number; readonly retryable: boolean };
  test("has its errors in the table, with code, status and retryability", () => {
    const found = Object.entries(serverErrors).map(([name, make]) => {
      const { code, status, retryable } = new (make as unknown as new (fields: object, check: true) => Described)({ problems: [], issues: [], allowed: [] }, true);
      return [`\`${name}\``, `\`${code}\``, String(status), retryable ? "yes" : "no"];
    });
    const told = tableAfter(readPage("docs/guides/errors.md"), "## Errors of the server").map((cells) => cells.slice(0, 4));
    expect([...told].sort()).toEqual(found.sort());
  });

  test("has its limits in the table, with defaults and reasons", () => {
    const reasons = [...source("src/server/limits.ts").matchAll(/\/\*\* (.*) \*\/\n {2}readonly (\w+): number;/g)];
    expect(reasons).toHaveLength(Object.keys(defaultServerLimits).length);
    expect(tableAfter(readPage("docs/operating/security.md"), "## Limits")).toEqual(
      reasons.map(([, reason, name]) => [`\`${name}\``, defaultServerLimits[name as keyof typeof defaultServerLimits].toLocaleString("en-US"), reason]),
    );
  });

  test("has its metrics in the table", () => {
    const metrics = [...source("src/server/metrics.ts").matchAll(/name: "(\w+)",\s*help: "([^"]+)",\s*type: "(\w+)"/g)].map(([, name, help, type]) => [`\`${name}\``, type, help]);
    expect(metrics.length).toBeGreaterThan(5);
    expect(tableAfter(readPage("docs/operating/observability.md"), "## Metrics")).toEqual(metrics);
  });

  test("has every path and schema on its page, as the document says", () => {
    expect(readPage("docs/reference/http-api.md").text).toBe(httpApiPage(openApi()));
  });
});

describe("docs > limits", () => {
  test("stand in the table with their defaults and reasons", () => {
    const reasons = [...source("src/domain/limits.ts").matchAll(/\/\*\* (.*) \*\/\n {2}readonly (\w+): number;/g)];
    expect(reasons).toHaveLength(Object.keys(defaultLimits).length);
    expect(tableAfter(readPage("docs/operating/limits.md"), "# Limits")).toEqual(
      reasons.map(([, reason, name]) => [`\`${name}\``, defaultLimits[name as keyof typeof defaultLimits].toLocaleString("en-US"), reason]),
    );
  });

  test("say each what happens there", () => {
    const told = tableAfter(readPage("docs/operating/limits.md"), "What happens at a limit:").flatMap(([names]) => [...(names ?? "").matchAll(/`(\w+)`/g)].map(([, name]) => name));
    const inTime = ["leaseMs", "heartbeatMs", "keyRetentionMs"];
    expect([...told, ...inTime].sort()).toEqual(Object.keys(defaultLimits).sort());
  });
});

describe("docs > events", () => {
  test("of the engine stand in the table", () => {
    const types = [...source("src/domain/event.ts").matchAll(/readonly type: "(taskwright\.\w+)"/g)].map(([, type]) => type);
    expect(firstCells("docs/reference/events.md", "## The engine's own events")).toEqual(types);
  });

  test("of the activity machine stand in the table", () => {
    const types = machines.activity.events.filter((type) => !type.startsWith("xstate."));
    expect(
      firstCells("docs/reference/events.md", "## Events of the activity machine")
        .filter((type) => !type.startsWith("taskwright."))
        .sort(),
    ).toEqual([...types].sort());
  });

  test("have the outcomes of the table", () => {
    const outcomes = [...(/export type Outcome = (.*);/.exec(source("src/domain/envelope.ts"))?.[1] ?? "").matchAll(/"(\w+)"/g)].map(([, outcome]) => outcome);
    expect(firstCells("docs/reference/events.md", "## Outcomes")).toEqual(outcomes);
  });
});

describe("docs > database", () => {
  test("has the tables and columns that a new journal has", async () => {
    const page = readPage("docs/reference/database.md");
    const { folder, remove } = workFolder();
    try {
      const found = await Effect.runPromise(
        Effect.gen(function* () {
          const file = join(folder, "journal.db");
          const driver = yield* Driver.choose("auto", file);
          const connection = yield* Connection.open(driver, { file, reader: false, synchronous: "OFF" });
          yield* Schema.migrate(connection, file);
          const rows = yield* connection.read<{ name: string; columns: string }>(
            "SELECT t.name, group_concat(c.name, ', ') AS columns FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' GROUP BY t.rowid ORDER BY t.rowid",
          );
          yield* connection.close;
          return rows;
        }),
      );
      expect(tableAfter(page, "# Database")).toEqual(
        found.map(({ name, columns }) => [
          `\`${name}\``,
          columns
            .split(", ")
            .map((column) => `\`${column}\``)
            .join(", "),
        ]),
      );
      expect(firstCells("docs/reference/database.md", "## What they hold").sort()).toEqual(found.map(({ name }) => name).sort());
      expect(page.text).toContain(`application id ${Schema.applicationId}`);
      expect(page.text).toContain(`at present ${Schema.version}.`);
    } finally {
      remove();
    }
  });
});

describe("docs > tests", () => {
  const page = readPage("docs/internals/testing.md");

  test("have every folder in the table", () => {
    const folders = readdirSync(join(root, "test"), { withFileTypes: true }).filter((entry) => entry.isDirectory() && readdirSync(join(root, "test", entry.name)).length > 0);
    expect(firstCells(page.path, "## Suites")).toEqual(expect.arrayContaining(folders.map(({ name }) => `test/${name}`)));
  });

  test("have every command in the table, and the commands exist", () => {
    const { scripts } = JSON.parse(source("package.json")) as { readonly scripts: Readonly<Record<string, string>> };
    const inner = ["start", "build", "prepack"];
    expect(
      firstCells(page.path, "# Testing")
        .map((command) => command.split(" ").filter((word) => !["npm", "run"].includes(word))[0])
        .sort(),
    ).toEqual(
      Object.keys(scripts)
        .filter((name) => !inner.includes(name))
        .sort(),
    );
    for (const command of Object.values(scripts)) for (const [file] of command.matchAll(/\btest\/\S+\.m?[jt]s/g)) expect(existsSync(join(root, file)), file).toBe(true);
  });
});

describe("docs > drivers", () => {
  test("are chosen as the table says", async () => {
    const rows = tableAfter(readPage("docs/operating/node-and-drivers.md"), "# Node versions and drivers");
    const named = (name: "better-sqlite3" | "node:sqlite") => async () => ({ name, client: () => Effect.never });
    for (const [node, driver] of rows) {
      const chosen = await Effect.runPromise(Driver.choose("auto", "w", { nodeMajor: Number(node), betterSqlite3: named("better-sqlite3"), nodeSqlite: named("node:sqlite") }));
      expect(chosen.name).toBe(codeIn(driver));
    }
    expect(rows.map(([node]) => node)).toEqual(["20", "22", "24"]);
  });
});

describe("docs > command line", () => {
  const help = async (...words: ReadonlyArray<string>): Promise<string> => {
    let text = "";
    const streams = { out: (part: string) => void (text += part), error: (part: string) => void (text += part), isTerminal: false, columns: () => 1_000, input: async () => "" };
    expect(await Effect.runPromise(invoke(["node", "taskwright", ...words, "--help"], streams, () => () => {}))).toBe(0);
    return text;
  };
  const commands = async () => {
    const names = [...(await help()).matchAll(/^ {2}([a-z][a-z -]*?)(?: \[?([A-Z]+).*?)? {2,}\S.*$/gm)];
    return Promise.all(
      names.map(async ([, name = "", argument]) => {
        const [, meaning = ""] = /^DESCRIPTION\n {2}(.*)$/m.exec(await help(...name.split(" "))) ?? [];
        return { name, argument, meaning };
      }),
    );
  };

  test("has the commands of the table, with their descriptions", async () => {
    const found = await commands();
    expect(found.map(({ name }) => name)).toContain("run");
    const written = found.map(({ name, argument, meaning }) => [`\`${["taskwright", name, argument].filter((word) => word !== undefined).join(" ")}\``, meaning]);
    expect(tableAfter(readPage("docs/reference/cli.md"), "# Command line")).toEqual(written);
    expect(tableAfter(readPage("README.md"), "## The command line").map(([command]) => command)).toEqual(written.map(([command]) => command));
  });

  test("has the options of the tables", async () => {
    for (const { name } of await commands()) {
      const [, section = ""] = (await help(...name.split(" "))).split(/^OPTIONS$/m);
      const options = [...section.matchAll(/^ {2}(?:(-\w), )?(--[\w-]+)/gm)].map(([, alias, option]) => (alias === undefined ? `\`${option}\`` : `\`${option}\`, \`${alias}\``));
      expect(options, name).not.toEqual([]);
      expect(tableAfter(readPage("docs/reference/cli.md"), `## Options of \`${name}\``).map(([option]) => option)).toEqual(options);
    }
  });

  test("reads the keys of the table in a task file", () => {
    expect(firstCells("docs/guides/run-commands.md", "## A line")).toEqual(taskLineKeys);
  });
});

describe("docs > code", () => {
  const snippets = pages.flatMap(snippetsOf);
  const planted: Snippet = { where: "planted.md:7", text: 'import { openEngine } from "taskwright";\n\nawait openEngine({ machines: 5 });\n', runs: false };
  let complaints: ReadonlyArray<string> = [];
  beforeAll(async () => {
    complaints = await compile([...snippets, planted]);
  });

  test("compiles, each piece as a module of its own", () => {
    expect(snippets.length).toBeGreaterThan(10);
    expect(complaints.filter((line) => !line.startsWith(planted.where))).toEqual([]);
  });

  test("would not pass with a mistake in it", () => {
    expect(complaints.filter((line) => line.startsWith("planted.md:7, line 3"))).not.toEqual([]);
  });
});

describe("docs > code that is run", () => {
  const home = process.cwd();
  let work: ReturnType<typeof workFolder>;
  beforeAll(() => {
    work = workFolder();
    process.chdir(work.folder);
  });
  afterAll(() => {
    process.chdir(home);
    work.remove();
  });
  const runnable = pages.flatMap(snippetsOf).filter(({ runs, text }) => runs && !text.includes("vitest"));

  test("there is some", () => expect(runnable.map(({ where }) => where.replace(/:\d+$/, "")).sort()).toEqual(Object.keys(expected).sort()));

  test.each(runnable)("$where prints what it should", async ({ where, text }) => {
    const printed = vi.spyOn(console, "log").mockImplementation(() => {});
    const name = where.replace(/\W/g, "-");
    try {
      // Each with a database of its own.
      await import(pathToFileURL(writeModule(join(work.folder, `${name}.ts`), text.replace(/"(\w+\.db)"/g, `"${name}-$1"`))).href);
      const lines = printed.mock.calls.map((words) => words.map((word) => (typeof word === "string" ? word : JSON.stringify(word))).join(" "));
      expect(lines).toEqual(expected[where.replace(/:\d+$/, "")]);
    } finally {
      printed.mockRestore();
    }
  });
});

const expected: Readonly<Record<string, ReadonlyArray<string>>> = {
  "docs/start.md": ["handled open", "1 taskwright.start handled", "2 OPEN handled", "3 taskwright.timer handled"],
  "docs/guides/check-machines.md": [
    'machine "order", order.paid: nothing leads on from "paid", and it is not final; write type: "final", add a way out, or say why it may stay: description "No limit: …"',
    'machine "order", order.charging: when "charge" (charge) fails, the actor itself fails; add onError to its invoke',
  ],
  "docs/guides/why-is-it-waiting.md": [
    'waits: it waits for "PAY" from the customer, until its deadline "patience" at the latest',
    "3600000",
    'PAY depends: the guard "isEnough" looks at what it carries: amount',
    'no: the guard "isEnough" says no',
    "[]",
  ],
  "docs/guides/explore-machines.md": [
    "no counterexample: all 10 worlds that these samples lead to were looked at",
    '{"wallMs":100000,"begun":{"charge":3}}',
    'payment/1: {"type":"PAY","amount":10}',
    "payment/1/charge fails",
    "payment/1: after pause.payment.pausing",
    "payment/1/charge fails",
    "payment/1: after pause.payment.pausing",
    "payment/1/charge fails",
  ],
  "docs/guides/tasks.md": ["How long may it be?", 'done {"text":"a lon"}'],
  "docs/guides/embed.md": ['["ticket/2","ticket/3"] running'],
  "docs/guides/obligations.md": ['["reply to anna"] true', "[] true"],
  "docs/guides/outbox.md": ['1 paid:7 {"euros":12,"by":"anna"}', '2 paid:7 {"euros":12,"by":"anna"}', '{"pending":0,"poisoned":0,"unknown":0}'],
  "docs/guides/changing-a-machine.md": ["0 timer changed order/42 2"],
  "docs/guides/what-if.md": ['2 charged {"tries":4}', "charging resting charging resting charging resting charging charged"],
  "docs/guides/replay.md": ["4 true", '{"paid":4}', "1 taskwright.start start → open", "2 PAY open → open", "3 PAY open → open", "4 SHIP open → shipped"],
  "docs/guides/schedules.md": ["nightly@trigger-1 done a report of sales", "3 1"],
  "docs/guides/orchestrate-agents.md": ["Which sums?", '0.5 [{"kind":"file","value":"sums.txt"}]', "1"],
  "docs/guides/broker.md": ['[["m1","no_target","What time is it?"]]', "to the outside, for m1: Late.", '{"state":"reply_sent","sequence":4}', '{"state":"reply_sent","sequence":4}', "answered"],
  "docs/guides/effect.md": ['{"outcome":"handled","status":"done"}'],
};

// The page's own tests are tests of this suite: they register themselves.
{
  const examples = snippetsOf(readPage("docs/guides/test-your-machines.md")).filter(({ runs }) => runs);
  if (examples.length === 0) throw new Error("docs/guides/test-your-machines.md should have code that runs");
  const { folder, remove } = workFolder();
  for (const [index, { text }] of examples.entries()) await import(pathToFileURL(writeModule(join(folder, `example-${index}.ts`), text)).href);
  remove();
}
