import * as Either from "effect/Either";
import * as ParseResult from "effect/ParseResult";
import * as Schema from "effect/Schema";
import { wrongId } from "../domain/address.ts";
import { durationMs } from "./duration.ts";
import { didYouMean } from "../domain/near.ts";

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

const isWord = (word: string) => word !== "" && word.length <= 200 && !/[\u0000-\u001f\u007f]/.test(word);
const Word = Schema.String.pipe(Schema.filter(isWord)).annotations(says("must be a text of 1 to 200 characters without control characters"));
const Moment = Schema.String.pipe(Schema.filter((text) => !Number.isNaN(Date.parse(text)))).annotations(says('must be a moment like "2030-01-31T12:00:00Z"'));
const Amount = Schema.optionalWith(Schema.Finite.pipe(Schema.nonNegative()), { exact: true });
const Budget = Schema.Struct({ wall: Schema.optionalWith(Timeout, { exact: true }), costUsd: Amount, tokens: Amount, turns: Amount }).annotations(
  says('must be an object like {"wall": "10m", "costUsd": 0.5, "tokens": 10000, "turns": 20}'),
);

const Verified = Schema.Literal("never", "always", "receipt");
const Verification = Schema.Union(Verified, Schema.Struct({ when: Verified, grace: Schema.optionalWith(Timeout, { exact: true }) })).annotations(
  says('must be "never", "always", "receipt", or an object like {"when": "receipt", "grace": "2m"}'),
);
/** The functions of a run share so many slots. */
export const functionSlots = 10;
const Slots = Schema.Int.pipe(Schema.between(1, functionSlots)).annotations(says(`must be a whole number from 1 to ${functionSlots}`));
const Attributes = Schema.Record({ key: Schema.String.pipe(Schema.filter(isWord)), value: Schema.Union(Schema.String, Schema.Finite, Schema.Boolean) }).annotations(
  says('must be an object of texts, numbers and truth values ({"customer": "ada"})'),
);

const may = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true });

/** One line of a task file, as it is written. */
export const TaskLine = Schema.Struct({
  id: Id,
  command: may(Command),
  cwd: may(Schema.String.pipe(Schema.filter(isProgramText)).annotations(says("must be the path of a folder"))),
  env: may(Environment),
  kind: may(Word),
  input: may(Schema.Unknown),
  key: may(Word),
  retries: may(Schema.Int.pipe(Schema.nonNegative()).annotations(says("must be a whole number, 0 or more"))),
  timeout: may(Timeout),
  needs: may(Schema.Array(Schema.String).annotations(says('must be a list of ids (["a", "b"])'))),
  whenNeedFails: may(Schema.Literal("cancel", "ignore").annotations(says('must be "cancel" or "ignore"'))),
  priority: may(Schema.Int.annotations(says("must be a whole number"))),
  queue: may(Word),
  concurrencyKey: may(Word),
  runAt: may(Moment),
  deadline: may(Moment),
  queueTimeout: may(Timeout),
  heartbeatTimeout: may(Timeout),
  answerTimeout: may(Timeout),
  budget: may(Budget),
  verification: may(Verification),
  slots: may(Slots),
  folder: may(Schema.Boolean.annotations(says("must be true or false"))),
  tags: may(Schema.Array(Schema.String.pipe(Schema.filter(isWord))).annotations(says('must be a list of texts (["urgent"])'))),
  attributes: may(Attributes),
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
  const decoded = Either.mapLeft(decode(value), (error) => ParseResult.ArrayFormatter.formatErrorSync(error).map(issueText));
  const unfit = Object.hasOwn(value, "kind") ? kindProblems(value) : commandProblems(value);
  if (unfit.length === 0) return decoded;
  return Either.left([...unfit, ...(Either.isLeft(decoded) ? decoded.left : [])]);
};

const ofKinds = ["slots", "folder"] as const;
const commandProblems = (line: object): ReadonlyArray<string> => [
  ...(Object.hasOwn(line, "command") ? [] : ['"command" is missing']),
  ...(Object.hasOwn(line, "input") ? ['"input" goes with "kind"; a command has "command"'] : []),
  ...ofKinds.filter((name) => Object.hasOwn(line, name)).map((name) => `"${name}" goes with "kind"; a command has one slot, and "cwd"`),
];
const kindProblems = (line: object): ReadonlyArray<string> =>
  ["command", "cwd", "env"].filter((name) => Object.hasOwn(line, name)).map((name) => `"${name}" is for commands; a task of a "kind" has "input"`);

const issueText = ({ _tag, path, message }: ParseResult.ArrayFormatterIssue): string => {
  const key = path.map(String).join(".");
  if (_tag === "Unexpected") return `the key "${key}" is unknown${didYouMean(key, taskLineKeys) || ` (known: ${taskLineKeys.join(", ")})`}`;
  if (_tag === "Missing") return `"${key}" is missing`;
  return `"${key}" ${message}`;
};
