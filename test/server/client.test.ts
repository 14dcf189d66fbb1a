import * as FetchHttpClient from "@effect/platform/FetchHttpClient";
import * as HttpApiClient from "@effect/platform/HttpApiClient";
import * as HttpClient from "@effect/platform/HttpClient";
import * as HttpClientRequest from "@effect/platform/HttpClientRequest";
import * as Effect from "effect/Effect";
import { describe, expect, test } from "vitest";
import { api } from "../../src/server/index.ts";
import { stand, tokens } from "./stand.ts";

const clientOf = (url: string, token: string) =>
  HttpApiClient.make(api, { baseUrl: url, transformClient: HttpClient.mapRequest(HttpClientRequest.bearerToken(token)) }).pipe(Effect.provide(FetchHttpClient.layer));

describe("server > derived client", () => {
  test("starts, sends, reads and lists, with the types of the API", async () => {
    const { stored, operate } = tokens();
    const { url } = await stand({ tokens: stored });
    await Effect.runPromise(
      Effect.gen(function* () {
        const client = yield* clientOf(url, operate);
        const receipt = yield* client.actors.startActor({ payload: { machine: "counter", id: "a b" } });
        expect(receipt).toMatchObject({ address: "counter/a b", duplicate: false });
        const path = { address: encodeURIComponent(receipt.address) };
        expect(yield* client.actors.sendEvent({ path, headers: { "idempotency-key": "k" }, payload: { type: "ADD" } })).toMatchObject({ outcome: "handled" });
        expect(yield* client.actors.readActor({ path, headers: {} })).toMatchObject({ context: { count: 1 } });
        expect((yield* client.actors.readHistory({ path, urlParams: { limit: 10 } })).items.map(({ from }) => from)).toEqual(["olaf", "olaf"]);
        expect((yield* client.actors.listActors({ urlParams: { machine: "counter", limit: 5 } })).items).toHaveLength(1);
        expect(yield* client.system.ready()).toEqual({ ready: true });
        expect((yield* client.machines.listMachines()).items.map(({ id }) => id)).toContain("counter");
        expect(yield* client.machines.drawMachine({ path: { id: "counter" } })).toContain("stateDiagram-v2");
      }),
    );
  });

  test("fails with the problem", async () => {
    const { stored, read } = tokens();
    const { url } = await stand({ tokens: stored });
    await Effect.runPromise(
      Effect.gen(function* () {
        const client = yield* clientOf(url, read);
        const missing = yield* Effect.flip(client.actors.readActor({ path: { address: encodeURIComponent("counter/1") }, headers: {} }));
        expect(missing).toMatchObject({ code: "unknown_actor", status: 404, retryable: false });
        const refused = yield* Effect.flip(client.actors.startActor({ payload: { machine: "counter", id: "1" } }));
        expect(refused).toMatchObject({ code: "role_missing", status: 403 });
      }),
    );
  });
});
