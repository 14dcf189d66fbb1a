import * as Schema from "effect/Schema";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { afterGrace, afterReceipt, Receipt, receiptCharsMax, receiptFor, receiptsIn } from "../../src/domain/receipt.ts";
import { withContract } from "../../src/domain/result-contract.ts";

const fence = (value: unknown, info = "json") => `Here it is.\n\n\`\`\`${info}\n${typeof value === "string" ? value : JSON.stringify(value, null, 2)}\n\`\`\`\nThat is all.`;
const bare = { blockers: [], artifacts: [], verification: null, summary: "", isSalvaged: false };

describe("domain > receipt > in fences", () => {
  test("is read with everything that it says", () => {
    const receipt = {
      task_id: " ab12-a1 ",
      status: "Completed",
      blockers: [{ type: "access", message: "no key", suggested_fix: "give one", required_from_user: true }, "it rains"],
      artifacts: [{ kind: "file", path_or_ref: "out.txt", description: "the list" }, { url: "https://example.org/1" }],
      verification: [{ kind: "command", value: "npm test", expected: "ok" }],
      summary: "Done.\nAll of it.",
    };
    expect(receiptsIn(fence(receipt))).toEqual([
      {
        taskId: "ab12-a1",
        status: "completed",
        blockers: [
          { type: "access", message: "no key", suggestedFix: "give one", requiredFromUser: true },
          { type: "unknown", message: "it rains", requiredFromUser: false },
        ],
        artifacts: [
          { kind: "file", ref: "out.txt", description: "the list" },
          { kind: "unknown", ref: "https://example.org/1" },
        ],
        verification: [{ kind: "command", value: "npm test", expected: "ok" }],
        summary: "Done.\nAll of it.",
        isSalvaged: false,
      },
    ]);
  });
  test("one, a list, or several fences: the last word on each task counts", () => {
    const text = [
      fence([
        { task_id: "a", status: "blocked" },
        { task_id: "b", status: "failed" },
      ]),
      fence({ taskId: "a", status: "completed" }, ""),
    ].join("\n");
    expect(receiptsIn(text)).toEqual([
      { ...bare, taskId: "b", status: "failed" },
      { ...bare, taskId: "a", status: "completed" },
    ]);
    expect(receiptFor("a", text)?.status).toBe("completed");
    expect(receiptFor("c", text)).toBeUndefined();
  });
  test("a fence may be on one line, indented, closed behind the JSON, or not closed at all", () => {
    for (const text of [
      '```json {"task_id":"a","status":"failed"} ```',
      '  ```JSON\n  {"task_id":"a","status":"failed"}\n  ```',
      '```\n{"task_id":"a","status":"failed"}```',
      '```json\n{"task_id":"a",\r\n"status":"failed"}',
    ])
      expect(receiptsIn(text), text).toEqual([{ ...bare, taskId: "a", status: "failed" }]);
  });
  test("backticks within its texts do not end it", () => {
    expect(receiptsIn(fence({ task_id: "a", status: "completed", summary: "ran ```npm test``` twice", verification: [] }))[0]).toMatchObject({
      summary: "ran ```npm test``` twice",
      isSalvaged: false,
    });
  });
  test("what names no task or has no known status is none", () => {
    for (const value of [{ status: "completed" }, { task_id: "", status: "completed" }, { task_id: 7, status: "completed" }, { task_id: "a", status: "great" }, { task_id: "a" }, null, 5])
      expect(receiptsIn(fence(value)), JSON.stringify(value)).toEqual([]);
  });
  test("the contract that a worker was handed is no receipt", () => {
    expect(receiptsIn(withContract("do it", { taskId: "a", attempt: 1 }))).toEqual([]);
    expect(receiptsIn(fence(withContract("do it", { taskId: "a", attempt: 1 })))).toEqual([]);
  });
  test("only an empty list, or a plain word, says that nothing needs to be verified", () => {
    const said = (more: object) => receiptsIn(fence({ task_id: "a", status: "completed", ...more }))[0]?.verification;
    expect([said({ verification: [] }), said({ verification_required: false }), said({ no_verification: true })]).toEqual([[], [], []]);
    expect([said({}), said({ verification: {} }), said({ verification: "none" }), said({ verification_required: "false" })]).toEqual([null, null, null, null]);
    expect(said({ verification: [7, null] })).toEqual([
      { kind: "unknown", value: "7" },
      { kind: "unknown", value: "" },
    ]);
  });
});

describe("domain > receipt > in text that is no JSON", () => {
  test("id and status are found, in either order and either quotes, one pair for each task", () => {
    const text = fence(`{"task_id": "a", "status": "completed", "summary": "said "hello"",}\n{'status': 'failed', 'task_id': 'b'}`);
    expect(receiptsIn(text)).toEqual([
      { ...bare, taskId: "a", status: "completed", isSalvaged: true },
      { ...bare, taskId: "b", status: "failed", isSalvaged: true },
    ]);
  });
  test("without fences it is looked for in all of the text", () => {
    expect(receiptsIn('so: {"task_id":"a","status":"blocked"}')).toEqual([{ ...bare, taskId: "a", status: "blocked", isSalvaged: true }]);
  });
  test("a fence that can be read goes before what stands around it; a broken one beside it is searched too", () => {
    expect(receiptsIn(`"task_id": "x", "status": "failed"\n${fence({ task_id: "a", status: "completed" })}`).map(({ taskId }) => taskId)).toEqual(["a"]);
    expect(receiptsIn(`${fence({ task_id: "a", status: "completed" })}\n${fence('{"task_id": "b", "status": "failed"')}`).map(({ taskId, isSalvaged }) => [taskId, isSalvaged])).toEqual([
      ["a", false],
      ["b", true],
    ]);
  });
  test("a status that belongs to another task is not taken", () => {
    expect(receiptsIn('"task_id": "a" "task_id": "b", "status": "failed"')).toMatchObject([{ taskId: "b", status: "failed" }]);
  });
  test("never says that a task is done", () => {
    for (const status of ["completed", "blocked", "failed"]) expect(afterReceipt(receiptsIn(`{"task_id":"a","status":"${status}","verification":[]`)[0])).not.toBe("done");
  });
});

