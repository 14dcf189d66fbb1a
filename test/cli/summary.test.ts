import { describe, expect, it } from "vitest";
import { durationText } from "../../src/cli/duration.ts";
import { Progress } from "../../src/cli/progress.ts";
import { barText } from "../../src/cli/progress-bar.ts";
import { exitCodeOf, lastLinesOf, printable, summaryOf, summaryText } from "../../src/cli/summary.ts";
import { eventText, taskEvent } from "../../src/cli/task-event.ts";
import type { TaskView } from "../../src/dispatch/index.ts";
import { envelope, failed, result, view } from "./recorded.ts";

const tallyOf = (...tasks: ReadonlyArray<TaskView>) => {
  const progress = new Progress(tasks.map(({ id }) => id));
  progress.recall(tasks);
  return progress.tally;
};

describe("cli > summary", () => {
  it("says how many tasks stand where, and why each of the failed ones failed", () => {
    const tasks = [
      view("a", "done", { attempts: 1 }),
      view("b", "dead", { attempts: 3, failure: failed("the command ended with exit code 7"), result: result(7, "one\n\u001b[31mtwo\u001b[0m\n\n") }),
      view("c", "cancelled", { failure: failed('the task "b" that it needs was not done') }),
      view("d", "dead", { attempts: 1, failure: failed("it did not end within 1000 ms"), result: { ...result(0), exitCode: null, signal: "SIGTERM", stdout: "last words" } }),
    ];
    expect(summaryText(summaryOf(tasks, tallyOf(...tasks), 2, 61_000))).toBe(
      [
        "4 tasks: 1 done, 2 dead, 1 cancelled, in 1 min 1 s (2 had ended before and were not repeated)",
        "",
        "  dead b: the command ended with exit code 7 (3 attempts)",
        "    | one",
        "    | two",
        '  cancelled c: the task "b" that it needs was not done (0 attempts)',
        "  dead d: it did not end within 1000 ms (1 attempt, ended by SIGTERM)",
        "    | last words",
      ].join("\n"),
    );
  });

  it("tells at most 20 failures in full and how many more there are", () => {
    const tasks = Array.from({ length: 25 }, (_, index) => view(`t${index}`, "dead", { failure: failed("no") }));
    expect(
      summaryText(summaryOf(tasks, tallyOf(...tasks), 0, 10))
        .split("\n")
        .at(-1),
    ).toBe("  … and 5 more: taskwright ps --state dead");
  });

  it("gives 0 only if all are done, 1 if some failed, and nothing while some have not ended", () => {
    expect(exitCodeOf(tallyOf(view("a", "done"), view("b", "done")))).toBe(0);
    expect(exitCodeOf(tallyOf(view("a", "done"), view("b", "dead")))).toBe(1);
    expect(exitCodeOf(tallyOf(view("a", "done"), view("b", "cancelled")))).toBe(1);
    expect(exitCodeOf(tallyOf(view("a", "done"), view("b", "running")))).toBeUndefined();
    expect(exitCodeOf(tallyOf(view("a", "dead"), view("b", "queued")))).toBeUndefined();
  });

  it("keeps a command's output from moving the reader's cursor", () => {
    expect(printable("\u001b[2J\u001b]0;title\u0007a\tb\rc\u0008d\u009b")).toBe("a  bcd");
    expect(lastLinesOf("1\n2\r\n\n3\n", 2)).toEqual(["2", "3"]);
    expect(lastLinesOf("x".repeat(1_000))[0]?.length).toBe(201);
  });

  it("writes durations as one says them", () => {
    expect([0, 40, 100, 1_234, 59_949, 59_950, 3_599_499, 3_600_000, 90_061_000].map(durationText)).toEqual(["0 ms", "40 ms", "0.1 s", "1.2 s", "59.9 s", "1 min", "59 min 59 s", "1 h", "1 d 1 h"]);
  });
});

describe("cli > progress", () => {
  it("counts each task once, wherever it moves", () => {
    const progress = new Progress(["a", "b"]);
    progress.update(view("a", "queued"));
    progress.update(view("a", "assigned"));
    progress.update(view("a", "running", { attempts: 1 }));
    expect(progress.update(view("of another run", "running"))).toBeUndefined();
    expect(progress.tally).toEqual({ total: 2, done: 0, failed: 0, cancelled: 0, running: 1, waiting: 1 });
    progress.update(view("a", "backingOff", { attempts: 1 }));
    expect(progress.tally).toMatchObject({ running: 0, waiting: 2 });
    progress.update(view("a", "dead"));
    progress.update(view("b", "done"));
    expect(progress.tally).toEqual({ total: 2, done: 1, failed: 1, cancelled: 0, running: 0, waiting: 0 });
  });

  it("tells a start, a retry and an end, and nothing of moves within the queue", () => {
    const path = [
      view("a", "waiting"),
      view("a", "queued"),
      view("a", "assigned", { attempts: 1 }),
      view("a", "running", { attempts: 1, spec: envelope("a", { retry: { ...envelope("a").retry, attemptsMax: 2 } }) }),
      view("a", "backingOff", { attempts: 1, at: 100, until: 600, failure: failed("exit code 1") }),
      view("a", "queued", { attempts: 1, failure: failed("exit code 1") }),
      view("a", "assigned", { attempts: 2 }),
      view("a", "running", { attempts: 2, failures: 1, spec: envelope("a", { retry: { ...envelope("a").retry, attemptsMax: 2 } }) }),
      view("a", "done", { attempts: 2, result: result(0) }),
      view("a", "done", { attempts: 2, result: result(0) }),
    ];
    const told = path.map((task, index) => taskEvent(path[index - 1], task)).flatMap((event) => (event === undefined ? [] : [eventText(event)]));
    expect(told).toEqual(["started   a", "retrying  a: exit code 1; again in 0.5 s", "started   a (attempt 2 of 2)", "done      a in 20 ms (2 attempts)"]);
  });

  it("tells a task that its worker lost as one that is tried again", () => {
    const event = taskEvent(view("a", "running", { attempts: 1 }), view("a", "queued", { attempts: 1, failure: failed("its worker was lost") }));
    expect(event).toMatchObject({ event: "retrying", reason: "its worker was lost" });
  });

  it("draws a bar that fits on the line", () => {
    const tally = { total: 4, done: 1, failed: 1, cancelled: 0, running: 1, waiting: 1 };
    expect(barText(tally, 3_725_000, 100)).toBe(`${"█".repeat(12)}${"░".repeat(12)} 2/4 · 1 done · 1 running · 1 failed · 1 waiting · 1:02:05`);
    expect(barText(tally, 0, 30).length).toBe(29);
    expect(barText({ ...tally, total: 0 }, 65_000, 200)).toContain("1:05");
  });
});
