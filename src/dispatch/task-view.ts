import type { TaskContext } from "../../machines/task.ts";
import type { ActorView } from "../engine/index.ts";
import type { CommandResult, TaskState, TaskView } from "./dispatcher.ts";
import type { Work } from "./worker-protocol.ts";

export const taskAddress = (id: string): string => `task/${id}`;
export const taskIdOf = (address: string): string => address.slice("task/".length);

/** Whether this can be shown as a task: what a damaged row holds can't. */
export const isTaskContext = (context: unknown): context is TaskContext => {
  const { work, retry, needs, dependents } = (context ?? {}) as { readonly [Key in keyof TaskContext]?: unknown };
  return isRecord(work) && isRecord(work.command) && isRecord(retry) && Array.isArray(needs) && Array.isArray(dependents);
};
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

/** A task as its actor shows it. */
export const taskView = (address: string, snapshot: { readonly value: unknown; readonly context: unknown }, timers: ActorView["timers"], at: number, createdAt: number): TaskView => {
  const context = snapshot.context as TaskContext;
  const work = context.work as Work;
  const value = snapshot.value;
  const state = (typeof value === "string" ? value : String((value as { active?: string }).active)) as TaskState;
  const until = Object.values(timers ?? {}).reduce<number | undefined>((least, timer) => (least === undefined || timer.due < least ? timer.due : least), undefined);
  return {
    id: taskIdOf(address),
    spec: {
      id: context.id,
      command: work.command,
      cwd: work.cwd,
      env: work.env,
      retries: context.retry.attemptsMax - 1,
      timeoutMs: context.executionTimeoutMs,
      needs: context.needs,
      priority: context.priority,
    },
    state,
    attempts: context.assignments,
    worker: context.worker ?? undefined,
    failure: context.failure ?? undefined,
    result: (context.result as CommandResult | null) ?? undefined,
    until,
    createdAt,
    at,
  };
};
