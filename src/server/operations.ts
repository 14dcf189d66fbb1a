import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder";
import * as HttpServerResponse from "@effect/platform/HttpServerResponse";
import * as Effect from "effect/Effect";
import { hostname } from "node:os";
import { graphOf, mermaidOf } from "../analysis/index.ts";
import { outboxAddress, type Outboxes } from "../delivery/index.ts";
import { type LetterChoice, type LetterFilter, UnknownMachine } from "../engine/index.ts";
import { calling, json, kept, told } from "./answering.ts";
import { api, CurrentCaller } from "./api/api.ts";
import { NotServed } from "./errors.ts";
import { afterOf, pageOf } from "./page.ts";
import { type Problem, problemOf } from "./problem.ts";
import type { Served } from "./served.ts";
import { version } from "./version.ts";

const present = <A extends object>(given: A): { readonly [Key in keyof A]: Exclude<A[Key], undefined> } =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as never;

/** Carries out what the API says of dead letters. */
export const deadLettersLive = ({ engine }: Served) => {
  const take = (verb: "requeue" | "drop", { why, ...choice }: ({ readonly ids: ReadonlyArray<number> } | { readonly filter: object }) & { readonly why?: string | undefined }) =>
    Effect.gen(function* () {
      const { name: by } = yield* CurrentCaller;
      const which: LetterChoice = "ids" in choice ? choice.ids : (present(choice.filter) as LetterFilter);
      return json({ count: yield* told(engine[verb](which, { by, ...(why === undefined ? {} : { why }) })) });
    });
  return HttpApiBuilder.group(api, "deadLetters", (handlers) =>
    handlers
      .handle("listDeadLetters", ({ urlParams: { limit = 100, cursor, ...filter } }) =>
        Effect.gen(function* () {
          const after = yield* calling(() => afterOf(cursor));
          const found = yield* told(engine.deadLetters({ ...(present(filter) as LetterFilter), after, limit: limit + 1 }));
          return json(
            pageOf(
              found,
              limit,
              ({ id }) => id,
              (letter) => letter,
            ),
          );
        }),
      )
      .handle("readDeadLetter", ({ path: { id } }) => Effect.map(told(engine.deadLetter(id)), (letter) => json(letter)))
      .handle("requeueDeadLetters", ({ payload }) => take("requeue", payload))
      .handle("dropDeadLetters", ({ payload }) => take("drop", payload)),
  );
};

/** Carries out what the API says of outboxes. */
export const outboxesLive = (served: Served) => {
  const { engine } = served;
  const part: Effect.Effect<Outboxes, Problem> = Effect.suspend(() => (served.outboxes === undefined ? Effect.fail(problemOf(new NotServed({ part: "outboxes" }))) : Effect.succeed(served.outboxes)));
  const known = (name: string) => told(engine.snapshot(outboxAddress(name)));
  const order = <A>(name: string, call: (outboxes: Outboxes, by: { readonly by: string }) => Effect.Effect<A, unknown>) =>
    Effect.gen(function* () {
      const caller = yield* CurrentCaller;
      const outboxes = yield* part;
      yield* known(name);
      yield* told(call(outboxes, { by: caller.name }));
    });
  return HttpApiBuilder.group(api, "outboxes", (handlers) =>
    handlers
      .handle("listOutboxes", ({ request }) =>
        Effect.gen(function* () {
          const outboxes = yield* part;
          const found = yield* told(engine.list({ machine: "outbox", parent: 0, limit: 1_000 }));
          const items = yield* Effect.forEach(found, ({ address, value, at }) => {
            const name = address.slice(address.indexOf("/") + 1);
            return Effect.map(told(outboxes.counts(name)), (counts) => ({ name, state: value, at, ...counts }));
          });
          return kept({ items }, request.headers["if-none-match"]);
        }),
      )
      .handle("listOutboxEntries", ({ path: { name }, urlParams: { status, limit = 100, cursor } }) =>
        Effect.gen(function* () {
          const outboxes = yield* part;
          const after = yield* calling(() => afterOf(cursor));
          yield* known(name);
          const found = yield* told(outboxes.entries(name, { after, limit: limit + 1, ...(status === undefined ? {} : { status }) }));
          return json(
            pageOf(
              found,
              limit,
              ({ seq }) => seq,
              (entry) => entry,
            ),
          );
        }),
      )
      .handle("orderOutbox", ({ path: { name }, payload: { order: which } }) =>
        Effect.as(
          order(name, (outboxes, by) => outboxes[which](name, by)),
          json({ count: 1 }),
        ),
      )
      .handle("requeueOutboxEntries", ({ path: { name }, payload: { seqs } }) =>
        Effect.as(
          order(name, (outboxes, by) => outboxes.requeue(name, seqs, by)),
          json({ count: seqs.length }),
        ),
      )
      .handle("dropOutboxEntries", ({ path: { name }, payload: { seqs } }) =>
        Effect.as(
          order(name, (outboxes, by) => outboxes.drop(name, seqs, by)),
          json({ count: seqs.length }),
        ),
      ),
  );
};

