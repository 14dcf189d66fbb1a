import { describe, expect, it } from "vitest";
import { assign, setup } from "xstate";
import { EntryMissing, type History, MachineMissing, readHistories, replay, replayOn, replaySteps, stateAt, writeHistories } from "../../src/replay/index.ts";
import { matchers, VirtualTime } from "../../src/testing/index.ts";
import { historyAt, leftBehind } from "./kept.ts";
import { type Change, order, orderWith } from "./order.ts";

const paidAndDelivered = async (machine = order): Promise<History> =>
  historyAt(
    await leftBehind([machine], async (engine) => {
      await engine.start(machine, "1", { amount: 10 });
      await engine.send("order/1", { type: "PAY", amount: 4, card: "4111-1111" });
      await engine.send("order/1", { type: "PAY", amount: 6 });
      await engine.settled();
      await engine.advance(60_000);
      await engine.send("order/1", { type: "DELIVERED" });
    }),
    "order/1",
  );

expect.extend(matchers);

describe("replay > replay", () => {
  it("proves that each entry leads to the stored fingerprint, and that the state follows from them", async () => {
    const history = await paidAndDelivered();
    const found = replay(history, [order]);
    expect(found).toMatchObject({ address: "order/1", machine: "order", verified: 6, seq: 6, difference: undefined });
    expect(found.state).toEqual(history.state);
    expect(found.state).toMatchObject({ status: "done", value: "delivered", context: { receipt: "charged 10" } });
  });

  it("verifies activities and the engine's other actors without being given their machines", async () => {
    const histories = await leftBehind([order], async (engine) => {
      await engine.start(order, "1");
      await engine.send("order/1", { type: "PAY", amount: 10 });
    });
    expect(replay(historyAt(histories, "order/1/charge"), [])).toMatchObject({ machine: "activity", verified: 2, difference: undefined });
  });

  it("gives the state after any entry, and says where there is none", async () => {
    const history = await paidAndDelivered();
    expect([1, 2, 3, 4, 5, 6].map((seq) => stateAt(history, seq, [order]).value)).toEqual(["open", "open", "charging", "shipping", "overdue", "delivered"]);
    expect(replay(history, [order], { to: 3 })).toMatchObject({ seq: 3, verified: 3, state: { value: "charging" }, difference: undefined });
    for (const seq of [0, 7, 1.5]) expect(() => stateAt(history, seq, [order])).toThrow(EntryMissing);
    expect(() => stateAt(history, 2, [])).toThrow(MachineMissing);
  });

  it("steps with the states before and after, the commands and the transitions", async () => {
    const steps = [...replaySteps(await paidAndDelivered(), [order])];
    expect(steps[0]?.before).toBeUndefined();
    for (const [index, { before }] of steps.entries()) if (index > 0) expect(before).toEqual(steps[index - 1]?.after);
    expect(steps[2]).toMatchObject({
      entry: { seq: 3, event: { type: "PAY", amount: 6 } },
      before: { value: "open", context: { paid: 4 } },
      after: { value: "charging" },
      commands: [{ type: "child.start", id: "charge", src: "charge", input: 10 }],
      wrong: [],
    });
    expect(steps[2]?.microsteps.map(({ event }) => event)).toEqual(["PAY", "CHECK"]);
    expect(steps[3]?.commands.map(({ type }) => type)).toEqual(["act", "timer.set"]);
    // Plain data: it can be sent to a browser.
    expect(JSON.parse(JSON.stringify(steps))).toEqual(steps);
  });

  it("goes on from where retention has cut the history", async () => {
    const whole = await paidAndDelivered();
    const entries = whole.entries.slice(3);
    const at = whole.entries[2]?.at ?? 0;
    const cut: History = { ...whole, start: { seq: 3, at, version: whole.version, hash: whole.hash, state: stateAt(whole, 3, [order]), input: { amount: 10 } }, entries };
    expect(replay(cut, [order])).toMatchObject({ verified: 3, difference: undefined });
    expect(stateAt(cut, 3, [order]).value).toBe("charging");
    expect(stateAt(cut, 4, [order]).value).toBe("shipping");
    expect(() => stateAt(cut, 2, [order])).toThrow(EntryMissing);
    expect([...replaySteps(cut, [order])][0]).toMatchObject({ before: { value: "charging" }, after: { value: "shipping" } });
  });
});

