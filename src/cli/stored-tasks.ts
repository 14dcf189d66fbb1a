import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import { isTaskContext, type TaskView, taskView } from "../dispatch/index.ts";
import { viewOfStored } from "../engine/index.ts";
import { type ActorRow, type Journal, type JournalError, SqliteJournal } from "../journal/index.ts";
import { isServer } from "./place-of-server.ts";

const pageSize = 1_000;

/** Opens a journal for looking at it, also while an engine works with it. */
export const openReader = (database: string): Effect.Effect<Journal, JournalError, Scope.Scope> => SqliteJournal.make({ file: database, reader: true });

/** The same, or by the address of the server that has it: for what a server can tell. */
export const openPlace = (place: string): Effect.Effect<Journal, JournalError, Scope.Scope> =>
  isServer(place)
    ? Effect.flatMap(
        Effect.promise(() => import("./server-reader.ts")),
        ({ serverReader }) => serverReader(place),
      )
    : openReader(place);

/** All tasks of a journal, in the order in which they were made. */
export const storedTasks = (journal: Journal): Effect.Effect<ReadonlyArray<TaskView>, JournalError> => Effect.flatMap(allOf(journal, { machine: "task" }), (rows) => tasksOfRows(journal, rows));

/** Rows of tasks as tasks; damaged ones are left out, `show` tells what is wrong with them. While a worker has one, its deadline stands with its assignment. */
export const tasksOfRows = (journal: Journal, rows: ReadonlyArray<ActorRow>): Effect.Effect<ReadonlyArray<TaskView>, JournalError> =>
  Effect.gen(function* () {
    const tasks = rows.flatMap((row) => {
      const view = viewOfStored(row, "");
      return isTaskContext(view.context) ? [taskView(row.address, view, view.timers, row.at, row.createdAt)] : [];
    });
    const given = tasks.filter(({ state }) => state === "assigned" || state === "running").map(({ id }) => `task/${id}/assignment`);
    const deadlines = new Map((yield* journal.actors(given)).map((row) => [row.address, firstDue(row)]));
    return tasks.map((task) => ({ ...task, until: task.until ?? deadlines.get(`task/${task.id}/assignment`) }));
  });

const firstDue = (row: ActorRow): number | undefined => {
  const dues = Object.values(viewOfStored(row, "").timers ?? {}).map(({ due }) => due);
  return dues.length === 0 ? undefined : Math.min(...dues);
};

/** All actors by a filter, read in pages. */
export const allOf = (journal: Journal, filter: { readonly machine?: string; readonly parent?: number }): Effect.Effect<ReadonlyArray<ActorRow>, JournalError> =>
  Effect.gen(function* () {
    const rows: Array<ActorRow> = [];
    for (let after = 0; ; ) {
      const page = yield* journal.list({ ...filter, after, limit: pageSize });
      rows.push(...page);
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) return rows;
      after = last.id;
    }
  });
