import * as Effect from "effect/Effect";
import type { Dispatcher } from "../dispatch/index.ts";
import type { Outboxes } from "../delivery/index.ts";
import type { EngineCore } from "../engine/index.ts";

interface Counted {
  readonly dispatcher: Dispatcher | undefined;
  readonly outboxes: Outboxes | undefined;
  /** Answers by status. */
  readonly answered: ReadonlyMap<number, number>;
  readonly subscribers: number;
  readonly dropped: number;
}

type Labels = Readonly<Record<string, string | number>>;
/** One metric with its values now. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  readonly values: ReadonlyArray<readonly [labels: Labels, value: number]>;
}

/** What is used of a `Meter` of `@opentelemetry/api`, version 1. */
export interface MeterLike<Observable> {
  readonly createObservableGauge: (name: string, options: { readonly description: string }) => Observable;
  readonly createObservableCounter: (name: string, options: { readonly description: string }) => Observable;
  readonly addBatchObservableCallback: (observe: BatchCallback<Observable>, observables: Array<Observable>) => void;
  readonly removeBatchObservableCallback: (observe: BatchCallback<Observable>, observables: Array<Observable>) => void;
}
type BatchCallback<Observable> = (result: { readonly observe: (observable: Observable, value: number, attributes: Record<string, string | number>) => void }) => Promise<void>;

/** Has a meter of OpenTelemetry read the metrics each time that it collects, under the names of `/metrics`. Answers how to end that. */
export const observeMetrics = async <Observable>(read: () => Promise<ReadonlyArray<Metric>>, meter: MeterLike<Observable>): Promise<() => void> => {
  const observables = new Map(
    (await read()).map(({ name, help, type }) => [name, type === "counter" ? meter.createObservableCounter(name, { description: help }) : meter.createObservableGauge(name, { description: help })]),
  );
  const observe: BatchCallback<Observable> = async (result) => {
    for (const { name, values } of await read()) {
      const observable = observables.get(name);
      if (observable !== undefined) for (const [labels, value] of values) result.observe(observable, value, { ...labels });
    }
  };
  meter.addBatchObservableCallback(observe, [...observables.values()]);
  return () => meter.removeBatchObservableCallback(observe, [...observables.values()]);
};

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
const labelText = (labels: Labels): string => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(String(value))}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
};

/** What `/metrics` tells, in the text format of Prometheus. The names are a contract: docs/operating/observability.md lists them. */
export const metricsText = (metrics: ReadonlyArray<Metric>): string =>
  metrics.map(({ name, help, type, values }) => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${values.map(([labels, value]) => `${name}${labelText(labels)} ${value}\n`).join("")}`).join("");

/** Everything that is counted, read now. */
export const metricsOf = async (engine: EngineCore, { answered, subscribers, dropped, dispatcher, outboxes }: Counted): Promise<ReadonlyArray<Metric>> => {
  const status = engine.status();
  const counts = await Effect.runPromise(Effect.orElseSucceed(engine.counts, () => []));
  const letters = await Effect.runPromise(Effect.orElseSucceed(engine.deadLetterCount, () => undefined));
  const states = ["recovering", "running", "degraded", "draining", "suspending", "stopped"];
  return [
    { name: "taskwright_engine_state", help: "1 for the state that the engine is in.", type: "gauge", values: states.map((state) => [{ state }, state === status.state ? 1 : 0]) },
    { name: "taskwright_engine_waiting", help: "Envelopes that wait for a turn.", type: "gauge", values: [[{}, status.waiting]] },
    { name: "taskwright_engine_activities", help: "Activities that run.", type: "gauge", values: [[{}, status.activities]] },
    { name: "taskwright_engine_residents", help: "Actors in memory.", type: "gauge", values: [[{}, status.residents]] },
    { name: "taskwright_turns_total", help: "Turns that were stored.", type: "counter", values: [[{}, status.turns]] },
    { name: "taskwright_transitions_total", help: "Transitions that were stored.", type: "counter", values: [[{}, status.transitions]] },
    { name: "taskwright_limits_reached_total", help: "How often each limit was reached.", type: "counter", values: Object.entries(status.refused).map(([limit, count]) => [{ limit }, count ?? 0]) },
    { name: "taskwright_actors", help: "Actors by machine and status.", type: "gauge", values: counts.map(({ machine, status, count }) => [{ machine, status }, count]) },
    { name: "taskwright_dead_letters", help: "Dead letters that nobody has taken.", type: "gauge", values: letters === undefined ? [] : [[{}, letters]] },
    { name: "taskwright_http_responses_total", help: "Answers of the server by status.", type: "counter", values: [...answered].map(([code, count]) => [{ status: code }, count]) },
    { name: "taskwright_http_subscribers", help: "Event streams that are open.", type: "gauge", values: [[{}, subscribers]] },
    { name: "taskwright_http_subscribers_dropped_total", help: "Event streams that ended because their reader was too slow.", type: "counter", values: [[{}, dropped]] },
    ...(dispatcher === undefined ? [] : await workOf(dispatcher)),
    ...(outboxes === undefined ? [] : [await entriesOf(engine, outboxes)]),
  ];
};

/** What waits, runs and works; nothing where there is no such part. Reads that fail leave their metric without values. */
const workOf = async (dispatcher: Dispatcher): Promise<ReadonlyArray<Metric>> => {
  const [queues, workers] = await Promise.all([dispatcher.queues.list(), dispatcher.workers.list()]).catch(() => [[], []]);
  const states = new Map<string, number>();
  for (const { state } of workers) states.set(state, (states.get(state) ?? 0) + 1);
  return [
    { name: "taskwright_tasks_waiting", help: "Tasks that wait for a worker, by queue.", type: "gauge", values: queues.map(({ name: queue, waiting }) => [{ queue }, waiting]) },
    { name: "taskwright_tasks_running", help: "Tasks that a worker has, by queue.", type: "gauge", values: queues.map(({ name: queue, running }) => [{ queue }, running]) },
    { name: "taskwright_workers", help: "Workers by state.", type: "gauge", values: [...states].map(([state, count]) => [{ state }, count]) },
    { name: "taskwright_worker_slots", help: "Slots of all workers.", type: "gauge", values: [[{}, workers.reduce((sum, { slots }) => sum + slots, 0)]] },
    { name: "taskwright_worker_slots_used", help: "Slots that tasks take.", type: "gauge", values: [[{}, workers.reduce((sum, { used }) => sum + used, 0)]] },
  ];
};

/** Outboxes beyond this many have no values: a scrape must not read thousands. */
const outboxesMax = 100;

const entriesOf = async (engine: EngineCore, outboxes: Outboxes): Promise<Metric> => {
  const counted = Effect.flatMap(engine.list({ machine: "outbox", parent: 0, limit: outboxesMax }), (found) =>
    Effect.forEach(found, ({ address }) => {
      const outbox = address.slice(address.indexOf("/") + 1);
      return Effect.map(outboxes.counts(outbox), (counts) => Object.entries(counts).map(([status, count]) => [{ outbox, status }, count as number] as const));
    }),
  );
  const values = (await Effect.runPromise(Effect.orElseSucceed(counted, () => []))).flat();
  return { name: "taskwright_outbox_entries", help: "Entries of outboxes by status.", type: "gauge", values };
};
