import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { makeAsk } from "./conforming.ts";
import { follow } from "./events.ts";

/** Starts an example host; resolves with where it listens. */
const start = (name: string) => {
  const child = spawn(process.execPath, [fileURLToPath(new URL(`../../docs/examples/${name}.mjs`, import.meta.url))], { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, PORT: "0" } });
  onTestFinished(() => void child.kill("SIGKILL"));
  let error = "";
  child.stderr.on("data", (piece) => (error += piece));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const url = new Promise<string>((resolve, reject) => {
    child.stdout.on("data", (piece) => {
      const found = /http:\/\/\S+/.exec(String(piece))?.[0];
      if (found !== undefined) resolve(found);
    });
    void ended.then((code) => reject(new Error(`it ended with ${code}: ${error}`)));
  });
  return { child, url, ended };
};

describe("server > example hosts", () => {
  test.each(["plain-node", "express", "fastify", "effect-application"])("%s serves its engine below its own path, and its own pages beside it", async (name) => {
    const { child, url, ended } = start(name);
    const base = await url;
    const ask = (method: string, path: string, options?: object) => makeAsk(`${base}/tasks`)(method, path, options);
    expect(await ask("POST", "/v1/actors", { body: { machine: "counter", id: "1" } })).toMatchObject({ status: 201 });
    const stream = await follow(`${base}/tasks/v1/actors/counter%2F1/stream?after=1`);
    expect(await ask("POST", "/v1/actors/counter%2F1/events", { body: { type: "ADD" } })).toMatchObject({ status: 200, body: { outcome: "handled" } });
    expect((await stream.take(1))[0]).toMatchObject({ data: { event: { type: "ADD" } } });
    expect((await ask("GET", "/v1/actors/counter%2F1")).body).toMatchObject({ context: { count: 1 } });
    expect(await ask("GET", "/v1/nothing")).toMatchObject({ status: 404, body: { code: "unknown_path" } });
    if (name === "express") expect(await (await fetch(`${base}/tasks/inspector/api/overview`)).json()).toMatchObject({ role: "operator" });
    if (name !== "effect-application") expect(await (await fetch(`${base}/`)).text()).toBe("my own page\n");
    stream.leave();
    child.kill("SIGTERM");
    expect([0, 130, 143, null]).toContain(await ended);
  });
});
