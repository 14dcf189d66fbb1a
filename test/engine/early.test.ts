import { describe, expect } from "vitest";
import { assign, sendTo, setup } from "xstate";
import { actorRef } from "../../src/actor/index.ts";
import type { DurableMachine } from "../../src/engine/index.ts";
import { inBothJournals, inMemory, inThreeModes } from "../../src/testing/index.ts";

type Event =
  | { readonly type: "OPEN" | "CLOSE" | "END" | "SHIP" | "BREAK" }
  | { readonly type: "PAY"; readonly amount: number }
  | { readonly type: "ASK"; readonly replyTo?: { readonly address: string } };

/** Takes payments while it is open. */
const till = (early: DurableMachine["early"]): DurableMachine => ({
  machine: setup({
    types: { context: {} as { paid: ReadonlyArray<number> }, events: {} as Event },
    guards: {
      isEnough: ({ event }) => {
        if (!("amount" in event) || event.amount < 0) throw new Error("what kind of amount is this?");
        return event.amount >= 10;
      },
    },
    actions: { keep: assign({ paid: ({ context, event }) => [...context.paid, "amount" in event ? event.amount : 0] }) },
  }).createMachine({
    id: "till",
    context: { paid: [] },
    initial: "closed",
    on: { END: ".ended" },
    states: {
      closed: { on: { OPEN: "open" } },
      open: { on: { PAY: { guard: "isEnough", actions: "keep", target: "busy" }, CLOSE: "closed" } },
      busy: { on: { SHIP: "open", ASK: { actions: sendTo(({ event }) => actorRef(event.replyTo?.address ?? ""), { type: "BUSY" }) } } },
      ended: { type: "final" },
    },
  }),
  ...(early === undefined ? {} : { early }),
});

const outcomesOf = (history: ReadonlyArray<{ readonly event: { readonly type: string }; readonly outcome: string }>) => history.map(({ event, outcome }) => `${event.type} ${outcome}`);

