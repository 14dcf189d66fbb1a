import * as HttpApiSchema from "@effect/platform/HttpApiSchema";
import * as Schema from "effect/Schema";

/** The statuses that errors of the engine, the journal and the server have. */
export const problemStatuses = [400, 401, 403, 404, 405, 409, 413, 414, 415, 421, 422, 429, 500, 501, 503, 504, 507] as const;
export type ProblemStatus = (typeof problemStatuses)[number];

/** An error as RFC 9457 wants it: `code` is stable, `detail` says what to do, `data` carries the fields of the error. */
export interface Problem<Status extends ProblemStatus = ProblemStatus> {
  /** `urn:taskwright:problem:` and the code. */
  readonly type: string;
  readonly title: string;
  readonly status: Status;
  readonly detail: string;
  readonly code: string;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  readonly data?: { readonly [key: string]: unknown };
}

const problemSchema = <const Status extends ProblemStatus>(status: Status) =>
  Schema.Struct({
    type: Schema.String,
    title: Schema.String,
    status: Schema.Literal(status),
    detail: Schema.String,
    code: Schema.String,
    retryable: Schema.Boolean,
    data: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown })),
  })
    .annotations({ identifier: `Problem${status}`, ...HttpApiSchema.annotations({ status }) })
    .pipe(HttpApiSchema.withEncoding({ kind: "Json", contentType: "application/problem+json" }));

/** Every problem that the API may answer with, one schema per status. */
export const ProblemSchema = Schema.Union(...problemStatuses.map((status) => problemSchema(status))) as unknown as Schema.Schema<Problem, Problem>;

/** An error that says what happened and what to do: all of the engine's, the journal's and the server's do. */
interface Told extends Error {
  readonly _tag: string;
  readonly code: string;
  readonly status: number;
  readonly retryable: boolean;
}

export const isTold = (error: unknown): error is Told => {
  const { _tag, code, status, retryable } = (error ?? {}) as Partial<Told>;
  return error instanceof Error && typeof _tag === "string" && typeof code === "string" && typeof status === "number" && typeof retryable === "boolean";
};

// Of the fields of an error: what the problem has under a name of its own, or must not go out.
const kept = new Set(["_tag", "code", "status", "retryable", "message", "stack", "cause", "name", "where"]);

/** The problem that tells of an error. Only for one that `isTold`. */
export const problemOf = (error: Told): Problem => {
  const data = Object.fromEntries(Object.entries(error).filter(([name, value]) => !kept.has(name) && value !== undefined && typeof value !== "function"));
  return {
    type: `urn:taskwright:problem:${error.code}`,
    title: titleOf(error._tag),
    status: error.status as ProblemStatus,
    detail: detailOf(error),
    code: error.code,
    retryable: error.retryable,
    ...(Object.keys(data).length === 0 ? {} : { data }),
  };
};

/** "EngineBusy" is "Engine busy". */
const titleOf = (tag: string): string => tag.replace(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

/** Where the files of the host lie is nothing for those outside. */
const detailOf = (error: Told): string => {
  const { where } = error as { readonly where?: unknown };
  return typeof where === "string" && where !== "" ? error.message.replaceAll(where, "the journal") : error.message;
};
