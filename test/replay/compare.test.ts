import { describe, expect, it } from "vitest";
import { type AnyStateMachine, assign, setup } from "xstate";
import { type ChangeKind, compare, type GateReport, type History } from "../../src/replay/index.ts";
import { define } from "../../src/actor/index.ts";
import { historyAt, leftBehind } from "./kept.ts";
import { order, orderWith } from "./order.ts";

/** Three orders: one is delivered, one overdue, one still open. */
const behind = async (machine: AnyStateMachine = order): Promise<ReadonlyArray<History>> => {
  const histories = await leftBehind([machine], async (engine) => {
    for (const id of ["delivered", "overdue", "open"]) await engine.start(machine, id, { amount: 10 });
    for (const id of ["delivered", "overdue"]) await engine.send(`order/${id}`, { type: "PAY", amount: 10 });
    await engine.settled();
    await engine.send("order/delivered", { type: "DELIVERED" });
    await engine.advance(60_000);
  });
  return [...histories.values()];
};

const charts = (machines: ReadonlyArray<AnyStateMachine>) => machines.map((machine) => define(machine, { actions: ["mail"] }));
const kinds = ({ groups }: GateReport): ReadonlyArray<ChangeKind> => [...new Set(groups.map(({ kind }) => kind))].sort();

/** A config without its functions shared, so that it can be changed. */
const copied = (value: unknown): unknown =>
  typeof value !== "object" || value === null ? value : Array.isArray(value) ? value.map(copied) : Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copied(item)]));

/** An order with another chart. */
const charted = (change: (config: Config) => void): AnyStateMachine => {
  const machine = orderWith();
  const config = copied(machine.config) as Config;
  change(config);
  const { actors, guards, delays, actions } = machine.implementations;
  return setup({ actors, guards, delays, actions } as never).createMachine(config as never) as unknown as AnyStateMachine;
};
interface Config {
  initial: string;
  states: Record<string, { entry?: unknown; on?: Record<string, { target?: string }>; invoke?: { onError: string } } | undefined>;
}

