import * as Effect from "effect/Effect";
import * as ParseResult from "effect/ParseResult";
import * as Schema from "effect/Schema";
import { readFile } from "node:fs/promises";
import { type Refused, refused, refusedLines } from "./refused.ts";
import type { Problem } from "./task-graph.ts";

/** What is answered to tasks, whatever they ask. */
export interface Answers {
  /** As it was named on the command line. */
  readonly file: string;
  /** The next answer for a task; each is given once. */
  readonly take: (id: string) => { readonly answer: unknown } | undefined;
}

export const noAnswers: Answers = { file: "", take: () => undefined };

const decode = Schema.decodeUnknownEither(Schema.Struct({ id: Schema.String, answer: Schema.Unknown }), { errors: "all", onExcessProperty: "error" });

/** Reads a file of answers: `{"id": "report", "answer": "short"}` on each line; several for the same task are given in their order. */
export const readAnswers = (file: string): Effect.Effect<Answers, Refused> =>
  Effect.gen(function* () {
    const text = yield* Effect.tryPromise({ try: () => readFile(file, "utf8"), catch: (error) => refused(`${file}: ${(error as Error).message}`) });
    const problems: Array<Problem> = [];
    const perTask = new Map<string, Array<{ readonly answer: unknown }>>();
    for (const [index, raw] of text.split(/\r?\n/).entries()) {
      if (raw.trim() === "") continue;
      const wrong = takeLine(raw, perTask);
      problems.push(...wrong.map((message) => ({ line: index + 1, message })));
    }
    if (problems.length > 0) return yield* refusedLines(file, problems);
    return { file, take: (id) => perTask.get(id)?.shift() };
  });

const takeLine = (raw: string, perTask: Map<string, Array<{ readonly answer: unknown }>>): ReadonlyArray<string> => {
  let value: unknown;
  try {
    value = JSON.parse(raw);
  } catch (error) {
    return [`this is no JSON: ${(error as Error).message}`];
  }
  const decoded = decode(value);
  if (decoded._tag === "Left") return ParseResult.ArrayFormatter.formatErrorSync(decoded.left).map(({ path, message }) => `${path.length === 0 ? "" : `"${path.join(".")}" `}${message}`);
  const { id, answer } = decoded.right;
  if (!Object.hasOwn(value as object, "answer")) return ['"answer" is missing'];
  perTask.set(id, [...(perTask.get(id) ?? []), { answer }]);
  return [];
};
