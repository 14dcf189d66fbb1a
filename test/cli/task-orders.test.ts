import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { invoke } from "../../src/cli/invoke.ts";
import { type Dispatcher, dispatchMachines, openDispatcher, openEngine } from "../../src/index.ts";
import { yard } from "../server/yard.ts";
import { heldSignals, recordedStreams } from "./recorded.ts";

let folder: string;
let database: string;
const heard: Array<unknown> = [];

/** An engine on the journal with a kind that nobody carries out, one that fails once, and one that asks. */
const working = async (use: (tasks: Dispatcher) => Promise<unknown>) => {
  const dispatch = dispatchMachines({
    kinds: {
      later: {},
      poll: { run: (_: never, _signal, context) => context.attempt === 1 && context.end("error", "not yet") },
      letter: {
        run: (_: never, _signal, context) => {
          if (context.answer === undefined) context.ask("To whom?");
          heard.push(context.answer);
        },
      },
      note: { run: () => "noted", defaults: { verification: { when: "always" } } },
    },
  });
  const engine = await openEngine({ database, machines: [], plugins: [dispatch], log: () => {} });
  const tasks = await openDispatcher(engine, dispatch);
  await use(tasks);
  await engine.settled();
  await tasks.stop();
  await engine.close();
};
const reached = (tasks: Dispatcher, id: string, state: string) =>
  new Promise<void>((resolve) => {
    tasks.observe((task) => task.id === id && task.state === state && resolve());
    void tasks.get(id).then((task) => task?.state === state && resolve());
  });
const command = async (...words: ReadonlyArray<string>) => {
  const { streams, written } = recordedStreams();
  const code = await Effect.runPromise(invoke(["node", "taskwright", ...words], streams, heldSignals().source));
  return { code, ...written };
};
const taskwright = (...words: ReadonlyArray<string>) => command(...words, "--database", database);
const report = async (...words: ReadonlyArray<string>) => {
  const { code, out } = await taskwright(...words, "--json");
  return { code, ...(JSON.parse(out) as { done: ReadonlyArray<string>; refused: ReadonlyArray<unknown> }) };
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "taskwright-orders-"));
  database = join(folder, "work.db");
  heard.length = 0;
  await working(async (tasks) => {
    await tasks.submit([
      ...["a", "b", "c"].map((id) => ({ id, kind: "later", tags: id === "c" ? ["last"] : [] })),
      { id: "p", kind: "poll", retry: { attemptsMax: 2, backoff: { kind: "fixed" as const, baseMs: 3_600_000 } } },
      { id: "q", kind: "letter" },
      { id: "n", kind: "note" },
      { id: "m", kind: "note" },
    ]);
    await Promise.all([reached(tasks, "p", "backingOff"), reached(tasks, "q", "parked"), reached(tasks, "n", "verifying"), reached(tasks, "m", "verifying")]);
  });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("cli > task orders", () => {
  it("are carried out by the next engine; the history says who and why", async () => {
    expect(await taskwright("cancel", "a", "b", "--by", "Ada", "--why", "no need")).toEqual({
      code: 0,
      out: `cancel a as soon as an engine runs on ${database}\ncancel b as soon as an engine runs on ${database}\n`,
      error: "",
    });
    expect(await report("retry", "p")).toEqual({ code: 0, done: ["p"], refused: [] });
    expect(await report("answer", "q", '{"name": "Grace"}', "--parse")).toMatchObject({ done: ["q"] });
    expect(await report("verify", "n")).toMatchObject({ done: ["n"] });
    expect(await report("reject", "m", "--why", "too short")).toMatchObject({ done: ["m"] });
    expect(await report("reprioritise", "c", "--priority", "7")).toMatchObject({ done: ["c"] });
    await working(async (tasks) => {
      const ended = await tasks.whenEnded(["a", "b", "p", "q", "n", "m"]);
      expect(ended.map(({ state }) => state)).toEqual(["cancelled", "cancelled", "done", "done", "done", "failed"]);
      expect(ended[5]?.verdict).toMatchObject({ why: "too short", verified: false });
      expect(await tasks.get("c")).toMatchObject({ state: "queued", priority: 7 });
    });
    expect(heard).toEqual([{ name: "Grace" }]);
    expect(
      JSON.parse(
        (await taskwright("history", "a", "--json")).out
          .trim()
          .split("\n")
          .find((line) => line.includes("CANCEL")) ?? "{}",
      ),
    ).toMatchObject({
      event: { type: "CANCEL", by: "Ada", why: "no need" },
    });
  });

  it("choose by a filter, count what still waits in the mailbox, and say who does not take them", async () => {
    expect(await report("pause", "--kind", "later")).toMatchObject({ code: 0, done: ["a", "b", "c"] });
    expect(await report("resume", "--tag", "last")).toMatchObject({ code: 0, done: ["c"] });
    expect(await report("pause", "a", "c", "q")).toEqual({
      code: 1,
      done: ["c"],
      refused: [
        { id: "a", state: "queued", detail: "a task that is queued, and has been told more that it has not heard yet, takes no such order" },
        { id: "q", state: "parked", detail: "a task that is parked takes no such order" },
      ],
    });
    expect(await report("expire", "--state", "parked")).toMatchObject({ done: ["q"] });
    await working((tasks) => tasks.whenEnded(["q"]));
    expect((await taskwright("ps", "--state", "paused")).out).toMatch(/^a .*\n?b .*\n?c /m);
    expect(await report("expire", "q")).toEqual({ code: 1, done: [], refused: [{ id: "q", state: "expired", detail: "it has ended" }] });
    expect((await report("cancel", "--all")).done).toEqual(["a", "b", "c", "p", "n", "m"]);
    expect(await taskwright("cancel", "--kind", "nothing")).toMatchObject({ code: 0, out: "no tasks\n" });
  });

  it("refuse what is unclear or unknown, and then tell nobody", async () => {
    for (const words of [[], ["a", "--all"], ["a", "--kind", "later"]]) expect((await taskwright("cancel", ...words)).code).toBe(2);
    expect(await taskwright("cancel", "a", "nobody")).toMatchObject({ code: 2, error: expect.stringContaining('there is no task "nobody"') });
    expect(await taskwright("answer", "q", "{", "--parse")).toMatchObject({ code: 2, error: expect.stringContaining("the answer is no JSON") });
    expect(await taskwright("cancel", "a", "--server", "http://127.0.0.1:1")).toMatchObject({ code: 2, error: expect.stringContaining("not both") });
    await working(async (tasks) => {
      expect(await taskwright("cancel", "a")).toMatchObject({ code: 2, error: expect.stringContaining('tasks.cancel(["a"], …)') });
      expect(await tasks.get("a")).toMatchObject({ state: "queued" });
    });
  });

  it("go to a server that has the journal, which carries them out at once", async () => {
    const { url, dispatcher } = await yard();
    await dispatcher.submit([
      { id: "a", kind: "greet" },
      { id: "b", kind: "greet" },
    ]);
    expect(await command("cancel", "a", "--server", url, "--why", "no need")).toMatchObject({ code: 0, out: "cancel a\n" });
    expect(await dispatcher.get("a")).toMatchObject({ state: "cancelled", failure: { message: "no need" } });
    expect(await command("resume", "--kind", "greet", "--server", url)).toMatchObject({ code: 1, out: "refused b: a task that is queued takes no such order\n" });
    expect(await command("cancel", "nobody", "--server", url)).toMatchObject({ code: 2, error: expect.stringContaining("(unknown_task)") });
  });
});
