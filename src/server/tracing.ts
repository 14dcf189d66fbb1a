import { createHash } from "node:crypto";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Option from "effect/Option";
import * as Tracer from "effect/Tracer";
import type { ActivityContext } from "../../machines/activity.ts";
import type { AssignmentContext } from "../../machines/assignment.ts";
import type { Answer, Destination, DeliveryAttempt, Entry } from "../delivery/index.ts";
import type { Dispatcher, Offer, SubmitOptions, Submitted, TaskSpec, WorkerTransport } from "../dispatch/index.ts";
import type { Verdict } from "../domain/outbox.ts";
import { isTraceparent, placeOf, traceparentIn, traceparentOf } from "../domain/traceparent.ts";
import { type AttemptTrace, type Engine, type EngineCore, systemTime, type Taskwright, type Time, type Transition } from "../engine/index.ts";

/** The names of the spans: a contract, see docs/operating/observability.md. */
export const spanNames = { submit: "taskwright.submit", queue: "taskwright.queue", attempt: "taskwright.attempt", activity: "taskwright.activity", delivery: "taskwright.delivery" } as const;

export interface TracingOptions {
  /** Effect's tracer, whatever exports its spans: `yield* Effect.tracer` below the layer of `@effect/opentelemetry`. */
  readonly tracer: Tracer.Tracer;
  /** Names this journal among those that are traced together: what carries no trace context gets a trace made from this name and its address. Default "taskwright". */
  readonly name?: string;
  readonly time?: Time;
}

/**
 * Spans of what an engine does, made from what it has stored: without it nothing is traced, and nothing costs. A task's
 * life is one trace: its context is stored with the task, so it goes on after a restart, on remote workers and in deliveries.
 */
export interface Tracing {
  /** Hears an engine from now on: waits in queues, attempts and activities. Returns how to stop; spans that are open end then. */
  readonly follow: (engine: Taskwright | Engine) => () => void;
  /** The same dispatcher, with a span for each task that is submitted. Its context is stored with the task. */
  readonly dispatcher: (dispatcher: Dispatcher) => Dispatcher;
  /** The same transport; its offers carry the span of their attempt. Give it to `dispatchMachines`. */
  readonly transport: (transport: WorkerTransport) => WorkerTransport;
  /** The same destination, with a span for each attempt to deliver. */
  readonly destination: (destination: Destination) => Destination;
}

interface Begun {
  readonly span: Tracer.Span;
  isAccepted: boolean;
}

/** Entries of actors that are remembered until they are delivered; the oldest are forgotten beyond it, and begin a trace of their own. */
const entriesMax = 10_000;

