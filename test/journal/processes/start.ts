import * as Effect from "effect/Effect";
import { spawn } from "node:child_process";
import * as path from "node:path";
import * as readline from "node:readline";
import type * as Scope from "effect/Scope";
import { bundled } from "../../bundled.ts";

/** A script of this folder in a process of its own, which answers lines with lines. */
export interface Child {
  readonly pid: number;
  /** The next line that it says. */
  readonly next: Effect.Effect<unknown>;
  readonly ask: (line: string) => Effect.Effect<unknown>;
  /** Ends its input and waits until it is gone. */
  readonly end: Effect.Effect<void>;
  readonly signal: (signal: "SIGSTOP" | "SIGCONT") => void;
  /** kill -9, and waits until it is gone. */
  readonly kill: Effect.Effect<void>;
}

export const start = (script: "engine.ts" | "lock.ts", args: ReadonlyArray<string>): Effect.Effect<Child, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const child = spawn(process.execPath, [bundled(path.join(import.meta.dirname, script)), ...args], { stdio: ["pipe", "pipe", "inherit"] });
        const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
        return { child, gone };
      }),
      ({ child, gone }) =>
        Effect.promise(() => {
          child.kill("SIGKILL");
          return gone;
        }),
    ),
    ({ child, gone }) => {
      const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      const next = Effect.promise(async (): Promise<unknown> => {
        const line = await lines.next();
        if (line.done) throw new Error(`${script} ended before it answered`);
        return JSON.parse(line.value);
      });
      return {
        pid: child.pid!,
        next,
        ask: (line) =>
          Effect.zipRight(
            Effect.sync(() => child.stdin.write(`${line}\n`)),
            next,
          ),
        end: Effect.promise(() => {
          child.stdin.end();
          return gone;
        }),
        signal: (signal) => child.kill(signal),
        kill: Effect.promise(() => {
          child.kill("SIGKILL");
          return gone;
        }),
      };
    },
  );
