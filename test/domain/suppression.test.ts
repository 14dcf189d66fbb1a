import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type SentLately, suppress } from "../../src/domain/suppression.ts";

const at = Date.UTC(2030, 0, 1);
const go = (...messages: ReadonlyArray<readonly [target: string, key: string, second: number]>) => {
  let before: SentLately = [];
  return messages.map(([target, key, second]) => {
    const { isSuppressed, sent } = suppress(before, { target, key, at: at + second * 1_000 });
    before = sent;
    return isSuppressed;
  });
};

describe("domain > suppression", () => {
  test("the same key to the same target goes once within 120 s, counted from the one that went", () => {
    expect(go(["a", "k", 0], ["a", "k", 60], ["a", "k", 119.999], ["a", "k", 120], ["a", "k", 239.999])).toEqual([false, true, true, false, true]);
  });
  test("another target or another key is another message", () => {
    expect(go(["a", "k", 0], ["b", "k", 0], ["a", "l", 0], ["a,", "k", 0], ["a", "k", 1])).toEqual([false, false, false, false, true]);
  });
  test("lets one through per window, whatever comes", () => {
    const message = fc.tuple(fc.constantFrom("a", "b"), fc.constantFrom("k", "l"), fc.nat(200));
    fc.assert(
      fc.property(fc.array(message, { maxLength: 40 }), (steps) => {
        let now = 0;
        const timed = steps.map(([target, key, pause]) => [target, key, (now += pause)] as const);
        const went = new Map<string, number>();
        go(...timed).forEach((isSuppressed, index) => {
          const [target, key, second] = timed[index] as (typeof timed)[number];
          const last = went.get(target + key);
          expect(isSuppressed).toBe(last !== undefined && second - last < 120);
          if (!isSuppressed) went.set(target + key, second);
        });
      }),
    );
  });
  test("remembers a bounded number of messages", () => {
    let sent: SentLately = [];
    for (let index = 0; index < 2_000; index++) sent = suppress(sent, { target: "a", key: String(index), at }).sent;
    expect(sent).toHaveLength(500);
  });
});
