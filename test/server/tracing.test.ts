import { AsyncLocalStorage } from "node:async_hooks";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as NodeSdk from "@effect/opentelemetry/NodeSdk";
import { type Context, type ContextManager, context as otel, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import * as Effect from "effect/Effect";
import * as ManagedRuntime from "effect/ManagedRuntime";
import { createServer } from "node:http";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { fromPromise, sendTo, setup } from "xstate";
import { currentActivity, delivered, type Dispatcher, dispatchMachines, durable, httpDestination, makeOutboxes, openDispatcher, openEngine, outboxRef } from "../../src/index.ts";
import { fromEffect } from "../../src/effect.ts";
import { listen, makeServer, makeTracing, remoteWorkers, spanNames } from "../../src/server/index.ts";
import { startWorker, type WebSocketConstructor } from "../../src/worker/index.ts";

/** A tracer whose spans are kept in memory, as any exporter of OpenTelemetry gets them. */
const traced = async () => {
  const exporter = new InMemorySpanExporter();
  const runtime = ManagedRuntime.make(NodeSdk.layer(() => ({ resource: { serviceName: "test" }, spanProcessor: new SimpleSpanProcessor(exporter) })));
  onTestFinished(() => runtime.dispose());
  const tracer = await runtime.runPromise(Effect.tracer);
  const named = (name: string) => exporter.getFinishedSpans().filter((span) => span.name === name);
  return { tracing: makeTracing({ tracer }), named, all: () => exporter.getFinishedSpans() };
};
const idOf = (span: ReadableSpan | undefined) => span?.spanContext().spanId;
const parentOf = (span: ReadableSpan | undefined) => span?.parentSpanContext?.spanId;
const headerOf = (span: ReadableSpan | undefined) => `00-${span?.spanContext().traceId}-${idOf(span)}-01`;

/** A receiver that refuses the first request, and keeps the traceparent of each. */
const receiver = async () => {
  const got: Array<string | undefined> = [];
  const server = createServer((request, response) => {
    got.push(request.headers.traceparent as string | undefined);
    request.resume();
    response.writeHead(got.length === 1 ? 503 : 200, { "retry-after": "0" }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { got, url: `http://127.0.0.1:${(server.address() as { readonly port: number }).port}` };
};

describe("server > tracing", () => {
  test("a task's life is one trace: its submission, waits, attempts on a remote worker, and deliveries", async () => {
    const { tracing, named, all } = await traced();
    const { got, url: to } = await receiver();
    const policy = { retry: { attemptsMax: 3, backoff: { kind: "fixed" as const, baseMs: 1 }, jitter: { min: 1, max: 1 } } };
    const outboxes = makeOutboxes({ results: { destination: tracing.destination(httpDestination({ url: to, allowPrivate: true })), policy } });
    const remote = remoteWorkers();
    const dispatch = dispatchMachines({ kinds: { greet: {} }, transports: { remote: tracing.transport(remote.transport) } });
    const engine = await openEngine({ machines: [], plugins: [outboxes, dispatch] });
    const stop = tracing.follow(engine);
    const plain = await openDispatcher(engine, dispatch);
    const server = makeServer({ engine, outboxes, dispatcher: tracing.dispatcher(plain), remoteWorkers: remote });
    const listening = await listen(server, { port: 0 });
    onTestFinished(async () => {
      await listening.close();
      await plain.stop();
      await engine.close({ grace: 0 });
    });
    const carried: Array<string | undefined> = [];
    const worker = startWorker({
      id: "w1",
      url: listening.url,
      WebSocket: WebSocket as unknown as WebSocketConstructor,
      kinds: {
        greet: (_: unknown, work) => {
          carried.push(work.traceparent);
          if (work.attempt === 1) throw new Error("not yet");
          return "hello";
        },
      },
    });
    onTestFinished(() => worker.close());
    const [traceId, outside] = ["ab".repeat(16), "cd".repeat(8)];
    const body = { id: "a", kind: "greet", notification: { outbox: "results" }, retry: { attemptsMax: 2, backoff: { kind: "fixed", baseMs: 1 } } };
    const headers = { "content-type": "application/json", traceparent: `00-${traceId}-${outside}-01` };
    expect((await fetch(`${listening.url}/v1/tasks`, { method: "POST", headers, body: JSON.stringify(body) })).status).toBe(201);
    await plain.whenEnded(["a"]);
    await expect.poll(() => named(spanNames.delivery).length).toBe(2);

    expect(new Set(all().map((span) => span.spanContext().traceId))).toEqual(new Set([traceId]));
    const [submit] = named(spanNames.submit);
    expect(parentOf(submit)).toBe(outside);
    expect(submit?.attributes).toMatchObject({ "taskwright.task.id": "a", "taskwright.task.kind": "greet", "taskwright.by": "local" });
    const attempts = named(spanNames.attempt);
    expect(attempts.map(({ attributes, status }) => [attributes["taskwright.attempt"], attributes["taskwright.outcome"], status.code])).toEqual([
      [1, "failed", 2],
      [2, "succeeded", 1],
    ]);
    expect(attempts.every(({ events }) => events.some(({ name }) => name === "accepted"))).toBe(true);
    expect(named(spanNames.queue)).toHaveLength(2);
    for (const span of [...named(spanNames.queue), ...attempts, ...named(spanNames.delivery)]) expect(parentOf(span)).toBe(idOf(submit));
    expect(carried).toEqual(attempts.map(headerOf));
    const deliveries = named(spanNames.delivery);
    expect(deliveries.map(({ attributes, status }) => [attributes["taskwright.verdict"], status.code])).toEqual([
      ["retry", 2],
      ["delivered", 1],
    ]);
    expect(got).toEqual(deliveries.map(headerOf));

    // What is traced no more goes on, and carries what is stored with it.
    stop();
    const count = all().length;
    await plain.submit({ ...body, id: "b", traceparent: headers.traceparent } as never);
    await plain.whenEnded(["b"]);
    expect(all().filter(({ name }) => name === spanNames.queue)).toHaveLength(2);
    expect(all().length).toBeGreaterThanOrEqual(count);
  });

  test("the activities and deliveries of any other actor are one trace", async () => {
    const { tracing, named } = await traced();
    let tries = 0;
    const work = async () => {
      if (++tries === 1) throw new Error("not yet");
      return 1;
    };
    const order = setup({
      actors: { work: fromPromise(work) },
      actions: { tell: sendTo(outboxRef("outside"), { type: "ENQUEUE", entries: [{ key: "k", type: "told", payload: 1 }] }) },
    }).createMachine({ id: "order", version: "1", initial: "on", states: { on: { invoke: { src: "work", onDone: "off" } }, off: { type: "final", entry: "tell" } } });
    const outboxes = makeOutboxes({ outside: { destination: tracing.destination(() => delivered) } });
    const activities = { work: { retry: { attemptsMax: 2, backoff: { kind: "fixed" as const, baseMs: 1 }, jitter: { min: 1, max: 1 } } } };
    const engine = await openEngine({ machines: [durable(order, { activities })], plugins: [outboxes] });
    onTestFinished(() => engine.close({ grace: 0 }));
    tracing.follow(engine);
    await engine.start("order", "1");
    await expect.poll(() => named(spanNames.delivery).length).toBe(1);
    const runs = named(spanNames.activity);
    expect(runs.map(({ attributes, status }) => [attributes["taskwright.activity"], attributes["taskwright.attempt"], status.code])).toEqual([
      ["work", 1, 2],
      ["work", 2, 1],
    ]);
    const spans = [...runs, ...named(spanNames.delivery)];
    expect(new Set(spans.map((span) => span.spanContext().traceId)).size).toBe(1);
    expect(new Set(spans.map(parentOf)).size).toBe(1);
  });

  test("the span of an activity that is not wanted any more ends, and the next one at its address has a span of its own", async () => {
    const { tracing, named } = await traced();
    const carried: Array<string | undefined> = [];
    const work = fromPromise(() => {
      carried.push(currentActivity()?.traceparent);
      return new Promise(() => {});
    });
    const order = setup({ types: { events: {} as { type: "AGAIN" | "LEAVE" } }, actors: { work } }).createMachine({
      id: "order",
      version: "1",
      initial: "on",
      states: { on: { invoke: { src: "work", id: "work" }, on: { AGAIN: { target: "on", reenter: true }, LEAVE: "off" } }, off: {} },
    });
    const engine = await openEngine({ machines: [order] });
    onTestFinished(() => engine.close({ grace: 0 }));
    tracing.follow(engine);
    const { at } = await engine.start("order", "1");
    await expect.poll(() => Date.now()).toBeGreaterThan(at);
    await engine.send("order/1", { type: "AGAIN" });
    await engine.send("order/1", { type: "LEAVE" });
    await engine.settled();
    const runs = named(spanNames.activity);
    expect(runs.map(({ status }) => [status.code, status.message])).toEqual(new Array(2).fill([2, "it is not wanted any more"]));
    expect(carried).toEqual(runs.map(headerOf));
    expect(new Set(carried).size).toBe(2);
  });

  test("what an activity does is below its span: spans of its effects, the active span of its promises, what it hands on", async () => {
    const { tracing, named } = await traced();
    const active = new AsyncLocalStorage<Context>();
    const manager: ContextManager = {
      active: () => active.getStore() ?? ROOT_CONTEXT,
      with: (context, call, self, ...args) => active.run(context, () => call.apply(self, args)),
      bind: (_, target) => target,
      enable: () => manager,
      disable: () => manager,
    };
    otel.setGlobalContextManager(manager);
    onTestFinished(() => otel.disable());
    const handed: Array<string | undefined> = [];
    const charge = fromEffect((_: undefined, { traceparent, attempt }) => {
      handed.push(traceparent);
      const call = Effect.withSpan(Effect.sleep(1), "call the bank");
      return attempt === 1 ? Effect.zipRight(call, Effect.fail(new Error("not yet"))) : call;
    });
    const mail = fromPromise(async () => {
      await Promise.resolve();
      handed.push(currentActivity()?.traceparent);
      const span = trace.getActiveSpan()?.spanContext();
      return span?.spanId;
    });
    const fail = fromPromise(() => {
      throw new Error("at once");
    });
    const order = setup({ actors: { charge, mail, fail } }).createMachine({
      id: "order",
      version: "1",
      initial: "charging",
      states: {
        charging: { invoke: { src: "charge", onDone: "mailing" } },
        mailing: { invoke: { src: "mail", onDone: { target: "failing" } } },
        failing: { invoke: { src: "fail", onError: "done" } },
        done: { type: "final" },
      },
    });
    const activities = { charge: { retry: { attemptsMax: 2, backoff: { kind: "fixed" as const, baseMs: 1 }, jitter: { min: 1, max: 1 } } } };
    const engine = await openEngine({ machines: [durable(order, { activities })] });
    onTestFinished(() => engine.close({ grace: 0 }));
    const stop = tracing.follow(engine);
    await engine.start("order", "1");
    await engine.waitFor("order/1", ({ status }) => status === "done");
    const runs = named(spanNames.activity);
    expect(runs.map(({ attributes, status }) => [attributes["taskwright.activity"], attributes["taskwright.attempt"], status.code])).toEqual([
      ["charge", 1, 2],
      ["charge", 2, 1],
      ["mail", 1, 1],
      ["fail", 1, 2],
    ]);
    expect(named("call the bank").map(parentOf)).toEqual(runs.slice(0, 2).map(idOf));
    expect(handed).toEqual(runs.slice(0, 3).map(headerOf));
    const [reported] = (await engine.history("order/1")).filter(({ event }) => event.type.startsWith("xstate.done.actor.") || event.type === "taskwright.done").slice(1);
    expect(JSON.stringify(reported)).toContain(idOf(runs[2]));
    // One that is not traced any more has no span.
    stop();
    await engine.start("order", "2");
    await engine.waitFor("order/2", ({ status }) => status === "done");
    expect(handed.slice(3)).toEqual([undefined, undefined, undefined]);
    expect(named(spanNames.activity)).toHaveLength(4);
  });

  test("a task's trace goes on in the next process, from what is stored", async () => {
    const folder = mkdtempSync(join(tmpdir(), "taskwright-tracing-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const life = async (run: () => unknown, work: (dispatcher: Dispatcher) => Promise<unknown>) => {
      const { tracing, named, all } = await traced();
      const outboxes = makeOutboxes({ results: { destination: tracing.destination(() => delivered) } });
      const dispatch = dispatchMachines({ kinds: { greet: { run, defaults: { retry: { attemptsMax: 3, backoff: { kind: "fixed", baseMs: 1 } } } } } });
      const engine = await openEngine({ database: join(folder, "work.db"), machines: [], plugins: [outboxes, dispatch] });
      const stop = tracing.follow(engine);
      const dispatcher = tracing.dispatcher(await openDispatcher(engine, dispatch, { slots: 1 }));
      await work(dispatcher);
      await dispatcher.stop();
      await engine.close({ grace: 0 });
      stop();
      return { named, all };
    };
    let begin = () => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const first = await life(
      () => {
        begin();
        return new Promise(() => {});
      },
      async (dispatcher) => {
        await dispatcher.submit({ id: "a", kind: "greet", notification: { outbox: "results" } });
        await begun;
      },
    );
    const second = await life(
      () => "hello",
      (dispatcher) => dispatcher.whenEnded(["a"]),
    );
    const [submit] = first.named(spanNames.submit);
    expect(first.named(spanNames.attempt)).toHaveLength(1);
    expect(second.named(spanNames.submit)).toEqual([]);
    expect(second.named(spanNames.attempt).map(({ attributes }) => attributes["taskwright.outcome"])).toContain("succeeded");
    expect(second.named(spanNames.delivery)).toHaveLength(1);
    for (const span of [...first.all(), ...second.all()]) expect(span.spanContext().traceId).toBe(submit?.spanContext().traceId);
    for (const span of [...second.named(spanNames.attempt), ...second.named(spanNames.delivery)]) expect(parentOf(span)).toBe(idOf(submit));
  });

  test("a traceparent that is none is refused where a task says it, and passed over where a request does", async () => {
    const dispatch = dispatchMachines({ kinds: { greet: {} } });
    const engine = await openEngine({ machines: [], plugins: [dispatch] });
    const dispatcher = await openDispatcher(engine, dispatch);
    onTestFinished(async () => {
      await dispatcher.stop();
      await engine.close({ grace: 0 });
    });
    await expect(dispatcher.submit({ kind: "greet", traceparent: "00-0-0-01" })).rejects.toMatchObject({ _tag: "InvalidTask" });
    const server = makeServer({ engine, dispatcher });
    const request = new Request("http://127.0.0.1/v1/tasks", {
      method: "POST",
      headers: { "content-type": "application/json", traceparent: "nonsense\u0020" },
      body: JSON.stringify({ id: "a", kind: "greet" }),
    });
    expect((await server.fetch(request, { peer: "127.0.0.1" })).status).toBe(201);
    expect((await dispatcher.get("a"))?.spec.traceparent).toBeUndefined();
  });
});
