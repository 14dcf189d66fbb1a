import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assign, setup } from "xstate";
import { stuck } from "../../src/analysis/index.ts";
import { type Dispatcher, dispatchMachines, openDispatcher } from "../../src/dispatch/index.ts";
import { parkedRemedies, systemTime } from "../../src/engine/index.ts";
import { Fleets } from "../../src/inspector/fleets.ts";
import { type Inspector, makeInspector } from "../../src/inspector/index.ts";
import type { TaskList } from "../../src/inspector/task-wire.ts";
import { Tasks } from "../../src/inspector/tasks.ts";
import type { ActorList, ActorPage, Done, Overview, Preview } from "../../src/inspector/wire.ts";
import { testEngine, type TestEngine } from "../../src/testing/index.ts";

const call = async <A>(inspector: Inspector, path: string, body?: unknown): Promise<A> => {
  const headers = { "x-taskwright-inspector": "1" };
  const answer = await inspector.fetch(new Request(`http://localhost/api/${path}`, body === undefined ? {} : { method: "POST", body: JSON.stringify(body), headers }));
  if (!answer.ok) throw Object.assign(new Error("refused"), { status: answer.status, ...((await answer.json()) as object) });
  return (await answer.json()) as A;
};

describe("inspector > tasks", () => {
  let engine: TestEngine;
  let dispatcher: Dispatcher;
  let inspector: Inspector;
  const ask = <A>(path: string, body?: unknown) => call<A>(inspector, path, body);
  const line = async (id: string) => (await ask<TaskList>(`tasks?search=${id}`)).lines.find((task) => task.id === id);
  const state = async (id: string) => (await dispatcher.get(id))?.state;
  const came = (id: string, wanted: string) =>
    new Promise<void>((resolve) => {
      const stop = dispatcher.observe((task) => {
        if (task.id !== id || task.state !== wanted) return;
        stop();
        resolve();
      });
    });

  beforeAll(async () => {
    const letter = (_input: unknown, _signal: AbortSignal, context: { readonly answer: unknown; readonly ask: (text: string, data?: unknown) => never }) => {
      if (context.answer === undefined) context.ask("How long may it be?", ["short", "long"]);
      return { length: context.answer, secret: "4711" };
    };
    const dispatch = dispatchMachines({ kinds: { letter: { run: letter } } });
    engine = await testEngine({ machines: [], plugins: [dispatch] });
    dispatcher = await openDispatcher(engine.taskwright, dispatch, { functionSlots: 2, queues: { slow: { slotsMax: 1 } } });
    inspector = makeInspector({ engine: engine.taskwright, dispatcher, machines: dispatch.machines, role: "operator", by: () => "ada", time: engine.time, redact: ["secret"] });
    await dispatcher.queues.pause("slow", { by: "ada", why: "the printer is full" });
    const asks = came("asks", "parked");
    await dispatcher.submit([
      { id: "asks", kind: "letter", priority: 3, tags: ["urgent"] },
      { id: "slow", kind: "letter", queue: "slow" },
      { id: "command", input: { command: { argv: ["true"] }, cwd: "/" } },
      { id: "needy", kind: "letter", needs: ["asks", "slow"] },
      ...Array.from({ length: 20 }, (_, index) => ({ id: `n${index}`, kind: "letter", queue: "slow", priority: index })),
    ]);
    await asks;
  });
  afterAll(async () => {
    inspector.close();
    await dispatcher.stop();
    await engine.end();
  });

  it("are listed with what they wait for", async () => {
    expect(await line("asks")).toMatchObject({
      state: "parked",
      attempts: 1,
      attemptsMax: 1,
      priority: 3,
      tags: ["urgent"],
      why: "asks: How long may it be?",
      until: engine.time.now() + 24 * 60 * 60 * 1000,
    });
    expect(await line("slow")).toMatchObject({ state: "queued", queue: "slow", why: "its queue is paused" });
    expect(await line("command")).toMatchObject({ state: "queued", why: 'no worker carries out "command"' });
    expect(await line("needy")).toMatchObject({ state: "waiting", why: "needs asks, slow" });
  });

  it("are filtered, sorted and paged where they are", async () => {
    const { total, of, lines, states, queues } = await ask<TaskList>("tasks?queue=slow&sort=priority&order=down&from=2&limit=3");
    expect([total, of, lines.map(({ id }) => id)]).toEqual([21, 24, ["n17", "n16", "n15"]]);
    expect([states, queues]).toEqual([
      { parked: 1, queued: 22, waiting: 1 },
      { default: 3, slow: 21 },
    ]);
    expect((await ask<TaskList>("tasks?search=urgent")).lines.map(({ id }) => id)).toEqual(["asks"]);
    expect((await ask<ReadonlyArray<string>>("task-ids?state=queued&kind=letter&sort=id&order=up")).slice(0, 2)).toEqual(["n0", "n1"]);
  });

  it("are shown with their queues and workers", async () => {
    const queues = await ask<ReadonlyArray<object>>("queues");
    expect(queues).toContainEqual({ name: "slow", state: "paused", policy: { slotsMax: 1 }, waiting: 21, running: 0 });
    expect(await ask("workers")).toMatchObject([{ id: "1", state: "active", kinds: ["letter"], slots: 2, used: 0, tasks: [], isDraining: false }]);
  });

  it("take an order after a preview that tells nobody, with who and why in their history", async () => {
    const order = { action: "order", order: "pause", tasks: ["n0", "asks", "gone"] };
    const { takes, refuses } = await ask<Preview>("preview", order);
    expect([takes, refuses]).toEqual([
      ["n0"],
      [
        { id: "asks", why: "a task that is parked takes no such order" },
        { id: "gone", why: "it is not there any more" },
      ],
    ]);
    expect(await state("n0")).toBe("queued");
    await expect(ask("bulk", order)).rejects.toMatchObject({ status: 400, code: "invalid_order" });
    expect(await ask<Done>("bulk", { ...order, why: "too early" })).toMatchObject({ done: 1, refuses });
    expect([await state("n0"), (await line("n0"))?.why]).toEqual(["paused", "was set aside; resume it to go on"]);
    expect((await engine.taskwright.history("task/n0")).at(-1)).toMatchObject({ event: { type: "PAUSE", by: "ada", why: "too early" } });
    await ask("bulk", { action: "order", order: "reprioritise", tasks: ["n0", "n1"], priority: 50, why: "the customer is here" });
    expect((await ask<TaskList>("tasks?sort=priority&limit=2")).lines.map(({ id, priority }) => [id, priority])).toEqual([
      ["n0", 50],
      ["n1", 50],
    ]);
  });

  it("are not ordered by one who may only look, nor without what the order needs", async () => {
    const viewer = makeInspector({ engine: engine.taskwright, dispatcher, machines: [], time: engine.time });
    const cancel = { action: "order", order: "cancel", tasks: ["n2"], why: "no" };
    await expect(call(viewer, "bulk", cancel)).rejects.toMatchObject({ status: 403 });
    for (const wrong of [{ order: "explode" }, { tasks: [] }, { tasks: "n2" }, { order: "reprioritise" }, { order: "answer", tasks: ["n2", "n3"] }, { why: " " }, { other: 1 }])
      await expect(ask("bulk", { ...cancel, ...wrong })).rejects.toMatchObject({ status: 400, code: "invalid_order" });
    expect(await state("n2")).toBe("queued");
    viewer.close();
  });

  it("that ask show their question on their page, and go on with the answer to that one", async () => {
    const { task } = await ask<ActorPage>("actor?address=task/asks");
    expect(task).toMatchObject({ state: "parked", question: { text: "How long may it be?", data: ["short", "long"] }, orders: ["reprioritise", "cancel", "expire", "answer"] });
    const answer = { action: "order", order: "answer", tasks: ["asks"], answer: "short", why: "" };
    expect(await ask<Done>("bulk", { ...answer, question: "another" })).toMatchObject({ done: 0, refuses: [{ id: "asks" }] });
    const ended = dispatcher.whenEnded(["asks"]);
    expect(await ask<Done>("bulk", { ...answer, question: task?.question?.id })).toMatchObject({ done: 1 });
    expect((await ended)[0]).toMatchObject({ state: "done", result: { length: "short" } });
    expect(await engine.taskwright.history("task/asks")).toContainEqual(expect.objectContaining({ event: expect.objectContaining({ type: "ANSWER", by: "ada", answer: "short" }) }));
    expect(JSON.stringify(await ask<ActorPage>("actor?address=task/asks"))).not.toContain("4711");
    expect((await line("needy"))?.why).toBe("needs slow");
  });

  it("go on when their queue is told to, from the page too", async () => {
    const all = dispatcher.whenEnded(["slow"]);
    const asked = came("slow", "parked");
    await ask("bulk", { action: "queue", order: "resume", queue: "slow", why: "there is paper" });
    await asked;
    await ask("bulk", { action: "order", order: "cancel", tasks: ["slow"], why: "not wanted" });
    expect((await all)[0]?.state).toBe("cancelled");
    expect((await engine.taskwright.history("queue/slow")).at(-1)).toMatchObject({ event: { type: "RESUME", by: "ada", why: "there is paper" } });
  });

  it("are lists of actors where there is no dispatcher", async () => {
    const other = makeInspector({ engine: engine.taskwright, machines: [], time: engine.time });
    expect((await call<Overview>(other, "overview")).work).toBe(false);
    await expect(call(other, "tasks")).rejects.toMatchObject({ status: 409, code: "no_dispatcher" });
    expect((await call<ActorList>(other, "actors?machine=task")).total).toBe(24);
    other.close();
  });
});

