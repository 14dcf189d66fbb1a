import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as Effect from "effect/Effect";
import { describe, expect, onTestFinished, test } from "vitest";
import { invoke } from "../../src/cli/invoke.ts";
import type { Kinds } from "../../src/dispatch/index.ts";
import type { OpenOptions } from "../../src/engine/index.ts";
import { examine } from "../../src/journal/index.ts";
import { startWorker, type WebSocketConstructor } from "../../src/worker/index.ts";
import { WebSocket } from "ws";
import { bearer } from "./stand.ts";
import { makeAsk } from "./conforming.ts";
import { yard } from "./yard.ts";

const program = fileURLToPath(new URL("../../dist/src/cli/main.js", import.meta.url));
/** How often a serving process is ended under load; the long form is `SIGTERM_RUNS=100`. */
const runs = Number(process.env.SIGTERM_RUNS ?? 2);
/** Milliseconds. An end takes less than one second; where one of its steps waits for what never comes, it takes all of them. */
const budget = 30_000;

const machine = `import { assign, fromPromise, setup } from "xstate";
import { setTimeout as pause } from "node:timers/promises";
const counter = setup({ actions: { add: assign({ count: ({ context }) => context.count + 1 }) } }).createMachine({
  id: "counter", version: "1", context: { count: 0 }, initial: "on", states: { on: { on: { ADD: { actions: "add" } } } },
});
// A state that runs an activity.
const job = setup({ actors: { work: fromPromise(() => pause(20)) } }).createMachine({
  id: "job", version: "1", initial: "on", states: { on: { invoke: { src: "work", onDone: "off" } }, off: { type: "final" } },
});
export const machines = [counter, job];
export const kinds = { near: { run: async (input) => { await pause(15); return input; } }, far: {} };
`;

const folder = () => {
  // Within the project, so that the module finds XState.
  const made = mkdtempSync(join(fileURLToPath(new URL("../../dist", import.meta.url)), "serve-"));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  writeFileSync(join(made, "machines.mjs"), machine);
  return made;
};

const cli = (args: ReadonlyArray<string>) => {
  const child: ChildProcess = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let error = "";
  child.stdout?.on("data", (piece) => (out += piece));
  child.stderr?.on("data", (piece) => (error += piece));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const line = (event: string): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      const look = () => {
        const found = out
          .split("\n")
          .filter((text) => text.startsWith("{"))
          .map((text) => JSON.parse(text) as Record<string, unknown>)
          .find((told) => told.event === event);
        if (found !== undefined) resolve(found);
      };
      child.stdout?.on("data", look);
      void ended.then((code) => reject(new Error(`it ended with ${code}: ${error}`)));
      look();
    });
  return { child, ended, line, out: () => out, error: () => error };
};

