import * as Schema from "effect/Schema";

/** Tasks that can't be: a wrong field, an undeclared kind, a circle of needs. Nothing was stored, of none of them. */
export class InvalidTask extends Schema.TaggedError<InvalidTask>()("InvalidTask", {
  problems: Schema.Array(Schema.Struct({ index: Schema.Number, id: Schema.optional(Schema.String), detail: Schema.String })),
}) {
  readonly code = "invalid_task";
  readonly status = 400;
  readonly retryable = false;
  override get message() {
    return `${this.problems.length === 1 ? "a task is" : `${this.problems.length} tasks are`} refused, nothing was stored: ${this.problems
      .slice(0, 5)
      .map(({ index, id, detail }) => `${id === undefined ? `the task at ${index}` : JSON.stringify(id)}: ${detail}`)
      .join("; ")}`;
  }
}

/** Nobody ever submitted it, or it was removed by retention. */
export class UnknownTask extends Schema.TaggedError<UnknownTask>()("UnknownTask", { ids: Schema.Array(Schema.String) }) {
  readonly code = "unknown_task";
  readonly status = 404;
  readonly retryable = false;
  override get message() {
    return `there is no task ${this.ids.map((id) => JSON.stringify(id)).join(", ")}; list those that there are`;
  }
}

/** The queue takes no task. Nothing was stored. */
export class QueueDraining extends Schema.TaggedError<QueueDraining>()("QueueDraining", { queue: Schema.String }) {
  readonly code = "queue_draining";
  readonly status = 409;
  readonly retryable = true;
  override get message() {
    return `the queue "${this.queue}" is draining and takes no task; resume it, or submit to another one`;
  }
}

/** Another process speaks for this worker, and is there. */
export class WorkerOwned extends Schema.TaggedError<WorkerOwned>()("WorkerOwned", { worker: Schema.String, owner: Schema.String }) {
  readonly code = "worker_owned";
  readonly status = 409;
  readonly retryable = true;
  override get message() {
    return `the worker "${this.worker}" belongs to "${this.owner}", which is connected; use another id, or wait until it is gone`;
  }
}
