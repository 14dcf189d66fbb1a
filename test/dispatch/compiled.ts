import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const project = fileURLToPath(new URL("../..", import.meta.url));

export interface Compiled {
  readonly dist: string;
  readonly workerProgram: string;
  readonly remove: () => void;
}

/** Compiles the project into a folder of its own: what lies in dist/ may be older than the sources. */
export const compile = (): Compiled => {
  const folder = mkdtempSync(join(tmpdir(), "taskwright-dispatch-"));
  const dist = join(folder, "dist");
  const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
  cpSync(join(project, "package.json"), join(folder, "package.json"));
  symlinkSync(join(project, "node_modules"), join(folder, "node_modules"), "junction");
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    // Types are checked by `npm run check`: here they would cost ten times the rest.
    const options = ["--outDir", dist, "--tsBuildInfoFile", join(folder, "tsbuildinfo"), "--noCheck", "--declaration", "false"];
    execFileSync(process.execPath, [tsc, "-p", join(project, ".tsconfig.build.json"), ...options], { encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    remove();
    throw new Error(`the project can't be compiled:\n${(error as { stdout?: string }).stdout ?? String(error)}`);
  }
  return { dist, workerProgram: join(dist, "src/dispatch/worker-process.js"), remove };
};
