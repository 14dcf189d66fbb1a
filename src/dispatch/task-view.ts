import type { TaskContext } from "../../machines/task.ts";
import { type Failure, failureOf } from "../domain/json.ts";
import { addUsage, type FailureArtifact } from "../domain/task.ts";
import type { ActorView } from "../engine/index.ts";
import type { TaskState, TaskView } from "./task-spec.ts";

export const taskAddress = (id: string): string => `task/${id}`;
export const taskIdOf = (address: string): string => address.slice("task/".length);

/** Whether this can be shown as a task: what a damaged row holds can't. */
export const isTaskContext = (context: unknown): context is TaskContext => {
  const { spec, needs, dependents, used, using } = (context ?? {}) as { readonly [Key in keyof TaskContext]?: unknown };
  if (!isRecord(spec) || !isRecord(used) || !isRecord(using) || !Array.isArray(needs) || !Array.isArray(dependents)) return false;
  return typeof spec.kind === "string" && typeof spec.queue === "string" && isRecord(spec.retry) && Array.isArray(spec.tags) && isRecord(spec.attributes);
};
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

/** The state of a task by the value of its machine: while a worker has it, the state within. What its supervisor gave up is dead, wherever it was. */
export const taskStateOf = ({ value, status }: { readonly value: unknown; readonly status: string }): TaskState => {
  if (isGivenUp(status)) return "dead";
  if (typeof value === "string") return value as TaskState;
  const { active } = value as { readonly active?: string };
  return (active ?? Object.keys(value as object)[0]) as TaskState;
};

/** Whether its supervisor gave it up: it told nobody of its end. */
export const isGivenUp = (status: string): boolean => status === "error" || status === "stopped";
const givenUp: Failure = { name: "TaskFailed", code: "given_up", message: "it was stopped from outside, and not by an order" };

const artifactStates: ReadonlySet<TaskState> = new Set(["failed", "dead", "expired"]);

/** The next of an actor's deadlines. */
export const nextOf = (timers: ActorView["timers"]): number | undefined =>
  Object.values(timers ?? {}).reduce<number | undefined>((least, timer) => (least === undefined || timer.due < least ? timer.due : least), undefined);

/** A task as its actor shows it. */
export const taskView = (
  address: string,
  snapshot: { readonly value: unknown; readonly status: string; readonly context: unknown; readonly error?: unknown },
  timers: ActorView["timers"],
  at: number,
  createdAt: number,
): TaskView => {
  const context = snapshot.context as TaskContext;
  const state = taskStateOf(snapshot);
  const until = nextOf(timers);
  const usage = addUsage(context.used, context.using);
  const session = context.session ?? undefined;
  // What broke the task itself says more than what its last attempt came to.
  const failure = isGivenUp(snapshot.status) ? (snapshot.error === undefined ? givenUp : failureOf(snapshot.error)) : (context.failure ?? undefined);
  const artifact: FailureArtifact | undefined =
    artifactStates.has(state) && failure !== undefined
      ? { task: context.spec.id, state: state as FailureArtifact["state"], failure, attempts: context.assignments, usage, session, result: context.result }
      : undefined;
  return {
    id: taskIdOf(address),
    spec: context.spec,
    state,
    priority: context.priority,
    needs: context.needs,
    attempts: context.assignments,
    failures: context.failures,
    worker: context.worker ?? undefined,
    usage,
    progress: context.progress ?? undefined,
    session,
    question: state === "parked" ? (context.question ?? undefined) : undefined,
    receipt: context.receipt ?? undefined,
    verdict: context.verdict ?? undefined,
    failure,
    artifact,
    result: context.result ?? undefined,
    until,
    createdAt,
    at,
  };
};
