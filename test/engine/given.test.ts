import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createMachine, setup } from "xstate";
import { checkNames } from "../../src/domain/names.ts";
import { openEngine, type Taskwright } from "../../src/engine/index.ts";
import { Held } from "./held.ts";
import { job } from "./job.ts";
import { counter } from "./machines.ts";

const folder = mkdtempSync(join(tmpdir(), "taskwright-given-"));
const open = openEngine as unknown as (options?: unknown) => Promise<Taskwright>;
const withJob = (activity: unknown) => ({ machines: [{ ...job(new Held()), activities: { work: activity } }] });

describe("engine > given > options", () => {
  test.each<[string, unknown, string]>([
    ["nothing at all", undefined, "openEngine needs options"],
    ["no machines", {}, "machines must be a list of machines, got nothing"],
    ["a machine in place of a list", { machines: counter }, "machines must be a list of machines, got an object"],
    ["a plugin in place of a list", { machines: [counter], plugins: { machines: [] } }, "plugins must be a list, got an object"],
    ["a misspelled option", { machines: [counter], databse: "orders.db" }, 'there is no databse (did you mean "database"?)'],
    ["a variable that is not set as database", { machines: [counter], database: undefined }, "database is undefined"],
    ["an empty database", { machines: [counter], database: "" }, "database must be the path of a file"],
    ["a number as database", { machines: [counter], database: 5 }, "database must be the path of a file, got the number 5"],
    ["a log that can't be called", { machines: [counter], log: console }, "log must be a function"],
    ["a misspelled limit", { machines: [counter], limits: { payloadBytes: 1 } }, 'limits: there is no payloadBytes (did you mean "payloadBytesMax"?)'],
    ["a misspelled option of a machine", { machines: [{ machine: counter, actvities: {} }] }, 'machine "counter": there is no actvities (did you mean "activities"?)'],
    ["supervision by a word", { machines: [{ machine: counter, supervision: "restart" }] }, 'supervision: it must be an object, got "restart"'],
    ["a misspelled field of supervision", { machines: [{ machine: counter, supervision: { strategie: "stop" } }] }, "there is no strategie"],
    ["retention by a word", { machines: [counter], retention: "30 days" }, 'retention: it must be an object, got "30 days"'],
    ["retention by nothing", { machines: [counter], retention: null }, "retention: it must be an object, got null"],
    ["a misspelled option of an activity", withJob({ retries: 3 }), 'machine "job", activity "work": there is no retries'],
    ["a misspelled field of a back-off", withJob({ retry: { attemptsMax: 3, backoff: { kind: "fixed", baseMs: 1, maxMs: 5 } } }), 'backoff: there is no maxMs (did you mean "capMs"'],
    [
      "a misspelled field of a retry policy",
      withJob({ retry: { attempts: 3, backoff: { kind: "fixed", baseMs: 1 } } }),
      'the retry policy is not valid: there is no attempts (did you mean "attemptsMax"?)',
    ],
    ["what is no machine, by its place", { machines: [counter, { id: "x" }] }, "machines[1]: this is not an XState machine, but an object"],
    ["a machine of another copy of XState", { machines: [{ ...createMachine({ id: "twin" }), id: "twin", root: {}, implementations: {} }] }, "another copy of xstate made this machine"],
  ])("refuses %s", async (_, options, message) => {
    await expect(open(options)).rejects.toMatchObject({ _tag: "InvalidOptions", message: expect.stringContaining(message) });
  });

  test("makes no file for options that are refused", async () => {
    const database = join(folder, "never.db");
    await expect(open({ database, machines: [counter], limitz: {} })).rejects.toMatchObject({ _tag: "InvalidOptions" });
    expect(existsSync(database)).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
    rmSync(folder, { recursive: true });
  });
});