export const makeTracing = ({ tracer, name = "taskwright", time = systemTime() }: TracingOptions): Tracing => {
  /** Since when a task waits in its queue. */
  const queued = new Map<string, number>();
  /** Attempts of tasks and activities that are under way, by address and number. */
  const open = new Map<string, Begun>();
  /** Whose trace an entry belongs to, where its payload does not say. */
  const senders = new Map<string, Tracer.AnySpan>();

  const begin = (span: string, parent: Tracer.AnySpan | undefined, at: number, kind: Tracer.SpanKind, attributes: Readonly<Record<string, unknown>>): Tracer.Span => {
    const made = tracer.span(span, Option.fromNullable(parent), Context.empty(), [], nanoseconds(at), kind);
    for (const [key, value] of Object.entries(attributes)) if (value !== undefined && value !== null) made.attribute(`taskwright.${key}`, value);
    return made;
  };
  const external = (traceparent: string | undefined): Tracer.ExternalSpan | undefined => {
    const place = placeOf(traceparent);
    return place === undefined ? undefined : Tracer.externalSpan(place);
  };
  /** The trace of what carries none: the same after a restart, because nothing but the address goes into it. */
  const derived = (address: string): Tracer.ExternalSpan => {
    const [machine = "", id = ""] = address.split("/");
    const digest = createHash("sha256").update(`${name}\n${machine}/${id}`).digest("hex");
    return Tracer.externalSpan({ traceId: digest.slice(0, 32), spanId: digest.slice(32, 48), sampled: true });
  };

  // --- attempts of tasks -------------------------------------------------------------------------------------------
  const attempt = (
    address: string,
    { attempt: number, worker, work }: Pick<AssignmentContext, "attempt" | "worker"> & { readonly work: Pick<AssignmentContext["work"], "task" | "kind" | "traceparent"> },
    at: number,
  ): Begun => {
    const key = `${address}#${number}`;
    const known = open.get(key);
    if (known !== undefined) return known;
    const span = begin(spanNames.attempt, external(work.traceparent) ?? derived(address), at, "consumer", { "task.id": work.task, "task.kind": work.kind, attempt: number, worker });
    const made = { span, isAccepted: false };
    open.set(key, made);
    return made;
  };
  const hearAssignment = ({ address, at, status, state }: Transition) => {
    const context = state.snapshot.context as unknown as AssignmentContext;
    if (status === "active") {
      const begun = attempt(address, context, at);
      if (context.acceptedAt === null || begun.isAccepted) return;
      begun.isAccepted = true;
      begun.span.event("accepted", nanoseconds(at));
      return;
    }
    const key = `${address}#${context.attempt}`;
    const { span } = open.get(key) ?? attempt(address, context, at);
    open.delete(key);
    const outcome = context.outcome ?? status;
    span.attribute("taskwright.outcome", outcome);
    span.end(nanoseconds(at), outcome === "succeeded" || outcome === "asked" ? Exit.void : failed(context.failure?.message ?? outcome));
  };
  const hearTask = ({ address, at, state, status }: Transition) => {
    const { value, context } = state.snapshot as unknown as { readonly value: unknown; readonly context: { readonly spec: TaskSpec } };
    const since = queued.get(address);
    if (value === "queued" && status === "active") {
      if (since === undefined) queued.set(address, at);
      return;
    }
    if (since === undefined) return;
    queued.delete(address);
    const { spec } = context;
    begin(spanNames.queue, external(spec.traceparent) ?? derived(address), since, "internal", { "task.id": spec.id, "task.kind": spec.kind, queue: spec.queue }).end(nanoseconds(at), Exit.void);
  };

  // --- activities and entries of other actors ----------------------------------------------------------------------
  /** The next activity at the address counts its attempts anew, and began later. */
  const keyOf = (address: string, { firstAt }: Pick<ActivityContext, "firstAt">, attempt: number) => `${address}#${firstAt}#${attempt}`;
  const activity = (address: string, context: ActivityContext, at: number): Begun => {
    const { machine, src, attempt: number } = context;
    const key = keyOf(address, context, number);
    const known = open.get(key);
    if (known !== undefined) return known;
    const made = { span: begin(spanNames.activity, derived(address), at, "internal", { address, machine, activity: src, attempt: number }), isAccepted: true };
    open.set(key, made);
    return made;
  };
  /** The code of an attempt begins before anybody hears that it was stored. */
  const traceAttempt = (address: string, context: ActivityContext): AttemptTrace => {
    const { span } = activity(address, context, time.now());
    return { traceparent: traceparentOf(span), within: (effect) => Effect.withParentSpan(Effect.withTracer(effect, tracer), span) };
  };
  const hearActivity = ({ address, at, state, status }: Transition) => {
    const { value, context } = state.snapshot as unknown as { readonly value: unknown; readonly context: ActivityContext };
    const key = keyOf(address, context, context.attempt);
    const before = keyOf(address, context, context.attempt - 1);
    // One that was interrupted begins again at once.
    open.get(before)?.span.end(nanoseconds(at), failed("the attempt was interrupted"));
    open.delete(before);
    if (status === "active" && typeof value === "object" && value !== null && "running" in value) {
      activity(address, context, at);
      return;
    }
    const begun = open.get(key);
    if (begun === undefined) return;
    open.delete(key);
    begun.span.end(
      nanoseconds(at),
      value === "succeeded" ? Exit.void : failed(status === "stopped" ? "it is not wanted any more" : (context.failure?.message ?? "the attempt ended without a result")),
    );
  };
  const hearOutbox = ({ address, from, event }: Transition) => {
    if (event.type !== "ENQUEUE" || !from.includes("/")) return;
    for (const { key, payload } of (event as unknown as { readonly entries?: ReadonlyArray<{ readonly key?: string; readonly payload?: unknown }> }).entries ?? []) {
      if (key === undefined || traceparentIn(payload) !== undefined) continue;
      if (senders.size >= entriesMax) senders.delete(senders.keys().next().value as string);
      senders.set(`${address} ${key}`, derived(from));
    }
  };
  const heard: Readonly<Record<string, (transition: Transition) => void>> = { task: hearTask, assignment: hearAssignment, activity: hearActivity, outbox: hearOutbox };

  return {
    follow: (given) => {
      const engine = ("effect" in given ? given.effect : given) as EngineCore;
      // What came too late is recorded as well, and changes nothing.
      const stop = engine.observe((transition) => transition.outcome === "handled" && heard[transition.machine]?.(transition));
      // What an earlier process began, or this one before anybody listened.
      Effect.runCallback(
        Effect.flatMap(engine.list({ machine: "assignment", status: "active", limit: 10_000 }), (found) =>
          Effect.sync(() => {
            for (const { address, context, createdAt } of found) attempt(address, context as AssignmentContext, createdAt);
          }),
        ),
      );
      const stopAttempts = engine.traceAttempts(traceAttempt);
      return () => {
        stop();
        stopAttempts();
        for (const { span } of open.values()) span.end(nanoseconds(time.now()), failed("the tracing was stopped"));
        open.clear();
        queued.clear();
      };
    },
    dispatcher: (dispatcher) => {
      const submit = async (specs: ReadonlyArray<TaskSpec>, options?: SubmitOptions): Promise<ReadonlyArray<Submitted>> => {
        const at = time.now();
        const spans = specs.map(({ traceparent, kind }) => begin(spanNames.submit, external(traceparent), at, "producer", { "task.kind": kind ?? "command", by: options?.by }));
        const end = (exit: Exit.Exit<unknown, unknown>) => {
          for (const span of spans) span.end(nanoseconds(time.now()), exit);
        };
        try {
          const submitted = await dispatcher.submit(
            // One that is none is left where it is, to be refused.
            specs.map((spec, index) => (spec.traceparent === undefined || isTraceparent(spec.traceparent) ? { ...spec, traceparent: traceparentOf(spans[index] as Tracer.Span) } : spec)),
            options,
          );
          for (const [index, { id, duplicate }] of submitted.entries()) {
            spans[index]?.attribute("taskwright.task.id", id);
            if (duplicate) spans[index]?.attribute("taskwright.duplicate", true);
          }
          end(Exit.void);
          return submitted;
        } catch (error) {
          end(failed(error instanceof Error ? error.message : String(error)));
          throw error;
        }
      };
      const one = async (spec: TaskSpec, options?: SubmitOptions) => (await submit([spec], options))[0] as Submitted;
      return {
        ...dispatcher,
        submit: ((given: TaskSpec | ReadonlyArray<TaskSpec>, options?: SubmitOptions) => (Array.isArray(given) ? submit(given, options) : one(given as TaskSpec, options))) as Dispatcher["submit"],
      };
    },
    transport: (transport) => ({
      ...transport,
      offer: (offer: Offer) => {
        const { span } = attempt(offer.assignment, { attempt: offer.attempt, worker: offer.worker, work: offer }, time.now());
        transport.offer({ ...offer, traceparent: traceparentOf(span) });
      },
    }),
    destination: (destination) => (entry, told) => {
      const sender = `${entry.outbox} ${entry.key}`;
      const send = (parent: Tracer.AnySpan | undefined): ReturnType<Destination> => {
        const { outbox, key, type, lane } = entry;
        const span = begin(spanNames.delivery, parent, time.now(), "client", { outbox, key, type, lane, attempt: told.attempt });
        const end = (verdict: Verdict) => {
          if (verdict.verdict !== "retry" && verdict.verdict !== "unknown") senders.delete(sender);
          span.attribute("taskwright.verdict", verdict.verdict);
          span.end(nanoseconds(time.now()), verdict.verdict === "delivered" ? Exit.void : failed("reason" in verdict ? verdict.reason : verdict.verdict));
        };
        return ending(destination, entry, carrying(told, traceparentOf(span)), end);
      };
      const own = external(traceparentIn(entry.payload));
      // An entry may be sent by the very turn that stored it, before anybody heard who put it there.
      return own === undefined ? Promise.resolve().then(() => awaited(send(senders.get(sender)))) : send(own);
    },
  };
};

