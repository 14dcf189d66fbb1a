import * as Schema from "effect/Schema";

const Text = Schema.String;
const At = Schema.Int;

export const CallTool = Schema.Struct({
  type: Schema.Literal("CALL_TOOL"),
  policy: Schema.Struct({ allowed: Schema.Record({ key: Text, value: Schema.Array(Text) }), letThroughAt: Schema.Int }),
  run: Text,
  tool: Schema.NonEmptyString,
  input: Schema.optional(Schema.Unknown),
});
const End = Schema.Struct({ type: Schema.Literal("END"), by: Text, why: Text });

/** What an orchestrator may be told, by the host or by actors. */
export const OrchestratorEvents = Schema.Union(
  Schema.Struct({ type: Schema.Literal("BOUND") }),
  Schema.Struct({ type: Schema.Literal("REFUSED"), other: Text }),
  Schema.Struct({ type: Schema.Literal("ORDER_WORK"), count: Schema.NonNegativeInt }),
  Schema.Struct({ type: Schema.Literal("TRACK"), tasks: Schema.Array(Text) }),
  Schema.Struct({
    type: Schema.Literal("TASK_MOVED"),
    task: Text,
    state: Text,
    at: At,
    failure: Schema.optional(Schema.Struct({ code: Schema.optional(Text), message: Text })),
  }),
  Schema.Struct({ type: Schema.Literal("SAY"), target: Schema.NonEmptyString, key: Schema.NonEmptyString, messageType: Schema.NonEmptyString, payload: Schema.Unknown, at: At }),
  CallTool,
  End,
  Schema.Struct({ type: Schema.Literal("REQUESTER_ENDED"), by: Text, why: Text }),
);

/** What a requester may be told, by the host or by orchestrators. */
export const RequesterEvents = Schema.Union(Schema.Struct({ type: Schema.Literal("BIND"), orchestrator: Text }), Schema.Struct({ type: Schema.Literal("UNBIND"), orchestrator: Text }), End, CallTool);
