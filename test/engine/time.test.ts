import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { systemTime } from "../../src/engine/index.ts";
import { VirtualTime } from "../../src/testing/index.ts";

const day = 24 * 60 * 60 * 1000;
const noon = Date.UTC(2030, 0, 1, 12);

describe("engine > time > the system's clock", () => {
  // The monotonic clock is faked with the timers; setting the wall clock does not move it.
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout", "performance"], now: noon });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  const pass = (ms: number) => void vi.advanceTimersByTime(ms);

  test("follows the wall clock", () => {
    const time = systemTime();
    expect(time.now()).toBe(noon);
    pass(1_500);
    expect(time.now()).toBe(noon + 1_500);
  });

  test("a wall clock that is set back takes no time back: it goes on from its last reading", () => {
    const time = systemTime();
    pass(1_000);
    expect(time.now()).toBe(noon + 1_000);
    vi.setSystemTime(noon - 10 * 365 * day);
    expect(time.now()).toBe(noon + 1_000);
    pass(500);
    expect(time.now()).toBe(noon + 1_500);
    let last = time.now();
    // Set back again with every tick.
    for (let tick = 0; tick < 100; tick++) {
      pass(10);
      vi.setSystemTime(Date.now() - 1_000);
      expect(time.now()).toBeGreaterThanOrEqual(last + 9);
      last = time.now();
    }
    // When the wall clock has caught up, it is followed again.
    vi.setSystemTime(noon + day);
    expect(time.now()).toBe(noon + day);
  });

  test("a wall clock that is set forward is followed, and fires what is due by that", () => {
    const time = systemTime();
    let fired = 0;
    time.wakeAt(noon + 2 * 60 * 60 * 1000, () => fired++);
    pass(30_000);
    vi.setSystemTime(noon + day);
    expect(fired).toBe(0);
    pass(60_000);
    expect(fired).toBe(1);
    pass(day);
    expect(fired).toBe(1);
  });

  test("a wait is not shortened by a wall clock that is set back", () => {
    const time = systemTime();
    let fired = 0;
    time.wakeAt(noon + 10_000, () => fired++);
    pass(5_000);
    vi.setSystemTime(noon - day);
    pass(4_999);
    expect(fired).toBe(0);
    pass(1);
    expect(fired).toBe(1);
  });

  test("never reads below what it was advanced to", () => {
    const time = systemTime();
    time.advanceTo(noon + day);
    expect(time.now()).toBe(noon + day);
    pass(1_000);
    expect(time.now()).toBe(noon + day + 1_000);
    time.advanceTo(noon);
    expect(time.now()).toBe(noon + day + 1_000);
  });

  test("waits beyond 2^31 milliseconds are kept", () => {
    const time = systemTime();
    let fired = 0;
    time.wakeAt(noon + 60 * day, () => fired++);
    pass(60 * day - 1);
    expect(fired).toBe(0);
    pass(1);
    expect(fired).toBe(1);
  });

  test("what is due already is called soon, never within the call; what was taken back is not called", () => {
    const time = systemTime();
    let fired = 0;
    time.wakeAt(noon - 1, () => fired++);
    expect(fired).toBe(0);
    const cancel = time.wakeAt(noon + 10, () => fired++);
    cancel();
    pass(100);
    expect(fired).toBe(1);
  });
});

describe("engine > time > virtual time", () => {
  test("stands still until it is moved, and calls back in due order, with the clock at that moment", () => {
    const time = new VirtualTime(noon);
    const fired: Array<[string, number]> = [];
    const note = (name: string) => () => void fired.push([name, time.now() - noon]);
    time.wakeAt(noon + 30, note("c"));
    time.wakeAt(noon + 10, note("a"));
    time.wakeAt(noon + 20, () => {
      note("b")();
      time.wakeAt(noon + 25, note("set by b"));
    });
    time.wakeAt(noon + 10, note("a, set later"));
    time.wakeAt(noon + 15, note("taken back"))();
    time.wakeAt(noon + 99, note("too late"));
    expect(time.next).toBe(noon + 10);
    time.advance(50);
    expect(fired).toEqual([
      ["a", 10],
      ["a, set later", 10],
      ["b", 20],
      ["set by b", 25],
      ["c", 30],
    ]);
    expect(time.now()).toBe(noon + 50);
    time.forget();
    time.advance(1_000);
    expect(fired).toHaveLength(5);
  });

  test("what is due already is called once the caller has ended", async () => {
    const time = new VirtualTime(noon);
    let fired = 0;
    time.wakeAt(noon, () => fired++);
    const cancel = time.wakeAt(noon, () => fired++);
    cancel();
    expect(fired).toBe(0);
    await Promise.resolve();
    expect(fired).toBe(1);
    time.advance(1);
    expect(fired).toBe(1);
  });
});
