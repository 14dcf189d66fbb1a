import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type QueueContext, type QueueEvent, type QueuePolicy, queue, rateLeft } from "../../machines/queue.ts";
import { elapsed, type Stimulus } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, describeWalk, ignored, to } from "./table.ts";

const chart = new Chart(queue, []);
const policy: QueuePolicy = { rate: { tasksMax: 3, perMs: 60_000 } };
const input = { policy };

const order = { by: "tester", why: "on purpose" };
const pause = { type: "PAUSE", ...order } as const;
const resume = { type: "RESUME", ...order } as const;
const drain = { type: "DRAIN", ...order } as const;
const configure = (rate: QueuePolicy["rate"] = { tasksMax: 9, perMs: 1_000 }) => ({ type: "CONFIGURE", policy: { rate }, at: 0 }) as QueueEvent;
const gave = (count = 1, at = 0): QueueEvent => ({ type: "GAVE", count, at });

const giving = (state: string, other: string) => ({
  GAVE: [to(`${state}.giving`, gave()), to(`${state}.pacing`, gave(3))],
  CONFIGURE: to(`${state}.giving`, configure()),
  PAUSE: to("paused", pause),
  [other]: other === "DRAIN" ? to("draining.giving", drain) : to("open.giving", resume),
});
const pacing = (state: string, other: string) => ({
  // What was given out while the queue heard of the one before.
  GAVE: to(`${state}.pacing`, gave()),
  CONFIGURE: [to(`${state}.giving`, configure()), to(`${state}.pacing`, configure({ tasksMax: 2, perMs: 60_000 }))],
  PAUSE: to("paused", pause),
  [other]: other === "DRAIN" ? to("draining.pacing", drain) : to("open.pacing", resume),
});

describe("machines > queue", () => {
  describeTable<QueueEvent>(chart, {
    input,
    samples: { CONFIGURE: configure() as Extract<QueueEvent, { type: "CONFIGURE" }>, GAVE: gave() as Extract<QueueEvent, { type: "GAVE" }>, PAUSE: pause, RESUME: resume, DRAIN: drain } as never,
    rows: {
      "open.giving": { way: [], on: { ...giving("open", "DRAIN"), RESUME: ignored("it is open", resume) } as never },
      "open.pacing": {
        way: [gave(3)],
        on: { ...pacing("open", "DRAIN"), RESUME: ignored("it is open", resume) } as never,
        after: { pace: [to("open.giving", elapsed("pace")), to("open.pacing", elapsed("pace"), { way: [gave(1, 0), gave(3, 50_000)] })] },
      },
      paused: {
        way: [pause],
        on: {
          GAVE: to("paused", gave()),
          CONFIGURE: to("paused", configure()),
          PAUSE: ignored("it is paused already", pause),
          RESUME: [to("open.giving", resume), to("open.pacing", resume, { way: [gave(2), pause, gave(1)] })],
          DRAIN: to("draining.giving", drain),
        } as never,
      },
      "draining.giving": { way: [drain], on: { ...giving("draining", "RESUME"), DRAIN: ignored("it is draining", drain) } as never },
      "draining.pacing": {
        way: [drain, gave(3)],
        on: { ...pacing("draining", "RESUME"), DRAIN: ignored("it is draining", drain) } as never,
        after: { pace: to("draining.giving", elapsed("pace")) },
      },
    },
  });

  const told = (given: QueuePolicy, ...events: ReadonlyArray<Stimulus>) => {
    const actor = chart.begin({ policy: given });
    for (const event of events) actor.tell(event);
    return actor;
  };

  test("one without a rate counts nothing", () => {
    const actor = told({}, gave(1_000));
    expect([actor.value, actor.context<QueueContext>().given]).toEqual(["open.giving", []]);
  });
  test("in no stretch of its time more are given out than it allows", () => {
    const actor = told(policy, gave(1, 0), gave(1, 30_000), gave(1, 50_000));
    const waits: Array<number> = [];
    for (let round = 0; round < 4; round++) {
      expect(actor.value).toBe("open.pacing");
      const before = actor.now;
      actor.tell(elapsed("pace"));
      waits.push(actor.now - before);
      actor.tell(gave(rateLeft(actor.context<QueueContext>(), actor.context<QueueContext>().at), actor.context<QueueContext>().at));
    }
    expect(waits).toEqual([10_000, 30_000, 20_000, 10_000]);
  });

  describeWalk<QueueContext>(chart, {
    input: fc.record({ tasksMax: fc.integer({ min: 1, max: 5 }), perMs: fc.integer({ min: 100, max: 10_000 }) }).map((rate) => ({ policy: { rate } })),
    told: fc.oneof(
      // As the dispatcher does: never more than is left.
      {
        weight: 6,
        arbitrary: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.nat(5_000)).map(
          ([count, later]) =>
            (context: QueueContext) =>
              gave(Math.min(count, Math.max(0, rateLeft(context, context.at + later))), context.at + later) as Stimulus,
        ),
      },
      { weight: 1, arbitrary: fc.constantFrom<Stimulus>(pause, resume, drain).map((event) => () => event) },
    ),
    invariants: {
      "at most policy.rate.tasksMax together within policy.rate.perMs": ({ context }) => rateLeft(context, context.at) >= 0,
      "it gives nothing out while its rate is spent": ({ context, state }) => !state.endsWith("giving") || rateLeft(context, context.at) > 0,
    },
  });

  describeCoverage(chart);
});
