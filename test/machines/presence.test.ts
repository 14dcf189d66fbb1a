import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { presence, type PresenceContext, type PresenceEvent, type PresenceInput } from "../../machines/presence.ts";
import { elapsed, type Stimulus } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, describeWalk, ignored, to } from "./table.ts";

const chart = new Chart(presence, []);
const input: PresenceInput = { endpoint: "e", graceMs: 10_000, outbox: "outbox/up" };
const online = { type: "ONLINE" } as const;
const offline = { type: "OFFLINE" } as const;
const gone = { type: "GONE" } as const;

describe("machines > presence", () => {
  describeTable<PresenceEvent>(chart, {
    input,
    samples: { ONLINE: online, OFFLINE: offline, GONE: gone },
    rows: {
      offline: { way: [], on: { ONLINE: to("online", online), OFFLINE: ignored("everybody knows already", offline), GONE: to("gone", gone) } },
      online: { way: [online], on: { ONLINE: ignored("it is another connection of one that is there", online), OFFLINE: to("fading", offline), GONE: to("gone", gone) } },
      fading: {
        way: [online, offline],
        on: { ONLINE: to("online", online), OFFLINE: ignored("the grace counts from the first", offline), GONE: to("gone", gone) },
        after: { presenceGrace: to("offline", elapsed("presenceGrace")) },
      },
      gone: { way: [gone], over: "its endpoint was retired" },
    },
  });

  const announced = (given: PresenceInput, ...stimuli: ReadonlyArray<Stimulus>) => {
    const actor = chart.begin(given);
    for (const stimulus of stimuli) actor.tell(stimulus);
    return actor.commands.flatMap((command) => (command.type === "emit" ? [(command.event as unknown as { online: boolean }).online] : []));
  };
  test("a connection that is back within the grace was never away", () => {
    expect(announced(input, online, offline, online, offline, online)).toEqual([true]);
    expect(announced(input, online, offline, elapsed("presenceGrace"), online)).toEqual([true, false, true]);
    expect(announced({ endpoint: "e", graceMs: 1 }, online, offline, gone)).toEqual([true, false]);
    expect(announced(input, gone)).toEqual([]);
  });

  describeWalk<PresenceContext>(chart, {
    input: fc.constant(input),
    told: fc.constantFrom<() => PresenceEvent>(
      () => online,
      () => offline,
      () => online,
      () => offline,
      () => gone,
    ),
    invariants: {
      "announcements alternate": ({ actor }) => {
        const said = actor.commands.flatMap((command) => (command.type === "emit" ? [(command.event as unknown as { online: boolean }).online] : []));
        return said.every((one, index) => one === (index % 2 === 0));
      },
    },
  });

  describeCoverage(chart);
});
