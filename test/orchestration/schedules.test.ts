import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import { describe, expect, test } from "vitest";
import type { TaskSpec } from "../../src/dispatch/index.ts";
import { JournalError } from "../../src/journal/index.ts";
import { makeSchedules, type NewSchedule, type Schedules, type TaskDesk } from "../../src/orchestration/index.ts";
import { type Bench, inBothJournals, inThreeModes, testEngine, type TestEngine, VirtualTime } from "../../src/testing/index.ts";
import { Desk } from "./desk.ts";

const order = { by: "anna", why: "a test" };
const start = Date.UTC(2030, 0, 1);
const minutely: NewSchedule = { when: { cron: "* * * * *" }, task: { kind: "report", tags: ["nightly"] } };
const idOf = (minute: number, name = "s") => `${name}@${new Date(start + minute * 60_000).toISOString()}`;

/** A program with schedules, on virtual time. In the mode `restart` it ends after every call. */
class Host {
  readonly engine: TestEngine;
  readonly schedules: Schedules;
  readonly desk = new Desk();
  readonly heard: Array<{ readonly type: string }> = [];

  static async open(bench: Bench, { isAttached = true, at = start } = {}): Promise<Host> {
    const schedules = makeSchedules();
    const host = new Host(await bench.engine({ machines: [], plugins: [schedules], time: new VirtualTime(at) }), schedules);
    host.engine.taskwright.onEmitted((_, event) => void host.heard.push(event));
    if (isAttached) schedules.attach(host.desk);
    return host;
  }
  constructor(engine: TestEngine, schedules: Schedules) {
    this.engine = engine;
    this.schedules = schedules;
  }

  async exit<A, E>(call: Effect.Effect<A, E>): Promise<Exit.Exit<A, E>> {
    const exit = await Effect.runPromiseExit(call);
    await this.engine.settled();
    if (this.engine.mode === "restart") await this.restart();
    return exit;
  }
  async call<A, E>(call: Effect.Effect<A, E>): Promise<A> {
    const exit = await this.exit(call);
    if (Exit.isSuccess(exit)) return exit.value;
    throw Error(`the call failed: ${String(exit.cause)}`, { cause: exit.cause });
  }
  async failure<A, E>(call: Effect.Effect<A, E>): Promise<E> {
    const exit = await this.exit(Effect.flip(call));
    if (Exit.isSuccess(exit)) return exit.value;
    throw Error("this had to fail, and did not");
  }
  /** The clock goes on to each due moment; in the mode `restart` the program ends there. */
  async minutes(count: number): Promise<void> {
    const to = this.engine.time.now() + count * 60_000;
    for (let next = this.engine.time.next; next !== undefined && next <= to; next = this.engine.time.next) {
      await this.engine.advance(Math.max(0, next - this.engine.time.now()));
      if (this.engine.mode === "restart") this.schedules.attach(this.desk);
      await this.engine.settled();
    }
    await this.engine.advance(to - this.engine.time.now());
  }
  async end(id: string): Promise<void> {
    this.desk.end(id);
    await this.engine.settled();
    if (this.engine.mode === "restart") await this.restart();
  }
  async restart(awayMinutes = 0): Promise<void> {
    this.engine.crash();
    this.engine.time.advance(awayMinutes * 60_000);
    await this.engine.restart();
    this.schedules.attach(this.desk);
    await this.engine.settled();
  }
  get(name = "s") {
    return this.call(this.schedules.get(name));
  }
}

