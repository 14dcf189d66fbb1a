import * as OpenApi from "@effect/platform/OpenApi";
import { api } from "./api/api.ts";
import { roleFor } from "./gate.ts";

type Json = { [key: string]: Json } | Array<Json> | string | number | boolean | null;
interface Operation {
  summary?: string;
  description?: string;
  operationId: string;
  tags: ReadonlyArray<string>;
  parameters: Array<{
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly description?: string;
    readonly schema: { readonly description?: string; readonly type?: string };
  }>;
  security: ReadonlyArray<object>;
  responses: Record<string, { description: string; content?: Record<string, { schema: Json }> }>;
  requestBody?: { readonly content: Record<string, { readonly schema: Json }> };
  "x-role"?: string;
}
export interface Document {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Record<string, Json>; readonly securitySchemes: Record<string, Json> };
  readonly tags: ReadonlyArray<{ readonly name: string; readonly description?: string }>;
}

const meanings: Readonly<Record<string, string>> = {
  400: "What was sent is not what the path takes.",
  401: "No token, or not one of this server's.",
  403: "The token has not the role, or the page is foreign.",
  404: "There is no such thing.",
  405: "The path takes another method.",
  409: "The state of things is against it.",
  413: "The body is too large.",
  414: "The URL is too long.",
  415: "The body is not JSON.",
  421: "The server is not called so.",
  422: "The machine could not handle it.",
  429: "Too much at the moment.",
  500: "The server failed.",
  501: "This server has no such part.",
  503: "Nothing can be stored or read at the moment.",
  504: "Nobody answered in time.",
  507: "The disk is full.",
};
/** Lists that are answered with 304: those of actors and tasks while nothing is stored, the others while they are the same. Not in the definition: a typed client would have to give a header, and to take an empty answer, that it never asks for. */
const keptLists = new Set(["/v1/actors", "/v1/tasks", "/v1/queues", "/v1/workers", "/v1/outboxes", "/v1/schedules"]);

/** What reads are never answered with. */
const writesOnly = new Set(["413", "415", "504", "507"]);

const Problem: Json = {
  type: "object",
  description: "An error (RFC 9457). `code` is stable, `detail` says what to do, `data` has the fields of the error.",
  required: ["type", "title", "status", "detail", "code", "retryable"],
  properties: {
    type: { type: "string", description: "`urn:taskwright:problem:` and the code." },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    code: { type: "string" },
    retryable: { type: "boolean", description: "Whether the same request may succeed later." },
    data: { type: "object" },
  },
  additionalProperties: false,
};

/** The OpenAPI 3.1 document of the API. What is derived from the definition, with one schema for all problems. */
export const openApi = (): Document => {
  const { paths, components, ...rest } = JSON.parse(JSON.stringify(OpenApi.fromApi(api)), withoutIds) as Document & { security?: unknown };
  const { HttpApiDecodeError: _, Issue: _issue, PropertyKey: _key, ...schemas } = components.schemas;
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      operation.operationId = operation.operationId.slice(operation.operationId.indexOf(".") + 1);
      const role = roleFor(method.toUpperCase(), path);
      operation.security = role === undefined ? [] : [{ bearer: [] }];
      if (role !== undefined) operation["x-role"] = role;
      for (const status of Object.keys(operation.responses)) {
        if (Number(status) < 400 || (path === "/health/ready" && status === "503")) continue;
        if (method === "get" && writesOnly.has(status)) delete operation.responses[status];
        else operation.responses[status] = { description: meanings[status] ?? "An error.", content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } } };
      }
      if (method === "get" && keptLists.has(path)) {
        operation.parameters.push({ name: "if-none-match", in: "header", required: false, schema: { type: "string" } });
        operation.responses["304"] = { description: "Nothing has changed since." };
      }
      const ready = operation.responses["503"];
      if (path === "/health/ready" && ready !== undefined)
        ready.content = {
          "application/json": { schema: { type: "object", required: ["ready", "state"], properties: { ready: { const: false }, state: { type: "string" } }, additionalProperties: false } },
        };
    }
  }
  return { ...rest, paths, components: { ...components, schemas: { ...schemas, Problem } } };
};

/** "unknown" has an id of its own in each place where it stands; an id must be unique in a document. */
const withoutIds = (key: string, value: unknown): unknown => {
  if (key === "$id" || (key === "title" && value === "unknown")) return undefined;
  return value;
};