/** Carries out what the API says of machines. */
export const machinesLive = ({ engine }: Served) => {
  const { registry } = engine;
  const all = () => [...registry.byId.values()].filter(({ internal }) => !internal);
  const find = (id: string) => {
    const found = all().find(({ definition }) => definition.id === id);
    return found === undefined ? Effect.fail(problemOf(new UnknownMachine({ machine: id, known: all().map(({ definition }) => definition.id) }))) : Effect.succeed(found);
  };
  type Known = ReturnType<typeof all>[number];
  const describe = ({ definition: { id, hash, machine } }: Known, counts: ReadonlyArray<{ readonly machine: string; readonly status: string; readonly count: number }>) => {
    const written = [...registry.stored.values()].filter(({ chart }) => (JSON.parse(chart) as { readonly id?: string }).id === id).map((row) => ({ version: row.version, hash: row.hash }));
    const current = { version: machine.version ?? "", hash };
    return {
      id,
      ...current,
      ...(machine.root.description === undefined ? {} : { description: machine.root.description }),
      versions: written.some((row) => row.hash === hash) ? written : [...written, current],
      actors: Object.fromEntries(counts.filter((row) => row.machine === id).map(({ status, count }) => [status, count])),
    };
  };
  return HttpApiBuilder.group(api, "machines", (handlers) =>
    handlers
      .handle("listMachines", () => Effect.map(told(engine.counts), (counts) => json({ items: all().map((known) => describe(known, counts)) })))
      .handle("readMachine", ({ path: { id } }) => Effect.flatMap(find(id), (known) => Effect.map(told(engine.counts), (counts) => json(describe(known, counts)))))
      .handle("readGraph", ({ path: { id } }) => Effect.map(find(id), ({ definition: { machine } }) => json(graphOf(machine))))
      .handle("drawMachine", ({ path: { id } }) => Effect.map(find(id), ({ definition: { machine } }) => HttpServerResponse.text(mermaidOf(graphOf(machine)), { contentType: "text/vnd.mermaid" })))
      .handle("listParked", ({ urlParams: { limit = 100, cursor } }) =>
        Effect.gen(function* () {
          const after = yield* calling(() => afterOf(cursor));
          const found = yield* told(engine.parked({ after, limit: limit + 1 }));
          return json(
            pageOf(
              found,
              limit,
              ({ id }) => id,
              (parked) => parked,
            ),
          );
        }),
      ),
  );
};

/** Carries out what the API says of the server itself. */
export const systemLive = ({ engine, isClosing, metrics, since }: Served) =>
  HttpApiBuilder.group(api, "system", (handlers) =>
    handlers
      .handle("live", () => Effect.succeed(json({ live: true })))
      .handle("ready", () =>
        Effect.sync(() => {
          const { state } = engine.status();
          const isReady = state === "running" && !isClosing();
          return isReady ? json({ ready: true }) : json({ ready: false, state: isClosing() ? "closing" : state }, { status: 503 });
        }),
      )
      .handle("version", () => Effect.sync(() => json({ name: "taskwright", version, build: process.env.TASKWRIGHT_BUILD ?? "", node: process.versions.node })))
      .handle("whoami", () => Effect.map(CurrentCaller, ({ name, roles }) => json({ name, roles })))
      .handle("status", () => Effect.sync(() => json({ ...engine.status(), process: { pid: process.pid, host: hostname(), since } })))
      .handle("metrics", () => Effect.map(calling(metrics), (text) => HttpServerResponse.text(text, { contentType: "text/plain; version=0.0.4" }))),
  );
