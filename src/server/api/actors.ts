import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint";
import * as HttpApiGroup from "@effect/platform/HttpApiGroup";
import * as HttpApiSchema from "@effect/platform/HttpApiSchema";
import * as OpenApi from "@effect/platform/OpenApi";
import * as Schema from "effect/Schema";
import { ActorShape, body, ChangeShape, Cursor, EntryShape, EventShape, IdempotencyKey, IfNoneMatch, Limit, pageOf, query, ReceiptShape, Sequence, Sort, Whole } from "./shapes.ts";

const tells = (summary: string, description?: string) => OpenApi.annotations({ summary, ...(description === undefined ? {} : { description }) });
const Address = Schema.Struct({ address: Schema.String.annotations({ description: 'The address, with its slashes encoded: "order%2F42".' }) });

const NewActor = body({ machine: Schema.String, id: Schema.String, input: Schema.optional(Schema.Unknown) });
export const Ndjson = Schema.String.pipe(HttpApiSchema.withEncoding({ kind: "Text", contentType: "application/x-ndjson" }));
export const EventStream = Schema.String.pipe(HttpApiSchema.withEncoding({ kind: "Text", contentType: "text/event-stream" }));
export const LastEventId = Schema.Struct({
  "last-event-id": Schema.optional(Whole).annotations({ description: "The stream goes on behind this id; without it, behind `after`; without both, it begins with what happens next." }),
});

/** Starts, events, reads and streams of actors. */
export const actors = HttpApiGroup.make("actors")
  .add(
    HttpApiEndpoint.post("startActor", "/v1/actors")
      .setPayload(NewActor)
      .addSuccess(ReceiptShape, { status: 201 })
      .addSuccess(ReceiptShape)
      .annotateContext(tells("Start an actor", "201: it was started. 200: it was there, nothing changed (`duplicate`).")),
  )
  .add(
    HttpApiEndpoint.post("startActors", "/v1/actors/bulk")
      .setPayload(body({ actors: Schema.Array(NewActor).pipe(Schema.minItems(1), Schema.maxItems(1_000)) }))
      .addSuccess(Schema.Struct({ receipts: Schema.Array(ReceiptShape) }))
      .annotateContext(tells("Start many actors", "In as few transactions as possible; receipts in the order of the list. If one is refused, others may be stored: repeat the whole request.")),
  )
  .add(
    HttpApiEndpoint.get("listActors", "/v1/actors")
      .setUrlParams(
        query({
          machine: Schema.optional(Schema.String),
          status: Schema.optional(Schema.Literal("active", "done", "error", "stopped")),
          parent: Schema.optional(Schema.String).annotations({ description: "The address of the actor whose children are meant." }),
          top: Schema.optional(Schema.Literal("true")).annotations({ description: "Only actors that a host started." }),
          sort: Sort,
          limit: Limit,
          cursor: Cursor,
        }),
      )
      .addSuccess(pageOf(ActorShape))
      .annotateContext(tells("List actors", "With an ETag: a request with If-None-Match is answered with 304 while the engine stored nothing.")),
  )
  .add(
    HttpApiEndpoint.get("readActor", "/v1/actors/:address")
      .setPath(Address)
      .setHeaders(IfNoneMatch)
      .addSuccess(ActorShape)
      .addSuccess(HttpApiSchema.Empty(304))
      .annotateContext(tells("Read an actor", "With an ETag: a request with If-None-Match is answered with 304 while nothing happened.")),
  )
  .add(
    HttpApiEndpoint.post("sendEvent", "/v1/actors/:address/events").setPath(Address).setHeaders(IdempotencyKey).setPayload(EventShape).addSuccess(ReceiptShape).annotateContext(tells("Send an event")),
  )
  .add(
    HttpApiEndpoint.post("askActor", "/v1/actors/:address/questions")
      .setPath(Address)
      .setHeaders(IdempotencyKey)
      .setUrlParams(query({ timeoutMs: Schema.optional(Whole).annotations({ description: "How long it may take, in milliseconds. Default 30,000." }) }))
      .setPayload(EventShape)
      .addSuccess(EventShape)
      .annotateContext(tells("Ask an actor", "Sends an event that carries `replyTo`, and answers with what the machine sends there.")),
  )
  .add(
    HttpApiEndpoint.post("canActor", "/v1/actors/:address/can")
      .setPath(Address)
      .setPayload(EventShape)
      .addSuccess(Schema.Struct({ can: Schema.Boolean }))
      .annotateContext(tells("Whether an actor would handle an event now", "Nothing is stored.")),
  )
  .add(
    HttpApiEndpoint.get("listMoves", "/v1/actors/:address/moves")
      .setPath(Address)
      .addSuccess(Schema.Struct({ items: Schema.Array(Schema.Record({ key: Schema.String, value: Schema.Unknown })) }))
      .annotateContext(tells("Which events an actor takes now", "And which guard refuses the others.")),
  )
  .add(
    HttpApiEndpoint.get("whyWaiting", "/v1/actors/:address/why")
      .setPath(Address)
      .addSuccess(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
      .annotateContext(tells("What an actor waits for", "Who owes it, and until when.")),
  )
  .add(
    HttpApiEndpoint.get("readHistory", "/v1/actors/:address/history")
      .setPath(Address)
      .setUrlParams(query({ after: Sequence, limit: Limit }))
      .addSuccess(pageOf(EntryShape))
      .annotateContext(tells("Read a history", "`after` is the sequence number behind which the page begins; `next` is the one for the next page.")),
  )
  .add(
    HttpApiEndpoint.get("exportHistory", "/v1/actors/:address/export").setPath(Address).addSuccess(Ndjson).annotateContext(tells("Export a history", "The whole history, one JSON object per line.")),
  )
  .add(
    HttpApiEndpoint.get("streamActor", "/v1/actors/:address/stream")
      .setPath(Address)
      .setUrlParams(query({ after: Sequence }))
      .setHeaders(LastEventId)
      .addSuccess(EventStream)
      .annotateContext(tells("Follow an actor", "Server-sent events, one per change of this actor, with the id of the change.")),
  )
  .add(
    HttpApiEndpoint.get("listChanges", "/v1/changes")
      .setUrlParams(query({ after: Sequence, limit: Limit }))
      .addSuccess(pageOf(ChangeShape))
      .annotateContext(tells("Read changes", "The histories of all actors in the order in which they were stored.")),
  )
  .add(
    HttpApiEndpoint.get("exportChanges", "/v1/changes/export")
      .setUrlParams(query({ after: Sequence }))
      .addSuccess(Ndjson)
      .annotateContext(tells("Export changes", "All of them behind `after`, one JSON object per line.")),
  )
  .add(
    HttpApiEndpoint.get("streamChanges", "/v1/stream")
      .setUrlParams(query({ machine: Schema.optional(Schema.String), after: Sequence }))
      .setHeaders(LastEventId)
      .addSuccess(EventStream)
      .annotateContext(tells("Follow everything", "Server-sent events, one per change of any actor (of one machine), with the id of the change.")),
  );
