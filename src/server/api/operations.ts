import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint";
import * as HttpApiGroup from "@effect/platform/HttpApiGroup";
import * as HttpApiSchema from "@effect/platform/HttpApiSchema";
import * as OpenApi from "@effect/platform/OpenApi";
import * as Schema from "effect/Schema";
import { body, Cursor, LetterShape, Limit, MachineShape, OutboxEntryShape, OutboxShape, pageOf, ParkedShape, query, StatusShape, Taken, Whole } from "./shapes.ts";

const tells = (summary: string, description?: string) => OpenApi.annotations({ summary, ...(description === undefined ? {} : { description }) });

const Choice = {
  address: Schema.optional(Schema.String),
  prefix: Schema.optional(Schema.String),
  machine: Schema.optional(Schema.String),
  type: Schema.optional(Schema.String),
  kind: Schema.optional(Schema.Literal("event", "action")),
};
const Ids = Schema.Array(Schema.Int.pipe(Schema.nonNegative())).pipe(Schema.minItems(1), Schema.maxItems(1_000));
const Why = Schema.optional(Schema.String.annotations({ description: "The reason. With it and the name of the token the history of dead-letters/taken says who took what." }));
// Not `{}`: that is all of them.
const LetterFilter = body({ ...Choice, since: Schema.optional(Schema.Number), before: Schema.optional(Schema.Number) }).annotations({ examples: [{ machine: "order" }] });
const LetterChoice = Schema.Union(body({ ids: Ids, why: Why }), body({ filter: LetterFilter, why: Why }));
const Since = Schema.optional(Whole).annotations({ description: "Milliseconds since 1970." });
const LetterId = Schema.Struct({ id: Whole.annotations({ description: "Its number." }) });

/** What could not be handled. */
export const deadLetters = HttpApiGroup.make("deadLetters")
  .add(
    HttpApiEndpoint.get("listDeadLetters", "/v1/dead-letters")
      .setUrlParams(query({ ...Choice, since: Since, before: Since, limit: Limit, cursor: Cursor }))
      .addSuccess(pageOf(LetterShape))
      .annotateContext(tells("List dead letters", "Oldest first.")),
  )
  .add(HttpApiEndpoint.get("readDeadLetter", "/v1/dead-letters/:id").setPath(LetterId).addSuccess(LetterShape).annotateContext(tells("Read a dead letter")))
  .add(
    HttpApiEndpoint.post("requeueDeadLetters", "/v1/dead-letters/requeue")
      .setPayload(LetterChoice)
      .addSuccess(Taken)
      .annotateContext(tells("Requeue dead letters", "By ids: all of them or, if one is unknown, none. By a filter: everything that it finds, at most 1,000 at a time.")),
  )
  .add(HttpApiEndpoint.post("dropDeadLetters", "/v1/dead-letters/drop").setPayload(LetterChoice).addSuccess(Taken).annotateContext(tells("Drop dead letters", "For good.")));

const Name = Schema.Struct({ name: Schema.String });
const Order = Schema.Literal("force", "pause", "resume", "close").annotations({ description: "force: back-offs are over. pause, resume. close: it takes nothing any more." });

