import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openEngine } from "../../src/engine/index.ts";
import { bundled } from "../bundled.ts";
import { deadly, deaths } from "./misbehaving/deadly.ts";

/** Runs the host until it is gone; says how it ended. */
const dies = (database: string, death: string): Promise<number | string> =>
  new Promise((settle) => {
    const child = spawn(process.execPath, [bundled(join(import.meta.dirname, "misbehaving/deadly-host.ts")), database, death], { stdio: "ignore" });
    child.once("exit", (code, signal) => settle(signal ?? code ?? "nothing"));
  });

describe("engine > misbehaving code > processes", () => {
  for (const [death, { stored }] of Object.entries(deaths)) {
    test(`${death}: what was stored is there, and the next engine goes on with it`, async () => {
      const folder = mkdtempSync(join(tmpdir(), "taskwright-deadly-"));
      const database = join(folder, "journal.db");
      try {
        expect(await dies(database, death)).not.toBe(0);
        let acted = 0;
        const engine = await openEngine({ database, machines: deadly({ action: () => void acted++ }) });
        expect(await engine.snapshot("counter/innocent")).toMatchObject({ context: { count: 1 } });
        expect(await engine.send("counter/innocent", { type: "ADD" })).toMatchObject({ outcome: "handled", seq: 3 });
        expect((await engine.history("bad/1")).map(({ event }) => event.type).slice(0, 2)).toEqual(stored ? ["taskwright.start", "GO"] : ["taskwright.start"]);
        if (!stored) await engine.send("bad/1", { type: "GO" });
        await engine.waitFor("bad/1", ({ value }) => value === "done");
        await engine.settled();
        // An action that ended its process was not struck off: it runs again.
        if (!stored || death.includes("custom action")) expect(acted).toBe(1);
        expect(await engine.deadLetters()).toEqual([]);
        await engine.close();
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
  }
});
