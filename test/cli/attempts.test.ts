import { describe, expect, it } from "vitest";
import { attemptsMax, type TaskView } from "../../src/dispatch/index.ts";
import { envelope, view } from "./recorded.ts";

describe("cli > attempts", () => {
  const of = (max: number) => ({ spec: envelope("a", { retry: { ...envelope("a").retry, attemptsMax: max } }) });
  it.each<[string, TaskView["state"], Partial<TaskView>, number]>([
    ["before the first one", "queued", { ...of(3), attempts: 0 }, 3],
    ["in the first one", "running", { ...of(1), attempts: 1 }, 1],
    ["after a failure", "backingOff", { ...of(3), attempts: 1, failures: 1 }, 3],
    ["in one that asks", "parked", { ...of(1), attempts: 1 }, 1],
    ["in the one after a question, which was no failure", "running", { ...of(1), attempts: 2 }, 2],
    ["done after a question and a failure", "done", { ...of(2), attempts: 3, failures: 1 }, 3],
    ["when they are spent", "dead", { ...of(2), attempts: 3, failures: 2 }, 3],
  ])("as many as there can be, however many were no failures: %s", (_, state, more, most) => {
    expect(attemptsMax(view("a", state, more))).toBe(most);
  });
});
