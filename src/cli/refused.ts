import * as Data from "effect/Data";
import type { Problem } from "./task-graph.ts";

/** The command can't do what it was asked, and nothing was changed. The process ends with exit code 2. */
export class Refused extends Data.TaggedError("Refused")<{ readonly lines: ReadonlyArray<string>; readonly problems?: ReadonlyArray<Problem> }> {
  override get message() {
    return this.lines.join("\n");
  }
}

export const refused = (...lines: ReadonlyArray<string>): Refused => new Refused({ lines });

/** Each problem in the form that editors and terminals turn into a link. */
export const refusedLines = (file: string, problems: ReadonlyArray<Problem>): Refused =>
  new Refused({ problems, lines: [...problems.map(({ line, message }) => `${file}:${line}: ${message}`), `${problems.length === 1 ? "1 problem" : `${problems.length} problems`}; nothing was run`] });
