import { describe, expect } from "vitest";
import { assertEvent, assign, setup } from "xstate";
import { inThreeModes } from "../../src/testing/index.ts";
import { Journey, Service } from "./journey.ts";

/** After examples/7guis-flight-booker-react: dates that fit or don't, and a booking that may fail. The first day comes as input, because a machine has no clock. */
const make = () => {
  const book = new Service();
  const flight = setup({
    types: {
      input: {} as { today: string; tomorrow: string },
      context: {} as { today: string; out: string; back: string },
      events: {} as { type: "BOOK" } | { type: "BOOK_BOTH" } | { type: "OTHER_TRIP" } | { type: "OUT"; date: string } | { type: "BACK"; date: string },
    },
    actions: {
      setOut: assign(({ event }) => {
        assertEvent(event, "OUT");
        return { out: event.date };
      }),
      setBack: assign(({ event }) => {
        assertEvent(event, "BACK");
        return { back: event.date };
      }),
    },
    actors: { book: book.logic },
    guards: {
      "is out in time?": ({ context }) => context.out >= context.today,
      "is back in time?": ({ context }) => context.out >= context.today && context.back > context.out,
    },
  }).createMachine({
    id: "flight",
    context: ({ input }) => ({ today: input.today, out: input.today, back: input.tomorrow }),
    initial: "planning",
    states: {
      planning: {
        initial: "oneWay",
        on: { OUT: { actions: { type: "setOut" } } },
        states: {
          oneWay: { on: { OTHER_TRIP: "bothWays", BOOK: { target: "#flight.booking", guard: { type: "is out in time?" } } } },
          bothWays: { on: { OTHER_TRIP: "oneWay", BACK: { actions: { type: "setBack" } }, BOOK_BOTH: { target: "#flight.booking", guard: { type: "is back in time?" } } } },
        },
      },
      booking: { invoke: { src: "book", onDone: "booked", onError: "planning" } },
      booked: { type: "final" },
    },
  });
  return { flight, book };
};

describe("examples > flight", () => {
  inThreeModes("dates that don't fit are refused; a booking that fails leads back, the next one ends it", async (bench) => {
    const { flight, book } = make();
    const form = await Journey.begin(bench, flight, { today: "2030-05-10", tomorrow: "2030-05-11" });
    await form.send({ type: "OUT", date: "2030-05-09" });
    expect(await form.send({ type: "BOOK" })).toMatchObject({ value: { planning: "oneWay" } });
    await form.send({ type: "OUT", date: "2030-05-12" });
    await form.send({ type: "OTHER_TRIP" });
    expect(await form.send({ type: "BOOK_BOTH" })).toMatchObject({ value: { planning: "bothWays" } });
    await form.send({ type: "BACK", date: "2030-05-19" });
    expect(await form.send({ type: "BOOK_BOTH" })).toMatchObject({ value: "booking" });
    expect(await form.refuse(book, new Error("no seat is left"))).toMatchObject({ value: { planning: "oneWay" } });
    await form.send({ type: "BOOK" });
    expect(await form.answer(book, undefined)).toMatchObject({ value: "booked", status: "done" });
  });
});
