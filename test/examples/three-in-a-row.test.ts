import { describe, expect } from "vitest";
import { assign, createMachine } from "xstate";
import { inThreeModes } from "../../src/testing/index.ts";
import { Journey } from "./journey.ts";

type Mark = "x" | "o";
const empty = { cells: Array(9).fill(null) as Array<Mark | null>, turns: 0, next: "x" as Mark, won: undefined as Mark | undefined };
const rows = ["012", "345", "678", "036", "147", "258", "048", "246"].map((row) => [...row].map(Number));
const other = (mark: Mark): Mark => (mark === "x" ? "o" : "x");

/** After examples/tic-tac-toe-react, which has no id: a durable machine needs one. */
const game = createMachine(
  {
    id: "game",
    types: {} as { context: typeof empty; events: { type: "MARK"; cell: number } | { type: "AGAIN" } },
    context: empty,
    initial: "playing",
    states: {
      playing: {
        always: [
          { target: "over.won", guard: "hasRow" },
          { target: "over.tied", guard: "isFull" },
        ],
        on: { MARK: [{ target: "playing", guard: "isFree", actions: "mark" }] },
      },
      over: {
        initial: "won",
        states: { won: { tags: "won", entry: "announce" }, tied: { tags: "tied" } },
        on: { AGAIN: { target: "playing", actions: "clear" } },
      },
    },
  },
  {
    actions: {
      mark: assign({
        cells: ({ context, event }) => context.cells.map((mark, cell) => (event.type === "MARK" && cell === event.cell ? context.next : mark)),
        turns: ({ context }) => context.turns + 1,
        next: ({ context }) => other(context.next),
      }),
      clear: assign(empty),
      announce: assign({ won: ({ context }) => other(context.next) }),
    },
    guards: {
      hasRow: ({ context }) => rows.some((row) => (["x", "o"] as const).some((mark) => row.every((cell) => context.cells[cell] === mark))),
      isFull: ({ context }) => context.turns === 9,
      isFree: ({ context, event }) => event.type === "MARK" && context.cells[event.cell] === null,
    },
  },
);

describe("examples > three in a row", () => {
  inThreeModes("a row wins, a taken cell is refused, and the next game begins empty", async (bench) => {
    const table = await Journey.begin(bench, game);
    for (const cell of [0, 3, 3, 1, 4]) await table.send({ type: "MARK", cell });
    expect(await table.send({ type: "MARK", cell: 2 })).toMatchObject({ value: { over: "won" }, tags: ["won"], context: { won: "x", turns: 5 } });
    expect(await table.send({ type: "AGAIN" })).toMatchObject({ value: "playing", context: { turns: 0, next: "x" } });
    for (const cell of [0, 1, 2, 4, 3, 5, 7, 6]) await table.send({ type: "MARK", cell });
    expect(await table.send({ type: "MARK", cell: 8 })).toMatchObject({ value: { over: "tied" }, tags: ["tied"], context: { turns: 9 } });
  });
});