describe("inspector > stuck", () => {
  const fragile = setup({
    actions: {
      breakDown: assign(() => {
        throw new Error("no paper");
      }),
    },
    delays: { wait: 1_000 },
  }).createMachine({
    id: "fragile",
    version: "1",
    description: "Breaks.",
    initial: "waiting",
    states: { waiting: { description: "Waits.", after: { wait: { target: "over", actions: "breakDown" } } }, over: { description: "Over.", type: "final" } },
  });
  const lost = setup({}).createMachine({ id: "lost", version: "1", description: "Is forgotten.", initial: "here", states: { here: { description: "Here." } } });

  it("says what is overdue in the words of `taskwright stuck`, and which actors are parked, why, and what helps", async () => {
    const engine = await testEngine({ machines: [lost, fragile] });
    await engine.start("lost", "1");
    await engine.start("fragile", "1");
    const moved = (await engine.snapshot("lost/1")).at;
    await engine.redeploy({ machines: [fragile] });
    const inspector = makeInspector({ engine: engine.taskwright, machines: [fragile], time: engine.time });
    const ask = <A>(path: string) => call<A>(inspector, path);
    expect((await ask<ActorList>("actors?status=parked")).lines).toMatchObject([{ address: "lost/1", parked: "unregistered" }]);
    const first = await ask<Overview>("overview");
    expect(first.stuck).toEqual([{ address: "lost/1", at: moved, mark: "parked: unregistered", text: `no machine "lost" is registered; ${parkedRemedies.unregistered}` }]);
    const { parked, waiting, verdict, seq } = await ask<ActorPage>("actor?address=lost/1");
    expect([parked, verdict, waiting.map(({ text }) => text), seq]).toEqual([
      "unregistered",
      "parked",
      ['No machine "lost" is registered.', expect.stringMatching(/^Register the machine that wrote it/)],
      1,
    ]);
    // Its deadline throws, and is held.
    await engine.advance(60_000);
    const found = await stuck(engine.taskwright);
    expect(found).toMatchObject([{ address: "fragile/1", because: expect.stringContaining('the machine threw on its deadline "wait"') }]);
    expect((await ask<Overview>("overview")).stuck.filter(({ mark }) => mark === "overdue")).toMatchObject(found.map(({ address, because }) => ({ address, text: because, state: "waiting" })));
    inspector.close();
    await engine.dispose();
  });
});

describe("inspector > reading", () => {
  it("of all actors and tasks lets everything else go on between two pages", async () => {
    const pages = 5;
    const order: Array<string> = [];
    let read = 0;
    const list = async ({ limit = 0 }) =>
      ++read > pages
        ? []
        : Array.from({ length: limit }, (_, index) => ({ id: read * limit + index, address: `a/${read}-${index}`, machine: "a", hash: "h", status: "active", value: "here", seq: 1 }));
    const fleets = new Fleets({ list, follow: () => () => {} } as never, systemTime(), () => undefined);
    let cursor = 0;
    const tasks = new Tasks({ observe: () => () => {}, list: async () => ({ tasks: [], cursor: ++cursor < pages ? String(cursor) : undefined }) } as never, systemTime());
    setImmediate(() => order.push("something else"));
    await Promise.all([fleets.watch().then(() => order.push("actors")), tasks.watch().then(() => order.push("tasks"))]);
    expect([read, cursor, order[0]]).toEqual([pages + 1, pages, "something else"]);
  });
});