/** What is to be delivered to other systems. */
export const outboxes = HttpApiGroup.make("outboxes")
  .add(
    HttpApiEndpoint.get("listOutboxes", "/v1/outboxes")
      .addSuccess(pageOf(OutboxShape))
      .annotateContext(tells("List outboxes", "With an ETag: a request with If-None-Match is answered with 304 while the list is the same.")),
  )
  .add(
    HttpApiEndpoint.get("listOutboxEntries", "/v1/outboxes/:name/entries")
      .setPath(Name)
      .setUrlParams(query({ status: Schema.optional(Schema.Literal("pending", "poisoned", "unknown")), limit: Limit, cursor: Cursor }))
      .addSuccess(pageOf(OutboxEntryShape))
      .annotateContext(tells("List the entries of an outbox")),
  )
  .add(
    HttpApiEndpoint.post("orderOutbox", "/v1/outboxes/:name/orders")
      .setPath(Name)
      .setPayload(body({ order: Order }))
      .addSuccess(Taken)
      .annotateContext(tells("Force, pause, resume or close an outbox")),
  )
  .add(
    HttpApiEndpoint.post("requeueOutboxEntries", "/v1/outboxes/:name/requeue")
      .setPath(Name)
      .setPayload(body({ seqs: Ids }))
      .addSuccess(Taken)
      .annotateContext(tells("Try poisoned or unknown entries again")),
  )
  .add(
    HttpApiEndpoint.post("dropOutboxEntries", "/v1/outboxes/:name/drop")
      .setPath(Name)
      .setPayload(body({ seqs: Ids }))
      .addSuccess(Taken)
      .annotateContext(tells("Drop entries of an outbox")),
  );

const Id = Schema.Struct({ id: Schema.String });
const Mermaid = Schema.String.pipe(HttpApiSchema.withEncoding({ kind: "Text", contentType: "text/vnd.mermaid" }));

/** What may run here. */
export const machines = HttpApiGroup.make("machines")
  .add(HttpApiEndpoint.get("listMachines", "/v1/machines").addSuccess(pageOf(MachineShape)).annotateContext(tells("List machines")))
  .add(HttpApiEndpoint.get("readMachine", "/v1/machines/:id").setPath(Id).addSuccess(MachineShape).annotateContext(tells("Read a machine and its versions")))
  .add(HttpApiEndpoint.get("readGraph", "/v1/machines/:id/graph").setPath(Id).addSuccess(Schema.Unknown).annotateContext(tells("Read the graph of a machine")))
  .add(HttpApiEndpoint.get("drawMachine", "/v1/machines/:id/mermaid").setPath(Id).addSuccess(Mermaid).annotateContext(tells("Draw a machine", "As a Mermaid state diagram.")))
  .add(
    HttpApiEndpoint.get("listParked", "/v1/parked")
      .setUrlParams(query({ limit: Limit, cursor: Cursor }))
      .addSuccess(pageOf(ParkedShape))
      .annotateContext(tells("List parked actors")),
  );

/** How the server is. */
export const system = HttpApiGroup.make("system")
  .add(
    HttpApiEndpoint.get("live", "/health/live")
      .addSuccess(Schema.Struct({ live: Schema.Literal(true) }))
      .annotateContext(tells("Whether the process works", "Needs no token.")),
  )
  .add(
    HttpApiEndpoint.get("ready", "/health/ready")
      .addSuccess(Schema.Struct({ ready: Schema.Literal(true) }))
      .addSuccess(Schema.Struct({ ready: Schema.Literal(false), state: Schema.String }), { status: 503 })
      .annotateContext(tells("Whether it takes work", "503 while the store refuses, the engine recovers, or the server closes. Needs no token.")),
  )
  .add(
    HttpApiEndpoint.get("version", "/version")
      .addSuccess(Schema.Struct({ name: Schema.String, version: Schema.String, build: Schema.String, node: Schema.String }))
      .annotateContext(tells("Versions of what runs")),
  )
  .add(
    HttpApiEndpoint.get("whoami", "/v1/caller")
      .addSuccess(Schema.Struct({ name: Schema.String, roles: Schema.Array(Schema.String) }))
      .annotateContext(tells("Who the token belongs to")),
  )
  .add(HttpApiEndpoint.get("status", "/v1/status").addSuccess(StatusShape).annotateContext(tells("How the engine is")))
  .add(
    HttpApiEndpoint.get("metrics", "/metrics")
      .addSuccess(Schema.String.pipe(HttpApiSchema.withEncoding({ kind: "Text", contentType: "text/plain; version=0.0.4" })))
      .annotateContext(tells("Metrics", "In the text format of Prometheus.")),
  );
