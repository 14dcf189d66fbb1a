import { createHash } from "node:crypto";
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder";
import * as HttpServerRequest from "@effect/platform/HttpServerRequest";
import * as Effect from "effect/Effect";
import { type Dispatcher, type OrderReport, type QueuePolicy, type TaskChoice, type TaskSpec, UnknownTask } from "../dispatch/index.ts";
import { failureOf } from "../domain/json.ts";
import { KeyReused, requestOf } from "../engine/index.ts";
import { isTraceparent } from "../domain/traceparent.ts";
import { calling, json, kept, keptList } from "./answering.ts";
import { api, CurrentCaller } from "./api/api.ts";
import { InvalidRequest, NotServed } from "./errors.ts";
import { afterOf, cursorOf } from "./page.ts";
import { type Problem, problemOf } from "./problem.ts";
import type { Served } from "./served.ts";

const present = <A extends object>(given: A): { readonly [Key in keyof A]: Exclude<A[Key], undefined> } =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as never;
const lacking = (path: string, detail: string) => new InvalidRequest({ issues: [{ path, detail }] });

/** Tasks without an id are named by the key of their request: a repetition finds them, and is known by its fingerprint. */
const namedBy = (key: string | undefined, by: string, specs: ReadonlyArray<TaskSpec>, body: unknown): ReadonlyArray<TaskSpec> => {
  if (key === undefined) return specs;
  const request = requestOf(body);
  const idOf = (index: number) =>
    createHash("sha256")
      .update(JSON.stringify([by, key, index]))
      .digest("hex")
      .slice(0, 32);
  return specs.map((spec, index) => (spec.id === undefined ? { ...spec, id: idOf(index), request } : spec));
};

/** Fails where one of these tasks was submitted by another request with the same key. */
const demandSame = async (dispatcher: Dispatcher, key: string | undefined, specs: ReadonlyArray<TaskSpec>): Promise<void> => {
  // Those of one request have one fingerprint: any of them tells.
  const named = specs.find(({ request }) => request !== undefined);
  const first = key === undefined || named?.id === undefined ? undefined : (await dispatcher.get(named.id))?.spec.request;
  if (key !== undefined && first !== undefined && first !== named?.request) throw new KeyReused({ address: `task/${named?.id}`, key, event: "taskwright.start", first: "taskwright.start", seq: 1 });
};

/** A task belongs to the trace of the request that submits it, unless it says otherwise. */
const inTrace = Effect.map(
  HttpServerRequest.HttpServerRequest,
  ({ headers: { traceparent } }) =>
    (spec: TaskSpec): TaskSpec =>
      spec.traceparent === undefined && isTraceparent(traceparent) ? { ...spec, traceparent } : spec,
);

