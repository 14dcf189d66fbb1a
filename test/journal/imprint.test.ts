import { describe, expect, it } from "vitest";
import { follows } from "../../src/journal/imprint.ts";

const owner = { id: "engine-2", epoch: 7 };
const earlier = { id: "engine-1", epoch: 6, until: 0 };
const ours = (until: number) => ({ ...owner, until });

describe("journal > imprint > what a file says of its owner", () => {
  it.each([
    ["stays as it was", earlier, earlier, true],
    ["was nothing yet and stays so", undefined, undefined, true],
    ["goes on from nothing to its owner", undefined, ours(10), true],
    ["goes on from an earlier owner to its owner", earlier, ours(10), true],
    ["goes on to a later renewal of its owner", ours(10), ours(20), true],
    ["does not go back to an earlier renewal", ours(20), ours(10), false],
    ["does not go back to an earlier owner", ours(10), earlier, false],
    ["does not become another owner's", earlier, { id: "engine-3", epoch: 7, until: 10 }, false],
    ["does not become the same owner's of another epoch", earlier, { id: "engine-2", epoch: 5, until: 10 }, false],
    ["does not become nothing", earlier, undefined, false],
  ])("%s", (_what, before, seen, expected) => {
    expect(follows(before, seen, owner)).toBe(expected);
  });
});
