import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { link, linkActions, type LinkContext, type LinkEvent } from "../../machines/link.ts";
import { elapsed } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, describeWalk, ignored, to } from "./table.ts";

const chart = new Chart(link, linkActions);
const input = { heartbeatMs: 10_000 };
const registered = { type: "REGISTERED" } as const;
const heard = { type: "HEARD" } as const;
const broken = { type: "BROKEN", reason: "cut" } as const;
const refused = { type: "REFUSED", reason: "no" } as const;
const wake = { type: "WAKE" } as const;
const close = { type: "CLOSE" } as const;
const beat = elapsed("heartbeat");

describe("machines > link", () => {
  describeTable<LinkEvent>(chart, {
    input,
    samples: { REGISTERED: registered, HEARD: heard, BROKEN: broken, REFUSED: refused, WAKE: wake, CLOSE: close },
    rows: {
      connecting: {
        way: [],
        on: {
          REGISTERED: to("attached", registered),
          HEARD: ignored("it counts when it is attached", heard),
          BROKEN: to("waiting", broken),
          REFUSED: to("refused", refused),
          WAKE: ignored("it connects already", wake),
          CLOSE: to("closed", close),
        },
        after: { connectTimeout: to("waiting", elapsed("connectTimeout")) },
      },
      attached: {
        way: [registered],
        on: {
          REGISTERED: ignored("it is attached already", registered),
          HEARD: to("attached", heard),
          BROKEN: to("waiting", broken),
          REFUSED: to("refused", refused),
          WAKE: ignored("there is a network", wake),
          CLOSE: to("closed", close),
        },
        after: { heartbeat: [to("attached", beat), to("waiting", beat, { way: [registered, beat, beat, beat] }), to("attached", beat, { way: [registered, beat, beat, beat, heard] })] },
      },
      waiting: {
        way: [broken],
        on: {
          REGISTERED: ignored("that connection was given up", registered),
          HEARD: ignored("that connection was given up", heard),
          BROKEN: ignored("it is known to be broken", broken),
          REFUSED: ignored("that connection was given up", refused),
          WAKE: to("connecting", wake),
          CLOSE: to("closed", close),
        },
        after: { backoff: to("connecting", elapsed("backoff")) },
      },
      refused: { way: [refused], over: "the server will not have it" },
      closed: { way: [close], over: "its host closed it" },
    },
  });

  test("waits longer after each failure in a row, and begins anew once it was attached", () => {
    const actor = chart.begin(input);
    const delays: Array<number> = [];
    for (let n = 0; n < 9; n++) {
      actor.tell(broken);
      delays.push(Object.values(actor.state.timers)[0]!.due - actor.now);
      actor.tell(elapsed("backoff"));
    }
    expect(delays).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
    actor.tell(registered);
    actor.tell(broken);
    expect(Object.values(actor.state.timers)[0]!.due - actor.now).toBe(100);
  });

  describeWalk<LinkContext>(chart, {
    input: fc.constant(input),
    told: fc.constantFrom<LinkEvent>(registered, heard, broken, refused, wake, close).map((event) => () => event),
    invariants: { "it waits only while it is not over": ({ state, actor }) => !["refused", "closed"].includes(state) || Object.keys(actor.state.timers).length === 0 },
  });
  describeCoverage(chart);
});
