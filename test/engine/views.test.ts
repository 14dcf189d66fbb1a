import * as Effect from "effect/Effect";
import * as Stream from "effect/Stream";
import { describe, expect } from "vitest";
import { assign, setup } from "xstate";
import { inBothJournals, inMemory, inThreeModes } from "../../src/testing/index.ts";
import { Held } from "./held.ts";
import { job } from "./job.ts";
import { counter, list } from "./machines.ts";

describe("engine > snapshot", () => {
  inThreeModes("tells everything that an operator asks of an actor", async (bench) => {
    const engine = await bench.engine({ machines: [job(new Held())] });
    const at = engine.time.now();
    await engine.start("job", "1");
    expect(await engine.snapshot("job/1")).toMatchObject({
      address: "job/1",
      machine: "job",
      version: "1",
      hash: expect.stringMatching(/^[0-9a-f]{16}$/),
      status: "active",
      value: "working",
      context: { output: null, error: null },
      tags: [],
      output: undefined,
      error: undefined,
      children: { work: { src: "work" } },
      timers: {},
      seq: 1,
      at,
      createdAt: at,
    });
    await expect(engine.snapshot("job/none")).rejects.toMatchObject({ _tag: "UnknownActor", address: "job/none", code: "unknown_actor", status: 404 });
  });
});

describe("engine > waitFor", () => {
  inBothJournals("the present state counts", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    await engine.start("counter", "1");
    expect(await engine.taskwright.waitFor("counter/1", ({ value }) => value === "counting")).toMatchObject({ seq: 1 });
  });

  inBothJournals("resolves with the first stored state that satisfies the predicate", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    await engine.start("counter", "1", { limit: 3 });
    const full = engine.taskwright.waitFor("counter/1", ({ value }) => value === "full");
    for (let count = 0; count < 3; count++) await engine.send("counter/1", { type: "ADD" });
    expect(await full).toMatchObject({ value: "full", seq: 4 });
  });

  inBothJournals("fails for an unknown actor, after its time, and when the engine closes", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    await engine.start("counter", "1");
    await expect(engine.taskwright.waitFor("counter/none", () => true)).rejects.toMatchObject({ _tag: "UnknownActor" });
    const timed = expect(engine.taskwright.waitFor("counter/1", () => false, { timeout: "5 seconds" })).rejects.toMatchObject({ _tag: "TimedOut", ms: 5_000 });
    const closed = expect(engine.taskwright.waitFor("counter/1", () => false)).rejects.toMatchObject({ _tag: "EngineClosed" });
    await engine.settled();
    await engine.advance("5 seconds");
    await timed;
    await engine.taskwright.close();
    await closed;
  });

  inMemory("a predicate that throws fails its own call and nothing else", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    await engine.start("counter", "1");
    await expect(
      engine.taskwright.waitFor("counter/1", () => {
        throw new Error("the predicate broke");
      }),
    ).rejects.toThrow("the predicate broke");
    expect(await engine.send("counter/1", { type: "ADD" })).toMatchObject({ outcome: "handled" });
  });
});

describe("engine > watch", () => {
  inBothJournals("gives the present state first, and then every change, also those that come while the first is looked at", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    await engine.start("counter", "1");
    const seen: Array<number> = [];
    for await (const { seq } of engine.taskwright.watch("counter/1")) {
      seen.push(seq);
      if (seq === 4) break;
      // Sent, and stored, while the watcher is busy with the one before.
      await engine.send("counter/1", { type: "ADD" });
    }
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  inBothJournals("a slow consumer of the stream misses nothing between its first look and the next", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    await engine.start("counter", "1");
    const seen: Array<number> = [];
    const watched = engine.taskwright.effect.watch("counter/1").pipe(
      Stream.take(3),
      Stream.runForEach(({ seq }) =>
        Effect.promise(async () => {
          seen.push(seq);
          if (seq > 1) return;
          await engine.send("counter/1", { type: "ADD" });
          await engine.send("counter/1", { type: "ADD" });
        }),
      ),
    );
    await Effect.runPromise(watched);
    expect(seen).toEqual([1, 2, 3]);
  });

  inBothJournals("shows an actor that takes the address of the one before", async (bench) => {
    const held = new Held();
    const engine = await bench.engine({ machines: [job(held)] });
    await engine.start("job", "1");
    for (let beat = 0; beat < 3; beat++) {
      held.last.info.heartbeat(beat);
      await engine.settled();
    }
    const seen: Array<ReadonlyArray<unknown>> = [];
    for await (const { seq, status } of engine.taskwright.watch("job/1/work")) {
      seen.push([seq, status]);
      if (seen.length === 3) break;
      if (seen.length === 1) await engine.send("job/1", { type: "AGAIN" });
    }
    expect(seen).toEqual([
      [4, "active"],
      [5, "stopped"],
      [1, "active"],
    ]);
  });

  inBothJournals("fails for an unknown actor, and ends when the engine closes", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    await engine.start("counter", "1");
    const first = async (address: string) => {
      for await (const view of engine.taskwright.watch(address)) return view;
      return undefined;
    };
    await expect(first("counter/none")).rejects.toMatchObject({ _tag: "UnknownActor" });
    const all = (async () => {
      let views = 0;
      for await (const _ of engine.taskwright.watch("counter/1")) views++;
      return views;
    })();
    await engine.send("counter/1", { type: "ADD" });
    await engine.settled();
    await engine.taskwright.close();
    expect(await all).toBeGreaterThanOrEqual(1);
  });
});

