import * as Either from "effect/Either";
import * as path from "node:path";
import { defaultLimits } from "../domain/limits.ts";
import type { FileSpec } from "./command-task.ts";
import { durationMs } from "./duration.ts";
import { type GraphNode, graphProblems, type Problem } from "./task-graph.ts";
import { parseTaskLine, type TaskLine } from "./task-line.ts";

export interface TaskFile {
  /** In the order of the file. Only to be used if there are no problems. */
  readonly tasks: ReadonlyArray<FileSpec>;
  /** The line on which each task stands, counted from 1. */
  readonly lineOf: ReadonlyMap<string, number>;
  /** Everything that is wrong, in the order of the lines. */
  readonly problems: ReadonlyArray<Problem>;
}

/**
 * Reads a task file: one JSON object per line, empty lines are skipped. `folder` is where relative `cwd`s begin, and
 * where commands run that have none: the folder of the file, so that a repeated run means the same wherever it is
 * started from.
 */
export const parseTaskFile = (text: string, folder: string): TaskFile => {
  const problems: Array<Problem> = [];
  const tasks: Array<FileSpec> = [];
  const nodes: Array<GraphNode> = [];
  const lineOf = new Map<string, number>();
  const withoutMark = text.replace(/^\uFEFF/, "");
  for (const [index, raw] of withoutMark.split(/\r?\n/).entries()) {
    const line = index + 1;
    if (raw.trim() === "") continue;
    const parsed = Buffer.byteLength(raw) > defaultLimits.payloadBytesMax ? Either.left([`has more than ${defaultLimits.payloadBytesMax} bytes; put the data into a file`]) : parseTaskLine(raw);
    if (Either.isLeft(parsed)) {
      problems.push(...parsed.left.map((message) => ({ line, message })));
      // Other lines may need it: it takes part in the graph, as far as it can be read.
      const { id, needs } = readable(raw);
      if (id !== undefined) nodes.push({ line, id, needs });
      continue;
    }
    tasks.push(specOf(parsed.right, folder));
    nodes.push({ line, id: parsed.right.id, needs: parsed.right.needs ?? [] });
    if (!lineOf.has(parsed.right.id)) lineOf.set(parsed.right.id, line);
  }
  problems.push(...graphProblems(nodes), ...keyProblems(tasks, lineOf));
  if (nodes.length === 0 && problems.length === 0) problems.push({ line: 1, message: 'there is no task; write lines like {"id": "a", "command": ["ls"]}' });
  return { tasks, lineOf, problems: problems.sort((a, b) => a.line - b.line) };
};

const specOf = (line: TaskLine, folder: string): FileSpec => {
  const { id, command = [""], cwd, env, kind, input, key, retries, needs, whenNeedFails, priority, queue, concurrencyKey, runAt, deadline, tags, budget, slots, folder: hasFolder, attributes } = line;
  const verification = typeof line.verification === "string" ? { when: line.verification } : line.verification;
  const [executionTimeoutMs, queueTimeoutMs, heartbeatTimeoutMs, answerTimeoutMs, wallMs, graceMs] = [
    ...[line.timeout, line.queueTimeout, line.heartbeatTimeout, line.answerTimeout],
    ...[budget?.wall, verification?.grace],
  ].map((time) => (time === undefined ? undefined : durationMs(time)));
  const { wall: _, ...amounts } = budget ?? {};
  const optional = {
    key,
    retry: retries === undefined ? undefined : { attemptsMax: 1 + retries },
    executionTimeoutMs,
    queueTimeoutMs,
    heartbeatTimeoutMs,
    answerTimeoutMs,
    needs: needs === undefined ? undefined : [...new Set(needs)],
    whenNeedFails,
    priority,
    queue,
    concurrencyKey,
    runAt: runAt === undefined ? undefined : Date.parse(runAt),
    deadline: deadline === undefined ? undefined : Date.parse(deadline),
    verification: verification === undefined ? undefined : { when: verification.when, ...(graceMs === undefined ? {} : { graceMs }) },
    slots,
    folder: hasFolder,
    attributes,
    tags,
    budget: budget === undefined ? undefined : { ...amounts, ...(wallMs === undefined ? {} : { wallMs }) },
  };
  const work =
    kind === undefined
      ? { kind: "command", input: { command: typeof command === "string" ? { shell: command } : { argv: command }, cwd: path.resolve(folder, cwd ?? "."), env: env ?? {} } }
      : { kind, ...(input === undefined ? {} : { input }) };
  return { id, ...work, ...(Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)) as Omit<FileSpec, "id">) };
};

/** The same work twice would be one task; and who needs a task by its id must find it under this id. */
const keyProblems = (tasks: ReadonlyArray<FileSpec>, lineOf: ReadonlyMap<string, number>): ReadonlyArray<Problem> => {
  const keyed = new Map<string, string>();
  const problems: Array<Problem> = [];
  for (const { id, key } of tasks) {
    const first = key === undefined ? undefined : keyed.get(key);
    if (first !== undefined) problems.push({ line: lineOf.get(id) ?? 0, message: `the key "${key}" is already used on line ${lineOf.get(first)}` });
    else if (key !== undefined) keyed.set(key, id);
  }
  const withKey = new Set(tasks.flatMap(({ id, key }) => (key === undefined ? [] : [id])));
  for (const { id, needs = [] } of tasks)
    for (const need of needs) if (withKey.has(need)) problems.push({ line: lineOf.get(id) ?? 0, message: `needs "${need}", which has a key: it may run under another id; leave its key out` });
  return problems;
};

const readable = (raw: string): { readonly id: string | undefined; readonly needs: ReadonlyArray<string> } => {
  try {
    const { id, needs } = JSON.parse(raw) as { readonly id?: unknown; readonly needs?: unknown };
    return { id: typeof id === "string" ? id : undefined, needs: Array.isArray(needs) ? needs.filter((need) => typeof need === "string") : [] };
  } catch {
    return { id: /"id"\s*:\s*"([^"\\]+)"/.exec(raw)?.[1], needs: [] };
  }
};
