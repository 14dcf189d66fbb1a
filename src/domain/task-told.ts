import { actorRef } from "./reference.ts";
import { addUsage, type FailureArtifact, isNotable, type Usage } from "./task.ts";
import type { TaskContext } from "./task-life.ts";

/** What all its runs used. */
export const totalOf = ({ used, using }: TaskContext): Usage => addUsage(used, using);

/** A message to the outbox that delivers. The trace of the task goes on with it. */
const entryFor = ({ spec }: TaskContext, outbox: string, { key, type, payload }: { readonly key: string; readonly type: string; readonly payload: object }) => {
  const traced = spec.traceparent === undefined ? payload : { ...payload, traceparent: spec.traceparent };
  return { to: actorRef(`outbox/${outbox}`), event: { type: "ENQUEUE", entries: [{ key: `task/${spec.id}/${key}`, type, payload: traced, lane: spec.id }] } };
};

/** Who is told of a result, if anybody. */
export const resultToldOf = (context: TaskContext) => {
  const { spec, result, receipt, criteriaMet } = context;
  const { notification, id, kind, key, attributes } = spec;
  if (notification === undefined || !isNotable(notification, criteriaMet)) return undefined;
  const payload = { task: id, kind, key, attributes, state: "done", result, receipt, criteriaMet, usage: totalOf(context) };
  return entryFor(context, notification.outbox, { key: "result", type: "task.result", payload });
};

/** Who is told of a question, if anybody. */
export const questionToldOf = (context: TaskContext) => {
  const { notification, id, kind, key, attributes, answerTimeoutMs } = context.spec;
  if (notification === undefined || context.question === null) return undefined;
  const payload = { task: id, kind, key, attributes, question: context.question, answerTimeoutMs };
  return entryFor(context, notification.outbox, { key: `question/${context.question.id}`, type: "task.question", payload });
};

const artifactOf = (context: TaskContext, state: FailureArtifact["state"]) => ({
  task: context.spec.id,
  kind: context.spec.kind,
  key: context.spec.key,
  attributes: context.spec.attributes,
  state,
  failure: context.failure,
  attempts: context.assignments,
  usage: totalOf(context),
  session: context.session,
  result: context.result,
});

/** Who is told of a bad end: a file, and an outbox. */
export const failureToldOf = (context: TaskContext, state: FailureArtifact["state"]) => {
  const { notification, filesArtifact } = context.spec;
  const artifact = artifactOf(context, state);
  return {
    file: filesArtifact === true ? { artifact } : undefined,
    message: notification === undefined || notification.policy === "never" ? undefined : entryFor(context, notification.outbox, { key: "result", type: "task.failure", payload: artifact }),
  };
};
