import { describe, expect, test } from "vitest";
import { type BlockedCalls, type DelegationPolicy, permit, type ToolCall } from "../../src/domain/delegation.ts";

const policy: DelegationPolicy = { allowed: { orchestrator: ["submit", "status"], requester: ["submit"] }, letThroughAt: 3 };
const run = (...calls: ReadonlyArray<Partial<ToolCall>>) => {
  let before: BlockedCalls = [];
  return calls.map((call) => {
    const { answer, calls: after } = permit(policy, before, { role: "orchestrator", run: "1", tool: "write", ...call });
    before = after;
    return answer;
  });
};

describe("domain > delegation", () => {
  test("a role calls what it is allowed to; one without a list calls everything", () => {
    expect(run({ tool: "status" }, { role: "requester", tool: "submit" }, { role: "worker" }).map(({ permission }) => permission)).toEqual(["allowed", "allowed", "allowed"]);
    expect(run({ role: "requester", tool: "status" })).toMatchObject([{ permission: "blocked" }]);
  });
  test("a blocked call says what to do instead, with what it was given", () => {
    const [answer] = run({ input: { path: "a.txt" } });
    expect(answer).toEqual({ permission: "blocked", blocked: 1, hint: 'the role "orchestrator" does not call "write" itself; submit it as a task for a worker, with the input {"path":"a.txt"}' });
    expect(JSON.stringify(run({ input: "x".repeat(5_000) })).length).toBeLessThan(500);
  });
  test("the third attempt of the same call in one run is let through; other tools, runs and roles count for themselves", () => {
    expect(run({}, {}, {}, {}).map(({ permission }) => permission)).toEqual(["blocked", "blocked", "letThrough", "letThrough"]);
    expect(run({}, {}, { tool: "edit" }, { run: "2" }, { role: "requester" }, {}).map(({ permission }) => permission)).toEqual(["blocked", "blocked", "blocked", "blocked", "blocked", "letThrough"]);
  });
  test("remembers a bounded number of calls, the latest", () => {
    let calls: BlockedCalls = [];
    for (let index = 0; index < 500; index++) calls = permit(policy, calls, { role: "orchestrator", run: String(index), tool: "write" }).calls;
    expect(calls).toHaveLength(200);
    expect(calls.at(-1)).toEqual(['["orchestrator","499","write"]', 1]);
  });
});
