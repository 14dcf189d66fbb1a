import { describe, expect } from "vitest";
import { assign, enqueueActions, setup } from "xstate";
import { inThreeModes } from "../../src/testing/index.ts";
import { Journey } from "./journey.ts";

interface Tile {
  readonly index: number;
  readonly x: number;
  readonly y: number;
}

/**
 * After examples/tiles, which has no id, shuffles at random within the transition (here the order comes with the
 * event) and swaps within the list that it was given.
 */
const tiles = setup({
  types: {
    context: {} as { tiles: ReadonlyArray<number>; chosen: Tile | undefined; under: Tile | undefined },
    events: {} as { type: "shuffle"; order: ReadonlyArray<number> } | { type: "tile.select"; tile: Tile } | { type: "tile.hover"; tile: Tile } | { type: "tile.move" } | { type: "move.canceled" },
  },
  guards: {
    areNeighbours: ({ context: { chosen, under } }) => chosen !== undefined && under !== undefined && Math.abs(chosen.x - under.x) + Math.abs(chosen.y - under.y) === 1,
    isSolved: ({ context }) => context.tiles.every((tile, index) => tile === index),
  },
  actions: {
    forgetChosen: assign({ chosen: undefined }),
    forgetUnder: assign({ under: undefined }),
    choose: assign({ chosen: ({ event }) => (event as { tile?: Tile }).tile }),
    hover: assign({ under: ({ event }) => (event as { tile?: Tile }).tile }),
    swap: assign({
      tiles: ({ context: { tiles, chosen, under } }) => {
        const swapped = [...tiles];
        [swapped[chosen?.index as number], swapped[under?.index as number]] = [tiles[under?.index as number] as number, tiles[chosen?.index as number] as number];
        return swapped;
      },
    }),
    shuffle: assign({ tiles: ({ context, event }) => (event.type === "shuffle" ? event.order : context.tiles) }),
  },
}).createMachine({
  id: "tiles",
  context: { tiles: [0, 1, 2, 3], chosen: undefined, under: undefined },
  initial: "fresh",
  on: { shuffle: { target: ".playing", actions: ["shuffle"] } },
  states: {
    fresh: {},
    solved: { id: "solved", on: { shuffle: { target: "playing", actions: ["shuffle"] } } },
    playing: {
      initial: "choosing",
      always: { guard: "isSolved", target: "#solved" },
      on: { shuffle: { target: undefined } },
      states: {
        choosing: { id: "choosing", on: { "tile.select": { target: "chosen", actions: ["choose"] } } },
        chosen: {
          on: {
            "move.canceled": { target: "choosing", actions: ["forgetChosen", "forgetUnder"] },
            "tile.hover": [{ actions: ["hover"] }],
            "tile.move": {
              target: "#choosing",
              actions: enqueueActions(({ enqueue, check }) => {
                if (!check("areNeighbours")) return;
                enqueue("swap");
                enqueue("forgetChosen");
                enqueue("forgetUnder");
              }),
            },
          },
        },
      },
    },
  },
});

const at = (index: number): Tile => ({ index, x: index % 2, y: Math.floor(index / 2) });

describe("examples > sliding tiles", () => {
  inThreeModes("tiles are moved to their neighbours only, until they lie in order", async (bench) => {
    const board = await Journey.begin(bench, tiles);
    await board.send({ type: "shuffle", order: [1, 0, 3, 2] });
    // A game that is under way is not shuffled again.
    expect(await board.send({ type: "shuffle", order: [0, 1, 2, 3] })).toMatchObject({ value: { playing: "choosing" }, context: { tiles: [1, 0, 3, 2] } });
    const move = async (from: number, to: number) => {
      await board.send({ type: "tile.select", tile: at(from) });
      await board.send({ type: "tile.hover", tile: at(to) });
      return board.send({ type: "tile.move" });
    };
    expect(await move(0, 3)).toMatchObject({ context: { tiles: [1, 0, 3, 2] } });
    await board.send({ type: "tile.select", tile: at(0) });
    await board.send({ type: "move.canceled" });
    expect(await move(0, 1)).toMatchObject({ value: { playing: "choosing" }, context: { tiles: [0, 1, 3, 2] } });
    expect(await move(3, 2)).toMatchObject({ value: "solved", context: { tiles: [0, 1, 2, 3] } });
    expect(await board.send({ type: "shuffle", order: [3, 2, 1, 0] })).toMatchObject({ value: { playing: "choosing" } });
  });
});
