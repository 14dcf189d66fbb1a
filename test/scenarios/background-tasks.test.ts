import * as Schema from "effect/Schema";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect } from "vitest";
import type { RunContext, TaskSpec, TaskView } from "../../src/dispatch/index.ts";
import { delivered, retry } from "../../src/delivery/index.ts";
import type { RunOutcome } from "../../src/domain/task.ts";
import { type Bench, inThreeModes, inTwoModes } from "../../src/testing/index.ts";
import { holding, TaskHost } from "./task-host.ts";

const order = { by: "Ada", why: "on purpose" };
const agent = (id: string, more: Partial<TaskSpec> = {}): TaskSpec => ({ id, kind: "agent", ...more });
const notification = { policy: "always", criteria: [], outbox: "results" } as const;
const minute = 60_000;
const folders: Array<string> = [];
const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "taskwright-tasks-"));
  folders.push(folder);
  return folder;
};
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** An agent that asks first and works when it has its answer, in the session that it began. */
const asking = (_: unknown, __: AbortSignal, { session, answer, sessionIs, ask }: RunContext) => {
  if (session === undefined) sessionIs("s1");
  if (answer === undefined) ask("which colour?", ["red", "blue"]);
  return { painted: answer, session };
};
const open = (bench: Bench, run: (input: never, signal: AbortSignal, context: RunContext) => unknown, more: object = {}) => TaskHost.open(bench, { kinds: { agent: { run } }, ...more });

