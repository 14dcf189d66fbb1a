import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { endedStates, type TaskState, taskStates, type TaskView } from "../dispatch/index.ts";
import type { JournalError } from "../journal/index.ts";
import { ownerText, standingText } from "./standing.ts";
import { openPlace, storedTasks } from "./stored-tasks.ts";
import type { Streams } from "./streams.ts";
import { printable } from "./summary.ts";
import { table } from "./table.ts";

export interface PsOptions {
  readonly database: string;
  readonly state: TaskState | undefined;
  readonly json: boolean;
}

/** `taskwright ps`: the tasks of a journal, also while an engine works with it. */
export const ps = ({ database, state, json }: PsOptions, streams: Streams): Effect.Effect<void, JournalError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const journal = yield* openPlace(database);
      const tasks = yield* storedTasks(journal);
      const owner = yield* journal.owner;
      const now = yield* Clock.currentTimeMillis;
      const shown = tasks.filter((task) => state === undefined || task.state === state);
      if (json) {
        for (const task of shown) streams.out(`${JSON.stringify(task)}\n`);
        return;
      }
      const states = new Map(tasks.map((task) => [task.id, task.state]));
      const rows = shown.map((task) => [task.id, task.state, String(task.attempts), printable(standingText(task, { states, owner, now }))]);
      if (rows.length > 0) streams.out(`${table(["ID", "STATE", "ATTEMPTS", "STANDING"], rows, streams.isTerminal ? streams.columns() : undefined)}\n`);
      streams.out(`${countsText(tasks)}\n`);
      if (tasks.some((task) => !endedStates.has(task.state))) streams.out(`${ownerText(owner, now)}\n`);
    }),
  );

const countsText = (tasks: ReadonlyArray<TaskView>): string => {
  if (tasks.length === 0) return "no tasks";
  const counts = taskStates.map((state) => [tasks.filter((task) => task.state === state).length, state] as const).filter(([count]) => count > 0);
  return `${tasks.length === 1 ? "1 task" : `${tasks.length} tasks`}: ${counts.map(([count, state]) => `${count} ${state}`).join(", ")}`;
};
