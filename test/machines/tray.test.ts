import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { tray, type TrayContext, type TrayEvent, type TrayInput } from "../../machines/tray.ts";
import type { Stimulus } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, describeWalk, ignored, to } from "./table.ts";

const chart = new Chart(tray, []);
const input: TrayInput = { capacity: 1 };
const hold = (message: string) => ({ type: "HOLD", message, by: message }) as const;
const release = (message: string) => ({ type: "RELEASE", message }) as const;
const resize = { type: "RESIZE", capacity: 2 } as const;
const told = (...stimuli: ReadonlyArray<Stimulus>) => {
  const actor = chart.begin(input);
  for (const stimulus of stimuli) actor.tell(stimulus);
  return actor;
};

describe("machines > tray", () => {
  describeTable<TrayEvent>(chart, {
    input,
    samples: { HOLD: hold("message/1"), RELEASE: release("message/1"), RESIZE: resize },
    rows: {
      open: {
        way: [],
        on: {
          HOLD: [to("open", hold("message/1")), to("open", hold("message/2"), { way: [hold("message/1")] })],
          RELEASE: [to("open", release("message/1"), { way: [hold("message/1")] }), ignored("it gave its seat back before", release("message/1"))],
          RESIZE: to("open", resize),
        },
      },
    },
  });

  test("one that has a seat keeps it, also when it asks again; another one finds none", () => {
    const actor = told(hold("message/1"), hold("message/1"), hold("message/2"));
    expect(actor.sent).toEqual(["HELD", "HELD", "FULL"]);
    expect(actor.context<TrayContext>()).toMatchObject({ held: ["message/1"], refused: 1 });
    expect(told(hold("message/1"), release("message/1"), hold("message/2")).sent).toEqual(["HELD", "HELD"]);
    expect(told(hold("message/1"), resize, hold("message/2")).sent).toEqual(["HELD", "HELD"]);
  });

  const any = fc.constantFrom("message/1", "message/2", "message/3");
  describeWalk<TrayContext>(chart, {
    input: fc.record({ capacity: fc.integer({ min: 1, max: 3 }) }),
    told: fc.oneof(
      any.map((message) => () => hold(message)),
      any.map((message) => () => release(message)),
    ),
    invariants: {
      "each once": ({ context }) => new Set(context.held).size === context.held.length,
      "no more than the capacity": ({ context }) => context.held.length <= context.capacity,
    },
  });

  describeCoverage(chart);
});