describe("replay > compare", () => {
  it("finds nothing where nothing changed, also by another version number", async () => {
    for (const machine of [order, charted(() => {}), orderWith({ version: "2" })]) {
      expect(compare(await behind(), [machine], { charts: charts([order]) })).toEqual({ actors: 3, same: 3, unseen: {}, groups: [] });
    }
  });

  it("finds an event that is ignored now, with the shortest witness", async () => {
    const changed = charted((config) => void delete config.states.shipping?.on);
    const report = compare(await behind(), [changed], { charts: charts([order]) });
    expect(report).toMatchObject({ actors: 3, same: 2, unseen: {} });
    expect(report.groups).toEqual([
      {
        machine: "order",
        kind: "event ignored",
        cause: "DELIVERED in shipping (ignored)",
        actors: 1,
        counterfactual: 0,
        witness: expect.objectContaining({ address: "order/delivered", seq: 4, events: ["taskwright.start", "PAY", "taskwright.done", "DELIVERED"], ends: { before: "delivered", after: "shipping" } }),
      },
    ]);
  });

  it("finds commands that are added, removed and changed, and deadlines that are others", async () => {
    const added = charted((config) => void (config.states.delivered = { ...config.states.delivered, entry: "mail" }));
    expect(compare(await behind(), [added], { charts: charts([order]) }).groups).toMatchObject([{ kind: "command added", cause: "DELIVERED in shipping: act mail added", actors: 1 }]);
    const removed = charted((config) => void delete config.states.shipping?.entry);
    expect(compare(await behind(), [removed], { charts: charts([order]) }).groups).toMatchObject([{ kind: "command removed", cause: "taskwright.done in charging: act mail removed", actors: 2 }]);
    const changed = charted((config) => void (config.states.shipping = { ...config.states.shipping, entry: { type: "mail", params: { to: "anna" } } }));
    expect(compare(await behind(), [changed], { charts: charts([order]) }).groups).toMatchObject([{ kind: "command changed", witness: { fields: [{ path: "act mail", right: { to: "anna" } }] } }]);
    const later = compare(await behind(), [orderWith({ deliveryTime: 90_000, version: "2" })], { writers: [order] });
    expect(later.groups).toMatchObject([
      { kind: "timer changed", cause: "taskwright.done in charging: timer.set after.deliveryTime.order.shipping is due 30000 ms later", actors: 2 },
      { kind: "other state", actors: 1, witness: { address: "order/overdue", ends: { before: "overdue", after: "shipping" } } },
    ]);
  });

  it("finds another way and other data, and marks the answers that nobody would have asked for", async () => {
    const skipping = charted((config) => {
      Object.assign(config.states.open?.on?.CHECK ?? {}, { target: "shipping" });
    });
    const report = compare(await behind(), [skipping], { charts: charts([order]) });
    expect(report.groups).toMatchObject([
      {
        kind: "other state",
        cause: "PAY in open leads to shipping instead of charging",
        actors: 2,
        counterfactual: 2,
        witness: { events: ["taskwright.start", "PAY"] },
      },
    ]);
    const data = compare(await behind(), [orderWith({ version: "2", pay: ({ paid }, amount) => ({ paid: paid + amount, receipt: "early" }) })], { writers: [order] });
    expect(data.groups).toMatchObject([{ kind: "other data", cause: "PAY in open writes another context.receipt", actors: 2, counterfactual: 0 }]);
    const input = compare(await behind(), [orderWith({ version: "2", context: { amount: 5 } })], { writers: [order] });
    expect(kinds(input)).toEqual(["command changed", "other data"]);
    expect(input.groups.find(({ kind }) => kind === "command changed")).toMatchObject({ cause: "PAY in open: child.start charge changed", counterfactual: 2 });
  });

  it("finds states that are gone, machines that throw now, and ones that no longer do", async () => {
    const histories = await behind();
    const gone = charted((config) => {
      const { open, ...states } = config.states;
      Object.assign(states.charging?.invoke ?? {}, { onError: "unpaid" });
      Object.assign(config, { initial: "unpaid", states: { unpaid: open, ...states } });
    });
    expect(compare(histories, [gone], { charts: charts([order]) }).groups).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ kind: "state gone", actors: 1, cause: expect.stringContaining("has no state open"), witness: expect.objectContaining({ address: "order/open" }) }),
      ]),
    );
    const throwing = orderWith({
      version: "2",
      isPaid: () => {
        throw new Error("no such tariff");
      },
    });
    expect(compare(histories, [throwing], { writers: [order] }).groups).toMatchObject([{ kind: "now fails", cause: expect.stringContaining("no such tariff"), actors: 2 }]);
    const failed = await leftBehind([throwing], async (engine) => {
      await engine.start(throwing, "1");
      await engine.send("order/1", { type: "PAY", amount: 1 }).catch(() => {});
    });
    expect(compare(failed.values(), [orderWith({ version: "3" })], { writers: [throwing] }).groups).toMatchObject([{ kind: "no longer fails", cause: "PAY in open", actors: 1 }]);
  });

  it("names a changed guard without the machine of then, and says what it could not see", async () => {
    const report = compare(await behind(), [orderWith({ isPaid: (paid, amount) => paid > amount })], { charts: charts([order]) });
    expect(report).toMatchObject({ actors: 3, same: 1, unseen: { "its functions are not those that wrote it": 2 } });
    expect(report.groups).toMatchObject([{ kind: "other state", cause: 'PAY in open: the guard "isPaid" answers the other way than when this was stored', actors: 2 }]);
    const unknown = compare(await behind(), [orderWith({ version: "2" })]);
    expect(unknown).toMatchObject({ same: 3, unseen: { "the machine that wrote it is not at hand": 3 } });
  });

  it("tells answers of activities to a machine that asks for them at another time", async () => {
    const make = (version: string, waits: boolean) =>
      setup({ actors: { ...order.implementations.actors } as never, actions: { note: assign({ got: (_, got: string) => got }) as never } }).createMachine({
        id: "order",
        version,
        context: { got: "" } as never,
        initial: waits ? "waiting" : "charging",
        states: {
          waiting: { after: { 1000: "charging" } },
          charging: {
            invoke: {
              id: "charge",
              src: "charge" as never,
              input: 1 as never,
              onDone: { target: "end", actions: { type: "note", params: ({ event }: { event: { output: string } }) => event.output } as never },
            },
          },
          end: { on: { STOP: "stopped" } },
          stopped: {},
        },
      } as never) as unknown as AnyStateMachine;
    const one = make("1", false);
    const histories = await leftBehind([one], async (engine) => {
      await engine.start(one, "1");
      await engine.settled();
      await engine.advance(5_000);
      await engine.send("order/1", { type: "STOP" });
    });
    const report = compare(histories.values(), [make("2", true)], { writers: [one] });
    // It goes another way at first, asks a second later, gets its answer, and ends where it ended.
    expect(report.groups).toMatchObject([{ kind: "other state", actors: 1, counterfactual: 0 }]);
    expect(report.groups[0]?.witness.ends).toBeUndefined();
    expect(historyAt(histories, "order/1").entries).toHaveLength(3);
  });
});
