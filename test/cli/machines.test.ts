import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { invoke } from "../../src/cli/invoke.ts";
import { openEngine } from "../../src/engine/index.ts";
import { task } from "../../machines/index.ts";
import { root } from "../docs/page.ts";
import { workFolder } from "../docs/snippet.ts";
import { heldSignals, recordedStreams } from "./recorded.ts";

let folder: string;
let database: string;

const taskwright = async (...words: ReadonlyArray<string>) => {
  const { streams, written } = recordedStreams();
  const code = await Effect.runPromise(invoke(["node", "taskwright", ...words], streams, heldSignals().source));
  return { code, ...written };
};

/** The compiled program, in a process of its own. */
const program = (...words: ReadonlyArray<string>): Promise<string> =>
  new Promise((resolve, reject) =>
    execFile(process.execPath, [join(root, "dist/src/cli/main.js"), ...words], { cwd: root }, (error, stdout, stderr) => (error === null ? resolve(stdout) : reject(new Error(stderr)))),
  );

const spec = {
  id: "a",
  work: {},
  priority: 0,
  retry: { attemptsMax: 1, backoff: { kind: "fixed", baseMs: 1 } },
  needs: ["b"],
  dependents: [],
  acceptanceTimeoutMs: 1_000,
  executionTimeoutMs: 1_000,
  lossesMax: 1,
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "taskwright-machines-"));
  database = join(folder, "work.db");
  const engine = await openEngine({ database, machines: [task] });
  await engine.start(task, "a", spec);
  await engine.send("task/a", { type: "NEED_DONE", task: "b" });
  await engine.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("cli > graph", () => {
  it("draws a machine that comes with the package", async () => {
    const { code, out } = await taskwright("graph", "task");
    expect(code).toBe(0);
    expect(out).toContain("  waiting --> queued: [needsAreDone]\n");
    expect(out).not.toContain("×");
  });

  it("draws what an actor did, and where it stands", async () => {
    const { code, out } = await taskwright("graph", "task", "--taken", "a", "--database", database);
    expect(code).toBe(0);
    expect(out).toContain("  waiting --> queued: [needsAreDone] ×1\n");
    expect(out).toContain("class queued here");
    const { out: json } = await taskwright("graph", "task", "--taken", "a", "--database", database, "--format", "json");
    expect(JSON.parse(json)).toMatchObject({ format: "taskwright.graph", machine: "task", taken: { counts: { "task.waiting:event NEED_DONE:0": 1, "task.waiting:always:0": 1 } } });
  });

  it("writes SCXML and a config for Stately", async () => {
    expect((await taskwright("graph", "worker", "--format", "scxml")).out).toMatch(/^<\?xml/);
    expect(JSON.parse((await taskwright("graph", "worker", "--format", "stately")).out)).toMatchObject({ id: "worker" });
  });

  it("takes one of several machines of a module", async () => {
    const file = join(root, "test/analysis/machines.ts");
    expect((await taskwright("graph", file)).out).toContain("idle --> working");
    expect((await taskwright("graph", `${file}#everything`)).code).toBe(0);
    const { code, error } = await taskwright("graph", join(root, "machines/index.ts"));
    expect(code).toBe(2);
    expect(error).toMatch(/exports \d+ machines; choose one: .*index\.ts#task"/);
  });

  it("says what is not there, and what it may have been", async () => {
    expect(await taskwright("graph", "taks")).toMatchObject({ code: 2, error: expect.stringContaining('did you mean "task"') });
    expect(await taskwright("graph", join(root, "test/vitest.config.ts"))).toMatchObject({ code: 2, error: expect.stringContaining("no machine is exported by") });
    expect(await taskwright("graph", "worker", "--taken", "a", "--database", database)).toMatchObject({ code: 2, error: expect.stringContaining('an actor of the machine "task", not of "worker"') });
  });

  it("reads TypeScript as a program, also where Node does not", async () => {
    const { folder, remove } = workFolder();
    try {
      const file = join(folder, "order.ts");
      writeFileSync(
        file,
        'import { setup } from "xstate";\nexport const order = setup({ types: { events: {} as { type: "PAY" } } }).createMachine({ id: "order", initial: "open", states: { open: { on: { PAY: "paid" } }, paid: {} } });\n',
      );
      expect(await program("graph", file)).toContain("open --> paid: PAY");
    } finally {
      remove();
    }
  });
});

describe("cli > check", () => {
  it("finds nothing in our own machines, and says what it walked through", async () => {
    const { code, out } = await taskwright("check", join(root, "machines"));
    expect(out).toMatch(/^\d+ machines, \d+ states, \d+ transitions: nothing found\nstructural: every combination of states that the charts allow was walked through, whatever the guards say\n$/);
    expect(code).toBe(0);
  });

  it("names what it finds with its file, and leaves with 1", async () => {
    const { folder, remove } = workFolder();
    try {
      const file = join(folder, "lamp.ts");
      writeFileSync(
        file,
        'import { createMachine } from "xstate";\nexport const lamp = createMachine({ id: "lamp", initial: "off", states: { off: { on: { ON: "on" } }, on: { type: "final" } } });\n',
      );
      const { code, out } = await taskwright("check", file);
      expect(code).toBe(1);
      expect(out).toMatch(/lamp\.ts: machine "lamp", lamp\.off: nothing ends it by itself.* \[unbounded\]\n/);
      const { out: json } = await taskwright("check", file, "--json");
      expect(JSON.parse(json)).toMatchObject({ findings: [{ rule: "unbounded", machine: "lamp", at: "lamp.off" }], machines: [{ machine: "lamp", complete: true }] });
    } finally {
      remove();
    }
  });

  it("leaves with 2 where there is nothing to check", async () => {
    expect(await taskwright("check", join(root, "docs"))).toMatchObject({ code: 2, error: expect.stringContaining("no machine is exported by") });
    expect(await taskwright("check", "gone")).toMatchObject({ code: 2, error: 'there is no file or folder "gone"\n' });
  });

  it("reads TypeScript with its imports as a program", async () => {
    expect(await program("check", "machines")).toContain("nothing found");
  });
});