const nanoseconds = (at: number): bigint => BigInt(Math.floor(at)) * 1_000_000n;
const failed = (message: string): Exit.Exit<never, Error> => Exit.fail(new Error(message));

/** The attempt as its destination sees it, with its span. Its signal is made where somebody looks at it. */
const carrying = (told: DeliveryAttempt, traceparent: string): DeliveryAttempt => ({
  attempt: told.attempt,
  get signal() {
    return told.signal;
  },
  traceparent,
});

/** What a destination answers, as a promise can carry it. */
const awaited = (answer: ReturnType<Destination>): PromiseLike<Answer> | Answer => (Effect.isEffect(answer) ? Effect.runPromise(answer as Effect.Effect<Answer, unknown>) : (answer as Answer));

/** Asks a destination, and hears what came of it, in whichever form it answers. */
const ending = (destination: Destination, entry: Entry, told: DeliveryAttempt, end: (verdict: Verdict) => void): ReturnType<Destination> => {
  const answered = (verdict?: Verdict) => end(verdict ?? { verdict: "delivered" });
  const threw = (error: unknown) => end({ verdict: "retry", reason: error instanceof Error ? error.message : String(error) });
  let answer: ReturnType<Destination>;
  try {
    answer = destination(entry, told);
  } catch (error) {
    threw(error);
    throw error;
  }
  if (Effect.isEffect(answer))
    return Effect.onExit(answer as Effect.Effect<Verdict | undefined, unknown>, (exit) => Effect.sync(() => (Exit.isSuccess(exit) ? answered(exit.value) : threw(exit.cause))));
  if (typeof (answer as PromiseLike<Verdict> | undefined)?.then === "function") (answer as PromiseLike<Verdict>).then(answered, threw);
  else answered(answer as Verdict | undefined);
  return answer;
};
