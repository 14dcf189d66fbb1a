import { describe } from "vitest";
import fc from "fast-check";
import { subscription, subscriptionActions, type SubscriptionEvent } from "../../machines/subscription.ts";
import { elapsed } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, describeWalk, ignored, to } from "./table.ts";

const chart = new Chart(subscription, subscriptionActions);
const overflowed = { type: "OVERFLOWED" } as const;
const shutDown = { type: "SHUT_DOWN" } as const;
const read = { type: "READ" } as const;
const gone = { type: "GONE" } as const;
const input = { heartbeatMs: 15_000, dropGraceMs: 5_000 };

describe("machines > subscription", () => {
  describeTable<SubscriptionEvent>(chart, {
    input,
    samples: { OVERFLOWED: overflowed, SHUT_DOWN: shutDown, READ: read, GONE: gone },
    rows: {
      live: {
        way: [],
        on: { OVERFLOWED: to("leaving", overflowed), SHUT_DOWN: to("leaving", shutDown), READ: ignored("it has nothing more to read at the moment", read), GONE: to("over", gone) },
        after: { heartbeat: to("live", elapsed("heartbeat")) },
      },
      leaving: {
        way: [overflowed],
        on: {
          OVERFLOWED: ignored("it leaves already", overflowed),
          SHUT_DOWN: ignored("it leaves already", shutDown),
          READ: to("over", read),
          GONE: to("over", gone),
        },
        after: { dropGrace: to("over", elapsed("dropGrace")) },
      },
      over: { way: [gone], over: "its connection is closed" },
    },
  });

  describeWalk<typeof input>(chart, {
    input: fc.constant(input),
    told: fc.constantFrom<SubscriptionEvent>(overflowed, shutDown, read, gone).map((event) => () => event),
    invariants: { "it waits only while it is not over": ({ state, actor }) => state !== "over" || Object.keys(actor.state.timers).length === 0 },
  });
  describeCoverage(chart);
});
