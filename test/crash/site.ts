import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "./build.mjs";
import type { Site } from "./journey.ts";
import { openJudge } from "./judge.ts";

/** What a test needs to kill processes: everything compiled, a folder for the runs, a checker. */
export const openSite = (): Site & { readonly close: () => Promise<void> } => {
  const { folder, dist, remove } = build();
  const runs = join(folder, "runs");
  mkdirSync(runs);
  const judge = openJudge(dist);
  return {
    source: fileURLToPath(new URL(".", import.meta.url)),
    dist,
    folder: runs,
    judge,
    close: async () => {
      await judge.end();
      remove();
    },
  };
};

/** Processes are killed, stopped and found by `ps`; on other systems there is nothing to test. */
export const whyNot: string | undefined = process.platform === "win32" ? "Windows has no signals" : undefined;
