import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { withContract } from "../../src/domain/result-contract.ts";
import { workKinds } from "../../src/domain/work-kind.ts";
import { taskKeyOf, type Work } from "../../src/orchestration/index.ts";

const work: Work = { requester: "main", kind: "worker", body: "Count the files." };

describe("orchestration > task key", () => {
  test("stays as it is from one program to the next", () => {
    expect(taskKeyOf(work)).toBe("127ec3db24cfdc4296f33b18");
  });
  test("is another one for another requester, kind, agent, label or body", () => {
    const others: ReadonlyArray<Partial<Work>> = [{ requester: "other" }, { kind: "audit" }, { agent: "a" }, { label: "a" }, { body: "Count the folders." }];
    expect(new Set([work, ...others.map((other) => ({ ...work, ...other }))].map(taskKeyOf)).size).toBe(6);
    expect(taskKeyOf({ ...work, agent: "a" })).not.toBe(taskKeyOf({ ...work, label: "a" }));
  });
  test("of a plan is its request's, however it is worded; of other work it is not", () => {
    const key = (kind: Work["kind"], body: string, requestId?: string) => taskKeyOf({ ...work, kind, body, requestId });
    expect(key("planner", "Plan it.", "r1")).toBe(key("planner", "Plan it well.", "r1"));
    expect(key("planner", "Plan it.", "r1")).not.toBe(key("planner", "Plan it.", "r2"));
    expect(key("planner", "Plan it.")).not.toBe(key("planner", "Plan it well."));
    expect(key("worker", "Do it.", "r1")).toBe(key("worker", "Do it.", "r2"));
  });
  test("does not depend on the contract that a worker was handed", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.integer({ min: 1, max: 9 }), fc.constantFrom(...workKinds), (body, taskId, attempt, kind) => {
        expect(taskKeyOf({ ...work, kind, body: withContract(body, { taskId, attempt }) })).toBe(taskKeyOf({ ...work, kind, body }));
      }),
    );
  });
});
