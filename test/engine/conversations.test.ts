import { assign, fromPromise, sendParent, sendTo, setup, spawnChild, stopChild } from "xstate";
import { describe, expect } from "vitest";
import { inThreeModes } from "../../src/testing/index.ts";

interface Heard {
  readonly type: string;
  readonly word?: string;
}
interface Context {
  readonly words: ReadonlyArray<string>;
}
const types = {} as { context: Context; events: Heard };
const kept = ({ context, event }: { readonly context: Context; readonly event: Heard }) => [...context.words, event.word ?? event.type];
const say = (word: string) => ({ type: "SAY", word });

/** Answers at once, and tells itself something when it starts. */
const echo = setup({ types, actions: { keep: assign({ words: kept }) } }).createMachine({
  id: "echo",
  context: { words: [] },
  entry: sendTo(({ self }) => self, say("to myself")),
  on: { SAY: { actions: "keep" }, ASK: { actions: ["keep", sendParent(say("answer"))] } },
});

const teller = setup({ types, actions: { keep: assign({ words: kept }) }, actors: { echo } }).createMachine({
  id: "teller",
  context: { words: [] },
  initial: "alone",
  on: { SAY: { actions: "keep" } },
  states: {
    alone: { on: { GO: "together" } },
    together: {
      entry: sendTo("echo", say("early")),
      invoke: { src: "echo", id: "echo" },
      on: { BOTH: { actions: [sendTo("echo", { type: "ASK" }), sendTo(({ self }) => self, say("later"))] } },
    },
  },
});

/** Tells its parent when it starts, and itself more than once what the parent answers by stopping it. */
const goner = setup({ types, actions: { keep: assign({ words: kept }) } }).createMachine({
  id: "goner",
  context: { words: [] },
  on: { SAY: { actions: "keep" }, GO: { actions: [sendTo(({ self }) => self, say("one")), sendParent({ type: "STOP" }), sendTo(({ self }) => self, say("two"))] } },
});
const leaver = setup({ types, actions: { keep: assign({ words: kept }) }, actors: { goner } }).createMachine({
  id: "leaver",
  context: { words: [] },
  initial: "with",
  states: { with: { invoke: { src: "goner", id: "goner" }, on: { STOP: "without", AGAIN: { target: "with", reenter: true } } }, without: {} },
});

const early = setup({ types, actions: { keep: assign({ words: kept }) }, actors: { caller: setup({}).createMachine({ id: "caller", entry: sendParent(say("the child")) }) } }).createMachine({
  id: "early",
  context: { words: [] },
  entry: sendTo(({ self }) => self, say("myself")),
  invoke: { src: "caller", id: "caller" },
  on: { SAY: { actions: "keep" } },
});

/** Puts another child in the place of one, in a single step. */
const swapper = setup({ types, actions: { keep: assign({ words: kept }) }, actors: { echo, never: fromPromise(() => new Promise(() => {})) } }).createMachine({
  id: "swapper",
  context: { words: [] },
  initial: "first",
  on: { SAY: { actions: "keep" } },
  states: {
    first: {
      entry: spawnChild("echo", { id: "echo" }),
      exit: sendTo("echo", { type: "ASK", word: "goodbye" }),
      on: { PROMISE: { target: "second", actions: [stopChild("echo"), spawnChild("never", { id: "echo" })] } },
    },
    second: { on: { SPAWN: { target: "third", actions: spawnChild("echo", { id: "echo" }) } } },
    third: {
      entry: [sendTo("echo", say("early")), sendTo("echo", say("later"), { delay: 5 })],
      invoke: { src: "echo", id: "echo" },
    },
  },
});

/** Tells its parent to replace it, and starts a child with one of its own meanwhile. */
const nest = setup({
  actors: { kid: setup({ actors: { grandchild: setup({}).createMachine({ id: "grandchild" }) } }).createMachine({ id: "kid", invoke: { src: "grandchild", id: "grandchild" } }) },
}).createMachine({
  id: "nest",
  on: { GO: { actions: [sendParent({ type: "AGAIN" }), spawnChild("kid", { id: "kid" })] } },
});
const keeper = setup({ actors: { nest } }).createMachine({
  id: "keeper",
  initial: "with",
  states: { with: { invoke: { src: "nest", id: "nest" }, on: { AGAIN: { target: "with", reenter: true } } } },
});

