import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { invoke } from "../../src/cli/invoke.ts";
import { dispatchMachines, openDispatcher, openEngine } from "../../src/index.ts";
import { heldSignals, recordedStreams } from "./recorded.ts";

const kinds = `export const kinds = {
  letter: {
    run: (input, signal, context) => {
      if (context.answer === undefined) context.ask("To whom?", ["Ada", "Grace"]);
      return { to: context.answer };
    },
  },
  dear: { run: async (input, signal, context) => { context.usage({ costUsd: 2 }); await new Promise((resolve) => signal.addEventListener("abort", resolve)); } },
};`;

let folder: string;
const file = (name: string, ...lines: ReadonlyArray<string>) => {
  writeFileSync(join(folder, name), lines.join("\n"));
  return join(folder, name);
};
const run = async (options: ReadonlyArray<string>, ask?: (prompt: string) => Promise<string>) => {
  const { streams, written } = recordedStreams();
  const words = ["run", join(folder, "tasks.jsonl"), "--slots", "1", "--database", join(folder, "work.db"), "--kinds", join(folder, "kinds.mjs"), "--results", join(folder, "results.jsonl")];
  const code = await Effect.runPromise(invoke(["node", "taskwright", ...words, ...options], ask === undefined ? streams : { ...streams, ask }, heldSignals().source));
  const results = () =>
    readFileSync(join(folder, "results.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  return { code, results, ...written };
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "taskwright-kinds-"));
  file("kinds.mjs", kinds);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("cli > run > kinds", () => {
  it("asks on the terminal what a task asks, keeps its budget, and writes results", async () => {
    file("tasks.jsonl", '{"id":"l","kind":"letter"}', '{"id":"d","kind":"dear","budget":{"costUsd":1}}');
    const prompts: Array<string> = [];
    const { code, out, results } = await run([], async (prompt) => {
      prompts.push(prompt);
      return "Ada";
    });
    expect(prompts).toEqual(['l asks: To whom? ["Ada","Grace"]\n> ']);
    expect(code).toBe(1);
    expect(out).toContain("asked     l: To whom?\n");
    const byId = new Map(results().map((result) => [result.id, result]));
    expect(byId.get("l")).toMatchObject({ state: "done", result: { to: "Ada" }, attempts: 2 });
    expect(byId.get("d")).toMatchObject({ state: "failed", failure: { code: "budget_exceeded" }, usage: { costUsd: 2 } });
    // Again: nothing is repeated, the results stand there as before.
    expect((await run([])).results()).toHaveLength(2);
  });

  it("takes answers from a file, and runs the work of a key once", async () => {
    file("tasks.jsonl", '{"id":"l","kind":"letter","key":"ada"}');
    const answers = file("answers.jsonl", '{"id":"l","answer":{"name":"Grace"}}');
    expect((await run(["--answers", answers])).results()).toMatchObject([{ id: "l", state: "done", result: { to: { name: "Grace" } } }]);
  });

  it("counts a line as the task that does the work of its key already", async () => {
    const dispatch = dispatchMachines({ kinds: { letter: {} } });
    const engine = await openEngine({ database: join(folder, "work.db"), machines: [], plugins: [dispatch], log: () => {} });
    const tasks = await openDispatcher(engine, dispatch);
    await tasks.submit({ id: "other", kind: "letter", key: "ada" });
    await tasks.stop();
    await engine.close();
    file("tasks.jsonl", '{"id":"l","kind":"letter","key":"ada"}');
    const { code, error, out, results } = await run(["--answers", file("answers.jsonl", '{"id":"other","answer":"Grace"}')]);
    expect([code, error]).toEqual([0, "l is not run: the work of its key is under way as other\n"]);
    expect(out).toContain("1 task: 1 done");
    expect(results()).toMatchObject([{ id: "other", result: { to: "Grace" } }]);
  });

  it("verifies by whoever sits there what nobody verified in time, in a folder of its own", async () => {
    file("tasks.jsonl", '{"id":"v","kind":"made","verification":{"when":"always","grace":"1ms"},"folder":true,"slots":10}');
    file("kinds.mjs", 'import { existsSync } from "node:fs";', "export const kinds = { made: { run: (input, signal, { folder }) => existsSync(folder) && folder } };");
    const { code, results } = await run([], async () => "yes");
    expect(code).toBe(0);
    const [{ state, result }] = results();
    expect([state, result, existsSync(result)]).toEqual(["done", join(folder, "work.db.folders", "v.1"), false]);
  });

  it("names what is wrong with the files, and runs nothing", async () => {
    file("tasks.jsonl", '{"id":"l","kind":"leter"}');
    expect(await run([])).toMatchObject({ code: 2, error: expect.stringContaining('no kind "leter" is declared') });
    const answers = file("answers.jsonl", "x", '{"id":"l"}');
    expect(await run(["--answers", answers])).toMatchObject({ code: 2, error: expect.stringMatching(/:1: this is no JSON[\s\S]*:2: "answer" is missing/) });
  });
});