/** Carries out what the API says of tasks, queues and workers. */
export const tasksLive = (served: Served) => {
  const part: Effect.Effect<Dispatcher, Problem> = Effect.suspend(() =>
    served.dispatcher === undefined ? Effect.fail(problemOf(new NotServed({ part: "tasks" }))) : Effect.succeed(served.dispatcher),
  );
  return HttpApiBuilder.group(api, "tasks", (handlers) =>
    handlers
      .handle("submitTask", ({ payload, headers }) =>
        Effect.gen(function* () {
          const dispatcher = yield* part;
          const { name: by } = yield* CurrentCaller;
          const given = yield* inTrace;
          const key = headers["idempotency-key"];
          const [spec = {}] = namedBy(key, by, [payload as TaskSpec], payload);
          const submitted = yield* calling(() => dispatcher.submit(given(spec), { by }));
          if (submitted.duplicate) yield* calling(() => demandSame(dispatcher, key, [spec]));
          return json(submitted, { status: submitted.duplicate ? 200 : 201, headers: submitted.duplicate ? {} : { location: `v1/tasks/${encodeURIComponent(submitted.id)}` } });
        }),
      )
      .handle("submitTasks", ({ payload: { tasks }, headers }) =>
        Effect.gen(function* () {
          const dispatcher = yield* part;
          const { name: by } = yield* CurrentCaller;
          const given = yield* inTrace;
          const key = headers["idempotency-key"];
          const specs = namedBy(key, by, tasks as ReadonlyArray<TaskSpec>, tasks);
          // Before: none of another request's tasks is stored. After: two of them may have come at the same time.
          yield* calling(() => demandSame(dispatcher, key, specs));
          const submitted = yield* calling(() => dispatcher.submit(specs.map(given), { by }));
          if (submitted.some(({ duplicate }) => duplicate)) yield* calling(() => demandSame(dispatcher, key, specs));
          return json({ submitted });
        }),
      )
      .handle("listTasks", ({ urlParams: { limit = 100, cursor, sort, ...filter }, request }) =>
        Effect.gen(function* () {
          const dispatcher = yield* part;
          const after = yield* calling(() => afterOf(cursor));
          const page = calling(() => dispatcher.list({ ...present(filter), limit, descending: sort === "-created", ...(after === 0 ? {} : { cursor: String(after) }) }));
          const told = Effect.map(page, (found) => ({ items: found.tasks, ...(found.cursor === undefined ? {} : { next: cursorOf(Number(found.cursor)) }) }));
          return yield* keptList(served.engine, request.headers["if-none-match"], told);
        }),
      )
      .handle("readTask", ({ path: { id }, headers }) =>
        Effect.gen(function* () {
          const dispatcher = yield* part;
          const task = yield* calling(() => dispatcher.get(id));
          return task === undefined ? yield* Effect.fail(problemOf(new UnknownTask({ ids: [id] }))) : kept(task, headers["if-none-match"]);
        }),
      )
      .handle("orderTasks", ({ payload: { order, which, why = "", answer, question, priority, retry } }) =>
        Effect.gen(function* () {
          const dispatcher = yield* part;
          const { name: by } = yield* CurrentCaller;
          const given = { by, why };
          const choice = (Array.isArray(which) ? which : present(which)) as TaskChoice;
          const give = async (): Promise<OrderReport> => {
            switch (order) {
              case "answer": {
                const id = Array.isArray(choice) && choice.length === 1 ? String(choice[0]) : undefined;
                if (id === undefined) throw lacking("which", "an answer is for one task: give its id alone");
                return dispatcher.answer(id, answer ?? null, { ...given, ...(question === undefined ? {} : { question }) });
              }
              case "reprioritise":
                if (priority === undefined) throw lacking("priority", "is missing");
                return dispatcher.reprioritise(choice, priority, given);
              case "reject":
                return dispatcher.reject(choice, { ...given, ...(retry === undefined ? {} : { retry }) });
              case "retry":
                return dispatcher.retryNow(choice, given);
              default:
                return dispatcher[order](choice, given);
            }
          };
          return json(yield* calling(give));
        }),
      )
      .handle("listQueues", ({ request }) => Effect.flatMap(part, (dispatcher) => Effect.map(calling(dispatcher.queues.list), (items) => kept({ items }, request.headers["if-none-match"]))))
      .handle("configureQueue", ({ path: { name }, payload }) =>
        Effect.gen(function* () {
          const dispatcher = yield* part;
          const { name: by } = yield* CurrentCaller;
          yield* calling(() => dispatcher.queues.configure(name, payload as QueuePolicy, { by }));
          return json({ ordered: true });
        }),
      )
      .handle("orderQueue", ({ path: { name }, payload: { order, why = "" } }) =>
        Effect.gen(function* () {
          const dispatcher = yield* part;
          const { name: by } = yield* CurrentCaller;
          // A queue is drained when its last task has ended: nobody waits for that here.
          if (order === "drain") dispatcher.queues.drain(name, { by, why }).catch((error: unknown) => served.log({ level: "error", message: "a queue could not be drained", data: failureOf(error) }));
          else yield* calling(() => dispatcher.queues[order](name, { by, why }));
          return json({ ordered: true });
        }),
      )
      .handle("listWorkers", ({ request }) => Effect.flatMap(part, (dispatcher) => Effect.map(calling(dispatcher.workers.list), (items) => kept({ items }, request.headers["if-none-match"]))))
      .handle("orderWorker", ({ path: { id }, payload: { order } }) =>
        Effect.gen(function* () {
          const dispatcher = yield* part;
          const { name: by } = yield* CurrentCaller;
          yield* calling(() => dispatcher.workers[order](id, { by }));
          return json({ ordered: true });
        }),
      ),
  );
};
