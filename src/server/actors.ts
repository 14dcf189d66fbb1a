import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder";
import * as Effect from "effect/Effect";
import { movesAt, whyAt } from "../analysis/index.ts";
import type { ActorView, SentEvent } from "../engine/index.ts";
import { calling, eventStream, json, kept, keptList, ndjson, told } from "./answering.ts";
import { api, CurrentCaller } from "./api/api.ts";
import { problemOf } from "./problem.ts";
import { afterOf, pageOf } from "./page.ts";
import type { Served } from "./served.ts";

const exportPage = 1_000;

/** The same tag while nothing happened: an incarnation, and how far its history is. */
const etagOf = ({ id, seq }: ActorView): string => `"${id}-${seq}"`;

/** Carries out what the API says of actors. */
export const actorsLive = ({ engine, subscribers, limits }: Served) =>
  HttpApiBuilder.group(api, "actors", (handlers) =>
    handlers
      .handle("startActor", ({ payload: { machine, id, input } }) =>
        Effect.gen(function* () {
          const { name: by } = yield* CurrentCaller;
          const receipt = yield* told(engine.start(machine, id, input, { by }));
          return json(receipt, { status: receipt.duplicate ? 200 : 201, headers: receipt.duplicate ? {} : { location: `v1/actors/${encodeURIComponent(receipt.address)}` } });
        }),
      )
      .handle("startActors", ({ payload }) =>
        Effect.gen(function* () {
          const { name: by } = yield* CurrentCaller;
          const receipts = yield* told(engine.startAll(payload.actors.map((actor) => ({ ...actor, by }))));
          return json({ receipts });
        }),
      )
      .handle("listActors", ({ urlParams: { machine, status, parent, top, sort, limit = 100, cursor }, request }) =>
        Effect.gen(function* () {
          const after = yield* calling(() => afterOf(cursor));
          const page = Effect.gen(function* () {
            const parentId = parent === undefined ? (top === undefined ? undefined : 0) : (yield* told(engine.snapshot(parent))).id;
            const filter = { machine, status, parent: parentId, after, descending: sort === "-created", limit: limit + 1 };
            return pageOf(
              yield* told(engine.list(filter)),
              limit,
              ({ id }) => id,
              (view) => view,
            );
          });
          return yield* keptList(engine, request.headers["if-none-match"], page);
        }),
      )
      .handle("readActor", ({ path: { address }, headers }) =>
        Effect.gen(function* () {
          const view = yield* told(engine.snapshot(address));
          return kept(view, headers["if-none-match"], etagOf(view));
        }),
      )
      .handle("sendEvent", ({ path: { address }, headers, payload }) =>
        Effect.gen(function* () {
          const { name: by } = yield* CurrentCaller;
          const key = headers["idempotency-key"];
          return json(yield* told(engine.send(address, payload as SentEvent, { by, ...(key === undefined ? {} : { key, exact: true }) })));
        }),
      )
      .handle("askActor", ({ path: { address }, headers, urlParams: { timeoutMs }, payload }) =>
        Effect.gen(function* () {
          const { name: by } = yield* CurrentCaller;
          const key = headers["idempotency-key"];
          const timeout = Math.min(timeoutMs ?? 30_000, limits.waitMsMax);
          return json(yield* told(engine.ask(address, payload as SentEvent, { by, timeout, ...(key === undefined ? {} : { key, exact: true }) })));
        }),
      )
      .handle("canActor", ({ path: { address }, payload }) => Effect.map(told(engine.can(address, payload as SentEvent)), (can) => json({ can })))
      .handle("listMoves", ({ path: { address } }) => Effect.map(told(movesAt(engine, address)), (items) => json({ items })))
      .handle("whyWaiting", ({ path: { address } }) => Effect.map(told(whyAt(engine, address)), (waiting) => json(waiting)))
      .handle("readHistory", ({ path: { address }, urlParams: { after = 0, limit = 100 } }) =>
        Effect.gen(function* () {
          yield* told(engine.snapshot(address));
          const rows = yield* told(engine.history(address, { after, limit: limit + 1 }));
          const items = rows.slice(0, limit);
          return json({ items, ...(rows.length > limit ? { next: String(items.at(-1)?.seq) } : {}) });
        }),
      )
      .handle("exportHistory", ({ path: { address } }) =>
        Effect.map(told(engine.snapshot(address)), () =>
          ndjson(
            (after) => Effect.runPromise(engine.history(address, { after, limit: exportPage })),
            ({ seq }) => seq,
          ),
        ),
      )
      .handle("streamActor", ({ path: { address }, urlParams, headers }) =>
        Effect.gen(function* () {
          yield* told(engine.snapshot(address));
          return yield* opened(subscribers.open({ address }, headers["last-event-id"] ?? urlParams.after));
        }),
      )
      .handle("listChanges", ({ urlParams: { after = 0, limit = 100 } }) =>
        Effect.gen(function* () {
          const rows = yield* told(engine.changes({ after, limit: limit + 1 }));
          const items = rows.slice(0, limit);
          return json({ items, ...(rows.length > limit ? { next: String(items.at(-1)?.id) } : {}) });
        }),
      )
      .handle("exportChanges", ({ urlParams: { after = 0 } }) =>
        Effect.sync(() =>
          ndjson(
            (from) => Effect.runPromise(engine.changes({ after: from, limit: exportPage })),
            ({ id }) => id,
            after,
          ),
        ),
      )
      .handle("streamChanges", ({ urlParams: { machine, after }, headers }) => opened(subscribers.open(machine === undefined ? {} : { machine }, headers["last-event-id"] ?? after))),
  );

const opened = (stream: ReadableStream<Uint8Array> | Parameters<typeof problemOf>[0]) => (stream instanceof Error ? Effect.fail(problemOf(stream)) : Effect.succeed(eventStream(stream)));
