import { describe, expect, it } from "vitest";
import { Forms } from "../../src/replay/index.ts";
import { unfaithful } from "./faithful.ts";
import { historyAt, leftBehind } from "./kept.ts";
import { order } from "./order.ts";

describe("replay > retelling", () => {
  it("goes the same way again, entry by entry, told to the machine that wrote it", async () => {
    const histories = await leftBehind([order], async (engine) => {
      await engine.start(order, "1");
      await engine.send("order/1", { type: "PAY", amount: 10 });
      await engine.settled();
      await engine.advance(60_000);
      await engine.send("order/1", { type: "DELIVERED" });
      await engine.start(order, "2");
      await engine.send("order/2", { type: "CANCEL" });
    });
    expect([...histories.values()].flatMap((history) => unfaithful(history, new Forms([order])) ?? [])).toEqual([]);
    expect(historyAt(histories, "order/1").entries).toHaveLength(5);
  });
});