describe("engine > early events", () => {
  inThreeModes("one that is kept is told as soon as a state takes it, one by one, in the order in which they came", async (bench) => {
    const engine = await bench.engine({ machines: [till({ PAY: "keep" })] });
    await engine.start("till", "1");
    for (const amount of [10, 20, 30]) expect(await engine.send("till/1", { type: "PAY", amount })).toMatchObject({ outcome: "kept" });
    await engine.send("till/1", { type: "OPEN" });
    expect(await engine.snapshot("till/1")).toMatchObject({ value: "busy", context: { paid: [10] } });
    await engine.send("till/1", { type: "SHIP" });
    await engine.send("till/1", { type: "SHIP" });
    expect((await engine.snapshot("till/1")).context).toEqual({ paid: [10, 20, 30] });
    expect(outcomesOf(await engine.taskwright.history("till/1"))).toEqual([
      "taskwright.start handled",
      "PAY kept",
      "PAY kept",
      "PAY kept",
      "OPEN handled",
      "taskwright.offer handled",
      "SHIP handled",
      "taskwright.offer handled",
      "SHIP handled",
      "taskwright.offer handled",
    ]);
  });

  inThreeModes("what a guard does not let in yet stays kept, and does not hold up what comes behind it", async (bench) => {
    const engine = await bench.engine({ machines: [till({ PAY: "keep" })] });
    await engine.start("till", "1");
    await engine.send("till/1", { type: "PAY", amount: 1 });
    await engine.send("till/1", { type: "PAY", amount: 10 });
    await engine.send("till/1", { type: "OPEN" });
    expect((await engine.snapshot("till/1")).context).toEqual({ paid: [10] });
  });

  inThreeModes("without a policy it is ignored", async (bench) => {
    const engine = await bench.engine({ machines: [till(undefined)] });
    await engine.start("till", "1");
    expect(await engine.send("till/1", { type: "PAY", amount: 10 })).toMatchObject({ outcome: "ignored" });
    await engine.send("till/1", { type: "OPEN" });
    expect((await engine.snapshot("till/1")).context).toEqual({ paid: [] });
  });

  inThreeModes("one that is refused tells its sender, and leaves no trace", async (bench) => {
    const engine = await bench.engine({ machines: [till({ PAY: "refuse" })] });
    await engine.start("till", "1");
    await expect(engine.send("till/1", { type: "PAY", amount: 10 }, { key: "a" })).rejects.toMatchObject({ _tag: "EventRefused", code: "event_refused", retryable: true });
    expect(await engine.taskwright.history("till/1")).toHaveLength(1);
    await engine.send("till/1", { type: "OPEN" });
    expect(await engine.send("till/1", { type: "PAY", amount: 10 }, { key: "a" })).toMatchObject({ outcome: "handled", duplicate: false });
  });

  inThreeModes("more than may be kept is refused", async (bench) => {
    const engine = await bench.engine({ machines: [till({ PAY: "keep" })], limits: { keptEventsMax: 2 } });
    await engine.start("till", "1");
    for (const amount of [10, 20]) await engine.send("till/1", { type: "PAY", amount });
    await expect(engine.send("till/1", { type: "PAY", amount: 30 })).rejects.toMatchObject({ _tag: "EventRefused", message: expect.stringContaining("keptEventsMax") });
  });

  inBothJournals("what an actor sent and another refuses is among the dead letters", async (bench) => {
    const payer = setup({ types: { events: {} as { type: "GO" } } }).createMachine({ id: "payer", on: { GO: { actions: sendTo(actorRef("till/1"), { type: "PAY", amount: 10 }) } } });
    const engine = await bench.engine({ machines: [till({ PAY: "refuse" }), payer] });
    await engine.start("till", "1");
    await engine.start("payer", "1");
    await engine.send("payer/1", { type: "GO" });
    await engine.settled();
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ address: "till/1", from: "payer/1", event: { type: "PAY" }, error: { name: "EventRefused" } }]);
  });

  inThreeModes("what is refused is refused by one that has ended, too: no sender takes it for taken", async (bench) => {
    const payer = setup({ types: { events: {} as { type: "GO" } } }).createMachine({ id: "payer", on: { GO: { actions: sendTo(actorRef("till/1"), { type: "PAY", amount: 10 }) } } });
    const engine = await bench.engine({ machines: [till({ PAY: "refuse" }), payer] });
    await engine.start("till", "1");
    await engine.start("payer", "1");
    await engine.send("till/1", { type: "END" });
    await expect(engine.send("till/1", { type: "PAY", amount: 10 })).rejects.toMatchObject({ _tag: "EventRefused", message: expect.stringContaining("has ended") });
    expect(await engine.send("till/1", { type: "OPEN" })).toMatchObject({ outcome: "ended" });
    await engine.send("payer/1", { type: "GO" });
    await engine.settled();
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ address: "till/1", from: "payer/1", error: { name: "EventRefused" } }]);
  });

  inBothJournals("what no state took before the actor ended is among the dead letters", async (bench) => {
    const engine = await bench.engine({ machines: [till({ PAY: "keep" })] });
    await engine.start("till", "1");
    await engine.send("till/1", { type: "PAY", amount: 10 });
    await engine.send("till/1", { type: "END" });
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ address: "till/1", event: { type: "PAY", amount: 10 }, error: { message: expect.stringContaining("ended before") } }]);
  });

  inThreeModes("one on which the transition throws is given up once, and the next is told", async (bench) => {
    const engine = await bench.engine({ machines: [till({ PAY: "keep" })] });
    await engine.start("till", "1");
    await engine.send("till/1", { type: "PAY", amount: -1 });
    await engine.send("till/1", { type: "PAY", amount: 10 });
    await engine.send("till/1", { type: "OPEN" });
    await engine.settled();
    expect(await engine.snapshot("till/1")).toMatchObject({ value: "busy", context: { paid: [10] } });
    expect(await engine.taskwright.deadLetters()).toHaveLength(1);
  });

  inMemory("a question may be kept, and is answered when a state takes it", async (bench) => {
    const engine = await bench.engine({ machines: [till({ ASK: "keep", PAY: "keep" })] });
    await engine.start("till", "1");
    const answer = engine.taskwright.ask("till/1", { type: "ASK" });
    await engine.settled();
    await engine.send("till/1", { type: "PAY", amount: 10 });
    await engine.send("till/1", { type: "OPEN" });
    expect(await answer).toEqual({ type: "BUSY" });
  });

  inMemory("a policy for an event that no state takes, or no policy at all, is refused at open", async (bench) => {
    await expect(bench.engine({ machines: [till({ PAID: "keep", PAY: "hold" as "keep" })] })).rejects.toMatchObject({
      _tag: "InvalidOptions",
      message: expect.stringMatching(/early event "PAID": no state of the machine takes it[\s\S]*early event "PAY": the policy must be one of drop, refuse, keep, got "hold"/),
    });
  });
});
