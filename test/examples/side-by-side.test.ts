import { describe, expect } from "vitest";
import { setup } from "xstate";
import { inThreeModes } from "../../src/testing/index.ts";
import { Journey, Service } from "./journey.ts";

/** After examples/workflow-parallel: two branches, each with its request, and a next state when both are done. */
const make = () => {
  const short = new Service();
  const long = new Service();
  const both = setup({ actors: { short: short.logic, long: long.logic } }).createMachine({
    id: "both",
    initial: "branched",
    states: {
      branched: {
        type: "parallel",
        onDone: "joined",
        states: {
          short: { initial: "under way", states: { "under way": { invoke: { src: "short", onDone: "done" } }, done: { type: "final" } } },
          long: { initial: "under way", states: { "under way": { invoke: { src: "long", onDone: "done" } }, done: { type: "final" } } },
        },
      },
      joined: { type: "final" },
    },
  });
  return { both, short, long };
};

describe("examples > side by side", () => {
  for (const first of ["short", "long"] as const) {
    inThreeModes(`the branches join, ${first} first`, async (bench) => {
      const services = make();
      const work = await Journey.begin(bench, services.both);
      const second = first === "short" ? "long" : "short";
      expect(await work.answer(services[first], undefined)).toMatchObject({ value: { branched: { [first]: "done", [second]: "under way" } } });
      expect(await work.answer(services[second], undefined)).toMatchObject({ value: "joined", status: "done" });
    });
  }
});
