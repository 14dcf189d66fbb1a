import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { describe, expect, onTestFinished, test } from "vitest";
import { stand } from "./stand.ts";

/** A meter whose metrics are kept in memory, as any exporter of OpenTelemetry gets them. */
const metered = () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const provider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000, exportTimeoutMillis: 60_000 })] });
  onTestFinished(() => provider.shutdown());
  /** Collects now; the values by name, with their labels. */
  const collect = async () => {
    exporter.reset();
    await provider.forceFlush();
    const metrics = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
    return new Map(metrics.map(({ descriptor, dataPoints }) => [descriptor.name, dataPoints.map(({ attributes, value }) => ({ attributes, value }))]));
  };
  return { meter: provider.getMeter("taskwright"), collect };
};

describe("server > metrics of OpenTelemetry", () => {
  test("a meter is told the metrics of /metrics, as they are when it collects, until it is let go", async () => {
    const { engine, server, url } = await stand();
    const { meter, collect } = metered();
    const stop = await server.observe(meter);
    await engine.start("counter", "1");
    await engine.send("counter/1", { type: "ADD" });
    const seen = await collect();
    expect(seen.get("taskwright_actors")).toContainEqual({ attributes: { machine: "counter", status: "active" }, value: 1 });
    expect(seen.get("taskwright_engine_state")).toContainEqual({ attributes: { state: "running" }, value: 1 });
    const before = seen.get("taskwright_transitions_total")?.[0]?.value as number;
    await engine.send("counter/1", { type: "ADD" });
    expect((await collect()).get("taskwright_transitions_total")).toEqual([{ attributes: {}, value: before + 1 }]);
    // Whatever has a value there has it here.
    const text = await (await fetch(`${url}/metrics`)).text();
    const told = new Set([...text.matchAll(/^(taskwright_\w+)[{ ]/gm)].map(([, name]) => name));
    const again = await collect();
    expect([...told].filter((name) => !again.has(name ?? "")).sort()).toEqual([]);
    expect(told.size).toBeGreaterThan(8);
    stop();
    await engine.send("counter/1", { type: "ADD" });
    // An SDK may go on to tell the last values.
    expect((await collect()).get("taskwright_transitions_total")?.[0]?.value ?? before + 1).toBe(before + 1);
  });
});
