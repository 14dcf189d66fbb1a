import { describe, expect } from "vitest";
import { assign, sendTo, setup } from "xstate";
import { inBothJournals, inThreeModes, inTwoModes } from "../../src/testing/index.ts";
import { faulty } from "./faulty.ts";

/** Answers at once, later, through another actor, or never. */
const clerk = setup({
  types: { context: {} as { waiting: unknown; answered: number }, events: {} as { type: "ASK" | "ASK_LATER" | "READY" | "SILENT" | "CLOSE" | "ASK_FRIEND"; replyTo?: unknown; question?: string } },
  actions: {
    answer: sendTo(
      ({ event }) => event.replyTo as never,
      ({ context, event }) => ({ type: "ANSWER", number: context.answered, question: event.question ?? "" }) as never,
    ),
    count: assign({ answered: ({ context }) => context.answered + 1 }),
  },
}).createMachine({
  id: "clerk",
  context: { waiting: null, answered: 0 },
  initial: "open",
  states: {
    open: {
      on: {
        ASK: { actions: ["count", "answer"] },
        ASK_LATER: { actions: assign({ waiting: ({ event }) => event.replyTo }) },
        READY: { actions: sendTo(({ context }) => context.waiting as never, { type: "ANSWER", late: true } as never) },
        SILENT: { actions: "count" },
        CLOSE: "closed",
      },
    },
    closed: { type: "final" },
  },
});

describe("engine > ask", () => {
  inThreeModes("the answer is what the machine sends to replyTo", async (bench) => {
    const engine = await bench.engine({ machines: [clerk] });
    await engine.start("clerk", "1");
    expect(await engine.taskwright.ask("clerk/1", { type: "ASK", question: "how many?" })).toEqual({ type: "ANSWER", number: 1, question: "how many?" });
    expect(await engine.snapshot("clerk/1")).toMatchObject({ seq: 2, context: { answered: 1 } });
  });

  inTwoModes("an answer may come with a later event", async (bench) => {
    const engine = await bench.engine({ machines: [clerk] });
    await engine.start("clerk", "1");
    const answer = engine.taskwright.ask("clerk/1", { type: "ASK_LATER" }, { timeout: "1 hour" });
    await engine.settled();
    await engine.send("clerk/1", { type: "READY" });
    expect(await answer).toEqual({ type: "ANSWER", late: true });
  });

  inBothJournals("many may ask at once; each gets its own answer", async (bench) => {
    const engine = await bench.engine({ machines: [clerk] });
    await engine.start("clerk", "1");
    const answers = await Promise.all(Array.from({ length: 50 }, (_, index) => engine.taskwright.ask("clerk/1", { type: "ASK", question: String(index) })));
    expect(answers.map(({ question }) => question)).toEqual(Array.from({ length: 50 }, (_, index) => String(index)));
  });

  inBothJournals("an event that the state ignores is unanswered at once", async (bench) => {
    const engine = await bench.engine({ machines: [clerk] });
    await engine.start("clerk", "1");
    await expect(engine.taskwright.ask("clerk/1", { type: "WHAT" })).rejects.toMatchObject({ _tag: "Unanswered", address: "clerk/1", event: "WHAT", outcome: "ignored", code: "unanswered" });
    await engine.send("clerk/1", { type: "CLOSE" });
    await expect(engine.taskwright.ask("clerk/1", { type: "ASK" })).rejects.toMatchObject({ _tag: "Unanswered", outcome: "ended" });
  });

  inBothJournals("silence ends in a time-out on the engine's clock; an answer that comes later is dropped", async (bench) => {
    const engine = await bench.engine({ machines: [clerk] });
    await engine.start("clerk", "1");
    const silent = engine.taskwright.ask("clerk/1", { type: "SILENT" });
    const late = engine.taskwright.ask("clerk/1", { type: "ASK_LATER" }, { timeout: "10 seconds" });
    const failures = Promise.allSettled([silent, late]);
    await engine.settled();
    await engine.advance("30 seconds");
    expect(await failures).toMatchObject([
      { status: "rejected", reason: { _tag: "TimedOut", address: "clerk/1", ms: 30_000 } },
      { status: "rejected", reason: { _tag: "TimedOut", ms: 10_000 } },
    ]);
    expect(await engine.send("clerk/1", { type: "READY" })).toMatchObject({ outcome: "handled" });
    expect(await engine.taskwright.deadLetters()).toEqual([]);
  });

  inBothJournals("an answer for an engine that is gone is dropped", async (bench) => {
    const engine = await bench.engine({ machines: [clerk] });
    await engine.start("clerk", "1");
    void engine.taskwright.ask("clerk/1", { type: "ASK_LATER" });
    await engine.settled();
    await engine.restart();
    expect(await engine.send("clerk/1", { type: "READY" })).toMatchObject({ outcome: "handled" });
    expect(await engine.taskwright.deadLetters()).toEqual([]);
  });

  inBothJournals("a repeated key is asked once: the second asker is told at once that it will hear nothing", async (bench) => {
    const engine = await bench.engine({ machines: [clerk] });
    await engine.start("clerk", "1");
    expect(await engine.taskwright.ask("clerk/1", { type: "ASK" }, { key: "a" })).toMatchObject({ number: 1 });
    await expect(engine.taskwright.ask("clerk/1", { type: "ASK" }, { key: "a" })).rejects.toMatchObject({ _tag: "Unanswered", outcome: expect.stringContaining("earlier") });
    expect(await engine.snapshot("clerk/1")).toMatchObject({ context: { answered: 1 } });
  });

  inBothJournals("what a send would refuse, an ask refuses, too", async (bench) => {
    const engine = await bench.engine({ machines: [clerk, faulty] });
    await engine.start("faulty", "1");
    await expect(engine.taskwright.ask("clerk/none", { type: "ASK" })).rejects.toMatchObject({ _tag: "UnknownActor" });
    await expect(engine.taskwright.ask("clerk", { type: "ASK" })).rejects.toMatchObject({ _tag: "InvalidAddress" });
    await expect(engine.taskwright.ask("clerk/1", { type: "xstate.stop" })).rejects.toMatchObject({ _tag: "InvalidEvent" });
    await expect(engine.taskwright.ask("faulty/1", { type: "THROW_IN_ASSIGN" })).rejects.toMatchObject({ _tag: "ActorFailed" });
  });

  inBothJournals("close ends whoever still waits for an answer", async (bench) => {
    const engine = await bench.engine({ machines: [clerk] });
    await engine.start("clerk", "1");
    const asked = expect(engine.taskwright.ask("clerk/1", { type: "ASK_LATER" })).rejects.toMatchObject({ _tag: "EngineClosed" });
    await engine.settled();
    await engine.taskwright.close();
    await asked;
  });
});
