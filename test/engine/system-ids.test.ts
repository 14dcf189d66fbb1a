import { describe, expect } from "vitest";
import { assign, fromCallback, sendTo, setup } from "xstate";
import { inBothJournals, inMemory, inThreeModes } from "../../src/testing/index.ts";
import { HeldCallback } from "./live-code.ts";

const counter = (id: string) =>
  setup({ types: { context: {} as { count: number }, events: {} as { type: "COUNT" } | { type: "END" } }, actions: { count: assign({ count: ({ context }) => context.count + 1 }) } }).createMachine({
    id,
    context: { count: 0 },
    on: { COUNT: { actions: "count" }, END: ".ended" },
    initial: "counting",
    states: { counting: {}, ended: { type: "final" } },
  });

const logger = counter("logger");
const worker = setup({ types: { events: {} as { type: "WORK" } } }).createMachine({ id: "worker", on: { WORK: { actions: sendTo(({ system }) => system.get("log"), { type: "COUNT" }) } } });
const site = setup({ types: { events: {} as { type: "WORK" } | { type: "LOST" } }, actors: { logger, worker }, actions: { pass: sendTo("worker", { type: "WORK" }) } }).createMachine({
  id: "site",
  invoke: [
    { src: "logger", id: "logbook", systemId: "log" },
    { src: "worker", id: "worker" },
  ],
  on: { WORK: { actions: "pass" }, LOST: { actions: sendTo(({ system }) => system.get("nobody"), { type: "COUNT" }) } },
});

describe("engine > system ids", () => {
  inThreeModes("an actor reaches another of its tree by its system id, wherever it stands", async (bench) => {
    const engine = await bench.engine({ machines: [site] });
    await engine.start("site", "1");
    await engine.start("site", "2");
    await engine.send("site/1", { type: "WORK" });
    await engine.send("site/1", { type: "WORK" });
    await engine.send("site/2", { type: "WORK" });
    expect((await engine.snapshot("site/1/logbook")).context).toEqual({ count: 2 });
    expect((await engine.snapshot("site/2/logbook")).context).toEqual({ count: 1 });
  });

  inThreeModes("what is sent to an id that nobody has is among the dead letters", async (bench) => {
    const engine = await bench.engine({ machines: [site] });
    await engine.start("site", "1");
    await engine.send("site/1", { type: "LOST" });
    await engine.settled();
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ address: "taskwright.system/site/1/nobody", event: { type: "COUNT" }, error: { name: "UnknownActor" } }]);
    expect(await engine.snapshot("site/1")).toMatchObject({ status: "active" });
  });

  inBothJournals("a message between two engines' lives finds the one that has the id now", async (bench) => {
    const shift = setup({ types: { events: {} as { type: "WORK" } | { type: "NEXT" } }, actors: { logger, worker }, actions: { pass: sendTo("worker", { type: "WORK" }) } }).createMachine({
      id: "shift",
      invoke: { src: "worker", id: "worker" },
      on: { WORK: { actions: "pass" } },
      initial: "early",
      states: { early: { invoke: { src: "logger", id: "early", systemId: "log" }, on: { NEXT: "late" } }, late: { invoke: { src: "logger", id: "late", systemId: "log" } } },
    });
    const engine = await bench.engine({ machines: [shift], limits: { turnMessagesMax: 1 } });
    await engine.start("shift", "1");
    await engine.send("shift/1", { type: "WORK" });
    await engine.settled();
    await engine.send("shift/1", { type: "NEXT" });
    await engine.restart();
    await engine.send("shift/1", { type: "WORK" });
    await engine.settled();
    expect((await engine.snapshot("shift/1/early")).context).toEqual({ count: 1 });
    expect((await engine.snapshot("shift/1/late")).context).toEqual({ count: 1 });
  });

  inMemory("the code of a live actor reaches others by their system ids", async (bench) => {
    const held = new HeldCallback();
    const field = setup({ actors: { logger, sensor: held.logic, mute: fromCallback(() => {}) } }).createMachine({
      id: "field",
      invoke: [
        { src: "logger", id: "logbook", systemId: "log" },
        { src: "sensor", id: "sensor" },
      ],
    });
    const engine = await bench.engine({ machines: [field] });
    await engine.start("field", "1");
    held.last.system.get("log").send({ type: "COUNT" });
    await engine.settled();
    expect((await engine.snapshot("field/1/logbook")).context).toEqual({ count: 1 });
  });
});
