import { describe, expect } from "vitest";
import { assign, createMachine, log } from "xstate";
import { inThreeModes } from "../../src/testing/index.ts";
import { Journey, Service } from "./journey.ts";

const parts = ["tyres", "oil", "coolant", "battery"] as const;
type Vitals = { readonly [Part in (typeof parts)[number]]: number | null };

/** After examples/workflow-car-vitals: a child with four requests at a time, over and over while the car is on. The inline action of its `onDone` has a name here. */
const make = () => {
  const services = { tyres: new Service<number>(), oil: new Service<number>(), coolant: new Service<number>(), battery: new Service<number>() };
  const told: Array<unknown> = [];
  const check = createMachine(
    {
      id: "check",
      types: {} as { context: Vitals },
      context: { tyres: null, oil: null, coolant: null, battery: null },
      initial: "checking",
      states: {
        checking: {
          invoke: parts.map((part) => ({ src: part, onDone: { actions: assign(({ event }: { event: { output: unknown } }) => ({ [part]: event.output })) as never } })),
          always: { guard: ({ context }) => parts.every((part) => context[part] !== null), target: "checked" },
        },
        checked: { type: "final" },
      },
      output: ({ context }) => context,
    },
    { actors: { tyres: services.tyres.logic, oil: services.oil.logic, coolant: services.coolant.logic, battery: services.battery.logic } },
  );
  const car = createMachine(
    {
      id: "car",
      initial: "off",
      on: { TURNED_OFF: { target: ".off", actions: log("the car was turned off") } },
      states: {
        off: { on: { TURNED_ON: "checking" } },
        checking: { invoke: { src: "check", onDone: { target: "resting", actions: "tell" } } },
        resting: { after: { 1000: "checking" } },
      },
    },
    { actors: { check }, actions: { tell: ({ event }: { event: unknown }) => void told.push((event as { output: unknown }).output) } },
  );
  return { car, services, told };
};

describe("examples > car vitals", () => {
  inThreeModes("the parts answer in any order, round after round, until the car is off", async (bench) => {
    const { car, services, told } = make();
    const drive = await Journey.begin(bench, car);
    await drive.send({ type: "TURNED_ON" });
    for (const order of [parts, parts.toReversed()]) {
      for (const part of order) await drive.answer(services[part], 100);
      expect((await drive.wait(999)).value).toBe("resting");
      expect((await drive.wait(1)).value).toBe("checking");
    }
    await drive.answer(services.oil, 90);
    expect(await drive.send({ type: "TURNED_OFF" })).toMatchObject({ value: "off", children: {} });
    expect(await drive.wait("1 hour")).toMatchObject({ value: "off" });
    // Two rounds by the engine's actor, two by XState's own.
    expect(told).toEqual(Array(4).fill({ tyres: 100, oil: 100, coolant: 100, battery: 100 }));
  });
});