const rung: Array<string> = [];
const knocker = setup({ types, actions: { keep: assign({ words: kept }), knock: () => void rung.push("knock") } }).createMachine({
  id: "knocker",
  context: { words: [] },
  on: { SAY: { actions: "keep" }, KNOCK: { actions: "knock" }, ASK: { actions: [sendParent({ type: "ASKED" }), sendTo(({ self }) => self, say("to myself"))] } },
});
/** Asks its child later, and answers what that asks back. */
const host = setup({ actors: { knocker }, actions: { ring: () => void rung.push("ring") } }).createMachine({
  id: "host",
  invoke: { src: "knocker", id: "knocker" },
  on: {
    LATER: { actions: sendTo("knocker", { type: "ASK" }, { delay: 5 }) },
    ASKED: { actions: sendTo("knocker", say("answer")) },
    RING: { actions: [sendTo("knocker", { type: "KNOCK" }), "ring"] },
  },
});

const wordsOf = (view: { readonly context: unknown }) => (view.context as { words: ReadonlyArray<string> }).words;

describe("engine > conversations", () => {
  inThreeModes("a child that answers at once is heard before what its parent told itself later", async ({ engine }) => {
    const it = await engine({ machines: [teller] });
    await it.start("teller", "1");
    await it.send("teller/1", { type: "GO" });
    await it.send("teller/1", { type: "BOTH" });
    expect(wordsOf(await it.snapshot("teller/1"))).toEqual(["answer", "later"]);
  });

  inThreeModes("what a state sends to the child that it is about to invoke comes before what the child tells itself", async ({ engine }) => {
    const it = await engine({ machines: [teller] });
    await it.start("teller", "1");
    await it.send("teller/1", { type: "GO" });
    expect(wordsOf(await it.snapshot("teller/1/echo"))).toEqual(["early", "to myself"]);
  });

  inThreeModes("a child is told goodbye although the same step puts one that takes no events in its place", async ({ engine }) => {
    const it = await engine({ machines: [swapper] });
    await it.start("swapper", "1");
    await it.send("swapper/1", { type: "PROMISE" });
    expect(wordsOf(await it.snapshot("swapper/1"))).toEqual(["answer"]);
  });

  inThreeModes("what a state sends to the child that it is about to invoke is for that one, not for whom it replaces", async ({ engine }) => {
    const it = await engine({ machines: [swapper] });
    await it.start("swapper", "1");
    await it.send("swapper/1", { type: "PROMISE" });
    await it.send("swapper/1", { type: "SPAWN" });
    await it.advance(5);
    expect(wordsOf(await it.snapshot("swapper/1/echo"))).toEqual(["early", "to myself", "later"]);
  });

  inThreeModes("whom a child starts while it is replaced leaves its place to those of the next one", async ({ engine }) => {
    const it = await engine({ machines: [keeper] });
    await it.start("keeper", "1");
    for (let time = 0; time < 3; time++) await it.send("keeper/1/nest", { type: "GO" });
    const running = await it.taskwright.list({ status: "active" });
    expect(running.map(({ address }) => address)).toEqual(["keeper/1", "keeper/1/nest"]);
  });

  inThreeModes("an actor is at rest when its deadline sends to another, and answers at once", async ({ engine }) => {
    const it = await engine({ machines: [host] });
    await it.start("host", "1");
    await it.send("host/1", { type: "LATER" });
    await it.advance(5);
    expect(wordsOf(await it.snapshot("host/1/knocker"))).toEqual(["answer", "to myself"]);
  });

  inThreeModes("an actor acts before anybody hears what it sends", async ({ engine }) => {
    rung.length = 0;
    const it = await engine({ machines: [host] });
    await it.start("host", "1");
    await it.send("host/1", { type: "RING" });
    await it.settled();
    expect(rung).toEqual(["ring", "knock"]);
  });

  inThreeModes("the children of a first state start before anything else is sent", async ({ engine }) => {
    const it = await engine({ machines: [early] });
    await it.start("early", "1");
    expect(wordsOf(await it.snapshot("early/1"))).toEqual(["the child", "myself"]);
  });

  inThreeModes("an actor that is stopped takes nothing that still waits for it", async ({ engine }) => {
    const it = await engine({ machines: [leaver] });
    await it.start("leaver", "1");
    await it.send("leaver/1/goner", { type: "GO" });
    const goner = await it.snapshot("leaver/1/goner");
    expect([goner.status, wordsOf(goner)]).toEqual(["stopped", []]);
    expect((await it.taskwright.history("leaver/1/goner")).map(({ event, outcome }) => `${event.type} ${outcome}`)).toEqual([
      "taskwright.start handled",
      "GO handled",
      "taskwright.stop handled",
      "SAY ended",
      "SAY ended",
    ]);
  });
});
