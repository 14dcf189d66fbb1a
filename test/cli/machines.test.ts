import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as Effect from "effect/Effect";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { invoke } from "../../src/cli/invoke.ts";
import type { AnyStateMachine } from "xstate";
import { openEngine } from "../../src/engine/index.ts";
import { VirtualTime } from "../../src/testing/index.ts";
import { task } from "../../machines/index.ts";
import type { TaskEnvelope } from "../../src/domain/task.ts";
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

const spec: TaskEnvelope = {
  id: "a",
  kind: "report",
  queue: "default",
  input: { about: "b" },
  priority: 0,
  needs: [],
  whenNeedFails: "cancel",
  acceptanceTimeoutMs: 30_000,
  executionTimeoutMs: 60_000,
  answerTimeoutMs: 3_600_000,
  retry: { attemptsMax: 2, backoff: { kind: "fixed", baseMs: 500 }, outcomes: ["error", "timeout"] },
  lossesMax: 1,
  budget: {},
  verification: { when: "never", graceMs: 120_000 },
  slots: 1,
  tags: [],
  attributes: {},
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "taskwright-machines-"));
  database = join(folder, "work.db");
  const engine = await openEngine({ database, machines: [task] });
  await engine.start(task, "a", { spec, needs: ["b"], dependents: [] });
  await engine.send("task/a", { type: "NEED_DONE", task: "b" });
  await engine.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("cli > graph", () => {
  it("draws a machine that comes with the package", async () => {
    const { code, out } = await taskwright("graph", "task");
    expect(code).toBe(0);
    expect(out).toContain("    forNeeds --> queued: [needsAreDone]\n");
    expect(out).not.toContain("×");
  });

  it("draws what an actor did, and where it stands", async () => {
    const { code, out } = await taskwright("graph", "task", "--taken", "a", "--database", database);
    expect(code).toBe(0);
    expect(out).toContain("    forNeeds --> queued: [needsAreDone] ×1\n");
    expect(out).toContain("class queued here");
    const { out: json } = await taskwright("graph", "task", "--taken", "a", "--database", database, "--format", "json");
    expect(JSON.parse(json)).toMatchObject({ format: "taskwright.graph", machine: "task", taken: { counts: { "task.waiting:event NEED_DONE:0": 1, "task.waiting.forNeeds:always:0": 1 } } });
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
    const { folder, remove } = workFolder();
    writeFileSync(join(folder, "factory.mjs"), "export const orderOf = () => {}; export const version = 1;");
    expect((await taskwright("check", join(folder, "factory.mjs"))).error).toMatch(/no machine is exported by .*; orderOf: if one of these functions makes a machine, call it/);
    remove();
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

  it("loads of a folder what exports machines, and runs no program in it", async () => {
    const { folder, remove } = workFolder();
    const ran = globalThis as { taskwrightProgramRan?: true };
    try {
      const lamp = 'import { createMachine } from "xstate";\nexport const lamp = createMachine({ id: "lamp", initial: "on", states: { on: { after: { 10: "off" } }, off: { type: "final" } } });\n';
      writeFileSync(join(folder, "lamp.mjs"), lamp);
      writeFileSync(join(folder, "index.mjs"), 'export * from "./lamp.mjs";\n');
      writeFileSync(join(folder, "server.mjs"), "globalThis.taskwrightProgramRan = true;\n");
      for (const [name, act] of [
        ["host", "globalThis.taskwrightProgramRan = true;"],
        ["waiting", "export const engine = await Promise.resolve((globalThis.taskwrightProgramRan = true));"],
        ["looping", "for (;;) {\n  globalThis.taskwrightProgramRan = true;\n  break;\n}"],
      ])
        writeFileSync(join(folder, `${name}.mjs`), `${lamp}/* A text: \`\nmain();\n\` */\n${act}\n`);
      const { code, out, error } = await taskwright("check", folder);
      expect(ran.taskwrightProgramRan).toBeUndefined();
      expect(out).toMatch(/^1 machine, /);
      expect(code).toBe(0);
      expect(
        error.match(/^.*\/(host|waiting|looping)\.mjs was not loaded: it is a program: line 6 does something as soon as it is loaded .*; to have it looked at, name the file itself$/gm),
      ).toHaveLength(3);
      expect(await taskwright("check", join(folder, "host.mjs"))).toMatchObject({ code: 0, error: "" });
      expect(ran.taskwrightProgramRan).toBe(true);
      rmSync(join(folder, "lamp.mjs"));
      expect(await taskwright("check", folder)).toMatchObject({ code: 2, error: expect.stringContaining("host.mjs was not loaded") });
    } finally {
      delete ran.taskwrightProgramRan;
      remove();
    }
  });

  it("leaves with 2 where there is nothing to check", async () => {
    expect(await taskwright("check", join(root, "docs/concepts"))).toMatchObject({ code: 2, error: expect.stringContaining("no machine is exported by") });
    expect(await taskwright("check", "gone")).toMatchObject({ code: 2, error: 'there is no file or folder "gone"\n' });
  });

  it("reads TypeScript with its imports as a program", async () => {
    expect(await program("check", "machines")).toContain("nothing found");
  });
});

describe("cli > why", () => {
  it("says what an actor waits for, and that nobody works with the journal", async () => {
    const { code, out } = await taskwright("why", "a", "--database", database);
    expect(code).toBe(0);
    expect(out).toMatch(/^address +task\/a\nstands in +queued\n/);
    expect(out).toMatch(/^events +ASSIGN from the dispatcher$/m);
    expect(out).toMatch(/^because +it waits for "ASSIGN" from the dispatcher, /m);
    expect(out).toMatch(/; no limit but the queue time-out and the deadline that it may have: what holds the slots has one\.$/m);
    expect(out).toContain("no engine works with this journal");
    expect(JSON.parse((await taskwright("why", "task/a", "--database", database, "--json")).out)).toMatchObject({ address: "task/a", verdict: "open", states: ["task.queued"] });
  });

  it("moves > lists what it takes, and says which guard refuses an event", async () => {
    const { code, out } = await taskwright("moves", "a", "--database", database);
    expect(code).toBe(0);
    expect(out).toMatch(/^EVENT +TAKEN +FROM +WHY NOT\n/);
    expect(out).toMatch(/^ASSIGN +yes/m);
    expect(out).toMatch(/^ACCEPTED +no .*no active state takes it; it is taken in active\.assigned/m);
    expect((await taskwright("moves", "a", "--database", database, "--event", '{"type":"ASSIGN","worker":"w"}')).code).toBe(0);
    expect(await taskwright("moves", "a", "--database", database, "--event", '{"type":"NOISE"}')).toMatchObject({ code: 1, out: expect.stringContaining("no state of the machine takes it") });
    expect(await taskwright("moves", "a", "--database", database, "--event", "NOISE")).toMatchObject({ code: 2, error: expect.stringContaining("--event is no event") });
  });

  it("stuck > lists what is overdue, and leaves with 1", async () => {
    expect(await taskwright("stuck", "--database", database)).toMatchObject({ code: 0, out: expect.stringContaining("nothing is overdue among 1 actors") });
    const { folder, remove } = workFolder();
    try {
      const file = join(folder, "egg.ts");
      writeFileSync(
        file,
        'import { setup } from "xstate";\nexport const egg = setup({ delays: { boil: 1 } }).createMachine({ id: "egg", version: "1", initial: "raw", states: { raw: { after: { boil: "done" } }, done: { type: "final" } } });\n',
      );
      const late = join(folder, "egg.db");
      await bornLate(file, late);
      const { code, out } = await taskwright("stuck", "--database", late, "--machines", file);
      expect(out).toMatch(/^ADDRESS +STATE +OVERDUE SINCE +BECAUSE\negg\/1 +raw +.* ago\) +its deadline "boil" has passed/);
      expect(code).toBe(1);
      expect((await taskwright("why", "egg/1", "--database", late)).out).toMatch(/verdict +unknown\nbecause +the form of the machine "egg" that wrote it is not known here/);
      expect(await taskwright("moves", "egg/1", "--database", late)).toMatchObject({ code: 2, error: expect.stringContaining("--machines") });
    } finally {
      remove();
    }
  });
});

/** A journal whose engine was closed, long ago, before a deadline was due. */
const bornLate = async (file: string, database: string): Promise<void> => {
  const { egg } = (await import(pathToFileURL(file).href)) as { readonly egg: AnyStateMachine };
  const time = new VirtualTime(Date.UTC(2020, 0, 1));
  const engine = await openEngine({ database, machines: [egg], time });
  await engine.start(egg, "1");
  await engine.close();
};