describe("engine > given > calls", () => {
  const calls: ReadonlyArray<[string, (engine: Taskwright) => Promise<unknown>, object]> = [
    [
      "a key under another name",
      (engine) => engine.send("counter/1", { type: "ADD" }, { idempotencyKey: "k" } as never),
      { _tag: "InvalidEvent", path: "options", detail: expect.stringContaining("there is no idempotencyKey") },
    ],
    ["a key without its name", (engine) => engine.send("counter/1", { type: "ADD" }, "k" as never), { _tag: "InvalidEvent", detail: 'it must be an object, got "k"' }],
    ["an option that start has not", (engine) => engine.start("counter", "2", undefined, { key: "k" } as never), { _tag: "InvalidEvent", detail: "there is no key (there are: by)" }],
    [
      "a time-out that is none, of waitFor",
      (engine) => engine.waitFor("counter/1", () => false, { timeout: "fifty" as never }),
      { _tag: "InvalidEvent", path: "timeout", detail: expect.stringContaining('got "fifty"') },
    ],
    ["a time-out that is none, of ask", (engine) => engine.ask("counter/1", { type: "ADD" }, { timeout: "soon" as never }), { _tag: "InvalidEvent", path: "timeout" }],
    ["a grace that is none", (engine) => engine.close({ grace: "soon" as never }), { _tag: "InvalidOptions", message: expect.stringContaining('got "soon"') }],
    ["a misspelled filter of list", (engine) => engine.list({ machin: "counter" } as never), { _tag: "InvalidOptions", message: expect.stringContaining('did you mean "machine"?') }],
    ["a status that there is not", (engine) => engine.list({ status: "dead" }), { _tag: "InvalidOptions", message: expect.stringContaining("active, done, error, stopped") }],
    ["a misspelled filter of dead letters", (engine) => engine.deadLetters({ machin: "counter" } as never), { _tag: "InvalidOptions" }],
    ["a misspelled filter of drop, which would be everything", (engine) => engine.drop({ machin: "counter" } as never), { _tag: "InvalidOptions" }],
    ["a misspelled filter of requeue", (engine) => engine.requeue({ typ: "ADD" } as never), { _tag: "InvalidOptions" }],
    ["a drop of nothing that is named", (engine) => engine.drop(undefined as never), { _tag: "InvalidOptions", message: expect.stringContaining("got nothing") }],
    ["a misspelled rehearsal of a migration", (engine) => engine.migrate("counter", { dryrun: true } as never), { _tag: "InvalidOptions", message: expect.stringContaining('did you mean "dryRun"?') }],
  ];
  test.each(calls)("refuse %s, and change nothing", async (_, call, error) => {
    const engine = await openEngine({ machines: [counter], log: () => {} });
    await engine.start("counter", "1");
    await expect(call(engine)).rejects.toMatchObject(error);
    expect(await engine.history("counter/1")).toHaveLength(1);
    expect(await engine.list()).toHaveLength(1);
    await engine.close();
  });

  test("a start that fails says so, and does not speak of dead letters", async () => {
    const engine = await openEngine({ machines: [setup({ types: { input: {} as { x: number } } }).createMachine({ id: "needy", context: ({ input }) => ({ x: input.x }) })], log: () => {} });
    await expect(engine.start("needy", "1")).rejects.toMatchObject({ _tag: "ActorFailed", message: expect.stringMatching(/^"needy\/1" could not start: .*give it the input that it needs$/) });
    expect(await engine.deadLetters()).toEqual([]);
    await engine.close();
  });
});

describe("engine > given > time-outs", () => {
  test("say where the actor stood", async () => {
    const engine = await openEngine({ machines: [counter], log: () => {} });
    await engine.start("counter", "1");
    const { value } = await engine.snapshot("counter/1");
    await expect(engine.waitFor("counter/1", () => false, { timeout: 5 })).rejects.toMatchObject({
      _tag: "TimedOut",
      what: `the awaited state was not reached (it stands in ${JSON.stringify(value)})`,
    });
    await engine.close();
  });
});

describe("domain > names", () => {
  test("a name that an object has from elsewhere is none of its own", () => {
    expect(checkNames({ toString: 1, a: 1 }, { a: true })).toEqual(["there is no toString (there are: a)"]);
    expect(checkNames(Object.create({ inherited: 1 }), { a: true })).toEqual([]);
  });
});