describe("replay > first difference", () => {
  const differenceWith = async (recorded: Change, now: Change) => replay(await paidAndDelivered(orderWith(recorded)), [orderWith(now)]).difference;

  it("names an assign that reads the clock, its field, and what it read", async () => {
    const change = { stamp: () => Date.now() };
    const history = await paidAndDelivered(orderWith(change));
    const { difference } = replay(history, [orderWith(change)]);
    expect(difference).toMatchObject({ seq: 2, event: "PAY", what: "state", cause: "clock", fields: [{ path: "context.startedAt" }] });
    // Where the clock of the process is that of the entries, the moment that was read comes out.
    const began = Date.now();
    const near = await leftBehind(
      [orderWith(change)],
      async (engine) => {
        await engine.start(orderWith(change), "1");
        await engine.send("order/1", { type: "PAY", amount: 1 });
      },
      { time: new VirtualTime(began) },
    );
    const [field] = replay(historyAt(near, "order/1"), [orderWith(change)]).difference?.fields ?? [];
    expect(historyAt(near, "order/1").state).toMatchObject({ context: { startedAt: field?.left } });
    expect(field).toMatchObject({ path: "context.startedAt", left: expect.any(Number) });
  });

  it("names an assign that draws random numbers, and its field", async () => {
    const change = { stamp: () => Math.random() };
    expect(await differenceWith(change, change)).toMatchObject({ seq: 2, cause: "random", fields: [{ path: "context.startedAt" }] });
  });

  it("names a guard that answers the other way, with both states", async () => {
    expect(await differenceWith({}, { isPaid: (paid, amount) => paid > amount })).toMatchObject({
      seq: 3,
      event: "PAY",
      cause: "guard",
      name: "isPaid",
      fields: expect.arrayContaining([{ path: "value", left: "charging", right: "open" }]),
    });
  });

  it("names an action that does something now and did nothing then", async () => {
    const recorded = orderWith({ pay: () => ({}) });
    const histories = await leftBehind([recorded], async (engine) => {
      await engine.start(recorded, "1");
      await engine.send("order/1", { type: "PAY", amount: 4 });
      await engine.send("order/1", { type: "PAY", amount: 5 });
    });
    expect(replay(historyAt(histories, "order/1"), [order]).difference).toMatchObject({ seq: 2, cause: "action", name: "pay", fields: [{ path: "context.paid", left: 0, right: 4 }] });
  });

  it("names an action that does something else", async () => {
    expect(await differenceWith({}, { pay: ({ paid }, amount) => ({ paid: paid + amount + 1 }) })).toMatchObject({
      seq: 2,
      cause: "action",
      name: "pay",
      fields: [{ path: "context.paid", right: 5 }, { path: "context.card" }],
    });
  });

  it("names the initial context", async () => {
    expect(await differenceWith({}, { context: { receipt: "none" } })).toMatchObject({ seq: 1, event: "taskwright.start", cause: "initial context" });
  });

  it("names a delay of another length, by its field", async () => {
    const machine = orderWith();
    const histories = await leftBehind([machine], async (engine) => {
      await engine.start(machine, "1");
      await engine.send("order/1", { type: "PAY", amount: 10 });
    });
    expect(replay(historyAt(histories, "order/1"), [orderWith({ deliveryTime: 90_000 })]).difference).toMatchObject({
      cause: "delay",
      name: "deliveryTime",
      fields: [{ path: "timers.after.deliveryTime.order.shipping.due", left: expect.any(Number), right: expect.any(Number) }],
    });
  });

  it("names the machine that is missing, and what is damaged", async () => {
    const history = await paidAndDelivered();
    expect(replay(history, []).difference).toMatchObject({ seq: 1, what: "form", cause: "missing version", why: expect.stringContaining("nothing that was given") });
    const gap = { ...history, entries: history.entries.filter(({ seq }) => seq !== 3) };
    expect(replay(gap, [order]).difference).toMatchObject({ seq: 4, what: "gap", cause: "damage", why: "entry 3 is missing" });
    const bent = { ...history, state: { ...history.state, context: { ...(history.state?.context as object), paid: 99 } } } as History;
    expect(replay(bent, [order]).difference).toMatchObject({ seq: 6, what: "end", cause: "damage", fields: [{ path: "context.paid", left: 99, right: 10 }] });
    expect(replay({ ...history, entries: [] }, [order]).difference).toMatchObject({ detail: "it has no history" });
  });

  it("names a machine that throws now", async () => {
    const throwing = orderWith({
      isPaid: () => {
        throw new Error("no such tariff");
      },
    });
    expect(replay(await paidAndDelivered(), [throwing]).difference).toMatchObject({ seq: 2, what: "threw", detail: expect.stringContaining("no such tariff") });
  });

  it("leaves the clock and chance of the process as they were", () => {
    const before = [globalThis.Date, Math.random, performance.now, crypto.randomUUID];
    const impure = setup({ actions: { stamp: assign({ at: () => Date.now(), luck: () => Math.random() }) as never } }).createMachine({
      id: "impure",
      context: { at: 0, luck: 0 } as never,
      entry: "stamp",
      initial: "on",
      states: { on: {} },
    });
    const start: History = {
      address: "impure/1",
      livedAt: "impure/1",
      machine: "impure",
      version: "1",
      hash: "",
      createdAt: 0,
      entries: [{ seq: 1, at: 1, event: { type: "taskwright.start" }, outcome: "handled", from: "", stateHash: "x" }],
    };
    expect(replayOn(start, [impure]).difference).toMatchObject({ cause: "clock" });
    expect([globalThis.Date, Math.random, performance.now, crypto.randomUUID]).toEqual(before);
  });
});

