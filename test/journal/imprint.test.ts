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
    ["goes on to the release of an earlier owner", { ...earlier, until: 10 }, earlier, true],
    ["goes on to a later renewal of an earlier owner, which was paused while it moved the log", { ...earlier, until: 10 }, { ...earlier, until: 20 }, true],
    ["goes on to another earlier owner", { id: "engine-0", epoch: 5, until: 10 }, earlier, true],
    ["does not go on beyond its owner", ours(10), { id: "engine-3", epoch: 8, until: 20 }, false],
    ["does not go back to an earlier renewal", ours(20), ours(10), false],
    ["does not go back to an earlier owner", ours(10), earlier, false],
    ["does not become another owner's", earlier, { id: "engine-3", epoch: 7, until: 10 }, false],
    ["does not become the same owner's of another epoch", earlier, { id: "engine-2", epoch: 5, until: 10 }, false],
    ["does not become nothing", earlier, undefined, false],
  ])("%s", (_what, before, seen, expected) => {
    expect(follows(before, seen, owner)).toBe(expected);
  });
});
