import * as Metric from "effect/Metric";
import type { Limits } from "../domain/limits.ts";

/** How often each limit refused something, or made something go: in this process, and as a metric. */
export const limitReached = Metric.counter("taskwright_limit_reached_total", { description: "How often a limit was reached, by the limit's name.", incremental: true });

export class Refusals {
  readonly counts: Partial<Record<keyof Limits, number>> = {};
  readonly #metrics = new Map<keyof Limits, { readonly unsafeUpdate: (input: number, tags: readonly []) => void }>();

  readonly reached = (limit: keyof Limits, times = 1): void => {
    this.counts[limit] = (this.counts[limit] ?? 0) + times;
    let metric = this.#metrics.get(limit);
    if (metric === undefined) {
      metric = Metric.tagged(limitReached, "limit", limit);
      this.#metrics.set(limit, metric);
    }
    metric.unsafeUpdate(times, []);
  };
}
