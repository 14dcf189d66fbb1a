import { describe, expect } from "vitest";
import { assign, createMachine } from "xstate";
import { inThreeModes } from "../../src/testing/index.ts";
import { Journey, Service } from "./journey.ts";

interface Book {
  readonly id: string;
  readonly title: string;
  readonly status?: string;
}

/** After examples/workflow-book-lending, which has no id: states with spaces in their names, and waits of two weeks. */
const make = () => {
  const look = new Service<{ status: string }, { book: string }>();
  const say = new Service<void, { message: string }>();
  const hold = new Service();
  const release = new Service();
  const checkOut = new Service();
  const notify = new Service();
  const book = createMachine(
    {
      id: "book",
      types: {} as { context: { book: Book | null; reader: string | null }; events: { type: "ASK"; book: Book; reader: string } | { type: "HOLD" } | { type: "DECLINE" } },
      context: { book: null, reader: null },
      initial: "Nobody asked",
      states: {
        "Nobody asked": { on: { ASK: { target: "Looking it up", actions: assign({ book: ({ event }) => ({ ...event.book, status: "unknown" }), reader: ({ event }) => event.reader }) } } },
        "Looking it up": {
          invoke: {
            src: "look it up",
            input: ({ context }) => ({ book: context.book?.id }),
            onDone: { target: "Deciding", actions: assign({ book: ({ context, event }) => ({ ...(context.book as Book), status: (event.output as { status: string }).status }) }) },
          },
        },
        Deciding: {
          always: [
            { guard: ({ context }) => context.book?.status === "on loan", target: "Telling the reader" },
            { guard: ({ context }) => context.book?.status === "available", target: "Checking out" },
            { target: "End" },
          ],
        },
        "Telling the reader": { invoke: { src: "tell the reader", input: ({ context }) => ({ message: `"${context.book?.title}" is on loan` }), onDone: { target: "Waiting for the reader" } } },
        "Waiting for the reader": { on: { HOLD: { target: "Holding" }, DECLINE: { target: "Releasing" } } },
        Holding: { invoke: { src: "hold", onDone: { target: "Two weeks" } } },
        Releasing: { invoke: { src: "release", onDone: { target: "End" } } },
        "Two weeks": { after: { PT2W: { target: "Looking it up" } } },
        "Checking out": {
          initial: "Handing it over",
          onDone: "End",
          states: {
            "Handing it over": { invoke: { src: "check out", onDone: { target: "Sending a note" } } },
            "Sending a note": { invoke: { src: "send a note", onDone: { target: "Done" } } },
            Done: { type: "final" },
          },
        },
        End: { type: "final" },
      },
    },
    {
      delays: { PT2W: 14 * 24 * 60 * 60 * 1000 },
      actors: { "look it up": look.logic, "tell the reader": say.logic, hold: hold.logic, release: release.logic, "check out": checkOut.logic, "send a note": notify.logic } as never,
    },
  );
  return { book, look, say, hold, release, checkOut, notify };
};

describe("examples > book", () => {
  const ask = { type: "ASK", book: { id: "b1", title: "Statecharts" }, reader: "Ada" };

  inThreeModes("a book on loan is held for two weeks at a time, until it can be handed over", async (bench) => {
    const { book, look, say, hold, checkOut, notify } = make();
    const library = await Journey.begin(bench, book);
    await library.send(ask);
    for (let weeks = 2; weeks <= 4; weeks += 2) {
      await library.answer(look, { status: "on loan" });
      await library.answer(say, undefined);
      await library.send({ type: "HOLD" });
      expect(await library.answer(hold, undefined)).toMatchObject({ value: "Two weeks" });
      expect(await library.wait("13 days")).toMatchObject({ value: "Two weeks" });
      expect(await library.wait("1 day")).toMatchObject({ value: "Looking it up" });
    }
    expect(await library.answer(look, { status: "available" })).toMatchObject({ value: { "Checking out": "Handing it over" } });
    await library.answer(checkOut, undefined);
    expect(await library.answer(notify, undefined)).toMatchObject({ value: "End", status: "done", context: { book: { id: "b1", status: "available" }, reader: "Ada" } });
    expect(say.asked[0]).toEqual({ message: '"Statecharts" is on loan' });
  });

  inThreeModes("a reader who declines ends it", async (bench) => {
    const { book, look, say, release } = make();
    const library = await Journey.begin(bench, book);
    await library.send(ask);
    await library.answer(look, { status: "on loan" });
    await library.answer(say, undefined);
    await library.send({ type: "DECLINE" });
    expect(await library.answer(release, undefined)).toMatchObject({ value: "End", status: "done" });
  });
});
