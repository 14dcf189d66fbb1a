import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const program = fileURLToPath(new URL("../../dist/src/cli/main.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "taskwright-sample-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the built program; `until` may end it by force when it has written enough. */
const taskwright = (words: ReadonlyArray<string>, until: (out: string) => boolean = () => false) =>
  new Promise<{ readonly code: number | null; readonly signal: string | null; readonly out: string }>((resolve) => {
    const child = spawn(process.execPath, [program, ...words], { stdio: ["ignore", "pipe", "inherit"] });
    let out = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      out += text;
      if (until(out)) child.kill("SIGKILL");
    });
    child.once("close", (code, signal) => resolve({ code, signal, out }));
  });

const doneIn = (out: string) => [...out.matchAll(/^done +(\S+)/gm)].map(([, id]) => id as string);
const sample = ["sample", "--folder", folder, "--slots", "4"];

describe("cli > sample", () => {
  it("killed in the middle, goes on without repeating what was done, and ends with 0", async () => {
    const killed = await taskwright(sample, (out) => doneIn(out).length >= 40);
    expect(killed.signal).toBe("SIGKILL");

    const rest = await taskwright(sample);
    expect(rest.code).toBe(0);
    expect(rest.out).toContain("The last run was cut short; this one goes on with what it left.");
    expect(rest.out).toMatch(/had ended before and are not repeated/);
    const repeated = doneIn(rest.out).filter((id) => doneIn(killed.out).includes(id));
    expect(repeated).toEqual([]);

    const tasks = (await taskwright(["ps", "--database", join(folder, "work.db"), "--json"])).out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { readonly id: string; readonly state: string });
    expect(tasks.length).toBeGreaterThan(300);
    expect(tasks.filter(({ state }) => state !== "done").map(({ id, state }) => [id, state])).toEqual([["never-answers", "dead"]]);
  });
});
