import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint";
import * as HttpApiGroup from "@effect/platform/HttpApiGroup";
import * as HttpApiSchema from "@effect/platform/HttpApiSchema";
import * as OpenApi from "@effect/platform/OpenApi";
import * as Schema from "effect/Schema";
import { taskStates } from "../../domain/task.ts";
import { body, Cursor, IfNoneMatch, Limit, pageOf, query, Sort } from "./shapes.ts";

const tells = (summary: string, description?: string) => OpenApi.annotations({ summary, ...(description === undefined ? {} : { description }) });
const Fields = Schema.Record({ key: Schema.String, value: Schema.Unknown });
const State = Schema.Literal(...(taskStates as unknown as ["queued"]));

/** The dispatcher checks all of it, and says what is wrong with it. */
const TaskSpecShape = Schema.Struct({ id: Schema.optional(Schema.String), kind: Schema.optional(Schema.String), input: Schema.optional(Schema.Unknown) }, Fields).annotations({
  identifier: "TaskSpec",
  examples: [{ id: "mail-7", kind: "mail", input: { to: "ada@example.org" } }],
  description:
    "A task as it is submitted: `id`, `kind`, `input`, `queue`, `priority`, `key`, `needs`, `runAt`, `deadline`, `executionTimeoutMs`, `retry`, `budget`, `verification`, `notification`, `tags`, `attributes` and more.",
});
const SubmittedShape = Schema.Struct({ id: Schema.String, duplicate: Schema.Boolean }).annotations({
  identifier: "Submitted",
  description: "The id of the task; `duplicate`: it was there, or the same work is active.",
});
export const TaskShape = Schema.Struct({ id: Schema.String, state: State, attempts: Schema.Number, createdAt: Schema.Number, at: Schema.Number }, Fields).annotations({
  identifier: "Task",
  description: "A task as it stands: `spec`, `state`, `attempts`, `failures`, `worker`, `usage`, `progress`, `question`, `receipt`, `failure`, `result`, `until`.",
});
const ReportShape = Schema.Struct({
  done: Schema.Array(Schema.String),
  refused: Schema.Array(Schema.Struct({ id: Schema.String, state: State, detail: Schema.String })),
}).annotations({ identifier: "OrderReport", description: "What became of an order: each task that was meant is in one of the lists." });

const Filter = {
  state: Schema.optional(State),
  kind: Schema.optional(Schema.String),
  queue: Schema.optional(Schema.String),
  key: Schema.optional(Schema.String),
  tag: Schema.optional(Schema.String),
};
const Which = Schema.Union(Schema.Array(Schema.String).pipe(Schema.minItems(1), Schema.maxItems(1_000)), body(Filter));
const Orders = Schema.Literal("cancel", "pause", "resume", "retry", "expire", "verify", "reject", "answer", "reprioritise");
const Why = Schema.optional(Schema.String.pipe(Schema.maxLength(1_000)));
const TaskKey = Schema.Struct({
  "idempotency-key": Schema.optional(Schema.String.pipe(Schema.minLength(1), Schema.maxLength(200))).annotations({
    description: "Names the tasks that have no `id`: the same key of the same token means the same tasks. With another body than the first it is refused: 422, `key_reused`.",
  }),
});
const Id = Schema.Struct({ id: Schema.String });
const Name = Schema.Struct({ name: Schema.String });
const Ordered = Schema.Struct({ ordered: Schema.Literal(true) });
const QueueShape = Schema.Struct({ name: Schema.String, state: Schema.Literal("open", "paused", "draining"), policy: Fields, waiting: Schema.Number, running: Schema.Number }).annotations({
  identifier: "Queue",
  description: "How a queue stands.",
});
const WorkerShape = Schema.Struct({
  id: Schema.String,
  address: Schema.String,
  state: Schema.String,
  owner: Schema.String,
  kinds: Schema.Array(Schema.String),
  slots: Schema.Number,
  used: Schema.Number,
  incarnation: Schema.Number,
  tasks: Schema.Array(Schema.String),
  isDraining: Schema.Boolean,
  at: Schema.Number,
  until: Schema.optional(Schema.Number),
}).annotations({
  identifier: "Worker",
  description: "How a worker stands, the tasks that take its slots, when it was heard of last (`at`), and when something comes of it if it says nothing (`until`).",
});

