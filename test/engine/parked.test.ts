import * as Effect from "effect/Effect";
import { describe, expect, test } from "vitest";
import { setup } from "xstate";
import type { ActorRow, Journal } from "../../src/journal/index.ts";
import { inBothJournals, memoryStore, testEngine } from "../../src/testing/index.ts";
import { counter, list, relay } from "./machines.ts";

/** A store whose rows look different when they are read: as a broken disk or another program would leave them. */
const mutating =
  (mutate: () => ((row: ActorRow) => ActorRow) | undefined) =>
  (journal: Journal): Journal => {
    const look = <E>(rows: Effect.Effect<ReadonlyArray<ActorRow>, E>) => Effect.map(rows, (all) => all.map((row) => (row.address.endsWith("/bad") ? (mutate()?.(row) ?? row) : row)));
    return { ...journal, actors: (addresses) => look(journal.actors(addresses)), actorsById: (ids) => look(journal.actorsById(ids)), list: (filter) => look(journal.list(filter)) };
  };

const timed = setup({}).createMachine({ id: "timed", initial: "waiting", states: { waiting: { after: { 1000: "late" } }, late: { after: { 1000: "later" } }, later: {} } });

describe("engine > parked actors", () => {
  inBothJournals("a row that its machine can't read is left as it is, and everybody is told so; others run", async (bench) => {
    let broken = false;
    const engine = await bench.engine({
      machines: [counter, timed, relay, list],
      wrap: mutating(() => (broken ? (row) => ({ ...row, state: row.state.replace(/"value":"\w+"/, '"value":"nowhere"') }) : undefined)),
    });
    for (const machine of ["counter", "timed"]) for (const id of ["bad", "good"]) await engine.start(machine, id);
    await engine.start("relay", "1");
    const reader = await engine.reader();
    const rows = () => Effect.runPromise(reader.actors(["counter/bad", "timed/bad"]));
    const before = await rows();
    broken = true;
    await engine.restart();
    const parked = { _tag: "ActorParked", address: "counter/bad", code: "actor_parked", status: 409, detail: expect.stringContaining("nowhere") };
    await expect(engine.send("counter/bad", { type: "ADD" })).rejects.toMatchObject(parked);
    await expect(engine.start("counter", "bad")).rejects.toMatchObject(parked);
    await expect(engine.snapshot("counter/bad")).rejects.toMatchObject(parked);
    await expect(engine.taskwright.waitFor("counter/bad", () => true)).rejects.toMatchObject(parked);
    await expect(engine.taskwright.ask("counter/bad", { type: "ADD" })).rejects.toMatchObject(parked);
    expect(await engine.taskwright.history("counter/bad")).toHaveLength(1);
    expect((await engine.taskwright.list()).map(({ address }) => address)).toEqual(["counter/bad", "counter/good", "timed/bad", "timed/good", "relay/1"]);
    expect(await engine.send("counter/good", { type: "ADD" })).toMatchObject({ outcome: "handled" });
    // Messages to it are kept as dead letters; its deadlines wait.
    await engine.send("relay/1", { type: "PASS", to: "counter/bad", word: 1 });
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ address: "counter/bad", error: { code: "actor_parked" } }]);
    await engine.advance("1 hour");
    expect(await engine.snapshot("timed/good")).toMatchObject({ value: "later" });
    expect(await rows()).toMatchObject(before.map(({ wake: _, ...row }) => row));
    // When the machine can read it again, it goes on, and its deadline is not lost.
    broken = false;
    await engine.restart();
    await engine.advance("2 minutes");
    expect(await engine.snapshot("timed/bad")).toMatchObject({ value: "later" });
    expect(await engine.send("counter/bad", { type: "ADD" })).toMatchObject({ seq: 2, outcome: "handled" });
  });

  inBothJournals("an actor that is parked while its child is invoked anew does not keep the new child from starting", async (bench) => {
    const kid = setup({}).createMachine({ id: "kid", initial: "open", states: { open: {} } });
    const parent = setup({ actors: { kid } }).createMachine({
      id: "parent",
      initial: "with",
      states: { with: { invoke: { src: "kid", id: "bad" }, on: { AGAIN: { target: "with", reenter: true } } } },
    });
    let broken = false;
    const engine = await bench.engine({ machines: [parent], wrap: mutating(() => (broken ? (row) => ({ ...row, state: "{" }) : undefined)) });
    await engine.start("parent", "1");
    broken = true;
    await engine.restart();
    expect(await engine.send("parent/1", { type: "AGAIN" })).toMatchObject({ outcome: "handled" });
    broken = false;
    expect(await engine.snapshot("parent/1/bad")).toMatchObject({ status: "active", seq: 1 });
  });

  const mutations: ReadonlyArray<readonly [string, (state: Record<string, unknown>) => unknown]> = [
    ["no JSON", () => "{"],
    ["empty", () => ""],
    ["null", () => null],
    ["a list", () => []],
    ["a number", () => 7],
    ...["status", "value", "context"].map((key) => [`without ${key}`, ({ [key]: _, ...rest }: Record<string, unknown>) => rest] as const),
    ...["status", "value", "context", "history", "children", "timers", "tokens"].flatMap((key) =>
      [7, "wat", null, true, [1], "__proto__"].map((value) => [`with ${key} = ${JSON.stringify(value)}`, (state: Record<string, unknown>) => ({ ...state, [key]: value })] as const),
    ),
    ["with a state of another machine", (state) => ({ ...state, value: { deep: "elsewhere" } })],
    ["with a timer without a due time", (state) => ({ ...state, timers: { x: { token: 1 } } })],
    ["with a timer that is due at a word", (state) => ({ ...state, timers: { x: { due: "soon", token: 1 } } })],
    ["with a child without a source", (state) => ({ ...state, children: { x: { token: 1 } } })],
    ["with the history of a state that is not there", (state) => ({ ...state, history: { h: ["counter.nowhere"] } })],
  ];

  test("whatever stands in a row, the engine goes on and no other actor is touched", async () => {
    let mutate: ((row: ActorRow) => ActorRow) | undefined;
    const store = memoryStore();
    const engine = await testEngine({ machines: [counter], journal: store, wrap: mutating(() => mutate) });
    await engine.start("counter", "bad");
    await engine.start("counter", "good");
    const outcomes = new Map<string, string>();
    let sent = 1;
    for (const [name, change] of mutations) {
      mutate = (row) => {
        const changed = change(JSON.parse(row.state) as Record<string, unknown>);
        return { ...row, state: typeof changed === "string" ? changed : JSON.stringify(changed) };
      };
      await engine.restart();
      // Nothing that it does may be stored: the row that it would follow is not what is stored.
      const outcome = await engine.taskwright.snapshot("counter/bad").then(
        () => "readable",
        (error: { _tag: string }) => error._tag,
      );
      outcomes.set(name, outcome);
      expect(["ActorParked", "readable"], name).toContain(outcome);
      if (outcome === "ActorParked") await expect(engine.send("counter/bad", { type: "ADD" }), name).rejects.toMatchObject({ _tag: "ActorParked" });
      expect(await engine.taskwright.list(), name).toHaveLength(2);
      expect(await engine.send("counter/good", { type: "ADD" }), name).toMatchObject({ seq: ++sent, outcome: "handled" });
    }
    // A higher token counter can't be told from one that a machine left.
    expect([...outcomes].filter(([, outcome]) => outcome === "readable").map(([name]) => name)).toEqual(["with tokens = 7"]);
    mutate = undefined;
    await engine.restart();
    expect(await engine.send("counter/bad", { type: "ADD" })).toMatchObject({ seq: 2 });
    await engine.end();
  });
});
