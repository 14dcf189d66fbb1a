import { execFileSync } from "node:child_process";
import { closeSync, openSync, readSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

/** Calls of the operating system that a fault may strike; add them up for several. */
export const calls = { write: 1, sync: 2, truncate: 4, unlink: 8, all: 15 } as const;

/** As in errno.h of Linux. */
export const errors = { EIO: 5, ENOSPC: 28 } as const;

/** What happens at the `at`-th of the meant calls, counted from when it was armed. */
export type Fault =
  | { readonly kind: "kill" | "killHalf"; readonly at: number }
  | { readonly kind: "fail"; readonly at: number; readonly calls: number; readonly times: number; readonly error: keyof typeof errors }
  | { readonly kind: "delay"; readonly at: number; readonly calls: number; readonly times: number; readonly ms: number };

const modes = { kill: 1, killHalf: 2, fail: 3, delay: 4 } as const;
/** The fields of `struct control` in shim.c, 64 bits each. */
const fields = ["mode", "calls", "countdown", "times", "argument", "fired", "seen", "skewMs"] as const;
type Field = (typeof fields)[number];

/** What a process with the shim is told while it runs, and what the shim counted. Both sides may hold one. */
export class Control {
  readonly file: string;
  readonly #fd: number;

  private constructor(file: string) {
    this.file = file;
    this.#fd = openSync(file, "r+");
  }

  /** A new file, without a fault. */
  static make(file: string): Control {
    writeFileSync(file, Buffer.alloc(fields.length * 8));
    return new Control(file);
  }

  static open(file: string): Control {
    return new Control(file);
  }

  arm(fault: Fault): void {
    this.disarm();
    this.#set("fired", 0);
    this.#set("countdown", fault.at);
    this.#set("calls", "calls" in fault ? fault.calls : calls.all);
    this.#set("times", "times" in fault ? fault.times : 1);
    this.#set("argument", fault.kind === "fail" ? errors[fault.error] : fault.kind === "delay" ? fault.ms * 1_000 : 0);
    this.#set("mode", modes[fault.kind]);
  }

  disarm(): void {
    this.#set("mode", 0);
  }

  /** How often the fault came since it was armed. */
  get fired(): number {
    return this.#get("fired");
  }

  /** Writes, syncs, truncations and removals since the file was made. */
  get seen(): number {
    return this.#get("seen");
  }

  /** The wall clock of the process reads so many milliseconds more than it is: whole seconds. */
  skew(ms: number): void {
    this.#set("skewMs", ms);
  }

  close(): void {
    closeSync(this.#fd);
  }

  #set(field: Field, value: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(value));
    writeSync(this.#fd, bytes, 0, 8, fields.indexOf(field) * 8);
  }

  #get(field: Field): number {
    const bytes = Buffer.alloc(8);
    readSync(this.#fd, bytes, 0, 8, fields.indexOf(field) * 8);
    return Number(bytes.readBigInt64LE());
  }
}

/** The compiled library that stands between a process and its files. */
export interface Shim {
  readonly library: string;
  /** The environment of a process whose files that begin with `prefix` obey this control. */
  readonly env: (control: Control, prefix: string) => NodeJS.ProcessEnv;
}

/** Compiles it into `folder` and sees that it strikes; otherwise the reason why faults can't be made here. */
export const makeShim = (source: string, folder: string): Shim | string => {
  const library = join(folder, "shim.so");
  const env: Shim["env"] = (control, prefix) => ({ ...process.env, LD_PRELOAD: library, TASKWRIGHT_FAULTS: control.file, TASKWRIGHT_FAULTS_UNDER: prefix });
  try {
    execFileSync("cc", ["-shared", "-fPIC", "-O1", "-o", library, join(source, "faults/shim.c"), "-ldl"], { stdio: "pipe" });
    const control = Control.make(join(folder, "probe.control"));
    const file = join(folder, "probe");
    control.arm({ kind: "fail", at: 1, calls: calls.sync, times: 1, error: "EIO" });
    const script = `const f = require("fs"); const d = f.openSync(${JSON.stringify(file)}, "w"); f.writeSync(d, "x", 0); try { f.fsyncSync(d) } catch (e) { console.log(e.code) }`;
    const said = execFileSync(process.execPath, ["-e", script], { env: env(control, file), encoding: "utf8" });
    control.close();
    return said.trim() === "EIO" && Control.open(control.file).fired === 1 ? { library, env } : "a preloaded library does not strike here";
  } catch (error) {
    return `cc: ${(error as Error).message.split("\n")[0]}`;
  }
};
