import type { TaskView } from "../dispatch/index.ts";
import { commandOf, type CommandSpec, commandText } from "./command-task.ts";
import type { Problem } from "./task-graph.ts";

/** What a task file says differently from what the journal holds under the same ids. */
export interface Conflicts {
  /** The same id for other work: refused before anything runs, because one of the two would silently not be done. */
  readonly problems: ReadonlyArray<Problem>;
  /** The same work with other options: the stored ones hold, because the task is already under way or over. */
  readonly notes: ReadonlyArray<Problem>;
}

export const conflictsOf = (tasks: ReadonlyArray<CommandSpec>, lineOf: ReadonlyMap<string, number>, stored: ReadonlyMap<string, TaskView>): Conflicts => {
  const problems: Array<Problem> = [];
  const notes: Array<Problem> = [];
  for (const spec of tasks) {
    const earlier = stored.get(spec.id)?.spec;
    if (earlier === undefined) continue;
    const line = lineOf.get(spec.id) ?? 0;
    const work = differences(workOf(earlier), workOf(spec));
    if (work.length > 0) problems.push({ line, message: `the journal already has a task "${spec.id}" with ${work.join(" and ")}; use another id, or another --database` });
    const options = differences(optionsOf(earlier), optionsOf(spec));
    if (work.length === 0 && options.length > 0) notes.push({ line, message: `"${spec.id}" goes on as it was stored, with ${options.join(" and ")}` });
  }
  return { problems, notes };
};

interface Given {
  readonly kind?: string;
  readonly input?: unknown;
  readonly priority?: number;
  readonly executionTimeoutMs?: number;
  readonly retry?: { readonly attemptsMax?: number };
}
const workOf = (spec: Given) => {
  const { command, cwd, env } = commandOf({ spec }) ?? { command: { shell: `(${spec.kind})` } };
  return { command: commandText(command), cwd: cwd ?? "", env: sorted(env ?? {}) };
};

const optionsOf = ({ retry, executionTimeoutMs, priority }: Given) => ({ retries: (retry?.attemptsMax ?? 1) - 1, timeoutMs: executionTimeoutMs, priority: priority ?? 0 });

const sorted = (record: Readonly<Record<string, string>>) => Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));

const differences = (stored: Readonly<Record<string, unknown>>, given: Readonly<Record<string, unknown>>): ReadonlyArray<string> =>
  Object.keys(stored).flatMap((key) => {
    if (given[key] === undefined) return [];
    const [was, is] = [stored[key], given[key]].map((value) => (typeof value === "string" ? value : JSON.stringify(value)));
    return was === is ? [] : [`the ${key} ${was} (the file says ${is})`];
  });