/** Tasks, their queues and their workers. */
export const tasks = HttpApiGroup.make("tasks")
  .add(
    HttpApiEndpoint.post("submitTask", "/v1/tasks")
      .setHeaders(TaskKey)
      .setPayload(TaskSpecShape)
      .addSuccess(SubmittedShape, { status: 201 })
      .addSuccess(SubmittedShape)
      .annotateContext(tells("Submit a task", "201: it was stored. 200: it was there, or the same work is active.")),
  )
  .add(
    HttpApiEndpoint.post("submitTasks", "/v1/tasks/bulk")
      .setHeaders(TaskKey)
      .setPayload(body({ tasks: Schema.Array(TaskSpecShape).pipe(Schema.minItems(1), Schema.maxItems(1_000)) }))
      .addSuccess(Schema.Struct({ submitted: Schema.Array(SubmittedShape) }))
      .annotateContext(tells("Submit many tasks", "All of them are checked before any is stored. Answers in their order.")),
  )
  .add(
    HttpApiEndpoint.get("listTasks", "/v1/tasks")
      .setUrlParams(query({ ...Filter, sort: Sort, limit: Limit, cursor: Cursor }))
      .addSuccess(pageOf(TaskShape))
      .annotateContext(tells("List tasks", "With an ETag: a request with If-None-Match is answered with 304 while the engine stored nothing.")),
  )
  .add(
    HttpApiEndpoint.get("readTask", "/v1/tasks/:id")
      .setPath(Id)
      .setHeaders(IfNoneMatch)
      .addSuccess(TaskShape)
      .addSuccess(HttpApiSchema.Empty(304))
      .annotateContext(
        tells("Read a task", "With an ETag: a request with If-None-Match is answered with 304 while the task is the same. Its history, moves and streams are those of the actor `task/ID`."),
      ),
  )
  .add(
    HttpApiEndpoint.post("orderTasks", "/v1/tasks/orders")
      .setPayload(
        body({
          order: Orders,
          which: Which,
          why: Why,
          answer: Schema.optional(Schema.Unknown),
          question: Schema.optional(Schema.String),
          priority: Schema.optional(Schema.Number),
          retry: Schema.optional(Schema.Boolean),
        }),
      )
      .addSuccess(ReportShape)
      .annotateContext(
        tells(
          "Give an order for tasks",
          "`which`: ids, or a filter. `answer` needs one id and `answer` (and may name the `question`); `reprioritise` needs `priority`; `reject` may `retry`. The history says who gave it, and why.",
        ),
      ),
  )
  .add(
    HttpApiEndpoint.get("listQueues", "/v1/queues")
      .addSuccess(pageOf(QueueShape))
      .annotateContext(tells("List queues", "With an ETag: a request with If-None-Match is answered with 304 while the list is the same.")),
  )
  .add(
    HttpApiEndpoint.post("configureQueue", "/v1/queues/:name/policy")
      .setPath(Name)
      .setPayload(Fields.annotations({ examples: [{ slotsMax: 4 }] }))
      .addSuccess(Ordered)
      .annotateContext(tells("Set the policy of a queue", "Makes the queue if it is not there.")),
  )
  .add(
    HttpApiEndpoint.post("orderQueue", "/v1/queues/:name/orders")
      .setPath(Name)
      .setPayload(body({ order: Schema.Literal("pause", "resume", "drain"), why: Why }))
      .addSuccess(Ordered)
      .annotateContext(tells("Pause, resume or drain a queue", "`drain`: no task is taken any more, what is there is given out.")),
  )
  .add(
    HttpApiEndpoint.get("listWorkers", "/v1/workers")
      .addSuccess(pageOf(WorkerShape))
      .annotateContext(tells("List workers", "With an ETag: a request with If-None-Match is answered with 304 while the list is the same.")),
  )
  .add(
    HttpApiEndpoint.post("orderWorker", "/v1/workers/:id/orders")
      .setPath(Id)
      .setPayload(body({ order: Schema.Literal("drain", "retire") }))
      .addSuccess(Ordered)
      .annotateContext(tells("Drain or retire a worker", "`drain`: it gets nothing new. `retire`: what it has goes back.")),
  );
