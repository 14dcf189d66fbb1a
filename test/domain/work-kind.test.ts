import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { inferKind, isWorkKind, workKinds } from "../../src/domain/work-kind.ts";

describe("domain > work kind", () => {
  test.each([
    ["Write an outline and get approval", "planner"],
    ["What are the next steps?", "planner"],
    ["Review the change", "audit"],
    ["Investigate why it is slow", "research"],
    ["Orchestrate the release", "orchestrator"],
    ["Rename the field", "worker"],
    ["Explain the airplanes", "worker"],
    ["", "worker"],
  ] as const)("%j is for a %s", (body, kind) => {
    expect(inferKind(body)).toBe(kind);
  });
  test("what the label says goes before what the body says", () => {
    expect(inferKind("Plan the release", "audit-3")).toBe("audit");
    expect(inferKind("Plan the release", "fix_3")).toBe("planner");
    expect(inferKind("Do it", "orchestrator-main")).toBe("orchestrator");
  });
  test("is always one that there is, and looks at the beginning of a long body", () => {
    fc.assert(fc.property(fc.string(), fc.string(), (body, label) => workKinds.includes(inferKind(body, label)) && isWorkKind(inferKind(body, label))));
    expect(inferKind(`${"word ".repeat(100_000)}plan`)).toBe("worker");
    expect([isWorkKind("planner"), isWorkKind("Planner"), isWorkKind(undefined)]).toEqual([true, false, false]);
  });
});
