import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { invoke } from "../../src/cli/invoke.ts";
import { type Destination, makeOutboxes, openEngine, retry } from "../../src/index.ts";
import { heldSignals, recordedStreams } from "./recorded.ts";

let folder: string;
let database: string;
let sent: Array<string> = [];
let isUp = false;

const destination: Destination = ({ key }) => {
  if (!isUp) return retry("the warehouse is closed");
  sent.push(key);
};
const closing = async (use: (outboxes: ReturnType<typeof makeOutboxes>, engine: Awaited<ReturnType<typeof openEngine>>) => Promise<unknown>) => {
  const outboxes = makeOutboxes({
    warehouse: { destination, policy: { order: "independent", retry: { attemptsMax: 1, backoff: { kind: "fixed", baseMs: 0 } } } },
    mail: { destination, policy: { startsPaused: true } },
  });
  const engine = await openEngine({ database, machines: [], plugins: [outboxes], log: () => {} });
  await use(outboxes, engine);
  await engine.settled();
  await engine.close();
};
const taskwright = async (...words: ReadonlyArray<string>) => {
  const { streams, written } = recordedStreams();
  const code = await Effect.runPromise(invoke(["node", "taskwright", "outbox", ...words, "--database", database], streams, heldSignals().source));
  return { code, ...written };
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "taskwright-outbox-"));
  database = join(folder, "work.db");
  sent = [];
  isUp = false;
  await closing(async (outboxes, engine) => {
    await outboxes.enqueue(
      "warehouse",
      ["a", "b", "c"].map((key) => ({ key, type: "paid", payload: { order: key }, occurredAt: Date.UTC(2030, 0, 1) })),
    );
    await outboxes.enqueue("mail", { key: "m", type: "letter", payload: null });
    await engine.waitFor("outbox/warehouse", ({ context }) => (context as { poisoned: number }).poisoned === 3);
  });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("cli > outbox", () => {
  it("lists outboxes with what they hold, and the entries of one", async () => {
    expect((await taskwright()).out).toMatch(/^NAME +STATE +PENDING +POISONED +UNKNOWN +DELIVERED +REFUSED +DROPPED +NEXT\nwarehouse +idle +0 +3 +0 +0 +0 +0\nmail +paused +1 +0 +0 +0 +0 +0\n$/);
    expect(JSON.parse((await taskwright("--json")).out.split("\n")[0] ?? "")).toMatchObject({ name: "warehouse", state: "idle", poisoned: 3, destination: "warehouse" });
    const { out } = await taskwright("list", "warehouse");
    expect(out).toMatch(/^SEQ +STATUS +ATTEMPTS +DUE +LANE +TYPE +KEY +WHY\n1 +poisoned +1 +\S+ \S+ +paid +paid +a +the warehouse is closed\n[\s\S]*\n3 entries in warehouse, which is idle\n$/);
    expect((await taskwright("list", "warehouse", "--status", "pending")).out).toBe("no entries in warehouse, which is idle\n");
    expect(
      (await taskwright("list", "warehouse", "--json")).out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).key),
    ).toEqual(["a", "b", "c"]);
  });

  it("shows an entry, and says what is not there", async () => {
    expect((await taskwright("show", "warehouse", "2")).out).toMatch(
      /^entry +2 of warehouse\nstatus +poisoned\nattempts +1\n[\s\S]*key +b\npayload +\{\n +"order": "b"\n +\}\nwhy +the warehouse is closed\n$/,
    );
    expect(await taskwright("show", "warehouse", "9")).toMatchObject({ code: 2, error: expect.stringContaining("there is no entry 9") });
    expect(await taskwright("list", "warehose")).toMatchObject({ code: 2, error: expect.stringContaining('did you mean "warehouse"') });
  });

  it("requeues and drops entries, by the next engine", async () => {
    isUp = true;
    expect(await taskwright("requeue", "warehouse", "1")).toMatchObject({ code: 0, out: `1 entry of warehouse tried again as soon as an engine runs on ${database}\n` });
    expect(await taskwright("drop", "warehouse", "3")).toMatchObject({ code: 0, out: expect.stringContaining("1 entry of warehouse dropped") });
    await closing((_, engine) => engine.waitFor("outbox/warehouse", ({ context }) => (context as { delivered: number }).delivered === 1));
    expect(sent).toEqual(["a"]);
    expect((await taskwright("list", "warehouse")).out).toContain("1 entry in warehouse");
    expect(JSON.parse((await taskwright("requeue", "warehouse", "--all", "--json")).out)).toEqual({ requeued: 1 });
    await closing((_, engine) => engine.waitFor("outbox/warehouse", ({ context }) => (context as { delivered: number }).delivered === 2));
    expect(sent).toEqual(["a", "b"]);
    expect((await taskwright("drop", "mail", "--all", "--status", "pending")).out).toContain("1 entry of mail dropped");
    await closing((_, engine) => engine.waitFor("outbox/mail", ({ context }) => (context as { dropped: number }).dropped === 1));
    expect(sent).toEqual(["a", "b"]);
  });

  it("refuses what is unclear or unknown, and then touches nothing", async () => {
    for (const words of [[], ["1", "--all"], ["1", "--status", "poisoned"]]) expect((await taskwright("drop", "warehouse", ...words)).code).toBe(2);
    expect(await taskwright("drop", "warehouse", "1", "9")).toMatchObject({ code: 2, error: expect.stringContaining("no entry 9") });
    await closing(async () => {});
    expect((await taskwright("list", "warehouse")).out).toContain("3 entries");
  });

  it("pauses, resumes and forces an outbox, by the next engine", async () => {
    isUp = true;
    expect((await taskwright("resume", "mail")).out).toBe(`mail sends again as soon as an engine runs on ${database}\n`);
    expect((await taskwright("pause", "warehouse")).code).toBe(0);
    await closing((_, engine) => engine.waitFor("outbox/mail", ({ context }) => (context as { delivered: number }).delivered === 1));
    expect(sent).toEqual(["m"]);
    expect((await taskwright()).out).toMatch(/warehouse +paused [\s\S]*mail +idle /);
    expect(JSON.parse((await taskwright("force", "mail", "--json")).out)).toEqual({ outbox: "mail", told: "force" });
  });

  it("refuses to write under an engine, naming its call; looking is fine", async () => {
    await closing(async () => {
      expect(await taskwright("pause", "mail")).toMatchObject({ code: 2, error: expect.stringContaining('outboxes.pause("mail")') });
      expect(await taskwright("requeue", "warehouse", "1", "2")).toMatchObject({ code: 2, error: expect.stringContaining('outboxes.requeue("warehouse", [1,2])') });
      expect((await taskwright()).out).toContain("warehouse");
      expect((await taskwright("list", "warehouse")).out).toContain("3 entries");
    });
  });

  it("tells a closed outbox nothing", async () => {
    await closing((outboxes) => outboxes.close("mail"));
    expect(await taskwright("resume", "mail")).toMatchObject({ code: 2, error: expect.stringContaining("is closed") });
    expect((await taskwright("list", "mail")).out).toContain("1 entry in mail, which is closed");
  });
});
