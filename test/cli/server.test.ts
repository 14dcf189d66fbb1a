import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { invoke } from "../../src/cli/invoke.ts";
import { dispatchMachines, makeOutboxes, makeSchedules, openDispatcher, openEngine, retry } from "../../src/index.ts";
import { listen, makeServer, newToken, remoteWorkers } from "../../src/server/index.ts";
import { counter } from "../server/stand.ts";
import { heldSignals, recordedStreams } from "./recorded.ts";

let folder: string;
let database: string;
let url: string;
let close = async () => {};
const made = newToken("olaf", ["operate"]);

const taskwright = async (...words: ReadonlyArray<string>) => {
  const { streams, written } = recordedStreams();
  const code = await Effect.runPromise(invoke(["node", "taskwright", ...words], streams, heldSignals().source));
  return { code, ...written };
};

/** An engine that works on a file, and a server over it: what a command shows of one it must show of the other. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "taskwright-server-"));
  database = join(folder, "work.db");
  process.env.TASKWRIGHT_TOKEN = made.token;
  const outboxes = makeOutboxes({ outside: { destination: () => retry("nobody is there"), policy: { retry: { attemptsMax: 1, backoff: { kind: "fixed", baseMs: 0 } } } } });
  const schedules = makeSchedules();
  const remote = remoteWorkers();
  const dispatch = dispatchMachines({ kinds: { echo: { run: (input: never) => input }, wait: {} }, transports: { remote: remote.transport } });
  const engine = await openEngine({ database, machines: [counter], plugins: [outboxes, schedules, dispatch], log: () => {} });
  const dispatcher = await openDispatcher(engine, dispatch);
  schedules.attach(dispatcher);
  const server = makeServer({ engine, outboxes, dispatcher, schedules, remoteWorkers: remote, tokens: [made.stored], log: () => {} });
  const listening = await listen(server, { port: 0 });
  url = listening.url;
  close = async () => {
    await listening.close();
    await dispatcher.stop();
    await engine.close({ grace: 0 });
  };
  await dispatcher.submit({ id: "done one", kind: "echo", input: { n: 1 } });
  await dispatcher.submit([
    { id: "waiting", kind: "wait", queue: "slow" },
    { id: "needing", kind: "echo", needs: ["waiting"] },
    { id: "later", kind: "echo", runAt: Date.now() + 3_600_000 },
  ]);
  await dispatcher.whenEnded(["done one"]);
  await dispatcher.queues.pause("slow", { by: "test", why: "lunch" });
  await schedules.create("hourly", { when: { cron: "0 * * * *" }, task: { kind: "echo" } });
  await engine.start("counter", "1");
  await engine.send("counter/1", { type: "ADD", by: 2 });
  await engine.send("counter/1", { type: "BREAK" }).catch(() => {});
  await engine.send("counter/1", { type: "BREAK" }).catch(() => {});
  await outboxes.enqueue("outside", { key: "k1", type: "told", payload: { a: 1 } });
  await engine.waitFor("outbox/outside", ({ context }) => (context as { readonly poisoned: number }).poisoned === 1);
});
afterAll(async () => {
  delete process.env.TASKWRIGHT_TOKEN;
  await close();
  rmSync(folder, { recursive: true, force: true });
});

/** What depends on the moment, and what a server keeps to itself (the stacks of a host's code). */
const steady = (text: string) =>
  text
    .replaceAll(database, "PLACE")
    .replaceAll(url, "PLACE")
    .replace(/^process \d+ on .* since .*$/gm, "OWNER")
    .replace(/\((in [^)]*|[^)]* ago)\)/g, "(NEAR)")
    .replace(/begins in .*$/gm, "begins SOON")
    .replace(/,?\s*"stack": ?"(?:[^"\\]|\\.)*"/g, "")
    .replace(/\nstack [^\r]*$/, "")
    .trimEnd();

/** What is JSON is compared as such: the order of fields is nobody's business. */
const shown = (words: ReadonlyArray<string>, text: string): unknown => {
  if (!words.includes("--json")) return steady(text);
  try {
    return JSON.parse(steady(text));
  } catch {
    return steady(text)
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as unknown);
  }
};

const reads: ReadonlyArray<ReadonlyArray<string>> = [
  ["ps"],
  ["ps", "--state", "queued", "--json"],
  ["show", "done one", "--json"],
  ["show", "needing"],
  ["show", "counter/1"],
  ["show", "counter/1", "--json"],
  ["show", "nobody"],
  ["history", "waiting"],
  ["history", "counter/1", "--json"],
  ["why", "waiting"],
  ["why", "counter/1", "--json"],
  ["moves", "task/later"],
  ["stuck"],
  ["workers", "--json"],
  ["queues"],
  ["queues", "--json"],
  ["schedules", "--json"],
  ["dead-letters"],
  ["dead-letters", "--machine", "counter", "--kind", "event", "--json"],
  ["dead-letters", "show", "1"],
  ["dead-letters", "show", "99"],
  ["outbox", "--json"],
  ["outbox", "list", "outside"],
  ["outbox", "show", "outside", "1", "--json"],
  ["outbox", "list", "nothing"],
];

