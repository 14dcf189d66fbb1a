import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

interface Line {
  readonly task?: string;
  readonly state?: string;
  readonly told?: string;
  readonly [key: string]: unknown;
}

const program = fileURLToPath(new URL("../../docs/examples/agents/host.mjs", import.meta.url));

/** The example's program as a process; what it prints can be waited for. */
class Host {
  readonly lines: Array<Line> = [];
  readonly #process: ChildProcess;
  readonly #waiting = new Set<() => void>();
  #errors = "";

  constructor(folder: string) {
    this.#process = spawn(process.execPath, [program, folder], { stdio: ["pipe", "pipe", "pipe"] });
    this.#process.stdin?.on("error", () => {});
    this.#process.stderr?.on("data", (chunk) => (this.#errors += String(chunk)));
    createInterface({ input: this.#process.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      this.lines.push(JSON.parse(line) as Line);
      for (const look of [...this.#waiting]) look();
    });
  }
  tell(...commands: ReadonlyArray<object>): void {
    for (const command of commands) this.#process.stdin?.write(`${JSON.stringify(command)}\n`);
  }
  /** The first line that is so, from now or before. */
  heard(what: Partial<Line>): Promise<Line> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = this.lines.find((line) => Object.entries(what).every(([key, value]) => line[key] === value));
        if (found === undefined) return;
        this.#waiting.delete(look);
        resolve(found);
      };
      this.#waiting.add(look);
      this.#process.once("exit", () => reject(new Error(`it ended before it said ${JSON.stringify(what)}: ${this.#errors}\n${this.lines.map((line) => JSON.stringify(line)).join("\n")}`)));
      look();
    });
  }
  async gone(how: "kill -9" | "end"): Promise<number | null> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return this.#process.exitCode;
    const ended = new Promise<number | null>((resolve) => this.#process.once("exit", resolve));
    if (how === "end") this.#process.stdin?.end();
    else this.#process.kill("SIGKILL");
    return ended;
  }
}

describe("scenarios > agents > an example host with subprocess agents", () => {
  let folder = "";
  let host: Host;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "taskwright-agents-"));
    host = new Host(folder);
  });
  afterEach(async () => {
    await host.gone("kill -9");
    rmSync(folder, { recursive: true, force: true });
  });
  const body = (...steps: ReadonlyArray<string>) => steps.join("\n");
  const written = () => readFileSync(join(folder, "work.log"), "utf8").trim().split("\n");

  test("questions, receipts, usage, a crash, a budget and an approval; killed in the middle it goes on with the stored sessions", async () => {
    await host.heard({ ready: true });
    host.tell(
      { order: { label: "report", body: body("write report 1", "use 0.25", "hold go", "write report 2", "ask Which title?", "write report ANSWER", "done report.txt") } },
      { order: { label: "flaky", body: body("write flaky 1", "crash crashed", "write flaky 2", "done") } },
      { order: { label: "greedy", body: body("use 0.5", "use 0.4", "use 0.4", "hold never") } },
      { order: { label: "large", body: body("write large", "done"), budget: { costUsd: 20 } } },
    );
    // One that crashes is tried again, from its beginning; one that spends more than its budget is stopped.
    expect(await host.heard({ task: "flaky", state: "done" })).toMatchObject({ attempts: 2 });
    expect(await host.heard({ task: "greedy", state: "failed" })).toMatchObject({ failure: "budget_exceeded", costUsd: 1.3 });
    const { session } = await host.heard({ task: "report", state: "running", costUsd: 0.25 });
    expect(session).toMatch(/^session-/);
    // What needs an approval has not begun.
    expect(host.lines.filter(({ task }) => task === "large")).toEqual([]);

    await host.gone("kill -9");
    writeFileSync(join(folder, "go"), "");
    host = new Host(folder);
    // The same session goes on where it was: nothing that it did is done again.
    expect(await host.heard({ task: "report", state: "parked" })).toMatchObject({ session, question: "Which title?", costUsd: 0.25 });
    host.tell({ approve: "large" }, { answer: "report", text: "Sums" });
    expect(await host.heard({ task: "large", state: "done" })).toMatchObject({ attempts: 1 });
    expect(await host.heard({ task: "report", state: "verifying" })).toMatchObject({ session });
    host.tell({ verify: "report" });
    await host.heard({ task: "report", state: "done" });
    expect(written().filter((line) => line.startsWith("report"))).toEqual(["report 1", "report 2", "report Sums"]);
    expect(written().filter((line) => line.startsWith("flaky"))).toEqual(["flaky 1", "flaky 1", "flaky 2"]);
    await host.heard({ told: "orchestrator.status" });
    expect(await host.gone("end")).toBe(0);
  });

  test("a session that can't be loaded any more begins from its text", async () => {
    await host.heard({ ready: true });
    host.tell({ order: { label: "lost", body: body("write lost 1", "use 0.1", "hold go", "done") } });
    await host.heard({ task: "lost", state: "running", costUsd: 0.1 });
    await host.gone("kill -9");
    for (const file of readdirSync(folder)) if (file.startsWith("session-")) rmSync(join(folder, file));
    writeFileSync(join(folder, "go"), "");
    host = new Host(folder);
    expect(await host.heard({ task: "lost", state: "done" })).toMatchObject({ task: "lost" });
    expect(written()).toEqual(["lost 1", "lost 1"]);
  });
});