describe("orchestration > schedules", () => {
  inThreeModes("each moment is a task of its own, submitted once, with its moment", async (bench) => {
    const host = await Host.open(bench);
    await host.call(host.schedules.create("s", { ...minutely, overlap: "queue" }));
    await host.minutes(1);
    expect(host.desk.ids).toEqual([idOf(1)]);
    expect(host.desk.tasks.get(idOf(1))?.spec).toEqual({ id: idOf(1), kind: "report", tags: ["nightly"], attributes: { schedule: "s", moment: start + 60_000 } });
    await host.end(idOf(1));
    await host.minutes(1.5);
    expect(host.desk.ids).toEqual([idOf(1), idOf(2)]);
    expect(await host.get()).toMatchObject({ state: "waiting", current: { task: idOf(2) }, started: 2, next: { moment: start + 180_000 } });
  });

  inThreeModes("runs of one schedule never overlap: a moment is skipped, waits, or ends the one before", async (bench) => {
    const host = await Host.open(bench);
    for (const overlap of ["skip", "queue", "cancelFormer"] as const) await host.call(host.schedules.create(overlap, { ...minutely, overlap }));
    await host.minutes(3);
    expect(host.desk.running).toEqual([idOf(1, "skip"), idOf(1, "queue"), idOf(3, "cancelFormer")]);
    expect(host.desk.cancelled).toEqual([idOf(1, "cancelFormer"), idOf(2, "cancelFormer")]);
    await host.end(idOf(1, "skip"));
    await host.end(idOf(1, "queue"));
    expect(host.desk.running).toEqual([idOf(3, "cancelFormer"), idOf(2, "queue")]);
    expect(await host.get("skip")).toMatchObject({ skipped: 2, current: undefined });
    expect(await host.get("queue")).toMatchObject({ skipped: 0, waiting: [{ task: idOf(3, "queue") }] });
  });

  inThreeModes("moments that passed while no engine was open: the last one, all of them, or none", async (bench) => {
    const host = await Host.open(bench);
    for (const missed of ["last", "all", "none"] as const) await host.call(host.schedules.create(missed, { when: { cron: "*/10 * * * *" }, task: {}, overlap: "queue", missed }));
    await host.restart(45);
    // The first submission came before the dispatcher was attached.
    await host.minutes(0.01);
    expect(host.desk.ids).toEqual([idOf(40, "last"), idOf(10, "all")]);
    for (const minute of [10, 20, 30]) await host.end(idOf(minute, "all"));
    expect(host.desk.running).toEqual([idOf(40, "last"), idOf(40, "all")]);
    expect([(await host.get("last")).missed, (await host.get("all")).missed, (await host.get("none")).missed]).toEqual([3, 0, 4]);
    await host.minutes(5);
    expect(host.desk.ids).toContain(idOf(50, "none"));
  });

  inThreeModes("a pause stops the clock; what passes meanwhile can be backfilled, and runs once", async (bench) => {
    const host = await Host.open(bench);
    await host.call(host.schedules.create("s", minutely));
    await host.minutes(1);
    await host.end(idOf(1));
    await host.call(host.schedules.pause("s", order));
    await host.minutes(3);
    expect(await host.get()).toMatchObject({ state: "paused", isPaused: true, note: "anna: a test" });
    await host.call(host.schedules.resume("s", order));
    expect(host.desk.ids).toEqual([idOf(1)]);
    expect(await host.call(host.schedules.backfill("s", { from: start, to: start + 3 * 60_000 }))).toHaveLength(4);
    for (const minute of [0, 2]) await host.end(idOf(minute));
    // The first minute ran before, and is not run again.
    expect(host.desk.ids).toEqual([idOf(1), idOf(0), idOf(2), idOf(3)]);
    expect(host.desk.running).toEqual([idOf(3)]);
  });

  inThreeModes("it can be triggered at once, also while it is paused, and waits for the one before", async (bench) => {
    const host = await Host.open(bench);
    await host.call(host.schedules.create("s", minutely));
    await host.call(host.schedules.pause("s", order));
    expect(await host.call(host.schedules.trigger("s"))).toBe("s@trigger-1");
    expect(await host.call(host.schedules.trigger("s"))).toBe("s@trigger-2");
    expect(host.desk.running).toEqual(["s@trigger-1"]);
    await host.end("s@trigger-1");
    expect(host.desk.running).toEqual(["s@trigger-2"]);
  });

  inThreeModes("in its time zone, over the change of the clocks", async (bench) => {
    const host = await Host.open(bench, { at: Date.UTC(2030, 2, 30) });
    await host.call(host.schedules.create("daily", { when: { cron: "30 2 * * *", timeZone: "Europe/Berlin" }, task: {}, overlap: "cancelFormer" }));
    await host.minutes(3 * 24 * 60);
    expect(host.desk.ids).toEqual(["daily@2030-03-30T01:30:00.000Z", "daily@2030-03-31T01:30:00.000Z", "daily@2030-04-01T00:30:00.000Z"]);
  });

  inBothJournals("the same schedule again is a duplicate, another one of its name is refused; a name is used once", async (bench) => {
    const host = await Host.open(bench);
    const hourly: NewSchedule = { when: { everyMs: 3_600_000 }, task: { kind: "report" } };
    expect(await host.call(host.schedules.create("s", hourly))).toEqual({ duplicate: false });
    await host.minutes(7);
    expect(await host.call(host.schedules.create("s", { task: { kind: "report" }, when: { everyMs: 3_600_000 } }))).toEqual({ duplicate: true });
    expect(await host.failure(host.schedules.create("s", minutely))).toMatchObject({ _tag: "ScheduleExists", code: "schedule_exists", removed: false });
    await host.call(host.schedules.change("s", minutely));
    expect(await host.call(host.schedules.create("s", minutely))).toEqual({ duplicate: true });
    expect(await host.call(host.schedules.upcoming("s", 2))).toEqual([start + 8 * 60_000, start + 9 * 60_000]);
    expect((await host.call(host.schedules.list())).map(({ name }) => name)).toEqual(["s"]);
    await host.call(host.schedules.remove("s"));
    expect(await host.call(host.schedules.list())).toEqual([]);
    expect(await host.failure(host.schedules.create("s", minutely))).toMatchObject({ _tag: "ScheduleExists", removed: true });
    for (const call of [host.schedules.get("s"), host.schedules.trigger("s"), host.schedules.remove("s"), host.schedules.pause("nobody", order), host.schedules.change("a/b", minutely)])
      expect(await host.failure(call as Effect.Effect<unknown, unknown>)).toMatchObject({ _tag: "UnknownSchedule", code: "unknown_schedule", status: 404 });
    await host.minutes(60);
    expect(host.desk.ids).toEqual([]);
  });

  inBothJournals("what can't be a schedule is refused before anything is stored", async (bench) => {
    const host = await Host.open(bench);
    const wrong: ReadonlyArray<readonly [string, unknown, RegExp]> = [
      ["s", { when: { cron: "61 * * * *" }, task: {} }, /no cron expression/],
      ["s", { when: { cron: "* * * * *", timeZone: "Mars" }, task: {} }, /no time zone "Mars"/],
      ["s", { when: { cron: "0 0 30 2 *" }, task: {} }, /never due/],
      ["s", { when: { everyMs: 10 }, task: {} }, /everyMs|1000/],
      ["s", { ...minutely, jitterMs: 60_000 }, /not shorter than the 60000 ms/],
      ["s", { ...minutely, until: start + 1 }, /ends before its first moment/],
      ["s", { ...minutely, overlap: "allow" }, /overlap/],
      ["s", { ...minutely, task: { id: "x" } }, /no `id`/],
      ["s", { ...minutely, ovelap: "queue" }, /there is no ovelap \(did you mean "overlap"\?\)/],
      ["s", { cron: "* * * * *", task: {} }, /there is no cron/],
      ["s", { task: {} }, /when: it must be an object, got nothing/],
      ["s", { ...minutely, when: { cron: "* * * * *", timezone: "UTC" } }, /when: there is no timezone \(did you mean "timeZone"\?\)/],
      ["s", { ...minutely, task: { knd: "report" } }, /task: there is no knd \(did you mean "kind"\?\)/],
      ["a/b", minutely, /no slash/],
      ["n".repeat(151), minutely, /at most 150 characters/],
    ];
    for (const [name, schedule, detail] of wrong) {
      const error = await host.failure(host.schedules.create(name, schedule as NewSchedule));
      expect(error).toMatchObject({ _tag: "InvalidSchedule", code: "invalid_schedule", status: 400, retryable: false });
      expect((error as Error).message).toMatch(detail);
    }
    expect(await host.call(host.schedules.list())).toEqual([]);
    await host.call(host.schedules.create("s", minutely));
    const backfill = (from: number, to: number) => host.failure(host.schedules.backfill("s", { from: start + from, to: start + to }));
    expect(await backfill(0, -1)).toMatchObject({ _tag: "InvalidSchedule" });
    expect(await backfill(0, 60_000)).toMatchObject({ detail: "a backfill is for moments that have passed" });
    expect(await backfill(-101 * 60_000, 0)).toMatchObject({ detail: "a backfill covers at most 100 moments; do it in parts" });
  });

  inBothJournals("what waits is bounded", async (bench) => {
    const host = await Host.open(bench);
    await host.call(host.schedules.create("s", minutely));
    for (let count = 0; count <= 100; count++) await host.call(host.schedules.trigger("s"));
    expect(await host.failure(host.schedules.trigger("s"))).toMatchObject({ _tag: "ScheduleFull", code: "schedule_full", status: 429, retryable: true });
    expect(await host.failure(host.schedules.backfill("s", { from: start - 60_000, to: start }))).toMatchObject({ _tag: "ScheduleFull" });
  });

  inBothJournals("without a dispatcher what is due waits, and is submitted once one is attached", async (bench) => {
    const host = await Host.open(bench, { isAttached: false });
    await host.call(host.schedules.create("s", minutely));
    await host.minutes(1);
    expect(await host.get()).toMatchObject({ state: "starting" });
    host.schedules.attach(host.desk);
    await host.minutes(1);
    expect(host.desk.running).toEqual([idOf(1)]);
  });

  inBothJournals("a dispatcher that takes nothing is asked for a while, then the run is dropped and told of", async (bench) => {
    const host = await Host.open(bench);
    host.desk.takes = false;
    await host.call(host.schedules.create("s", { when: { cron: "0 0 * * *" }, task: {} }));
    await host.minutes(24 * 60 + 30);
    expect(await host.get()).toMatchObject({ state: "waiting", dropped: 1, current: undefined });
    expect(host.heard).toContainEqual({ type: "schedule.dropped", task: "s@2030-01-02T00:00:00.000Z", reason: "it takes no tasks" });
  });

  inThreeModes("the end of a run is heard whatever happens in between: a restart, a task that is gone", async (bench) => {
    const host = await Host.open(bench);
    await host.call(host.schedules.create("s", minutely));
    await host.minutes(1);
    host.engine.crash();
    host.desk.end(idOf(1));
    await host.engine.restart();
    host.schedules.attach(host.desk);
    await host.engine.settled();
    expect((await host.get()).current).toBeUndefined();
    await host.minutes(1);
    host.desk.tasks.delete(idOf(2));
    await host.restart();
    expect((await host.get()).current).toBeUndefined();
  });

  inBothJournals("a run that takes its time, to be taken or to end, does not put off the next moment", async (bench) => {
    const host = await Host.open(bench, { isAttached: false });
    let takes = () => {};
    host.schedules.attach({
      ...host.desk,
      submit: (async (spec: TaskSpec & { readonly id: string }) => {
        await new Promise<void>((resolve) => {
          takes = resolve;
        });
        return host.desk.submit(spec);
      }) as TaskDesk["submit"],
    });
    await host.call(host.schedules.create("s", minutely));
    await host.engine.advance(60_000);
    await host.engine.advance(10_000);
    takes();
    await host.engine.settled();
    await host.engine.advance(20_000);
    await host.end(idOf(1));
    await host.engine.advance(30_000);
    await host.engine.advance(10_000);
    takes();
    await host.engine.settled();
    expect(host.desk.ids).toEqual([idOf(1), idOf(2)]);
    // It has not ended when the next moment comes.
    await host.engine.advance(50_000);
    expect(await host.get()).toMatchObject({ skipped: 1 });
  });

  inBothJournals("jitter puts a moment off, and its task keeps its moment", async (bench) => {
    const host = await Host.open(bench);
    await host.call(host.schedules.create("s", { when: { cron: "0 * * * *" }, task: {}, jitterMs: 600_000 }));
    const { next } = await host.get();
    expect(next?.moment).toBe(start + 3_600_000);
    expect((next?.dueAt ?? 0) - (next?.moment ?? 0)).toBeGreaterThan(0);
    await host.engine.advance((next?.dueAt ?? 0) - host.engine.time.now() - 1);
    expect(host.desk.ids).toEqual([]);
    await host.engine.advance(1);
    expect(host.desk.ids).toEqual([idOf(60)]);
  });
});

