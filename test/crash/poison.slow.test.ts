import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bundled } from "../bundled.ts";

const isWindows = process.platform === "win32";

describe.skipIf(isWindows)("poison > a machine that ends its process", () => {
  let folder = "";
  const program = bundled(fileURLToPath(new URL("poison-process.ts", import.meta.url)));
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "taskwright-poison-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const run = (place: string, how: string, work: string) => {
    const args = ["--max-old-space-size=48", program, join(folder, "work.db"), place, how, work];
    const { status, signal, stdout } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 120_000 });
    const said = stdout
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line));
    return { ended: status !== 0 || signal !== null, said };
  };

  const names = ["one", "two", "kill", "three", "four"];
  const cases = [
    ["guard", "exit", "heard", "event"],
    ["timer", "kill", "rang", "event"],
    ["action", "heap", "acted", "action"],
  ] as const;
  for (const [place, how, what, kind] of cases) {
    test(`in its ${place}, by ${how}: it stands after the redeliveries, the rest is done, and the letter can be requeued after the fix`, () => {
      expect(run(place, how, "begin").ended).toBe(true);
      let restarts = 0;
      let last = run(place, how, "continue");
      const acted = last.said.flatMap((line) => line.acted ?? []);
      for (; last.ended && restarts < 10; restarts++) {
        last = run(place, how, "continue");
        acted.push(...last.said.flatMap((line) => line.acted ?? []));
      }
      // Together with others, and then alone until it is given up.
      expect(restarts).toBe(3);
      const { done, letters } = last.said.at(-1);
      expect(letters).toMatchObject([{ kind, address: "victim/kill", code: "poison_event", message: expect.stringContaining("ended 3 times") }]);
      if (what !== "acted") expect(done.map((context: Record<string, unknown>) => context[what])).toEqual(names.map((name) => name !== "kill"));
      const mended = run("nowhere", how, "requeue");
      expect(mended.ended).toBe(false);
      acted.push(...mended.said.flatMap((line) => line.acted ?? []));
      expect(mended.said).toContainEqual({ requeued: 1 });
      expect(mended.said.at(-1).letters).toEqual([]);
      if (what === "acted") expect([acted.at(-1), new Set(acted)]).toEqual(["kill", new Set(names)]);
      else expect(mended.said.at(-1).done.every((context: Record<string, unknown>) => context[what])).toBe(true);
    });
  }
});
