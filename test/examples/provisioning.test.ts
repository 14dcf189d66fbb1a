import { describe, expect } from "vitest";
import { fromPromise, setup } from "xstate";
import { inThreeModes } from "../../src/testing/index.ts";
import { Journey, Service } from "./journey.ts";

interface Order {
  readonly id: string;
  readonly item: string;
  readonly quantity: number;
}

/** After examples/workflow-provision-orders: what is missing in an order is an error with a message, and each has its own way. */
const make = () => {
  const repair = new Service<void, { what: string }>();
  const apply = new Service();
  const provisioning = setup({
    types: { context: {} as { order: Order }, input: {} as { order: Order } },
    actors: {
      provision: fromPromise(async ({ input: { order } }: { input: { order: Order } }) => {
        for (const key of ["id", "item", "quantity"] as const) if (!order[key]) throw new Error(`the ${key} is missing`);
        return { order };
      }),
      apply: apply.logic,
      repair: repair.logic,
    },
  }).createMachine({
    id: "provisioning",
    context: ({ input }) => ({ order: input.order }),
    initial: "provisioning",
    states: {
      provisioning: {
        invoke: {
          src: "provision",
          input: ({ context }) => ({ order: context.order }),
          onDone: "applying",
          onError: [
            { guard: ({ event }) => (event.error as Error).message === "the id is missing", target: "incomplete.id" },
            { guard: ({ event }) => (event.error as Error).message === "the item is missing", target: "incomplete.item" },
            { guard: ({ event }) => (event.error as Error).message === "the quantity is missing", target: "incomplete.quantity" },
          ],
        },
      },
      applying: { invoke: { src: "apply", onDone: "ended" } },
      incomplete: {
        initial: "id",
        onDone: "ended",
        states: {
          id: { invoke: { src: "repair", input: { what: "id" }, onDone: "repaired" } },
          item: { invoke: { src: "repair", input: { what: "item" }, onDone: "repaired" } },
          quantity: { invoke: { src: "repair", input: { what: "quantity" }, onDone: "repaired" } },
          repaired: { type: "final" },
        },
      },
      ended: { type: "final" },
    },
  });
  return { provisioning, repair, apply };
};

describe("examples > provisioning", () => {
  const order: Order = { id: "7", item: "lamp", quantity: 2 };

  inThreeModes("a whole order is applied", async (bench) => {
    const { provisioning, apply } = make();
    const shop = await Journey.begin(bench, provisioning, { order });
    expect(await shop.answer(apply, undefined)).toMatchObject({ value: "ended", status: "done" });
  });

  for (const [key, lacking] of [
    ["id", { ...order, id: "" }],
    ["item", { ...order, item: "" }],
    ["quantity", { ...order, quantity: 0 }],
  ] as const) {
    inThreeModes(`an order without its ${key} goes the way for that`, async (bench) => {
      const { provisioning, repair } = make();
      const shop = await Journey.begin(bench, provisioning, { order: lacking });
      expect((await shop.wait(0)).value).toEqual({ incomplete: key });
      expect(await shop.answer(repair, undefined)).toMatchObject({ value: "ended", status: "done" });
      expect(repair.asked[0]).toEqual({ what: key });
    });
  }
});
