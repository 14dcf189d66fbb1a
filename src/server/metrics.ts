import * as Effect from "effect/Effect";
import type { Engine } from "../engine/index.ts";

interface Counted {
  /** Answers by status. */
  readonly answered: ReadonlyMap<number, number>;
  readonly subscribers: number;
  readonly dropped: number;
}

type Labels = Readonly<Record<string, string | number>>;
interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  readonly values: ReadonlyArray<readonly [labels: Labels, value: number]>;
}

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
const labelText = (labels: Labels): string => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(String(value))}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
};

/** What `/metrics` tells, in the text format of Prometheus. The names are a contract: docs/operating/observability.md lists them. */
export const metricsText = async (engine: Engine, counted: Counted): Promise<string> =>
  (await metricsOf(engine, counted))
    .map(({ name, help, type, values }) => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${values.map(([labels, value]) => `${name}${labelText(labels)} ${value}\n`).join("")}`)
    .join("");

const metricsOf = async (engine: Engine, { answered, subscribers, dropped }: Counted): Promise<ReadonlyArray<Metric>> => {
  const status = engine.status();
  const counts = await Effect.runPromise(Effect.orElseSucceed(engine.counts, () => []));
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
    { name: "taskwright_http_responses_total", help: "Answers of the server by status.", type: "counter", values: [...answered].map(([code, count]) => [{ status: code }, count]) },
    { name: "taskwright_http_subscribers", help: "Event streams that are open.", type: "gauge", values: [[{}, subscribers]] },
    { name: "taskwright_http_subscribers_dropped_total", help: "Event streams that ended because their reader was too slow.", type: "counter", values: [[{}, dropped]] },
  ];
};
