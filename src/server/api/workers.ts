import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint";
import * as HttpApiGroup from "@effect/platform/HttpApiGroup";
import * as OpenApi from "@effect/platform/OpenApi";
import * as Schema from "effect/Schema";
import { runOutcomes } from "../../domain/task.ts";
import { body } from "./shapes.ts";

const tells = (summary: string, description?: string) => OpenApi.annotations({ summary, ...(description === undefined ? {} : { description }) });

const Whole = Schema.Int.pipe(Schema.nonNegative());
const Word = Schema.String.pipe(Schema.minLength(1), Schema.maxLength(200));
const About = { n: Whole, assignment: Schema.String.pipe(Schema.maxLength(2_000)), attempt: Whole, incarnation: Whole };
const Usage = Schema.partial(Schema.Struct({ turns: Schema.Number, costUsd: Schema.Number, tokens: Schema.Number, wallMs: Schema.Number }));
const said = <const Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) => body({ type: Schema.Literal(type), ...About, ...fields });

export const RegistrationShape = body({
  type: Schema.optional(Schema.Literal("register")),
  id: Word,
  owner: Word,
  kinds: Schema.Array(Word).pipe(Schema.minItems(1), Schema.maxItems(100)),
  slots: Schema.Int.pipe(Schema.between(1, 1_000)),
  graceMs: Schema.optional(Schema.Int.pipe(Schema.between(1, 24 * 60 * 60 * 1000))),
  incarnation: Schema.optional(Whole),
  running: Schema.optional(Schema.Array(Schema.String.pipe(Schema.maxLength(2_100))).pipe(Schema.maxItems(1_000))),
  received: Schema.optional(Whole),
}).annotations({
  identifier: "Registration",
  description: "Who a worker is. `owner` names one process of it; `incarnation` and `running` say what it still works on when it comes back.",
  examples: [{ id: "press", owner: "one name per process", kinds: ["mail"], slots: 2 }],
});

export const AttemptMessageShape = Schema.Union(
  said("accepted", {}),
  said("declined", { reason: Schema.optional(Schema.String) }),
  said("alive", {}),
  said("progress", { progress: Schema.Unknown }),
  said("usage", { usage: Usage }),
  said("session", { session: Schema.String }),
  said("question", { question: body({ id: Schema.optional(Schema.String), text: Schema.String, data: Schema.optional(Schema.Unknown) }) }),
  said("ended", {
    outcome: Schema.Literal(...(runOutcomes as ["ok"])),
    result: Schema.optional(Schema.Unknown),
    failure: Schema.optional(Schema.Struct({ name: Schema.String, message: Schema.String, code: Schema.optional(Schema.String) })),
    receipt: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown })),
    usage: Schema.optional(Usage),
    criteriaMet: Schema.optional(Schema.Array(Schema.String)),
  }),
).annotations({ identifier: "AttemptMessage", description: "What a worker says of one attempt." });

const Fields = Schema.Record({ key: Schema.String, value: Schema.Unknown });
const ToldShape = Schema.Struct({ type: Schema.Literal("offer", "revoke", "over", "refused"), n: Schema.optional(Schema.Number) }, Fields).annotations({
  identifier: "WorkerOrder",
  description: "What a worker is told. The reference of the protocol has the fields.",
});
const Speaker = { worker: Schema.String, owner: Schema.String, incarnation: Whole };

/** Workers in other processes, over long polls. The same messages go over a WebSocket at `/v1/worker`. */
export const workerProtocol = HttpApiGroup.make("workerProtocol")
  .add(
    HttpApiEndpoint.post("registerWorker", "/v1/worker/register")
      .setPayload(RegistrationShape)
      .addSuccess(Schema.Struct({ type: Schema.Literal("registered"), worker: Schema.String, incarnation: Schema.Number, dropped: Schema.Array(Schema.String), heartbeatMs: Schema.Number }))
      .annotateContext(tells("Register a worker", "For the first time, or again after an absence.")),
  )
  .add(
    HttpApiEndpoint.post("pollWorker", "/v1/worker/poll")
      .setPayload(body({ ...Speaker, received: Schema.optional(Whole), waitMs: Schema.optional(Whole) }))
      .addSuccess(Schema.Struct({ messages: Schema.Array(ToldShape) }))
      .annotateContext(
        tells("Wait for something to do", "Answers at once if there is something that was not `received`, else when there is, or with nothing after `waitMs`. Counts as a sign of life."),
      ),
  )
  .add(
    HttpApiEndpoint.post("reportWork", "/v1/worker/reports")
      .setPayload(body({ ...Speaker, messages: Schema.Array(AttemptMessageShape).pipe(Schema.minItems(1), Schema.maxItems(100)) }))
      .addSuccess(Schema.Struct({ acks: Schema.Array(Schema.Struct({ type: Schema.Literal("ack"), n: Schema.Number, outcome: Schema.String })) }))
      .annotateContext(tells("Report on work", "In the order of the list. A message with a number that was taken before is acknowledged again.")),
  )
  .add(
    HttpApiEndpoint.post("leaveWorker", "/v1/worker/leave")
      .setPayload(body(Speaker))
      .addSuccess(Schema.Struct({ left: Schema.Literal(true) }))
      .annotateContext(tells("Leave for good", "What the worker has goes back.")),
  );
