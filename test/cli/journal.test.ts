import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { invoke } from "../../src/cli/invoke.ts";
import { dispatchMachines } from "../../src/dispatch/index.ts";
import { openEngine } from "../../src/engine/index.ts";
import * as Connection from "../../src/journal/connection.ts";
import * as Driver from "../../src/journal/driver.ts";
import { heldSignals, recordedStreams } from "./recorded.ts";

const node = process.execPath;
const lines = [
  { id: "good", command: [node, "-e", "console.log('well done')"] },
  { id: "flaky", command: [node, "-e", "if (process.env.TASKWRIGHT_ATTEMPT < 2) { console.error('not yet'); process.exit(4); }"], retries: 1 },
  { id: "bad", command: "echo first >&2; echo second >&2; exit 7" },
  { id: "after-good", command: "true", needs: ["good"] },
  { id: "after-bad", command: "true", needs: ["bad"] },
];

let folder: string;
let database: string;
let file: string;

/** A command line in this process, with real worker processes. */
const taskwright = async (...words: ReadonlyArray<string>) => {
  const { streams, written } = recordedStreams();
  const code = await Effect.runPromise(invoke(["node", "taskwright", ...words], streams, heldSignals().source));
  return { code, ...written };
};

/** Writes what no engine would. */
const spoil = (file: string, statement: string) =>
  Effect.runPromise(
    Effect.gen(function* () {
      const open = yield* Connection.open(yield* Driver.choose("auto", file), { file, reader: false, synchronous: "OFF" });
      yield* open.read(statement);
      yield* open.close;
    }),
  );

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "taskwright-cli-"));
  database = join(folder, "work.db");
  file = join(folder, "tasks.jsonl");
  writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("cli > a real journal", () => {
  it("run > carries the tasks out and leaves with 1, because one is dead", async () => {
    const { code, out } = await taskwright("run", file, "--database", database, "--slots", "2");
    expect(code).toBe(1);
    expect(out).toContain("5 tasks: 3 done, 1 dead, 1 cancelled");
    expect(out).toMatch(/dead bad: .*exit code 7 \(1 attempt\)\n {4}\| first\n {4}\| second/);
    expect(out).toMatch(/retrying {2}flaky: .*exit code 4/);
  });

  it("run > repeats nothing that has ended, and says so", async () => {
    const { code, out } = await taskwright("run", file, "--database", database, "--slots", "2", "--json");
    const told = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(code).toBe(1);
    expect(told.map(({ event }) => event)).toEqual(["begin", "summary"]);
    expect(told[1]).toMatchObject({ total: 5, done: 3, failed: 1, cancelled: 1, endedBefore: 5 });
    const attempts = JSON.parse((await taskwright("show", "good", "--database", database, "--json")).out).attempts;
    expect(attempts).toBe(1);
  });

  it("run > refuses an id that the journal has for other work, before anything runs", async () => {
    const other = join(folder, "other.jsonl");
    writeFileSync(other, `${JSON.stringify({ id: "new", command: "true" })}\n${JSON.stringify({ id: "bad", command: "exit 0" })}\n`);
    const { code, error } = await taskwright("run", other, "--database", database);
    expect(code).toBe(2);
    expect(error).toContain(`${other}:2: the journal already has a task "bad" with the command echo first`);
    expect((await taskwright("show", "new", "--database", database)).code).toBe(2);
  });

  it("run > goes on with the stored options of a task whose line changed only there", async () => {
    const changed = join(folder, "changed.jsonl");
    writeFileSync(changed, lines.map((line) => `${JSON.stringify({ ...line, retries: 5 })}\n`).join(""));
    const { error } = await taskwright("run", changed, "--database", database);
    expect(error).toContain('"good" goes on as it was stored, with the retries 0 (the file says 5)');
  });

  it("ps > lists the tasks with why they stand where they do", async () => {
    const { code, out } = await taskwright("ps", "--database", database);
    expect(code).toBe(0);
    expect(out).toMatch(/^ID +STATE +ATTEMPTS +STANDING\n/);
    expect(out).toMatch(/^bad +dead +1 +.*exit code 7$/m);
    expect(out).toMatch(/^after-bad +cancelled +0 +the task "bad" that it needs was not done$/m);
    expect(out).toContain("5 tasks: 3 done, 1 dead, 1 cancelled");
  });

  it("ps > filters by state and prints JSON for programs", async () => {
    const { out } = await taskwright("ps", "--database", database, "--state", "dead", "--json");
    expect(JSON.parse(out)).toMatchObject({ id: "bad", state: "dead", attempts: 1, result: { exitCode: 7 } });
    expect((await taskwright("ps", "--database", database, "--state", "gone")).code).toBe(2);
  });

  it("show > shows a task with its result and the last lines of its output", async () => {
    const { out } = await taskwright("show", "bad", "--database", database);
    expect(out).toMatch(/^state +dead: .*exit code 7$/m);
    expect(out).toMatch(/^attempts +1 of 1$/m);
    expect(out).toMatch(/^command +echo first/m);
    expect(out).toContain("standard error, its last lines:\n  | first\n  | second\n");
    expect((await taskwright("show", "good", "--database", database)).out).toContain("standard output, its last lines:\n  | well done\n");
  });

  it("show > shows any actor by its address", async () => {
    const { code, out } = await taskwright("show", "task/bad/assignment", "--database", database);
    expect(code).toBe(0);
    expect(out).toMatch(/^machine +assignment 1$/m);
    expect(out).toMatch(/^state +ended$/m);
    expect((await taskwright("show", "task/bad", "--database", database)).out).toMatch(/^children +task\/bad\/assignment \(done\)$/m);
  });

  it("history > lists every event with its time, outcome and sender", async () => {
    const { out } = await taskwright("history", "flaky", "--database", database);
    expect(out).toMatch(/^SEQ +TIME +EVENT +OUTCOME +FROM +DATA\n/);
    expect(out).toMatch(/^1 +\d{4}-\d\d-\d\d [\d:.]+Z +taskwright\.start +handled +outside/m);
    const told = (await taskwright("history", "flaky", "--database", database, "--json")).out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(told.map(({ seq }) => seq)).toEqual(told.map((_, index) => index + 1));
    expect(told.filter(({ type }) => type === "ASSIGN").length).toBe(2);
    expect(told.find(({ type }) => type === "ACCEPTED").from).toBe("task/flaky/assignment");
  });

  it("show and history > name near matches of an id that is not there", async () => {
    expect(await taskwright("show", "falky", "--database", database)).toMatchObject({ code: 2, error: expect.stringContaining('did you mean "flaky"?') });
    expect(await taskwright("history", "task/bad/asignment", "--database", database)).toMatchObject({ code: 2, error: expect.stringContaining('"task/bad/assignment"') });
    expect(await taskwright("show", "zzzzzzzz", "--database", database)).toMatchObject({ code: 2, error: expect.stringContaining("taskwright ps --database") });
  });

  it("ps > names a database that is not there, or is none of ours", async () => {
    expect(await taskwright("ps", "--database", join(folder, "nothing.db"))).toMatchObject({ code: 2, error: expect.stringContaining("there is no such file") });
    expect(await taskwright("ps", "--database", file)).toMatchObject({ code: 2, error: expect.stringContaining("not a database") });
  });

  it("restore > does not tell anybody to move away what belongs to a journal that is there", async () => {
    const copy = join(folder, "kept.db");
    await taskwright("backup", copy, "--database", database);
    writeFileSync(join(folder, "there.db-wal"), "");
    writeFileSync(join(folder, "there.db"), "");
    expect(await taskwright("restore", copy, "--database", join(folder, "there.db"))).toMatchObject({
      code: 2,
      error: expect.stringContaining("there is a journal already, and it is not written over"),
    });
    expect(await taskwright("restore", copy, "--database", join(folder, "left.db"))).toMatchObject({ code: 0 });
  });

  it("export, cancel > an option that there is not is none of the ids", async () => {
    for (const words of [
      ["export", "a", "--servr", "x"],
      ["cancel", "a", "--staet", "queued"],
    ])
      expect(await taskwright(...words, "--database", database)).toMatchObject({ code: 2, error: expect.stringContaining(`there is no option "${words[2]}" here`) });
  });

  it("why > of what has ended it says in which state", async () => {
    expect((await taskwright("why", "flaky", "--database", database)).out).toMatch(/because +it has ended in "done"/);
  });

  it("doctor > with --histories steps every history again, and finds what was tampered with", async () => {
    expect(await taskwright("doctor", "--database", database, "--machines", "x.ts")).toMatchObject({ code: 2, error: expect.stringContaining("--histories") });
    const whole = await taskwright("doctor", "--histories", "--database", database);
    expect(whole).toMatchObject({ code: 0, out: expect.stringContaining("nothing contradicts itself") });
    expect(whole.out).toMatch(/\d+ actors, \d+ entries verified, 0 actors differ/);
    const { out } = await taskwright("doctor", "--histories", "--json", "--database", database);
    expect(JSON.parse(out)).toMatchObject({ problems: [], actors: expect.any(Number), replay: { differing: [] } });
    const copy = join(folder, "copy.db");
    await taskwright("backup", copy, "--database", database);
    await spoil(copy, "UPDATE history SET event = replace(event, '\"exitCode\":7', '\"exitCode\":8')");
    expect((await taskwright("doctor", "--database", copy)).code).toBe(0);
    expect(await taskwright("doctor", "--histories", "--database", copy)).toMatchObject({ code: 1, out: expect.stringContaining("task/bad") });
  });

  it("an owned journal can be read, and refuses a second engine with its owner", async () => {
    const engine = await openEngine({ database, machines: [], plugins: [dispatchMachines()] });
    try {
      expect((await taskwright("ps", "--database", database)).code).toBe(0);
      const { code, error } = await taskwright("run", file, "--database", database);
      expect(code).toBe(2);
      expect(error).toContain(`is owned by process ${process.pid}`);
    } finally {
      await engine.close();
    }
  });
});

describe("cli > a command line", () => {
  it("answers --help and --version on standard output, without colours where nobody watches", async () => {
    const { code, out } = await taskwright("--help");
    expect(code).toBe(0);
    expect(out).toContain("history");
    expect(out).not.toContain("\u001b");
    expect((await taskwright("--version")).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it.each([[["run"]], [["frobnicate"]], [["run", "x.jsonl", "--slots", "0"]], [["run", "x.jsonl", "--bogus"]], [["run", "x.jsonl", "y.jsonl"]]])(
    "refuses %j with 2 and says it once",
    async (words) => {
      const { code, out, error } = await taskwright(...words);
      expect(code).toBe(2);
      expect(out).toBe("");
      expect(error.trim().split("\n").length).toBe(1);
    },
  );
});
