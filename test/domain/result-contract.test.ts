import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { receiptFor } from "../../src/domain/receipt.ts";
import { withContract, withoutContract } from "../../src/domain/result-contract.ts";

describe("domain > result contract", () => {
  test("names the task and its attempt behind the work", () => {
    const text = withContract(" Count the files.\n", { taskId: "ab-a1", attempt: 2 });
    expect(text).toMatch(/^Count the files\.\n\n\[Result contract\]\n/);
    expect(text).toContain('"task_id": "ab-a1"');
    expect(text).toMatch(/Attempt: 2$/);
  });
  test("of another attempt takes the place of the one before", () => {
    const again = withContract(withContract("Do it.", { taskId: "a", attempt: 1 }), { taskId: "a", attempt: 2 });
    expect(again).toBe(withContract("Do it.", { taskId: "a", attempt: 2 }));
  });
  test("is taken away whole", () => {
    fc.assert(fc.property(fc.string(), fc.string(), (body, taskId) => withoutContract(withContract(body, { taskId, attempt: 1 })) === withoutContract(body)));
    expect(withoutContract(withContract("", { taskId: "a", attempt: 1 }))).toBe("");
  });
  test("a worker that fills it in is understood", () => {
    const filled = withContract("Do it.", { taskId: 'a"b', attempt: 1 })
      .replace("completed | blocked | failed", "completed")
      .replace(/^End with.*$/m, "```json");
    expect(receiptFor('a"b', filled.slice(filled.indexOf("```")).replace("An empty", "```\nAn empty"))).toMatchObject({
      status: "completed",
      isSalvaged: false,
      verification: [{ kind: "command | file | url" }],
    });
  });
});