describe("orchestration > schedules > outside of an engine", () => {
  test("say that they are not part of one", async () => {
    expect(await Effect.runPromise(Effect.flip(makeSchedules().list()))).toMatchObject({ _tag: "EngineClosed" });
  });
});

const refusal = Effect.fail(new JournalError({ reason: "failed", where: "here", detail: "a bad sector" }));

describe("schedules > a store that can't be read", () => {
  test("a schedule hears of a run that ended while no engine was open, although the store could not be read at first", async () => {
    const schedules = makeSchedules();
    const desk = new Desk();
    let refuses = false;
    const engine = await testEngine({
      machines: [],
      plugins: [schedules],
      time: new VirtualTime(start),
      wrap: (journal) => ({ ...journal, list: (query) => (refuses && query.machine === "schedule" ? refusal : journal.list(query)) }),
    });
    schedules.attach(desk);
    await Effect.runPromise(schedules.create("s", { when: { everyMs: 60_000, anchorMs: start }, task: { kind: "report" } }));
    await engine.advance(60_000);
    await engine.settled();
    const [first] = desk.running as [string];
    await Effect.runPromise(schedules.trigger("s"));
    engine.crash();
    desk.ends(first);
    refuses = true;
    await engine.open({ ownerIsDead: true });
    schedules.attach(desk);
    await engine.settled();
    refuses = false;
    await engine.advance(5_000);
    await engine.settled();
    expect(desk.ids).toHaveLength(2);
    await engine.dispose();
  });

  test("a schedule hears of a run that could not be looked at at first", async () => {
    const schedules = makeSchedules();
    const desk = new Desk();
    const engine = await testEngine({ machines: [], plugins: [schedules], time: new VirtualTime(start) });
    let fails = true;
    // It ends before its submission is answered, and then nobody can say so for a while.
    schedules.attach({
      ...desk,
      submit: (async (spec: TaskSpec & { readonly id: string }) => {
        const answer = await desk.submit(spec);
        desk.ends(spec.id);
        return answer;
      }) as TaskDesk["submit"],
      get: (id: string) => (fails ? Promise.reject(new Error("the store is away")) : desk.get(id)),
    });
    await Effect.runPromise(schedules.create("s", { when: { everyMs: 60_000 }, task: { kind: "report" } }));
    await engine.advance(60_000);
    await engine.settled();
    expect(desk.ids).toHaveLength(1);
    fails = false;
    await engine.advance(5_000);
    await engine.advance(55_000);
    await engine.settled();
    expect(desk.ids).toHaveLength(2);
    await engine.dispose();
  });

  test("moments that could not be found out in time are found out later", async () => {
    const schedules = makeSchedules();
    const desk = new Desk();
    let holds = false;
    let release = () => {};
    const held = () =>
      Effect.async<void>((resume) => {
        release = () => resume(Effect.void);
      });
    const engine = await testEngine({
      machines: [],
      plugins: [schedules],
      time: new VirtualTime(start),
      // The answer of the store takes longer than a plan may.
      wrap: (journal) => ({ ...journal, commit: (turn) => Effect.zipRight(journal.commit(turn), holds ? held() : Effect.void) }),
    });
    schedules.attach(desk);
    await Effect.runPromise(schedules.create("s", { when: { everyMs: 600_000, anchorMs: start }, task: { kind: "report" } }));
    await engine.settled();
    holds = true;
    engine.time.advance(600_000);
    for (let round = 0; round < 20; round++) await new Promise(setImmediate);
    holds = false;
    engine.time.advance(120_000);
    release();
    await engine.settled();
    await engine.advance(60_000);
    expect(await Effect.runPromise(schedules.get("s"))).toMatchObject({ state: "waiting", failure: undefined });
    expect(desk.ids).toHaveLength(1);
    await engine.dispose();
  });
});
