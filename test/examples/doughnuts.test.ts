import { describe, expect } from "vitest";
import { createMachine } from "xstate";
import { inThreeModes } from "../../src/testing/index.ts";
import { Journey } from "./journey.ts";

/** After examples/persisted-donut-maker: a recipe with two bowls that are stirred side by side. */
const doughnuts = createMachine({
  id: "doughnuts",
  initial: "shopping",
  states: {
    shopping: { on: { NEXT: "preparing" } },
    preparing: {
      initial: "kneading",
      onDone: "frying",
      states: {
        kneading: { on: { NEXT: "stirring" } },
        stirring: {
          type: "parallel",
          onDone: "stirred",
          states: {
            flour: { initial: "loose", states: { loose: { on: { FLOUR_IS_SMOOTH: "smooth" } }, smooth: { type: "final" } } },
            milk: { initial: "loose", states: { loose: { on: { MILK_IS_SMOOTH: "smooth" } }, smooth: { type: "final" } } },
          },
        },
        stirred: { type: "final" },
      },
    },
    frying: { on: { NEXT: "turning" } },
    turning: { on: { NEXT: "draining" } },
    draining: { on: { NEXT: "glazing" } },
    glazing: { on: { NEXT: "serving" } },
    serving: { on: { ONE_MORE: "shopping" } },
  },
});

describe("examples > doughnuts", () => {
  for (const [first, second] of [
    ["FLOUR", "MILK"],
    ["MILK", "FLOUR"],
  ] as const) {
    inThreeModes(`the recipe is followed to its end and begun again, ${first.toLowerCase()} first`, async (bench) => {
      const kitchen = await Journey.begin(bench, doughnuts);
      for (let round = 0; round < 2; round++) {
        for (let steps = 0; steps < 2; steps++) await kitchen.send({ type: "NEXT" });
        await kitchen.send({ type: `${first}_IS_SMOOTH` });
        expect(await kitchen.send({ type: "NEXT" })).toMatchObject({ value: { preparing: { stirring: { [first.toLowerCase()]: "smooth" } } } });
        expect(await kitchen.send({ type: `${second}_IS_SMOOTH` })).toMatchObject({ value: "frying" });
        for (let steps = 0; steps < 4; steps++) await kitchen.send({ type: "NEXT" });
        expect((await kitchen.engine.snapshot("doughnuts/1")).value).toBe("serving");
        await kitchen.send({ type: "ONE_MORE" });
      }
    });
  }
});
