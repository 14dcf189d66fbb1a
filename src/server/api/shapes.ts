import * as Schema from "effect/Schema";

/*
 * What goes over the wire, as it stands in the OpenAPI document. Times are milliseconds since 1970.
 */

const named = <S extends Schema.Schema.Any>(identifier: string, description: string, schema: S): S => schema.annotations({ identifier, description }) as S;

export const Moment = Schema.Number.annotations({ description: "Milliseconds since 1970." });
const Count = Schema.Number;
const Anything = Schema.Unknown;
const Fields = Schema.Record({ key: Schema.String, value: Schema.Unknown });

export const FailureShape = named("Failure", "Why something failed.", Schema.Struct({ name: Schema.String, message: Schema.String, code: Schema.optional(Schema.String) }, Fields));

export const EventShape = Schema.Struct({ type: Schema.String }, Fields).annotations({
  identifier: "Event",
  description: "An event: an object with a type. Further fields are what the machine takes.",
  examples: [{ type: "PAY", amount: 5 }],
});

export const OutcomeShape = Schema.Literal("handled", "ignored", "kept", "stale", "ended", "failed");

export const ReceiptShape = named(
  "Receipt",
  "It is stored. `outcome` says what became of it; `duplicate` that an earlier request did this already.",
  Schema.Struct({ address: Schema.String, seq: Count, at: Moment, outcome: OutcomeShape, duplicate: Schema.Boolean }),
);

export const TimerShape = Schema.Struct({ due: Moment }, Fields);

export const ActorShape = named(
  "Actor",
  "One actor as it is stored.",
  Schema.Struct({
    id: Count,
    address: Schema.String,
    machine: Schema.String,
    version: Schema.String,
    hash: Schema.String,
    status: Schema.Literal("active", "done", "error", "stopped"),
    value: Anything,
    context: Schema.optional(Anything),
    tags: Schema.Array(Schema.String),
    output: Schema.optional(Anything),
    error: Schema.optional(FailureShape),
    children: Schema.optional(Fields),
    timers: Schema.optional(Schema.Record({ key: Schema.String, value: TimerShape })),
    seq: Count,
    at: Moment,
    createdAt: Moment,
  }),
);

export const EntryShape = named(
  "HistoryEntry",
  "One event that an actor was told. `from` is the actor that sent it, or the name of the token with which it was sent.",
  Schema.Struct({ seq: Count, at: Moment, event: EventShape, outcome: OutcomeShape, from: Schema.String, stateHash: Schema.String }),
);

export const ChangeShape = named(
  "Change",
  "A history entry of some actor; `id` grows with everything that is stored.",
  Schema.Struct({ id: Count, address: Schema.String, machine: Schema.String, seq: Count, at: Moment, event: EventShape, outcome: OutcomeShape, from: Schema.String, stateHash: Schema.String }),
);

export const LetterShape = named(
  "DeadLetter",
  "What could not be handled, and why.",
  Schema.Struct({
    id: Count,
    address: Schema.String,
    at: Moment,
    event: EventShape,
    from: Schema.String,
    error: FailureShape,
    kind: Schema.Literal("event", "action"),
    action: Schema.optional(Schema.String),
    seq: Schema.optional(Count),
  }),
);

export const MachineShape = named(
  "Machine",
  "A registered machine, with the versions of it that ever wrote in this journal.",
  Schema.Struct({
    id: Schema.String,
    version: Schema.String,
    hash: Schema.String,
    description: Schema.optional(Schema.String),
    versions: Schema.Array(Schema.Struct({ version: Schema.String, hash: Schema.String })),
    actors: Schema.Record({ key: Schema.String, value: Count }),
  }),
);

export const ParkedShape = named(
  "ParkedActor",
  "An actor that no registered machine may go on with.",
  Schema.Struct({ id: Count, address: Schema.String, reason: Schema.String, detail: Schema.String }, Fields),
);

export const OutboxShape = named(
  "Outbox",
  "What is to be delivered to one destination.",
  Schema.Struct({ name: Schema.String, state: Schema.Unknown, pending: Count, poisoned: Count, unknown: Count, at: Moment }),
);

export const OutboxEntryShape = named(
  "OutboxEntry",
  "One entry of an outbox.",
  Schema.Struct(
    {
      seq: Count,
      key: Schema.String,
      lane: Schema.String,
      type: Schema.String,
      payload: Anything,
      status: Schema.Literal("pending", "poisoned", "unknown"),
      attempts: Count,
      due: Moment,
      occurredAt: Moment,
    },
    Fields,
  ),
);

export const StatusShape = named(
  "EngineStatus",
  "How the engine is.",
  Schema.Struct({ state: Schema.String, waiting: Count, activities: Count, residents: Count, turns: Count, transitions: Count }, Fields),
);

/** A page of a list. `next` is the cursor of the next one, absent on the last. */
export const pageOf = <S extends Schema.Schema.Any>(item: S) => Schema.Struct({ items: Schema.Array(item), next: Schema.optional(Schema.String) });

export const Taken = named("Taken", "How many were done.", Schema.Struct({ count: Count }));

const whole = (min: number, max: number) => Schema.NumberFromString.pipe(Schema.int(), Schema.between(min, max));

/** Of query parameters: those that a path doesn't know are told, not passed over. */
export const query = <Fields extends Schema.Struct.Fields>(fields: Fields) => Schema.Struct(fields).annotations({ parseOptions: { onExcessProperty: "error", errors: "all" } });
export const body = <Fields extends Schema.Struct.Fields>(fields: Fields) => Schema.Struct(fields).annotations({ parseOptions: { onExcessProperty: "error", errors: "all" } });

export const Limit = Schema.optional(whole(1, 1_000)).annotations({ description: "Items of the page, 1 to 1,000. Default 100." });
export const Cursor = Schema.optional(Schema.String.pipe(Schema.maxLength(200))).annotations({ description: "`next` of the page before." });
export const Sort = Schema.optional(Schema.Literal("created", "-created")).annotations({ description: "By the moment of their start, oldest first (the default) or latest first." });
export const IfNoneMatch = Schema.Struct({ "if-none-match": Schema.optional(Schema.String) });
export const Sequence = Schema.optional(whole(0, Number.MAX_SAFE_INTEGER)).annotations({ description: "Only what comes behind this number." });
export const Whole = whole(0, Number.MAX_SAFE_INTEGER);

export const IdempotencyKey = Schema.Struct({
  "idempotency-key": Schema.optional(Schema.String).annotations({
    description: "The same key for the same actor is handled once; a repetition gets the first receipt. With another event than the first it is refused: 422, `key_reused`.",
  }),
});
