import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { type DeadLetter, type LetterFilter, letterView, storedFilter } from "../engine/index.ts";
import type { JournalError } from "../journal/index.ts";
import { type Refused, refused } from "./refused.ts";
import { timeText } from "./standing.ts";
import { openPlace } from "./stored-tasks.ts";
import type { Streams } from "./streams.ts";
import { fields, table } from "./table.ts";

/** Which dead letters are meant, as they are given on the command line. */
export interface GivenLetters {
  readonly address?: Option.Option<string>;
  readonly machine?: Option.Option<string>;
  readonly type?: Option.Option<string>;
  readonly kind?: Option.Option<"event" | "action">;
  readonly since?: Option.Option<Date>;
  readonly before?: Option.Option<Date>;
  readonly database: Option.Option<string>;
  readonly json: boolean;
}
export interface LetterOptions {
  readonly filter: LetterFilter;
  readonly database: string;
  readonly json: boolean;
}

/** Options count wherever they stand: "dead-letters --database a.db drop 1" must not drop a letter of another journal. */
export const whole = (given: GivenLetters, before?: GivenLetters): LetterOptions => ({
  filter: { ...(before === undefined ? {} : filterOf(before)), ...filterOf(given) },
  database: Option.getOrElse(
    Option.orElse(given.database, () => before?.database ?? Option.none()),
    () => "work.db",
  ),
  json: given.json || before?.json === true,
});

// By name: the parser adds fields of its own to what was given before a second word.
const filterOf = ({ address, machine, type, kind, since, before }: GivenLetters): LetterFilter => {
  const given = { address, machine, type, kind, since: ms(since), before: ms(before) };
  return Object.fromEntries(Object.entries(given).flatMap(([name, value]) => (value !== undefined && Option.isSome<unknown>(value) ? [[name, value.value]] : [])));
};

const ms = (date: Option.Option<Date> | undefined) => (date === undefined ? undefined : Option.map(date, Number));

const pageSize = 1_000;

/** `taskwright dead-letters`: what could not be handled, oldest first. */
export const deadLetters = (options: LetterOptions, streams: Streams): Effect.Effect<void, JournalError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const journal = yield* openPlace(options.database);
      const letters: Array<DeadLetter> = [];
      for (let after = 0; ; after = letters.at(-1)?.id ?? 0) {
        const page = yield* journal.deadLetters(storedFilter({ ...options.filter, after }, pageSize));
        letters.push(...page.map(letterView));
        if (page.length < pageSize) break;
      }
      if (options.json) for (const letter of letters) streams.out(`${JSON.stringify(letter)}\n`);
      else streams.out(lettersText(letters, streams.isTerminal ? streams.columns() : undefined));
    }),
  );

const whatOf = ({ kind, action, event }: DeadLetter): string => (kind === "action" ? `action ${action}` : event.type);

export const lettersText = (letters: ReadonlyArray<DeadLetter>, width?: number): string => {
  const rows = letters.map((letter) => [String(letter.id), timeText(letter.at), letter.address, whatOf(letter), (letter.error.message.split("\n")[0] ?? "").trim()]);
  return `${rows.length === 0 ? "" : `${table(["ID", "TIME", "ADDRESS", "WHAT", "WHY"], rows, width)}\n`}${countText(letters.length)}\n`;
};

export const countText = (count: number): string => (count === 0 ? "no dead letters" : count === 1 ? "1 dead letter" : `${count} dead letters`);

/** `taskwright dead-letters show ID`. */
export const showDeadLetter = (id: number, { database, json }: LetterOptions, streams: Streams): Effect.Effect<void, JournalError | Refused> =>
  Effect.scoped(
    Effect.gen(function* () {
      const journal = yield* openPlace(database);
      const [row] = yield* journal.deadLetters({ ids: [id], limit: 1 });
      if (row === undefined)
        return yield* refused(
          `there is no dead letter ${id} in ${database}; "taskwright dead-letters --database ${database}" lists all, "taskwright history dead-letters/taken --database ${database}" says who took which`,
        );
      const letter = letterView(row);
      streams.out(json ? `${JSON.stringify(letter, null, 2)}\n` : letterText(letter));
    }),
  );

export const letterText = (letter: DeadLetter): string => {
  const { id, at, address, from, kind, seq, event, error } = letter;
  return fields([
    ["dead letter", String(id)],
    ["time", timeText(at)],
    ["address", address],
    ["from", from === "" ? "outside" : from],
    [kind, whatOf(letter).replace("action ", "")],
    ["entry", seq === undefined ? undefined : `${seq} of its history`],
    ["data", JSON.stringify(event, null, 2)],
    ["why", `${error.name}${error.code === undefined ? "" : ` (${error.code})`}: ${error.message}`],
    ["stack", error.stack],
  ]);
};