describe("engine > views", () => {
  inBothJournals("are copies: what a host or an action does to them changes no actor", async (bench) => {
    const machine = setup({ types: { context: {} as { list: Array<number> } }, actions: { spoil: ({ context }) => void context.list.push(99) } }).createMachine({
      id: "plain",
      context: { list: [] },
      on: { ADD: { actions: [assign({ list: ({ context }) => [...context.list, 1] }), "spoil"] } },
    });
    const engine = await bench.engine({ machines: [machine] });
    await engine.start("plain", "1");
    const spoil = ({ context }: { context: unknown }) => void (context as { list: Array<number> }).list.push(99);
    const waited = engine.taskwright.waitFor("plain/1", ({ seq }) => seq === 2).then(spoil);
    const watched = (async () => {
      for await (const view of engine.taskwright.watch("plain/1")) {
        spoil(view);
        if (view.seq === 2) break;
      }
    })();
    await engine.settled();
    await engine.send("plain/1", { type: "ADD" });
    await Promise.all([waited, watched]);
    spoil(await engine.snapshot("plain/1"));
    await engine.send("plain/1", { type: "ADD" });
    expect(await engine.snapshot("plain/1")).toMatchObject({ context: { list: [1, 1] } });
  });
});

describe("engine > history, list, counts and dead letters", () => {
  inThreeModes("history pages from a sequence number", async (bench) => {
    const engine = await bench.engine({ machines: [list] });
    await engine.start("list", "1");
    for (let word = 0; word < 5; word++) await engine.send("list/1", { type: "SAY", word });
    const page = await engine.taskwright.history("list/1", { after: 2, limit: 2 });
    expect(page).toMatchObject([
      { seq: 3, event: { type: "SAY", word: 1 }, outcome: "handled", from: "" },
      { seq: 4, event: { type: "SAY", word: 2 } },
    ]);
    expect(page[0]?.stateHash).toMatch(/^[\w-]{22}$/);
    expect(await engine.taskwright.history("list/1", { after: 6 })).toEqual([]);
    await expect(engine.taskwright.history("list/none")).rejects.toMatchObject({ _tag: "UnknownActor", address: "list/none" });
  });

  inThreeModes("list filters and pages; counts counts", async (bench) => {
    const engine = await bench.engine({ machines: [list, counter] });
    for (let id = 0; id < 3; id++) await engine.start("list", String(id));
    for (let id = 0; id < 2; id++) await engine.start("counter", String(id));
    await engine.send("counter/0", { type: "CLOSE" });
    const addresses = async (filter: Parameters<typeof engine.taskwright.list>[0]) => (await engine.taskwright.list(filter)).map(({ address }) => address);
    expect(await addresses({})).toEqual(["list/0", "list/1", "list/2", "counter/0", "counter/1"]);
    expect(await addresses({ machine: "counter" })).toEqual(["counter/0", "counter/1"]);
    expect(await addresses({ status: "done" })).toEqual(["counter/0"]);
    expect(await addresses({ limit: 2 })).toEqual(["list/0", "list/1"]);
    const [, second] = await engine.taskwright.list({ limit: 2 });
    expect(second).toMatchObject({ address: "list/1", context: { words: [] }, status: "active" });
    expect(await engine.taskwright.counts()).toEqual([
      { machine: "counter", status: "active", count: 1 },
      { machine: "counter", status: "done", count: 1 },
      { machine: "list", status: "active", count: 3 },
    ]);
  });

  inThreeModes("dead letters page by their ids", async (bench) => {
    const { faulty } = await import("./faulty.ts");
    const engine = await bench.engine({ machines: [faulty] });
    await engine.start("faulty", "1");
    for (const n of [1, 2, 3]) await engine.send("faulty/1", { type: "THROW_IN_ASSIGN", n }).catch(() => {});
    const letters = await engine.taskwright.deadLetters();
    expect(letters.map(({ id, event }) => [id, event.n])).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
    expect((await engine.taskwright.deadLetters({ after: 1, limit: 1 })).map(({ id }) => id)).toEqual([2]);
  });
});

describe("engine > observe", () => {
  inBothJournals("hears every stored transition in order, with what it did, until it stops", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    const heard: Array<unknown> = [];
    const stop = engine.taskwright.observe(({ address, machine, seq, event, outcome, status, from }) => heard.push([address, machine, seq, event.type, outcome, status, from]));
    await engine.start("counter", "1");
    await engine.send("counter/1", { type: "ADD" });
    await engine.send("counter/1", { type: "RESET" });
    await engine.send("counter/1", { type: "CLOSE" });
    stop();
    await engine.send("counter/1", { type: "ADD" });
    expect(heard).toEqual([
      ["counter/1", "counter", 1, "taskwright.start", "handled", "active", ""],
      ["counter/1", "counter", 2, "ADD", "handled", "active", ""],
      ["counter/1", "counter", 3, "RESET", "ignored", "active", ""],
      ["counter/1", "counter", 4, "CLOSE", "handled", "done", ""],
    ]);
  });

  inBothJournals("what it hears is stored already", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    const reader = await engine.reader();
    const stored: Array<Promise<number | undefined>> = [];
    engine.taskwright.observe(({ address }) => stored.push(Effect.runPromise(reader.actors([address])).then(([row]) => row?.seq)));
    await engine.start("counter", "1");
    await engine.send("counter/1", { type: "ADD" });
    expect(await Promise.all(stored)).toEqual([1, 2]);
  });
});

describe("engine > status", () => {
  inBothJournals("tells the engine's state and what it has done", async (bench) => {
    const engine = await bench.engine({ machines: [counter] });
    await engine.start("counter", "1");
    await engine.send("counter/1", { type: "ADD" });
    expect(engine.taskwright.status()).toMatchObject({ state: "running", cause: undefined, waiting: 0, activities: 0, transitions: 2, owner: { epoch: 1 } });
    await engine.restart();
    expect(engine.taskwright.status()).toMatchObject({ state: "running", transitions: 0, owner: { epoch: 2 } });
  });
});
