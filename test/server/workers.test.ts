import { spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { type RemoteWorkerOptions, startWorker, type WebSocketConstructor, type Work } from "../../src/worker/index.ts";
import { cable } from "./cable.ts";
import { bearer, tokens } from "./stand.ts";
import { yard } from "./yard.ts";

/** How often the cable is pulled; the long form is `CABLE_CUTS=200`. */
const cutsWanted = Number(process.env.CABLE_CUTS ?? 12);
const pythonCuts = Number(process.env.CABLE_CUTS ?? 3);
const ways = ["webSocket", "polls"] as const;
const hasPython = spawnSync("python3", ["--version"]).status === 0;
if (!hasPython) console.warn("there is no python3: the worker in Python is not tested");

const worker = (options: Omit<RemoteWorkerOptions, "id"> & { readonly id?: string }) => {
  const started = startWorker({ id: "w1", heartbeatMs: 500, pollMs: 500, WebSocket: WebSocket as unknown as WebSocketConstructor, ...options });
  onTestFinished(() => started.close());
  return started;
};
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe.each(ways)("server > remote worker over %s", (over) => {
  test("carries out what it is offered, and says how it goes", async () => {
    const { url, dispatcher } = await yard();
    const greet = async (input: { readonly who: string }, work: Work) => {
      work.progress("half");
      work.usage({ turns: 2 });
      work.sessionIs("s1");
      return `hello ${input.who}`;
    };
    worker({ url, over, kinds: { greet } });
    const { id } = await dispatcher.submit({ kind: "greet", input: { who: "anna" } });
    const [task] = await dispatcher.whenEnded([id]);
    expect(task).toMatchObject({ state: "done", result: "hello anna", attempts: 1, progress: "half", usage: { turns: 2 }, session: "s1" });
    expect(await dispatcher.workers.list()).toMatchObject([{ id: "w1", state: "active", kinds: ["greet"] }]);
  });

  test("fails, asks, is answered and goes on", async () => {
    const { url, dispatcher } = await yard({ kinds: { greet: { defaults: { retry: { attemptsMax: 1 } } } } });
    worker({
      url,
      over,
      kinds: {
        greet: (input: string, work) => {
          if (input === "fail") throw new Error("it can't");
          return work.answer === undefined ? work.ask("who?") : `hello ${String(work.answer)}`;
        },
      },
    });
    const failing = await dispatcher.submit({ kind: "greet", input: "fail" });
    expect((await dispatcher.whenEnded([failing.id]))[0]).toMatchObject({ state: "dead", failure: { message: "it can't" } });
    const { id } = await dispatcher.submit({ kind: "greet", input: "ask" });
    await expect.poll(async () => (await dispatcher.get(id))?.question?.text).toBe("who?");
    await dispatcher.answer(id, "bert", { by: "test", why: "asked" });
    expect((await dispatcher.whenEnded([id]))[0]).toMatchObject({ state: "done", result: "hello bert" });
  });

  test("is told to stop what is not wanted any more", async () => {
    const { url, dispatcher } = await yard();
    let stopped = "";
    worker({
      url,
      over,
      kinds: {
        greet: (_: unknown, { signal }) =>
          new Promise((_resolve, reject) =>
            signal.addEventListener("abort", () => {
              stopped = String(signal.reason);
              reject(signal.reason as Error);
            }),
          ),
      },
    }); // prettier-ignore
    const { id } = await dispatcher.submit({ kind: "greet", input: 1 });
    await expect.poll(async () => (await dispatcher.get(id))?.state).toBe("running");
    await dispatcher.cancel(id, { by: "test", why: "no" });
    expect((await dispatcher.whenEnded([id]))[0]).toMatchObject({ state: "cancelled" });
    await expect.poll(() => stopped).toContain("not wanted any more");
  });

  test("comes back within its grace when its cable is pulled: it goes on with what it had", async () => {
    const { port, dispatcher } = await yard();
    const line = await cable(port);
    let begun = 0;
    let finish = (_: string) => {};
    const greet = () => {
      begun++;
      return new Promise<string>((resolve) => {
        finish = resolve;
      });
    };
    const { wake, state } = worker({ url: line.url, over, graceMs: 30_000, kinds: { greet } });
    const { id } = await dispatcher.submit({ kind: "greet", input: 1 });
    await expect.poll(() => begun).toBe(1);
    line.pull();
    await expect.poll(state).not.toBe("attached");
    // It ends while nobody can hear it.
    finish("done meanwhile");
    await pause(50);
    line.plug();
    wake();
    expect((await dispatcher.whenEnded([id]))[0]).toMatchObject({ state: "done", result: "done meanwhile", attempts: 1 });
    expect(begun).toBe(1);
  });

  test("gives back what it had when it stays away for longer, and another one does it", async () => {
    const { port, url, dispatcher } = await yard();
    const line = await cable(port);
    let begun = 0;
    worker({
      url: line.url,
      over,
      graceMs: 300,
      kinds: {
        greet: (_: unknown, { signal }) => {
          begun++;
          return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
        },
      },
    });
    const { id } = await dispatcher.submit({ kind: "greet", input: 1 });
    await expect.poll(() => begun).toBe(1);
    line.pull();
    worker({ url, over, id: "w2", kinds: { greet: () => "by another" } });
    expect((await dispatcher.whenEnded([id]))[0]).toMatchObject({ state: "done", result: "by another", attempts: 2 });
  });

  test(`loses nothing and does nothing twice while its cable is pulled ${cutsWanted} times`, { timeout: 300_000 + cutsWanted * 3_000 }, async () => {
    const { port, dispatcher } = await yard();
    const line = await cable(port);
    const begun = new Map<string, number>();
    const started = worker({
      url: line.url,
      over,
      slots: 4,
      graceMs: 60_000,
      kinds: {
        greet: async (_: unknown, { task, attempt }) => {
          const run = `${task}#${attempt}`;
          begun.set(run, (begun.get(run) ?? 0) + 1);
          await pause(5);
          return run;
        },
      },
    });
    const ids: Array<string> = [];
    let isSubmitting = true;
    const submitting = (async () => {
      while (isSubmitting) {
        const receipts = await dispatcher.submit(Array.from({ length: 4 }, () => ({ kind: "greet", input: 1 })));
        ids.push(...receipts.map(({ id }) => id));
        await pause(20);
      }
    })();
    for (let cut = 0; cut < cutsWanted; cut++) {
      await expect.poll(started.state, { interval: 5 }).toBe("attached");
      await pause((cut * 7) % 31);
      line.pull();
      await pause((cut * 3) % 11);
      line.plug();
      started.wake();
    }
    isSubmitting = false;
    await submitting;
    started.wake();
    const tasks = await dispatcher.whenEnded(ids);
    expect(tasks.filter(({ state }) => state !== "done")).toEqual([]);
    // Each was done by one attempt that was begun once; one that was never begun may have been given back.
    for (const { id, result } of tasks) expect(String(result).startsWith(`${id}#`)).toBe(true);
    expect([...begun.values()].every((times) => times === 1)).toBe(true);
    expect(new Set([...begun.keys()].map((run) => run.slice(0, run.indexOf("#")))).size).toBe(begun.size);
    expect(line.cuts()).toBe(cutsWanted);
    expect(tasks.length).toBeGreaterThan(cutsWanted);
    if (cutsWanted > 100)
      console.log(`${cutsWanted} cuts over ${over}: ${tasks.length} tasks, ${begun.size} begun once, ${tasks.filter(({ attempts }) => attempts > 1).length} given back before they were begun`);
  });
});

describe("server > remote workers", () => {
  const register = { id: "w1", owner: "o1", kinds: ["greet"], slots: 1 };

  test("need a token of their role, and speak of their own work alone", async () => {
    const { stored, worker: token, operate } = tokens();
    const { ask, dispatcher, engine } = await yard({ tokens: stored });
    expect(await ask("POST", "/v1/worker/register", { body: register, headers: bearer(operate) })).toMatchObject({ status: 403, body: { code: "role_missing" } });
    const headers = bearer(token);
    const { body } = await ask("POST", "/v1/worker/register", { body: register, headers });
    const speaker = { worker: body.worker, owner: "o1", incarnation: body.incarnation };
    const other = { ...speaker, owner: "o2" };
    expect(await ask("POST", "/v1/worker/poll", { body: other, headers })).toMatchObject({ status: 409, body: { code: "session_over" } });
    const { id } = await dispatcher.submit({ kind: "other", input: 1 }).catch(() => dispatcher.submit({ kind: "command", input: { command: { shell: "true" } } }));
    for (const assignment of [`task/${id}`, body.worker as string, "queue/default"]) {
      const message = { type: "ended", n: 1, assignment, attempt: 1, incarnation: 1, outcome: "ok" };
      expect(await ask("POST", "/v1/worker/reports", { body: { ...speaker, messages: [message] }, headers }), assignment).toMatchObject({ status: 403, body: { code: "foreign_assignment" } });
    }
    expect((await engine.history(`task/${id}`)).every(({ event }) => event.type !== "ENDED")).toBe(true);
  });

  test("of another process are refused while the first one speaks", async () => {
    const { ask } = await yard();
    expect((await ask("POST", "/v1/worker/register", { body: register })).status).toBe(200);
    expect(await ask("POST", "/v1/worker/register", { body: { ...register, owner: "o2" } })).toMatchObject({ status: 409, body: { code: "worker_owned" } });
  });

  test("get an offer once more until they have confirmed it, and a repeated report is done once", async () => {
    const { ask, dispatcher, engine } = await yard();
    const { body } = await ask("POST", "/v1/worker/register", { body: register });
    const speaker = { worker: body.worker, owner: "o1", incarnation: body.incarnation };
    const { id } = await dispatcher.submit({ kind: "greet", input: 1 });
    const poll = (received: number) => ask("POST", "/v1/worker/poll", { body: { ...speaker, received, waitMs: 100 } });
    const first = await poll(0);
    expect(first.body.messages).toMatchObject([{ type: "offer", n: 1, task: id, kind: "greet", input: 1 }]);
    expect((await poll(0)).body).toEqual(first.body);
    expect((await poll(1)).body.messages).toEqual([]);
    const [{ assignment, attempt, incarnation }] = first.body.messages;
    const about = { assignment, attempt, incarnation };
    const messages = [
      { ...about, type: "accepted", n: 1 },
      { ...about, type: "ended", n: 2, outcome: "ok", result: 7 },
    ];
    for (let time = 0; time < 3; time++) expect((await ask("POST", "/v1/worker/reports", { body: { ...speaker, messages } })).body.acks.map(({ n }: { n: number }) => n)).toEqual([1, 2]);
    expect((await dispatcher.whenEnded([id]))[0]).toMatchObject({ state: "done", result: 7 });
    expect((await engine.history(assignment as string)).filter(({ event }) => event.type === "ACCEPTED")).toHaveLength(1);
  });

  const python = (url: string, token: string) => {
    const child = spawn("python3", [fileURLToPath(new URL("../../docs/examples/worker.py", import.meta.url)), url, token], { stdio: ["ignore", "inherit", "inherit"] });
    onTestFinished(() => void child.kill("SIGKILL"));
  };

  test.skipIf(!hasPython)("in Python speak by the reference alone", async () => {
    const { stored, worker: token } = tokens();
    const { url, dispatcher } = await yard({ tokens: stored, kinds: { shout: {} } });
    python(url, token);
    const receipts = await dispatcher.submit(["a", "b", "c"].map((input) => ({ kind: "shout", input })));
    expect((await dispatcher.whenEnded(receipts.map(({ id }) => id))).map(({ state, result }) => [state, result])).toEqual([
      ["done", "A"],
      ["done", "B"],
      ["done", "C"],
    ]);
  });

  test.skipIf(!hasPython)(`in Python lose nothing and do nothing twice while their cable is pulled ${pythonCuts} times`, { timeout: 300_000 + pythonCuts * 5_000 }, async () => {
    const { stored, worker: token } = tokens();
    const { port, dispatcher, engine } = await yard({ tokens: stored, kinds: { shout: {} } });
    const line = await cable(port);
    python(line.url, token);
    const ids: Array<string> = [];
    const submit = async (count: number) => {
      const receipts = await dispatcher.submit(Array.from({ length: count }, (_, n) => ({ kind: "shout", input: `n${ids.length + n}` })));
      ids.push(...receipts.map(({ id }) => id));
    };
    await submit(1);
    await dispatcher.whenEnded(ids);
    for (let cut = 0; cut < pythonCuts; cut++) {
      await submit(3);
      // In the middle of an offer, an acceptance, a result: wherever it is by then.
      await pause((cut * 7) % 23);
      line.pull();
      await pause((cut * 3) % 11);
      line.plug();
      await dispatcher.whenEnded(ids);
    }
    expect(line.cuts()).toBe(pythonCuts);
    const ended = await dispatcher.whenEnded(ids);
    expect(ended.map(({ state, result, attempts }) => ({ state, result, attempts }))).toEqual(ids.map((_, n) => ({ state: "done", result: `N${n}`, attempts: 1 })));
    for (const id of ids) {
      const told = (await engine.history(`task/${id}/assignment`)).filter(({ outcome }) => outcome === "handled").map(({ event }) => event.type);
      expect(told.filter((type) => type === "ACCEPTED" || type === "ENDED")).toEqual(["ACCEPTED", "ENDED"]);
    }
    if (pythonCuts > 100) console.log(`${pythonCuts} cuts in Python: ${ids.length} tasks, each accepted once and ended once`);
  });
});