describe("replay > another machine", () => {
  it("replays on a changed chart that goes the same way, and tells where one does not", async () => {
    const history = await paidAndDelivered();
    expect(history).toReplayOn(orderWith({ version: "2" }));
    expect(() => expect(history).toReplayOn(orderWith({ version: "2", isPaid: () => false }))).toThrow(/entry 3 \(PAY\) differs[\s\S]*the guard "isPaid" answers the other way/);
    expect(history).not.toReplayOn(orderWith({ context: { card: "x" } }));
    const other = setup({}).createMachine({ id: "other", initial: "a", states: { a: {} } });
    expect(() => replayOn(history, [other])).toThrow(MachineMissing);
  });

  it("begins at the last move between forms", async () => {
    const two = orderWith({ version: "2" });
    const histories = await leftBehind([order], async (engine) => {
      await engine.start(order, "1");
      await engine.send("order/1", { type: "PAY", amount: 5 });
      await engine.redeploy({ machines: [{ machine: two, migrate: ({ context }) => ({ context: { ...(context as object), card: "moved" } }) }] });
      await engine.send("order/1", { type: "PAY", amount: 5 });
    });
    const history = historyAt(histories, "order/1");
    expect(history.entries.map(({ event }) => event.type)).toContain("taskwright.migrate");
    expect(replay(history, [order, two])).toMatchObject({ difference: undefined });
    expect(replay(history, [two]).difference).toMatchObject({ seq: 1, cause: "missing version" });
    expect(history).toReplayOn(two);
    expect(readHistories(writeHistories([history])).histories[0]).toReplayOn(two);
  });
});
