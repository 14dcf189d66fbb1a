import { describe, expect, it } from "vitest";
import { type Fork, fork, type History, MachineMissing, ReplayDiffers, WhatIfRefused } from "../../src/replay/index.ts";
import { historyAt, leftBehind } from "./kept.ts";
import { order, orderWith } from "./order.ts";

/** Start, PAY 4, PAY 6, the charge answers, a minute later it is overdue, DELIVERED. */
const behind = async (): Promise<History> =>
  historyAt(
    await leftBehind([order], async (engine) => {
      await engine.start(order, "1", { amount: 10 });
      await engine.send("order/1", { type: "PAY", amount: 4 });
      await engine.send("order/1", { type: "PAY", amount: 6 });
      await engine.settled();
      await engine.advance(60_000);
      await engine.send("order/1", { type: "DELIVERED" });
    }),
    "order/1",
  );
const way = ({ steps }: Fork) => steps.map(({ after }) => after.value);

describe("replay > what if", () => {
  it("goes as it went where nothing is changed", async () => {
    const history = await behind();
    const same = fork(history, [order]);
    expect(same).toMatchObject({ address: "order/1", fields: [], commands: [], unasked: [], open: {}, isAtRest: true, state: history.state });
    expect(same.apart).toBeUndefined();
    expect(way(same)).toEqual(["open", "open", "charging", "shipping", "overdue", "delivered"]);
    expect(JSON.parse(JSON.stringify(same))).toEqual(same);
  });

  it("swaps an answer for a failure, and shows where that leads", async () => {
    const failed = fork(await behind(), [order], { swap: [{ seq: 4, error: "no cover" }] });
    expect(failed.apart).toBe(4);
    expect(way(failed)).toEqual(["open", "open", "charging", "open", "open"]);
    expect(failed.steps[3]).toMatchObject({ seq: 4, mark: "changed", event: { type: "taskwright.error", error: { message: "no cover" } } });
    expect(failed.steps[4]).toMatchObject({ seq: 6, event: { type: "DELIVERED" }, outcome: "ignored" });
    expect(failed.fields).toEqual(
      expect.arrayContaining([
        { path: "status", left: "done", right: "active" },
        { path: "value", left: "delivered", right: "open" },
        { path: "context.receipt", left: "charged 10", right: "" },
      ]),
    );
    expect(failed.commands).toMatchObject([
      { what: "removed", of: "command", name: "act mail" },
      { what: "removed", of: "timer", name: "timer.set after.deliveryTime.order.shipping" },
    ]);
    expect(fork(await behind(), [order], { swap: [{ seq: 4, output: "for free" }] })).toMatchObject({ state: { value: "delivered", context: { receipt: "for free" } } });
  });

  it("delays an answer: deadlines are set later, and what came from outside comes as it came", async () => {
    const late = fork(await behind(), [order], { swap: [{ seq: 4, delayMs: 90_000 }] });
    // DELIVERED came while it was still being charged.
    expect(way(late)).toEqual(["open", "open", "charging", "charging", "shipping", "overdue"]);
    expect(late.steps.map(({ seq, mark }) => [seq, mark])).toEqual([
      [1, undefined],
      [2, undefined],
      [3, undefined],
      [6, undefined],
      [4, "changed"],
      [undefined, "other deadline"],
    ]);
    expect(late.isAtRest).toBe(true);
    const open = fork(await behind(), [order], { swap: [{ seq: 4, drop: true }] });
    expect(open).toMatchObject({ state: { value: "charging" }, open: { charge: "charge" } });
  });

  it("goes on alone from a moment, with events that never came and answers that were never given", async () => {
    const alone = fork(await behind(), [order], { at: 2 });
    expect(way(alone)).toEqual(["open", "open"]);
    const paid = fork(await behind(), [order], {
      at: 2,
      add: [
        { event: { type: "PAY", amount: 7 }, delayMs: 5_000 },
        { event: { type: "DELIVERED" }, delayMs: 6_000 },
      ],
      standIns: { charge: (input, nth) => ({ output: `${String(input)} ${nth}`, afterMs: 100 }) },
    });
    expect(way(paid)).toEqual(["open", "open", "charging", "shipping", "delivered"]);
    expect(paid.state.context).toMatchObject({ paid: 11, receipt: "charged 10" });
    const dearer = fork(await behind(), [order], {
      swap: [{ seq: 1, event: { type: "taskwright.start", input: { amount: 8 } } }],
      standIns: { charge: (input) => ({ output: `stand-in ${String(input)}` }) },
    });
    expect(dearer.steps[3]).toMatchObject({ seq: 4, mark: "stand-in" });
    expect(dearer.state.context).toMatchObject({ amount: 8, receipt: "stand-in 8" });
    const unpaid = fork(await behind(), [order], { swap: [{ seq: 3, drop: true }] });
    expect(unpaid.unasked).toEqual([4]);
  });

  it("refuses what can't be swapped, and machines that did not write the history", async () => {
    const history = await behind();
    expect(() => fork(history, [order], { swap: [{ seq: 5, delayMs: 1 }] })).toThrow(WhatIfRefused);
    expect(() => fork(history, [order], { swap: [{ seq: 4, event: { type: "PAY" } }] })).toThrow(/it is the answer of a child/);
    expect(() => fork(history, [order], { swap: [{ seq: 2, output: 1 }] })).toThrow(/it is no answer of a child/);
    expect(() => fork(history, [order], { swap: [{ seq: 1, drop: true }] })).toThrow(/without its start/);
    expect(() => fork(history, [order], { add: [{ event: { type: "PAY" }, after: 99 }] })).toThrow(/no such entry/);
    expect(() => fork(history, [])).toThrow(MachineMissing);
    expect(() => fork(history, [orderWith({ isPaid: () => false })])).toThrow(ReplayDiffers);
  });
});
