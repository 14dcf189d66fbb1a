import * as Either from "effect/Either";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { momentsMax, type PlanRequest, type When } from "../../src/domain/schedule.ts";
import { firstMoments, momentsOf, planOf } from "../../src/orchestration/moments.ts";

const at = (text: string) => Date.parse(text);
const moments = (when: When, madeAt = 0) => Either.getOrThrowWith(momentsOf(when, madeAt), (problem) => Error(problem));
const iso = (list: ReadonlyArray<number>) => list.map((moment) => new Date(moment).toISOString().replace(":00.000Z", "Z"));
const following = (when: When, from: string, count: number) => iso(firstMoments(moments(when).next, at(from), Number.MAX_SAFE_INTEGER, count));
const berlin = (cron: string): When => ({ cron, timeZone: "Europe/Berlin" });

describe("orchestration > moments > of a cron expression", () => {
  test("are read in its time zone, UTC where none is given", () => {
    expect(following({ cron: "30 2 * * 1-5" }, "2030-01-04T03:00Z", 2)).toEqual(["2030-01-07T02:30Z", "2030-01-08T02:30Z"]);
    expect(following({ cron: "30 2 * * *", timeZone: "+05:30" }, "2030-01-01T00:00Z", 1)).toEqual(["2030-01-01T21:00Z"]);
    expect(following(berlin("0 12 * * *"), "2030-07-01T00:00Z", 1)).toEqual(["2030-07-01T10:00Z"]);
  });
  test("at a time of day come once a day: later where the clocks go over it, and once where it comes twice", () => {
    expect(following(berlin("30 2 * * *"), "2030-03-30T00:00Z", 3)).toEqual(["2030-03-30T01:30Z", "2030-03-31T01:30Z", "2030-04-01T00:30Z"]);
    expect(following(berlin("30 2 * * *"), "2030-10-26T00:00Z", 3)).toEqual(["2030-10-26T00:30Z", "2030-10-27T00:30Z", "2030-10-28T01:30Z"]);
  });
  test("of every hour go by real time: none is left out when the clocks are set", () => {
    expect(following(berlin("*/30 * * * *"), "2030-10-26T23:45Z", 6)).toEqual([
      "2030-10-27T00:00Z",
      "2030-10-27T00:30Z",
      "2030-10-27T01:00Z",
      "2030-10-27T01:30Z",
      "2030-10-27T02:00Z",
      "2030-10-27T02:30Z",
    ]);
    expect(following(berlin("*/30 * * * *"), "2030-03-31T00:15Z", 4)).toEqual(["2030-03-31T00:30Z", "2030-03-31T01:00Z", "2030-03-31T01:30Z", "2030-03-31T02:00Z"]);
    expect(following({ cron: "15 * * * *", timeZone: "Australia/Lord_Howe" }, "2030-04-06T13:30Z", 4)).toEqual(["2030-04-06T14:15Z", "2030-04-06T15:45Z", "2030-04-06T16:45Z", "2030-04-06T17:45Z"]);
  });
  test("of every hour of a day in summer are found from winter, over the change of the clocks", () => {
    expect(following(berlin("0 * 15 7 *"), "2030-01-01T00:00Z", 2)).toEqual(["2030-07-14T22:00Z", "2030-07-14T23:00Z"]);
  });
  test("come to an end where no date fits", () => {
    expect(following({ cron: "0 0 30 2 *" }, "2030-01-01T00:00Z", 1)).toEqual([]);
    expect(following({ cron: "0 * 30 2 *" }, "2030-01-01T00:00Z", 1)).toEqual([]);
  });
  test("that can't be read are refused in words", () => {
    const problem = (when: When) => Either.getOrThrow(Either.flip(momentsOf(when, 0)));
    expect(problem({ cron: "61 * * * *" })).toMatch(/^"61 \* \* \* \*" is no cron expression/);
    expect(problem({ cron: "0 0 * * *", timeZone: "Mars/Phobos" })).toMatch(/^there is no time zone "Mars\/Phobos"/);
  });
});

describe("orchestration > moments > of an interval", () => {
  test("are whole intervals away from the anchor, or from when the schedule was made", () => {
    expect(iso(firstMoments(moments({ everyMs: 60_000, anchorMs: at("2030-01-01T00:00:30Z") }).next, at("2030-01-01T00:01Z"), Number.MAX_SAFE_INTEGER, 2))).toEqual([
      "2030-01-01T00:01:30.000Z",
      "2030-01-01T00:02:30.000Z",
    ]);
    expect(moments({ everyMs: 1_000 }, 7).next(7)).toBe(1_007);
    expect(moments({ everyMs: 1_000 }, 7).next(-5_000)).toBe(-4_993);
  });
});