describe("server > taskwright serve", () => {
  test("serves what is given to it, with the tokens of a file that are rotated while it runs", async () => {
    const dir = folder();
    const tokens = join(dir, "tokens.json");
    // The command in this process: each of its own takes seconds where the machine is busy.
    const command = async (...words: ReadonlyArray<string>) => {
      let text = "";
      const streams = { out: (part: string) => void (text += part), error: () => {}, isTerminal: false, columns: () => 80, input: async () => "" };
      expect(await Effect.runPromise(invoke(["node", "taskwright", "token", ...words, "--tokens", tokens], streams, () => () => {}))).toBe(0);
      return text;
    };
    const added = async (name: string) => JSON.parse(await command("add", name, "--role", "operate", "--json")) as { readonly id: string; readonly token: string };
    const first = await added("anna");
    // A module, or a folder of them, from which any command takes machines, is good for serving, too.
    const lone = (id: string) => `import { createMachine } from "xstate";\nexport const ${id} = createMachine({ id: "${id}", version: "1", initial: "off", states: { off: {} } });\n`;
    mkdirSync(join(dir, "more"));
    writeFileSync(join(dir, "lamp.mjs"), lone("lamp"));
    writeFileSync(join(dir, "more", "bell.mjs"), lone("bell"));
    const server = cli([
      "serve",
      "--database",
      join(dir, "work.db"),
      "--port",
      "0",
      "--tokens",
      tokens,
      "--machines",
      `${join(dir, "machines.mjs")},${join(dir, "lamp.mjs")},${join(dir, "more")}`,
      "--json",
    ]);
    const { url } = (await server.line("listening")) as { readonly url: string };
    const ask = makeAsk(url, bearer(first.token));
    expect((await ask("POST", "/v1/actors", { body: { machine: "counter", id: "1" } })).status).toBe(201);
    for (const machine of ["lamp", "bell"]) expect((await ask("POST", "/v1/actors", { body: { machine, id: "1" } })).status).toBe(201);
    expect((await makeAsk(url)("GET", "/v1/status")).status).toBe(401);
    const second = await added("anna");
    await command("remove", first.id);
    await expect.poll(async () => (await ask("GET", "/v1/status")).status).toBe(401);
    expect((await makeAsk(url, bearer(second.token))("GET", "/v1/actors/counter%2F1/history")).body.items[0].from).toBe("anna");
    // The inspector comes with it: whoever may operate may send events there, under the name of the token.
    const page = await fetch(`${url}/inspector/`, { headers: { authorization: `Bearer ${second.token}` } });
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect((await fetch(`${url}/inspector/`)).status).toBe(401);
    const about = await fetch(`${url}/inspector/api/overview`, { headers: { authorization: `Bearer ${second.token}` } });
    expect(await about.json()).toMatchObject({ role: "operator" });
    const reader = JSON.parse(await command("add", "ben", "--role", "read", "--json")) as { readonly token: string };
    await expect.poll(async () => (await fetch(`${url}/inspector/api/overview`, { headers: { authorization: `Bearer ${reader.token}` } })).json()).toMatchObject({ role: "viewer" });
    server.child.kill("SIGTERM");
    expect(await server.ended).toBe(0);
  });

  test("says everything that is wrong with its configuration at once, and serves nothing", async () => {
    const dir = folder();
    const config = join(dir, "config.json");
    writeFileSync(config, JSON.stringify({ port: "many", slotz: 3, budgetMs: 5 }));
    const serve = async (...words: ReadonlyArray<string>) => {
      let text = "";
      const streams = { out: () => {}, error: (part: string) => void (text += part), isTerminal: false, columns: () => 80, input: async () => "" };
      return { code: await Effect.runPromise(invoke(["node", "taskwright", "serve", ...words], streams, () => () => {})), text };
    };
    const { code, text } = await serve("--config", config, "--slots", "-1");
    expect(code).toBe(2);
    expect(text).toContain(`${config}: there is no slotz (did you mean "slots"?)`);
    expect(text).toContain(`${config}: port: `);
    expect(text).toContain(`${config}: budgetMs: must be a whole number from 100 to 3,600,000`);
    expect(text).toContain("--slots: must be a whole number from 0 to 1,000");
    expect((await serve("--budget", "5ms")).text).toContain("--budget: must be a whole number from 100 to 3,600,000");
    expect(await serve("--budget", "soon")).toMatchObject({ code: 2, text: expect.stringContaining("--budget must be seconds, or a text like 500ms") });
    writeFileSync(join(dir, "nothing.mjs"), "export const lamp = 1;\n");
    expect(await serve("--machines", join(dir, "nothing.mjs"))).toMatchObject({ code: 2, text: expect.stringContaining("it exports no machine, and none of") });
    expect(await serve("--tokens", config)).toMatchObject({ code: 2, text: expect.stringMatching(/config\.json: the tokens can't be read: it is no file of tokens: .*; "taskwright token add/) });
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;
    expect(await serve("--database", join(dir, "taken.db"), "--port", String(port))).toMatchObject({ code: 2, text: expect.stringContaining(`port ${port}: another program listens there`) });
    taken.close();
    const outside = await serve("--database", join(dir, "work.db"), "--host", "0.0.0.0", "--port", "0");
    expect(outside).toMatchObject({ code: 2, text: expect.stringContaining("without tokens the server listens on this machine alone") });
  });

  test(`ends within its budget on SIGTERM under load, ${runs} times: exit code 0, nothing acknowledged is lost, nothing is stuck`, { timeout: 300_000 + runs * budget }, async () => {
    const dir = folder();
    const database = join(dir, "work.db");
    const module = join(dir, "machines.mjs");
    let events = 0;
    const tasks: Array<string> = [];
    const jobs: Array<string> = [];
    const times: Array<number> = [];
    const remote = (url: string) =>
      startWorker({
        url,
        id: "far",
        slots: 3,
        WebSocket: WebSocket as unknown as WebSocketConstructor,
        kinds: {
          far: async (input: number) => {
            await pause(15);
            return input;
          },
        },
      });
    for (let run = 0; run < runs; run++) {
      const server = cli(["serve", "--database", database, "--port", "0", "--machines", module, "--slots", "1", "--budget", `${budget}ms`, "--json"]);
      const { url } = (await server.line("listening")) as { readonly url: string };
      const post = (path: string, body: object) => fetch(`${url}${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
      await post("/v1/actors", { machine: "counter", id: "1" });
      const worker = remote(url);
      let n = 0;
      // Events, tasks of this process and of another one, commands, activities: whatever is acknowledged counts.
      const one: ReadonlyArray<() => Promise<boolean>> = [
        async () => {
          const { status } = await post("/v1/actors/counter%2F1/events", { type: "ADD" });
          if (status === 200) events++;
          return status !== 503;
        },
        async () => {
          const kind = n++ % 20 === 0 ? "command" : n % 2 === 0 ? "near" : "far";
          const response = await post("/v1/tasks", { kind, input: kind === "command" ? { command: { shell: "true" } } : n });
          if (response.status === 201) tasks.push(((await response.json()) as { readonly id: string }).id);
          await pause(5);
          return response.status !== 503;
        },
        async () => {
          const id = `${run}.${n++}`;
          const { status } = await post("/v1/actors", { machine: "job", id });
          if (status === 201) jobs.push(id);
          await pause(5);
          return status !== 503;
        },
      ];
      let isLoading = true;
      const load = Array.from({ length: 9 }, async (_, index) => {
        while (isLoading && (await one[index % one.length]?.().catch(() => false)));
      });
      const streaming = fetch(`${url}/v1/stream`)
        .then((response) => response.text())
        .catch(() => "");
      const before = tasks.length;
      await expect.poll(() => tasks.length).toBeGreaterThan(before + 30);
      const began = performance.now();
      server.child.kill("SIGTERM");
      expect(await server.ended, server.error()).toBe(0);
      times.push(performance.now() - began);
      expect(times.at(-1)).toBeLessThan(budget);
      isLoading = false;
      worker.close();
      await Promise.all(load);
      await streaming;
      expect(await Effect.runPromise(examine(database))).toMatchObject({ problems: [] });
    }
    if (runs > 10) console.log(`${runs} ends: ${events} events, ${tasks.length} tasks, ${jobs.length} activities; the longest took ${Math.round(Math.max(...times))} ms of ${budget}`);
    // One more life: everything that was acknowledged comes to its end.
    const { machines, kinds } = (await import(pathToFileURL(module).href)) as { readonly machines: OpenOptions["machines"]; readonly kinds: Kinds };
    const { dispatcher, engine, url } = await yard({ kinds, database, machines, slots: 1 });
    const worker = remote(url);
    onTestFinished(() => worker.close());
    const ended = await dispatcher.whenEnded(tasks);
    expect(ended.filter(({ state }) => state !== "done")).toEqual([]);
    for (const id of jobs) expect((await engine.waitFor(`job/${id}`, ({ status }) => status !== "active")).status).toBe("done");
    const { context } = await engine.snapshot("counter/1");
    expect((context as { count: number }).count).toBeGreaterThanOrEqual(events);
  });
});

describe("server > taskwright backup, restore, vacuum, doctor", () => {
  test("work beside a serving process, and on what it left", async () => {
    const dir = mkdtempSync(join(tmpdir(), "taskwright-files-"));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const at = (name: string) => join(dir, name);
    // Each in this process: only the serving one must be another.
    const run = async (...args: ReadonlyArray<string>) => {
      let text = "";
      const add = (part: string) => void (text += part);
      const streams = { out: add, error: add, isTerminal: false, columns: () => 80, input: async () => "" };
      return { code: await Effect.runPromise(invoke(["node", "taskwright", ...args], streams, () => () => {})), text };
    };
    const server = cli(["serve", "--database", at("work.db"), "--port", "0", "--json"]);
    await server.line("listening");
    expect(await run("backup", at("copy.db"), "--database", at("work.db"))).toMatchObject({ code: 0, text: expect.stringContaining("checked") });
    expect(await run("doctor", "--database", at("work.db"))).toMatchObject({ code: 0, text: expect.stringContaining("nothing contradicts itself") });
    expect(await run("vacuum", "--database", at("work.db"))).toMatchObject({ code: 2, text: expect.stringContaining("is owned by process") });
    server.child.kill("SIGTERM");
    expect(await server.ended).toBe(0);
    expect(await run("vacuum", "--database", at("work.db"))).toMatchObject({ code: 0 });
    expect(await run("restore", at("copy.db"), "--database", at("new.db"))).toMatchObject({ code: 0 });
  });
});
