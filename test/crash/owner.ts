import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

export type Line = Readonly<Record<string, unknown>>;

export interface OwnerOptions {
  /** owner-process, ready to run. */
  readonly program: string;
  readonly file: string;
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  /** Modules that are loaded first. */
  readonly imports?: ReadonlyArray<string>;
}

/** A process with an engine, and everything that it said. */
export class Owner {
  readonly process: ChildProcess;
  readonly lines: Array<Line> = [];
  readonly ended: Promise<void>;
  readonly #waiting = new Set<() => void>();

  constructor({ program, file, leaseMs, heartbeatMs, imports = [] }: OwnerOptions) {
    const args = [...imports.flatMap((path) => ["--import", path]), program, file, String(leaseMs), String(heartbeatMs)];
    this.process = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
    const wake = () => {
      for (const look of [...this.#waiting]) look();
    };
    createInterface({ input: this.process.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      this.lines.push(JSON.parse(line) as Line);
      wake();
    });
    this.ended = new Promise((resolve) =>
      this.process.once("close", () => {
        resolve();
        wake();
      }),
    );
  }

  get pid(): number {
    return this.process.pid as number;
  }

  tell(command: string): void {
    this.process.stdin?.write(`${command}\n`);
  }

  signal(name: NodeJS.Signals): void {
    this.process.kill(name);
  }

  /** The first line that has this key (and value), said already or still to come. */
  heard(key: string, value?: unknown): Promise<Line> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = this.lines.find((line) => key in line && (value === undefined || line[key] === value));
        if (found === undefined && this.process.exitCode === null && this.process.signalCode === null) return;
        this.#waiting.delete(look);
        if (found === undefined) reject(new Error(`the process ended without saying "${key}"; it said ${JSON.stringify(this.lines.slice(-5))}`));
        else resolve(found);
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** Ends it, stopped or not. */
  async end(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill("SIGKILL");
      this.process.kill("SIGCONT");
    }
    await this.ended;
  }
}

/** The journal can't even be asked whose it is: somebody holds SQLite's lock. */
export class Locked extends Error {}

/** Opens an engine as soon as it is not refused any more. Also gives what the refusals said. */
export const takeOver = async (options: OwnerOptions): Promise<{ readonly owner: Owner; readonly refusals: ReadonlyArray<Line> }> => {
  const refusals: Array<Line> = [];
  for (;;) {
    const owner = new Owner(options);
    try {
      await owner.heard("opened");
      return { owner, refusals };
    } catch (error) {
      await owner.ended;
      const refusal = owner.lines.find((line) => "refused" in line);
      if (refusal?.refused === "JournalError") throw new Locked(String(refusal.message));
      if (refusal === undefined) throw error;
      refusals.push(refusal);
    }
  }
};

/**
 * Stops the process and waits until another one has its journal. One that is stopped inside of a transaction holds
 * SQLite's lock, and nobody can take over until it goes on or ends: then it is let go on, and stopped again.
 */
export const pauseAndTakeOver = async (first: Owner, options: OwnerOptions): Promise<{ readonly owner: Owner; readonly waitedMs: number }> => {
  for (let attempt = 1; ; attempt++) {
    first.signal("SIGSTOP");
    const pausedAt = Date.now();
    try {
      const { owner } = await takeOver(options);
      return { owner, waitedMs: Date.now() - pausedAt };
    } catch (error) {
      first.signal("SIGCONT");
      if (!(error instanceof Locked) || attempt === 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
};