describe("orchestration > moments > a plan", () => {
  const now = at("2030-06-01T12:00Z");
  const plan = (when: When, more: Partial<PlanRequest>) => planOf({ schedule: "s", when, missed: "last", jitterMs: 0, until: null, after: now, backfill: null, ...more }, moments(when), now);
  const hourly: When = { cron: "0 * * * *" };
  const hour = 3_600_000;

  test("has the moment that has come, and the one that follows", () => {
    expect(plan(hourly, { after: now - 1 })).toEqual({ at: now, due: [now], next: { moment: now + hour, dueAt: now + hour }, backfill: [], missed: 0 });
    expect(plan(hourly, {})).toMatchObject({ due: [], missed: 0 });
  });
  test("makes up for the last missed one, all of them, or none", () => {
    const after = now - 3.5 * hour;
    expect(plan(hourly, { after })).toMatchObject({ due: [now], missed: 3 });
    expect(plan(hourly, { after, missed: "all" })).toMatchObject({ due: [now - 3 * hour, now - 2 * hour, now - hour, now], missed: 0 });
    expect(plan(hourly, { after, missed: "none" })).toMatchObject({ due: [now], missed: 3 });
    expect(planOf({ schedule: "s", when: hourly, missed: "none", jitterMs: 0, until: null, after, backfill: null }, moments(hourly), now + 61_000)).toMatchObject({ due: [], missed: 4 });
  });
  test("after years of seconds has the latest ones, in no time", () => {
    const everySecond = berlin("* * * * * *");
    const { due, missed } = plan(everySecond, { after: now - 3 * 365 * 24 * hour, missed: "all" });
    expect(due).toHaveLength(momentsMax);
    expect([due[0], due.at(-1), missed]).toEqual([now - 99_000, now, 1]);
    expect(plan(everySecond, { after: now - 3 * 365 * 24 * hour }).due).toEqual([now]);
  });
  test("ends at `until`", () => {
    expect(plan(hourly, { until: now + hour - 1 }).next).toBeNull();
    expect(plan(hourly, { until: now + hour }).next).toEqual({ moment: now + hour, dueAt: now + hour });
    expect(plan(hourly, { after: now - 5 * hour, until: now - 2 * hour, missed: "all" })).toMatchObject({ due: [now - 4 * hour, now - 3 * hour, now - 2 * hour], next: null });
  });
  test("has the moments of a backfill, both ends included", () => {
    expect(plan(hourly, { backfill: { from: now - 2 * hour, to: now } }).backfill).toEqual([now - 2 * hour, now - hour, now]);
  });
  test("puts moments off by their jitter, each by its own, always the same, and loses none", () => {
    const dueAt = (schedule: string) => planOf({ schedule, when: hourly, missed: "all", jitterMs: 600_000, until: null, after: now, backfill: null }, moments(hourly), now).next?.dueAt ?? 0;
    const delays = Array.from({ length: 50 }, (_, index) => dueAt(`s${index}`) - now - hour);
    expect(new Set(delays).size).toBeGreaterThan(40);
    expect(delays.every((delay) => delay >= 0 && delay <= 600_000)).toBe(true);
    expect(dueAt("s")).toBe(dueAt("s"));
    const seen: Array<number> = [];
    for (let clock = now, after = now; clock < now + 30 * hour; ) {
      const { due, next } = planOf({ schedule: "s", when: hourly, missed: "all", jitterMs: 600_000, until: null, after, backfill: null }, moments(hourly), clock);
      seen.push(...due);
      after = Math.max(after, due.at(-1) ?? 0);
      clock = next?.dueAt ?? Number.MAX_SAFE_INTEGER;
    }
    expect(seen).toEqual(Array.from({ length: seen.length }, (_, index) => now + (index + 1) * hour));
    expect(seen.length).toBeGreaterThanOrEqual(29);
  });

  const field = (max: number) =>
    fc.oneof(
      fc.constant("*"),
      fc.nat(max).map(String),
      fc.integer({ min: 2, max: 20 }).map((step) => `*/${step}`),
    );
  const expression = fc.tuple(field(59), field(23), fc.constantFrom("*", "1", "*/9"), fc.constantFrom("*", "3,10"), fc.constantFrom("*", "0", "1-5")).map((fields) => fields.join(" "));
  test("finds backwards what it finds forwards, around changes of the clock too", () => {
    fc.assert(
      fc.property(
        expression,
        fc.constantFrom("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"),
        fc.constantFrom("2030-03-31", "2030-10-27", "2030-06-01"),
        fc.nat(96),
        (cron, timeZone, day, hours) => {
          const { next } = moments({ cron, timeZone });
          const to = at(`${day}T12:00Z`);
          const after = to - hours * hour;
          const all = firstMoments(next, after + 1, to, 10_000);
          expect([...all].sort((left, right) => left - right)).toEqual(all);
          const { due, missed } = planOf({ schedule: "s", when: { cron, timeZone }, missed: "all", jitterMs: 0, until: null, after, backfill: null }, { next }, to);
          expect(due).toEqual(all.slice(-momentsMax));
          expect(missed).toBe(all.length > momentsMax ? 1 : 0);
        },
      ),
      { numRuns: 60 },
    );
  });
});
