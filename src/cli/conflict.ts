import type { TaskView } from "../dispatch/index.ts";
import { commandOf, type FileSpec, commandText } from "./command-task.ts";
import type { Problem } from "./task-graph.ts";

/** What a task file says differently from what the journal holds under the same ids. */
export interface Conflicts {
  /** The same id for other work: refused before anything runs, because one of the two would silently not be done. */
  readonly problems: ReadonlyArray<Problem>;
  /** The same work with other options: the stored ones hold, because the task is already under way or over. */
  readonly notes: ReadonlyArray<Problem>;
}

export const conflictsOf = (tasks: ReadonlyArray<FileSpec>, lineOf: ReadonlyMap<string, number>, stored: ReadonlyMap<string, TaskView>): Conflicts => {
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
  readonly key?: string;
  readonly budget?: object;
}
const workOf = (spec: Given) => {
  const { key = "" } = spec;
  const given = commandOf({ spec });
  // Not the input: what is stored is what the schema of the kind made of it.
  if (given === undefined) return { command: `(${spec.kind})`, key };
  const { command, cwd, env } = given;
  return { command: commandText(command), cwd: cwd ?? "", env: sorted(env ?? {}), key };
};

const optionsOf = ({ kind, retry, executionTimeoutMs, priority, budget }: Given) => {
  const said =
    kind === undefined || kind === "command"
      ? { retries: (retry?.attemptsMax ?? 1) - 1, priority: priority ?? 0, budget }
      : { retries: retry?.attemptsMax === undefined ? undefined : retry.attemptsMax - 1, priority };
  return { ...said, timeoutMs: executionTimeoutMs };
};

const sorted = (record: Readonly<Record<string, string>>) => Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));

const differences = (stored: Readonly<Record<string, unknown>>, given: Readonly<Record<string, unknown>>): ReadonlyArray<string> =>
  Object.keys(stored).flatMap((key) => {
    if (given[key] === undefined) return [];
    const [was, is] = [stored[key], given[key]].map((value) => (typeof value === "string" ? value : JSON.stringify(value)));
    return was === is ? [] : [`the ${key} ${was} (the file says ${is})`];
  });
