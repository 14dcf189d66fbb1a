import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { spawn, type SpawnContext, type SpawnEvent, type SpawnInput } from "../../machines/spawn.ts";
import { done, elapsed, failed, type Stimulus } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, describeWalk, to } from "./table.ts";

const chart = new Chart(spawn, []);
const input: SpawnInput = { request: "r", endpoint: "endpoint/e", spec: null, timeoutMs: 60_000 };
const attached = { type: "ATTACHED" } as const;
const broken = { name: "Error", message: "no such program" };
const driven = done("drive", { pid: 7 });

describe("machines > spawn", () => {
  describeTable<SpawnEvent>(chart, {
    input,
    samples: { ATTACHED: attached },
    rows: {
      "pending.driving": {
        way: [],
        // It may attach before the driver has come back.
        on: { ATTACHED: to("attached", attached) },
        after: { spawnTimeout: to("timedOut", elapsed("spawnTimeout")) },
        children: { "done drive": to("pending.awaited", driven), "error drive": to("failed", failed("drive", broken)) },
      },
      "pending.awaited": { way: [driven], on: { ATTACHED: to("attached", attached) }, after: { spawnTimeout: to("timedOut", elapsed("spawnTimeout")) } },
      attached: { way: [attached], over: "its endpoint is there" },
      failed: { way: [failed("drive", broken)], over: "the driver could not start it" },
      timedOut: { way: [elapsed("spawnTimeout")], over: "nobody waits for it any more" },
    },
  });

  const told = (...stimuli: ReadonlyArray<Stimulus>) => {
    const actor = chart.begin(input);
    for (const stimulus of stimuli) actor.tell(stimulus);
    return actor;
  };
  test("what did not start is told to the endpoint, with the reason", () => {
    expect(told(driven).context<SpawnContext>()).toMatchObject({ started: { pid: 7 }, failure: null });
    expect(told(failed("drive", broken)).context<SpawnContext>().failure).toMatchObject({ code: "spawn_failed", message: "no such program" });
    expect(told(driven, elapsed("spawnTimeout")).context<SpawnContext>().failure).toMatchObject({ code: "spawn_timed_out" });
    expect(told(failed("drive", broken)).sent).toEqual(["START_FAILED"]);
    expect(told(failed("drive", broken)).commands).toContainEqual(
      expect.objectContaining({ event: { type: "START_FAILED", spawn: chart.begin(input).state.self.address, reason: "no such program" } }),
    );
    expect(told(attached).sent).toEqual([]);
  });

  describeWalk<SpawnContext>(chart, {
    input: fc.constant(input),
    told: fc.constant(() => attached),
    outputs: { drive: fc.constant({ pid: 7 }) },
    invariants: { "one that failed says why": ({ state, context }) => !["failed", "timedOut"].includes(state) || context.failure !== null },
  });

  describeCoverage(chart);
});
