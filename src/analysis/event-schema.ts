import * as JSONSchema from "effect/JSONSchema";
import * as Schema from "effect/Schema";
import type { Json } from "../domain/json.ts";
import type { AnySchema, EventSchemas } from "../engine/index.ts";

/** What Standard Schema libraries that can say it have (https://standardschema.dev/json-schema). */
interface WithJsonSchema {
  readonly "~standard"?: { readonly jsonSchema?: { readonly input?: (options: { readonly target: string }) => unknown } };
}

const made = new WeakMap<object, Map<string, Json | undefined>>();

/** What an event of this type carries, as JSON Schema; nothing where no schema says it. Made once for each. */
export const eventSchemaOf = (schemas: EventSchemas | undefined, type: string): Json | undefined => {
  if (schemas === undefined) return undefined;
  const known = made.get(schemas) ?? new Map<string, Json | undefined>();
  made.set(schemas, known);
  if (!known.has(type)) known.set(type, makeSchema(schemas, type));
  return known.get(type);
};

const makeSchema = (schemas: EventSchemas, type: string): Json | undefined => {
  const isOne = Schema.isSchema(schemas) || "~standard" in schemas;
  const schema = isOne ? (schemas as AnySchema) : ((schemas as Readonly<Record<string, AnySchema>>)[type] ?? (schemas as Readonly<Record<string, AnySchema>>)["*"]);
  if (schema === undefined) return undefined;
  try {
    const said = Schema.isSchema(schema) ? JSONSchema.make(schema as Schema.Schema.AnyNoContext) : (schema as WithJsonSchema)["~standard"]?.jsonSchema?.input?.({ target: "draft-2020-12" });
    const plain = said === undefined ? undefined : (JSON.parse(JSON.stringify(said)) as Json);
    return isOne ? memberOf(plain, type) : plain;
  } catch {
    // A schema that JSON Schema has no word for.
    return undefined;
  }
};

/** Of a union of all events the members of this type, with the definitions that they refer to. */
const memberOf = (schema: Json | undefined, type: string): Json | undefined => {
  const { anyOf, oneOf, $defs, definitions } = (schema ?? {}) as Readonly<Record<"anyOf" | "oneOf", ReadonlyArray<Json> | undefined>> & Readonly<Record<"$defs" | "definitions", Json | undefined>>;
  const members = anyOf ?? oneOf;
  if (members === undefined) return schema;
  const own = members.filter((member) => {
    const named = (member as { readonly properties?: { readonly type?: { readonly const?: unknown; readonly enum?: ReadonlyArray<unknown> } } }).properties?.type;
    return named?.const === type || named?.enum?.includes(type) === true;
  });
  if (own.length === 0) return undefined;
  const beside = { ...($defs === undefined ? {} : { $defs }), ...(definitions === undefined ? {} : { definitions }) };
  return own.length === 1 ? { ...(own[0] as object), ...beside } : { anyOf: own as unknown as Json, ...beside };
};