describe("domain > receipt > what follows", () => {
  const receipt = (status: "completed" | "blocked" | "failed", verification: Receipt["verification"]): Receipt => ({ ...bare, taskId: "a", status, verification });
  const item = { kind: "command", value: "npm test" };
  test("from the receipt of a worker that ended well", () => {
    expect(afterReceipt(undefined)).toBe("needsVerification");
    expect(afterReceipt(receipt("completed", [item]))).toBe("needsVerification");
    expect(afterReceipt(receipt("completed", null))).toBe("needsVerification");
    expect(afterReceipt(receipt("completed", []))).toBe("done");
    expect(afterReceipt(receipt("blocked", []))).toBe("needsInput");
    expect(afterReceipt(receipt("failed", []))).toBe("failed");
  });
  test("when nobody verified in time", () => {
    expect(afterGrace(undefined)).toEqual({ to: "needsInput", reason: "timeout-missing-receipt" });
    expect(afterGrace(receipt("completed", null))).toEqual({ to: "needsInput", reason: "timeout-unverified" });
    expect(afterGrace(receipt("completed", [item]))).toEqual({ to: "done" });
    expect(afterGrace(receipt("completed", []))).toEqual({ to: "done" });
  });
});

describe("domain > receipt > whatever the text", () => {
  const id = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => text.trim() !== "" && !/\p{Surrogate}|\u0000/u.test(text));
  const status = fc.constantFrom("completed", "blocked", "failed");
  const given = fc.record({
    task_id: id,
    status,
    summary: fc.string(),
    verification: fc.oneof(fc.constant(undefined), fc.array(fc.record({ kind: fc.string(), value: fc.string() }), { maxLength: 3 })),
  });
  const noise = fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    fc
      .array(
        fc.oneof(
          fc.constantFrom("```", "```json", "\n", "{", "}", "[", '"', "'", "\\", '"task_id"', '"status"', ":", '"completed"', '"a"', " ", "__proto__", "\u0000", "\ud800"),
          fc.string({ maxLength: 4 }),
        ),
        { maxLength: 60, size: "max" },
      )
      .map((parts) => parts.join("")),
  );

  test("never throws, and what it finds fits the schema", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          noise,
          fc.json().map((text) => fence(text)),
          fc.tuple(noise, given).map(([text, value]) => `${text}\n${fence(value)}`),
        ),
        (text) => {
          const found = receiptsIn(text);
          expect(found.every(Schema.is(Receipt))).toBe(true);
          expect(new Set(found.map(({ taskId }) => taskId)).size).toBe(found.length);
          expect(/\u0000|\p{Surrogate}/u.test(JSON.stringify(found).replaceAll("\\u0000", "\u0000"))).toBe(false);
        },
      ),
      { numRuns: 500 },
    );
  });
  test("a whole receipt is found behind any text without fences", () => {
    fc.assert(
      fc.property(
        noise.map((text) => text.replaceAll("`", "")),
        given,
        (text, value) => {
          expect(receiptsIn(`${text}\n${fence(value)}`)).toMatchObject([{ taskId: value.task_id.trim(), status: value.status, isSalvaged: false }]);
        },
      ),
      { numRuns: 300 },
    );
  });
  test("takes no longer than its length allows", () => {
    // 33 texts of a megabyte: a text that is gone through again and again would not end within the test's time.
    const million = 1_000_000;
    const hostile = ["[", "{", "```\n{", '"task_id":', '"task_id" ', '"task_id":"', "'status':'", '"task_id":"a",', "`", "```", "``` ``` ", "\n", "{\n", '\\"', "\u0000", "\ud800"].map((part) =>
      part.repeat(million / part.length),
    );
    for (const text of [...hostile, ...hostile.map((part) => fence(part)), `${fence({ task_id: "gone", status: "completed" })}${" ".repeat(receiptCharsMax)}`])
      expect(receiptsIn(text).length).toBeLessThanOrEqual(100);
  });
  test("ends at its bounds: the last receipts, the first entries of each list, a prefix of each text", () => {
    const many = Array.from({ length: 150 }, (_, index) => ({ task_id: `t${index}`, status: "completed" }));
    expect(receiptsIn(fence(many)).map(({ taskId }) => taskId)).toEqual(many.slice(-100).map(({ task_id }) => task_id));
    const [big] = receiptsIn(fence({ task_id: "i".repeat(300), status: "completed", summary: "s".repeat(9_000), artifacts: Array.from({ length: 150 }, (_, index) => `f${index}`) }));
    expect([big?.taskId.length, big?.summary.length, big?.artifacts.length]).toEqual([200, 4_000, 100]);
  });
});
