import { describe, expect } from "vitest";
import { assign, setup } from "xstate";
import type { ActionInfo } from "../../src/engine/index.ts";
import { type Bench, inMemory, inThreeModes } from "../../src/testing/index.ts";
import { Held } from "./held.ts";

type Told = { type: "WORK" | "LEAVE" };

/** A child that does something outside as it begins, below a parent that begins it whenever it is told to. */
const parts = (act: (info: ActionInfo) => unknown) => {
  const held = new Held();
  const errand = setup({ actions: { pay: (_, _params: { amount: number }) => {} } }).createMachine({
    id: "errand",
    entry: [
      { type: "pay", params: { amount: 1 } },
      { type: "pay", params: { amount: 2 } },
    ],
  });
  const boss = setup({ types: { events: {} as Told }, actors: { errand, work: held.logic } }).createMachine({
    id: "boss",
    initial: "resting",
    states: {
      resting: { on: { WORK: "working" } },
      working: {
        invoke: [
          { id: "errand", src: "errand" },
          { id: "work", src: "work", input: { amount: 7 } },
        ],
        on: { LEAVE: "resting" },
      },
    },
  });
  return { held, machines: [boss, { machine: errand, actions: { pay: act } }] };
};
const open = async (bench: Bench, act: (info: ActionInfo) => unknown, afterMs = 0) => {
  const { held, machines } = parts(act);
  const engine = await bench.engine({ machines });
  await engine.advance(afterMs);
  await engine.start("boss", "1");
  return { engine, held };
};
const shape = /^[\w-]{43}$/;

describe("engine > keys of effects", () => {
  inThreeModes("each action has a key, and none comes twice, though address and entry come again", async (bench) => {
    const told: Array<ActionInfo> = [];
    const { engine } = await open(bench, (info) => void told.push({ ...info }));
    for (const type of ["WORK", "LEAVE", "WORK"] as const) {
      await engine.send("boss/1", { type });
      await engine.settled();
    }
    expect(told.map(({ address, seq }) => `${address}#${seq}`)).toEqual(new Array(4).fill("boss/1/errand#1"));
    expect(new Set(told.map(({ key }) => key)).size).toBe(4);
    for (const { key } of told) expect(key).toMatch(shape);
  });

  inThreeModes("an action that is carried out again has its key again: after a crash, and from its dead letter", async (bench) => {
    const keys: Array<string> = [];
    const addresses = new Set<string>();
    let isBroken = true;
    const { engine } = await open(bench, ({ key, address, params }) => {
      addresses.add(address);
      if ((params as { amount: number }).amount === 2) return undefined;
      keys.push(key);
      if (isBroken) throw new Error("the bank is closed");
      return new Promise(() => {});
    });
    await engine.send("boss/1", { type: "WORK" });
    await engine.settled();
    isBroken = false;
    expect(await engine.taskwright.requeue({ kind: "action" })).toBe(1);
    await engine.settled();
    await engine.restart();
    // Its actor has ended, and another one has its address.
    await engine.send("boss/1", { type: "LEAVE" });
    await engine.send("boss/1", { type: "WORK" });
    await engine.settled();
    await engine.restart();
    const [first] = keys;
    expect(keys.filter((key) => key === first).length).toBeGreaterThan(3);
    expect(new Set(keys).size).toBe(2);
    expect([...addresses]).toEqual(["boss/1/errand"]);
  });

  inThreeModes("all attempts of an activity have one key; when its state is entered again it is another one", async (bench) => {
    const { engine, held } = await open(bench, () => {});
    await engine.send("boss/1", { type: "WORK" });
    await engine.settled();
    await engine.restart();
    const first = held.calls.map(({ info }) => info.key);
    expect(first.length).toBeGreaterThan(1);
    expect(new Set(first).size).toBe(1);
    expect(first[0]).toMatch(shape);
    await engine.send("boss/1", { type: "LEAVE" });
    await engine.send("boss/1", { type: "WORK" });
    await engine.settled();
    expect(held.last.info.address).toBe(held.calls[0]?.info.address);
    expect(held.last.info.key).not.toBe(first[0]);
  });

  inThreeModes("what an action tells its own actor is not told to a later one at its address", async (bench) => {
    let tell: (() => void) | undefined;
    const child = setup({
      types: { context: {} as { hints: number }, events: {} as { type: "HINT" } },
      actions: {
        remember: ({ self }) => {
          tell ??= () => self.send({ type: "HINT" });
        },
        count: assign({ hints: ({ context }) => context.hints + 1 }),
      },
    }).createMachine({ id: "child", context: { hints: 0 }, entry: "remember", on: { HINT: { actions: "count" } } });
    const parent = setup({ types: { events: {} as Told }, actors: { child } }).createMachine({
      id: "parent",
      initial: "resting",
      states: { resting: { on: { WORK: "working" } }, working: { invoke: { id: "child", src: "child" }, on: { LEAVE: "resting" } } },
    });
    const engine = await bench.engine({ machines: [parent, child] });
    await engine.start("parent", "1");
    await engine.send("parent/1", { type: "WORK" });
    await engine.settled();
    tell?.();
    await engine.settled();
    // There it belongs to an engine that is closed.
    if (engine.mode !== "restart") expect(await engine.snapshot("parent/1/child")).toMatchObject({ context: { hints: 1 } });
    await engine.send("parent/1", { type: "LEAVE" });
    await engine.send("parent/1", { type: "WORK" });
    await engine.settled();
    tell?.();
    await engine.settled();
    expect(await engine.snapshot("parent/1/child")).toMatchObject({ context: { hints: 0 } });
  });

  inMemory("the same actor of another journal has other keys", async (bench) => {
    const keys: Array<string> = [];
    for (const laterMs of [0, 1]) {
      const { engine, held } = await open(bench, ({ key }) => void keys.push(key), laterMs);
      await engine.send("boss/1", { type: "WORK" });
      await engine.settled();
      keys.push(held.last.info.key);
    }
    expect(new Set(keys).size).toBe(6);
  });
});
