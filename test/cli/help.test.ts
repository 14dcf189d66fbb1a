import * as Effect from "effect/Effect";
import { describe, expect, test } from "vitest";
import { invoke } from "../../src/cli/invoke.ts";

const width = 72;
const said = async (...words: ReadonlyArray<string>): Promise<string> => {
  let text = "";
  const take = (part: string) => void (text += part);
  await Effect.runPromise(invoke(["node", "taskwright", ...words], { out: take, error: take, isTerminal: false, columns: () => width, input: async () => "" }, () => () => {}));
  return text;
};

describe("cli > help", () => {
  test("fits the screen, names each command with its arguments, and says nothing that goes without saying", async () => {
    for (const words of [[], ["run"], ["cancel"], ["dead-letters"], ["dead-letters", "requeue"], ["compare"], ["serve"]]) {
      const text = await said(...words, "--help");
      // A name may be longer than its column.
      expect(text.split("\n").filter((line) => line.length > width)).toEqual([]);
      expect(text).not.toMatch(/user-defined|true or false value|setting is optional|<\w+>/);
      expect(text).toContain("USAGE\n  taskwright");
    }
    expect(await said("--help")).toMatch(/^ {2}run FILE +Carries out the tasks of a file\. Run/m);
    expect(await said("dead-letters", "requeue", "--help")).toContain("\n  taskwright dead-letters requeue [OPTIONS] ID...\n");
    expect(await said("compare", "--help")).toContain("\n  taskwright compare -m, --machines text [OPTIONS] [FILE]\n");
    expect(await said("ps", "--help")).toMatch(/^ {2}--state text {2,}One of: waiting, queued,/m);
  });

  test.each([
    [["rune"], 'there is no command "rune" (did you mean "run"?); taskwright --help lists those that there are\n'],
    [["dead-letters", "requeu"], 'there is no command "requeu"; taskwright dead-letters --help lists those that there are\n'],
    [["ps", "--all"], "there is no option --all; taskwright ps --help lists those that there are\n"],
    [["run"], "Missing argument <FILE>\n"],
  ])("%s is told what there is", async (words, expected) => expect(await said(...words)).toBe(expected));
});
