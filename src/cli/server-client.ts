import * as FetchHttpClient from "@effect/platform/FetchHttpClient";
import * as HttpApiClient from "@effect/platform/HttpApiClient";
import * as HttpClient from "@effect/platform/HttpClient";
import * as HttpClientRequest from "@effect/platform/HttpClientRequest";
import * as Effect from "effect/Effect";
import { type Refused, refused } from "./refused.ts";

/** The client that is derived from the API. `TASKWRIGHT_TOKEN` is its token. */
export const clientOf = (server: string) =>
  Effect.gen(function* () {
    const { api } = yield* Effect.promise(() => import("../server/index.ts"));
    const token = process.env.TASKWRIGHT_TOKEN;
    return yield* HttpApiClient.make(api, { baseUrl: server, transformClient: HttpClient.mapRequest(token === undefined ? (request) => request : HttpClientRequest.bearerToken(token)) });
  }).pipe(Effect.provide(FetchHttpClient.layer));

/** What a server said no to, with its remedy. */
export const asking = <A, R>(server: string, effect: Effect.Effect<A, unknown, R>): Effect.Effect<A, Refused, R> => Effect.mapError(effect, (error) => refused(`${server}: ${problemText(error)}`));

const problemText = (error: unknown): string => {
  const { code, detail, message, cause } = error as { readonly code?: string; readonly detail?: string; readonly message?: string; readonly cause?: unknown };
  const below = cause instanceof Error && cause.cause instanceof Error ? ` (${cause.cause.message})` : "";
  if (code === "unauthenticated")
    return process.env.TASKWRIGHT_TOKEN
      ? "the token in TASKWRIGHT_TOKEN is not one of this server's, or its time is over (unauthenticated)"
      : "this server wants a token; give one in TASKWRIGHT_TOKEN (unauthenticated)";
  return detail !== undefined && code !== undefined ? `${detail} (${code})` : `${message ?? String(error)}${below}`;
};
