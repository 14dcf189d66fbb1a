import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const project = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Compiles the project and the programs of a suite (a folder below test) into a folder of their own, so that no other test can change
 * them meanwhile, and so that a process of this suite is known by its path. Returns the folder, laid out like the
 * project, and what removes it.
 */
export const build = (suite = "crash") => {
  const folder = mkdtempSync(join(tmpdir(), `taskwright-${suite}-`));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    cpSync(join(project, "package.json"), join(folder, "package.json"));
    symlinkSync(join(project, "node_modules"), join(folder, "node_modules"), "junction");
    const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
    // Types are checked by `npm run check`: here they would cost ten times the rest.
    const options = ["--outDir", join(folder, "dist"), "--tsBuildInfoFile", join(folder, "tsbuildinfo"), "--noCheck"];
    execFileSync(process.execPath, [tsc, "-p", join(project, "test", suite), ...options], { encoding: "utf8", stdio: "pipe" });
    return { folder, dist: join(folder, "dist"), remove };
  } catch (error) {
    remove();
    throw new Error(`the project can't be compiled:\n${error.stdout ?? error.message}`);
  }
};
