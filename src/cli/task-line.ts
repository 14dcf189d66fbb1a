import * as Either from "effect/Either";
import * as ParseResult from "effect/ParseResult";
import * as Schema from "effect/Schema";
import { wrongId } from "../domain/address.ts";
import { durationMs } from "./duration.ts";
import { didYouMean } from "./near.ts";

/** Replaces what Effect would say of each member of a union by one sentence. */
const says = (message: string) => ({ message: () => ({ message, override: true }) });

const isProgramText = (text: string) => text.trim() !== "" && !text.includes("\0");

const Id = Schema.String.pipe(Schema.filter((id) => wrongId(id) === undefined)).annotations(says("must be a text of 1 to 200 characters without a slash or control characters"));
const Command = Schema.Union(
  Schema.String.pipe(Schema.filter(isProgramText)),
  Schema.NonEmptyArray(Schema.String).pipe(Schema.filter((words) => isProgramText(words[0]) && !words.some((word) => word.includes("\0")))),
).annotations(says('must be a line for the shell ("ls -l") or a list of texts (["ls", "-l"]), not empty'));
const Environment = Schema.Record({ key: Schema.String, value: Schema.String })
  .pipe(Schema.filter((env) => Object.entries(env).every(([name, value]) => name !== "" && name !== "__proto__" && !/[=\0]/.test(name) && !value.includes("\0"))))
  .annotations(says('must be an object of texts ({"NAME": "value"})'));
const Timeout = Schema.Union(Schema.Number, Schema.String)
  .pipe(Schema.filter((value) => durationMs(value) !== undefined))
  .annotations(says('must be a positive number of seconds or a duration text ("500ms", "30s", "2m", "1h")'));

const may = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true });

/** One line of a task file, as it is written. */
export const TaskLine = Schema.Struct({
  id: Id,
  command: Command,
  cwd: may(Schema.String.pipe(Schema.filter(isProgramText)).annotations(says("must be the path of a folder"))),
  env: may(Environment),
  retries: may(Schema.Int.pipe(Schema.nonNegative()).annotations(says("must be a whole number, 0 or more"))),
  timeout: may(Timeout),
  needs: may(Schema.Array(Schema.String).annotations(says('must be a list of ids (["a", "b"])'))),
  priority: may(Schema.Int.annotations(says("must be a whole number"))),
});
export type TaskLine = typeof TaskLine.Type;

export const taskLineKeys: ReadonlyArray<string> = Object.keys(TaskLine.fields);

const decode = Schema.decodeUnknownEither(TaskLine, { errors: "all", onExcessProperty: "error" });

/** The line as data, or everything that is wrong with it. */
export const parseTaskLine = (text: string): Either.Either<TaskLine, ReadonlyArray<string>> => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return Either.left([`this is no JSON: ${(error as Error).message}`]);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return Either.left(['a task must be an object like {"id": "a", "command": ["ls"]}']);
  // Decoding would set it as the prototype of the result, where no later check finds it.
  if (Object.hasOwn((value as { readonly env?: object }).env ?? {}, "__proto__")) return Either.left(['"env" must not have the name __proto__']);
  return Either.mapLeft(decode(value), (error) => ParseResult.ArrayFormatter.formatErrorSync(error).map(issueText));
};

const issueText = ({ _tag, path, message }: ParseResult.ArrayFormatterIssue): string => {
  const key = path.map(String).join(".");
  if (_tag === "Unexpected") return `the key "${key}" is unknown${didYouMean(key, taskLineKeys) || ` (known: ${taskLineKeys.join(", ")})`}`;
  if (_tag === "Missing") return `"${key}" is missing`;
  return `"${key}" ${message}`;
};