describe("scenarios > background tasks", () => {
  inThreeModes("E1 waiting, queued, running, parked, and each of the ends", async (bench) => {
    const { run, of } = holding();
    const host = await open(bench, (input, signal, context) => (context.task === "asks" ? asking(input, signal, context) : run(input, signal, context)), { dispatch: { functionSlots: 1 } });
    await host.call((tasks) =>
      tasks.submit([
        agent("asks"),
        agent("runs", { executionTimeoutMs: 10 * minute }),
        agent("queued"),
        agent("needs", { needs: ["queued"] }),
        agent("later", { runAt: host.engine.time.now() + minute }),
      ]),
    );
    expect(await host.states()).toEqual({ asks: "parked", runs: "running", queued: "queued", needs: "waiting", later: "waiting" });
    await host.play(() => of("runs").end({ made: 1 }));
    expect(await host.task("runs")).toMatchObject({ state: "done", result: { made: 1 } });
    await host.play(() => of("queued").fail(new Error("broke")));
    expect(await host.states()).toMatchObject({ queued: "dead", needs: "cancelled" });
    await host.call((tasks) => tasks.submit(agent("slow", { executionTimeoutMs: minute / 3 })));
    await host.advance(2 * minute);
    expect(await host.states()).toMatchObject({ slow: "dead" });
    await host.call((tasks) => tasks.expire("later", order));
    await host.call((tasks) => tasks.cancel("asks", order));
    expect(await host.state("later")).toBe("expired");
    expect(await host.state("asks")).toBe("cancelled");
  });

  inThreeModes("E2 a cap on all; waiting ones follow in order; a parked one gives its slot up; the queue has a time-out", async (bench) => {
    const { run, of, begun } = holding();
    const host = await open(bench, (input, signal, context) => (context.task === "asks" ? asking(input, signal, context) : run(input, signal, context)), {
      dispatch: { functionSlots: 10, slotsMax: 2 },
    });
    await host.call((tasks) => tasks.submit([agent("asks"), agent("a"), agent("b"), agent("c"), agent("impatient", { queueTimeoutMs: minute, priority: -1 })]));
    expect(await host.states()).toEqual({ asks: "parked", a: "running", b: "running", c: "queued", impatient: "queued" });
    await host.advance(minute);
    expect(await host.task("impatient")).toMatchObject({ state: "expired", failure: { code: "queue_timeout" } });
    await host.play(() => of("a").end());
    expect(await host.states()).toMatchObject({ a: "done", b: "running", c: "running" });
    expect(begun.indexOf("c")).toBeGreaterThan(begun.indexOf("b"));
    // The answered one waits for a slot as all others do.
    await host.call((tasks) => tasks.answer("asks", "blue", order));
    expect(await host.state("asks")).toBe("queued");
    await host.play(() => of("b").end());
    expect(await host.state("asks")).toBe("done");
  });

  const Brief = Schema.Struct({ text: Schema.NonEmptyString, model: Schema.optionalWith(Schema.String, { exact: true, default: () => "small" }) });
  inThreeModes("E3 the envelope is resolved and checked before any work, and pinned, also over a resumed session", async (bench) => {
    const seen: Array<unknown> = [];
    const run = (input: never, signal: AbortSignal, context: RunContext) => {
      seen.push([input, context.budget]);
      return asking(input, signal, context);
    };
    const host = await TaskHost.open(bench, { kinds: { agent: { input: Brief, defaults: { budget: { turns: 10, costUsd: 2 }, executionTimeoutMs: minute }, run } } });
    const error = await host.failure((tasks) =>
      tasks.submit([agent("good", { input: { text: "hello" } }), agent("bad", { input: { text: "" }, budget: { turns: -1 } }), { id: "odd", kind: "nobody" }]),
    );
    expect(error).toMatchObject({
      _tag: "InvalidTask",
      problems: [
        { id: "bad", detail: expect.stringContaining("budget.turns") },
        { id: "odd", detail: expect.stringContaining("declared: command, agent") },
      ],
    });
    expect(await host.failure((tasks) => tasks.submit(agent("bad", { input: { text: 7 } })))).toMatchObject({ problems: [{ detail: expect.stringContaining("input.text") }] });
    expect(await host.states()).toEqual({});
    await host.call((tasks) => tasks.submit(agent("good", { input: { text: "hello" }, budget: { costUsd: 1 } })));
    // Other defaults hold for other tasks.
    await host.restart({ defaults: { lossesMax: 1_000, budget: { turns: 99 } } });
    await host.call((tasks) => tasks.answer("good", "blue", order));
    expect(await host.task("good")).toMatchObject({ state: "done", spec: { budget: { turns: 10, costUsd: 1 }, executionTimeoutMs: minute } });
    for (const one of seen)
      expect(one).toEqual([
        { text: "hello", model: "small" },
        { turns: 10, costUsd: 1 },
      ]);
  });

  const outcomes: ReadonlyArray<readonly [RunOutcome, string]> = [
    ["ok", "done"],
    ["error", "dead"],
    ["timeout", "dead"],
    ["killed", "failed"],
    ["maxTurnsExceeded", "failed"],
    ["budgetExceeded", "failed"],
    ["noResult", "failed"],
    ["resumeUnavailable", "failed"],
    ["unknown", "failed"],
  ];
  inThreeModes("E4 each outcome of a run has its end; what runs use is added up", async (bench) => {
    const run = (outcome: RunOutcome, _: AbortSignal, { usage, attempt, end }: RunContext) => {
      usage({ turns: 2 });
      usage({ turns: 3, costUsd: 0.5 });
      if (attempt === 1) throw new Error("once more");
      return outcome === "ok" ? "well" : end(outcome, `it was ${outcome}`);
    };
    const host = await open(bench, run as never, { dispatch: { functionSlots: 20 } });
    await host.call((tasks) =>
      tasks.submit(outcomes.map(([outcome]) => agent(outcome, { input: outcome, retry: { attemptsMax: 2, backoff: { kind: "fixed", baseMs: 1_000 }, jitter: { min: 1, max: 1 } } }))),
    );
    await host.advance(5_000);
    for (const [outcome, state] of outcomes) {
      expect(await host.task(outcome)).toMatchObject({ state, attempts: 2, usage: { turns: 6, costUsd: 1 } });
      if (outcome !== "ok") expect((await host.task(outcome)).failure).toMatchObject({ code: outcome, message: `it was ${outcome}` });
    }
  });

  inThreeModes("E4 a budget that is exceeded ends the run, and the task", async (bench) => {
    const run = (_: unknown, signal: AbortSignal, { usage }: RunContext) => {
      usage({ turns: 11, costUsd: 0.2 });
      return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("it was told to stop"))));
    };
    const host = await open(bench, run as never);
    await host.call((tasks) => tasks.submit(agent("a", { budget: { turns: 10 } })));
    expect(await host.task("a")).toMatchObject({ state: "failed", failure: { code: "budget_exceeded", message: "it used 11 of 10 turns" }, usage: { turns: 11 } });
  });

  inThreeModes("E5 a question parks the task; its answer goes to the same session; without one it fails loudly", async (bench) => {
    const host = await open(bench, asking as never, { dispatch: { defaults: { notification } } });
    await host.call((tasks) => tasks.submit([agent("a"), agent("b", { answerTimeoutMs: 10 * minute })]));
    expect(await host.task("a")).toMatchObject({ state: "parked", session: "s1", question: { about: "input", text: "which colour?", data: ["red", "blue"] } });
    const { question } = await host.task("a");
    expect((await host.call((tasks) => tasks.answer("a", "red", { ...order, question: "another" }))).refused).toMatchObject([{ id: "a", state: "parked" }]);
    expect((await host.call((tasks) => tasks.answer("a", "blue", { ...order, question: question?.id ?? "" }))).done).toEqual(["a"]);
    expect(await host.task("a")).toMatchObject({ state: "done", result: { painted: "blue", session: "s1" } });
    expect((await host.call((tasks) => tasks.answer("a", "red", order))).refused).toMatchObject([{ state: "done", detail: "it has ended" }]);
    await host.advance(10 * minute);
    expect(await host.task("b")).toMatchObject({ state: "failed", failure: { code: "unanswered" } });
    expect(host.received.map(({ type, key }) => `${type} ${key.slice(0, 6)}`).sort()).toEqual(["task.failure task/b", "task.question task/a", "task.question task/b", "task.result task/a"]);
    expect(await host.history("a")).toContainEqual(expect.objectContaining({ type: "ANSWER", by: "Ada", why: "on purpose", answer: "blue" }));
  });

  inThreeModes("E6 after a start everything goes on: with its stored session, else from its input; a session that is gone is no failure", async (bench) => {
    const { run, of, begun } = holding();
    const gone = new Set<string>();
    const host = await open(bench, (input, signal, context) => {
      if (context.session !== undefined && gone.has(context.task)) return context.end("resumeUnavailable");
      if (context.task !== "plain" && context.session === undefined) context.sessionIs(`session of ${context.task}`);
      return run(input, signal, context);
    });
    await host.call((tasks) => tasks.submit([agent("kept"), agent("gone"), agent("plain", { input: "the brief" })]));
    gone.add("gone");
    await host.restart();
    expect(await host.states()).toEqual({ kept: "running", gone: "running", plain: "running" });
    expect(of("kept").context).toMatchObject({ session: "session of kept" });
    expect(of("gone").context.session).toBeUndefined();
    expect(of("plain")).toMatchObject({ input: "the brief", context: { session: undefined } });
    expect(begun.filter((task) => task === "kept").length).toBeGreaterThan(1);
    for (const id of ["kept", "gone", "plain"]) expect(await host.task(id)).toMatchObject({ failures: 0 });
    gone.clear();
    for (const id of ["kept", "gone", "plain"]) await host.play(() => of(id).end(id));
    expect(await host.states()).toEqual({ kept: "done", gone: "done", plain: "done" });
  });

  inThreeModes("E7 every bad end leaves an artifact and is delivered; a cancelled task is not told of; one that is only filed is not delivered", async (bench) => {
    const artifacts = newFolder();
    const run = (how: string, _: AbortSignal, context: RunContext) => {
      if (how === "asks") context.ask("what?");
      if (how === "silent") return context.end("noResult", "it ended without a result");
      if (how === "budget") return context.end("budgetExceeded", "too dear");
      throw new Error("broke");
    };
    const host = await open(bench, run as never, { artifacts, dispatch: { functionSlots: 20, defaults: { notification } } });
    const filed = { notification: { policy: "never" } } as const;
    await host.call((tasks) =>
      tasks.submit([
        agent("error", { input: "error" }),
        agent("silent", { input: "silent" }),
        agent("budget", { input: "budget" }),
        agent("asks", { input: "asks", answerTimeoutMs: minute }),
        agent("filed", { input: "error", ...filed }),
        agent("unwanted", { input: "asks" }),
        agent("late", { runAt: host.engine.time.now() + 10 * minute, deadline: host.engine.time.now() + 11 * minute, queue: "shut" }),
      ]),
    );
    await host.call((tasks) => tasks.cancel("unwanted", order));
    await host.call((tasks) => tasks.expire("late", order));
    await host.advance(2 * minute);
    expect(await host.states()).toEqual({ error: "dead", silent: "failed", budget: "failed", asks: "failed", filed: "dead", unwanted: "cancelled", late: "expired" });
    expect(readdirSync(artifacts).sort()).toEqual(["asks", "budget", "error", "filed", "late", "silent"].map((id) => `${id}.json`));
    expect(JSON.parse(readFileSync(join(artifacts, "budget.json"), "utf8"))).toMatchObject({ task: "budget", state: "failed", failure: { message: "too dear" }, attempts: 1 });
    const told = host.received.filter(({ type }) => type === "task.failure").map(({ payload }) => (payload as { readonly task: string }).task);
    expect(told.sort()).toEqual(["asks", "budget", "error", "late", "silent"]);
    expect((await host.task("error")).artifact).toMatchObject({ failure: { message: "broke" } });
    expect((await host.task("unwanted")).artifact).toBeUndefined();
  });

  inThreeModes("E8 what an outbox did not take is found by the sweep and delivered, and nothing twice", async (bench) => {
    let isUp = false;
    const received: Array<string> = [];
    const destination = ({ key }: { readonly key: string }) => {
      if (!isUp) return retry("down");
      received.push(key);
      return delivered;
    };
    const host = await open(bench, (() => "well") as never, {
      outboxes: { small: { destination, policy: { entriesMax: 1, whenFull: "refuse", restartClearsBackoff: false } } },
      dispatch: { defaults: { notification: { ...notification, outbox: "small" } } },
    });
    await host.call((tasks) => tasks.submit([agent("a"), agent("b"), agent("c")]));
    expect(await host.states()).toEqual({ a: "done", b: "done", c: "done" });
    expect((await host.keys("small")).length).toBe(1);
    isUp = true;
    await host.advance(30 * minute);
    await host.restart();
    await host.advance(30 * minute);
    expect([...received].sort()).toEqual(["task/a/result", "task/b/result", "task/c/result"]);
    expect(await host.engine.taskwright.deadLetters()).toEqual([]);
  });

  inThreeModes("E9 always, never, or when one of the criteria was met", async (bench) => {
    const run = (met: ReadonlyArray<string>, _: AbortSignal, context: RunContext) => {
      context.criteriaMet(...met);
      return "well";
    };
    const host = await open(bench, run as never, { dispatch: { defaults: { notification: { ...notification, criteria: ["breaking", "security"] } } } });
    const policies = ["always", "never", "ifSignificant"] as const;
    await host.call((tasks) =>
      tasks.submit(policies.flatMap((policy) => [[], ["security"], ["typo"]].map((met) => agent(`${policy}-${met[0] ?? "nothing"}`, { input: met, notification: { policy } })))),
    );
    expect(host.received.map(({ payload }) => (payload as { readonly task: string }).task).sort()).toEqual(["always-nothing", "always-security", "always-typo", "ifSignificant-security"]);
    expect(host.received.every(({ payload }) => (payload as { readonly result: unknown }).result === "well")).toBe(true);
  });

  inThreeModes("E10 cancel works in every state, once, and reaches the worker as a signal", async (bench) => {
    const { run, of } = holding();
    const host = await open(bench, (input, signal, context) => (context.task === "parked" ? asking(input, signal, context) : run(input, signal, context)), { dispatch: { functionSlots: 1 } });
    await host.call((tasks) =>
      tasks.submit([agent("parked"), agent("running"), agent("queued"), agent("waiting", { needs: ["queued"] }), agent("paused"), agent("later", { runAt: host.engine.time.now() + minute })]),
    );
    await host.call((tasks) => tasks.pause("paused", order));
    expect(await host.states()).toEqual({ parked: "parked", running: "running", queued: "queued", waiting: "waiting", paused: "paused", later: "waiting" });
    const ids = ["parked", "queued", "paused", "later", "waiting"];
    expect((await host.call((tasks) => tasks.cancel(ids, order))).done).toEqual(ids);
    const { signal } = of("running");
    await host.call((tasks) => tasks.cancel({ kind: "agent" }, order));
    expect(signal.aborted).toBe(true);
    expect(new Set(Object.values(await host.states()))).toEqual(new Set(["cancelled"]));
    // Once more is the same.
    expect(await host.call((tasks) => tasks.cancel(ids, order))).toEqual({ done: ids, refused: [] });
    expect(await host.failure((tasks) => tasks.cancel("nobody", order))).toMatchObject({ _tag: "UnknownTask", ids: ["nobody"] });
  });

  inTwoModes("E10 cancel against promote has one winner", async (bench) => {
    for (const first of ["cancel", "promote"] as const) {
      const { run, of, runs } = holding();
      const host = await open(bench, run as never, { dispatch: { functionSlots: 1 } });
      await host.call((tasks) => tasks.submit([agent("busy"), agent("a")]));
      const cancelling = first === "cancel" ? host.dispatcher.cancel("a", order) : undefined;
      of("busy").end();
      await (cancelling ?? host.dispatcher.cancel("a", order));
      await host.engine.settled();
      await host.advance(5_000);
      expect(await host.states()).toEqual({ busy: "done", a: "cancelled" });
      if (runs.has("a")) expect(of("a").signal.aborted).toBe(true);
    }
  });

  inTwoModes("E11 every transition is told to listeners", async (bench) => {
    const host = await open(bench, asking as never);
    const seen: Array<string> = [];
    host.dispatcher.observe(({ state }: TaskView) => void (seen.at(-1) === state || seen.push(state)));
    await host.call((tasks) => tasks.submit(agent("a")));
    await host.call((tasks) => tasks.answer("a", "blue", order));
    expect(seen).toEqual(["queued", "assigned", "running", "parked", "queued", "assigned", "running", "done"]);
  });

  inThreeModes("E11 each run has a folder of its own, which is kept while the task is parked", async (bench) => {
    const root = newFolder();
    const run = (_: unknown, __: AbortSignal, { folder = "", answer, attempt, sessionIs, ask }: RunContext) => {
      if (attempt === 1) {
        writeFileSync(join(folder, "left"), "");
        throw new Error("once more");
      }
      if (answer !== undefined) return readdirSync(folder);
      sessionIs("s1");
      writeFileSync(join(folder, "draft"), "");
      return ask("go on?");
    };
    const host = await open(bench, run as never, { folders: root });
    await host.call((tasks) => tasks.submit(agent("a", { folder: true, retry: { attemptsMax: 2, backoff: { kind: "fixed", baseMs: 1_000 } } })));
    expect(readdirSync(root)).toEqual([]);
    await host.advance(minute);
    expect(await host.state("a")).toBe("parked");
    expect(existsSync(join(root, "a.2", "draft"))).toBe(true);
    await host.call((tasks) => tasks.answer("a", "yes", order));
    expect(await host.task("a")).toMatchObject({ state: "done", result: ["draft"] });
    expect(readdirSync(root)).toEqual([]);
  });
});
