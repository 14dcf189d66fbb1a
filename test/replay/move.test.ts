import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type AnyStateMachine, fromPromise, setup } from "xstate";
import { invoke } from "../../src/cli/invoke.ts";
import { type DurableMachine, openEngine } from "../../src/index.ts";
import { planMove, rehearseMove } from "../../src/replay/index.ts";
import { inMemory, type TestEngine } from "../../src/testing/index.ts";
import { heldSignals, recordedStreams } from "../cli/recorded.ts";

const job = (version: string): AnyStateMachine =>
  setup({ actors: { work: fromPromise(() => new Promise<string>(() => {})) }, delays: { patience: version === "1" ? 60_000 : 30_000 } }).createMachine({
    id: "job",
    version,
    context: { notes: version === "1" ? "" : [] } as never,
    initial: version === "1" ? "waiting" : "queued",
    states: {
      ...(version === "1" ? { waiting: { after: { patience: "late" }, on: { GO: "working" } } } : { queued: { after: { patience: "late" }, on: { GO: "working" } } }),
      working: { invoke: version === "1" ? { id: "work", src: "work" } : { id: "labour", src: "work" }, on: { STOP: "late" } },
      late: { on: { SAY: { target: "late" } } },
      odd: {},
    },
    on: { ODD: ".odd" },
  } as never) as unknown as AnyStateMachine;

const moved: DurableMachine = {
  machine: job("2"),
  migrate: ({ value, context }) => (value === "odd" ? undefined : { value: value === "waiting" ? "queued" : value, context: { notes: [(context as { notes: string }).notes] } }),
};

/** Two wait, one works, one is late, one is odd, one has ended its life elsewhere. */
const populate = async (engine: Pick<TestEngine, "start" | "send">) => {
  for (const id of ["a", "b", "works", "late", "odd"]) await engine.start("job", id);
  await engine.send("job/works", { type: "GO" });
  await engine.send("job/late", { type: "GO" });
  await engine.send("job/late", { type: "STOP" });
  await engine.send("job/odd", { type: "ODD" });
};

describe("replay > move", () => {
  inMemory("says what would become of each running actor: states, deadlines, children, and who ends with them", async ({ engine: open }) => {
    const engine = await open({ machines: [job("1")] });
    await populate(engine);
    const journal = await engine.reader();
    const before = await Effect.runPromise(journal.list({ limit: 100 }));
    const options = { machine: "job", machines: [moved], at: engine.time.now() + 10_000 };
    const plan = await Effect.runPromise(planMove(journal, options));
    expect(plan).toMatchObject({ machine: "job", to: { version: "2" }, current: 0 });
    expect(plan.groups).toEqual([
      expect.objectContaining({
        fate: "moves",
        in: "waiting",
        to: "queued",
        by: "migrate",
        actors: 2,
        addresses: ["job/a", "job/b"],
        timers: { kept: [], set: ["after.patience.job.queued"], dropped: ["after.patience.job.waiting"] },
        needsEngine: false,
      }),
      expect.objectContaining({ fate: "moves", in: "working", actors: 1, children: { kept: [], started: ["labour"], stopped: ["work"] }, ending: { activity: 1 }, needsEngine: true }),
      expect.objectContaining({ fate: "moves", in: "late", actors: 1, needsEngine: false }),
      expect.objectContaining({ fate: "parked", in: "odd", actors: 1, why: expect.stringContaining("does not take this actor") }),
    ]);
    expect(await Effect.runPromise(rehearseMove(journal, options))).toEqual({ applied: { moved: 3, left: 1, unmoved: 1 }, problems: [], back: 3, notBack: [] });
    // It was only read.
    expect(await Effect.runPromise(journal.list({ limit: 100 }))).toEqual(before);
    await expect(Effect.runPromise(planMove(journal, { ...options, machine: "other" }))).rejects.toThrow(/it is none of those that were given/);
  });
});

