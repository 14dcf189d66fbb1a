import { createHash } from "node:crypto";
import * as HttpServerResponse from "@effect/platform/HttpServerResponse";
import * as Effect from "effect/Effect";
import type { EngineCore } from "../engine/index.ts";
import { isTold, type Problem, problemOf } from "./problem.ts";
import { sendable } from "./sendable.ts";

type Headers = Readonly<Record<string, string>>;

/** An answer in JSON. Not by the schema of the path: what the engine says has that shape, and is written once. */
export const json = (value: unknown, { status = 200, headers = {} }: { readonly status?: number; readonly headers?: Headers } = {}): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(sendable(value), { status, headers, contentType: "application/json" });

/** An answer that its reader may keep: empty, with 304, while the tag is the one that it has. */
export const kept = (value: unknown, ifNoneMatch: string | undefined, etag = tagOf(value)): HttpServerResponse.HttpServerResponse =>
  isSame(ifNoneMatch, etag) ? HttpServerResponse.empty({ status: 304, headers: keptHeaders(etag) }) : json(value, { headers: keptHeaders(etag) });

/**
 * A list that its reader may keep until anything is stored: its tag is how far the engine has come, so that a list which
 * did not change is not even read. The tag is taken first: what is stored meanwhile makes it too old, and never too new.
 */
export const keptList = <E, R>(engine: Pick<EngineCore, "status">, ifNoneMatch: string | undefined, read: Effect.Effect<unknown, E, R>): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R> =>
  Effect.suspend(() => {
    const { owner, transitions, pruned } = engine.status();
    const etag = tagOf([owner.id, transitions, pruned]);
    if (isSame(ifNoneMatch, etag)) return Effect.succeed(HttpServerResponse.empty({ status: 304, headers: keptHeaders(etag) }));
    return Effect.map(read, (value) => json(value, { headers: keptHeaders(etag) }));
  });

const keptHeaders = (etag: string): Headers => ({ etag, "cache-control": "private, no-cache" });
const isSame = (ifNoneMatch: string | undefined, etag: string): boolean =>
  ifNoneMatch !== undefined && (ifNoneMatch.trim() === "*" || ifNoneMatch.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag));
const tagOf = (value: unknown): string => `"${createHash("sha256").update(sendable(value)).digest("base64url").slice(0, 22)}"`;

export const problem = (value: Problem, headers: Headers = {}): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(JSON.stringify(value), { status: value.status, headers, contentType: "application/problem+json" });

/** Fails with the problem that the error is; what is no error of ours stays a defect. */
export const told = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, Problem, R> => Effect.catchAll(effect, (error) => (isTold(error) ? Effect.fail(problemOf(error)) : Effect.die(error)));

/** A call that answers with a promise or throws. */
export const calling = <A>(call: () => Promise<A> | A): Effect.Effect<A, Problem> => told(Effect.tryPromise({ try: async () => call(), catch: (error) => error }));

/** Rows that are read page by page, one JSON object per line, as the reader takes them. */
export const ndjson = <Row>(read: (after: number) => Promise<ReadonlyArray<Row>>, idOf: (row: Row) => number, from = 0): HttpServerResponse.HttpServerResponse => {
  const encoder = new TextEncoder();
  let after = from;
  const stream = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const rows = await read(after);
        const last = rows.at(-1);
        if (last === undefined) return controller.close();
        after = idOf(last);
        controller.enqueue(encoder.encode(rows.map((row) => `${sendable(row)}\n`).join("")));
      },
    },
    { highWaterMark: 0 },
  );
  return HttpServerResponse.raw(stream, { contentType: "application/x-ndjson" });
};

export const eventStream = (stream: ReadableStream<Uint8Array>): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.raw(stream, { contentType: "text/event-stream", headers: { "cache-control": "no-store", "x-accel-buffering": "no" } });
