import { execFileSync, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fromRecorder, fromStrace, type Operation } from "./operations.ts";

/** A way to see what a process does to its files. */
export interface Recorder {
  readonly name: "strace" | "cc";
  /** Runs a Node program to its end; its standard output goes to `out`. */
  readonly record: (program: ReadonlyArray<string>, folder: string, out: string) => Promise<ReadonlyArray<Operation>>;
}

const run = (command: string, args: ReadonlyArray<string>, out: string, env: NodeJS.ProcessEnv = process.env): Promise<void> => {
  const output = openSync(out, "w");
  const child = spawn(command, args, { stdio: ["ignore", output, "inherit"], env });
  closeSync(output);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => (code === 0 ? resolve() : reject(new Error(`${command} ended with ${signal ?? code}`))));
  });
};

const calls = "open,openat,pwrite64,write,fsync,fdatasync,ftruncate,unlink";

const strace: Recorder = {
  name: "strace",
  record: async (program, folder, out) => {
    const trace = join(folder, "trace");
    await run("strace", ["-f", "-qq", "-y", "-xx", "-s", "200000", "-e", `trace=${calls}`, "-o", trace, process.execPath, ...program], out);
    return fromStrace(readFileSync(trace, "latin1"));
  },
};

const preloaded = (source: string, site: string): Recorder => {
  const library = join(site, "recorder.so");
  execFileSync("cc", ["-shared", "-fPIC", "-O1", "-o", library, join(source, "faults/shim.c"), "-ldl"], { stdio: "pipe" });
  return {
    name: "cc",
    record: async (program, folder, out) => {
      const trace = join(folder, "trace");
      await run(process.execPath, program, out, { ...process.env, LD_PRELOAD: library, TASKWRIGHT_TRACE: trace, TASKWRIGHT_TRACE_UNDER: `${folder}/` });
      if (!existsSync(trace)) throw new Error("the preloaded recorder wrote nothing");
      return fromRecorder(readFileSync(trace));
    },
  };
};

/** The first way that works on this machine, or the reasons why none does. */
export const findRecorder = (source: string, site: string, wanted: ReadonlyArray<Recorder["name"]> = ["strace", "cc"]): Recorder | string => {
  const reasons: Array<string> = [];
  for (const name of wanted) {
    try {
      if (name === "cc") return preloaded(source, site);
      // Being there is not enough: a container may forbid to trace.
      execFileSync("strace", ["-f", "-o", join(site, "probe"), "true"], { stdio: "pipe" });
      return strace;
    } catch (error) {
      reasons.push(`${name}: ${(error as Error).message.split("\n")[0]}`);
    }
  }
  return reasons.join("; ");
};
