import { describe, expect } from "vitest";
import { assign, createMachine } from "xstate";
import { inThreeModes } from "../../src/testing/index.ts";
import { Journey } from "./journey.ts";

interface Bid {
  readonly bidder: string;
  readonly amount: number;
}

/** After examples/workflow-car-auction-bids: bids are taken until the time is over. */
const auction = createMachine(
  {
    id: "auction",
    types: {} as { context: { bids: ReadonlyArray<Bid> }; events: { type: "BID"; bid: Bid } },
    context: { bids: [] },
    initial: "open",
    states: {
      open: { on: { BID: { actions: assign({ bids: ({ context, event }) => [...context.bids, event.bid] }) } }, after: { biddingTime: "closed" } },
      closed: { type: "final" },
    },
    output: ({ context }) => ({ winner: context.bids.reduce((best, bid) => (best.amount > bid.amount ? best : bid)) }),
  },
  { delays: { biddingTime: 3_000 } },
);

describe("examples > auction", () => {
  inThreeModes("the highest bid within the time wins; a restart does not lengthen it", async (bench) => {
    const hall = await Journey.begin(bench, auction);
    for (const [bidder, amount] of [
      ["Wayne", 3_000],
      ["Doe", 4_000],
      ["Poe", 3_500],
    ] as const) {
      await hall.wait(900);
      await hall.send({ type: "BID", bid: { bidder, amount } });
    }
    expect(await hall.wait(299)).toMatchObject({ value: "open" });
    expect(await hall.wait(1)).toMatchObject({ value: "closed", status: "done", output: { winner: { bidder: "Doe", amount: 4_000 } } });
    expect(await hall.engine.send("auction/1", { type: "BID", bid: { bidder: "late", amount: 9_000 } })).toMatchObject({ outcome: "ended" });
  });
});