describe("cli > move", () => {
  let folder: string;
  let database: string;
  const file = () => {
    const path = join(folder, "machines.mjs");
    (globalThis as unknown as { movedJob: DurableMachine }).movedJob = moved;
    writeFileSync(path, "export const machines = [globalThis.movedJob];\n");
    return path;
  };
  const taskwright = async (...words: ReadonlyArray<string>) => {
    const { streams, written } = recordedStreams();
    const code = await Effect.runPromise(
      invoke(["node", "taskwright", "move", "job", "--machines", file(), "--keep", join(folder, "moved.jsonl"), "-d", database, ...words], streams, heldSignals().source),
    );
    return { code, ...written };
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "taskwright-move-"));
    database = join(folder, "work.db");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("plans, rehearses, moves in batches, goes the way back, and leaves alone what has gone on", async () => {
    const one = await openEngine({ database, machines: [job("1")], log: () => {} });
    await populate(one as never);
    await one.close({ grace: 0 });
    const plan = await taskwright();
    expect(plan.code).toBe(1);
    expect(plan.out).toMatch(
      /^moves: 2 actors of version 1 in waiting to queued by migrate \(job\/a, job\/b\)\n {2}deadlines set anew, from the move on: after\.patience\.job\.queued\n {2}deadlines dropped: after\.patience\.job\.waiting\n/,
    );
    expect(plan.out).toContain("running actors that end with them: 1 activity\n  only a running engine can do it\n");
    expect(plan.out).toContain("job to version 2: 5 running actors to move, 0 there already\n");
    expect((await taskwright("--rehearse")).out).toContain("rehearsed on a copy: 3 moved, 0 of them don't replay, 3 put back exactly as they were, 0 not\n");
    expect(existsSync(join(folder, "moved.jsonl"))).toBe(false);

    const applied = await taskwright("--apply");
    expect(applied).toMatchObject({ code: 1, out: expect.stringContaining("3 moved, 1 left to the engine (children are started or stopped), 1 not moved\n") });
    expect(readFileSync(join(folder, "moved.jsonl"), "utf8").trim().split("\n")).toHaveLength(3);
    expect(await taskwright("--apply")).toMatchObject({ code: 2, error: expect.stringContaining("is there already") });
    const two = await openEngine({ database, machines: [moved], log: () => {} });
    expect(await two.snapshot("job/a")).toMatchObject({ version: "2", value: "queued", context: { notes: [""] } });
    await two.send("job/late", { type: "SAY" });
    // What needs an engine moves there.
    expect((await two.migrate("job")).moved).toBe(1);
    expect(await taskwright("--back")).toMatchObject({ code: 2, error: expect.stringContaining("let that engine do it") });
    await two.close({ grace: 0 });

    expect(await taskwright("--back")).toMatchObject({ code: 1, out: "2 put back, 1 left as they are\n  job/late has gone on since, or is gone\n" });
    const again = await openEngine({ database, machines: [job("1"), { ...moved }], log: () => {} });
    expect(await again.snapshot("job/a")).toMatchObject({ version: "1", value: "waiting", context: { notes: "" } });
    expect((await again.send("job/a", { type: "ODD" })).outcome).toBe("handled");
    await again.close({ grace: 0 });
    const history = await testHistories(database);
    expect(history).toEqual([]);
  });

  /** What does not replay. */
  const testHistories = async (path: string): Promise<ReadonlyArray<string>> => {
    const { streams, written } = recordedStreams();
    const both = join(folder, "both.mjs");
    (globalThis as unknown as { oldJob: AnyStateMachine }).oldJob = job("1");
    writeFileSync(both, "export const machines = [globalThis.movedJob, globalThis.oldJob];\n");
    await Effect.runPromise(invoke(["node", "taskwright", "replay", "--all", "-m", both, "-d", path, "--json"], streams, heldSignals().source));
    return (JSON.parse(written.out) as { differing: ReadonlyArray<string> }).differing;
  };
});
