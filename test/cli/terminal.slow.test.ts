import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const program = fileURLToPath(new URL("../../dist/src/cli/main.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "taskwright-terminal-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** `script` of util-linux runs a program on a terminal of its own. */
const hasTerminal = String(spawnSync("script", ["--version"]).stdout ?? "").includes("util-linux");
if (!hasTerminal) console.warn("SKIPPED: questions on a real terminal; there is no script(1) of util-linux here");

/** What a person sees on the terminal, who types each answer when the prompt of its question stands there. */
const atTerminal = (words: ReadonlyArray<string>, typed: ReadonlyArray<readonly [prompt: string, keys: string]>) =>
  new Promise<{ readonly code: number | null; readonly screen: string }>((resolve) => {
    const command = [process.execPath, program, ...words].map((word) => `'${word}'`).join(" ");
    const child = spawn("script", ["--quiet", "--return", "--flush", "--command", command, "/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
    let screen = "";
    let next = 0;
    child.stdout.setEncoding("utf8").on("data", (text) => {
      screen += text;
      const [prompt, keys] = typed[next] ?? [];
      if (prompt === undefined || !screen.includes(prompt)) return;
      next++;
      child.stdin.write(keys as string);
    });
    child.once("close", (code) => resolve({ code, screen }));
  });

describe("cli > terminal", () => {
  it.skipIf(!hasTerminal)("what tasks ask is asked on the terminal, one after the other; Ctrl-C ends the run while a question stands there", async () => {
    const file = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const kinds = file("kinds.mjs", "export const kinds = { letter: { run: (_, __, { answer, ask, task }) => answer ?? ask(`to whom goes ${task}?`) } };");
    const tasks = file("tasks.jsonl", '{"id":"first","kind":"letter"}\n{"id":"second","kind":"letter"}\n');
    const run = ["run", tasks, "--kinds", kinds, "--slots", "1", "--database", join(folder, "work.db")];
    const interrupted = await atTerminal(run, [
      ["first asks: to whom goes first?", "Ada\n"],
      ["second asks: to whom goes second?", "\u0003"],
    ]);
    expect(interrupted.code).toBe(130);
    // The prompt stands on a line of its own, and nothing was drawn over it until it was answered.
    expect(interrupted.screen).toMatch(/\u001b\[Kfirst asks: to whom goes first\?\r\n> Ada\r\n/);
    expect(interrupted.screen).toContain("1 done, 1 not ended");
    const { code, screen } = await atTerminal(run, [["second asks: to whom goes second?", "Grace\n"]]);
    expect(code).toBe(0);
    expect(screen).not.toContain("first asks");
    expect(screen).toContain("2 done");
  });
});
