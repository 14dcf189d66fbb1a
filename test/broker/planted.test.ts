import { describe, expect, test } from "vitest";
import { runHistory } from "./history.ts";
import { plants } from "./plants.ts";

/** The histories have to find each within so many. */
const historiesMax = 40;

describe("broker > planted bugs", () => {
  test.each(Object.entries(plants))(
    "%s is found",
    async (_, { says, finds, seed, plant }) => {
      let histories = 0;
      let wrong: ReadonlyArray<string> = [];
      while (!wrong.some((each) => finds.test(each)) && histories < historiesMax) wrong = (await runHistory(seed + histories++, plant)).wrong;
      console.log(`seed ${seed + histories - 1}: ${says}: ${wrong.slice(0, 3).join("; ")}`);
      expect(wrong, says).toContainEqual(expect.stringMatching(finds));
    },
    300_000,
  );
});