describe("cli > a server in place of a file", () => {
  it.each(reads.map((words) => [words.join(" "), words] as const))("%s > shows the same", async (_, words) => {
    const [ofFile, ofServer] = await Promise.all([taskwright(...words, "--database", database), taskwright(...words, "--server", url)]);
    const compared = ({ code, out, error }: typeof ofFile) => ({ code, out: shown(words, out), error: steady(error) });
    expect(compared(ofServer)).toEqual(compared(ofFile));
    expect(ofFile.out.length + ofFile.error.length).toBeGreaterThan(0);
  });

  it("takes orders for dead letters and outboxes at once, and tasks of a file", async () => {
    expect(await taskwright("dead-letters", "drop", "1", "--server", url)).toMatchObject({ code: 0, out: "1 dead letter dropped\n" });
    expect(await taskwright("dead-letters", "requeue", "--all", "--machine", "counter", "--why", "it was mended", "--server", url)).toMatchObject({ code: 0, out: "1 dead letter requeued\n" });
    expect(await taskwright("dead-letters", "drop", "1", "--by", "anna", "--server", url)).toMatchObject({ code: 2, error: expect.stringContaining("--by is for a journal") });
    const taken = await taskwright("history", "dead-letters/taken", "--server", url);
    expect(taken.out).toMatch(/DROPPED +handled +\S+ +\{"letters":\[\{"id":1,.*\n.*REQUEUED +handled +\S+ +.*it was mended/);
    expect(await taskwright("outbox", "pause", "outside", "--server", url)).toMatchObject({ code: 0, out: "outside is paused\n" });
    expect((await taskwright("outbox", "--server", url)).out).toMatch(/outside +paused/);
    expect(await taskwright("outbox", "requeue", "outside", "--all", "--server", url)).toMatchObject({ code: 0, out: "1 entry of outside tried again\n" });
    const file = join(folder, "tasks.jsonl");
    writeFileSync(file, `${JSON.stringify({ id: "x", kind: "echo", input: 1 })}\n${JSON.stringify({ id: "y", kind: "echo", needs: ["x"] })}\n`);
    expect(await taskwright("submit", file, "--server", url)).toMatchObject({ code: 0, out: `2 of 2 tasks submitted to ${url}\n` });
    expect((await taskwright("submit", file, "--server", url)).out).toContain("0 of 2 tasks submitted");
    expect((await taskwright("history", "x", "--server", url)).out).toMatch(/taskwright\.start +handled +olaf/);
    expect((await taskwright("history", "outbox/outside", "--server", url)).out).toMatch(/PAUSE +handled +olaf/);
  });

  it("says what a server refuses, where none answers, and which commands want a file", async () => {
    process.env.TASKWRIGHT_TOKEN = "wrong";
    const refused = await taskwright("ps", "--server", url);
    process.env.TASKWRIGHT_TOKEN = made.token;
    expect(refused).toMatchObject({ code: 2, error: expect.stringContaining("unauthenticated") });
    expect(await taskwright("ps", "--server", "http://127.0.0.1:9")).toMatchObject({ code: 2, out: "" });
    process.env.TASKWRIGHT_TOKEN = "tw_wrong";
    expect(await taskwright("ps", "--server", url)).toMatchObject({ code: 2, error: expect.stringContaining("the token in TASKWRIGHT_TOKEN is not one of this server's") });
    delete process.env.TASKWRIGHT_TOKEN;
    expect(await taskwright("cancel", "a", "--server", url)).toMatchObject({ code: 2, error: expect.stringContaining("this server wants a token; give one in TASKWRIGHT_TOKEN") });
    process.env.TASKWRIGHT_TOKEN = made.token;
    for (const command of [["ps"], ["cancel", "a"], ["submit", "tasks.jsonl"]])
      expect(await taskwright(...command, "--server", "localhost:8080")).toMatchObject({ code: 2, error: expect.stringContaining("--server must be an address like http://127.0.0.1:8080") });
    expect(await taskwright("cancel", "a", "--server", url, "--database", database)).toMatchObject({ code: 2, error: expect.stringContaining("not both") });
    expect(await taskwright("ps", "--server", url, "--database", database)).toMatchObject({ code: 2, error: expect.stringContaining("not both") });
    expect(await taskwright("submit", "tasks.jsonl")).toMatchObject({ code: 2, error: expect.stringContaining("--server http://") });
    expect(await taskwright("replay", "task/waiting", "--database", url)).toMatchObject({ code: 2, error: expect.stringContaining("there is no such file") });
  });
});
