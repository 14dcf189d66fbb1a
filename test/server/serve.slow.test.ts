import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as Effect from "effect/Effect";
import { describe, expect, onTestFinished, test } from "vitest";
import { invoke } from "../../src/cli/invoke.ts";
import { examine } from "../../src/journal/index.ts";
import { bearer, stand } from "./stand.ts";
import { makeAsk } from "./conforming.ts";

const program = fileURLToPath(new URL("../../dist/src/cli/main.js", import.meta.url));
/** How often a serving process is ended under load; the long form is `SIGTERM_RUNS=100`. */
const runs = Number(process.env.SIGTERM_RUNS ?? 2);

const machine = `import { assign, setup } from "xstate";
const counter = setup({ actions: { add: assign({ count: ({ context }) => context.count + 1 }) } }).createMachine({
  id: "counter", version: "1", context: { count: 0 }, initial: "on", states: { on: { on: { ADD: { actions: "add" } } } },
});
export const machines = [counter];
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
  test("serves what is given to it, with the tokens of a file that are rotated while it runs", { timeout: 180_000 }, async () => {
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
    const server = cli(["serve", "--database", join(dir, "work.db"), "--port", "0", "--tokens", tokens, "--machines", join(dir, "machines.mjs"), "--json"]);
    const { url } = (await server.line("listening")) as { readonly url: string };
    const ask = makeAsk(url, bearer(first.token));
    expect((await ask("POST", "/v1/actors", { body: { machine: "counter", id: "1" } })).status).toBe(201);
    expect((await makeAsk(url)("GET", "/v1/status")).status).toBe(401);
    const second = await added("anna");
    await command("remove", first.id);
    await expect.poll(async () => (await ask("GET", "/v1/status")).status, { timeout: 10_000 }).toBe(401);
    expect((await makeAsk(url, bearer(second.token))("GET", "/v1/actors/counter%2F1/history")).body.items[0].from).toBe("anna");
    // The inspector comes with it: whoever may operate may send events there, under the name of the token.
    const page = await fetch(`${url}/inspector/`, { headers: { authorization: `Bearer ${second.token}` } });
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect((await fetch(`${url}/inspector/`)).status).toBe(401);
    const about = await fetch(`${url}/inspector/api/overview`, { headers: { authorization: `Bearer ${second.token}` } });
    expect(await about.json()).toMatchObject({ role: "operator" });
    const reader = JSON.parse(await command("add", "ben", "--role", "read", "--json")) as { readonly token: string };
    await expect
      .poll(async () => (await fetch(`${url}/inspector/api/overview`, { headers: { authorization: `Bearer ${reader.token}` } })).json(), { timeout: 10_000 })
      .toMatchObject({ role: "viewer" });
    server.child.kill("SIGTERM");
    expect(await server.ended).toBe(0);
  });

  test("says everything that is wrong with its configuration at once, and serves nothing", { timeout: 180_000 }, async () => {
    const dir = folder();
    const config = join(dir, "config.json");
    writeFileSync(config, JSON.stringify({ port: "many", slotz: 3, budgetMs: 5 }));
    const server = cli(["serve", "--config", config, "--slots", "-1"]);
    expect(await server.ended).toBe(2);
    expect(server.error()).toContain('there is no "slotz"');
    expect(server.error()).toContain(`${config}: port: `);
    expect(server.error()).toContain(`${config}: budgetMs: must be a whole number from 100 to 3,600,000`);
    expect(server.error()).toContain("--slots: must be a whole number from 0 to 1,000");
    const outside = cli(["serve", "--database", join(dir, "work.db"), "--host", "0.0.0.0", "--port", "0"]);
    expect(await outside.ended).toBe(2);
    expect(outside.error()).toContain("without tokens the server listens on this machine alone");
  });

  test(`ends within its budget on SIGTERM under load, ${runs} times: exit code 0, nothing acknowledged is lost, nothing is stuck`, { timeout: 60_000 + runs * 10_000 }, async () => {
    const dir = folder();
    const database = join(dir, "work.db");
    let acknowledged = 0;
    for (let run = 0; run < runs; run++) {
      const server = cli(["serve", "--database", database, "--port", "0", "--machines", join(dir, "machines.mjs"), "--slots", "1", "--budget", "8000", "--json"]);
      const { url } = (await server.line("listening")) as { readonly url: string };
      await fetch(`${url}/v1/actors`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ machine: "counter", id: "1" }) });
      let isLoading = true;
      const load = Array.from({ length: 8 }, async () => {
        while (isLoading) {
          try {
            const response = await fetch(`${url}/v1/actors/counter%2F1/events`, { method: "POST", headers: { "content-type": "application/json" }, body: '{"type":"ADD"}' });
            if (response.status === 200) acknowledged++;
            else if (response.status === 503) return;
            await response.arrayBuffer();
          } catch {
            return;
          }
        }
      });
      const streaming = fetch(`${url}/v1/stream`)
        .then((response) => response.text())
        .catch(() => "");
      await expect.poll(() => acknowledged, { timeout: 20_000 }).toBeGreaterThan(run * 20 + 20);
      const began = performance.now();
      server.child.kill("SIGTERM");
      expect(await server.ended, server.error()).toBe(0);
      expect(performance.now() - began).toBeLessThan(8_000);
      isLoading = false;
      await Promise.all(load);
      await streaming;
      expect(await Effect.runPromise(examine(database))).toMatchObject({ problems: [] });
    }
    const { engine } = await stand({ engine: { database } });
    const { context } = await engine.snapshot("counter/1").catch(async () => ({ context: { count: (await engine.history("counter/1", { limit: 1_000_000 })).length - 1 } }));
    expect((context as { count: number }).count).toBeGreaterThanOrEqual(acknowledged);
  });
});

describe("server > taskwright backup, restore, vacuum, doctor", () => {
  test("work beside a serving process, and on what it left", { timeout: 180_000 }, async () => {
    const dir = mkdtempSync(join(tmpdir(), "taskwright-files-"));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const at = (name: string) => join(dir, name);
    const run = async (...args: ReadonlyArray<string>) => {
      const command = cli(args);
      return { code: await command.ended, text: command.out() + command.error() };
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
