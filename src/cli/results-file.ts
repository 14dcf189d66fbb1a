import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import { closeSync, openSync, writeSync } from "node:fs";
import { endedStates, type TaskView } from "../dispatch/index.ts";
import { type Refused, refused } from "./refused.ts";

export interface Results {
  /** Takes a task as it is now: one that has ended is written, once. */
  readonly hear: (task: TaskView) => void;
}

export const noResults: Results = { hear: () => {} };

/** A file with a line of JSON for each task that has ended, written as they end; what it held before is gone. */
export const openResults = (file: string): Effect.Effect<Results, Refused, Scope.Scope> =>
  Effect.gen(function* () {
    const open = Effect.try({ try: () => openSync(file, "w"), catch: (error) => refused(`${file}: ${(error as Error).message}`) });
    const handle = yield* Effect.acquireRelease(open, (opened) => Effect.sync(() => closeSync(opened)));
    const written = new Set<string>();
    return {
      hear: (task) => {
        if (!endedStates.has(task.state) || written.has(task.id)) return;
        written.add(task.id);
        writeSync(handle, `${resultText(task)}\n`);
      },
    };
  });

const resultText = ({ id, state, attempts, usage, result, receipt, failure, at }: TaskView): string => JSON.stringify({ id, state, attempts, usage, result, receipt, failure, at });
