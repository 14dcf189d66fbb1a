import { describe, expect } from "vitest";
import { createMachine } from "xstate";
import { inThreeModes } from "../../src/testing/index.ts";
import { Journey, Service } from "./journey.ts";

/** After examples/workflow-purchase-order-deadline: a month for the whole order, and a line in a log at each step. */
const make = () => {
  const cancel = new Service();
  const written: Array<string> = [];
  const write = (line: string) => () => void written.push(line);
  const purchase = createMachine(
    {
      id: "purchase",
      initial: "begun",
      after: { month: { target: ".cancelling" } },
      states: {
        begun: { on: { CREATED: { target: "created", actions: ["logCreated"] } } },
        created: { on: { CONFIRMED: { target: "confirmed", actions: ["logConfirmed"] } } },
        confirmed: { on: { SHIPPED: { target: "finished", actions: ["logShipped"] } } },
        finished: { type: "final", entry: ["logFinished"] },
        cancelling: { invoke: { src: "cancel", onDone: { target: "cancelled" } } },
        cancelled: { type: "final", entry: ["logCancelled"] },
      },
    },
    {
      delays: { month: 30 * 24 * 60 * 60 * 1000 },
      actions: { logCreated: write("created"), logConfirmed: write("confirmed"), logShipped: write("shipped"), logFinished: write("finished"), logCancelled: write("cancelled") },
      actors: { cancel: cancel.logic },
    },
  );
  return { purchase, cancel, written };
};
const twice = (...lines: ReadonlyArray<string>) => [...lines, ...lines].sort();

describe("examples > purchase", () => {
  inThreeModes("an order that is shipped within the month is finished", async (bench) => {
    const { purchase, written } = make();
    const order = await Journey.begin(bench, purchase);
    for (const type of ["CREATED", "CONFIRMED"]) {
      await order.wait("10 days");
      await order.send({ type });
    }
    expect(await order.send({ type: "SHIPPED" })).toMatchObject({ value: "finished", status: "done" });
    await order.wait("40 days");
    // Once by the engine's actor, once by XState's own.
    expect(written.toSorted()).toEqual(twice("created", "confirmed", "shipped", "finished"));
  });

  inThreeModes("one that waits for a month is cancelled", async (bench) => {
    const { purchase, cancel, written } = make();
    const order = await Journey.begin(bench, purchase);
    await order.send({ type: "CREATED" });
    expect(await order.wait("29 days")).toMatchObject({ value: "created" });
    expect(await order.wait("1 day")).toMatchObject({ value: "cancelling" });
    expect(await order.answer(cancel, undefined)).toMatchObject({ value: "cancelled", status: "done" });
    expect(written.toSorted()).toEqual(twice("created", "cancelled"));
  });
});
